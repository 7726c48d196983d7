package fakeslack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cancel-server/internal/cleanroom"
	"cancel-server/internal/fakeslack"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	cleanroom.Prepare()
	goleak.VerifyTestMain(m)
}

// startOfTime is what the clock of a test shows until it is moved.
var startOfTime = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// stage is a workspace behind real HTTP, with what was seen of it.
type stage struct {
	*fakeslack.Workspace
	t    *testing.T
	url  string
	http *http.Client

	dialer websocket.Dialer

	mu        sync.Mutex
	exchanges []fakeslack.Exchange
}

// patience is how long a test waits for what must come: only a broken promise takes it.
const patience = 20 * time.Second

// newStage starts a workspace; its time stands still unless opts has a clock. A bot has
// longer to acknowledge than with Slack: that promise has tests of its own.
func newStage(t *testing.T, opts fakeslack.Options) *stage {
	t.Helper()
	s := &stage{t: t}
	if opts.Now == nil {
		opts.Now = func() time.Time { return startOfTime }
	}
	if opts.AckTimeout == 0 {
		opts.AckTimeout = patience
	}
	opts.Seed, opts.Observe = 7, s.observe
	s.Workspace = fakeslack.New(opts)
	server := httptest.NewServer(s.Handler())
	s.url, s.http = server.URL, server.Client()
	s.SetURL(server.URL)
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	return s
}

func (s *stage) observe(x fakeslack.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exchanges = append(s.exchanges, x)
}

// seen returns the exchanges of one method so far.
func (s *stage) seen(method string) []fakeslack.Exchange {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []fakeslack.Exchange
	for _, x := range s.exchanges {
		if x.Method == method {
			found = append(found, x)
		}
	}
	return found
}

// broken returns every rule that the bot broke.
func (s *stage) broken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rules []string
	for _, x := range s.exchanges {
		for _, b := range x.Broke {
			rules = append(rules, b.Rule)
		}
	}
	return rules
}

// client is slack-go, the witness.
func (s *stage) client() *slack.Client {
	return slack.New(s.BotToken(), slack.OptionAPIURL(s.url+"/api/"), slack.OptionHTTPClient(s.http), slack.OptionAppLevelToken(s.AppToken()))
}

// result is an answer of the Web API.
type result struct {
	status   int
	header   http.Header
	OK       bool     `json:"ok"`
	Error    string   `json:"error"`
	Needed   string   `json:"needed"`
	TS       string   `json:"ts"`
	Channel  any      `json:"channel"`
	View     viewSeen `json:"view"`
	HasMore  bool     `json:"has_more"`
	Messages []fields `json:"messages"`
	Metadata struct {
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
}

type viewSeen struct {
	ID       string `json:"id"`
	Hash     string `json:"hash"`
	Root     string `json:"root_view_id"`
	Previous string `json:"previous_view_id"`
	Title    struct {
		Text string `json:"text"`
	} `json:"title"`
	State struct {
		Values map[string]map[string]map[string]any `json:"values"`
	} `json:"state"`
}

// call makes a JSON call with the bot token.
func (s *stage) call(method string, args map[string]any) result {
	s.t.Helper()
	body, err := json.Marshal(args)
	require.NoError(s.t, err)
	return s.send(method, "application/json", "Bearer "+s.BotToken(), string(body))
}

// form makes a form call with the token in the form.
func (s *stage) form(method string, values url.Values) result {
	s.t.Helper()
	return s.send(method, "application/x-www-form-urlencoded", "", values.Encode())
}

func (s *stage) send(method, contentType, authorization, body string) result {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/api/"+method, strings.NewReader(body))
	require.NoError(s.t, err)
	r.Header.Set("Content-Type", contentType)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	response, err := s.http.Do(r)
	require.NoError(s.t, err)
	return s.read(response)
}

func (s *stage) read(response *http.Response) result {
	s.t.Helper()
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	got := result{status: response.StatusCode, header: response.Header}
	if bytes.HasPrefix(raw, []byte("{")) {
		require.NoError(s.t, json.Unmarshal(raw, &got))
	}
	return got
}

// say answers one delivery.
type say func(method string, payload map[string]any) (status int, body string)

// bot is an HTTP bot that answers as it is told and keeps what it got.
type bot struct {
	url string
	mu  sync.Mutex
	got []request
}

type request struct {
	path    string
	header  http.Header
	body    string
	method  string
	payload map[string]any
}

// newBot starts a bot.
func newBot(t *testing.T, answer say) *bot {
	t.Helper()
	b := &bot{}
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.NotFound(out, r)
			return
		}
		raw, _ := io.ReadAll(r.Body)
		got := parseDelivery(r, string(raw))
		b.mu.Lock()
		b.got = append(b.got, got)
		b.mu.Unlock()
		status, body := answer(got.method, got.payload)
		out.WriteHeader(status)
		_, _ = io.WriteString(out, body)
	}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func parseDelivery(r *http.Request, raw string) request {
	got := request{path: r.URL.Path, header: r.Header, body: raw, method: "slash_command", payload: map[string]any{}}
	if r.Header.Get("Content-Type") == "application/json" {
		_ = json.Unmarshal([]byte(raw), &got.payload)
		got.method, _ = got.payload["type"].(string)
		return got
	}
	values, _ := url.ParseQuery(raw)
	for name := range values {
		got.payload[name] = values.Get(name)
	}
	if values.Has("payload") {
		got.payload = map[string]any{}
		_ = json.Unmarshal([]byte(values.Get("payload")), &got.payload)
		got.method, _ = got.payload["type"].(string)
	}
	return got
}

func (b *bot) requests() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]request(nil), b.got...)
}

// silent acknowledges everything with nothing.
func silent(string, map[string]any) (int, string) { return http.StatusOK, "" }

// plain makes a plain_text object.
func plain(s string) map[string]any { return map[string]any{"type": "plain_text", "text": s} }

// mrkdwn makes a mrkdwn object.
func mrkdwn(s string) map[string]any { return map[string]any{"type": "mrkdwn", "text": s} }

// textInput makes an input block with a text field.
func textInput(block, action string) map[string]any {
	return map[string]any{
		"type": "input", "block_id": block, "label": plain("Label"),
		"element": map[string]any{"type": "plain_text_input", "action_id": action},
	}
}

// modal makes a view of these blocks.
func modal(blocks ...any) map[string]any {
	return map[string]any{"type": "modal", "title": plain("Cancel a server"), "submit": plain("Request cancellation"), "close": plain("Keep the server"), "blocks": blocks}
}

// with returns a copy of an object with some fields changed; nil takes one away.
func with(object map[string]any, fields map[string]any) map[string]any {
	changed := map[string]any{}
	for k, v := range object {
		changed[k] = v
	}
	for k, v := range fields {
		changed[k] = v
		if v == nil {
			delete(changed, k)
		}
	}
	return changed
}

// trigger types a command and returns the trigger_id that the bot got.
func (s *stage) trigger(b *bot, user string) string {
	s.t.Helper()
	_, err := s.Command(s.t.Context(), fakeslack.Command{User: user, Channel: s.Cast().Channel, Command: "/cancel-server"})
	require.NoError(s.t, err)
	all := b.requests()
	id, _ := all[len(all)-1].payload["trigger_id"].(string)
	require.NotEmpty(s.t, id)
	return id
}

// open opens a view for the cast's User.
func (s *stage) open(b *bot, view map[string]any) viewSeen {
	s.t.Helper()
	got := s.call("views.open", map[string]any{"trigger_id": s.trigger(b, s.Cast().User), "view": view})
	require.True(s.t, got.OK, "%+v", got)
	return got.View
}

// onHTTP is a stage with an HTTP bot.
func onHTTP(t *testing.T, answer say) (*stage, *bot) {
	t.Helper()
	b := newBot(t, answer)
	return newStage(t, fakeslack.Options{Endpoint: b.url}), b
}

// messages returns what stands in a channel.
func (s *stage) messages(channel string) []fakeslack.Message {
	s.t.Helper()
	found, err := s.Messages(context.Background(), channel, 0)
	require.NoError(s.t, err)
	return found
}

// decode reads JSON.
func decode[T any](t *testing.T, raw []byte) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

// formRequest is a delivery as a bot's handler meets it.
func formRequest(t *testing.T, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}
