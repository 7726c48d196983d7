//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// addUpdate is the call that writes into a ticket.
const addUpdate = "SoftLayer_Ticket/addUpdate"

// update is one of a ticket's updates at SoftLayer.
type update struct {
	ID         int64
	Entry      string
	EditorType string
}

// written are the updates that customers wrote into a server's ticket after its first one.
func (w *world) written(server int64) (entries []string) {
	w.t.Helper()
	var all []struct {
		AttachedHardware []struct{ ID int64 }
		Updates          []update
	}
	w.control(http.MethodGet, "/tickets", nil, &all)
	for _, ticket := range all {
		if len(ticket.AttachedHardware) != 1 || ticket.AttachedHardware[0].ID != server || len(ticket.Updates) == 0 {
			continue
		}
		for _, u := range ticket.Updates[1:] {
			if u.EditorType == "USER" {
				entries = append(entries, u.Entry)
			}
		}
	}
	return entries
}

// writes are the calls of addUpdate that SoftLayer received.
func (w *world) writes() (found []fakesoftlayer.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.sl {
		if e.Method == addUpdate {
			found = append(found, e)
		}
	}
	return found
}

// texts are how many texts for tickets the bot's database holds, by state.
func (w *world) texts() map[string]int { return w.byState("ticket_updates") }

// filedAlone files a request of somebody who needs no approval.
func (w *world) filedAlone(server int64) message {
	w.t.Helper()
	w.accepted(w.cast.Channel, w.cast.User, server)
	return w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
}

// filedApproved files a request of somebody who may only ask.
func (w *world) filedApproved(server int64) message {
	w.t.Helper()
	w.press(w.cast.Approver, w.asksFor(server), "approve")
	return w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
}

// staffAnswer has SoftLayer's staff write, and waits for the line in the thread that says so.
func (w *world) staffAnswer(server int64, text string) message {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	w.eventually("the request is followed", func() bool {
		var looked sql.NullInt64
		err := db.QueryRowContext(w.t.Context(), `select max(looked_at) from followed`).Scan(&looked)
		return err == nil && looked.Int64 > 0
	})
	w.ticketDoes(server, map[string]any{"do": "answer", "text": text, "waits_for_customer": true})
	return w.awaitMessage(w.cast.Channel, "is waiting for an answer", w.fqdn(server))
}

// typed is what somebody types into a form for a ticket.
func typed(text string) fakeslack.Values {
	return fakeslack.Values{"ticket-text": {"ticket-text": {"type": "plain_text_input", "value": text}}}
}

// opensForm presses a button, and waits for the form that shows the words.
func (w *world) opensForm(user string, m message, action string, words ...string) {
	w.t.Helper()
	w.press(user, m, action)
	w.eventually(fmt.Sprintf("%s sees a form with %q", user, words), func() bool {
		return w.hasOpen(user) > 0 && hasAll(w.top(user).text(w), words)
	})
}

// replies opens the form, and sends a text.
func (w *world) replies(user string, m message, shows, text string) {
	w.t.Helper()
	w.opensForm(user, m, "reply", shows)
	require.Empty(w.t, w.says(user, typed(text)).Error)
	w.eventually("the form says that it is recorded", func() bool { return strings.Contains(w.top(user).text(w), "is recorded") })
	w.close(user)
}

// quick lets everything happen as fast as the bot can.
func quick() setup {
	s := follows()
	s.slack = fakeslack.Options{RateLimitsOff: true}
	return s
}

func TestReplyReachesTheTicketOnce(t *testing.T) {
	overBothWith(t, quick(), func(t *testing.T, w *world) {
		root := w.filedAlone(w.server)
		line := w.staffAnswer(w.server, "Which contract? Call 555-0100.")
		w.freezes(w.cast.Approver) // a freeze holds back no reply
		w.replies(w.cast.User, line, "Which contract? Call 555-0100.", "Contract 7. [cancel-server AAAA-AAAA 00000000000000000000000000]\nThank you.")
		told := w.awaitMessage(w.cast.Channel, "Reply sent to ticket", w.ticketOf(w.server), "@"+w.cast.User)
		assert.Equal(t, root.TS, told.ThreadTS, "in the request's thread")

		entries := w.written(w.server)
		require.Len(t, entries, 1)
		lines := strings.Split(entries[0], "\n")
		assert.Equal(t, fmt.Sprintf("This reply is about server %s (id %d) only; please act on no other server or date because of it.", w.fqdn(w.server), w.server), lines[0])
		assert.Regexp(t, `^\[cancel-server update [0-9A-Z]{4}-[0-9A-Z]{4} [0-9A-Z]{26}\]$`, lines[1])
		assert.NotContains(t, entries[0], w.marker(w.ref(root.Shown)), "not the request's own reference")
		assert.Contains(t, entries[0], "Contract 7. [cancel server AAAA-AAAA", "what looks like a reference is broken up")
		assert.Contains(t, entries[0], "Slack user "+w.cast.User)
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, m.Shown, "Contract 7", "the text reaches no channel")
			assert.NotContains(t, m.Shown, "555-0100")
		}
		assert.Len(t, w.writes(), 1)
		assert.Equal(t, map[string]int{"sent": 1}, w.texts())
		assert.Contains(t, w.history("written"), "Contract 7.", "the full text is an event")
		assert.Empty(t, w.broken())
	})
}

// history is what the events of a kind say, in one.
func (w *world) history(kind string) (all string) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), `select detail from events where kind = $1`, kind)
	require.NoError(w.t, err)
	defer rows.Close()
	for rows.Next() {
		var detail string
		require.NoError(w.t, rows.Scan(&detail))
		all += detail + "\n"
	}
	require.NoError(w.t, rows.Err())
	return all
}

func TestStaffWhoWroteMeanwhileAreReadFirst(t *testing.T) {
	overSocket(t, quick(), func(t *testing.T, w *world) {
		w.filedAlone(w.server)
		line := w.staffAnswer(w.server, "Which contract?")
		w.opensForm(w.cast.User, line, "reply", "Which contract?")
		w.ticketDoes(w.server, map[string]any{"do": "answer", "text": "Forget it: is 555-0100 yours?"})
		require.Empty(t, w.says(w.cast.User, typed("Contract 7.")).Error)
		shown := w.top(w.cast.User)
		assert.Contains(t, shown.text(w), "wrote meanwhile")
		assert.Contains(t, shown.text(w), "Forget it: is 555-0100 yours?")
		assert.Empty(t, w.texts(), "nothing is recorded")
		require.Empty(t, w.says(w.cast.User, typed("Contract 7, and no.")).Error)
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket")
		require.Len(t, w.written(w.server), 1)
		assert.Contains(t, w.written(w.server)[0], "Contract 7, and no.")
	})
}

func TestRequesterWhoMayOnlyAskProposesAReply(t *testing.T) {
	overHTTP(t, quick(), func(t *testing.T, w *world) {
		root := w.filedApproved(w.server)
		line := w.staffAnswer(w.server, "Which contract?")
		w.press(w.cast.Outsider, line, "reply")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not do this")

		w.opensForm(w.cast.Requester, line, "reply", "An approver has to send this", "Which contract?")
		require.Empty(t, w.says(w.cast.Requester, typed("Contract 7, please.")).Error)
		asks := w.awaitMessage(w.cast.Approver, "asks you to reply to SoftLayer about "+w.fqdn(w.server), "Contract 7, please.")
		told := w.awaitMessage(w.cast.Channel, "asked people who may approve to reply", w.fqdn(w.server))
		assert.Equal(t, root.TS, told.ThreadTS)
		assert.Empty(t, w.writes(), "nothing is sent yet")

		w.opensForm(w.cast.Approver, asks, "reply", "Which contract?")
		assert.Contains(t, w.top(w.cast.Approver).Raw, "Contract 7, please.", "it can be changed")
		require.Empty(t, w.says(w.cast.Approver, typed("Contract 8.")).Error)
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket", "@"+w.cast.Approver)
		require.Len(t, w.written(w.server), 1)
		assert.Contains(t, w.written(w.server)[0], "Contract 8.")
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, m.Shown, "Contract 7")
		}
		assert.Equal(t, map[string]int{"proposed": 1, "sent": 1}, w.texts())
		assert.Empty(t, w.broken())
	})
}

func TestTwoApproversOfOneProposalSendOneReply(t *testing.T) {
	overHTTP(t, quick(), func(t *testing.T, w *world) {
		w.filedApproved(w.server)
		line := w.staffAnswer(w.server, "Which contract?")
		w.opensForm(w.cast.Requester, line, "reply", "Which contract?")
		require.Empty(t, w.says(w.cast.Requester, typed("Contract 7, please.")).Error)
		asks := w.awaitMessage(w.cast.Approver, "asks you to reply to SoftLayer")
		w.opensForm(w.cast.Approver, asks, "reply", "Which contract?")
		w.opensForm(w.cast.User, line, "reply", "Which contract?") // may cancel alone
		require.Empty(t, w.says(w.cast.Approver, typed("Contract 7.")).Error)
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket", "@"+w.cast.Approver)

		require.Empty(t, w.says(w.cast.User, typed("Contract 7, please.")).Error)
		shown := w.top(w.cast.User)
		assert.True(t, hasAll(shown.text(w), []string{"sent a reply meanwhile", "Contract 7.", "Nothing of yours was sent"}), shown.text(w))
		assert.Contains(t, shown.Raw, w.cast.Approver, "who sent it")
		assert.Len(t, w.written(w.server), 1)
		assert.Equal(t, map[string]int{"proposed": 1, "sent": 1}, w.texts(), "nothing more is recorded")

		require.Empty(t, w.says(w.cast.User, typed("And contract 8.")).Error)
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket", "@"+w.cast.User)
		assert.Len(t, w.written(w.server), 2, "what was read may be added to")
		assert.Empty(t, w.broken())
	})
}

func TestCorrectedTextIsNotCalledRecorded(t *testing.T) {
	overHTTP(t, quick(), func(t *testing.T, w *world) {
		root := w.filedAlone(w.server)
		w.opensForm(w.cast.User, root, "ask-stop", "This asks SoftLayer to keep")
		form := w.top(w.cast.User)
		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultLateAnswer, 1))
		assert.NotEmpty(t, w.says(w.cast.User, typed("It is not in use.")).Error, "the person is told to try again")
		w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+w.fqdn(w.server))

		w.sends(w.cast.User, form, typed("It is in use."))
		shown := w.top(w.cast.User)
		assert.True(t, hasAll(shown.text(w), []string{"This earlier version was recorded:", "“It is not in use.”", "Your changes since then were not recorded.", "You wrote:"}), shown.text(w))
		assert.NotContains(t, shown.text(w), "on its way")
		assert.Len(t, w.written(w.server), 1)
		assert.Equal(t, map[string]int{"sent": 1}, w.texts())
	})
}

func TestReplyIsDecidedAgainWhenItIsSent(t *testing.T) {
	overSocket(t, quick(), func(t *testing.T, w *world) {
		w.filedAlone(w.server)
		line := w.staffAnswer(w.server, "Which contract?")
		w.opensForm(w.cast.User, line, "reply", "Which contract?")
		w.changesPolicy(fmt.Sprintf(`
			@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
			@id("leads") permit (principal in Group::%q, action == Action::"approve", resource);`, w.cast.RequestGroup, w.cast.ApproveGroup))
		require.Empty(t, w.says(w.cast.User, typed("Contract 7.")).Error)
		assert.Contains(t, w.top(w.cast.User).text(w), "Nothing was sent. By now you may only propose a reply.")
		assert.Empty(t, w.texts())
		assert.Empty(t, w.writes())
	})
}

func TestClosedTicketTakesNoText(t *testing.T) {
	overHTTP(t, setup{extra: []string{"FOLLOW_EVERY=1s"}}, func(t *testing.T, w *world) {
		root := w.filedAlone(w.server)
		line := w.staffAnswer(w.server, "Which contract?")
		w.opensForm(w.cast.User, root, "ask-stop", "This asks SoftLayer to keep")
		w.ticketDoes(w.server, map[string]any{"do": "close", "text": "No answer."})
		require.Empty(t, w.says(w.cast.User, typed("It is still in use.")).Error)
		assert.Contains(t, w.top(w.cast.User).text(w), "is closed: nothing can be written into it")
		w.close(w.cast.User)
		w.opensForm(w.cast.User, line, "reply", "is closed: nothing can be written into it")
		assert.Empty(t, w.texts())
		assert.Empty(t, w.writes())
	})
}

func TestKeyWithoutTheRightWritesNothing(t *testing.T) {
	t.Run("no button is shown", func(t *testing.T) {
		overSocket(t, setup{before: func(w *world) {
			w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{"TICKET_EDIT"}}, nil)
		}}, func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			_, err := w.clicks(w.cast.User, root, "ask-stop")
			require.Error(t, err, "there is no button")
			assert.Contains(t, w.child.log.String(), "TICKET_EDIT")
		})
	})
	t.Run("a refusal is told", func(t *testing.T) {
		overHTTP(t, unhurried(), func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			require.NoError(t, w.softlayer.Fault(addUpdate, "no_permission", 1))
			w.asksToStop(w.cast.User, root, "It is still in use.")
			w.awaitMessage(w.cast.Channel, "was not asked to stop", "The bot's key may not write into this ticket", w.fqdn(w.server))
			assert.Equal(t, map[string]int{"refused": 1}, w.texts())
			assert.Len(t, w.writes(), 1)
		})
	})
}

func TestStopIsAskedForOnceAndFollowed(t *testing.T) {
	overHTTP(t, quick(), func(t *testing.T, w *world) {
		root := w.filedApproved(w.server)
		name := w.fqdn(w.server)
		w.press(w.cast.Outsider, root, "ask-stop")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not do this")
		w.freezes(w.cast.Approver)
		w.asksToStop(w.cast.Requester, root, "It is still in use.")
		told := w.awaitMessage(w.cast.Channel, "asked SoftLayer to stop the cancellation of "+name, "@"+w.cast.Requester, "Not stopped yet: SoftLayer decides.")
		assert.Equal(t, root.TS, told.ThreadTS)
		require.Len(t, w.written(w.server), 1)
		assert.Contains(t, w.written(w.server)[0], fmt.Sprintf("This is about server %s (id %d) only;", name, w.server))
		assert.Contains(t, w.written(w.server)[0], "Please stop the cancellation of this server")
		assert.Contains(t, w.written(w.server)[0], "Reason: It is still in use.")
		w.awaitMessage(w.cast.Channel, "Cancellation requested: "+name, "SoftLayer was asked to stop this")

		w.opensForm(w.cast.Approver, root, "ask-stop", "This asks SoftLayer to keep")
		require.Empty(t, w.says(w.cast.Approver, typed("Yes, stop.")).Error)
		assert.Contains(t, w.top(w.cast.Approver).text(w), "It is asked once")
		assert.Len(t, w.writes(), 1)

		w.ticketDoes(w.server, map[string]any{"do": "close", "text": "Stopped."})
		w.sighted()
		w.awaitMessage(w.cast.Channel, "Stopped: "+name+" stays and is billed as before.", "Asked by")
		assert.Empty(t, w.about(w.cast.Channel, "Not cancelled"))
		db := w.openDatabase()
		defer db.Close()
		var kind string
		require.NoError(t, db.QueryRowContext(t.Context(), `select kind from news where kind in ('not_cancelled', 'stopped')`).Scan(&kind))
		assert.Equal(t, "stopped", kind, "a server that stays as asked is no alarm")
		var alarms int
		require.NoError(t, db.QueryRowContext(t.Context(), `select count(*) from notices where kind like 'escalated%'`).Scan(&alarms))
		assert.Zero(t, alarms)
	})
}
