package cancellation_test

import (
	"context"
	"errors"
	"fmt"
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

// pacedServers answers each read as late as a low SOFTLAYER_RATE has the read and the POST wait.
type pacedServers struct {
	cancellation.ServerReader
	each time.Duration
}

func (s pacedServers) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	time.Sleep(s.each)
	return s.ServerReader.Server(ctx, id)
}

func TestListIsFiledInTurns(t *testing.T) {
	for _, rate := range []float64{1, 10} {
		t.Run(fmt.Sprint(rate, " calls a second"), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				const listed = 40
				w.terms.Turn = cancellation.Turn(rate)
				w.ticketsFor(listed + 1)
				require.Equal(t, cancellation.BatchAccepted, w.send(w.list(listed, "40")).Kind)
				other := w.server.ID + listed
				w.fleet = listed
				var sent time.Time
				go func() {
					time.Sleep(5 * time.Second)
					s := goodSubmission()
					card, err := w.desk().Look(t.Context(), other)
					assert.NoError(t, err)
					s.Card, s.View, s.Confirmation, s.By = card, "V9", card.Server.FQDN, raj
					_, err = w.desk().Submit(t.Context(), s)
					assert.NoError(t, err)
					sent = time.Now()
				}()
				work := w.worker(w.journal)
				work.Limits.Requests, work.Limits.Poll = cancellation.Workers(rate), time.Second
				work.Servers = pacedServers{work.Servers, time.Duration(2 * float64(work.Limits.Requests) / rate * float64(time.Second))}
				w.runs(work, 5*time.Minute)
				posts, _ := w.snapshot()
				require.Len(t, posts, listed+1)
				before := 0
				for _, p := range posts {
					if p.order.Server == other {
						break
					}
					if p.at.After(sent) {
						before++
					}
				}
				assert.LessOrEqual(t, before, work.Limits.Requests+1, "somebody else's request waits behind a list")
			})
		})
	}
}
