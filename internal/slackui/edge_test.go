package slackui

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cancel-server/internal/cleanroom"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	cleanroom.Prepare()
	goleak.VerifyTestMain(m)
}

// silent is a log that nobody reads.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// logInto is a log whose text a test reads.
func logInto() (*slog.Logger, *lockedText) {
	text := &lockedText{}
	return slog.New(slog.NewTextHandler(text, nil)), text
}

type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (t *lockedText) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *lockedText) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// handlerFuncs is a Handler of two functions.
type handlerFuncs struct {
	command     func(context.Context, Command) (Reply, After)
	interaction func(context.Context, Interaction) (Reply, After)
}

func (h handlerFuncs) Command(ctx context.Context, c Command) (Reply, After) {
	return h.command(ctx, c)
}

func (h handlerFuncs) Interaction(ctx context.Context, i Interaction) (Reply, After) {
	return h.interaction(ctx, i)
}

// slackAnswers is a Slack whose answers a test writes, method by method.
type slackAnswers struct {
	*httptest.Server
	mu    sync.Mutex
	calls []slackCall
}

type slackCall struct {
	method        string
	authorization string
	form          url.Values
	json          map[string]any
}

func newSlackAnswers(t *testing.T, answer func(w http.ResponseWriter, c slackCall)) *slackAnswers {
	t.Helper()
	s := &slackAnswers{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := slackCall{method: strings.TrimPrefix(r.URL.Path, "/api/"), authorization: r.Header.Get("Authorization")}
		body, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			_ = json.Unmarshal(body, &c.json)
		} else {
			c.form, _ = url.ParseQuery(string(body))
		}
		s.mu.Lock()
		s.calls = append(s.calls, c)
		s.mu.Unlock()
		answer(w, c)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slackAnswers) received() []slackCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]slackCall(nil), s.calls...)
}

func (s *slackAnswers) count(method string) int {
	n := 0
	for _, c := range s.received() {
		if c.method == method {
			n++
		}
	}
	return n
}

func (s *slackAnswers) web(t testing.TB) *Web {
	t.Helper()
	w, err := NewWeb(WebOptions{BotToken: "xoxb-test", APIURL: s.URL + "/api/", Quick: unhurried})
	require.NoError(t, err)
	t.Cleanup(w.Close)
	return w
}

// answerJSON answers every call with the same JSON.
func answerJSON(body string) func(http.ResponseWriter, slackCall) {
	return func(w http.ResponseWriter, _ slackCall) { _, _ = io.WriteString(w, body) }
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, condition func() bool, promise string) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, time.Millisecond, promise)
}
