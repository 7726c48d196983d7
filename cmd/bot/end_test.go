//go:build unix

package main

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// TestDatesShownAreThoseThatSoftLayerKeeps asks for approval, approves, and
// compares the date of each message with the one that SoftLayer gives the cancellation.
func TestDatesShownAreThoseThatSoftLayerKeeps(t *testing.T) {
	told := func(t *testing.T, w *world) {
		card := w.form(w.cast.Channel, w.cast.Requester, w.server)
		seen := card.text(w)
		require.Empty(t, w.submit(w.cast.Requester, card, w.usual(card, w.server)).Error)
		waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(w.server))
		w.press(w.cast.Approver, waits, "approve")
		result := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))

		ends := w.endsOn(w.server).Format("Mon 2 Jan 2006")
		assert.Contains(t, seen, "due to end on "+ends+" (US Central) if filed by ", "the card")
		assert.Contains(t, waits.Shown, "due to end on "+ends+" (US Central) if filed by ", "the approval message")
		assert.Contains(t, result.Shown, "It runs and is billed until "+ends+" (US Central); then its drives are wiped.", "the result")
		assert.Contains(t, result.Text, "billed until "+ends, "its text")
	}
	t.Run("before the cut-off", func(t *testing.T) {
		overSocket(t, setup{softlayer: fakesoftlayer.Options{BillDays: 10}}, told)
	})
	t.Run("after it, for the following bill date", func(t *testing.T) {
		overHTTP(t, setup{softlayer: fakesoftlayer.Options{BillDays: 2}}, told)
	})
}

// endsOn is the day in Dallas on which SoftLayer's records end a server, once its staff have
// approved the ticket.
func (w *world) endsOn(server int64) time.Time {
	w.t.Helper()
	w.control(http.MethodPost, "/ticket", map[string]any{"id": w.tickets(server)[0].ID, "approve": true}, nil)
	var found []struct {
		BillingItem struct{ CancellationDate time.Time }
	}
	w.control(http.MethodGet, "/servers?q="+strconv.FormatInt(server, 10), nil, &found)
	require.NotEmpty(w.t, found)
	dallas, err := time.LoadLocation("America/Chicago")
	require.NoError(w.t, err)
	return found[0].BillingItem.CancellationDate.In(dallas)
}
