package cancellation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

func TestTheUndoWindowIsKeptAndUndoneIsNeverFiled(t *testing.T) {
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
		w.restart() // the store's books are read anew before anything is said of them
		click, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
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
		click, err = w.desk().Withdraw(t.Context(), answer.Request.ID, r.Submission.By, "")
		require.NoError(t, err)
		assert.Equal(t, cancellation.ClickLate, click.Kind)
	})
}

func TestTheUndoWindowIsKeptHoweverEarlyTheWorkerLooks(t *testing.T) {
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

func TestWhoMayStopARequestBeforeItIsSent(t *testing.T) {
	for who, c := range map[string]struct {
		by   cancellation.Person
		may  map[string]bool // approve, by now
		kind cancellation.ClickKind
	}{
		"its requester":                          {goodSubmission().By, map[string]bool{}, cancellation.ClickDone},
		"who approved it, whatever they may now": {raj, map[string]bool{}, cancellation.ClickDone},
		"who could approve it":                   {kim, map[string]bool{"U3": true}, cancellation.ClickDone},
		"nobody else":                            {kim, map[string]bool{}, cancellation.ClickRefused},
	} {
		t.Run(who, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.needs(1)
				w.terms.UndoWindow = time.Hour
				r := w.submit()
				w.approve(r, raj)
				w.change(func(w *world) { w.may = c.may })
				click, err := w.desk().Withdraw(t.Context(), r.ID, c.by, "not now")
				require.NoError(t, err)
				require.Equal(t, c.kind, click.Kind)
				w.run(w.journal, time.Minute)
				if stored := w.now(r); c.kind == cancellation.ClickDone {
					assert.Equal(t, cancellation.Withdrawn, stored.State)
					assert.Equal(t, c.by.ID, stored.EndedBy.ID, "it says by whom")
				} else {
					assert.Equal(t, cancellation.Scheduled, stored.State)
					assert.Equal(t, "leads-only", click.Decision.Rule)
				}
			})
		})
	}
}

func TestWhatWasSurelyNotSentIsStoppedAlsoWhileSoftLayerIsSilent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.reading = errors.New("no answer") })
		click, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, click.Request.State)
	})
}

func TestARestoredRequestWithATicketIsNotWithdrawnAsUnsent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.terms.UndoWindow = time.Hour
		r := w.submit()
		w.change(func(w *world) { w.openTicket(7, cancellation.TicketContent(r)) }) // filed by a history that is lost
		w.restart()
		_, err := w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.ErrorContains(t, err, "ticket 7 may be this request's")
		assert.Equal(t, cancellation.Scheduled, w.now(r).State)
	})
}

func TestARestoredRequestWithATicketIsNotSaidToBeUnsentWhateverEndsItsWaiting(t *testing.T) {
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
			_, err := w.desk().Decline(t.Context(), r.ID, raj, "no")
			require.ErrorContains(t, err, "ticket 7 may be this request's")
			assert.Equal(t, cancellation.Pending, w.now(r).State)
		})
	})
	t.Run("nor does it wear off", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			r := restored(w)
			w.run(w.journal, 73*time.Hour)
			assert.Equal(t, cancellation.Stuck, w.now(r).State)
			assert.Contains(t, w.now(r).Why, "ticket 7")
			click, err := w.desk().CheckNow(t.Context(), r.ID, raj)
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

func TestWhileALostPostMayBeUnderWayNobodyHearsThatNothingWasFiled(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.needs(1)
		w.idle = time.Hour
		from := w.submit()
		lost := from // as where the database lost what it had committed last
		lost.Recheck, lost.NotAfter, lost.ExpiresAt, lost.Due = cancellation.RecheckSettled, time.Now().Add(90*time.Second), time.Now().Add(time.Minute), time.Now()
		r, err := w.journal.Apply(t.Context(), cancellation.Change{From: from, To: lost})
		require.NoError(t, err)
		_, err = w.desk().Withdraw(t.Context(), r.ID, r.Submission.By, "")
		require.ErrorContains(t, err, "may be under way")
		w.run(w.journal, 80*time.Second)
		assert.Equal(t, cancellation.Pending, w.now(r).State, "its time is over, and nothing is said of it yet")
		w.run(w.journal, 20*time.Second)
		assert.Equal(t, cancellation.Expired, w.now(r).State)
	})
}
