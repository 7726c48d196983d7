package cancellation_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestNothingIsSentAgainWithinTheSettleTime(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		w.run(w.journal, postTimeout+time.Minute)
		clean := w.now(r)
		require.NotZero(t, clean.CleanSince)
		require.True(t, clean.CleanSince.After(clean.NotAfter))

		next := clean
		next.Due = clean.CleanSince.Add(settleTime - time.Second) // whatever wakes it then
		_, err := w.journal.Apply(t.Context(), cancellation.Change{From: clean, To: next})
		require.NoError(t, err)
		time.Sleep(time.Until(next.Due))
		w.run(w.journal, time.Second-time.Millisecond)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1, "its books were not clean for all of it yet")
		w.run(w.journal, time.Second)
		posts, _ = w.snapshot()
		assert.Len(t, posts, 2)
	})
}

// blind are the books of a key that may not view tickets. SoftLayer's list of them is
// empty then, as if there were none.
type blind struct {
	cancellation.TicketReader
	asked atomic.Int32
}

func (b *blind) Rights(ctx context.Context) (cancellation.Rights, error) {
	rights, err := b.TicketReader.Rights(ctx)
	rights.ViewTickets = false
	return rights, err
}

func (b *blind) TicketsOf(context.Context, int64, time.Time) ([]cancellation.Ticket, error) {
	b.asked.Add(1)
	return nil, nil
}

func TestKeyWithoutTicketRightProvesNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore)
		r := w.submit()
		records := &blind{TicketReader: w}
		worker := w.worker(w.journal)
		worker.Tickets = records
		w.runs(worker, time.Hour)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 1, "what the key cannot see is not absent")
		stored := w.now(r)
		assert.Equal(t, cancellation.Stuck, stored.State)
		assert.Equal(t, cancellation.Reason{Code: cancellation.WhyTicketsHidden}, stored.Why)
		assert.Zero(t, records.asked.Load(), "tickets are not asked for in vain")
	})
}

func TestEachLostAnswerIsCountedOnce(t *testing.T) {
	unread := func(w *world, o cancellation.Order) cancellation.Outcome {
		w.reading = errors.New("asked for too much")
		return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: cancellation.TicketID{ID: 7}}
	}
	for happens, c := range map[string]struct {
		answer func(*world, cancellation.Order) cancellation.Outcome
		lost   int
	}{
		"the answer is lost":                      {lostBefore, 1},
		"the ticket is made and the answer lost":  {madeButLost, 1},
		"a ticket is named that cannot be read":   {unread, 0}, // an answer came: nothing was made
		"SoftLayer takes no request for a moment": {rateLimited, 0},
	} {
		t.Run(happens, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = append(w.answers, c.answer)
				r := w.submit()
				w.run(w.journal, 500*time.Millisecond)
				assert.Equal(t, c.lost, w.now(r).LostPosts)
			})
		})
	}
}

func TestTwoLostAnswersAreTheLast(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.answers = append(w.answers, lostBefore, lostBefore)
		r := w.submit()
		for lost := 1; lost <= 2; lost++ {
			w.run(w.journal, postTimeout+settleTime/2)
			require.Equal(t, lost, w.now(r).LostPosts)
			require.Equal(t, cancellation.Unknown, w.now(r).State)
			w.run(w.journal, settleTime)
		}
		w.run(w.journal, 24*time.Hour)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 2)
		stored := w.now(r)
		assert.Equal(t, cancellation.Stuck, stored.State)
		assert.Equal(t, cancellation.Reason{Code: cancellation.WhyTwoLost, Detail: "2"}, stored.Why)
	})
}
