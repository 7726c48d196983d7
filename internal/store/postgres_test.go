package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

func TestPostgreSQLKeepsTheJournalsPromises(t *testing.T) {
	t.Parallel()
	testJournal(t, func(t testing.TB, clock func() time.Time) cancellation.Journal {
		return open(t, Options{URL: postgrestest.Schema(t), Clock: clock, Serve: true})
	})
}

func TestACommitThatIsNotAnsweredIsAskedAbout(t *testing.T) {
	t.Parallel()
	for name, reallyCommits := range map[string]bool{"it was done": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Options{URL: postgrestest.Schema(t)})
			require.NoError(t, s.Bind(t.Context(), sandbox))
			broken := false
			s.committer.commit = func(tx *sql.Tx) error {
				if broken {
					return tx.Commit()
				}
				broken = true
				if reallyCommits {
					return errors.Join(tx.Commit(), io.ErrUnexpectedEOF)
				}
				return errors.Join(tx.Rollback(), io.ErrUnexpectedEOF)
			}
			rec := asking(1)
			got, err := s.Record(t.Context(), rec)
			require.NoError(t, err, "the server tells what became of it; what was rolled back is done again")
			assert.True(t, got.Fresh)
			assert.Len(t, kinds(t, s, rec.Request.ID), 1, "and once")
			require.NoError(t, s.Ready(), "a lost connection breaks nothing for good")
		})
	}
}

func TestACommitThatNobodyCanBeAskedAboutIsUnclearAndTheNextOneGoesOn(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t)})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	recorded(t, s, 1)
	other := "another history"
	s.engine.(*postgresEngine).history.Store(&other)
	s.committer.commit = func(tx *sql.Tx) error {
		s.committer.commit = (*sql.Tx).Commit
		return errors.Join(tx.Commit(), io.ErrUnexpectedEOF)
	}
	rec := asking(2)
	require.ErrorIs(t, record(t.Context(), s, rec)(), cancellation.ErrUnclear)
	require.NoError(t, s.Ready())
	requirePresent(t, s, rec.Request.ID)
	recorded(t, s, 3)
}

func TestACommitWhoseConnectionIsLostIsAnsweredWithTheTruth(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"the server has it": true, "it never came there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := postgrestest.NewWire(t, postgrestest.Database(t))
			s := open(t, Options{URL: wire.URL()})
			require.NoError(t, s.Bind(t.Context(), sandbox))

			rec := asking(1)
			wire.Lose(postgrestest.Loss{Carrying: rec.Request.ID, Done: done})
			got, err := s.Record(t.Context(), rec)
			require.NoError(t, err, "on another connection the server tells what became of it")
			require.True(t, wire.Lost())
			assert.True(t, got.Fresh)
			assert.Len(t, kinds(t, s, rec.Request.ID), 1, "it is done, and once")

			rec = asking(2)
			wire.Lose(postgrestest.Loss{Carrying: rec.Request.ID, Done: done, Severed: true})
			require.ErrorIs(t, record(t.Context(), s, rec)(), cancellation.ErrUnclear, "there is nobody to ask")
			_, err = s.Request(t.Context(), rec.Request.ID)
			require.Error(t, err)
			require.NotErrorIs(t, err, cancellation.ErrNoRequest, "nor does a read that fails prove an absence")
			wire.Mend()
			if done {
				requirePresent(t, s, rec.Request.ID)
			} else {
				requireAbsent(t, s, rec.Request.ID)
			}
			recorded(t, s, 3) // and it goes on
		})
	}
}

func TestAServerThatEndsEveryConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	at := postgrestest.Database(t)
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	for server := range int64(5) {
		_, err := other.write.Exec(`select pg_terminate_backend(pid) from pg_stat_activity
			where datname = current_database() and pid <> pg_backend_pid()`)
		require.NoError(t, err)
		r := recorded(t, s, server)
		requirePresent(t, s, r.ID)
	}
}

func TestADatabaseThatIsNotWhatItWasHasTheBooksReadFirst(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]struct {
		change  string
		recheck cancellation.Recheck
	}{
		"the server was started anew":        {`update binding set identity = split_part(identity, ' ', 1) || ' 0'`, cancellation.RecheckOnce},
		"it lost what it had committed last": {`update binding set identity = '00000009/1 0'`, cancellation.RecheckSettled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, clock := postgrestest.Schema(t), newHands()
			first := open(t, Options{URL: at, Clock: clock.time, Serve: true, PostTimeout: time.Minute})
			require.NoError(t, first.Bind(t.Context(), sandbox))
			r := recorded(t, first, 1)
			done := filed(t, first, 2)
			_, err := first.read.Exec(is.change)
			require.NoError(t, err)

			second := open(t, Options{URL: at, Clock: clock.time, Serve: true, PostTimeout: time.Minute})
			require.NoError(t, second.Bind(t.Context(), sandbox))
			_, err = first.Apply(t.Context(), moved(r, cancellation.Filing))
			require.ErrorIs(t, err, cancellation.ErrMoved, "who read before cannot go on")
			got := claimed(t, second, "worker")
			assert.Equal(t, is.recheck, got.Recheck)
			if is.recheck == cancellation.RecheckSettled {
				assert.Equal(t, clock.time().Add(time.Minute), got.NotAfter)
			}
			rest, err := second.Request(t.Context(), done.ID)
			require.NoError(t, err)
			assert.Equal(t, done, rest, "what is at rest stays")

			third := open(t, Options{URL: at, Clock: clock.time, Serve: true})
			require.NoError(t, third.Bind(t.Context(), sandbox))
			applied(t, second, moved(got, cancellation.Stuck)) // looked at once, not at each start
		})
	}
}

func TestAServerThatMayForgetACommitIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Options{URL: postgrestest.Schema(t) + "&options=-csynchronous_commit%3Doff"})
	require.ErrorContains(t, err, "synchronous_commit is off")
}

func TestThePasswordOfADatabaseIsInNoError(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"postgres://bot:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://bot:hunter2@[::bad/x", "postgres://bot:hunter2@127.0.0.1:notaport/x"} {
		_, err := Open(t.Context(), Options{URL: at})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestOneWhoIsSuspendedInATransactionHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	at := postgrestest.Schema(t)
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	r := recorded(t, s, 1)
	stopped, err := other.write.Begin()
	require.NoError(t, err)
	defer func() { _ = stopped.Rollback() }()
	_, err = stopped.Exec(`update requests set why = why where id = $1`, r.ID)
	require.NoError(t, err)
	began := time.Now()
	applied(t, s, moved(r, cancellation.Filing))
	assert.Less(t, time.Since(began), 10*time.Second)
	require.Error(t, stopped.Commit(), "the server ended the transaction of the one that said nothing more")
}

func TestOthersHearOfWork(t *testing.T) {
	t.Parallel()
	at := postgrestest.Schema(t)
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	rung := make(chan struct{}, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { other.Listen(ctx, func() { rung <- struct{}{} }) })
	defer listening.Wait()
	defer cancel()
	<-rung // it listens
	r := recorded(t, s, 1)
	<-rung
	applied(t, s, moved(r, cancellation.Stuck))
	<-rung
	_, err := s.write.Exec(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'`)
	require.NoError(t, err)
	<-rung // connected again
}
