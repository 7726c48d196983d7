package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// drowsy is a journal for a machine that sleeps between some claims and their steps.
type drowsy struct {
	journal
	when  func(cancellation.Request) bool
	pause time.Duration
	woke  time.Time
}

func (d *drowsy) Claim(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Request], error) {
	c, err := d.journal.Claim(ctx, owner, lease, most)
	if slices.ContainsFunc(c.Rows, d.when) {
		time.Sleep(d.pause) // virtual
		d.woke = time.Now()
	}
	return c, err
}

func TestSleepAfterAClaimShortensNoSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		sleeps := &drowsy{journal: w.journal, pause: 2 * settleTime, when: func(r cancellation.Request) bool {
			return r.State == cancellation.Unknown && r.CleanSince.IsZero() && time.Now().After(r.NotAfter)
		}}
		worker := w.worker(sleeps)
		worker.Limits.Lease = time.Hour // or the same process claims it again when it wakes
		w.runs(worker, time.Hour)
		require.NotZero(t, sleeps.woke)
		posts, _ := w.snapshot()
		require.Len(t, posts, 2)
		assert.GreaterOrEqual(t, posts[1].at.Sub(sleeps.woke), settleTime, "the first clean read came after the sleep")
		assert.Less(t, posts[1].at.Sub(sleeps.woke), settleTime+time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestSleepAfterAClaimMovesNoUndoWindow(t *testing.T) {
	for claimed, c := range map[string]struct{ early, asleep time.Duration }{
		"when it ends":                        {0, time.Hour},
		"before it ends, and awake after it":  {time.Minute, time.Hour},
		"before it ends, and awake before it": {5 * time.Minute, time.Minute},
	} {
		t.Run(claimed, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.terms.UndoWindow = 10 * time.Minute
				r := w.submit()
				early := r
				early.Due = r.UndoUntil.Add(-c.early) // whatever wakes it then
				_, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: early})
				require.NoError(t, err)
				first := true
				sleeps := &drowsy{journal: w.journal, pause: c.asleep, when: func(cancellation.Request) bool {
					defer func() { first = false }()
					return first
				}}
				worker := w.worker(sleeps)
				worker.Limits.Lease = 2 * time.Hour
				w.runs(worker, 2*time.Hour)
				posts, _ := w.snapshot()
				require.Len(t, posts, 1)
				assert.False(t, posts[0].at.Before(r.UndoUntil), "people may undo it until then")
				assert.Less(t, min(posts[0].at.Sub(sleeps.woke), posts[0].at.Sub(r.UndoUntil)), time.Second, "it waits no longer")
			})
		})
	}
}

// counted is a clock that counts how often it is asked.
type counted struct {
	cancellation.Clock
	asked atomic.Int32
}

func (c *counted) Now(ctx context.Context) (time.Time, error) {
	c.asked.Add(1)
	return c.Clock.Now(ctx)
}

func TestStepReadsTheClockAsOftenAsAllowed(t *testing.T) { // docs/design.md 4.6
	needsOne := authz.Decision{Effect: authz.NeedsApproval, Approvals: 1}
	for step, c := range map[string]struct {
		before, after func(w *world) // the submission
		lasts         time.Duration
		state         cancellation.State
		asked         int32
	}{
		"a filing":                 {lasts: time.Second, state: cancellation.Filed, asked: 1},
		"a filing that is refused": {after: func(w *world) { w.answers = append(w.answers, refused) }, lasts: time.Second, state: cancellation.Rejected, asked: 1},
		"a filing whose answer is lost, until it settles": {
			after: func(w *world) { w.answers = append(w.answers, lostBefore) }, lasts: 500 * time.Millisecond, state: cancellation.Unknown, asked: 2,
		},
		"a check that refuses":     {after: func(w *world) { w.server.FQDN = "another.example.com" }, lasts: time.Second, state: cancellation.Rejected},
		"a read without an answer": {after: func(w *world) { w.reading = errors.New("asked for too much") }, lasts: 500 * time.Millisecond, state: cancellation.Scheduled},
		"back to be approved":      {after: func(w *world) { w.decision = needsOne }, lasts: time.Second, state: cancellation.Pending, asked: 1},
		"the end of the waiting":   {before: func(w *world) { w.decision = needsOne }, lasts: 100 * time.Hour, state: cancellation.Expired},
	} {
		t.Run(step, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				change := func(to func(*world)) {
					if to != nil {
						w.change(to)
					}
				}
				w.others["U2"] = authz.Principal{Team: "T1", User: "U2", GroupsKnown: true}
				change(c.before)
				r := w.submit()
				change(c.after)
				clock := &counted{Clock: w.journal}
				worker := w.worker(w.journal)
				worker.Clock, worker.notifier.Clock = clock, clock
				w.runs(worker, c.lasts)
				assert.Equal(t, c.state, w.now(r).State)
				assert.Equal(t, c.asked, clock.asked.Load())
			})
		})
	}
}

// counting is a journal that knows how many requests are claimed and not given back.
type counting struct {
	journal
	held, most atomic.Int64
}

func (c *counting) Claim(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Request], error) {
	claim, err := c.journal.Claim(ctx, owner, lease, most)
	c.most.Store(max(c.most.Load(), c.held.Add(int64(len(claim.Rows)))))
	return claim, err
}

func (c *counting) Apply(ctx context.Context, change cancellation.Change) (cancellation.Request, error) {
	r, err := c.journal.Apply(ctx, change)
	if err == nil && !change.Keep {
		c.held.Add(-1)
	}
	return r, err
}

func (c *counting) ApplyAnnounced(ctx context.Context, change cancellation.Change, a cancellation.Announcement) (cancellation.Announced, error) {
	done, err := c.journal.ApplyAnnounced(ctx, change, a)
	if err == nil {
		c.held.Add(-1)
	}
	return done, err
}

// busyDesk is a desk whose requests a running worker may work on at once. stop ends the worker.
func busyDesk(t *testing.T, w *world, worker worker) (desk *cancellation.Desk, stop func()) {
	t.Helper()
	desk = w.desk()
	desk.Filer, desk.Wake = worker.Filer, worker.Wake
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); worker.Run(ctx) }()
	synctest.Wait()
	return desk, func() { cancel(); <-done }
}

// asking is a submission for the nth server of a fleet, on the card of this moment.
func asking(t *testing.T, w *world, n int64) cancellation.Submission {
	t.Helper()
	s := goodSubmission()
	var err error
	s.Card, err = w.desk().Look(t.Context(), w.server.ID+n)
	require.NoError(t, err)
	return s
}

func accepted(t *testing.T, desk *cancellation.Desk, s cancellation.Submission) cancellation.Request {
	t.Helper()
	answer, err := desk.Submit(t.Context(), s)
	require.NoError(t, err)
	require.Equal(t, cancellation.AnswerAccepted, answer.Kind)
	synctest.Wait()
	return answer.Request
}

func TestRequestDueAtOnceNeedsNoClaim(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleet = 1
		counts := &counting{journal: w.journal}
		desk, stop := busyDesk(t, w, w.worker(counts))
		r := accepted(t, desk, asking(t, w, 1))
		assert.Equal(t, cancellation.Filed, w.now(r).State, "at once")
		assert.Zero(t, counts.most.Load())
		stop()
		_, messages := w.snapshot()
		assert.Len(t, messages, 1)
	})
}

func TestUndoWindowOutlastsAFreeWorker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleet, w.terms.UndoWindow = 1, time.Minute
		desk, stop := busyDesk(t, w, w.worker(w.journal))
		r := accepted(t, desk, asking(t, w, 1))
		time.Sleep(time.Minute - time.Second)
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
		time.Sleep(2 * time.Second)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
		stop()
	})
}

func TestRequestKeepsItsPlaceWhileAVendorIsAway(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.fleet, w.answers = 2, append(w.answers, separately, separately)
		desk, stop := busyDesk(t, w, w.worker(w.journal))
		first, second := asking(t, w, 1), asking(t, w, 2)
		w.change(func(w *world) { w.reading, w.away = errors.New("no answer"), errors.New("no answer") })
		assert.Greater(t, w.now(accepted(t, desk, first)).Version, int64(1), "which learns that nobody is answered")
		assert.EqualValues(t, 1, w.now(accepted(t, desk, second)).Version, "which nobody takes")
		w.change(func(w *world) { w.reading, w.away = nil, nil })
		time.Sleep(time.Minute)
		assert.Equal(t, cancellation.Filed, w.live(w.server.ID+2).State)
		stop()
	})
}

func TestFullWorkersFileInOrder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const requests = 9
		w.fleet = requests
		for range requests {
			w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
				w.mu.Unlock()
				time.Sleep(3 * time.Second)
				w.mu.Lock()
				return separately(w, o)
			})
		}
		worker := w.worker(w.journal)
		worker.Limits.Requests = 2
		desk, stop := busyDesk(t, w, worker)
		for n := range int64(requests) {
			accepted(t, desk, asking(t, w, n+1))
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		stop()
		posts, _ := w.snapshot()
		require.Len(t, posts, requests)
		for i, p := range posts {
			assert.Equal(t, w.server.ID+1+int64(i), p.order.Server, "nobody is filed past those who wait")
		}
	})
}

func TestNoMoreIsClaimedThanCanBegin(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submitFleet(7)
		counts := &counting{journal: w.journal}
		worker := w.worker(counts)
		worker.Limits.Requests = 3
		w.runs(worker, time.Minute)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 7)
		assert.EqualValues(t, 3, counts.most.Load(), "a row waits for a worker in no lease")
	})
}
