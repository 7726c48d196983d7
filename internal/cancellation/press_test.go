package cancellation_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestAPressDeliveredAgainMakesOneChange(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(2)
		r := w.submit()
		first := pressed(r.ID, raj)
		click, err := w.desk().Approve(t.Context(), first)
		require.NoError(t, err)
		require.Equal(t, cancellation.ClickDone, click.Kind)
		forgotten := w.now(r) // as where the approval stopped counting, and the request waits again
		forgotten.Approvals = nil
		_, err = w.journal.Apply(t.Context(), cancellation.Change{From: w.now(r), To: forgotten})
		require.NoError(t, err)
		w.restart()

		click, err = w.desk().Approve(t.Context(), first)
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRepeated, click.Kind)
		assert.Empty(t, w.now(r).Approvals, "one press is one approval, also after a restart")
		assert.Equal(t, cancellation.ClickDone, w.approve(r, raj).Kind, "another press is another")
	})
}

func TestSendAgainDeliveredLateSendsNothing(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.stuck()
		w.needs(1)
		none := cancellation.Resolution{Finding: cancellation.FoundNone, Why: "looked", Stuck: r.Since}
		settle := func(press cancellation.Press) cancellation.ClickKind {
			click, err := w.desk().ResolveByClick(t.Context(), press, none)
			require.NoError(t, err)
			return click.Kind
		}
		first, late := pressed(r.ID, kim), pressed(r.ID, raj)
		require.Equal(t, cancellation.ClickDone, settle(first))
		w.change(func(w *world) {
			w.decision = authz.Decision{Effect: authz.Allowed, Rule: "requesters"}
			w.answers = append(w.answers, lostBefore)
		})
		w.run(w.journal, 10*time.Second)
		w.change(func(w *world) { w.server.Billing = nil })
		w.run(w.journal, 10*time.Minute)
		require.Equal(t, cancellation.Stuck, w.now(r).State, "it was sent once more, and that answer is lost too")
		w.change(func(w *world) { w.server = goodServer() })

		assert.Equal(t, cancellation.ClickLate, settle(late), "they looked before the second ticket can have been made")
		none.Stuck = time.Time{}
		assert.Equal(t, cancellation.ClickRepeated, settle(first), "the same press again")
		w.run(w.journal, time.Hour)
		posts, _ := w.snapshot()
		assert.Len(t, posts, 2)
		none.Stuck = w.now(r).Since
		assert.Equal(t, cancellation.ClickDone, settle(pressed(r.ID, raj)), "who sees the present state may say so")
	})
}

func TestDropWaitsUntilNoPostIsUnderWay(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		from := w.stuck()
		restored := from // as where the database lost what it had committed last
		restored.Recheck, restored.NotAfter = cancellation.RecheckSettled, time.Now().Add(90*time.Second)
		r, err := w.journal.Apply(t.Context(), cancellation.Change{From: from, To: restored})
		require.NoError(t, err)
		drop := func() error {
			_, err := w.desk().Resolve(t.Context(), cancellation.Resolution{Ref: r.Ref.Short(), Finding: cancellation.DropIt, Why: "I see none", Actor: "operator:root"})
			return err
		}
		var underWay *cancellation.UnderWayError
		require.ErrorAs(t, drop(), &underWay)
		assert.Equal(t, cancellation.Stuck, w.now(r).State)
		time.Sleep(91 * time.Second)
		require.NoError(t, drop())
		assert.Equal(t, cancellation.Withdrawn, w.now(r).State)
	})
}

// clerk is a journal that remembers refused orders about filing.
type clerk struct {
	journal
	refused []string
}

func (j *clerk) NoteRefusedFreeze(ctx context.Context, f cancellation.Freeze, rule string) error {
	j.refused = append(j.refused, f.Actor+" "+f.Why+" "+rule)
	return j.journal.NoteRefusedFreeze(ctx, f, rule)
}

func TestRefusedOrdersAboutFilingAreOnRecord(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.others["U2"] = authz.Principal{Team: "T1", User: "U2"}
		journal := &clerk{journal: w.journal}
		desk := w.desk()
		sit(desk, journal)
		var log strings.Builder
		desk.Log = logTo(&log)
		w.freezing = authz.Decision{Rule: "leads-only", Reason: "no"}

		freeze, err := desk.FreezeByClick(t.Context(), raj, cancellation.Freeze{Frozen: true, Why: "for fun"})
		require.NoError(t, err)
		unfreeze, err := desk.MayUnfreeze(t.Context(), raj, cancellation.Freeze{Why: "for more fun"})
		require.NoError(t, err)
		assert.Equal(t, []cancellation.ClickKind{cancellation.ClickRefused, cancellation.ClickRefused}, []cancellation.ClickKind{freeze.Kind, unfreeze.Kind})

		w.freezing = authz.Decision{Effect: authz.Allowed}
		require.NoError(t, w.journal.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "an outage"}))
		_, err = desk.MayUnfreeze(t.Context(), raj, cancellation.Freeze{Why: "over"})
		require.NoError(t, err)
		_, err = desk.FreezeByClick(t.Context(), raj, cancellation.Freeze{Why: "over it is", Ends: 1})
		require.NoError(t, err)
		assert.Equal(t, []string{
			"T1/U2 for fun leads-only", "T1/U2 for more fun leads-only",
			"T1/U2 over builtin-operators-freeze", "T1/U2 over it is builtin-operators-freeze",
		}, journal.refused)
		assert.Equal(t, 4, strings.Count(log.String(), "refused an order about filing"), "%s", log.String())
	})
}

func TestEveryOrderAboutFilingNeedsAReason(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.freezing = authz.Decision{Effect: authz.Allowed}
		for _, frozen := range []bool{true, false} {
			_, err := w.desk().FreezeByClick(t.Context(), raj, cancellation.Freeze{Frozen: frozen, Why: " "})
			require.ErrorIs(t, err, cancellation.ErrWhyMissing)
		}
		_, err := w.desk().MayUnfreeze(t.Context(), raj, cancellation.Freeze{})
		require.ErrorIs(t, err, cancellation.ErrWhyMissing)
	})
}

func TestResolvingByClickIsLogged(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r := w.stuckWithATicket()
		desk := w.desk()
		var log strings.Builder
		desk.Log = logTo(&log)
		_, err := presses["what somebody found"](t.Context(), desk, r, kim)
		require.NoError(t, err)
		for _, part := range []string{"resolved a stuck request", "ref=" + r.Ref.Short(), "by=T1/U3", "ticket=9", "to=filed", "why=looked"} {
			assert.Contains(t, log.String(), part)
		}
	})
}
