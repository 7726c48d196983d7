package words

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

// TestNoAddressOfSoftLayersReachesAChannel puts addresses wherever SoftLayer's and Slack's
// own texts can hold one, except in the server's name, which may stand in a channel.
func TestNoAddressOfSoftLayersReachesAChannel(t *testing.T) {
	t.Parallel()
	const address = "10.9.8.7"
	requests := goldenMessages()
	requests["pending-restored"] = slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, restored)
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		r := requests[name]
		s := &r.Submission.Card.Server
		s.Gateway, s.GatewayName, s.Partners, s.PartnersKnown = true, "gw "+address, []string{"gw-" + address}, true
		s.LastTransaction, s.LastTransactionAt = "Moved to "+address, "2026-11-20T00:00:00Z"
		s.Datacenter, r.Submission.Card.Account.Name, r.Submission.By.Name = "dc "+address, "acme "+address, "Ana "+address
		r.Decision.Rule = "rule-" + address
		for i := range r.Approvals {
			r.Approvals[i].By.Name = "Raj " + address
		}
		for _, m := range []Message{
			testWords().Live(cancellation.Result, r), testWords().Live(cancellation.ApprovalCard, r), testWords().Reminder(r), testWords().Alarm(r),
		} {
			assert.NotContains(t, m.Text, address, name)
			assert.NotContains(t, slacktest.TextIn(t, m.Blocks), address, name)
		}
	}
	r := slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo)
	r.Submission.Card.Server.Gateway, r.Submission.Card.Server.GatewayName = true, "gw "+address
	assert.Contains(t, slacktest.TextIn(t, testWords().Live(cancellation.ApprovalCard, r).Blocks), "Member of gateway gw (address)", "the rest of the name stays")
	assert.Contains(t, slacktest.TextIn(t, testWords().Details(r)), "Member of gateway gw "+address, "a modal shows it")
}

func restored(r *cancellation.Request) { r.Recheck = cancellation.RecheckSettled }

// TestRestoredRequestNeverSaysNothingIsFiled: its database may be older than a POST.
func TestRestoredRequestNeverSaysNothingIsFiled(t *testing.T) {
	t.Parallel()
	undo := func(r *cancellation.Request) { r.UndoUntil = slacktest.Noon.Add(10 * time.Minute) }
	for name, r := range map[string]cancellation.Request{
		"is waiting for approval":  slacktest.Request(cancellation.Pending, slacktest.WaitsForTwo, restored),
		"was approved":             slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8"), restored),
		"waits to be filed":        slacktest.Request(cancellation.Scheduled, restored),
		"is held up":               slacktest.Request(cancellation.Scheduled, slacktest.Because(cancellation.WhyWaiting, "rate limit"), restored),
		"can be undone for a time": slacktest.Request(cancellation.Scheduled, slacktest.ApprovedBy("U8"), undo, restored),
	} {
		for _, m := range []Message{testWords().Live(cancellation.Result, r), testWords().Live(cancellation.ApprovalCard, r)} {
			for _, text := range []string{m.Text, slacktest.TextIn(t, m.Blocks[0])} {
				assert.NotContains(t, text, "othing is filed", name)
				assert.Contains(t, text, "No ticket is known for this request.", name)
			}
		}
		assert.NotContains(t, recordedWords(r), "othing is filed", name)
	}
}
