package cancellation_test

import (
	"strings"
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

func TestOnlyStuckRequestsAreLoggedAsErrors(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		var log strings.Builder
		worker := w.worker(w.journal)
		worker.Log = logTo(&log)
		worker.notifier.Log = worker.Log
		w.runs(worker, 10*time.Second)
		require.Equal(t, cancellation.Unknown, w.now(r).State)
		assert.Contains(t, log.String(), `msg="a request moved" ref=`+r.Ref.Short())
		assert.NotContains(t, log.String(), "level=ERROR", "it still finds out by itself")

		w.change(func(w *world) { w.server.Billing = nil })
		w.runs(worker, 10*time.Minute)
		require.Equal(t, cancellation.Stuck, w.now(r).State)
		assert.Contains(t, log.String(), `level=ERROR msg="a request needs a person" ref=`+r.Ref.Short())
	})
}
