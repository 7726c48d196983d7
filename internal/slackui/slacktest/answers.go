package slacktest

import (
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

	"github.com/stretchr/testify/require"
)

// Silent is a log that nobody reads.
func Silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// LogInto is a log whose text a test reads.
func LogInto() (*slog.Logger, *Log) {
	text := &Log{}
	return slog.New(slog.NewTextHandler(text, nil)), text
}

// Log is the text of a log.
type Log struct {
	mu sync.Mutex
	b  strings.Builder
}

// Write adds to the text.
func (t *Log) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

// String returns the text so far.
func (t *Log) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// Answers is a Slack whose answers a test writes, method by method.
type Answers struct {
	*httptest.Server
	mu    sync.Mutex
	calls []Call
}

// Call is one call as Slack received it.
type Call struct {
	Method        string
	Authorization string
	Form          url.Values
	JSON          map[string]any
}

// NewAnswers starts a Slack that answers each call by the given function.
func NewAnswers(t *testing.T, answer func(w http.ResponseWriter, c Call)) *Answers {
	t.Helper()
	s := &Answers{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := Call{Method: strings.TrimPrefix(r.URL.Path, "/api/"), Authorization: r.Header.Get("Authorization")}
		body, _ := io.ReadAll(r.Body)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
			_ = json.Unmarshal(body, &c.JSON)
		} else {
			c.Form, _ = url.ParseQuery(string(body))
		}
		s.mu.Lock()
		s.calls = append(s.calls, c)
		s.mu.Unlock()
		answer(w, c)
	}))
	t.Cleanup(s.Close)
	return s
}

// Received returns the calls so far.
func (s *Answers) Received() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// Count returns how often a method was called.
func (s *Answers) Count(method string) int {
	n := 0
	for _, c := range s.Received() {
		if c.Method == method {
			n++
		}
	}
	return n
}

// AnswerJSON answers every call with the same JSON.
func AnswerJSON(body string) func(http.ResponseWriter, Call) {
	return func(w http.ResponseWriter, _ Call) { _, _ = io.WriteString(w, body) }
}

// Eventually waits for what another goroutine brings about.
func Eventually(t *testing.T, condition func() bool, promise string) {
	t.Helper()
	require.Eventually(t, condition, 20*time.Second, time.Millisecond, promise)
}
