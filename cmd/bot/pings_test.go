//go:build unix

package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// pinging is a policy with a rule that pings the approvers' group, one that names the requesters' without
// a ping, and one that does not match the test's servers.
func pinging(w *world) string {
	return fmt.Sprintf(`
@id("ask") @approvals("2") permit (principal in Group::%[1]q, action == Action::"request", resource);
@id("leads") @notify("ping") permit (principal in Group::%[2]q, action == Action::"approve", resource);
@id("peers") permit (principal in Group::%[1]q, action == Action::"approve", resource);
@id("elsewhere") @notify("ping") permit (principal in Group::%[3]q, action == Action::"approve", resource)
when { resource.tags.contains("no-server-has-this") };
`, w.cast.RequestGroup, w.cast.ApproveGroup, w.cast.CancelGroup)
}

// pinged lists the user groups that calls of a method to Slack mentioned.
func (w *world) pinged(method string) (all []string) {
	for _, e := range w.calls(method) {
		for _, group := range []string{w.cast.RequestGroup, w.cast.ApproveGroup, w.cast.CancelGroup} {
			if strings.Contains(string(e.Request), group) {
				all = append(all, group)
			}
		}
	}
	return all
}

// groupsIn lists the user groups whose members a message notified.
func groupsIn(m fakeslack.Message) []string {
	return slices.DeleteFunc(slices.Clone(m.Mentions), func(id string) bool { return !strings.HasPrefix(id, "S") })
}

func TestCardsPingOnlyGroupsWhoseRuleSaysSo(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) { w.policy = pinging(w) }}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		assert.Equal(t, []string{w.cast.ApproveGroup}, groupsIn(waits.Message))
		assert.Contains(t, waits.Shown, "Who may approve: ")
		assert.Contains(t, waits.Shown, "@server-requesters", "named by its handle, which notifies nobody")
		assert.NotContains(t, waits.Shown, "server-cancellers", "its rule does not match this server")

		w.press(w.cast.Approver, waits, "approve")
		voted := w.awaitMessage(w.cast.Channel, w.fqdn(w.server), "Approvals 1 of 2")
		assert.Equal(t, waits.TS, voted.TS)
		assert.Empty(t, groupsIn(voted.Message), "an edit mentions no group, whatever Slack makes of it")
		assert.Contains(t, voted.Shown, "@infra-leads")
		assert.Len(t, w.pinged("chat.postMessage"), 1)
		assert.Empty(t, w.pinged("chat.update"))
		assert.Empty(t, w.broken())
	})
}

func TestApproversArePingedInTheirChannelAlone(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		w.policy = pinging(w)
		w.extra = []string{"NOTIFY_CHANNEL=" + w.cast.OtherChannel}
		require.NoError(w.t, w.slack.PatchChannel(w.cast.OtherChannel, fakeslack.ChannelPatch{BotIn: new(true)}))
	}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		assert.Empty(t, groupsIn(waits.Message))
		assert.Contains(t, waits.Shown, "@infra-leads")
		assert.Contains(t, waits.Shown, "@server-requesters")
		card := w.awaitMessage(w.cast.OtherChannel, "Approve a cancellation?", w.fqdn(w.server))
		assert.Equal(t, []string{w.cast.ApproveGroup}, groupsIn(card.Message))
		// A message shows before its call is recorded.
		w.eventually("a call pings", func() bool { return len(w.pinged("chat.postMessage")) > 0 })
		assert.Len(t, w.pinged("chat.postMessage"), 1, "one ping for one request")
	})
}

func TestWithoutTheAnnotationNobodyIsPinged(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		assert.Contains(t, waits.Shown, "Who may approve: @infra-leads.")
		assert.Empty(t, groupsIn(waits.Message))
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Empty(t, w.pinged("chat.postMessage"))
		assert.Empty(t, w.pinged("chat.update"))
	})
}
