//go:build unix

package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRequestCanBeUndoneInTheUndoWindow(t *testing.T) {
	overHTTP(t, setup{extra: []string{"UNDO_WINDOW=1h"}}, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		waits := w.awaitMessage(w.cast.Channel, "Will be filed", w.fqdn(w.server), "Nothing is filed before")
		w.press(w.cast.Outsider, waits, "undo")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not withdraw this")
		w.press(w.cast.User, waits, "undo")
		w.awaitMessage(w.cast.Channel, "Withdrawn by", w.fqdn(w.server)+" stays")
		assert.Equal(t, map[string]int{"withdrawn": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

// declines has somebody say no to a request, and why.
func (w *world) declines(user string, m message, reason string) {
	w.t.Helper()
	w.press(user, m, "decline")
	require.Empty(w.t, w.says(user, why(reason)).Error)
}

func TestRequestIsFiledOnlyAfterTheUndoWindow(t *testing.T) {
	overSocket(t, setup{extra: []string{"UNDO_WINDOW=2s"}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		before := time.Now()
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		require.Len(t, w.posts(), 1)
		assert.GreaterOrEqual(t, w.posts()[0].At.Sub(before), 2*time.Second)
	})
}

func TestAcceptedRequestIsStoppedFromItsMessage(t *testing.T) {
	overHTTP(t, setup{extra: []string{"UNDO_WINDOW=1h"}}, func(t *testing.T, w *world) {
		for _, person := range []string{w.cast.Approver, w.cast.Requester} {
			server := w.another()
			w.press(w.cast.Approver, w.asksFor(server), "approve")
			w.awaitMessage(w.cast.Channel, "Approved, will be filed", w.fqdn(server), "Nothing is filed before")
			ends := "Withdrawn by"
			if own := w.awaitMessage(w.cast.Requester, "Approved, will be filed", w.fqdn(server)); person == w.cast.Requester {
				w.press(person, own, "undo")
			} else {
				w.declines(person, w.awaitMessage(w.cast.Channel, "Approved, will be filed", w.fqdn(server)), "we still need it")
				ends = "Declined by"
			}
			for _, place := range []string{w.cast.Channel, w.cast.Requester} {
				w.awaitMessage(place, ends, w.fqdn(server)+" stays", "Nothing was filed")
			}
			assert.Empty(t, w.about(w.cast.Approver, w.fqdn(server)), "no direct message about one's own click")
		}
		assert.Equal(t, map[string]int{"withdrawn": 1, "declined": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestStoppedRequestIsNeverFiled(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		stays, goes := w.another(), w.another()
		w.freezes(w.cast.Approver)
		for _, server := range []int64{stays, goes} {
			w.press(w.cast.Approver, w.asksFor(server), "approve")
		}
		w.declines(w.cast.Approver, w.awaitMessage(w.cast.Channel, "to be filed", w.fqdn(stays)), "not that one")
		w.awaitMessage(w.cast.Channel, "Declined by", w.fqdn(stays)+" stays")
		w.stop()
		w.start()
		w.awaitReady()
		w.thaws(w.cast.Approver)
		told := w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(goes))
		own := w.awaitMessage(w.cast.Requester, "Cancellation requested", w.fqdn(goes))
		for _, m := range []message{told, own} {
			assert.Contains(t, m.Shown, "To stop it: update the ticket", "how it is stopped at SoftLayer")
			_, err := w.clicks(w.cast.Approver, m, "undo")
			require.Error(t, err, "what was filed has no button")
		}
		assert.Empty(t, w.postsFor(stays))
		assert.Equal(t, map[string]int{"declined": 1, "filed": 1}, w.recorded())
	})
}
