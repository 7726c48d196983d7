package receive

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

const testSecret = "8f742231b10e8888abcd99yyyzzz85a5"

// far is a bot's HTTP transport on a real port, and Slack's side of it.
type backend struct {
	*httptest.Server
	dispatcher *Dispatcher
	arrived    chan struct{} // one for each request, as long as there is room
}

func newBackend(t *testing.T, h Handler) *backend {
	t.Helper()
	d := NewDispatcher(DispatcherOptions{Handler: h, Log: slacktest.Silent(), Within: slacktest.Unhurried})
	f := &backend{dispatcher: d, arrived: make(chan struct{}, 100)}
	routes := NewHTTP(HTTPOptions{SigningSecrets: []string{"next", testSecret}, Dispatcher: d, Log: slacktest.Silent(), Body: slacktest.Unhurried}).Routes()
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case f.arrived <- struct{}{}:
		default:
		}
		routes.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		f.Close()
		assert.NoError(t, d.Shutdown(context.Background()))
	})
	return f
}

type sent struct {
	method, path, body, kind string
	secret                   string
	at                       time.Time
}

func (f *backend) send(t *testing.T, s sent) (status int, body string) {
	t.Helper()
	at := s.at
	if at.IsZero() {
		at = time.Now()
	}
	r, err := http.NewRequestWithContext(t.Context(), s.method, f.URL+s.path, strings.NewReader(s.body))
	require.NoError(t, err)
	if s.secret != "" {
		r.Header = signedHeader(s.secret, at, []byte(s.body))
	}
	r.Header.Set("Content-Type", s.kind)
	answer, err := f.Client().Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(read)
}

const formKind = "application/x-www-form-urlencoded"

func post(path, body string) sent {
	return sent{method: http.MethodPost, path: path, body: body, kind: formKind, secret: testSecret}
}

// commandForm is a command with a trigger of its own for each text.
func commandForm(text string) string {
	return url.Values{
		"command": {"/cancel-server"}, "text": {text}, "user_id": {"U1"}, "team_id": {"T1"}, "channel_id": {"C1"}, "trigger_id": {"1.2." + text},
	}.Encode()
}

func interactionForm(payload string) string { return url.Values{"payload": {payload}}.Encode() }

// untouched is a handler that must not be reached.
func untouched(t *testing.T) Handler {
	return handlerFuncs{
		func(context.Context, Command) (Reply, After) {
			t.Error("a command reached the handler")
			return nil, nil
		},
		func(context.Context, Interaction) (Reply, After) {
			t.Error("an interaction reached the handler")
			return nil, nil
		},
	}
}

func TestBadRequestsAreRefusedBeforeAnythingIsDone(t *testing.T) {
	t.Parallel()
	command, submission := commandForm("db1"), interactionForm(submissionPayload)
	for name, c := range map[string]struct {
		sent   sent
		status int
		body   string
	}{
		"unsigned":                            {sent{method: "POST", path: "/slack/commands", body: command, kind: formKind}, 401, ""},
		"signed by somebody else":             {sent{method: "POST", path: "/slack/commands", body: command, kind: formKind, secret: "theirs"}, 401, ""},
		"old":                                 {sent{method: "POST", path: "/slack/commands", body: command, kind: formKind, secret: testSecret, at: time.Now().Add(-time.Hour)}, 401, ""},
		"of the future":                       {sent{method: "POST", path: "/slack/interactions", body: submission, kind: formKind, secret: testSecret, at: time.Now().Add(time.Hour)}, 401, ""},
		"over the limit":                      {post("/slack/interactions", strings.Repeat("a", maxBody+1)), 413, "the body is too large"},
		"JSON where a form is expected":       {sent{method: "POST", path: "/slack/commands", body: `{"command":"/c"}`, kind: "application/json", secret: testSecret}, 415, "a form is expected (application/x-www-form-urlencoded)"},
		"of no kind":                          {sent{method: "POST", path: "/slack/commands", body: command, secret: testSecret}, 415, "a form is expected (application/x-www-form-urlencoded)"},
		"a form that is broken":               {post("/slack/commands", "command=%zz"), 400, "the form cannot be read"},
		"a payload in the query string":       {post("/slack/interactions?payload="+url.QueryEscape(submissionPayload), "x=1"), 400, `field "payload" is missing`},
		"a command in the query string":       {post("/slack/commands?"+command, "x=1"), 400, `field "command" is missing`},
		"an empty body":                       {post("/slack/commands", ""), 400, `field "command" is missing`},
		"a command of nobody":                 {post("/slack/commands", strings.Replace(command, "user_id=U1", "user_id=", 1)), 400, `field "user_id" is missing`},
		"a type that nobody knows":            {post("/slack/interactions", interactionForm(`{"type":"wish","user":{"id":"U1"}}`)), 400, `unknown type of interaction "wish"`},
		"a payload that is no JSON":           {post("/slack/interactions", "payload=<!channel>"), 400, "the payload is not the JSON that was expected"},
		"a form where JSON is expected":       {post("/slack/events", "type=event_callback"), 415, "JSON is expected (application/json)"},
		"an event, unsigned":                  {sent{method: "POST", path: "/slack/events", body: homeOpened("Ev1", "home"), kind: jsonKind}, 401, ""},
		"a challenge, unsigned":               {sent{method: "POST", path: "/slack/events", body: challenge, kind: jsonKind}, 401, ""},
		"an event that is no JSON":            {event("<!channel>"), 400, "the event is not the JSON that was expected"},
		"an event without an id":              {event(homeOpened("", "home")), 400, `field "event_id" is missing`},
		"an event of nobody":                  {event(`{"type":"event_callback","event_id":"Ev1","event":{"type":"app_home_opened","tab":"home"}}`), 400, `field "event.user" is missing`},
		"a challenge of nothing":              {event(`{"type":"url_verification"}`), 400, `field "challenge" is missing`},
		"fetched":                             {sent{method: "GET", path: "/slack/commands", secret: testSecret}, 405, "Method Not Allowed\n"},
		"for another path":                    {post("/slack/other", command), 404, "404 page not found\n"},
		"a certificate check, signed":         {post("/slack/commands", "ssl_check=1&token=x"), 200, ""},
		"a certificate check, unsigned":       {sent{method: "POST", path: "/slack/commands", body: "ssl_check=1&token=x", kind: formKind}, 200, ""},
		"a command dressed as such, unsigned": {sent{method: "POST", path: "/slack/commands", body: "ssl_check=1&" + command, kind: formKind}, 401, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := newBackend(t, untouched(t)).send(t, c.sent)
			assert.Equal(t, c.status, status)
			assert.Equal(t, c.body, body)
		})
	}
}

func TestACommandAndASubmissionReachTheHandler(t *testing.T) {
	t.Parallel()
	var after atomic.Bool
	f := newBackend(t, handlerFuncs{
		func(_ context.Context, c Command) (Reply, After) {
			assert.Equal(t, "db1 & co", c.Text)
			return Reply(`{"text":"opened"}`), func(context.Context) { after.Store(true) }
		},
		func(_ context.Context, i Interaction) (Reply, After) {
			assert.Equal(t, "V1", i.View.ID)
			return nil, nil
		},
	})
	status, body := f.send(t, post("/slack/commands", commandForm("db1 & co")))
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"text":"opened"}`, body)
	slacktest.Eventually(t, after.Load, "the work after the acknowledgement is done")

	rotated := post("/slack/interactions", interactionForm(submissionPayload))
	rotated.secret = "next"
	status, body = f.send(t, rotated)
	assert.Equal(t, 200, status)
	assert.Empty(t, body, "an empty body closes the view")
}

func TestAReplayOverHTTP(t *testing.T) {
	t.Parallel()
	var commands, lookups atomic.Int32
	f := newBackend(t, handlerFuncs{
		func(context.Context, Command) (Reply, After) {
			if commands.Add(1) == 1 {
				return Reply(`{"text":"first"}`), nil
			}
			return Reply(`{"text":"again"}`), nil
		},
		func(context.Context, Interaction) (Reply, After) { lookups.Add(1); return Reply(`{"options":[]}`), nil },
	})
	again := post("/slack/commands", commandForm("db1"))
	again.at = time.Now()
	for range 3 {
		_, body := f.send(t, again)
		assert.JSONEq(t, `{"text":"first"}`, body)
	}
	assert.EqualValues(t, 1, commands.Load(), "byte for byte the same: worked once")
	later := again
	later.at = again.at.Add(time.Second)
	_, body := f.send(t, later)
	assert.JSONEq(t, `{"text":"first"}`, body, "newly signed: its trigger_id opened a form already")
	_, body = f.send(t, post("/slack/commands", commandForm("db2")))
	assert.JSONEq(t, `{"text":"again"}`, body, "typed again: another command")

	lookup := post("/slack/interactions", interactionForm(`{"type":"block_suggestion","user":{"id":"U1"},"action_id":"a","value":"db"}`))
	lookup.at = again.at
	f.send(t, lookup)
	f.send(t, lookup)
	assert.EqualValues(t, 2, lookups.Load(), "look-ups are exempt")
}

func TestTwinsOverHTTPGetOneAnswer(t *testing.T) {
	t.Parallel()
	const twins = 8
	var worked atomic.Int32
	var f *backend
	f = newBackend(t, handlerFuncs{interaction: func(context.Context, Interaction) (Reply, After) {
		worked.Add(1)
		for range twins { // all are there
			<-f.arrived
		}
		return Reply(`{"response_action":"clear"}`), nil
	}})
	twin := post("/slack/interactions", interactionForm(submissionPayload))
	twin.at = time.Now()
	var all sync.WaitGroup
	for range twins {
		all.Go(func() {
			status, body := f.send(t, twin)
			assert.Equal(t, 200, status)
			assert.JSONEq(t, `{"response_action":"clear"}`, body)
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, worked.Load())
}

func TestPanicIsAnswered500AndServingContinues(t *testing.T) {
	t.Parallel()
	f := newBackend(t, handlerFuncs{command: func(_ context.Context, c Command) (Reply, After) {
		if c.Text == "boom" {
			panic("boom")
		}
		return nil, nil
	}})
	status, body := f.send(t, post("/slack/commands", commandForm("boom")))
	assert.Equal(t, 500, status)
	assert.Empty(t, body)
	status, _ = f.send(t, post("/slack/commands", commandForm("")))
	assert.Equal(t, 200, status)
}

func TestTwoHundredRequestsAreBoundedAndAnswered(t *testing.T) {
	t.Parallel()
	var inside, most, worked atomic.Int32
	full := make(chan struct{})
	f := newBackend(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) {
		now := inside.Add(1)
		defer inside.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		if worked.Add(1) == maxHandling {
			close(full)
		}
		<-full // none leaves before as many are in as may be
		return nil, nil
	}})
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			status, _ := f.send(t, post("/slack/commands", commandForm(strings.Repeat("x", i))))
			assert.Equal(t, 200, status)
		})
	}
	all.Wait()
	assert.EqualValues(t, 200, worked.Load())
	assert.EqualValues(t, maxHandling, most.Load())
}

func TestAStoppingBotRefusesWith503(t *testing.T) {
	t.Parallel()
	f := newBackend(t, untouched(t))
	require.NoError(t, f.dispatcher.Shutdown(t.Context()))
	status, _ := f.send(t, post("/slack/commands", commandForm("")))
	assert.Equal(t, 503, status)
}
