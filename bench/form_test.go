//go:build bench

package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// form is what the bot showed to a person, filled in: the model of as many submissions
// as are wanted, each for a server and from a view of its own.
type form struct {
	payload  string // of the view_submission
	sealed   string // its private_metadata
	metadata string // what is sealed in it
	key      []byte // the installation's
	server   int64
	made     *atomic.Int64 // submissions so far, whoever they are for: each has its own server
}

// form has a bot show the model's card, by a command and a choice, and fills it in. The
// key that seals the others stands in the bot's database.
func (v *vendors) form(b *testing.B, s *sender, bot *process, databaseURL string) *form {
	b.Helper()
	require.NoError(b, s.command(bot.url))
	chosen := strconv.FormatInt(v.softlayer.model, 10)
	choice := v.interaction(b, "block_actions", *v.last.Load(), map[string]any{})
	choice["actions"] = []any{map[string]any{
		"type": "external_select", "block_id": "server", "action_id": "choose", "action_ts": "1764000001.000100",
		"selected_option": map[string]any{"text": plainText(chosen), "value": chosen},
	}}
	require.NoError(b, s.interact(bot.url, choice))
	card := within20s(b, v.updated, "no card was shown; the bot said:\n%s", bot.said)

	submitted := v.interaction(b, "view_submission", card, map[string]any{
		"server":            state("choose", "external_select", chosen),
		"reason":            state("reason", "static_select", "No longer needed"),
		"content":           state("content", "plain_text_input", "Ran the old database; replaced by db-060."),
		"confirm:" + chosen: state("confirm", "plain_text_input", v.softlayer.fqdn(b)),
	})
	submitted["trigger_id"] = viewID
	payload, err := json.Marshal(submitted)
	require.NoError(b, err)
	f := &form{payload: string(payload), server: v.softlayer.model, made: &v.submissions, key: installationKey(b, databaseURL)}
	f.sealed, _ = submitted["view"].(map[string]any)["private_metadata"].(string)
	f.metadata = f.open(b)
	require.Equal(b, f.sealed, f.seal(f.metadata), "forms are sealed as the bot does it")
	return f
}

// interaction is what Slack tells of a modal: https://docs.slack.dev/reference/interaction-payloads.
func (v *vendors) interaction(b *testing.B, kind string, request []byte, values map[string]any) map[string]any {
	b.Helper()
	var shown struct{ View map[string]any }
	opened, err := openedView(request)
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(opened, &shown))
	shown.View["state"] = map[string]any{"values": values}
	return map[string]any{
		"type": kind, "token": "gone-out-of-use", "api_app_id": "A0BENCH", "trigger_id": "1234567890123.98765432109.0",
		"team": map[string]any{"id": teamID, "domain": "bench"}, "enterprise": nil, "is_enterprise_install": false,
		"user": map[string]any{"id": userID, "username": "ana", "name": "ana", "team_id": teamID},
		"view": shown.View, "response_urls": []any{},
	}
}

func state(action, kind, value string) map[string]any {
	element := map[string]any{"type": kind, "value": value}
	if kind != "plain_text_input" {
		element = map[string]any{"type": kind, "selected_option": map[string]any{"text": plainText(value), "value": value}}
	}
	return map[string]any{action: element}
}

func plainText(text string) map[string]any {
	return map[string]any{"type": "plain_text", "text": text, "emoji": true}
}

// next is one more submission as Slack sends it, of the next of all members. Its server's number has as many digits
// as the model's, so that all are of one size.
func (f *form) next() []byte {
	n := f.made.Add(1)
	model, server := strconv.FormatInt(f.server, 10), strconv.FormatInt(firstServer+n, 10)
	another := []string{model, server, userID, member(n)}
	payload := strings.NewReplacer(append([]string{
		f.sealed, f.seal(strings.NewReplacer(another...).Replace(f.metadata)),
		viewID, "V" + server,
	}, another...)...).Replace(f.payload)
	body := url.Values{"payload": {payload}}.Encode()
	var request strings.Builder
	request.WriteString("POST /slack/interactions HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Slackbot 1.0\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	_ = signed(body).Write(&request) // a strings.Builder takes everything
	request.WriteString("\r\n" + body)
	return []byte(request.String())
}

const firstServer = 2_000_000 // beyond the account's own

// open and seal do with private_metadata what the bot does. A form that had to be
// deflated is no model of others of its size.
func (f *form) open(b *testing.B) string {
	b.Helper()
	parts := strings.SplitN(f.sealed, ".", 3)
	require.Equal(b, "1p", parts[0], "the form is sealed as it is")
	metadata, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(b, err)
	return string(metadata)
}

func (f *form) seal(metadata string) string {
	body := base64.RawURLEncoding.EncodeToString([]byte(metadata))
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte("slack form 1p." + body))
	return "1p." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]) + "." + body
}

// interact delivers an interaction whose acknowledgement is empty.
func (s *sender) interact(target string, interaction map[string]any) error {
	payload, err := json.Marshal(interaction)
	if err != nil {
		return err
	}
	body := url.Values{"payload": {string(payload)}}.Encode()
	request, err := http.NewRequest(http.MethodPost, target+"/slack/interactions", strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = signed(body)
	return s.acknowledged(request)
}

func within20s[T any](b *testing.B, events <-chan T, otherwise string, said any) (event T) {
	b.Helper()
	select {
	case event = <-events:
	case <-time.After(20 * time.Second):
		require.Failf(b, "nothing came", otherwise, said)
	}
	return event
}
