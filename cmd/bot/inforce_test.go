//go:build unix

package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestForbidOnCancelRefusesInsteadOfWaiting(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		w.policy = fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("approve") permit (principal in Group::%q, action == Action::"approve", resource);
@id("never-here") @reason("nobody cancels here, whoever approves.")
forbid (principal, action == Action::"cancel", resource);
`, w.cast.RequestGroup, w.cast.ApproveGroup)
	}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.Requester, w.server)
		require.Empty(t, w.submit(w.cast.Requester, m, w.usual(m, w.server)).Error)
		refusal := w.top(w.cast.Requester)
		assert.Equal(t, "Not allowed", refusal.Title.Text)
		assert.Contains(t, refusal.text(w), "nobody cancels here, whoever approves.")
		assert.Contains(t, refusal.text(w), "never-here")
		assert.Equal(t, map[string]int{"denied": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestARuleThatFailsRefusesAtTheSubmission(t *testing.T) {
	for name, action := range map[string]string{"asking": "request", "cancelling": "cancel", "approving by anyone": "approve"} {
		t.Run(name, func(t *testing.T) {
			overSocket(t, setup{before: func(w *world) {
				w.policy = w.needingApproval(1) + fmt.Sprintf(`
@id("breaks") forbid (principal, action == Action::%q, resource) when { 9223372036854775807 + 1 > 0 };
`, action)
			}}, func(t *testing.T, w *world) {
				m := w.form(w.cast.Channel, w.cast.Requester, w.server)
				ack := w.submit(w.cast.Requester, m, w.usual(m, w.server))
				if action == "approve" { // nobody's approval could be evaluated
					assert.Contains(t, w.fieldErrors(ack)["server"], "This needs the approval of other people")
					assert.Empty(t, w.recorded())
				} else {
					assert.Contains(t, w.top(w.cast.Requester).text(w), "builtin-evaluation-error")
					assert.Equal(t, map[string]int{"denied": 1}, w.recorded())
				}
				assert.Empty(t, w.posts())
			})
		})
	}
}

func (w *world) needingApproval(people int) string {
	return fmt.Sprintf(`
@id("ask") @approvals("%d") permit (principal in Group::%q, action == Action::"request", resource);
@id("approve") permit (principal in Group::%q, action == Action::"approve", resource);
`, people, w.cast.RequestGroup, w.cast.ApproveGroup)
}

func TestRuleThatFailsForAClickRefusesIt(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		for _, also := range []string{w.cast.User, w.cast.Outsider} {
			require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{also}}))
		}
		w.policy = w.needingApproval(2) + fmt.Sprintf(`
@id("breaks-for-one-person") forbid (principal, action == Action::"approve", resource)
when { principal == User::"%s/%s" && 9223372036854775807 + 1 > 0 };
@id("breaks-for-the-second-yes") forbid (principal, action == Action::"approve", resource)
when { context.approvals + 9223372036854775807 < 0 };
`, w.slack.TeamID(), w.cast.User)
	}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.User, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.User, "Nothing was recorded", "builtin-evaluation-error")
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Approvals 1 of 2", w.fqdn(w.server))
		w.press(w.cast.Outsider, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.Outsider, "Nothing was recorded", "builtin-evaluation-error")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Len(t, w.about(w.cast.Channel, "Approvals 1 of 2", w.fqdn(w.server)), 1, "neither counts")
		assert.Empty(t, w.posts())
	})
}

func TestPolicyInForceAtTheFilingDecides(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}}))
		w.policy = w.needingApproval(1)
	}}, func(t *testing.T, w *world) {
		asks, approves, more := w.another(), w.another(), w.another()
		w.freezes(w.cast.Approver)
		for _, server := range []int64{asks, approves, more} {
			w.press(w.cast.Approver, w.asksFor(server), "approve")
		}
		w.changesPolicy(w.needingApproval(1) + fmt.Sprintf(`
@id("breaks-for-asking") forbid (principal, action == Action::"request", resource)
when { resource == Server::"%d" && 9223372036854775807 + 1 > 0 };
@id("breaks-for-approving") forbid (principal, action == Action::"approve", resource)
when { resource == Server::"%d" && 9223372036854775807 + 1 > 0 };
@id("two-by-now") @approvals("2") permit (principal, action == Action::"request", resource == Server::"%d");
`, asks, approves, more))
		w.thaws(w.cast.Approver)
		w.awaitSoon(w.cast.Channel, "Not allowed", w.fqdn(asks), "Rule builtin-evaluation-error")
		again := w.awaitSoon(w.cast.Channel, "Waiting for approval", w.fqdn(approves), "some approvals no longer count", "Approvals 0 of 1")
		w.press(w.cast.Approver, again, "approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "Nothing was recorded", "builtin-evaluation-error")
		second := w.awaitSoon(w.cast.Channel, "Waiting for approval", w.fqdn(more), "or more are needed", "Approvals 1 of 2")
		assert.Equal(t, map[string]int{"denied": 1, "pending": 2}, w.recorded())
		assert.Empty(t, w.posts(), "nothing is filed")
		w.press(w.cast.User, second, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(more))

		w.changesPolicy(w.needingApproval(1)) // corrected
		w.press(w.cast.Approver, again, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(approves))
		for server, posts := range map[int64]int{asks: 0, approves: 1, more: 1} {
			assert.Len(t, w.postsFor(server), posts)
		}
	})
}
