//go:build unix

package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// What several people do at the same time.

func atOnce(all ...func()) {
	var under sync.WaitGroup
	for _, do := range all {
		under.Go(do)
	}
	under.Wait()
}

// tries is a press on a button that somebody else may have taken away a moment before. It
// reports whether it was there.
func (w *world) tries(user string, m message, action string) bool {
	w.t.Helper()
	ack, err := w.clicks(user, m, action)
	assert.Empty(w.t, ack.Error, "a click is acknowledged")
	return err == nil
}

// sends submits a form beside what others do. Whether it was in time shows in its answer.
func (w *world) sends(user string, m modal, values fakeslack.Values) {
	w.t.Helper()
	ack, err := w.slack.Submit(w.t.Context(), fakeslack.Submission{User: user, View: m.ID, Values: values})
	assert.NoError(w.t, err)
	assert.Empty(w.t, ack.Error, "a submission is acknowledged")
}

// awaitEither waits for the one end of a request and says which of these it is.
func (w *world) awaitEither(server int64, ends ...string) (end string) {
	w.t.Helper()
	w.eventually("one of "+strings.Join(ends, ", "), func() bool {
		for _, end = range ends {
			if len(w.about(w.cast.Channel, end, w.fqdn(server))) > 0 {
				return true
			}
		}
		return false
	})
	return end
}

func TestAnApprovalAndWhateverElseAtOnceHaveOneEnd(t *testing.T) {
	overThem := setup{slack: fakeslack.Options{RateLimitsOff: true}, before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}}))
		require.NoError(w.t, w.slack.PatchGroup(w.cast.CancelGroup, fakeslack.GroupPatch{Add: []string{w.cast.Hostile}}))
	}}
	atOneAndAtThree(t, overThem, func(t *testing.T, w *world) {
		var stay []int64 // servers whose request was said to have ended unfiled
		for _, race := range []struct {
			promise string
			run     func(t *testing.T, w *world, server int64) (filed bool)
		}{
			{"a decline", anApprovalAndADecline},
			{"a withdrawal", anApprovalAndAWithdrawal},
			{"a take over", anApprovalAndATakeOver},
			{"a second submission", twoSubmissions},
		} {
			t.Run(race.promise, func(t *testing.T) {
				for range 3 {
					w, server := w.in(t), w.another()
					if filed := race.run(t, w, server); filed {
						assert.Len(t, w.tickets(server), 1, "one ticket")
						assert.Len(t, w.postsFor(server), 1, "one POST")
					} else {
						stay = append(stay, server)
					}
				}
			})
		}
		w.stop() // what was under way is over
		for _, server := range stay {
			assert.Empty(t, w.postsFor(server), "nothing is sent for what was said to stay")
		}
		assert.Empty(t, w.broken())
	})
}

func anApprovalAndADecline(t *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	w.press(w.cast.User, waits, "decline")
	form := w.top(w.cast.User)
	var pressed bool
	atOnce(
		func() { pressed = w.tries(w.cast.Approver, waits, "approve") },
		func() { w.sends(w.cast.User, form, why("we still need it")) },
	)
	if w.awaitEither(server, "Cancellation requested", "Declined by") == "Cancellation requested" {
		assert.Contains(t, w.top(w.cast.User).text(w), "Too late", "who declined too late reads so")
		w.close(w.cast.User)
		return true
	}
	if pressed {
		w.whispered(w.cast.Channel, w.cast.Approver, "Too late: Declined", w.fqdn(server))
	}
	return false
}

func anApprovalAndAWithdrawal(_ *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	var approved, withdrawn bool
	atOnce(
		func() { approved = w.tries(w.cast.Approver, waits, "approve") },
		func() { withdrawn = w.tries(w.cast.Requester, waits, "withdraw") },
	)
	end := w.awaitEither(server, "Cancellation requested", "Withdrawn by")
	if end == "Cancellation requested" && withdrawn {
		w.whispered(w.cast.Channel, w.cast.Requester, "Too late", w.fqdn(server))
	}
	assert.True(w.t, approved || withdrawn, "somebody pressed")
	return end == "Cancellation requested"
}

func anApprovalAndATakeOver(t *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	m := w.form(w.cast.Channel, w.cast.User, server)
	require.Contains(t, m.text(w), "waits for approval")
	atOnce(
		func() { w.tries(w.cast.Approver, waits, "approve") },
		func() { w.sends(w.cast.User, m, w.usual(m, server)) },
	)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	switch taken := w.about(w.cast.Channel, "Taken over by", w.fqdn(server)); w.top(w.cast.User).Title.Text {
	case "Recorded":
		assert.Len(t, taken, 1, "the one that it took the place of says so")
	case "Already requested":
		assert.Empty(t, taken)
	default:
		assert.Fail(t, "who takes over reads what came of it", w.top(w.cast.User).Raw)
	}
	return true
}

func twoSubmissions(t *testing.T, w *world, server int64) (filed bool) {
	both := map[string]modal{}
	for _, user := range []string{w.cast.User, w.cast.Hostile} { // each may cancel alone
		both[user] = w.form(w.cast.Channel, user, server)
	}
	values := map[string]fakeslack.Values{}
	for user, m := range both {
		values[user] = w.usual(m, server)
	}
	atOnce(
		func() { w.sends(w.cast.User, both[w.cast.User], values[w.cast.User]) },
		func() { w.sends(w.cast.Hostile, both[w.cast.Hostile], values[w.cast.Hostile]) },
	)
	first, second, name := w.cast.User, w.cast.Hostile, "ana"
	if w.top(first).Title.Text != "Recorded" {
		first, second, name = second, first, "<!channel> & co"
	}
	assert.Equal(t, "Recorded", w.top(first).Title.Text)
	assert.Contains(t, w.top(second).text(w), "Nothing new was filed. "+name+" asked already to cancel "+w.fqdn(server))
	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Equal(t, w.ref(w.top(first).text(w)), w.ref(told.Shown), "by the one reference")
	assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "one message")
	return true
}
