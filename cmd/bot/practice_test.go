//go:build unix

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const practiceMark = "PRACTICE: nothing is filed."

// practises asks for a server of a bot that only practises.
func (w *world) practises(user string, server int64) {
	w.t.Helper()
	m := w.form(w.cast.Channel, user, server)
	require.Equal(w.t, "PRACTICE Cancel a server", m.Title.Text)
	require.Empty(w.t, w.submit(user, m, w.usual(m, server)).Error)
	require.Equal(w.t, "PRACTICE Recorded", w.top(user).Title.Text)
	w.close(user)
}

func TestPracticeIsMarkedAndChangesNothing(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		w.policy = strings.Replace(pinging(w), `@approvals("2") `, "", 1) + `@id("alone") permit (principal in Group::"` + w.cast.CancelGroup + `", action == Action::"cancel", resource);`
		w.extra = []string{"DRY_RUN=true"}
	}}, func(t *testing.T, w *world) {
		w.command(w.cast.User, "help")
		w.command(w.cast.Guest, "")

		w.practises(w.cast.User, w.server) // who needs no approval
		wouldBe := w.fqdn(w.server) + " would have been filed now."
		told := w.awaitMessage(w.cast.Channel, "PRACTICE: "+wouldBe, "Nothing was sent; the server stays.")
		assert.NotContains(t, told.Shown, "Ask again")

		declined, approved := w.another(), w.another() // who does
		w.practises(w.cast.Requester, declined)
		waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(declined))
		assert.Contains(t, waits.Shown, "Who may approve: @server-requesters, @infra-leads.")
		w.press(w.cast.Approver, waits, "details")
		assert.Equal(t, "PRACTICE Details", w.top(w.cast.Approver).Title.Text)
		w.close(w.cast.Approver)
		w.press(w.cast.Approver, waits, "decline")
		assert.Equal(t, "PRACTICE Decline", w.top(w.cast.Approver).Title.Text)
		require.Empty(t, w.says(w.cast.Approver, why("we still need it")).Error)
		w.awaitMessage(w.cast.Channel, "Declined by", w.fqdn(declined))

		w.freezes(w.cast.Approver)
		w.practises(w.cast.Requester, approved)
		waits = w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(approved))
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Held up: filing is frozen", w.fqdn(approved))
		w.opens(w.cast.Approver)
		w.command(w.cast.Requester, "mine")
		w.command(w.cast.Requester, "status "+w.fqdn(approved))
		w.thaws(w.cast.Approver)
		w.awaitSoon(w.cast.Channel, w.fqdn(approved)+" would have been filed now.")

		assert.Equal(t, map[string]int{"rejected": 2, "declined": 1}, w.recorded())
		assert.Zero(t, w.counted("select count(*) from filings"), "they count in no hour")
		assert.Equal(t, 2, w.counted("select count(*) from requests where state = 'rejected' and reason_code = 'practice' and posts = 0"))
		assert.Equal(t, 3, w.counted("select count(*) from requests where quota_slot > 0"), "each takes its place in its person's day, as it would")
		w.showsOnlyPractice()
		w.changedNothing()
		assert.Empty(t, w.pinged("chat.postMessage"), "nobody is pinged")
		assert.Empty(t, w.broken())
		status, said := w.readyz()
		assert.Equal(t, 200, status)
		assert.True(t, said.Practice)
		w.remainsPractice()
	})
}

// remainsPractice looks at a database of practice with the verbs, and tries to file from it.
func (w *world) remainsPractice() {
	w.t.Helper()
	code, said := w.ends([]string{"report", "--json"})
	assert.Equal(w.t, exitDone, code, said)
	assert.Contains(w.t, said, `"requested":0`, "it is in no report")
	_, said = w.ends([]string{"report"})
	assert.Contains(w.t, said, "PRACTICE: nothing is filed")
	code, said = w.ends([]string{"check"})
	assert.Equal(w.t, exitDone, code, said)
	assert.Contains(w.t, said, "WARN  Practice: DRY_RUN is true, so nothing is filed. To file, leave DRY_RUN out and name a new database in DATABASE_URL.")

	code, said = w.ends([]string{"check"}, "DRY_RUN=false")
	assert.Equal(w.t, exitFailed, code, said)
	assert.Contains(w.t, said, "is of practice, and nothing that is asked for in it is ever filed. Name another database in DATABASE_URL, or set DRY_RUN=true.")
	w.stop()
	code, said = w.ends(nil, "DRY_RUN=")
	assert.Equal(w.t, exitFailed, code, said)
	assert.Contains(w.t, said, "the database is of practice, and nothing that is asked for in it is ever filed: name another one in DATABASE_URL, or set DRY_RUN=true")
	w.changedNothing()
}

// changedNothing holds SoftLayer to having got no call but reads.
func (w *world) changedNothing() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(w.t, w.sl)
	for _, e := range w.sl {
		_, method, _ := strings.Cut(e.Method, "/")
		assert.True(w.t, strings.HasPrefix(method, "get") || method == "advancedSearch", "%s only reads", e.Method)
	}
}

// showsOnlyPractice holds everything that the bot had Slack show to saying that nothing is filed.
func (w *world) showsOnlyPractice() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	shown := map[string]int{}
	for _, e := range w.slk {
		body := e.Request
		if e.To == "bot" {
			body = e.Response // the acknowledgement
		}
		if !strings.Contains(string(body), `blocks`) {
			continue
		}
		shown[e.Method]++
		assert.Contains(w.t, string(body), practiceMark, "%s shows", e.Method)
		titled := markedTitle(body)
		assert.True(w.t, titled == "" || strings.HasPrefix(titled, "PRACTICE "), "%s has the title %q", e.Method, titled)
	}
	for _, method := range []string{
		"views.open", "views.update", "views.publish", "chat.postMessage", "chat.update", "response_url", "slash_command", "view_submission",
	} {
		assert.NotZero(w.t, shown[method], "%s was tried: %v", method, shown)
	}
}

// markedTitle is the title of the view in a body, "" if it has none.
func markedTitle(body json.RawMessage) (title string) {
	var all struct {
		View struct{ Title struct{ Text string } }
	}
	if json.Unmarshal(body, &all) != nil {
		return "not to be read"
	}
	return all.View.Title.Text
}
