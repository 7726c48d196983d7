package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// separately makes a ticket that leaves the other servers alone.
func separately(w *world, o cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.Made, Ticket: cancellation.TicketID{ID: o.Server}}
}

// submitFleet asks for so many servers, a second after each other.
func (w *world) submitFleet(n int64) {
	w.t.Helper()
	w.change(func(w *world) { w.fleet = n })
	desk := w.desk()
	for i := range n {
		s := goodSubmission()
		card, err := desk.Look(w.t.Context(), w.server.ID+1+i)
		require.NoError(w.t, err)
		s.Card = card
		answer, err := desk.Submit(w.t.Context(), s)
		require.NoError(w.t, err)
		require.Equal(w.t, cancellation.AnswerAccepted, answer.Kind)
		w.change(func(w *world) { w.answers = append(w.answers, separately) })
		time.Sleep(time.Second)
	}
}

func TestBacklogDrainsInOrderAfterAnOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const requests = 40
		w.submitFleet(requests)
		w.change(func(w *world) { w.reading, w.away = errors.New("no answer"), errors.New("no answer") })
		worker := w.worker(w.journal)
		worker.Limits.Requests = 1
		go func() {
			time.Sleep(time.Hour)
			w.change(func(w *world) { w.reading, w.away = nil, nil })
		}()
		w.runs(worker, time.Hour+2*time.Minute)
		posts, _ := w.snapshot()
		require.Len(t, posts, requests)
		for i, p := range posts {
			assert.Equal(t, w.server.ID+1+int64(i), p.order.Server, "the oldest goes first")
		}
		assert.Less(t, w.asked, 400, "SoftLayer is left alone meanwhile")
		history, err := w.journal.Events(t.Context(), w.live(w.server.ID+requests).ID)
		require.NoError(t, err)
		assert.Less(t, len(history), 5, "waiting fills no history")
	})
}

func TestUnreadServerDelaysNoOtherRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submitFleet(5)
		bad := w.server.ID + 1
		w.change(func(w *world) { w.unreadable = bad })
		worker := w.worker(w.journal)
		worker.Limits.Requests = 1
		w.runs(worker, 10*time.Second)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 4)
		assert.Equal(t, cancellation.Scheduled, w.live(bad).State)
	})
}

func TestOverdueRequestIsReportedOnceToTheOperators(t *testing.T) {
	for name, is := range map[string]struct {
		happens func(w *world)
		state   cancellation.State
	}{
		"the books stay unread": {func(w *world) {
			w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
				w.reading = errors.New("no answer")
				return lostBefore(w, o)
			})
		}, cancellation.Unknown},
		"nobody looks at a stuck one": {func(w *world) {
			w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
				w.rights.ViewTickets = false
				return lostBefore(w, o)
			})
		}, cancellation.Stuck},
		"Slack takes no result": {func(w *world) {
			for range 24 {
				w.deliveries = append(w.deliveries, cancellation.Undelivered)
			}
		}, cancellation.Filed},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				is.happens(w)
				r := w.submit()
				worker := w.worker(w.journal)
				worker.NotifyChannel, worker.notifier.NotifyChannel, worker.Escalation = "COPS", "COPS", "COPS"
				w.runs(worker, 9*time.Minute)
				assert.Len(t, w.alarms(), map[bool]int{true: 1}[is.state == cancellation.Stuck], "a stuck one is told of at once")
				w.runs(w.again(worker), 30*time.Minute)
				assert.Equal(t, is.state, w.now(r).State)
				assert.Equal(t, []string{r.Ref.Short()}, w.alarms(), "once, also after a restart")
			})
		})
	}
}

func TestAlarmWithLostAnswerIsPostedOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.history = true
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.reading = errors.New("away") // nobody can tell what became of it
			return lostBefore(w, o)
		})
		r := w.submit()
		worker := w.worker(w.journal)
		worker.NotifyChannel, worker.notifier.NotifyChannel = "COPS", "COPS"
		w.runs(worker, 9*time.Minute) // the result is told
		w.change(func(w *world) { w.deliveries = []cancellation.Delivery{cancellation.Lost} })
		w.runs(w.again(worker), time.Hour)
		assert.Equal(t, []string{r.Ref.Short()}, w.alarms())
		owed, err := w.journal.ClaimNotices(t.Context(), "another", time.Minute, 1)
		require.NoError(t, err)
		assert.Empty(t, owed.Rows, "nothing is owed any more")
	})
}

func TestOverdueRequestWithoutOperatorsChannelIsOnlyLogged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
			w.reading = errors.New("away")
			return lostBefore(w, o)
		})
		w.submit()
		w.run(w.journal, time.Hour)
		assert.Empty(t, w.alarms())
	})
}
