package cancellation_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestRefusedChannelFallsBackToTheNextPlace(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliveries = append(w.deliveries, cancellation.Refusing)
		w.submit()
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, "response_url", messages[0].channel)
	})
}

func TestRefusingChannelIsTriedAtTheNextChange(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliveries = append(w.deliveries, cancellation.Refusing) // such as a token, for a moment
		for range 5 {
			w.answers = append(w.answers, rateLimited)
		}
		w.submit()
		w.run(w.journal, 5*time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 2)
		assert.Equal(t, "response_url", messages[0].channel)
		assert.Equal(t, cancellation.Scheduled, messages[0].state)
		assert.Equal(t, "C1", messages[1].channel, "the root message, which can be edited")
		assert.Equal(t, cancellation.Filed, messages[1].state)
	})
}

func TestDeletedMessageIsPostedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, slowlyNotMade)
		w.updates = append(w.updates, cancellation.Refusing)
		w.submit()
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 2)
		assert.Equal(t, cancellation.Filing, messages[0].state)
		assert.Equal(t, cancellation.Scheduled, messages[1].state)
	})
}

func TestDeadResponseURLFallsBackToDirectMessage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		s.Place.ResponseURLUntil = time.Now()
		_, err := w.desk().Submit(t.Context(), s)
		require.NoError(t, err)
		w.deliveries = append(w.deliveries, cancellation.Refusing)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, "", messages[0].channel, "direct message")
	})
}

func TestResultRefusedByResponseURLIsStillDelivered(t *testing.T) {
	for name, c := range map[string]struct {
		answer cancellation.Delivery
		told   []string // where, in the end
	}{
		"it refuses":         {cancellation.Refusing, []string{""}},
		"it fails once":      {cancellation.Undelivered, []string{"response_url"}},
		"its answer is lost": {cancellation.Lost, []string{"response_url", "response_url"}}, // one orphan at most
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.deliveries = append(w.deliveries, cancellation.Refusing)
				w.responding = append(w.responding, c.answer)
				w.submit()
				w.run(w.journal, 5*time.Minute)
				_, messages := w.snapshot()
				var told []string
				for _, m := range messages {
					assert.Equal(t, cancellation.Filed, m.state)
					told = append(told, m.channel)
				}
				assert.Equal(t, c.told, told)
			})
		})
	}
}

// telling is a journal that counts how results come to be posted.
type telling struct {
	journal
	claims, announced, withSteps int
	dies                         bool // the process dies once a result is announced with its step
	stepped                      atomic.Bool
}

// Claim lets the notifier come to rest first: only then has it a free slot.
func (j *telling) Claim(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Request], error) {
	time.Sleep(time.Millisecond)
	return j.journal.Claim(ctx, owner, lease, most)
}

func (j *telling) ClaimNotices(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Notice], error) {
	if !j.stepped.Load() { // the step comes first
		return cancellation.Claim[cancellation.Notice]{}, nil
	}
	c, err := j.journal.ClaimNotices(ctx, owner, lease, most)
	j.claims += len(c.Rows)
	return c, err
}

func (j *telling) ApplyNotice(ctx context.Context, n cancellation.Notice, keep bool) (cancellation.Notice, error) {
	if keep {
		j.announced++
	}
	return j.journal.ApplyNotice(ctx, n, keep)
}

func (j *telling) ApplyAnnounced(ctx context.Context, c cancellation.Change, a cancellation.Announcement) (cancellation.Announced, error) {
	done, err := j.journal.ApplyAnnounced(ctx, c, a)
	j.withSteps++
	j.stepped.Store(true)
	if j.dies {
		done.Result = cancellation.Notice{}
	}
	return done, err
}

func TestFirstResultIsAnnouncedWithItsStep(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		counts := &telling{journal: w.journal}
		w.run(counts, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Filed, messages[0].state)
		assert.Equal(t, []int{0, 0, 1}, []int{counts.claims, counts.announced, counts.withSteps})
	})
}

func TestResultOfADeadProcessIsPostedLater(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		w.run(&telling{journal: w.journal, dies: true}, 30*time.Second)
		_, messages := w.snapshot()
		require.Empty(t, messages)
		w.restart()
		w.run(w.journal, 2*time.Minute)
		_, messages = w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

// blurred is a journal in which nobody can read what a request asked for.
type blurred struct{ journal }

func (j blurred) Request(ctx context.Context, id string) (cancellation.Request, error) {
	r, err := j.journal.Request(ctx, id)
	return r, errors.Join(err, cancellation.ErrUnreadable)
}

func TestUnreadableRequestIsStillReported(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(blurred{w.journal}, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, r.Ref.Short(), messages[0].ref)
	})
}

func TestAnsweredRequestGetsNoReminder(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.run(w.journal, 67*time.Hour)
		w.change(func(w *world) {
			w.deliveries = slices.Repeat([]cancellation.Delivery{cancellation.Undelivered}, 100) // Slack is away
		})
		w.run(w.journal, time.Hour+time.Minute)
		require.Contains(t, w.kinds(r), cancellation.EventReminded)
		_, err := w.desk().Decline(t.Context(), pressed(r.ID, raj), "no")
		require.NoError(t, err)
		w.change(func(w *world) { w.deliveries = nil })
		w.run(w.journal, time.Hour)
		_, messages := w.snapshot()
		assert.Equal(t, []cancellation.NoticeKind{cancellation.Result, cancellation.EndedFor("U1")}, kindsOf(messages))
		assert.Equal(t, cancellation.Declined, messages[0].state)
	})
}

func TestWhereEverythingRefusesTheResultStaysOwed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		s := w.submission()
		s.Place.ResponseURL = ""
		_, err := w.desk().Submit(t.Context(), s)
		require.NoError(t, err)
		w.deliveries = append(w.deliveries, cancellation.Refusing, cancellation.Refusing)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Empty(t, messages)
		w.run(w.journal, 15*time.Minute)
		_, messages = w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, "C1", messages[0].channel, "the channel once more")
	})
}

func TestLostSlackAnswerIsLookedUpFirst(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.history = true
		w.deliveries = append(w.deliveries, cancellation.Lost)
		w.submit()
		w.run(w.journal, 5*time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1, "found by its metadata")
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

func TestUnreadableHistoryLeavesAtMostOneOrphan(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliveries = append(w.deliveries, cancellation.Lost)
		w.submit()
		w.run(w.journal, 30*time.Second)
		_, messages := w.snapshot()
		require.Len(t, messages, 1, "not posted again before Slack's answer is surely lost")
		w.run(w.journal, 10*time.Minute)
		_, messages = w.snapshot()
		assert.Len(t, messages, 2)
	})
}

func TestSlowRequestIsReportedAsUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for range 5 {
			w.answers = append(w.answers, rateLimited)
		}
		w.submit()
		w.run(w.journal, 12*time.Second)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Scheduled, messages[0].state)
		w.run(w.journal, 3*time.Minute)
		_, messages = w.snapshot()
		require.Len(t, messages, 1, "one root message, edited through its life")
		assert.Equal(t, cancellation.Filed, messages[0].state)
	})
}

// panicky is an announcer that panics once.
type panicky struct {
	cancellation.Announcer
	once sync.Once
}

func (p *panicky) Post(ctx context.Context, to cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	first := false
	p.once.Do(func() { first = true })
	if first {
		panic("words")
	}
	return p.Announcer.Post(ctx, to, kind, r)
}

func TestPanicInWordsKeepsTheResultOwed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		worker := w.worker(w.journal)
		worker.notifier.Announcer = &panicky{Announcer: w}
		w.runs(worker, 20*time.Minute)
		_, messages := w.snapshot()
		assert.Len(t, messages, 1)
	})
}

// slowlyNotMade makes nothing, and takes so long that the channel hears of it meanwhile.
func slowlyNotMade(w *world, _ cancellation.Order) cancellation.Outcome {
	w.mu.Unlock()
	time.Sleep(20 * time.Second)
	w.mu.Lock()
	return cancellation.Outcome{Kind: cancellation.NotMade, Text: "401", Retry: 5 * time.Minute}
}

func TestFailedPostIsNotShownAsUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, slowlyNotMade)
		w.submit()
		w.run(w.journal, 10*time.Second)
		w.run(w.journal, time.Minute)
		_, messages := w.snapshot()
		require.Len(t, messages, 1)
		assert.Equal(t, cancellation.Scheduled, messages[0].state)
	})
}

func TestUneditableMessageIsNotRepeatedPerTry(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.deliveries = append(w.deliveries, cancellation.Refusing, cancellation.Refusing)
		for range 6 {
			w.answers = append(w.answers, rateLimited)
		}
		w.submit()
		w.run(w.journal, 5*time.Minute)
		_, messages := w.snapshot()
		var told []cancellation.State
		for _, m := range messages {
			assert.Equal(t, "response_url", m.channel)
			told = append(told, m.state)
		}
		assert.Equal(t, []cancellation.State{cancellation.Scheduled, cancellation.Filed}, told)
	})
}

// tellers is a slow Slack that counts who calls it at once.
type tellers struct {
	cancellation.Announcer
	mu   sync.Mutex
	now  int
	most int
}

func (s *tellers) enter() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now++
	s.most = max(s.most, s.now)
	return func() { s.mu.Lock(); s.now--; s.mu.Unlock() }
}

func (s *tellers) Find(ctx context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, since time.Time) (cancellation.Posted, bool, bool) {
	defer s.enter()()
	time.Sleep(9 * time.Second)
	return s.Announcer.Find(ctx, in, kind, r, since)
}

func (s *tellers) Update(ctx context.Context, at cancellation.Posted, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	defer s.enter()()
	time.Sleep(9 * time.Second)
	return s.Announcer.Update(ctx, at, kind, r)
}

func TestSlowSlackLeavesANoticeToOneWorker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.history = true
		w.deliveries = append(w.deliveries, cancellation.Lost)
		w.submit()
		worker := w.worker(w.journal)
		slack := &tellers{Announcer: w}
		worker.notifier.Announcer = slack
		worker.Limits.Poll, worker.notifier.Limits.Poll = time.Second, time.Second
		w.runs(worker, 5*time.Minute)
		assert.Equal(t, 1, slack.most)
	})
}
