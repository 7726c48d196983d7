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
