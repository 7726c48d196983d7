//go:build bench

package bench

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
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
func (l *lab) form(bot *process, databaseURL string) *form {
	bot.awaitAck(l)
	chosen := strconv.FormatInt(l.softlayer.model, 10)
	choice := l.interaction("block_actions", *l.last.Load(), map[string]any{})
	choice["actions"] = []any{map[string]any{
		"type": "external_select", "block_id": "server", "action_id": "choose", "action_ts": "1764000001.000100",
		"selected_option": map[string]any{"text": plainText(chosen), "value": chosen},
	}}
	require.Empty(l, l.interact(bot, choice))
	card := l.lastUpdate(bot)

	submitted := l.interaction("view_submission", card, map[string]any{
		"server":            state("choose", "external_select", chosen),
		"reason":            state("reason", "static_select", "No longer needed"),
		"content":           state("content", "plain_text_input", "Ran the old database; replaced by db-060."),
		"confirm:" + chosen: state("confirm", "plain_text_input", l.softlayer.fqdn(l)),
	})
	submitted["trigger_id"] = viewID
	payload, err := json.Marshal(submitted)
	require.NoError(l, err)
	f := &form{payload: string(payload), server: l.softlayer.model, made: &l.submissions, key: l.installationKey(databaseURL)}
	f.sealed, _ = submitted["view"].(map[string]any)["private_metadata"].(string)
	f.metadata = f.open(l)
	require.Equal(l, f.sealed, f.seal(f.metadata), "forms are sealed as the bot does it")
	return f
}

// interaction is what Slack tells of a modal: https://docs.slack.dev/reference/interaction-payloads.
func (l *lab) interaction(kind string, request []byte, values map[string]any) map[string]any {
	var shown struct{ View map[string]any }
	opened, err := openedView(request)
	require.NoError(l, err)
	require.NoError(l, json.Unmarshal(opened, &shown))
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
func (f *form) next() request {
	n := f.made.Add(1)
	model, server := strconv.FormatInt(f.server, 10), strconv.FormatInt(firstServer+n, 10)
	another := []string{model, server, userID, member(n)}
	payload := strings.NewReplacer(append([]string{
		f.sealed, f.seal(strings.NewReplacer(another...).Replace(f.metadata)),
		viewID, "V" + server,
	}, another...)...).Replace(f.payload)
	return request{raw: rawRequest("/slack/interactions", url.Values{"payload": {payload}}.Encode()), server: firstServer + n}
}

const firstServer = 2_000_000 // beyond the account's own

// open and seal do with private_metadata what the bot does. A form that had to be
// deflated is no model of others of its size.
func (f *form) open(l *lab) string {
	parts := strings.SplitN(f.sealed, ".", 3)
	require.Equal(l, "1p", parts[0], "the form is sealed as it is")
	metadata, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(l, err)
	return string(metadata)
}

func (f *form) seal(metadata string) string {
	body := base64.RawURLEncoding.EncodeToString([]byte(metadata))
	mac := hmac.New(sha256.New, f.key)
	mac.Write([]byte("slack form 1p." + body))
	return "1p." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]) + "." + body
}

// interact delivers an interaction and returns the acknowledgement.
func (l *lab) interact(bot *process, interaction map[string]any) string {
	payload, err := json.Marshal(interaction)
	require.NoError(l, err)
	said, err := post(bot.url+"/slack/interactions", url.Values{"payload": {string(payload)}})
	require.NoError(l, err)
	return said
}

// lastUpdate waits for a card and for what the bot adds to it, so that the next form does not take that for its own.
func (l *lab) lastUpdate(bot *process) []byte {
	card := within20s(l, l.updated, "no card was shown; the bot said:\n%s", bot.said)
	for {
		select {
		case card = <-l.updated:
		case <-time.After(500 * time.Millisecond):
			return card
		}
	}
}

func within20s[T any](l *lab, events <-chan T, otherwise string, said any) (event T) {
	select {
	case event = <-events:
	case <-time.After(20 * time.Second):
		require.Failf(l, "nothing came", otherwise, said)
	}
	return event
}
