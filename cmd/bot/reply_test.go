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
func (w *world) texts() map[string]int {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), "select state, count(*) from ticket_updates group by state")
	require.NoError(w.t, err)
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var state string
		var count int
		require.NoError(w.t, rows.Scan(&state, &count))
		found[state] = count
	}
	require.NoError(w.t, rows.Err())
	return found
}

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
	return w.awaitMessage(w.cast.Channel, "staff answered", w.fqdn(server))
}

// typed is what somebody types into a form for a ticket.
func typed(text string) fakeslack.Values {
	return fakeslack.Values{"ticket-text": {"ticket-text": {"type": "plain_text_input", "value": text}}}
}

// opens presses a button, and waits for the form that shows the words.
func (w *world) opens(user string, m message, action string, words ...string) {
	w.t.Helper()
	w.press(user, m, action)
	w.eventually(fmt.Sprintf("%s sees a form with %q", user, words), func() bool {
		return w.hasOpen(user) > 0 && hasAll(w.top(user).text(w), words)
	})
}

// replies opens the form, and sends a text.
func (w *world) replies(user string, m message, shows, text string) {
	w.t.Helper()
	w.opens(user, m, "reply", shows)
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
