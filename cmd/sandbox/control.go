package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAdvance bounds one step of the clock.
const maxAdvance = 10 * 365 * 24 * time.Hour

// controlCall is one call of the control API. Its route is made from the same
// entry that GET /control/ lists.
type controlCall struct {
	Method  string `json:"method"`
	Path    string `json:"path"` // under the sandbox's URL, with its query
	Body    string `json:"body"` // its shape, empty where there is none
	Doc     string `json:"doc"`
	handler http.Handler
}

// pattern is the call's route below /control.
func (c controlCall) pattern() string {
	path, _, _ := strings.Cut(strings.TrimPrefix(c.Path, "/control"), "?")
	if path == "/" {
		path = "/{$}"
	}
	return c.Method + " " + path
}

// calls are the control calls of the sandbox and of both fakes.
func (w *world) calls() []controlCall {
	calls := []controlCall{
		{"GET", "/control/", "", "this list, the names of the faults, and the methods that can have them", http.HandlerFunc(w.list)},
		{"GET", "/control/calls?after=N", "", "requests between Slack, the bot and SoftLayer, numbered as they ended; those after number N; the latest 20,000 are kept", http.HandlerFunc(w.listCalls)},
		{"GET", "/control/faults", "", "the faults that wait for requests: [{at, method, fault, left}]; left: how many requests still go wrong", http.HandlerFunc(w.listFaults)},
		{"DELETE", "/control/faults?at=&method=", "", "disarm faults, all or those at slack or softlayer, of one method: {ok, cleared}", http.HandlerFunc(w.clearFaults)},
		{"POST", "/control/fault", `{"at":"slack" or "softlayer","method":"…","fault":"…","times":N}`, "make the next N requests of a method go wrong; method as in calls", steer(w.fault)},
		{"GET", "/control/bot", "", "the bot's process: {pid, up, since, exit, last}; since: when it came up or ended; exit: its exit code, 128+n where signal n ended it, null while up; last: its last lines on stderr, once it has ended", http.HandlerFunc(w.bot.show)},
		{"POST", "/control/bot", `{"do":"kill" or "stop" or "start"}`, "kill the bot at once, or stop it by SIGTERM, or start it again with the same settings: {pid, up}, when it is done; the sandbox goes on without its bot", steer(w.bot.steer)},
		{"POST", "/control/replay", `{"n":N,"same_bytes":bool}`, "deliver Slack's request number N of calls again, newly signed or byte for byte; answers like command", steer(w.replay)},
		{"POST", "/control/clock", `{"advance":"72h"} or {"advance":seconds} or {"to":"2027-01-01T00:00:00Z"}`, "move both fakes' clock forward, by a time or to a moment by SoftLayer's clock; SoftLayer does what is due by then: bill dates pass, cancelled servers are reclaimed; signatures keep the real time", steer(w.advance)},
	}
	slack, softlayer := w.slack.Control(), w.softlayer.Control()
	for _, c := range w.slack.Calls() {
		handler := slack
		if c.Path == "/command" || c.Path == "/shortcut" {
			handler = w.whenReachable(slack)
		}
		calls = append(calls, controlCall{c.Method, "/control" + c.Path, c.Body, c.Doc, handler})
	}
	for _, c := range w.softlayer.Calls() {
		calls = append(calls, controlCall{c.Method, "/control" + c.Path, c.Body, c.Doc, softlayer})
	}
	return calls
}

// control serves the calls, below /control.
func (w *world) control() http.Handler {
	mux := http.NewServeMux()
	for _, c := range w.calls() {
		mux.Handle(c.pattern(), c.handler)
	}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Cache-Control", "no-store")
		if _, pattern := mux.Handler(r); pattern == "" {
			writeError(out, http.StatusNotFound, fmt.Sprintf("no control call is %s %s; GET /control/ lists them all", r.Method, r.URL.Path))
			return
		}
		mux.ServeHTTP(out, r)
	})
}

func (w *world) list(out http.ResponseWriter, _ *http.Request) {
	writeJSON(out, http.StatusOK, map[string]any{"calls": w.calls(), "faults": w.faultNames(), "methods": w.faultMethods()})
}

func (w *world) listCalls(out http.ResponseWriter, r *http.Request) {
	after := 0
	if text := r.URL.Query().Get("after"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			writeError(out, http.StatusBadRequest, fmt.Sprintf("reading after: %q is not a number", text))
			return
		}
		after = n
	}
	writeJSON(out, http.StatusOK, w.journal.after(after))
}

// done is the answer of a call that has nothing else to say.
type done struct {
	OK bool `json:"ok"`
}

// replayOrder is the body of POST replay.
type replayOrder struct {
	N         int  `json:"n"`
	SameBytes bool `json:"same_bytes"`
}

func (w *world) replay(ctx context.Context, o replayOrder) (any, error) {
	delivery := w.journal.delivery(o.N)
	if delivery == 0 {
		return nil, fmt.Errorf("replaying call %d: it is not a request of Slack's to the bot, or too old", o.N)
	}
	return w.slack.Replay(ctx, delivery, o.SameBytes)
}

// clockStep is the body of POST clock: a duration such as "90s", or seconds; or a moment.
type clockStep struct {
	Advance any        `json:"advance"`
	To      *time.Time `json:"to"`
}

func (w *world) advance(_ context.Context, step clockStep) (any, error) {
	d, err := step.duration(w.softlayer.Now())
	if err != nil {
		return nil, fmt.Errorf("moving the clock: %w", err)
	}
	w.slack.Advance(d)
	w.softlayer.Advance(d)
	return done{true}, nil
}

// duration is how far the clock moves if it shows now.
func (s clockStep) duration(now time.Time) (time.Duration, error) {
	if s.To != nil {
		return s.until(now)
	}
	var d time.Duration
	switch value := s.Advance.(type) {
	case string:
		var err error
		if d, err = time.ParseDuration(value); err != nil {
			return 0, fmt.Errorf("reading advance: %w", err)
		}
	case float64:
		d = time.Duration(min(value, (2*maxAdvance).Seconds()) * float64(time.Second))
	}
	if d <= 0 || d > maxAdvance {
		return 0, fmt.Errorf(`reading advance: it is a duration such as "90s", or seconds, above 0 and at most %v`, maxAdvance)
	}
	return d, nil
}

// until is how far it is to the moment.
func (s clockStep) until(now time.Time) (time.Duration, error) {
	d := s.To.Sub(now)
	switch {
	case s.Advance != nil:
		return 0, errors.New("give either advance or to")
	case d <= 0 || d > maxAdvance:
		return 0, fmt.Errorf("reading to: it is after %s, what the clock shows, and at most %v after", now.UTC().Format(time.RFC3339), maxAdvance)
	}
	return d, nil
}

// steer decodes a call's body, does what it says and answers with the result; an
// error is the caller's fault.
func steer[T any](do func(context.Context, T) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body T
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&body); err != nil {
			writeError(w, http.StatusBadRequest, "reading the body: "+err.Error())
			return
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			writeError(w, http.StatusBadRequest, "reading the body: there is more than one value")
			return
		}
		result, err := do(r.Context(), body)
		if err != nil {
			writeError(w, http.StatusBadRequest, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, result)
	})
}

func writeError(w http.ResponseWriter, status int, problem string) {
	writeJSON(w, status, map[string]string{"error": problem})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the client may have left
}
