package cancellation_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestATakeOverDeliveredTwiceIsOneRequestAndTheNextPersonLearnsWhoseItIsNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets() })
		s := w.submission()
		s.View = "V2"
		other := s
		other.View, other.By = "V3", cancellation.Person{Team: "T1", ID: "U2"}
		first := w.answer(s)
		require.Equal(t, cancellation.AnswerAccepted, first.Kind)

		again := w.answer(s)
		assert.Equal(t, cancellation.AnswerAccepted, again.Kind, "delivered twice, it has the same answer")
		assert.Equal(t, first.Request.Ref, again.Request.Ref)

		held := w.answer(other)
		assert.Equal(t, cancellation.AnswerHeld, held.Kind)
		assert.Equal(t, first.Request.Ref, held.Held.Ref, "whose it is now, not whose it was")
		assert.Contains(t, w.kinds(first.Request), cancellation.EventAskedAgain)
	})
}

// overtaken is a journal in which somebody else takes a server over right before a record.
type overtaken struct {
	cancellation.Journal
	by   func()
	once sync.Once
}

func (o *overtaken) Record(ctx context.Context, rec cancellation.Record) (cancellation.Recorded, error) {
	o.once.Do(o.by)
	return o.Journal.Record(ctx, rec)
}

func TestWhoIsOvertakenWhileRecordingLearnsWhoseItIsNow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets() })
		s := w.submission()
		s.View = "V2"
		other := s
		other.View, other.By = "V3", cancellation.Person{Team: "T1", ID: "U2"}
		var first cancellation.Answer
		desk := w.desk()
		desk.Journal = &overtaken{Journal: w.journal, by: func() { first = w.answer(s) }}
		second, err := desk.Submit(t.Context(), other)
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerHeld, second.Kind)
		assert.Equal(t, first.Request.Ref, second.Held.Ref)
	})
}

func TestEvidenceOlderThanTheRowLocksNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets(); w.rights.ViewTickets = false })
		s := w.submission()
		s.View = "V2"
		old := s
		old.View = "V3"
		w.answer(s)
		require.Equal(t, cancellation.Stuck, w.now(first).State)
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: first.Ref.Short(), Finding: cancellation.FoundTicket, Ticket: 9, Why: "seen", Actor: "operator:root"})
		require.NoError(t, err)
		w.answer(old)
		assert.Equal(t, cancellation.Filed, w.now(first).State)
	})
}

func TestAHiddenPendingFlagIsNoEvidenceThatNothingIsPending(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets(); w.server.Billing.PendingKnown = false })
		s := w.submission()
		assert.Empty(t, s.Card.Standing.Ending)
	})
}

func TestACardSaysWhereTheKeyMayNotSeeTickets(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk := w.desk()
		hidden := func() bool {
			card, err := desk.Look(t.Context(), w.server.ID)
			require.NoError(t, err)
			return card.TicketsHidden
		}
		assert.False(t, hidden())
		w.change(func(w *world) { w.rights.ViewTickets = false })
		time.Sleep(10 * time.Minute) // of virtual time: what the key may is read again
		assert.True(t, hidden(), "no open ticket is no proof that there is none")
		w.change(func(w *world) { w.rights.ViewTickets = true })
		time.Sleep(10 * time.Minute)
		assert.False(t, hidden())
	})
}

func TestAServerReadWithoutTheItemsThatAreToGoIsReadAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.server.Billing.Associated = []cancellation.AssociatedItem{{ID: 5, Description: "IP"}}
		s := w.submission()
		s.Associated = true
		r := w.answer(s).Request
		whole := w.server
		w.change(func(w *world) {
			billing := *whole.Billing
			billing.Associated = nil
			w.server.Billing, w.server.Hidden = &billing, []string{cancellation.FactAssociated}
		})
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Scheduled, w.now(r).State, "hidden is not changed")
		assert.Contains(t, w.now(r).Why, "associated items")
		w.change(func(w *world) { w.server = whole })
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}
