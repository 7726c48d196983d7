package webapi

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// canned is a Slack that answers every call alike.
type canned []byte

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(c)), Request: r}, nil
}

// asking makes a client whose calls get this answer.
func asking(t *testing.T, answer []byte) *Client {
	t.Helper()
	const token = "xoxb-planted-0123456789"
	w, err := New(Options{BotToken: token, APIURL: "https://slack.example.com/api/", Called: func(string, error) {}})
	require.NoError(t, err)
	calls := &http.Client{Transport: &apiTransport{base: canned(answer), bearer: w.bearer, host: "slack.example.com", clock: w.clock}}
	w.views = calls
	w.patient = slack.New(token, slack.OptionAPIURL(w.apiURL), slack.OptionHTTPClient(calls))
	w.quick = w.patient
	return w
}

// reads are the calls whose answers decide something: who a person is, where a message stands.
var reads = map[string]func(context.Context, *Client) error{
	"users.info": func(ctx context.Context, w *Client) error { _, err := w.User(ctx, "U1"); return err },
	"usergroups": func(ctx context.Context, w *Client) error { _, err := w.UserGroups(ctx); return err },
	"all groups": func(ctx context.Context, w *Client) error { _, err := w.AllGroups(ctx); return err },
	"auth.test":  func(ctx context.Context, w *Client) error { _, err := w.AuthTest(ctx); return err },
	"a channel":  func(ctx context.Context, w *Client) error { _, err := w.Conversation(ctx, "C1"); return err },
	"a history":  func(ctx context.Context, w *Client) error { _, err := w.History(ctx, "C1", "", ""); return err },
	"a thread":   func(ctx context.Context, w *Client) error { _, err := w.Replies(ctx, "C1", "1.1", "", ""); return err },
	"a message": func(ctx context.Context, w *Client) error {
		_, _, err := w.PostMessage(ctx, Post{Channel: "C1", Text: "x"})
		return err
	},
	"a view": func(ctx context.Context, w *Client) error {
		_, _, err := w.OpenView(ctx, "1.2", slack.ModalViewRequest{Type: slack.VTModal})
		return err
	},
}

// FuzzAnswer holds that no answer of Slack's makes a call panic, that only one which says ok is taken for an answer,
// and that no error has the token.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"ok":true,"user":{"id":"U1","team_id":"T1","deleted":false,"is_restricted":true,"profile":{"display_name":"ana"}}}`,
		`{"ok":true,"usergroups":[{"id":"S1","handle":"ops","users":["U1"],"date_delete":0}]}`, `{"ok":true,"usergroups":[{"id":"S1","users":null}]}`,
		`{"ok":true,"team_id":"T1","user_id":"U0","bot_id":"B0","url":"https://acme.slack.com/"}`, `{"ok":true,"channel":{"id":"C1","is_member":true}}`,
		`{"ok":true,"channel":"C1","ts":"1.1","messages":[{"ts":"1.1","text":"x","metadata":{"event_payload":null}}],"has_more":true,"response_metadata":{"next_cursor":"x"}}`,
		`{"ok":true,"view":{"id":"V1","hash":"h"}}`, `{"ok":false,"error":"ratelimited"}`, `{"ok":false}`, `{"ok":"true"}`, `null`, `[]`, `<html>`, ``, "\xff",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var says struct{ OK bool }
		fine := json.NewDecoder(bytes.NewReader(body)).Decode(&says) == nil && says.OK || twofold(body) // slack-go reads no further either
		for name, call := range reads {
			err := call(t.Context(), asking(t, body))
			if err == nil {
				walked := name == "a view" && !json.Valid(body) && saysOK.Match(body)
				assert.True(t, fine || walked, "%s: %q is taken for an answer", name, body)
				continue
			}
			if !bytes.Contains(body, []byte("planted")) {
				assert.NotContains(t, err.Error(), "planted", name)
			}
		}
	})
}

// saysOK finds ok in the answer to a view's call, of which the client decodes nothing else: the rest may be no JSON.
var saysOK = regexp.MustCompile(`"ok"[ \t\r\n]*:[ \t\r\n]*true`)

// twofold reports whether an answer may say ok or its error twice, or in other letters: which of them counts, JSON
// leaves open, and Slack writes neither.
func twofold(body []byte) bool {
	lower := bytes.ToLower(body)
	return bytes.ContainsFunc(body, func(r rune) bool { return r == '\\' || r >= 0x80 }) ||
		bytes.Count(lower, []byte(`"ok"`)) > 1 || bytes.Count(lower, []byte(`"error"`)) > 1 || !bytes.Contains(body, []byte(`"ok"`)) && bytes.Contains(lower, []byte(`"ok"`))
}
