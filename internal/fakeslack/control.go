package fakeslack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ControlCall is one route of Control, for a list of what people can call.
type ControlCall struct {
	Method string `json:"method"`
	Path   string `json:"path"` // with its query, where it takes one
	Body   string `json:"body,omitempty"`
	Doc    string `json:"doc"` // what it does, and what it answers
}

// controlRoute is a call and what serves it. A reading route has no body.
type controlRoute struct {
	ControlCall
	serve func(*Workspace, *http.Request) (any, error)
}

func controlRoutes() []controlRoute {
	return []controlRoute{
		{ControlCall{"GET", "/workspace", "", "the people, groups, channels and teams: {users, groups, channels, teams, cast, connected, commands, since}; commands: those that the app has; since: when this workspace was made"}, getWorkspace},
		{ControlCall{"POST", "/command", `{"user", "channel", "command", "text"}`, "types a slash command: {status, ms, body, error}; Socket Mode: status 200, or 0 with operation_timeout"}, posting((*Workspace).Command)},
		{ControlCall{"POST", "/shortcut", `{"user", "callback_id", "message": {"channel", "ts"}}`, "uses a shortcut: with a message from its menu, else a global one. Answer as for command"}, posting((*Workspace).Shortcut)},
		{ControlCall{"POST", "/say", `{"user", "channel", "text", "thread_ts", "blocks", "attachments"}`, "writes a message that is not the bot's: the message"}, posting((*Workspace).Say)},
		{ControlCall{"GET", "/views?user=U", "", "the views that a person has open, top last: [{id, hash, view}]"}, getViews},
		{ControlCall{"POST", "/options", `{"user", "view", "block_id", "action_id", "value"}`, "types into an external_select: {options}"}, posting((*Workspace).Options)},
		{ControlCall{"POST", "/action", `{"user", "view" or "message": {"channel", "ts"}, "block_id", "action_id", "value" or "selected_option" or "selected_options", "values"}`, "clicks, chooses or types; values (optional): what else was touched. Answer as for command"}, posting((*Workspace).Act)},
		{ControlCall{"POST", "/submit", `{"user", "view", "values": {block_id: {action_id: state}}}`, "submits a view; values: only what was touched; options never offered are passed on. Answer as for command"}, posting((*Workspace).Submit)},
		{ControlCall{"POST", "/close", `{"user", "view"}`, "closes a view. Answer as for command"}, posting((*Workspace).closeModal)},
		{ControlCall{"GET", "/messages?channel=C&wait=S", "", "the messages of a channel, or of a person's direct messages: [{channel, ts, thread_ts, user, text, blocks, to}]; wait (seconds, 60 at most): at the next change"}, getMessages},
		{ControlCall{"GET", "/wait?channel=C&contains=T&timeout=S", "", "the first message of a conversation that shows the text, once there is one: {channel, ts, …, buttons: [{block_id, action_id, text, value}], links, thread: its replies}; timeout (seconds, 60 at most; 10 if left out): 408 with {error, newest: the newest five messages}"}, getWait},
		{ControlCall{"POST", "/home", `{"user", "tab"}`, "opens the app's Home tab, or with tab messages its Messages tab; app_home_opened goes to an app that subscribes to it. Answer as for command"}, posting((*Workspace).OpenHome)},
		{ControlCall{"GET", "/home?user=U&wait=S", "", "the view last published in a person's Home tab: {id, hash, view}, view null for none; just after the tab was opened: once the bot publishes, 3 s at most; wait (seconds, 60 at most): at the next view; 0: at once"}, getHome},
		{ControlCall{"POST", "/manifest", `{"home_tab", "bot_events": […]}`, "what the installed app's manifest says: whether there is a Home tab, and the events that the app subscribes to: {home_tab, bot_events}"}, posting((*Workspace).patchManifest)},
		{ControlCall{"POST", "/user", `{"id", "patch": {"deleted", "is_restricted", "is_ultra_restricted", "is_bot", "is_stranger", "team_id", "enterprise_id", "name", "real_name", "display_name", "tz"}}`, "changes a person: the user"}, posting((*Workspace).patchUser)},
		{ControlCall{"POST", "/group", `{"id", "users": […] or "add": […] or "remove": […], "disabled", "editable"}`, "changes a user group; editable: by any member of the workspace: the group"}, posting((*Workspace).patchGroup)},
		{ControlCall{"POST", "/channel", `{"id", "patch": {"is_archived", "bot_in", "is_private", "is_ext_shared", "name", "members"}}`, "changes a channel; is_ext_shared: with another company: the channel"}, posting((*Workspace).patchChannel)},
		{ControlCall{"POST", "/token", `{"scopes": […]} or {"revoke": […]}`, "sets the bot token's scopes or takes some away: {scopes}"}, posting((*Workspace).patchToken)},
		{ControlCall{"POST", "/socket", `{"do": "disconnect" or "refresh" or "warning" or "too_many_websockets" or "deaf" or "swallow", "only": N}`, "disturbs the open Socket Mode connections, or only the N-th, counted from the oldest; deaf: no pings either; swallow: pings go on: {ok}"}, posting((*Workspace).disturb)},
		{ControlCall{"POST", "/endpoint", `{"url"}`, "where signed requests go, for a restarted bot: {ok}; refused in Socket Mode"}, posting((*Workspace).moveEndpoint)},
	}
}

// Calls lists the routes of Control.
func (w *Workspace) Calls() []ControlCall {
	var calls []ControlCall
	for _, r := range controlRoutes() {
		calls = append(calls, r.ControlCall)
	}
	return calls
}

// Control serves the routes of Calls, in JSON, to loopback only. It stands apart
// from Slack's own API: a bot never calls it.
func (w *Workspace) Control() http.Handler {
	mux := http.NewServeMux()
	for _, r := range controlRoutes() {
		path, _, _ := cutQuery(r.Path)
		mux.HandleFunc(r.Method+" "+path, func(out http.ResponseWriter, request *http.Request) {
			result, err := r.serve(w, request)
			writeControl(out, result, err)
		})
	}
	return loopbackOnly(mux)
}

func cutQuery(path string) (before, query string, found bool) {
	u, err := url.Parse(path)
	if err != nil {
		return path, "", false // unreachable: the routes above are well formed
	}
	return u.Path, u.RawQuery, u.RawQuery != ""
}

// posting reads the body of a changing route into what a method takes. The
// method goes on when the caller goes away, as Slack does.
func posting[In, Out any](do func(*Workspace, context.Context, In) (Out, error)) func(*Workspace, *http.Request) (any, error) {
	return func(w *Workspace, r *http.Request) (any, error) {
		var in In
		if err := readControl(r, &in); err != nil {
			return nil, err
		}
		return do(w, context.WithoutCancel(r.Context()), in)
	}
}

var errMediaType = errors.New("the body of a change is application/json")

func readControl(r *http.Request, in any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return errMediaType
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(in); err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	if decoder.More() {
		return errors.New("reading the body: something follows the object")
	}
	return nil
}

func writeControl(out http.ResponseWriter, result any, err error) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.Header().Set("X-Content-Type-Options", "nosniff")
	status := http.StatusOK
	if err != nil {
		status, result = http.StatusBadRequest, response{"error": err.Error()}
		if errors.Is(err, errUnknownID) {
			status = http.StatusNotFound
		}
		if errors.Is(err, errMediaType) {
			status = http.StatusUnsupportedMediaType
		}
		if none, is := errors.AsType[*noMatchError](err); is {
			status, result = http.StatusRequestTimeout, response{"error": err.Error(), "newest": none.newest}
		}
	}
	out.WriteHeader(status)
	_, _ = out.Write(encode(result))
}

// loopbackOnly refuses what another site's page or a rebound name could send.
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		if !isLoopback(r.Host) || origin != "" && origin != "http://"+r.Host {
			http.Error(out, "only pages of this sandbox may ask", http.StatusForbidden)
			return
		}
		next.ServeHTTP(out, r)
	})
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func getViews(w *Workspace, r *http.Request) (any, error) { return w.Views(r.FormValue("user")) }

// maxWait bounds how long a request for messages is held.
const maxWait = time.Minute

func getMessages(w *Workspace, r *http.Request) (any, error) {
	wait, err := readWait(r, "wait")
	if err != nil {
		return nil, err
	}
	return w.Messages(r.Context(), r.FormValue("channel"), wait)
}

// readWait returns the seconds that a reading route waits, 0 if it names none.
func readWait(r *http.Request, name string) (time.Duration, error) {
	s := r.FormValue(name)
	if s == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || seconds < 0 {
		return 0, fmt.Errorf("reading %s: %q is no number of seconds", name, s)
	}
	return min(maxWait, time.Duration(seconds*float64(time.Second))), nil
}

// usualWait is how long GET wait is held if it does not say.
const usualWait = 10 * time.Second

func getWait(w *Workspace, r *http.Request) (any, error) {
	wait, err := readWait(r, "timeout")
	if err != nil {
		return nil, err
	}
	if r.FormValue("timeout") == "" {
		wait = usualWait
	}
	return w.Wait(r.Context(), r.FormValue("channel"), r.FormValue("contains"), wait)
}

// Found is a message that was waited for.
type Found struct {
	Message
	Buttons []Button  `json:"buttons"`
	Links   []string  `json:"links"`
	Thread  []Message `json:"thread"` // its replies
}

// Button is a button of a message, as a click names it.
type Button struct {
	BlockID  string `json:"block_id"`
	ActionID string `json:"action_id"`
	Text     string `json:"text"`
	Value    string `json:"value"`
}

// noMatchError says that no message came in time that shows a text.
type noMatchError struct {
	text   string
	newest []Message
}

func (e *noMatchError) Error() string {
	return fmt.Sprintf("waiting for a message: none shows %q", e.text)
}

// Wait returns the first message of a conversation that shows a text, in its text or its blocks, once there
// is one. channel is a channel's id, or for direct messages a person's.
func (w *Workspace) Wait(ctx context.Context, channel, text string, timeout time.Duration) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	id, err := w.conversation(channel)
	if err != nil {
		return Found{}, err
	}
	for {
		all := w.seenIn(id, channel)
		for _, m := range all {
			if m.shows(text) {
				return m.found(all), nil
			}
		}
		if ctx.Err() != nil {
			return Found{}, &noMatchError{text, all[max(0, len(all)-5):]}
		}
		w.awaitChange(ctx, id, timeout)
		select {
		case <-w.done:
			return Found{}, errors.New("waiting for a message: the workspace is closed")
		default:
		}
	}
}

// shows reports whether a text stands in a message, or in one text of its blocks.
func (m Message) shows(text string) bool {
	found := strings.Contains(m.Text, text)
	walkObjects(m.Blocks, func(object map[string]any) { found = found || strings.Contains(str(object["text"]), text) })
	return found
}

// found returns a message with what can be pressed and followed in it, and its replies among all.
func (m Message) found(all []Message) Found {
	f := Found{Message: m, Buttons: []Button{}, Links: []string{}, Thread: []Message{}}
	for _, block := range m.Blocks {
		of, _ := block.(map[string]any)
		walkObjects(block, func(object map[string]any) {
			switch object["type"] {
			case "button":
				label, _ := object["text"].(map[string]any)
				f.Buttons = append(f.Buttons, Button{str(of["block_id"]), str(object["action_id"]), str(label["text"]), str(object["value"])})
			case "link":
				f.Links = append(f.Links, str(object["url"]))
			}
		})
	}
	for _, other := range all {
		if other.ThreadTS == m.TS && other.TS != m.TS {
			f.Thread = append(f.Thread, other)
		}
	}
	return f
}
