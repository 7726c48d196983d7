package cancellation_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestUndoneRequestIsNeverFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = 10 * time.Minute
		r := w.submit()
		w.run(w.journal, time.Second)
		_, messages := w.snapshot()
		require.Len(t, messages, 1, "people see at once that they can undo it")
		w.run(w.journal, 9*time.Minute)
		posts, messages := w.snapshot()
		require.Empty(t, posts)
		require.Len(t, messages, 1)
		w.restart() // SoftLayer's records are read again before anything is said of the request
		click, err := w.desk().Withdraw(t.Context(), pressed(r.ID, r.Submission.By))
		require.NoError(t, err)
		require.Equal(t, cancellation.ClickDone, click.Kind)
		w.run(w.journal, time.Hour)
		posts, messages = w.snapshot()
		assert.Empty(t, posts)
		assert.Equal(t, cancellation.Withdrawn, messages[0].state)

		again := w.submission()
		again.View = "V2"
		answer, err := w.desk().Submit(t.Context(), again)
		require.NoError(t, err)
		w.run(w.journal, 11*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(answer.Request).State, "afterwards it is filed")
		click, err = w.desk().Withdraw(t.Context(), pressed(answer.Request.ID, r.Submission.By))
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickLate, click.Kind)
	})
}

func TestUndoWindowOutlastsAnEarlyWorker(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = 10 * time.Minute
		r := w.submit()
		early := r
		early.Due = time.Now()
		_, err := w.journal.Apply(t.Context(), cancellation.Change{From: r, To: early})
		require.NoError(t, err)
		w.run(w.journal, 9*time.Minute)
		posts, _ := w.snapshot()
		assert.Empty(t, posts)
		w.run(w.journal, 2*time.Minute)
		assert.Equal(t, cancellation.Filed, w.now(r).State)
	})
}

func TestRequesterWithdrawsAndOthersDecline(t *testing.T) {
	for who, c := range map[string]struct {
		by                cancellation.Person
		may               map[string]bool // approve, by now
		withdraw, decline string          // the rule that refuses; "" for nobody's
	}{
		"its requester": {goodSubmission().By, map[string]bool{"U1": true}, "", authz.RuleOwnRequest},
		"one who approved it, whatever they may now": {raj, map[string]bool{}, "builtin-requester-withdraws", ""},
		"one who could approve it":                   {kim, map[string]bool{"U3": true}, "builtin-requester-withdraws", ""},
		"anyone else":                                {kim, map[string]bool{}, "builtin-requester-withdraws", "leads-only"},
	} {
		for _, approved := range []bool{false, true} {
			if !approved && c.by == raj { // who approved it has to
				continue
			}
			t.Run(fmt.Sprintf("%s, approved: %t", who, approved), func(t *testing.T) {
				inWorld(t, func(t *testing.T, w *world) {
					w.needs(1)
					w.terms.UndoWindow = time.Hour
					r := w.submit()
					if approved {
						w.approve(r, raj)
					}
					w.change(func(w *world) { w.may = c.may })
					stood := w.now(r).State

					declined, err := w.desk().Decline(t.Context(), pressed(r.ID, c.by), "taken-over: not now")
					require.NoError(t, err)
					if c.decline == "" {
						assert.Equal(t, cancellation.Declined, declined.Request.State)
						assert.Equal(t, cancellation.Reason{Detail: "taken-over: not now", By: c.by.Team + "/" + c.by.ID}, w.now(r).Why, "typed words are never a code")
						assert.Equal(t, c.by.ID, w.now(r).EndedBy.ID, "it says by whom")
						return
					}
					assert.Equal(t, cancellation.ClickRefused, declined.Kind)
					assert.Equal(t, c.decline, declined.Decision.Rule)

					withdrawn, err := w.desk().Withdraw(t.Context(), pressed(r.ID, c.by))
					require.NoError(t, err)
					if c.withdraw == "" {
						assert.Equal(t, cancellation.Withdrawn, withdrawn.Request.State)
						return
					}
					assert.Equal(t, cancellation.ClickRefused, withdrawn.Kind)
					assert.Equal(t, c.withdraw, withdrawn.Decision.Rule)
					assert.Equal(t, stood, w.now(r).State, "nothing was changed")
				})
			})
		}
	}
}

func TestAnApproverDoesNotWithdraw(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		r := w.submit()
		click, err := w.desk().Withdraw(t.Context(), pressed(r.ID, raj))
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickRefused, click.Kind)
		assert.Equal(t, cancellation.Pending, w.now(r).State)
		assert.Contains(t, w.kinds(r), cancellation.EventRefused, "it is on record")
		_, err = w.desk().Decline(t.Context(), pressed(r.ID, raj), " ")
		require.ErrorIs(t, err, cancellation.ErrWhyMissing)
	})
}

func TestADeclinedRequestIsNeverFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.terms.UndoWindow = 10 * time.Minute
		r := w.submit()
		w.approve(r, raj)
		_, err := w.desk().Decline(t.Context(), pressed(r.ID, raj), "it is needed")
		require.NoError(t, err)
		w.run(w.journal, time.Hour)
		posts, messages := w.snapshot()
		assert.Empty(t, posts)
		for _, m := range messages {
			assert.Equal(t, cancellation.Declined, m.state)
		}
	})
}

func TestUnsentRequestIsStoppedWithoutSoftLayer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.reading = errors.New("no answer") })
		click, err := w.desk().Withdraw(t.Context(), pressed(r.ID, r.Submission.By))
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, click.Request.State)
	})
}

func TestRestoredRequestWithATicketIsNotWithdrawn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.openTicket(7, cancellation.TicketContent(r)) }) // filed by a history that is lost
		w.restart()
		_, err := w.desk().Withdraw(t.Context(), pressed(r.ID, r.Submission.By))
		require.ErrorContains(t, err, "ticket 7 may be this request's")
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
	})
}

func TestRestoredRequestWithTicketNeverEndsAsUnsent(t *testing.T) {
	restored := func(w *world) cancellation.Request {
		w.needs(1)
		w.idle = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.openTicket(7, cancellation.TicketContent(r)) }) // approved and filed by a history that is lost
		w.restart()
		return r
	}
	t.Run("no person declines it", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			_, err := w.desk().Decline(t.Context(), pressed(r.ID, raj), "no")
			require.ErrorContains(t, err, "ticket 7 may be this request's")
			assert.Equal(t, cancellation.Pending, w.now(r).State)
		})
	})
	t.Run("nor does it expire", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			w.run(w.journal, 73*time.Hour)
			assert.Equal(t, cancellation.Stuck, w.now(r).State)
			assert.Equal(t, cancellation.Reason{Code: cancellation.WhyMaybeOurs, Detail: "7"}, w.now(r).Why)
			click, err := w.desk().CheckNow(t.Context(), pressed(r.ID, raj))
			require.NoError(t, err)
			assert.Equal(t, cancellation.Filed, click.Request.State, "one press settles it")
		})
	})
	t.Run("nor is its place taken", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			w.change(func(w *world) {
				w.server.OpenTicket, w.tickets[0].Open = nil, false
				w.decision = authz.Decision{Effect: authz.Allowed, Rule: "alone"}
			})
			s := w.submission()
			s.View, s.By = "V2", raj
			_, err := w.desk().Submit(t.Context(), s)
			require.ErrorContains(t, err, "ticket 7 may be this request's")
			assert.Equal(t, cancellation.Pending, w.now(r).State)
		})
	})
}

func TestLostPostUnderWayIsNeverCalledUnsent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		from := w.submit()
		lost := from // as where the database lost what it had committed last
		lost.Recheck, lost.NotAfter, lost.ExpiresAt, lost.Due = cancellation.RecheckSettled, time.Now().Add(90*time.Second), time.Now().Add(time.Minute), time.Now()
		r, err := w.journal.Apply(t.Context(), cancellation.Change{From: from, To: lost})
		require.NoError(t, err)
		_, err = w.desk().Withdraw(t.Context(), pressed(r.ID, r.Submission.By))
		require.ErrorContains(t, err, "may be under way")
		w.run(w.journal, 80*time.Second)
		assert.Equal(t, cancellation.Pending, w.now(r).State, "its time is over, and nothing is said of it yet")
		w.run(w.journal, 20*time.Second)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}
