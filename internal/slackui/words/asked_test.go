package words

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestDetailsSayWhatWasAskedExactly(t *testing.T) {
	t.Parallel()
	warned := func(r *cancellation.Request) {
		s := &r.Submission.Card.Server
		s.Gateway, s.GatewayName, s.Partners, s.PartnersKnown = true, "gw-fra02", []string{"gw-fra02b"}, true
		s.LastTransaction, s.LastTransactionAt = "Upgrade", "2026-11-20T00:00:00Z"
	}
	ticked := func(r *cancellation.Request) { r.Submission.Associated = true }
	all := slacktest.TextIn(t, testWords().Details(slacktest.Request(cancellation.Pending, warned, ticked)))
	assert.Contains(t, all, "Associated items (they go too)")
	assert.Contains(t, all, "Confirmed: Member of gateway gw-fra02; its partner gw-fra02b stays")
	assert.Contains(t, all, "Confirmed: Its last transaction was Upgrade on 20 Nov 2026.")
	none := slacktest.TextIn(t, testWords().Details(slacktest.Request(cancellation.Pending)))
	assert.Contains(t, none, "Associated items (they stay)")
	assert.NotContains(t, none, "Confirmed")
	assert.NotPanics(t, func() {
		testWords().Details(slacktest.Request(cancellation.Denied, func(r *cancellation.Request) { r.Submission.Card.Server.Billing = nil }))
	}, "a request can be refused whose card had no billing item")
	for _, text := range []string{all, none} {
		assert.NotContains(t, text, "tick", "nothing can be ticked here")
		assert.Contains(t, text, "Portable private IPs: 8.00 USD a month")
		assert.Contains(t, text, "private 10.3.4.5 · public 169.50.1.2", "addresses stand in modals alone")
	}
}
