package cancellation_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestTakeOverDeliveredTwiceIsOneRequest(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.decision.Effect = authz.NeedsApproval })
		w.submit()
		w.change(func(w *world) { w.decision.Effect = authz.Allowed })
		s := w.submission()
		require.Equal(t, cancellation.Pending, s.Card.Standing.State)
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
	journal
	by   func()
	once sync.Once
}

func (o *overtaken) Record(ctx context.Context, rec cancellation.Record) (cancellation.Recorded, error) {
	o.once.Do(o.by)
	return o.journal.Record(ctx, rec)
}

func TestOvertakenRequesterLearnsWhoseServerItIs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.change(func(w *world) { w.decision.Effect = authz.NeedsApproval })
		w.submit()
		w.change(func(w *world) { w.decision.Effect = authz.Allowed })
		s := w.submission()
		require.Equal(t, cancellation.Pending, s.Card.Standing.State)
		s.View = "V2"
		other := s
		other.View, other.By = "V3", cancellation.Person{Team: "T1", ID: "U2"}
		var first cancellation.Answer
		desk := w.desk()
		sit(desk, &overtaken{journal: w.journal, by: func() { first = w.answer(s) }})
		second, err := desk.Submit(t.Context(), other)
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerHeld, second.Kind)
		assert.Equal(t, first.Request.Ref, second.Held.Ref)
	})
}

func TestHolderIsNamedThoughEvidenceIsNotRecorded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		first := w.submit()
		w.run(w.journal, time.Minute)
		w.change(func(w *world) { w.closeTickets(); w.rights.ViewTickets = false })
		s := w.submission()
		s.View = "V2"
		desk := w.desk()
		sit(desk, &interrupted{journal: w.journal, unclear: true})
		answer, err := desk.Submit(t.Context(), s)
		require.NoError(t, err)
		assert.Equal(t, cancellation.AnswerHeld, answer.Kind)
		assert.Equal(t, first.Ref, answer.Held.Ref)
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
		_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: first.Ref.Short(), Finding: cancellation.FoundTicket, Ticket: w.now(first).Ticket.ID, Why: "seen", Actor: "operator:root"})
		require.NoError(t, err)
		w.answer(old)
		assert.Equal(t, cancellation.Filed, w.now(first).State)
	})
}

func TestFiledRequestBecomesOnlyWhatFreshReadsShow(t *testing.T) {
	for evidence, c := range map[string]struct {
		is   func(w *world)
		want cancellation.State // "": it stands
	}{
		"its ticket is open":                      {func(*world) {}, ""},
		"its ticket is open, and not named so":    {func(w *world) { w.server.OpenTicket = nil }, ""},
		"its ticket is closed":                    {(*world).closeTickets, cancellation.Reverted},
		"closed, and somebody else's open":        {func(w *world) { w.closeTickets(); w.openTicket(7, "by hand") }, ""},
		"closed, and a cancellation is pending":   {func(w *world) { w.closeTickets(); w.server.Billing.PendingCancellation = true }, ""},
		"closed, and whether one is is hidden":    {func(w *world) { w.closeTickets(); w.server.Billing.PendingKnown = false }, ""},
		"closed, and no billing item is seen":     {func(w *world) { w.closeTickets(); w.server.Billing = nil }, ""},
		"closed, and its billing item will end":   {func(w *world) { w.closeTickets(); w.server.Billing.CancellationDate = in(time.Hour) }, ""},
		"closed, and its billing item has ended":  {func(w *world) { w.closeTickets(); w.server.Billing.CancellationDate = in(-time.Hour) }, cancellation.Reclaimed},
		"closed, and another billing item stands": {func(w *world) { w.closeTickets(); w.server.Billing.ID++ }, cancellation.Reclaimed},
		"its ticket is hidden":                    {func(w *world) { w.closeTickets(); w.rights.ViewTickets = false }, cancellation.Stuck},
	} {
		t.Run(evidence, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				r := w.submit()
				w.run(w.journal, time.Minute)
				w.change(c.is)
				standing := w.submission().Card.Standing
				if c.want == cancellation.Stuck {
					assert.Equal(t, c.want, standing.Ending)
					return
				}
				assert.Empty(t, standing.Ending)
				assert.Equal(t, c.want, w.seen(r).Seen)
			})
		})
	}
}

// in is a moment from now, as SoftLayer writes it.
func in(d time.Duration) string { return time.Now().Add(d).Format(time.RFC3339) }

func TestUnreadTicketIsNotClosed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.submit()
		w.run(w.journal, time.Minute)
		w.change((*world).closeTickets)
		records := &behind{TicketReader: w}
		records.unread.Store(true)
		desk := w.desk()
		desk.Tickets = records
		card, err := desk.Look(t.Context(), w.server.ID)
		require.NoError(t, err)
		assert.Empty(t, card.Standing.Ending)
	})
}

// obscure is a journal in which nobody can read what the live request asked for.
type obscure struct{ journal }

func (j obscure) Live(ctx context.Context, server int64) (cancellation.Request, error) {
	r, err := j.journal.Live(ctx, server)
	r.Submission = cancellation.Submission{}
	return r, errors.Join(err, cancellation.ErrUnreadable)
}

func TestUnreadableRequestStillHoldsItsServer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.run(w.journal, time.Minute)
		w.change((*world).closeTickets)
		desk := w.desk()
		sit(desk, obscure{w.journal})
		card, err := desk.Look(t.Context(), w.server.ID)
		require.NoError(t, err)
		assert.Equal(t, r.Ref.Short(), card.Standing.Ref)
		assert.Contains(t, card.Blockers(), cancellation.BlockedByRequest)
	})
}

// crowd is an inventory that counts namesakes, or does not.
type crowd struct {
	cancellation.ServerReader
	namesakes int
	err       error
}

func (c crowd) Namesakes(context.Context, string) (int, error) { return c.namesakes, c.err }

func TestShortNameIsUniqueOnlyIfKnown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			of     crowd
			unique bool
		}{
			{crowd{namesakes: 1}, true},
			{crowd{namesakes: 2}, false},
			{crowd{namesakes: 1, err: errors.New("no answer")}, false},
		} {
			c.of.ServerReader = w
			desk := w.desk()
			desk.Servers = c.of
			card, err := desk.Look(t.Context(), w.server.ID)
			require.NoError(t, err)
			assert.Equal(t, c.unique, card.ShortNameUnique, "%+v", c.of)
		}
	})
}

// dated are books that tell the cut-off.
type dated struct{ cancellation.TicketReader }

func (dated) Cutoff(_ context.Context, account string) (string, error) { return "of " + account, nil }

func TestCardNamesTheCutoff(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk := w.desk()
		desk.Tickets = dated{w}
		card, err := desk.Look(t.Context(), w.server.ID)
		require.NoError(t, err)
		assert.Equal(t, "of 123456", card.Cutoff)
		assert.Empty(t, w.submission().Card.Cutoff, "unread is said to be so")
	})
}

func TestCardSaysIfTheKeyCannotSeeTickets(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		desk := w.desk()
		records := forbidden{TicketReader: w}
		desk.Tickets = &records
		hidden := func() bool {
			card, err := desk.Look(t.Context(), w.server.ID)
			require.NoError(t, err)
			return card.TicketsHidden
		}
		assert.False(t, hidden())
		records.rights = errors.New("rate limit")
		assert.False(t, hidden(), "it was seen a moment ago")
		records.rights = nil
		w.change(func(w *world) { w.rights.ViewTickets = false })
		time.Sleep(10 * time.Minute) // of virtual time: what the key may is read again
		assert.True(t, hidden(), "no open ticket is no proof that there is none")
		w.change(func(w *world) { w.rights.ViewTickets = true })
		time.Sleep(10 * time.Minute)
		assert.False(t, hidden())
	})
}

func TestHiddenItemsThatStayDelayNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.submit()
		w.change(func(w *world) { w.server.Hidden = []string{cancellation.FactAssociated} })
		w.run(w.journal, time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State, w.now(r).Why)
	})
}

func TestServerMissingItsAssociatedItemsIsReadAgain(t *testing.T) {
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
		assert.Contains(t, w.now(r).Why.Detail, "associated items")
		w.change(func(w *world) { w.server = whole })
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}
