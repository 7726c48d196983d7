//go:build unix

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// asksFor has the requester, who may not cancel without approval, ask for a server, and gives the
// message that waits for approval.
func (w *world) asksFor(server int64) message {
	w.t.Helper()
	w.accepted(w.cast.Channel, w.cast.Requester, server)
	return w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(server))
}

// press is a click on a button of a message.
func (w *world) press(user string, m message, action string) fakeslack.Ack {
	w.t.Helper()
	ack, err := w.clicks(user, m, action)
	require.NoError(w.t, err, "the button is there")
	require.Empty(w.t, ack.Error, "the click is acknowledged")
	return ack
}

func (w *world) clicks(user string, m message, action string) (fakeslack.Ack, error) {
	return w.slack.Act(w.t.Context(), fakeslack.Action{
		User: user, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: "request", ActionID: action,
	})
}

// whispered waits for what somebody alone is told in a channel.
func (w *world) whispered(channel, user string, words ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("%s reads %q", user, words), func() bool {
		for _, m := range w.ephemeral(channel, user) {
			if hasAll(m.Shown, words) {
				return true
			}
		}
		return false
	})
}

// awaitReady waits until a bot that was started again can take a command.
func (w *world) awaitReady() {
	w.t.Helper()
	w.eventually("the bot is ready", func() bool {
		response, err := http.Get("http://" + w.admin + "/readyz")
		if err != nil {
			return false // it does not listen yet
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// says submits the form that a button opened.
func (w *world) says(user string, values fakeslack.Values) fakeslack.Ack {
	w.t.Helper()
	return w.submit(user, w.top(user), values)
}

func why(text string) fakeslack.Values {
	return fakeslack.Values{"why": {"why": {"type": "plain_text_input", "value": text}}}
}

func TestApprovalByASecondPersonFilesTheTicket(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		assert.Contains(t, waits.Shown, "Nothing is filed")
		assert.Contains(t, waits.Shown, "Approvals 0 of 1")
		assert.Empty(t, w.posts())

		w.press(w.cast.Approver, waits, "approve")
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Equal(t, waits.TS, told.TS, "one root message, edited through its life")
		assert.NotContains(t, told.Shown, "Approve", "no button is left")
		assert.Contains(t, told.Shown, "approved by")
		require.Len(t, w.tickets(w.server), 1)
		assert.Contains(t, w.tickets(w.server)[0].FirstUpdate.Entry, "Approved by: raj (Slack user "+w.cast.Approver)
		w.awaitMessage(w.cast.Requester, w.fqdn(w.server), "approved by")
		assert.Empty(t, w.about(w.cast.Approver, w.fqdn(w.server)), "no direct message about one's own click")
		assert.Len(t, w.about(w.cast.Channel, w.fqdn(w.server)), 1, "one root message a request and channel")
		assert.Empty(t, w.broken())
	})
}

func TestTheRequestersOwnClickNeverCounts(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.Requester}}))
		waits := w.asksFor(w.server)
		w.press(w.cast.Requester, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.Requester, "Nothing was recorded", "builtin-own-request")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestWhoMayNotApproveIsToldSoAlone(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		for user, rule := range map[string]string{
			w.cast.Outsider: "builtin-default-deny", w.cast.Guest: "builtin-guest", w.cast.Stranger: "builtin-stranger",
			w.cast.Deactivated: "builtin-deactivated", w.cast.BotUser: "builtin-bot",
		} {
			w.press(user, waits, "approve")
			w.whispered(w.cast.Channel, user, "Nothing was recorded", rule)
			w.press(user, waits, "details") // addresses and cost
			w.whispered(w.cast.Channel, user, "Nothing was opened", rule)
			assert.Zero(t, w.hasOpen(user))
		}
		w.press(w.cast.Outsider, waits, "decline")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not do this")
		w.press(w.cast.Outsider, waits, "withdraw")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not withdraw this")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Equal(t, waits.Shown, w.about(w.cast.Channel, w.fqdn(w.server))[0].Shown, "the message says nothing of it")
		assert.Empty(t, w.posts())
	})
}

func TestAnApproverDeclinesAndSaysWhy(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.Approver, waits, "decline")
		assert.Contains(t, w.fieldErrors(w.says(w.cast.Approver, why("  ")))["why"], "Say why")
		require.Empty(t, w.says(w.cast.Approver, why("<!channel> we still need 10.3.4.5")).Error)
		told := w.awaitMessage(w.cast.Channel, "Declined by", w.fqdn(w.server)+" stays", "we still need", "Nothing was filed")
		assert.NotContains(t, told.Shown, "10.3.4.5", "addresses stay out of channels")
		assert.NotContains(t, told.Mentions, "channel")
		assert.Zero(t, w.hasOpen(w.cast.Approver), "the form is closed")
		w.press2late(w.cast.Approver, told)
		assert.Equal(t, map[string]int{"declined": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

// press2late is a click on a message whose buttons are gone by now, as an orphan or an old
// client still has them.
func (w *world) press2late(user string, m message) {
	w.t.Helper()
	_, err := w.clicks(user, m, "approve")
	require.Error(w.t, err, "no live button is left")
}

func TestTheRequesterWithdraws(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.Requester, waits, "withdraw")
		w.awaitMessage(w.cast.Channel, "Withdrawn by", w.fqdn(w.server)+" stays", "Nothing was filed")
		assert.Empty(t, w.posts())
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Equal(t, map[string]int{"withdrawn": 1, "filed": 1}, w.recorded())
	})
}

func twoApprovals(w *world) {
	w.policy = fmt.Sprintf(`
@id("two") @approvals("2")
permit (principal in Group::%q, action == Action::"request", resource);
@id("leads-approve")
permit (principal in Group::%q, action == Action::"approve", resource);
`, w.cast.RequestGroup, w.cast.ApproveGroup)
	_ = w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}})
}

func TestTwoApprovalsComeFromTwoPeople(t *testing.T) {
	overHTTP(t, setup{before: twoApprovals}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.Approver, waits, "approve")
		once := w.awaitMessage(w.cast.Channel, "Approvals 1 of 2", w.fqdn(w.server))
		w.press(w.cast.Approver, once, "approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "You already approved this request")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Empty(t, w.posts())
		w.press(w.cast.User, once, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

// aboveFive wants one approval, and two from a person's sixth server of a day on.
func aboveFive(w *world) {
	w.policy = fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("above-five-a-day-two") @approvals("2")
permit (principal in Group::%q, action == Action::"request", resource) when { context.today > 5 };
@id("leads-approve") permit (principal in Group::%q, action == Action::"approve", resource);
`, w.cast.RequestGroup, w.cast.RequestGroup, w.cast.ApproveGroup)
	_ = w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}})
}

func TestSixthServerOfADayNeedsTwoApprovals(t *testing.T) {
	atOneAndAtThree(t, byHTTP, bySocket, setup{before: aboveFive}, func(t *testing.T, w *world) {
		for range 4 {
			w.asksFor(w.another())
		}
		fifth := w.another()
		waitsFifth := w.asksFor(fifth)
		assert.Contains(t, waitsFifth.Shown, "Approvals 0 of 1")
		w.fillsTheNextDayToo(5)
		sixth := w.another()
		waitsSixth := w.asksFor(sixth)
		assert.Contains(t, waitsSixth.Shown, "Approvals 0 of 2")

		w.press(w.cast.Approver, waitsFifth, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(fifth))
		w.press(w.cast.Approver, waitsSixth, "approve")
		once := w.awaitMessage(w.cast.Channel, "Approvals 1 of 2", w.fqdn(sixth))
		assert.Len(t, w.posts(), 1, "nothing is filed for the sixth")
		w.kill()
		w.start()
		w.awaitReady()
		assert.Empty(t, w.postsFor(sixth), "nor after a restart")
		w.press(w.cast.User, once, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(sixth))
		assert.Len(t, w.postsFor(sixth), 1)
		assert.Len(t, w.tickets(sixth), 1)
		assert.Len(t, w.posts(), 2)
		assert.Empty(t, w.broken())
	})
}

func TestTwoWhoApproveAtOnceAreBothCounted(t *testing.T) {
	atOneAndAtThree(t, byHTTP, bySocket, setup{before: twoApprovals}, func(t *testing.T, w *world) {
		for range 5 {
			server := w.another()
			waits := w.asksFor(server)
			atOnce(
				func() { w.tries(w.cast.Approver, waits, "approve") },
				func() { w.tries(w.cast.User, waits, "approve") },
			)
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1)
			assert.Len(t, w.postsFor(server), 1)
		}
	})
}

func TestApprovalOfAFormerApproverDoesNotCount(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.Outsider, w.cast.Hostile}}))
	}}, func(t *testing.T, w *world) {
		w.freezes(w.cast.Approver)
		approved := map[int64]string{}
		for _, approver := range []string{w.cast.Approver, w.cast.Outsider, w.cast.Hostile} {
			server := w.another()
			approved[server] = approver
			w.press(approver, w.asksFor(server), "approve")
		}
		w.eventually("all are approved", func() bool { return w.recorded()["scheduled"] == len(approved) })
		w.stop() // what it knew of people and groups is gone
		yes := true
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Remove: []string{w.cast.Approver}, Add: []string{w.cast.User}}))
		require.NoError(t, w.slack.PatchUser(w.cast.Outsider, fakeslack.UserPatch{IsRestricted: &yes}))
		require.NoError(t, w.slack.PatchUser(w.cast.Hostile, fakeslack.UserPatch{Deleted: &yes}))
		w.start()
		w.awaitReady()
		w.thaws(w.cast.User)
		for server := range approved {
			again := w.awaitSoon(w.cast.Channel, "Waiting for approval", w.fqdn(server), "some approvals no longer count", "Approvals 0 of 1")
			assert.Empty(t, w.postsFor(server))
			w.press(w.cast.User, again, "approve")
			w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			require.Len(t, w.tickets(server), 1)
			assert.Contains(t, w.tickets(server)[0].FirstUpdate.Entry, "Approved by: ana (Slack user "+w.cast.User)
			assert.NotContains(t, w.tickets(server)[0].FirstUpdate.Entry, approved[server])
			assert.Len(t, w.postsFor(server), 1)
		}
	})
}

func TestClickOnACardSurvivesARestart(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.eventually("where the message stands is recorded", func() bool {
			db := w.openDatabase()
			defer db.Close()
			var standing int
			return db.QueryRow(`select count(*) from notices where ts <> ''`).Scan(&standing) == nil && standing == 1
		})
		w.kill()
		w.start()
		w.awaitReady()
		w.press(w.cast.Approver, waits, "approve")
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Equal(t, waits.TS, told.TS, "the same message")
		assert.Len(t, w.tickets(w.server), 1)
		assert.Len(t, w.posts(), 1)
	})
}

func TestNoClickCountsWhileGroupsCannotBeRead(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.stop() // what it knew of the groups is gone
		require.NoError(t, w.slack.Fault("usergroups.list", fakeslack.FaultRateLimited, 2))
		w.start()
		w.awaitReady()
		w.press(w.cast.Approver, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "Nothing was recorded", "Press again")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestNothingIsFiledWhileGroupsCannotBeRead(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		approved := w.another()
		waits := w.asksFor(approved)
		w.freezes(w.cast.Approver)
		w.press(w.cast.Approver, waits, "approve")
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		gone := w.another()
		left := w.form(w.cast.Channel, w.cast.Hostile, gone)
		w.stop()                                                              // what it knew of the groups is gone
		w.slack.SetScopes("commands", "chat:write", "im:write", "users:read") // a fault would end too early on a busy machine
		w.start()
		w.awaitReady()
		code, said := w.ends([]string{"unfreeze", "--why", "over"})
		require.Zero(t, code, said)
		w.awaitSoon(w.cast.Channel, "Waiting to be filed", w.fqdn(approved), "Held up: Slack did not say who the requester is")
		refused := w.fieldErrors(w.submit(w.cast.User, m, w.usual(m, w.server)))
		assert.Contains(t, refused["server"], "This try was not recorded")
		assert.Contains(t, w.top(w.cast.User).Raw, "Replaced by db-060.", "what was typed is kept")
		assert.Equal(t, map[string]int{"scheduled": 1}, w.recorded(), "what waits to be filed is neither filed nor ended")
		assert.Empty(t, w.posts())

		// A member who has left by the time that Slack lists them is out. A new process asks at
		// once; that the same one asks again after 20 s shows in internal/slackui.
		require.NoError(t, w.slack.PatchGroup(w.cast.RequestGroup, fakeslack.GroupPatch{Remove: []string{w.cast.Hostile}}))
		w.stop()
		w.slack.SetScopes(fakeslack.DefaultScopes()...)
		w.start()
		w.awaitReady()
		w.eventually("the same form is decided on", func() bool {
			w.submit(w.cast.Hostile, left, w.usual(left, gone))
			return w.top(w.cast.Hostile).Title.Text == "Not allowed"
		})
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(approved))
		assert.Equal(t, map[string]int{"denied": 1, "filed": 2}, w.recorded())
		assert.Len(t, w.postsFor(approved), 1)
		assert.Len(t, w.posts(), 2)
		assert.Empty(t, w.broken())
	})
}

func TestNobodyAnswersInTime(t *testing.T) {
	overSocket(t, setup{extra: []string{"APPROVAL_EXPIRY=24h"}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.waitsFor(21 * time.Hour) // approvers are reminded four hours before the end
		reminded := w.awaitMessage(w.cast.Channel, "Still waiting for approval")
		assert.Equal(t, waits.TS, reminded.ThreadTS, "in the thread")
		w.waitsFor(4 * time.Hour)
		told := w.awaitMessage(w.cast.Channel, "Nobody answered: "+w.fqdn(w.server)+" stays")
		assert.Equal(t, waits.TS, told.TS)
		assert.Len(t, w.about(w.cast.Channel, "Still waiting for approval"), 1, "one reminder")
		w.press2late(w.cast.Approver, told)
		assert.Equal(t, map[string]int{"expired": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

// waitsFor has the one request that waits for approval wait so much longer, by what the
// bot's database says of it.
func (w *world) waitsFor(more time.Duration) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("nobody works at the request, and where it is shown is on record", func() bool {
		result, err := db.ExecContext(w.t.Context(), `update requests
			set state_at = state_at - $1, expires_at = expires_at - $1, due = due - $1
			where state = 'pending' and lease_owner is null
				and not exists (select 1 from notices where request_id = requests.id and due is not null)`, more.Milliseconds())
		require.NoError(w.t, err)
		changed, err := result.RowsAffected()
		require.NoError(w.t, err)
		return changed == 1
	})
}

func TestOperatorsChannelIsAskedToApprove(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		member := true
		require.NoError(w.t, w.slack.PatchChannel(w.cast.PrivateChannel, fakeslack.ChannelPatch{BotIn: &member}))
		w.extra = []string{"NOTIFY_CHANNEL=" + w.cast.PrivateChannel}
	}}, func(t *testing.T, w *world) {
		waits, ops := w.asksFor(w.server), w.cast.PrivateChannel
		card := w.awaitMessage(ops, "Approve a cancellation?", w.fqdn(w.server))
		w.press(w.cast.Approver, card, "approve")
		for channel, at := range map[string]message{ops: card, w.cast.Channel: waits} {
			told := w.awaitMessage(channel, "Cancellation requested", w.fqdn(w.server))
			assert.Equal(t, at.TS, told.TS)
			assert.Len(t, w.about(channel, w.fqdn(w.server)), 1)
		}
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestApproversAreAskedDirectlyWithoutAChannel(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.Outsider, w.cast.Guest, w.cast.Deactivated}}))
	}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.PrivateChannel, w.cast.Requester, w.server) // the bot is not in it
		require.Empty(t, w.submit(w.cast.Requester, m, w.usual(m, w.server)).Error)
		card := w.awaitMessage(w.cast.Approver, "Approve a cancellation?", w.fqdn(w.server))
		others := w.awaitMessage(w.cast.Outsider, "Approve a cancellation?", w.fqdn(w.server))
		w.press(w.cast.Approver, card, "approve")
		w.awaitMessage(w.cast.Approver, "Cancellation requested", w.fqdn(w.server))
		w.awaitMessage(w.cast.Outsider, "Cancellation requested", w.fqdn(w.server))
		w.press2late(w.cast.Outsider, others)
		assert.Empty(t, w.messages(w.cast.Guest), "who may not approve is not asked")
		assert.Empty(t, w.messages(w.cast.Deactivated), "who may not approve is not asked")
		assert.Len(t, w.tickets(w.server), 1)
		assert.Len(t, w.posts(), 1)
	})
}

func TestApproversSeeARequestFromADirectMessage(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Requester, w.cast.Requester, w.server) // in their own messages with the bot
		require.Empty(t, w.submit(w.cast.Requester, m, w.usual(m, w.server)).Error)
		card := w.awaitMessage(w.cast.Approver, "Approve a cancellation?", w.fqdn(w.server))
		w.press(w.cast.Approver, card, "approve")
		w.awaitMessage(w.cast.Requester, "Cancellation requested", w.fqdn(w.server))
		w.awaitMessage(w.cast.Approver, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestCardSaysWhenWaitingCostsOneMoreMonth(t *testing.T) {
	overSocket(t, setup{softlayer: fakesoftlayer.Options{BillDays: 10}, extra: []string{"APPROVAL_EXPIRY=240h"}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		assert.Regexp(t, `Answer by \d+ \w+ \d+ \d\d:\d\d UTC, or the server costs one more month: [0-9.]+ USD · Approvals 0 of 1`, waits.Text)
		assert.Contains(t, waits.Shown, "Nothing is filed")
		assert.Empty(t, w.posts())
	})
}

func TestSecondEnterpriseIdIsNoSecondPerson(t *testing.T) {
	overHTTP(t, setup{slack: fakeslack.Options{EnterpriseID: "E0ACME"}, before: func(w *world) {
		everywhere := "W0SAME"
		for _, id := range []string{w.cast.Requester, w.cast.Approver} { // one person, by two ids
			require.NoError(t, w.slack.PatchUser(id, fakeslack.UserPatch{EnterpriseUser: &everywhere}))
		}
		another := "W0ANOTHER" // by which users.info of this workspace knows nobody
		require.NoError(t, w.slack.PatchUser(w.cast.User, fakeslack.UserPatch{EnterpriseUser: &another}))
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}}))
	}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.Approver, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "Nothing was recorded", "builtin-own-request")
		assert.Empty(t, w.posts())
		w.press(w.cast.User, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	})
}

func TestClickOnAnOrphanShowsThePresentState(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		require.NoError(t, w.slack.Fault("chat.postMessage", fakeslack.FaultDropAfter, 1)) // posted, and nobody is told
		w.accepted(w.cast.Channel, w.cast.Requester, w.server)
		orphan := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(w.server))
		w.press(w.cast.Approver, orphan, "approve") // a click on it counts like any other
		w.eventually("it is filed", func() bool { return w.recorded()["filed"] == 1 })
		w.press(w.cast.Approver, orphan, "approve")
		w.whispered(w.cast.Channel, w.cast.Approver, "You already did this, and it was recorded. The request is now: Cancellation requested")
		w.press(w.cast.User, orphan, "approve")
		w.whispered(w.cast.Channel, w.cast.User, "Too late: Cancellation requested", "Nothing was changed")
		w.press(w.cast.Requester, orphan, "withdraw") // what was filed is not called withdrawn
		w.whispered(w.cast.Channel, w.cast.Requester, "Too late: Cancellation requested", "Nothing was changed")
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
		assert.Len(t, w.posts(), 1)
	})
}

// asksForItemsToo is asksFor with the server's associated items, which are to go too.
// addsItem puts one more associated item on a server's bill.
// needingApproval is a policy by which nobody cancels alone.
// TestTheSimpleCaseStaysSimple counts what people do, and what they are sent.
func TestTheSimpleCaseStaysSimple(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		interactions := 0
		did := func() { interactions++ }

		w.command(w.cast.Requester, strconv.FormatInt(w.server, 10))
		did() // the command, with the server's name
		m := w.awaitCard(w.cast.Requester, w.server)
		values := w.usual(m, w.server)
		for block := range values {
			if block != "server" { // chosen by the command
				did()
			}
		}
		require.Empty(t, w.submit(w.cast.Requester, m, values).Error)
		did()
		assert.LessOrEqual(t, interactions, 6, "a known server takes at most six interactions")

		waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(w.server))
		w.press(w.cast.Approver, waits, "approve") // the click, and the confirmation that its button asks for
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		w.eventually("the requester is told", func() bool { return len(w.about(w.cast.Requester, "Cancellation requested")) == 1 })
		roots := 0
		for _, message := range w.about(w.cast.Channel, w.fqdn(w.server)) {
			if message.ThreadTS == "" {
				roots++
			}
		}
		assert.Equal(t, 1, roots, "one root message a request and channel")
		assert.Len(t, w.about(w.cast.Requester, w.fqdn(w.server)), 1, "one direct message")
		assert.Empty(t, w.about(w.cast.Approver, w.fqdn(w.server)), "none about one's own click")
	})
}
