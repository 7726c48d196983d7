//go:build bench

package bench

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who is in the canned workspace.
const (
	botToken      = "xoxb-bench"
	signingSecret = "bench-signing-secret"
	teamID        = "T0BENCH"
	userID        = "U0BENCH000" // and those of the others are as long
	groupID       = "S0BENCH"
	viewID        = "V0BENCH"
)

// vendors are a Slack and a SoftLayer with canned answers, whose cost is the same for
// each process that is measured.
type vendors struct {
	url         string
	softlayer   *softLayer
	opened      atomic.Int64                    // calls of views.open
	last        atomic.Pointer[[]byte]          // the body of the last one
	answer      atomic.Pointer[json.RawMessage] // what views.open answers, made from the first one
	updated     chan []byte                     // the bodies of views.update, where somebody waits for one
	commands    atomic.Int64                    // made
	submissions atomic.Int64                    // made for anybody
	slow        atomic.Int64                    // how long Slack takes over each call, in nanoseconds
	ledger      *ledger

	recording atomic.Bool
	mu        sync.Mutex
	recorded  []call // while recording
}

func newVendors(b *testing.B) *vendors {
	b.Helper()
	book := &ledger{}
	v := &vendors{softlayer: newSoftLayer(b, book), updated: make(chan []byte, 1), ledger: book}
	mux := http.NewServeMux()
	mux.Handle("/softlayer/", http.StripPrefix("/softlayer", v.softlayer))
	mux.HandleFunc("/slack/api/views.open", v.openView)
	mux.HandleFunc("/slack/api/views.update", v.updateView)
	mux.HandleFunc("/slack/api/chat.postMessage", v.message)
	mux.HandleFunc("/slack/api/chat.update", v.message)
	for method, answer := range map[string]string{
		"auth.test": `{"ok":true,"url":"https://bench.slack.com/","team":"Bench","user":"cancel-server","team_id":"` + teamID +
			`","user_id":"U0BOT","bot_id":"B0BOT","is_enterprise_install":false}`,
		"usergroups.list": `{"ok":true,"usergroups":[{"id":"` + groupID + `","team_id":"` + teamID + `","handle":"requesters","users":["` + strings.Join(members(), `","`) + `"]}]}`,
	} {
		mux.HandleFunc("/slack/api/"+method, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			answerJSON(w, []byte(answer))
		})
	}
	mux.HandleFunc("/slack/api/users.info", func(w http.ResponseWriter, r *http.Request) {
		answerJSON(w, []byte(`{"ok":true,"user":{"id":"`+r.FormValue("user")+`","team_id":"`+teamID+`","name":"ana","real_name":"Ana Costa","profile":{"display_name":"ana"}}}`))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v.recording.Load() {
			v.record(r)
		}
		if strings.HasPrefix(r.URL.Path, "/slack/") {
			time.Sleep(time.Duration(v.slow.Load()))
		}
		mux.ServeHTTP(w, r)
	}))
	b.Cleanup(server.Close)
	v.url = server.URL
	return v
}

// record keeps a call, and its body for the code that answers it.
func (v *vendors) record(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller was ended
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.recorded = append(v.recorded, call{r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), string(body)})
}

// members are all people: as many as ask at the same time, and some more.
func members() []string {
	all := make([]string, 1000)
	for i := range all {
		all[i] = member(int64(i))
	}
	return all
}

// member is one of them; the first is userID.
func member(n int64) string { return fmt.Sprintf("U0BENCH%03d", n%1000) }

func answerJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(body) // a process that was ended does not read it
}

func (v *vendors) openView(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller was ended
	}
	v.opened.Add(1)
	v.last.Store(&body)
	answer := v.answer.Load()
	if answer == nil {
		made, err := openedView(body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		answer = &made
		v.answer.Store(answer)
	}
	answerJSON(w, *answer)
}

func (v *vendors) updateView(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller was ended
	}
	answerJSON(w, []byte(`{"ok":true,"view":{"id":"`+viewID+`","hash":"1764000001.tobench"}}`))
	keep(v.updated, body)
}

func (v *vendors) message(w http.ResponseWriter, r *http.Request) {
	v.ledger.tell(r.FormValue("text"), strings.HasSuffix(r.URL.Path, "update"))
	answerJSON(w, []byte(`{"ok":true,"channel":"C0BENCH","ts":"1764000002.000100"}`))
}

// openedView is Slack's answer to a views.open: the whole view, and what Slack knows
// about it (https://docs.slack.dev/reference/methods/views.open).
func openedView(request []byte) (json.RawMessage, error) {
	view, err := viewOf(request)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]any{
		"id": viewID, "team_id": teamID, "app_id": "A0BENCH", "bot_id": "B0BOT", "hash": "1764000000.tobench",
		"root_view_id": viewID, "previous_view_id": nil, "external_id": "", "app_installed_team_id": teamID,
		"clear_on_close": false, "notify_on_close": false, "state": map[string]any{"values": map[string]any{}},
	} {
		view[name] = value
	}
	return json.Marshal(map[string]any{"ok": true, "view": view})
}

func viewOf(request []byte) (map[string]any, error) {
	var opens struct {
		View map[string]any `json:"view"`
	}
	err := json.Unmarshal(request, &opens)
	return opens.View, err
}

// requireSameView holds a process to opening the modal that the bot opened.
func (l *lab) requireSameView(who string, bots []byte) {
	want, err := viewOf(bots)
	require.NoError(l, err)
	got, err := viewOf(*l.last.Load())
	require.NoError(l, err)
	want["private_metadata"], got["private_metadata"] = nil, nil // carries the time
	require.Equal(l, want, got, "%s opens the bot's modal", who)
}

// command is a /cancel-server of a trigger of its own.
func (v *vendors) command() url.Values {
	return url.Values{
		"token": {"gone-out-of-use"}, "team_id": {teamID}, "team_domain": {"bench"},
		"channel_id": {"C0BENCH"}, "channel_name": {"infra-changes"}, "user_id": {userID}, "user_name": {"ana"},
		"command": {"/cancel-server"}, "text": {""}, "api_app_id": {"A0BENCH"}, "is_enterprise_install": {"false"},
		"response_url": {"https://hooks.slack.com/commands/" + teamID + "/1234567890123/AbCdEfGhIjKlMnOpQrStUvWx"},
		"trigger_id":   {"1234567890123.98765432109." + strconv.FormatInt(v.commands.Add(1), 10)},
	}
}

var slackClient = &http.Client{Timeout: 10 * time.Second}

// post delivers what Slack sends, and returns what it was acknowledged with.
func post(target string, form url.Values) (said string, err error) {
	body := form.Encode()
	request, err := http.NewRequest(http.MethodPost, target, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header = signed(body)
	answer, err := slackClient.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s %q", answer.Status, text)
	}
	return string(text), err
}

func signed(body string) http.Header {
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	header.Set("X-Slack-Request-Timestamp", stamp)
	header.Set("X-Slack-Signature", signature(stamp, []byte(body)))
	return header
}

func signature(stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// keep passes an event on, and never holds up a vendor where nobody waits any more.
func keep[T any](events chan<- T, event T) {
	select {
	case events <- event:
	default:
	}
}
