package fakeslack_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// desk is the control side of a stage, over real HTTP.
type desk struct {
	*stage
	at string
}

func newDesk(s *stage) desk {
	server := httptest.NewServer(s.Control())
	s.t.Cleanup(server.Close)
	return desk{s, server.URL}
}

func (d desk) do(method, path, body string, headers ...string) (int, []byte) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.at+path, strings.NewReader(body))
	require.NoError(d.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	response, err := http.DefaultClient.Do(r)
	require.NoError(d.t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(d.t, err)
	return response.StatusCode, raw
}

// post makes a change that must succeed.
func (d desk) post(path string, body any) []byte {
	d.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(d.t, err)
	status, answer := d.do(http.MethodPost, path, string(raw))
	require.Equal(d.t, http.StatusOK, status, "%s", answer)
	return answer
}

func (d desk) get(path string) []byte {
	d.t.Helper()
	status, answer := d.do(http.MethodGet, path, "")
	require.Equal(d.t, http.StatusOK, status, "%s", answer)
	return answer
}

type fields = map[string]any

func TestTheMainJobByControlRoutes(t *testing.T) {
	t.Parallel()
	s, b := onHTTP(t, func(method string, _ map[string]any) (int, string) {
		if method == "block_suggestion" {
			return http.StatusOK, `{"options":[{"text":{"type":"plain_text","text":"db-042"},"value":"1"}]}`
		}
		return http.StatusOK, ""
	})
	d, cast := newDesk(s), s.Cast()
	var ack struct {
		Status *int    `json:"status"`
		MS     *int64  `json:"ms"`
		Error  *string `json:"error"`
	}
	require.NoError(t, json.Unmarshal(d.post("/command", fields{"user": cast.User, "channel": cast.Channel, "command": "/cancel-server", "text": ""}), &ack))
	assert.Equal(t, http.StatusOK, *ack.Status)
	assert.Empty(t, *ack.Error)
	require.NotNil(t, ack.MS)

	pick := with(input(fields{"type": "external_select", "action_id": "pick"}), fields{"block_id": "server", "dispatch_action": true})
	trigger, _ := b.requests()[0].payload["trigger_id"].(string)
	opened := s.call("views.open", fields{"trigger_id": trigger, "view": modal(pick, textInput("why", "text"))}).View
	open := decode[[]fields](t, d.get("/views?user="+cast.User))
	require.Len(t, open, 1)
	assert.Equal(t, opened.ID, open[0]["id"])
	assert.Equal(t, opened.Hash, open[0]["hash"])

	at := fields{"user": cast.User, "view": opened.ID, "block_id": "server", "action_id": "pick"}
	offered := decode[struct{ Options []fields }](t, d.post("/options", with(at, fields{"value": "db-"})))
	require.Len(t, offered.Options, 1)
	d.post("/action", with(at, fields{"selected_option": offered.Options[0]}))
	d.post("/submit", fields{"user": cast.User, "view": opened.ID, "values": fields{"why": fields{"text": fields{"value": "Replaced."}}}})
	all := b.requests()
	values := all[len(all)-1].payload["view"].(fields)["state"].(fields)["values"].(fields)
	assert.Equal(t, "1", values["server"].(fields)["pick"].(fields)["selected_option"].(fields)["value"], "what was chosen before is submitted too")
	assert.Equal(t, "Replaced.", values["why"].(fields)["text"].(fields)["value"])
	assert.JSONEq(t, "[]", string(d.get("/views?user="+cast.User)))

	again := s.open(b, modal(textInput("why", "text")))
	d.post("/close", fields{"user": cast.User, "view": again.ID})
	assert.JSONEq(t, "[]", string(d.get("/views?user="+cast.User)))

	s.call("chat.postMessage", fields{"channel": cast.Channel, "text": "done"})
	messages := decode[[]fakeslack.Message](t, d.get("/messages?channel="+cast.Channel))
	require.Len(t, messages, 1)
	assert.Equal(t, "done", messages[0].Text)
}

func TestWaitingForMessages(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		get := func(channel string) string {
			w := httptest.NewRecorder()
			s.Control().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/messages?wait=30&channel="+channel, nil))
			return w.Body.String()
		}
		began, got := time.Now(), make(chan string)
		go func() { got <- get(s.Cast().Channel) }()
		synctest.Wait()
		require.True(t, s.call("chat.postMessage", fields{"channel": s.Cast().Channel, "text": "x"}).OK)
		assert.Contains(t, <-got, `"text":"x"`, "a message ends the wait")
		assert.Zero(t, time.Since(began))
		assert.JSONEq(t, "[]", get(s.Cast().OtherChannel), "and so does the time")
		assert.Equal(t, 30*time.Second, time.Since(began))
	})
}

func TestChangingTheWorkspace(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	d, cast := newDesk(s), s.Cast()
	user := decode[fields](t, d.post("/user", fields{"id": cast.User, "patch": fields{"deleted": true, "display_name": "<!here>"}}))
	assert.Equal(t, true, user["deleted"])
	info, err := s.client().GetUserInfo(cast.User)
	require.NoError(t, err)
	assert.True(t, info.Deleted)
	assert.Equal(t, "<!here>", info.Profile.DisplayName)

	d.post("/group", fields{"id": cast.ApproveGroup, "add": []string{cast.User}, "remove": []string{cast.Approver}})
	members, err := s.client().GetUserGroupMembers(cast.ApproveGroup)
	require.NoError(t, err)
	assert.Equal(t, []string{cast.User}, members)
	d.post("/group", fields{"id": cast.ApproveGroup, "users": []string{}})
	members, err = s.client().GetUserGroupMembers(cast.ApproveGroup)
	require.NoError(t, err)
	assert.Empty(t, members)

	d.post("/channel", fields{"id": cast.PrivateChannel, "patch": fields{"bot_in": true}})
	assert.True(t, s.call("chat.postMessage", fields{"channel": cast.PrivateChannel, "text": "x"}).OK)
	d.post("/token", fields{"revoke": []string{"chat:write"}})
	assert.Equal(t, "chat:write", s.call("chat.postMessage", fields{"channel": cast.Channel, "text": "x"}).Needed)
	d.post("/token", fields{"scopes": []string{"chat:write"}})
	assert.True(t, s.call("chat.postMessage", fields{"channel": cast.Channel, "text": "x"}).OK)

	d.post("/socket", fields{"do": "deaf"})
	dial(t, s)
	dial(t, s)
	d.post("/socket", fields{"do": "swallow", "only": 1})
	assert.True(t, s.Connected(), "the other one is sound")

	whole := decode[struct {
		Users, Groups, Channels, Teams []fields
		Cast                           fakeslack.Cast
	}](t, d.get("/workspace"))
	assert.Len(t, whole.Users, 9)
	assert.Len(t, whole.Groups, 4)
	assert.Len(t, whole.Channels, 3)
	assert.Len(t, whole.Teams, 2)
	assert.Equal(t, cast, whole.Cast)
}

func TestEndpointMovesWithARestartedBot(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{Transport: fakeslack.TransportHTTP})
	d, b, cast := newDesk(s), newBot(t, silent), s.Cast()
	d.post("/endpoint", fields{"url": b.url + "/"})
	d.post("/command", fields{"user": cast.Stranger, "channel": cast.Channel, "command": "/cancel-server", "text": ""})
	assert.Equal(t, "T0STRANGER", b.requests()[0].payload["team_id"])
}

func TestSocketModeHasNoEndpoint(t *testing.T) {
	t.Parallel()
	s := onSocket(t, fakeslack.Options{}, func(*slack.Client, socketmode.Event) any { return nil })
	status, answer := newDesk(s).do("POST", "/endpoint", `{"url":"http://127.0.0.1:1"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, string(answer), "Socket Mode")
	ack, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, ack.Status, "the bot is still reached: %+v", ack)
}

func TestAMessageIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{RateLimitsOff: true})
	d := newDesk(s)
	channel := s.Cast().Channel
	post := func(arguments fields) string {
		posted := s.call("chat.postMessage", arguments)
		require.True(t, posted.OK, posted.Error)
		return posted.TS
	}
	for range 6 {
		post(fields{"channel": channel, "text": "something else"})
	}
	status, answer := d.do("GET", "/wait?channel="+channel+"&contains=Requested&timeout=0.01", "")
	assert.Equal(t, http.StatusRequestTimeout, status)
	var none struct {
		Error  string
		Newest []fakeslack.Message
	}
	require.NoError(t, json.Unmarshal(answer, &none))
	assert.Contains(t, none.Error, `none shows "Requested"`)
	assert.Len(t, none.Newest, 5)

	type held struct {
		status int
		answer []byte
	}
	waiting := make(chan held, 1)
	go func() {
		status, answer := d.do("GET", "/wait?channel="+channel+"&contains=Requested&timeout=30", "")
		waiting <- held{status, answer}
	}()
	root := post(fields{"channel": channel, "text": "x", "blocks": []any{
		map[string]any{"type": "rich_text", "elements": []any{map[string]any{"type": "rich_text_section", "elements": []any{
			map[string]any{"type": "text", "text": "Requested: db-042"}, map[string]any{"type": "link", "url": "http://127.0.0.1/tickets/7", "text": "Ticket 7"},
		}}}},
		map[string]any{"type": "actions", "block_id": "request", "elements": []any{
			map[string]any{"type": "button", "action_id": "approve", "value": "7f", "text": plain("Approve")},
			map[string]any{"type": "button", "action_id": "decline", "value": "7f", "text": plain("Decline")},
		}},
	}})
	came := <-waiting
	require.Equal(t, http.StatusOK, came.status, "%s", came.answer)
	var found fakeslack.Found
	require.NoError(t, json.Unmarshal(came.answer, &found))
	assert.Equal(t, root, found.TS)
	assert.Equal(t, []fakeslack.Button{{BlockID: "request", ActionID: "approve", Text: "Approve", Value: "7f"}, {BlockID: "request", ActionID: "decline", Text: "Decline", Value: "7f"}}, found.Buttons)
	assert.Equal(t, []string{"http://127.0.0.1/tickets/7"}, found.Links)
	assert.Empty(t, found.Thread)

	reply := post(fields{"channel": channel, "text": "and more", "thread_ts": root})
	status, answer = d.do("GET", "/wait?channel="+channel+"&contains=Requested", "")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, json.Unmarshal(answer, &found))
	require.Len(t, found.Thread, 1)
	assert.Equal(t, reply, found.Thread[0].TS)
}

func TestControlRefuses(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	d := newDesk(s)
	for _, c := range []struct {
		says, method, path, body string
		headers                  []string
		want                     int
	}{
		{"a form", "POST", "/command", "user=x", []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		{"an unknown field", "POST", "/close", `{"user":"U","view":"V","force":true}`, nil, http.StatusBadRequest},
		{"an unknown user", "POST", "/command", `{"user":"U0","channel":"` + s.Cast().Channel + `","command":"/x","text":""}`, nil, http.StatusNotFound},
		{"a command without its slash", "POST", "/command", `{"user":"` + s.Cast().User + `","channel":"` + s.Cast().Channel + `","command":"x","text":""}`, nil, http.StatusBadRequest},
		{"an endpoint elsewhere", "POST", "/endpoint", `{"url":"http://example.com"}`, nil, http.StatusBadRequest},
		{"another site's page", "POST", "/socket", `{"do":"deaf"}`, []string{"Origin", "http://example.com"}, http.StatusForbidden},
		{"a name that was rebound", "GET", "/workspace", ``, []string{"Host", "example.com"}, http.StatusForbidden},
		{"reading by POST", "POST", "/workspace", `{}`, nil, http.StatusMethodNotAllowed},
		{"a wait that is no number", "GET", "/messages?channel=" + s.Cast().Channel + "&wait=x", ``, nil, http.StatusBadRequest},
		{"a timeout that is no number", "GET", "/wait?channel=" + s.Cast().Channel + "&timeout=x", ``, nil, http.StatusBadRequest},
		{"a wait in a channel that is not there", "GET", "/wait?channel=C0&contains=x&timeout=1", ``, nil, http.StatusNotFound},
		{"a socket that is not there", "POST", "/socket", `{"do":"deaf","only":1}`, nil, http.StatusBadRequest},
		{"two objects", "POST", "/socket", `{"do":"deaf"}{}`, nil, http.StatusBadRequest},
	} {
		status, answer := d.do(c.method, c.path, c.body, c.headers...)
		assert.Equal(t, c.want, status, "%s: %s", c.says, answer)
	}
}

func TestEveryControlCallIsListed(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	d := newDesk(s)
	for _, c := range s.Calls() {
		path, _, _ := strings.Cut(c.Path, "?")
		status, answer := d.do(c.Method, path, "{")
		assert.NotContains(t, []int{http.StatusMethodNotAllowed, http.StatusInternalServerError}, status, "%s %s", c.Method, c.Path)
		assert.NotContains(t, string(answer), "404 page not found", c.Path)
		assert.NotEmpty(t, c.Doc)
		assert.Equal(t, c.Method == http.MethodPost, c.Body != "", c.Path)
	}
}

func TestManyPeopleAtOnce(t *testing.T) {
	t.Parallel()
	b := newBot(t, silent)
	s := newStage(t, fakeslack.Options{Endpoint: b.url, RateLimitsOff: true})
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 5 {
				if _, err := s.Command(context.WithoutCancel(t.Context()), typed(s)); err != nil {
					t.Errorf("typing: %v", err)
				}
				if !s.call("chat.postMessage", fields{"channel": s.Cast().Channel, "text": "x"}).OK {
					t.Error("posting failed")
				}
				s.Advance(time.Millisecond)
			}
		})
	}
	all.Wait()
	assert.Len(t, b.requests(), 80)
	triggers := map[any]bool{}
	for _, r := range b.requests() {
		triggers[r.payload["trigger_id"]] = true
	}
	assert.Len(t, s.messages(s.Cast().Channel), 80)
	assert.Len(t, triggers, 80, "each command has a trigger of its own")
}
