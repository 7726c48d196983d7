//go:build bench

package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
	submissions atomic.Int64                    // made for anybody
	told        chan time.Time                  // when a message came in, likewise
}

func newVendors(b *testing.B) *vendors {
	b.Helper()
	v := &vendors{softlayer: newSoftLayer(b), updated: make(chan []byte, 1), told: make(chan time.Time, 1)}
	mux := http.NewServeMux()
	mux.Handle("/softlayer/", http.StripPrefix("/softlayer", v.softlayer))
	mux.HandleFunc("/slack/api/views.open", v.openView)
	mux.HandleFunc("/slack/api/views.update", v.updateView)
	mux.HandleFunc("/slack/api/chat.postMessage", v.post)
	for method, answer := range map[string]string{
		"auth.test": `{"ok":true,"url":"https://bench.slack.com/","team":"Bench","user":"cancel-server","team_id":"` + teamID +
			`","user_id":"U0BOT","bot_id":"B0BOT","is_enterprise_install":false}`,
		"chat.update":     `{"ok":true,"channel":"C0BENCH","ts":"1764000002.000100"}`,
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
	server := httptest.NewServer(mux)
	b.Cleanup(server.Close)
	v.url = server.URL
	return v
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

func (v *vendors) post(w http.ResponseWriter, r *http.Request) {
	keep(v.told, time.Now())
	_, _ = io.Copy(io.Discard, r.Body)
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
func (v *vendors) requireSameView(b *testing.B, who string, bots []byte) {
	b.Helper()
	want, err := viewOf(bots)
	require.NoError(b, err)
	got, err := viewOf(*v.last.Load())
	require.NoError(b, err)
	want["private_metadata"], got["private_metadata"] = nil, nil // carries the time
	require.Equal(b, want, got, "%s opens the bot's modal", who)
}
