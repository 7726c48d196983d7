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
