package fakeslack

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiMethod is one method of the Web API as https://docs.slack.dev/reference/methods describes it.
type apiMethod struct {
	name   string
	handle func(*Workspace, call) (response, *apiError)
	scopes []string // any of these; none: no scope is needed
	tier   int
	read   bool // GET is taken too
	json   bool // a JSON body is taken too
	app    bool // needs the app token instead of the bot token
}

// apiMethods is the whole Web API of this workspace. The table in doc.go is
// compared with it by a test.
func apiMethods() []apiMethod {
	return []apiMethod{
		{name: "auth.test", handle: (*Workspace).authTest, tier: tierSpecial, read: true, json: true},
		{name: "apps.connections.open", handle: (*Workspace).appsConnectionsOpen, tier: tier1, json: true, app: true},
		{name: "views.open", handle: (*Workspace).viewsOpen, tier: tier4, json: true},
		{name: "views.update", handle: (*Workspace).viewsUpdate, tier: tier4, json: true},
		{name: "views.push", handle: (*Workspace).viewsPush, tier: tier4, json: true},
		{name: "views.publish", handle: (*Workspace).viewsPublish, tier: tier4, json: true},
		{name: "chat.postMessage", handle: (*Workspace).chatPostMessage, scopes: []string{"chat:write"}, tier: tierPerChannel, json: true},
		{name: "chat.update", handle: (*Workspace).chatUpdate, scopes: []string{"chat:write"}, tier: tier3, json: true},
		{name: "chat.postEphemeral", handle: (*Workspace).chatPostEphemeral, scopes: []string{"chat:write"}, tier: tier4, json: true},
		{name: "conversations.open", handle: (*Workspace).conversationsOpen, scopes: []string{"im:write"}, tier: tier3, json: true},
		{name: "conversations.info", handle: (*Workspace).conversationsInfo, scopes: []string{"channels:read", "groups:read", "im:read", "mpim:read"}, tier: tier3, read: true},
		{name: "conversations.history", handle: (*Workspace).conversationsHistory, scopes: []string{"channels:history", "groups:history", "im:history"}, tier: tier3, read: true},
		{name: "conversations.replies", handle: (*Workspace).conversationsReplies, scopes: []string{"channels:history", "groups:history", "im:history"}, tier: tier3, read: true},
		{name: "users.info", handle: (*Workspace).usersInfo, scopes: []string{"users:read"}, tier: tier4, read: true},
		{name: "usergroups.list", handle: (*Workspace).usergroupsList, scopes: []string{"usergroups:read"}, tier: tier2, read: true},
		{name: "usergroups.users.list", handle: (*Workspace).usergroupsUsersList, scopes: []string{"usergroups:read"}, tier: tier2, read: true},
	}
}

// response is one JSON object on its way out.
type response map[string]any

// Handler serves what Slack serves to a bot: /api/METHOD, /socket/TICKET and /response/….
func (w *Workspace) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, m := range apiMethods() {
		mux.HandleFunc("/api/"+m.name, func(out http.ResponseWriter, r *http.Request) { w.serveAPI(out, r, m) })
	}
	mux.HandleFunc("/api/{method}", func(out http.ResponseWriter, r *http.Request) {
		w.serveAPI(out, r, apiMethod{name: r.PathValue("method"), handle: unknownMethod, tier: tierSpecial, read: true, json: true})
	})
	mux.HandleFunc("GET /socket/{ticket}", w.serveSocket)
	mux.HandleFunc("/response/{id}", w.serveReply)
	return mux
}

func unknownMethod(_ *Workspace, c call) (response, *apiError) {
	return nil, fail("unknown_method").broke("the method exists in Slack's Web API and in this fake", "https://docs.slack.dev/reference/methods")
}

func (w *Workspace) serveAPI(out http.ResponseWriter, r *http.Request, m apiMethod) {
	started := time.Now()
	c, refusal := readCall(out, r, m)
	x := Exchange{At: started, From: "bot", To: "slack", Method: m.name, Request: c.raw}
	faulty := &faultyWriter{ResponseWriter: out, fault: w.takeFault(m.name)}
	status, body := w.answerAPI(faulty, r, m, c, refusal, &x)
	x.Status, x.Response = status, body
	faulty.finish(w, r, status, body)
	if faulty.dropped {
		x.Status = 0
	}
	w.observe(x, started)
}

// answerAPI decides on the status and the body of one call.
func (w *Workspace) answerAPI(out *faultyWriter, r *http.Request, m apiMethod, c call, refusal *apiError, x *Exchange) (int, []byte) {
	header := out.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	if status, word := out.before(w, r); status != 0 {
		if word != "" {
			return status, fail(word).body()
		}
		return status, nil
	}
	if r.Method != http.MethodPost && (!m.read || r.Method != http.MethodGet) {
		header.Set("Allow", http.MethodPost)
		x.Broke = append(x.Broke, Broken{"writing methods are called by POST", "https://docs.slack.dev/apis/web-api/"})
		return http.StatusMethodNotAllowed, fail("method_not_supported").body()
	}
	w.mu.Lock()
	result, err := w.perform(m, c, refusal)
	header.Set("X-OAuth-Scopes", strings.Join(w.opts.Scopes, ","))
	w.mu.Unlock()
	header.Set("X-Accepted-OAuth-Scopes", strings.Join(m.scopes, ","))
	if err != nil {
		x.Broke = append(x.Broke, err.broken...)
		if err.retryAfter > 0 {
			header.Set("Retry-After", strconv.Itoa(err.retryAfter))
			return http.StatusTooManyRequests, err.body()
		}
		return http.StatusOK, err.body()
	}
	result["ok"] = true
	return http.StatusOK, encode(result)
}

// perform checks token, rate and scope, in this order, then does the work; the lock is held.
func (w *Workspace) perform(m apiMethod, c call, refusal *apiError) (response, *apiError) {
	if refusal != nil {
		return nil, refusal
	}
	if err := w.authorize(m, c.token); err != nil {
		return nil, err
	}
	if err := w.spend(m, c); err != nil {
		return nil, err
	}
	if len(m.scopes) > 0 && !slices.ContainsFunc(m.scopes, func(s string) bool { return slices.Contains(w.opts.Scopes, s) }) {
		return nil, w.missingScope(m.scopes[0])
	}
	return m.handle(w, c)
}

func (w *Workspace) authorize(m apiMethod, token string) *apiError {
	switch refusal := w.identity.judge(token, m.app); refusal {
	case "":
		return nil
	case "not_allowed_token_type":
		return fail(refusal).broke(m.name+" is called with the kind of token it takes", "https://docs.slack.dev/authentication/tokens")
	default:
		return fail(refusal)
	}
}

func (w *Workspace) missingScope(scope string) *apiError {
	err := fail("missing_scope")
	err.extra = response{"needed": scope, "provided": strings.Join(w.opts.Scopes, ",")}
	return err
}

func encode(v any) []byte {
	body, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"ok":false,"error":"fatal_error"}`) // unreachable: only maps of plain values come here
	}
	return body
}

// maxBody bounds each body that the workspace reads, from either side.
const maxBody = 1 << 20

// call is one request to the Web API after its form or JSON has been read.
type call struct {
	token string
	args  map[string]any // strings from a form; any JSON value from a JSON body
	raw   []byte         // the body as JSON, for Exchange
}

// readCall reads arguments as https://docs.slack.dev/apis/web-api/ describes:
// the token from the Authorization header or a form, never from a JSON body.
func readCall(out http.ResponseWriter, r *http.Request, m apiMethod) (call, *apiError) {
	c := call{args: map[string]any{}}
	c.token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	body, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return c, fail("request_too_large").broke("a request has at most 1 MB", "https://docs.slack.dev/apis/web-api/")
		}
		return c, fail("request_timeout")
	}
	if r.Method == http.MethodGet {
		return c, c.readForm([]byte(r.URL.RawQuery))
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && m.json:
		c.raw = body
		return c, c.readJSON(body)
	case kind == "application/json":
		c.raw = body
		return c, nil // Slack ignores JSON arguments where it documents none
	case kind == "application/x-www-form-urlencoded", len(body) == 0:
		return c, c.readForm(body)
	}
	return c, fail("invalid_post_type").broke("a body is a form or JSON", "https://docs.slack.dev/apis/web-api/")
}

func (c *call) readForm(body []byte) *apiError {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return fail("invalid_form_data").broke("a form is well formed", "https://docs.slack.dev/apis/web-api/")
	}
	for name := range values {
		c.args[name] = values.Get(name)
	}
	if token := values.Get("token"); token != "" && c.token == "" {
		c.token = token
	}
	delete(c.args, "token")
	c.raw = encode(readable(values))
	return nil
}

func (c *call) readJSON(body []byte) *apiError {
	if len(bytes.TrimSpace(body)) == 0 || string(bytes.TrimSpace(body)) == "null" {
		return nil
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return fail("invalid_json").broke("a JSON body is well formed", "https://docs.slack.dev/apis/web-api/")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return fail("json_not_object").broke("a JSON body is an object", "https://docs.slack.dev/apis/web-api/")
	}
	c.args = object
	return nil
}

// text returns an argument as a string, "" if it is absent.
func (c call) text(name string) string {
	switch v := c.args[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// flag returns an argument as a boolean.
func (c call) flag(name string) bool {
	on, err := strconv.ParseBool(c.text(name))
	return err == nil && on
}

// value returns a structured argument: JSON itself, or JSON in a string as forms
// carry it. known is false where it is absent or null; an error means broken JSON.
func (c call) value(name string) (value any, known bool, err error) {
	value, known = c.args[name]
	if s, ok := value.(string); ok {
		if strings.TrimSpace(s) == "" {
			return nil, false, nil
		}
		if err := json.Unmarshal([]byte(s), &value); err != nil {
			return nil, true, err
		}
	}
	return value, known && value != nil, nil
}

// apiError is a refusal in the words of the Web API.
type apiError struct {
	word       string
	messages   []string // response_metadata.messages
	extra      response
	retryAfter int // seconds, for ratelimited only
	broken     []Broken
}

// fail returns the refusal with this error word.
func fail(word string) *apiError { return &apiError{word: word} }

// because adds what Slack says in response_metadata, and records it as a rule broken.
func (e *apiError) because(messages ...string) *apiError {
	e.messages = append(e.messages, messages...)
	for _, m := range messages {
		e.broken = append(e.broken, Broken{Rule: m, Source: "https://docs.slack.dev/reference/block-kit"})
	}
	return e
}

// broke records that the caller did what no correct bot does.
func (e *apiError) broke(rule, source string) *apiError {
	e.broken = append(e.broken, Broken{Rule: rule, Source: source})
	return e
}

func (e *apiError) body() []byte {
	object := response{"ok": false, "error": e.word}
	for k, v := range e.extra {
		object[k] = v
	}
	if len(e.messages) > 0 {
		object["response_metadata"] = response{"messages": e.messages}
	}
	return encode(object)
}

// authTest is https://docs.slack.dev/reference/methods/auth.test
func (w *Workspace) authTest(call) (response, *apiError) {
	me := response{
		"url": "https://" + teamDomain + ".slack.com/", "team": teamName, "user": botName, "team_id": w.identity.teamID,
		"user_id": w.cast.BotUser, "bot_id": w.identity.botID, "app_id": w.identity.appID, "is_enterprise_install": false,
	}
	if w.identity.enterpriseID != "" {
		me["enterprise_id"] = w.identity.enterpriseID
	}
	return me, nil
}
