package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

func TestPostgreSQLKeepsTheJournalsPromises(t *testing.T) {
	t.Parallel()
	all := postgrestest.NewSchemas(t, migratedSchema)
	testJournal(t, func(t testing.TB, clock func() time.Time) journal {
		return open(t, Options{URL: all.Take(t), Clock: clock, Mode: Serve})
	})
}

func TestUnansweredCommitIsAskedAbout(t *testing.T) {
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

func TestUnverifiableCommitIsUnclearAndTheNextSucceeds(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t)})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	recorded(t, s, 1)
	s.committer.engine = elsewhere{s.engine}
	s.committer.outcomeTime = 100 * time.Millisecond // nobody can answer
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

// elsewhere is a database that lost what it had committed last.
type elsewhere struct{ engine }

func (e elsewhere) outcome(ctx context.Context, of mark) (bool, error) {
	of.history = "another"
	return e.engine.outcome(ctx, of)
}

func TestCommitWithALostConnectionIsVerified(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"the server has it": true, "it never came there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wire := postgrestest.NewWire(t, postgrestest.Schema(t))
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
			s.committer.outcomeTime = 100 * time.Millisecond // nobody will answer
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

// endOthersSQL ends every other connection of the same name.
const endOthersSQL = `select pg_terminate_backend(pid) from pg_stat_activity
	where application_name = current_setting('application_name') and pid <> pg_backend_pid()`

// named gives the connections by a URL a name of their own.
func named(t *testing.T, at string) string {
	t.Helper()
	parsed, err := url.Parse(at)
	require.NoError(t, err)
	with := parsed.Query()
	with.Set("application_name", with.Get("search_path"))
	parsed.RawQuery = with.Encode()
	return parsed.String()
}

func TestAServerThatEndsEveryConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	at := named(t, postgrestest.Schema(t))
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	for server := range int64(5) {
		_, err := other.write.Exec(endOthersSQL)
		require.NoError(t, err)
		r := recorded(t, s, server)
		requirePresent(t, s, r.ID)
	}
}

func TestDatabaseWithAnotherHistoryRechecksRecords(t *testing.T) {
	t.Parallel()
	for name, is := range map[string]struct {
		change  string
		recheck cancellation.Recheck
		frozen  bool
	}{
		"the server was started again":       {`update binding set identity = split_part(identity, ' ', 1) || ' 0'`, cancellation.RecheckOnce, false},
		"it lost what it had committed last": {`update binding set identity = '00000009' || substr(identity, 9)`, cancellation.RecheckSettled, false},
		"its tables were made again":         {`update binding set identity = substr(identity, 1, 8) || '/1 0'`, cancellation.RecheckSettled, true},
		"it is in another cluster":           {`update binding set cluster = '1'`, cancellation.RecheckSettled, true},
		"a dump in a cluster that was there": {`update binding set cluster = '1', identity = split_part(identity, ' ', 1) || ' 0'`, cancellation.RecheckSettled, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, clock := postgrestest.Schema(t), newHands()
			first := open(t, Options{URL: at, Clock: clock.time, Mode: Serve, PostTimeout: time.Minute})
			require.NoError(t, first.Bind(t.Context(), sandbox))
			r := recorded(t, first, 1)
			done := filed(t, first, 2)
			for _, frozen := range []bool{true, false} {
				require.NoError(t, first.Freeze(t.Context(), cancellation.Freeze{Frozen: frozen, Actor: "T1/U1", Why: "an outage"}))
			}
			_, err := first.read.Exec(is.change)
			require.NoError(t, err)

			second := open(t, Options{URL: at, Clock: clock.time, Mode: Serve, PostTimeout: time.Minute})
			require.NoError(t, second.Bind(t.Context(), sandbox))
			_, err = first.Apply(t.Context(), moved(r, cancellation.Filing))
			if is.frozen {
				require.ErrorIs(t, err, cancellation.ErrFrozen)
			} else {
				require.ErrorIs(t, err, cancellation.ErrMoved, "who read before cannot go on")
			}
			got := claimed(t, second, "worker")
			assert.Equal(t, is.recheck, got.Recheck)
			if is.recheck == cancellation.RecheckSettled {
				assert.Equal(t, clock.time().Add(time.Minute), got.NotAfter)
			}
			order, err := second.Frozen(t.Context())
			require.NoError(t, err)
			assert.Equal(t, is.frozen, order.Frozen)
			owed := []string{"1", "2"}
			if is.frozen {
				assert.Equal(t, cancellation.RestoreActor, order.Actor)
				owed = []string{"3"} // the others were owed when the copy was made
			}
			assert.Equal(t, owed, texts(t, second, `select cast(number as text) from order_notices where due is not null order by number`))
			rest, err := second.Request(t.Context(), done.ID)
			require.NoError(t, err)
			assert.Equal(t, done, rest, "what is at rest stays")

			third := open(t, Options{URL: at, Clock: clock.time, Mode: Serve})
			require.NoError(t, third.Bind(t.Context(), sandbox))
			applied(t, second, moved(got, cancellation.Stuck)) // looked at once, not at each start
		})
	}
}

// An earlier build next to this one writes no cluster either.
func TestFirstClusterOnRecordFreezesNothing(t *testing.T) {
	t.Parallel()
	at := postgrestest.SchemaFor(t, 2)
	first := open(t, Options{URL: at, Mode: Serve})
	require.NoError(t, first.Bind(t.Context(), sandbox))
	recorded(t, first, 1)
	here := value(t, first, `select system_identifier::text from pg_control_system()`)
	assert.Equal(t, here, value(t, first, `select cluster from binding`))
	alter(t, first, `update binding set cluster = ''`)

	second := open(t, Options{URL: at, Mode: Serve})
	require.NoError(t, second.Bind(t.Context(), sandbox))
	assert.Equal(t, cancellation.NoRecheck, claimed(t, second, "worker").Recheck)
	order, err := second.Frozen(t.Context())
	require.NoError(t, err)
	assert.False(t, order.Frozen)
	assert.Equal(t, here, value(t, second, `select cluster from binding`))
}

func TestClusterThatIsDeniedFreezesOnce(t *testing.T) {
	t.Parallel()
	at := postgrestest.DatabaseFor(t, 1)
	admin, err := pgx.Connect(t.Context(), at)
	require.NoError(t, err)
	role := fmt.Sprintf("plain_%d", time.Now().UnixNano())
	does := func(statements ...string) {
		for _, statement := range statements {
			_, err := admin.Exec(context.WithoutCancel(t.Context()), strings.ReplaceAll(statement, "ROLE", role))
			require.NoError(t, err, statement)
		}
	}
	does(`create role ROLE`, `alter schema public owner to ROLE`)
	t.Cleanup(func() {
		does(`drop owned by ROLE cascade`, `drop role ROLE`)
		require.NoError(t, admin.Close(context.WithoutCancel(t.Context())))
	})
	plain, err := url.Parse(at)
	require.NoError(t, err)
	with := plain.Query()
	with.Set("role", role)
	plain.RawQuery = with.Encode()
	starts := func() (frozen bool, cluster, said string) {
		var log strings.Builder
		s, err := Open(t.Context(), Options{URL: plain.String(), Mode: Serve, Log: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		require.NoError(t, s.Bind(t.Context(), sandbox))
		order, err := s.Frozen(t.Context())
		require.NoError(t, err)
		cluster = value(t, s, `select cluster from binding`)
		require.Equal(t, role, value(t, s, `select current_user::text`))
		if order.Frozen {
			require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Actor: "operator:root", Why: "compared"}))
		}
		require.NoError(t, s.Close())
		return order.Frozen, cluster, log.String()
	}
	starts() // and binds
	frozen, cluster, said := starts()
	assert.False(t, frozen)
	assert.NotEmpty(t, cluster, "by default every role may ask")
	assert.NotContains(t, said, "may not ask")

	does(`revoke execute on function pg_control_system() from public`)
	frozen, cluster, said = starts()
	assert.True(t, frozen, "it may be another cluster")
	assert.Empty(t, cluster)
	assert.Contains(t, said, "may not ask for its cluster")
	frozen, _, said = starts()
	assert.False(t, frozen, "what was not known before says nothing")
	assert.Contains(t, said, "may not ask for its cluster")

	does(`grant execute on function pg_control_system() to public`)
	frozen, cluster, _ = starts()
	assert.False(t, frozen)
	assert.NotEmpty(t, cluster)
}

func TestCommitBeforeAnotherClusterIsUnclear(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.SchemaFor(t, 1)})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	engine := s.engine.(*postgresEngine)
	of := mark{transaction: value(t, s, `select pg_current_xact_id()::text`), history: value(t, s, `select `+historySQL), cluster: *engine.cluster.Load()}
	status, err := engine.status(t.Context(), of)
	require.NoError(t, err)
	assert.Equal(t, "committed", status)
	of.cluster = "1"
	_, err = engine.status(t.Context(), of)
	assert.ErrorIs(t, err, errHistory)
}

// value is the single text that a query of the writing session selects.
func value(t *testing.T, s *Store, query string) (text string) {
	t.Helper()
	require.NoError(t, s.write.QueryRow(query).Scan(&text))
	return text
}

func TestSessionsSettleWhatTheDatabaseWouldDecideOtherwise(t *testing.T) {
	t.Parallel()
	at := postgrestest.Database(t)
	admin, err := pgx.Connect(t.Context(), at)
	require.NoError(t, err)
	defer admin.Close(context.WithoutCancel(t.Context()))
	for _, setting := range []string{"default_transaction_isolation to serializable", "synchronous_commit to off", "lock_timeout to 0"} {
		_, err = admin.Exec(t.Context(), fmt.Sprintf(`do $$ begin execute format('alter database %%I set %s', current_database()); end $$`, setting))
		require.NoError(t, err)
	}
	var stores []*Store
	for range 4 {
		s := open(t, Options{URL: at, Mode: Serve})
		require.NoError(t, s.Bind(t.Context(), sandbox))
		stores = append(stores, s)
	}
	for _, db := range []*sql.DB{stores[0].read, stores[0].write} {
		for setting, want := range map[string]string{"transaction_isolation": "read committed", "synchronous_commit": "on", "lock_timeout": "3s"} {
			var got string
			require.NoError(t, db.QueryRow(`select current_setting($1)`, setting).Scan(&got))
			assert.Equal(t, want, got, setting)
		}
	}
	var turn atomic.Int64
	next := func() *Store { return stores[turn.Add(1)%4] }
	for server := range int64(rounds) {
		r := recorded(t, next(), server)
		claims := atOnce(8, func() (bool, error) {
			_, found, _, err := taken(next().Claim(t.Context(), "worker", lease, 1))
			return found, err
		})
		notes := atOnce(8, func() (struct{}, error) {
			return struct{}{}, next().Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventAskedAgain})
		})
		var found int
		for i := range claims {
			require.NoError(t, claims[i].err)
			require.NoError(t, notes[i].err, "of many at once none is asked to try again")
			if claims[i].got {
				found++
			}
		}
		require.Equal(t, 1, found)
	}
}

func TestReadOnlySessionIsReplaced(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t)})
	recorded(t, s, 1)
	_, err := s.write.Exec(`set default_transaction_read_only = on`)
	require.NoError(t, err)
	recorded(t, s, 2)
}

func TestSessionThatCannotWriteIsRefused(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Options{URL: postgrestest.Schema(t) + "&default_transaction_read_only=on"})
	require.ErrorContains(t, err, "read-only")
}

func TestNoErrorHoldsTheDatabasePassword(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"postgres://bot:hunter2@127.0.0.1:1/x?connect_timeout=1", "postgres://bot:hunter2@[::bad/x", "postgres://bot:hunter2@127.0.0.1:notaport/x"} {
		_, err := Open(t.Context(), Options{URL: at})
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestProcessSuspendedInATransactionDelaysNobody(t *testing.T) {
	t.Parallel()
	at := postgrestest.Schema(t)
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	r := recorded(t, s, 1)
	var limit string
	require.NoError(t, other.write.QueryRow(`show idle_in_transaction_session_timeout`).Scan(&limit))
	require.Equal(t, "5s", limit)
	_, err := other.write.Exec(`set idle_in_transaction_session_timeout = '500ms'`) // the test does not wait that long
	require.NoError(t, err)
	stopped, err := other.write.Begin()
	require.NoError(t, err)
	defer func() { _ = stopped.Rollback() }()
	_, err = stopped.Exec(`update requests set reason_detail = reason_detail where id = $1`, r.ID)
	require.NoError(t, err)
	began := time.Now()
	applied(t, s, moved(r, cancellation.Filing))
	assert.Less(t, time.Since(began), 10*time.Second)
	require.Error(t, stopped.Commit(), "the server ended the transaction of the one that said nothing more")
}

// hears listens until the test ends.
func hears(t *testing.T, s *Store, ring func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var listening sync.WaitGroup
	listening.Go(func() { s.Listen(ctx, ring) })
	t.Cleanup(func() { cancel(); listening.Wait() })
}

func TestOthersHearOfWork(t *testing.T) {
	t.Parallel()
	at := named(t, postgrestest.Schema(t))
	s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
	rung := make(chan struct{}, 100)
	hears(t, other, func() { rung <- struct{}{} })
	<-rung // it listens
	r := recorded(t, s, 1)
	<-rung
	applied(t, s, moved(r, cancellation.Stuck))
	<-rung
	_, err := s.write.Exec(endOthersSQL)
	require.NoError(t, err)
	<-rung // connected again
}

// Schemas of one database hear of each other, so it has a database of its own.
func TestOwnWorkRingsOnceASecond(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: named(t, postgrestest.Database(t))})
	const writes = 50
	rung := make(chan struct{}, 2*writes)
	hears(t, s, func() { rung <- struct{}{} })
	<-rung // it listens
	began := time.Now()
	for server := range int64(writes) {
		recorded(t, s, server+1)
	}
	<-rung
	assert.LessOrEqual(t, 1+len(rung), 1+int(time.Since(began)/time.Second))
}

func TestUnencryptedConnectionMustBeRequested(t *testing.T) {
	t.Parallel()
	for at, refused := range map[string]bool{
		"postgres://bot:hunter2@db.example.com/x":                                  true,
		"postgres://bot:hunter2@db.example.com/x?sslmode=prefer":                   true,
		"postgres://bot:hunter2@db.example.com/x?sslmode=allow":                    true,
		"postgres://bot:hunter2@127.0.0.1,db.example.com/x":                        true,
		"postgres://bot:hunter2@db.example.com/x?sslmode=require":                  false,
		"postgres://bot:hunter2@db.example.com/x?sslmode=verify-full":              false,
		"postgres://bot:hunter2@db.example.com/x?sslmode=disable":                  false,
		"postgres://bot:hunter2@one.example.com,two.example.com/x?sslmode=require": false,
		"postgres://bot:hunter2@127.0.0.1/x":                                       false,
		"postgres://bot:hunter2@localhost/x":                                       false,
		"postgres://bot:hunter2@[::1]/x":                                           false,
		"postgres:///x?host=/run/postgresql":                                       false,
	} {
		_, err := sessionsOf(at)
		if !refused {
			assert.NoError(t, err, at)
			continue
		}
		require.ErrorContains(t, err, "sslmode=verify-full", at)
		assert.ErrorContains(t, err, "db.example.com")
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

// A freeze is answered only when whatever is beginning a filing has ended.
func TestFreezeWaitsForFilingsThatBegin(t *testing.T) {
	t.Parallel()
	for who, begins := range map[string]func(t *testing.T, s *Store, r cancellation.Request, begun *sql.Tx) error{
		"this build": func(t *testing.T, s *Store, _ cancellation.Request, begun *sql.Tx) error {
			return s.thawed(t.Context(), &tx{Tx: begun})
		},
		"a build that knows no freeze": func(t *testing.T, _ *Store, r cancellation.Request, begun *sql.Tx) error {
			_, err := begun.Exec(`update requests set state = 'filing' where id = $1`, r.ID)
			return err
		},
	} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			at := postgrestest.Schema(t)
			s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
			r := recorded(t, s, 1)
			begun, err := s.write.Begin()
			require.NoError(t, err)
			defer func() { _ = begun.Rollback() }()
			require.NoError(t, begins(t, s, r, begun))

			answered := later(func() error {
				return other.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "now"})
			})
			requireHeldUp(t, begun, answered)
			require.NoError(t, begun.Commit())
			require.NoError(t, <-answered)
		})
	}
}

// Of two orders at once, what one replaces is what the other left.
func TestSimultaneousOrdersAreAnnouncedAsTheyFollow(t *testing.T) {
	t.Parallel()
	freezes, ends := cancellation.Freeze{Frozen: true, Actor: "T1/U1", Why: "an outage"}, cancellation.Freeze{Actor: "T1/U2", Why: "over"}
	for name, c := range map[string]struct {
		before        []cancellation.Freeze
		first, second cancellation.Freeze
		owed          []string // number, ends
	}{
		"the end of a freeze that is just ordered": {nil, freezes, ends, []string{"1 0", "2 1"}},
		"a second end":          {[]cancellation.Freeze{freezes}, ends, ends, []string{"1 0", "2 1"}},
		"a freeze after an end": {[]cancellation.Freeze{freezes}, ends, freezes, []string{"1 0", "2 1", "3 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := postgrestest.Schema(t)
			s, other := open(t, Options{URL: at}), open(t, Options{URL: at})
			for _, order := range c.before {
				require.NoError(t, s.Freeze(t.Context(), order))
			}
			begun, err := s.write.Begin()
			require.NoError(t, err)
			defer func() { _ = begun.Rollback() }()
			require.NoError(t, postgresDialect.freeze(t.Context(), &tx{Tx: begun}, time.Now(), c.first))
			answered := later(func() error { return other.Freeze(t.Context(), c.second) })
			requireHeldUp(t, begun, answered)
			require.NoError(t, begun.Commit())
			require.NoError(t, <-answered)
			assert.Equal(t, c.owed, texts(t, s, `select number || ' ' || ends from order_notices order by number`))
		})
	}
}

// texts are the rows of a select of one text.
func texts(t *testing.T, s *Store, query string) []string {
	t.Helper()
	all, err := readAll(t.Context(), s.read, "reading texts", func(from row) (text string, err error) {
		err = from.Scan(&text)
		return text, err
	}, query)
	require.NoError(t, err)
	return all
}

// requireHeldUp waits until another session waits for a lock of this transaction's.
func requireHeldUp(t *testing.T, by *sql.Tx, answered <-chan error) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		select {
		case err := <-answered:
			require.Fail(t, "it was answered meanwhile", "%v", err)
		default:
		}
		var waiting bool
		require.NoError(t, by.QueryRow(`select exists (select 1 from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid)))`).Scan(&waiting))
		if waiting {
			return
		}
		require.True(t, time.Now().Before(deadline), "nobody waits for it")
	}
}

func TestTransactionThatFailsToBeginDoesNotRun(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t)})
	require.NoError(t, s.Bind(t.Context(), sandbox))
	recorded(t, s, 1)
	alter(t, s, `alter table rechecks drop column settled`) // what looking at another identity needs
	alter(t, s, `update binding set identity = '00000009' || substr(identity, 9)`)
	require.Error(t, record(t.Context(), s, asking(2))())
	assert.Zero(t, s.engine.(*postgresEngine).writing.Load(), "or nobody would ask where the writing session is")
}
