package following_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
)

func TestGoneServerEndsItsRequestOnce(t *testing.T) {
	inWorld(t, 3, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		delete(w.servers, 2)
		w.runs("one", time.Hour, time.Hour)
		assert.Equal(t, cancellation.Filed, w.request(2).State, "it was read once")
		w.runs("one", time.Hour, 20*time.Minute)
		r := w.request(2)
		assert.Equal(t, cancellation.Reclaimed, r.State, "and once more, without waiting for an hour")
		assert.Equal(t, cancellation.WhyServerGone, r.Why.Code)
		w.runs("one", time.Hour, 5*time.Hour)
		assert.Equal(t, []cancellation.LineKind{cancellation.LineEnded}, w.told(2))
		assert.Empty(t, w.told(1))
		events, err := w.store.Events(t.Context(), "r2")
		require.NoError(t, err)
		require.Len(t, events, 5+1, "submitted, filing, filed, the date, and both reads")
		assert.Equal(t, following.Actor, events[5].Actor)
		assert.Equal(t, cancellation.ServerGone.Why.String(), events[5].Detail)
		assert.Positive(t, w.woken)
	})
}

func TestAClosedTicketWithoutCancellationIsToldLoudly(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		w.closes(1)
		w.runs("one", time.Hour, 2*time.Hour)
		assert.Equal(t, cancellation.Reverted, w.request(1).State)
		assert.Equal(t, []cancellation.NewsKind{cancellation.NewsNotCancelled}, w.news(), "to the requester")
		assert.Equal(t, []cancellation.News{{To: "U1", Kind: cancellation.NewsNotCancelled}}, w.escalated(1), "and in the escalation channel")
		assert.Equal(t, []cancellation.LineKind{cancellation.LineEnded}, w.told(1))
	})
}

func TestNoOddAnswerEndsARequest(t *testing.T) {
	for name, odd := range map[string]func(w *world){
		"a list that lacks a server":     func(w *world) { w.short[1] = true },
		"a key that lost its hardware":   func(w *world) { w.sees = false; delete(w.servers, 1) },
		"a ticket that is hidden":        func(w *world) { w.closes(1); delete(w.lives, 1001) },
		"a request that is still listed": func(w *world) { w.closes(1); w.listed[10] = true },
		"days in which nothing works":    func(w *world) { w.broken = errors.New("no answer") },
		"a key that may read nothing":    func(w *world) { w.broken = cancellation.ErrReadRefused },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 2, func(t *testing.T, w *world) {
				w.runs("one", time.Hour, time.Minute)
				odd(w)
				w.runs("one", time.Hour, 3*24*time.Hour)
				assert.Equal(t, cancellation.Filed, w.request(1).State)
				assert.Empty(t, w.told(1))
			})
		})
	}
}

func TestAHiddenAnswerIsToldOnce(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.closes(1)
		w.servers[1].Billing.PendingKnown = false
		w.runs("one", time.Hour, 3*24*time.Hour)
		assert.Equal(t, cancellation.Filed, w.request(1).State)
		assert.Equal(t, []cancellation.LineKind{cancellation.LineUnclear}, w.told(1))
	})
}

func TestACardsReadIsTheFirstOfTwo(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", 24*time.Hour, time.Minute)
		delete(w.servers, 1)
		require.NoError(t, w.store.Sight(t.Context(), "r1", cancellation.ServerGone.Event("card"), cancellation.SightingGap))
		known := time.Now().Add(cancellation.SightingGap + cancellation.SightingDelay)
		w.runs("one", 24*time.Hour, time.Until(known))
		assert.Equal(t, cancellation.Reclaimed, w.request(1).State, "known when the card says, however rarely the follower looks")
	})
}

func TestACardsReadBeforeALookCountsNothing(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		require.NoError(t, w.store.Sight(t.Context(), "r1", cancellation.ServerGone.Event("card"), cancellation.SightingGap))
		w.runs("one", time.Hour, 30*time.Minute) // it is there
		delete(w.servers, 1)
		w.runs("one", time.Hour, 40*time.Minute)
		assert.Equal(t, cancellation.Filed, w.request(1).State)
	})
}

func TestShownDateIsTakenOver(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		assert.Empty(t, w.told(1), "it is the computed one")
		later := time.Now().Add(61 * 24 * time.Hour).Format(time.RFC3339)
		w.lives[1001].Cancels[10] = later
		w.runs("one", time.Hour, 2*time.Hour)
		assert.Equal(t, later, w.request(1).Shows)
		assert.Equal(t, later, w.request(1).End().Date.Format(time.RFC3339))
		assert.Equal(t, []cancellation.LineKind{cancellation.LineMoved}, w.told(1))
	})
}

func TestDateThatComesAgainIsToldAgain(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		first := w.lives[1001].Cancels[10]
		other := time.Now().Add(61 * 24 * time.Hour).Format(time.RFC3339)
		for i, date := range []string{first, other, first, other, first} {
			w.lives[1001].Cancels[10] = date
			w.runs("one", time.Hour, 2*time.Hour)
			assert.Equal(t, date, w.request(1).Shows)
			assert.Len(t, w.told(1), i, "the thread is told each move")
			assert.Len(t, w.news(), i, "and so is the requester")
		}
	})
}

func TestStaffsAnswerIsToldThoughOthersWrote(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		w.updates[1001] = []cancellation.TicketUpdate{{ID: 1}, {ID: 50, ByStaff: true}, {ID: 51}}
		w.lives[1001] = cancellation.TicketLife{ID: 1001, Open: true, Last: 51}
		w.runs("one", time.Hour, 3*time.Hour)
		assert.Equal(t, []cancellation.LineKind{cancellation.LineStaff}, w.told(1))
	})
}

func TestOneBadRequestHoldsUpNoOther(t *testing.T) {
	inWorld(t, 5, func(t *testing.T, w *world) {
		w.poison = 3
		w.runs("one", time.Hour, time.Minute)
		for server := range w.servers {
			if server != 3 {
				delete(w.servers, server)
			}
		}
		w.runs("one", time.Hour, 6*time.Hour)
		for _, server := range []int64{1, 2, 4, 5} {
			assert.Equal(t, cancellation.Reclaimed, w.request(server).State)
		}
		assert.Equal(t, cancellation.Filed, w.request(3).State)
	})
}

// quarrel stops at the call of one replica until another has taken its turn.
type quarrel struct {
	*world
	meanwhile func()
	once      sync.Once
}

func (q *quarrel) Lives(ctx context.Context, ids []int64) (map[int64]cancellation.TicketLife, error) {
	q.once.Do(q.meanwhile)
	return q.world.Lives(ctx, ids)
}

func TestAReplicaThatLostItsTurnRecordsNothing(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		delete(w.servers, 1)
		w.runs("one", time.Hour, 70*time.Minute) // the first read
		time.Sleep(time.Hour)
		q := &quarrel{world: w, meanwhile: func() {
			time.Sleep(6 * time.Minute)
			w.runs("two", time.Hour, time.Minute)
			assert.Equal(t, cancellation.Reclaimed, w.request(1).State)
		}}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		w.follower("one", time.Hour, q).Run(ctx)
		assert.Equal(t, []cancellation.LineKind{cancellation.LineEnded}, w.told(1))
		events, err := w.store.Events(t.Context(), "r1")
		require.NoError(t, err)
		assert.Len(t, events, 6)
	})
}

func TestAnEndSurvivesAKill(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, time.Minute)
		delete(w.servers, 1)
		w.runs("one", time.Hour, 70*time.Minute)
		require.NoError(t, w.store.Close())
		w.open()
		w.runs("another", time.Hour, time.Hour)
		assert.Equal(t, cancellation.Reclaimed, w.request(1).State, "what was read before counts")
		assert.Equal(t, []cancellation.LineKind{cancellation.LineEnded}, w.told(1))
	})
}

func TestNothingNewCostsFewCalls(t *testing.T) {
	inWorld(t, 250, func(t *testing.T, w *world) {
		w.runs("one", time.Hour, 30*time.Minute)
		w.calls = nil
		w.runs("one", time.Hour, time.Hour)
		assert.LessOrEqual(t, len(w.calls), 2*3, "two calls for a hundred requests, an hour")
		assert.NotEmpty(t, w.calls)
	})
}

// fading is a key that loses its right to all hardware after each time that it is asked for it.
type fading struct {
	*world
	asked int
}

func (f *fading) Rights(context.Context) (cancellation.Rights, error) {
	f.asked++
	return cancellation.Rights{AllHardware: f.asked%2 == 1}, nil
}

func TestARightLostDuringALookEndsNothing(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		delete(w.servers, 1)
		ctx, stop := context.WithTimeout(t.Context(), 6*time.Hour)
		defer stop()
		keys := &fading{world: w}
		w.follower("one", time.Hour, keys).Run(ctx)
		assert.Equal(t, cancellation.Filed, w.request(1).State)
		assert.Greater(t, keys.asked, 4)
	})
}
