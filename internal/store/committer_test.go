package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// gate holds a store's next commit up until it is opened, and counts commits.
type gate struct {
	reached chan struct{}
	open    chan struct{}
	mu      sync.Mutex
	commits int
}

func gated(s *Store) *gate {
	g := &gate{reached: make(chan struct{}), open: make(chan struct{})}
	var once sync.Once
	s.committer.commit = func(tx *sql.Tx) error {
		once.Do(func() { close(g.reached) })
		<-g.open
		g.mu.Lock()
		g.commits++
		g.mu.Unlock()
		return tx.Commit()
	}
	return g
}

// queued waits until so many writes wait behind the one at the gate.
func queued(t *testing.T, s *Store, writes int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(s.committer.queue) < writes; runtime.Gosched() {
		require.True(t, time.Now().Before(deadline), "%d of %d writes wait behind the commit", len(s.committer.queue), writes)
	}
}

// later calls in a goroutine and hands its error over.
func later(call func() error) <-chan error {
	out := make(chan error, 1)
	go func() { out <- call() }()
	return out
}

func record(ctx context.Context, s *Store, rec cancellation.Record) func() error {
	return func() error {
		_, err := s.Record(ctx, rec)
		return err
	}
}

func requireAbsent(t *testing.T, s *Store, id string) {
	t.Helper()
	_, err := s.Request(t.Context(), id)
	require.ErrorIs(t, err, cancellation.ErrNoRequest)
	require.NotErrorIs(t, err, cancellation.ErrUnclear)
}

func requirePresent(t *testing.T, s *Store, id string) {
	t.Helper()
	_, err := s.Request(t.Context(), id)
	require.NoError(t, err)
}

func TestWritesThatWaitShareACommit(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	first := later(record(t.Context(), s, asking(1)))
	<-g.reached
	var rest []<-chan error
	for server := range int64(20) {
		rest = append(rest, later(record(t.Context(), s, asking(server+2))))
	}
	queued(t, s, 20)
	close(g.open)
	require.NoError(t, <-first)
	for _, out := range rest {
		require.NoError(t, <-out)
	}
	assert.Equal(t, 2, g.commits)
}

func TestOnlyThePoisonousWriteOfAGroupFails(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("poison") },
		"a panic":  func() error { panic("poison") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			victim := recorded(t, s, 9)
			g := gated(s)
			first := later(record(t.Context(), s, asking(1)))
			<-g.reached
			before, after := asking(2), asking(3)
			bad := later(func() error {
				return s.committer.do(t.Context(), &write{server: 2, run: func(ctx context.Context, tx *tx, now time.Time) error {
					if err := note(ctx, tx, now, victim.ID, cancellation.Event{Kind: "half"}); err != nil {
						return err
					}
					return fail()
				}})
			})
			queued(t, s, 1)
			good, also := later(record(t.Context(), s, before)), later(record(t.Context(), s, after))
			queued(t, s, 3)
			close(g.open)
			require.NoError(t, <-first)
			require.ErrorContains(t, <-bad, "poison")
			require.NoError(t, <-good)
			require.NoError(t, <-also)
			requirePresent(t, s, before.Request.ID)
			requirePresent(t, s, after.Request.ID)
			assert.Equal(t, []string{"submitted"}, kinds(t, s, victim.ID), "half a write is none")
			assert.NoError(t, s.Ready())
		})
	}
}

func TestRepeatedGroupGivesNoSlotBeyondTheDay(t *testing.T) {
	t.Parallel()
	fails := func(t *testing.T, s *Store) func() error {
		return func() error {
			err := s.committer.do(t.Context(), &write{server: 9, run: func(context.Context, *tx, time.Time) error { return cancellation.ErrFrozen }})
			if !errors.Is(err, cancellation.ErrFrozen) {
				return fmt.Errorf("it did not fail: %w", err)
			}
			return nil
		}
	}
	takesOver := func(t *testing.T, s *Store) func() error {
		waits := asking(9)
		waits.Request.State = cancellation.Pending
		stands, err := s.Record(t.Context(), waits)
		require.NoError(t, err)
		ending := moved(stands.Request, cancellation.Withdrawn)
		last := inPlace(9, "T0/U0ANA", 1, 1)
		last.Ending = &ending
		return func() error {
			if _, err := s.Record(t.Context(), last); !errors.Is(err, cancellation.ErrDayFull) {
				return fmt.Errorf("the day is full: %w", err)
			}
			return nil
		}
	}
	for what, bad := range map[string]func(*testing.T, *Store) func() error{
		"a write next to them fails":          fails,
		"one of them takes a request's place": takesOver,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, o Options) {
				s := open(t, o)
				require.NoError(t, s.Bind(t.Context(), sandbox))
				spoils := bad(t, s)
				g := gated(s)
				first := later(record(t.Context(), s, asking(1)))
				<-g.reached
				var answers [3]cancellation.Recorded
				var all []<-chan error
				for i := range answers {
					all = append(all, later(func() (err error) {
						answers[i], err = s.Record(t.Context(), inPlace(int64(i+2), "T0/U0ANA", 1, 1))
						return err
					}))
				}
				queued(t, s, len(answers))
				all = append(all, first, later(spoils))
				queued(t, s, len(answers)+1)
				close(g.open)
				for _, out := range all {
					require.NoError(t, <-out)
				}
				fresh, full := outcomes(answers[:])
				assert.Equal(t, []int{1, 2}, []int{fresh, full})
				asked, err := s.Asked(t.Context(), "T0/U0ANA", 1)
				require.NoError(t, err)
				assert.EqualValues(t, 1, asked)
			})
		})
	}
}

func TestSlotOfAFailedGroupIsFreeAgain(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	first := later(record(t.Context(), s, asking(1)))
	<-g.reached
	var had, other cancellation.Recorded
	all := []<-chan error{first, later(func() (err error) {
		had, err = s.Record(t.Context(), inPlace(3, "T0/U0ANA", 1, 1))
		return err
	})}
	queued(t, s, 1)
	all = append(all, later(func() (err error) {
		other, err = s.Record(t.Context(), inPlace(4, "T0/U0ANA", 1, 1))
		return err
	}))
	queued(t, s, 2)
	runs := 0
	all = append(all, later(func() error {
		return s.committer.do(t.Context(), &write{server: 2, run: func(ctx context.Context, tx *tx, now time.Time) error {
			if runs++; runs == 1 {
				return errors.New("not yet")
			}
			return (&recording{Record: asking(3)}).insertOne(ctx, tx, now) // as another replica may meanwhile
		}})
	}))
	queued(t, s, 3)
	close(g.open)
	for _, out := range all {
		require.NoError(t, <-out)
	}
	assert.NotNil(t, had.Held)
	assert.True(t, other.Fresh, "the day has a place")
}

func TestCallerLeavingBeforeItsWriteWroteNothing(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	first := later(record(t.Context(), s, asking(1)))
	<-g.reached
	ctx, cancel := context.WithCancel(t.Context())
	rec := asking(2)
	left := later(record(ctx, s, rec))
	queued(t, s, 1)
	cancel()
	err := <-left
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, cancellation.ErrUnclear)
	close(g.open)
	require.NoError(t, <-first)
	recorded(t, s, 3) // whatever was queued before this has been worked
	requireAbsent(t, s, rec.Request.ID)

	err = record(ctx, s, rec)()
	require.ErrorIs(t, err, context.Canceled, "a context that is over begins nothing")
	requireAbsent(t, s, rec.Request.ID)
}

func TestCallerLeavingDuringACommitGetsUnclear(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	ctx, cancel := context.WithCancel(t.Context())
	rec := asking(1)
	left := later(record(ctx, s, rec))
	<-g.reached
	cancel()
	err := <-left
	require.ErrorIs(t, err, cancellation.ErrUnclear)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Ready(), "a slow commit is no broken one")

	_, err = s.Request(ctx, rec.Request.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, cancellation.ErrNoRequest, "absence is not proven while the commit runs")

	truth := later(func() error {
		_, err := s.Request(context.WithoutCancel(ctx), rec.Request.ID)
		return err
	})
	queued(t, s, 1)
	close(g.open)
	require.NoError(t, <-truth, "the read came after the commit")
	assert.Empty(t, s.committer.doubts)
}

func TestAbsenceIsUnclearDuringAnotherDeliverysCommit(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	rec := asking(1)
	first := later(record(t.Context(), s, rec))
	<-g.reached
	second := later(func() error {
		_, err := s.Request(t.Context(), rec.Request.ID)
		return err
	})
	queued(t, s, 1)
	close(g.open)
	require.NoError(t, <-first)
	require.NoError(t, <-second, "the read came after the commit")
	assert.Empty(t, s.committer.doubts)
}

func TestFailedCommitStopsWritesAndProvesNoAbsence(t *testing.T) {
	t.Parallel()
	for name, reallyCommits := range map[string]bool{"it was committed": true, "it was not": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir() + "/bot.db"
			s := open(t, Options{Path: path})
			standing := recorded(t, s, 1)
			var commits int
			s.committer.commit = func(tx *sql.Tx) error {
				commits++
				if reallyCommits {
					return errors.Join(tx.Commit(), errors.New("disk I/O error"))
				}
				return errors.Join(tx.Rollback(), errors.New("disk I/O error"))
			}
			rec := asking(2)
			require.ErrorIs(t, record(t.Context(), s, rec)(), cancellation.ErrUnclear)
			require.ErrorIs(t, s.Ready(), cancellation.ErrUnclear)

			_, err := s.Apply(t.Context(), moved(standing, cancellation.Filing))
			require.ErrorIs(t, err, cancellation.ErrUnclear)
			_, found, _, err := taken(s.Claim(t.Context(), "worker", lease, 1))
			require.ErrorIs(t, err, cancellation.ErrUnclear)
			assert.False(t, found)
			assert.Equal(t, 1, commits, "nothing more was tried")

			requirePresent(t, s, standing.ID)
			_, err = s.Request(t.Context(), rec.Request.ID)
			if reallyCommits {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, cancellation.ErrUnclear)
			}

			again := open(t, Options{Path: path})
			require.NoError(t, again.Ready())
			got, err := again.Record(t.Context(), rec)
			require.NoError(t, err)
			assert.Equal(t, !reallyCommits, got.Fresh)
		})
	}
}

func TestErrorBeforeTheCommitWritesNothing(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]struct{ breaks, mends string }{
		"a read-only database": {"pragma query_only = 1", "pragma query_only = 0"},
		"a full disk":          {"pragma max_page_count = 1", "pragma max_page_count = 100000"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			standing := recorded(t, s, 1)
			_, err := s.write.Exec(broken.breaks)
			require.NoError(t, err)
			rec := asking(2)
			rec.Request.Submission.Content = strings.Repeat("long ", 2000)
			err = record(t.Context(), s, rec)()
			require.Error(t, err)
			require.NotErrorIs(t, err, cancellation.ErrUnclear)
			require.NoError(t, s.Ready())
			requireAbsent(t, s, rec.Request.ID)
			requirePresent(t, s, standing.ID)

			_, err = s.write.Exec(broken.mends)
			require.NoError(t, err)
			require.NoError(t, record(t.Context(), s, rec)(), "it goes on once that is mended")
		})
	}
}

func TestADamagedFileBreaksTheStoreOff(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/damaged.db"
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("damaged ", 1000)), 0o600))
	damaged, err := pool(path, 1, url.Values{})
	require.NoError(t, err)
	defer damaged.Close()
	damage := damaged.PingContext(t.Context())
	require.Error(t, damage)

	s := fresh(t)
	require.ErrorIs(t, s.committer.failed(fmt.Errorf("writing: %w", damage)), cancellation.ErrUnclear)
	require.ErrorIs(t, s.Ready(), cancellation.ErrUnclear)
	require.ErrorIs(t, record(t.Context(), s, asking(1))(), cancellation.ErrUnclear)
}

func TestALockedDatabaseIsADefiniteNo(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/bot.db"
	s, other := open(t, Options{Path: path}), open(t, Options{Path: path})
	_, err := s.write.Exec("pragma busy_timeout = 0")
	require.NoError(t, err)
	tx, err := other.write.Begin()
	require.NoError(t, err)
	rec := asking(1)
	err = record(t.Context(), s, rec)()
	require.Equal(t, again, s.engine.meaning(err, false), "%v", err)
	require.NotErrorIs(t, err, cancellation.ErrUnclear)
	require.NoError(t, tx.Rollback())
	requireAbsent(t, s, rec.Request.ID)
	require.NoError(t, record(t.Context(), s, rec)())
}

func TestCloseCommitsWhatWaitsAndRefusesTheRest(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/bot.db"
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	g := gated(s)
	first := later(record(t.Context(), s, asking(1)))
	<-g.reached
	rec := asking(2)
	second := later(record(t.Context(), s, rec))
	queued(t, s, 1)
	closed := later(s.Close)
	<-s.committer.closing
	close(g.open)
	require.NoError(t, <-first)
	require.NoError(t, <-second)
	require.NoError(t, <-closed)
	require.ErrorIs(t, record(t.Context(), s, asking(3))(), ErrClosed)
	requirePresent(t, open(t, Options{Path: path}), rec.Request.ID)
}

func TestWaitForTheQueueEndsWithTheContext(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	g := gated(s)
	first := later(record(t.Context(), s, asking(1)))
	<-g.reached
	var all sync.WaitGroup
	for n := range queueLength {
		all.Go(func() { assert.NoError(t, s.KeepCard(t.Context(), fmt.Sprint(n), []byte("card"))) })
	}
	queued(t, s, queueLength)
	ctx, cancel := context.WithCancel(t.Context())
	late := later(record(ctx, s, asking(2)))
	cancel()
	require.ErrorIs(t, <-late, context.Canceled)
	close(g.open)
	require.NoError(t, <-first)
	all.Wait()
}
