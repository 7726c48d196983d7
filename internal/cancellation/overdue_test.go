package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestEveryStuckRequestIsAnnounced(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const crowd = 205
		w.fleet = crowd
		s := w.submission()
		ids := map[string]bool{}
		for n := range int64(crowd) {
			s.Card.Server.ID, s.View = w.server.ID+n, "V"+time.Duration(n).String()
			r := w.answer(s).Request
			next := r
			next.State, next.Why.Code = cancellation.Stuck, cancellation.WhyUnclear
			_, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}})
			require.NoError(t, err)
			ids[r.Ref.Short()] = true
		}
		worker := w.worker(w.journal)
		worker.NotifyChannel, worker.notifier.NotifyChannel = "COPS", "COPS"
		w.runs(worker, 20*time.Minute)
		announced := w.alarms()
		assert.Len(t, announced, crowd, "each once")
		for _, ref := range announced {
			delete(ids, ref)
		}
		assert.Empty(t, ids, "none is left out")
	})
}

// A stuck request is told of when that is recorded, and the alarm after ten minutes does not repeat it.
func TestStuckRequestIsToldAtOnceAndOnce(t *testing.T) {
	for name, c := range map[string]struct {
		escalation string
		channel    string
	}{
		"in the escalation channel":            {"CREPORT", "CREPORT"},
		"in its thread without such a channel": {"", "C:C1"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, func(w *world, o cancellation.Order) cancellation.Outcome {
					w.rights.ViewTickets = false
					return lostBefore(w, o)
				})
				r := w.submit()
				worker := w.worker(w.journal)
				worker.NotifyChannel, worker.notifier.NotifyChannel, worker.Escalation = "COPS", "COPS", c.escalation
				w.runs(worker, 9*time.Minute) // before the alarm
				require.Equal(t, cancellation.Stuck, w.now(r).State)
				require.Len(t, w.alarms(), 1, "at once")
				w.runs(w.again(worker), time.Hour)
				require.Len(t, w.alarms(), 1, "and once")
				_, messages := w.snapshot()
				for _, m := range messages {
					if news, _, is := m.kind.Escalation(); is && news.Kind == cancellation.NewsStuck {
						assert.Equal(t, c.channel, m.channel)
						assert.Equal(t, c.escalation == "", m.thread != "", "a reply in its thread")
					}
				}
			})
		})
	}
}
