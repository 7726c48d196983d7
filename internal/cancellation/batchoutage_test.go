package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestHalfFiledListOutlivesAnHoursOutage(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const servers, before = 40, 3 * time.Second
		w.ticketsFor(servers)
		answer := w.send(w.list(servers, "40 servers"))
		require.Equal(t, cancellation.BatchAccepted, answer.Kind)
		began := time.Now()
		go func() {
			time.Sleep(before)
			w.change(func(w *world) { w.reading, w.away = errors.New("no answer"), errors.New("no answer") })
			time.Sleep(time.Hour)
			w.change(func(w *world) { w.reading, w.away = nil, nil })
		}()
		w.run(w.journal, time.Hour+2*time.Minute)

		posts, _ := w.snapshot()
		early, sent := 0, map[int64]int{}
		for _, p := range posts {
			sent[p.order.Server]++
			since := p.at.Sub(began)
			assert.False(t, since > before+time.Second && since < time.Hour+before, "nothing is sent after %v", since)
			if since < time.Hour {
				early++
			}
		}
		assert.Positive(t, early, "some are filed before")
		assert.Less(t, early, servers, "and the rest after")
		require.Len(t, sent, servers, "each server")
		assert.Len(t, posts, servers, "once")
		for _, state := range w.states(answer.Batch.ID) {
			assert.Equal(t, cancellation.Filed, state)
		}
		assert.Equal(t, 1, w.told(cancellation.BatchResult), "one message, edited")
		assert.Less(t, w.asked, 400, "SoftLayer is left alone meanwhile")
	})
}
