//go:build unix

package main

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// lists is an account with enough servers for long lists, and a bot that has time on a busy machine.
func lists(extra ...string) setup {
	s := patient()
	s.softlayer.Servers = 240
	s.extra = append(s.extra, extra...)
	return s
}

// findsPosts lets the bot read the channel. Else it posts a second message where it was killed in the middle of a post.
func (s setup) findsPosts() setup {
	s.slack.Scopes = append(fakeslack.DefaultScopes(), "channels:history", "groups:history")
	return s
}

// delivered is what Slack sent of somebody, as far as it says who: a command has the user's id, an
// interaction the user.
type delivered struct {
	UserID  string `json:"user_id"`
	User    struct{ ID string }
	Payload *delivered
}

func (d delivered) by() string {
	switch {
	case d.Payload != nil:
		return d.Payload.by()
	case d.UserID != "":
		return d.UserID
	}
	return d.User.ID
}

// did lists each thing that Slack sent to the bot because a person did it, by its method: a command, a
// press of a button or a box, a form that was sent or closed, letters typed into a typeahead.
func (w *world) did(user string) (steps []string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.slk {
		var said delivered
		if e.From != "slack" || json.Unmarshal(e.Request, &said) != nil || said.by() != user {
			continue
		}
		steps = append(steps, e.Method)
	}
	return steps
}

// notified lists the messages that notify a person: those in their direct messages, those that they alone
// see, and those that mention them. An edit notifies nobody.
func (w *world) notified(user string) (texts []string) {
	w.t.Helper()
	for _, m := range w.messages(user) {
		texts = append(texts, m.Text)
	}
	for _, channel := range []string{w.cast.Channel, w.cast.PrivateChannel, w.cast.OtherChannel} {
		for _, m := range w.messages(channel) {
			if m.To == user || slices.Contains(m.Mentions, user) {
				texts = append(texts, m.Text)
			}
		}
	}
	return texts
}

// roots are the messages in a channel that everybody sees and that stand in no thread.
func (w *world) roots(channel string) (found []message) {
	w.t.Helper()
	for _, m := range w.messages(channel) {
		if m.To == "" && m.ThreadTS == "" {
			found = append(found, m)
		}
	}
	return found
}

// filedOnce holds SoftLayer to one ticket for each of these servers, and the bot to one POST.
func (w *world) filedOnce(servers ...int64) {
	w.t.Helper()
	for _, server := range servers {
		assert.Len(w.t, w.tickets(server), 1, "tickets of server %d", server)
		assert.Len(w.t, w.postsFor(server), 1, "POSTs for server %d", server)
	}
}

// Slack's rate limits are on: what is counted here stays within them.
func TestFortyServersTakeEightStepsAndTwo(t *testing.T) {
	s := setup{softlayer: fakesoftlayer.Options{Servers: 240}, slack: fakeslack.Options{}}
	overBothWith(t, s, func(t *testing.T, w *world) {
		const many = 40
		ids, names := w.some(many)
		review := w.pasted(w.cast.Requester, names, many)
		require.Empty(t, w.confirms(w.cast.Requester, review, "40 servers").Error)
		require.Equal(t, "Recorded", w.top(w.cast.Requester).Title.Text, w.top(w.cast.Requester).Raw)
		asked := w.did(w.cast.Requester)
		assert.Equal(t, []string{"slash_command", "block_actions", "view_submission", "view_submission"}, asked)
		asked = append(asked, "the pasted list", "the reason", "the description", "the number") // fields, of which Slack says nothing
		assert.LessOrEqual(t, len(asked), 8, "%q", asked)

		waits := w.awaitMessage(w.cast.Channel, "40 waiting for approval")
		assert.Empty(t, w.posts(), "nothing is filed before the approval")
		w.press(w.cast.Approver, waits, "batch-approve")
		require.Equal(t, "Approve 40", w.top(w.cast.Approver).Title.Text)
		require.Empty(t, w.says(w.cast.Approver, nil).Error)
		assert.LessOrEqual(t, len(w.did(w.cast.Approver)), 2, "%q", w.did(w.cast.Approver))

		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 40 servers.")
		w.awaitMessage(w.cast.Requester, "Cancellation requested for 40 servers.")
		assert.Equal(t, waits.TS, told.TS)
		assert.Len(t, w.roots(w.cast.Channel), 1, "one root message")
		assert.LessOrEqual(t, len(w.notified(w.cast.Requester)), 3, "%q", w.notified(w.cast.Requester))
		assert.Empty(t, w.messages(w.cast.Approver), "nobody writes to who approved")
		w.filedOnce(ids...)
		assert.Len(t, w.posts(), many)
		assert.Empty(t, w.broken())
	})
}
