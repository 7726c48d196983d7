package fakeslack_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"cancel-server/internal/fakeslack"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// said is a message of a person's in the cast's channel.
func said(s *stage, text string, more ...func(*fakeslack.Said)) fakeslack.Message {
	s.t.Helper()
	what := fakeslack.Said{User: s.Cast().Requester, Channel: s.Cast().Channel, Text: text}
	for _, change := range more {
		change(&what)
	}
	m, err := s.Say(s.t.Context(), what)
	require.NoError(s.t, err)
	return m
}

func TestAMessageShortcutAsSlackGoReadsIt(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	root := said(s, "Something is wrong")
	m := said(s, "db-042.example.com is <down>", func(w *fakeslack.Said) {
		w.ThreadTS = root.TS
		w.Attachments = []any{map[string]any{"fallback": "web-001"}}
	})
	ack, err := s.Shortcut(t.Context(), fakeslack.Shortcut{User: s.Cast().User, CallbackID: "cb", Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ack.Status)
	got := b.requests()[0]
	assert.Equal(t, "/slack/interactions", got.path)
	require.NoError(t, verified(got, s.SigningSecret()))
	read, err := slack.InteractionCallbackParse(formRequest(t, got.body))
	require.NoError(t, err)
	assert.Equal(t, slack.InteractionTypeMessageAction, read.Type)
	assert.Equal(t, "cb", read.CallbackID)
	assert.Equal(t, s.Cast().Channel, read.Channel.ID)
	assert.Equal(t, m.TS, read.Message.Timestamp)
	assert.Equal(t, root.TS, read.Message.ThreadTimestamp)
	assert.Equal(t, "<http://db-042.example.com|db-042.example.com> is &lt;down&gt;", read.Message.Text, "as Slack keeps what is typed")
	assert.Equal(t, s.Cast().Requester, read.Message.User)
	assert.Empty(t, read.Message.BotID, "it is not the bot's")
	assert.Equal(t, "web-001", read.Message.Attachments[0].Fallback)
	assert.NotEmpty(t, read.TriggerID)
	assert.NotEmpty(t, read.ResponseURL)
}

func TestGlobalShortcutHasNoChannelOrResponseURL(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	_, err := s.Shortcut(t.Context(), fakeslack.Shortcut{User: s.Cast().User, CallbackID: "cb"})
	require.NoError(t, err)
	form, err := url.ParseQuery(b.requests()[0].body)
	require.NoError(t, err)
	var payload map[string]any
	require.NoError(t, json.Unmarshal([]byte(form.Get("payload")), &payload))
	assert.Equal(t, "shortcut", payload["type"])
	assert.NotEmpty(t, payload["trigger_id"])
	assert.NotEmpty(t, payload["action_ts"])
	for _, absent := range []string{"channel", "message", "response_url", "container", "view"} {
		assert.NotContains(t, payload, absent)
	}
}

func TestShortcutIsUsedOnlyOnPublicMessages(t *testing.T) {
	t.Parallel()
	s, _ := onHTTP(t, func(string, map[string]any) (int, string) { return http.StatusOK, "for you alone" })
	_, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	alone := s.messages(s.Cast().Channel)[0]
	use := func(user, callback, channel, ts string) error {
		_, err := s.Shortcut(t.Context(), fakeslack.Shortcut{User: user, CallbackID: callback, Message: &fakeslack.MessageRef{Channel: channel, TS: ts}})
		return err
	}
	require.Error(t, use(s.Cast().User, "cb", alone.Channel, alone.TS), "an ephemeral message has no such menu")
	require.Error(t, use(s.Cast().User, "cb", s.Cast().Channel, "1.1"))
	require.Error(t, use(s.Cast().User, "cb", "C0", alone.TS))
	require.Error(t, use("U0", "cb", alone.Channel, alone.TS))
	require.Error(t, use(s.Cast().User, "", alone.Channel, alone.TS))
	secret := said(s, "psst", func(w *fakeslack.Said) { w.Channel = s.Cast().PrivateChannel })
	require.Error(t, use(s.Cast().Guest, "cb", secret.Channel, secret.TS), "who does not see the message cannot use one on it")
	_, err = s.Say(t.Context(), fakeslack.Said{User: s.Cast().User, Channel: s.Cast().Channel})
	require.Error(t, err, "nothing is not said")
}

func TestAShortcutIsAcknowledgedWithNoBody(t *testing.T) {
	t.Parallel()
	s, _ := onHTTP(t, func(string, map[string]any) (int, string) { return http.StatusOK, `{"text":"hello"}` })
	_, err := s.Shortcut(t.Context(), fakeslack.Shortcut{User: s.Cast().User, CallbackID: "cb"})
	require.NoError(t, err)
	assert.Len(t, s.broken(), 1)
}

func TestRepliesOfAThreadAreReadByThemselves(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{Scopes: []string{"chat:write", "channels:history"}})
	root := said(s, "root")
	said(s, "beside it")
	for _, text := range []string{"one", "two"} {
		s.call("chat.postMessage", map[string]any{"channel": s.Cast().Channel, "text": text, "thread_ts": root.TS})
	}
	replies := func(ts, limit string) (texts []string, more bool, word string) {
		got := s.form("conversations.replies", url.Values{"token": {s.BotToken()}, "channel": {s.Cast().Channel}, "ts": {ts}, "limit": {limit}})
		for _, m := range got.Messages {
			texts = append(texts, m["text"].(string))
		}
		return texts, got.HasMore, got.Error
	}
	texts, more, _ := replies(root.TS, "100")
	assert.Equal(t, []string{"root", "one", "two"}, texts)
	assert.False(t, more)
	texts, more, _ = replies(root.TS, "2")
	assert.Equal(t, []string{"root", "one"}, texts)
	assert.True(t, more)
	_, _, word := replies("1.1", "100")
	assert.Equal(t, "thread_not_found", word)
	history := s.form("conversations.history", url.Values{"token": {s.BotToken()}, "channel": {s.Cast().Channel}})
	require.Len(t, history.Messages, 2, "a channel's history leaves replies out")
	assert.NotContains(t, history.Messages[0], "thread_ts")
	assert.Equal(t, root.TS, history.Messages[1]["thread_ts"], "a root names its own thread")
}

func TestResponseInAThreadMustNotOverwrite(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, silent)
	root := said(s, "root")
	_, err := s.Shortcut(t.Context(), fakeslack.Shortcut{User: s.Cast().User, CallbackID: "cb", Message: &fakeslack.MessageRef{Channel: root.Channel, TS: root.TS}})
	require.NoError(t, err)
	read, err := slack.InteractionCallbackParse(formRequest(t, b.requests()[0].body))
	require.NoError(t, err)
	respond := func(body map[string]any) int {
		sent, err := json.Marshal(body)
		require.NoError(t, err)
		response, err := s.http.Post(read.ResponseURL, "application/json", bytes.NewReader(sent))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	assert.Equal(t, http.StatusOK, respond(map[string]any{"text": "in it", "response_type": "in_channel", "thread_ts": root.TS, "replace_original": false}))
	assert.Equal(t, http.StatusBadRequest, respond(map[string]any{"text": "over it", "response_type": "in_channel", "thread_ts": root.TS}))
	assert.Equal(t, http.StatusOK, respond(map[string]any{"text": "alone", "thread_ts": root.TS}))
	got := s.messages(s.Cast().Channel)
	require.Len(t, got, 3)
	assert.Equal(t, root.TS, got[1].ThreadTS)
	assert.Empty(t, got[2].ThreadTS, "only what all see keeps the thread")
}
