//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// ask makes a request and returns its status and body.
func ask(t *testing.T, method, address, body string, set func(*http.Request)) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/json")
	}
	if set != nil {
		set(request)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

func TestPagesAndSteeringAnswerOnlyThisSandbox(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	address, err := url.Parse(r.url)
	require.NoError(t, err)
	local := "localhost:" + address.Port()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(value string) func(*http.Request) { return func(r *http.Request) { r.Host = value } }
	cases := []struct {
		says string
		set  func(*http.Request)
		want int
	}{
		{"a plain request is answered", nil, 200},
		{"localhost is this machine", host(local), 200},
		{"its own page may ask", header("Origin", r.url), 200},
		{"its own page on localhost may ask", func(r *http.Request) { r.Host = local; r.Header.Set("Origin", "http://"+local) }, 200},
		{"the browser says it is the same site", header("Sec-Fetch-Site", "same-origin"), 200},
		{"a person opens the address", header("Sec-Fetch-Site", "none"), 200},
		{"a rebound name is refused", host("evil.example"), 403},
		{"a rebound name with our port is refused", host("evil.example:" + address.Port()), 403},
		{"another port is refused", host("127.0.0.1:1"), 403},
		{"the address without its port is refused", host("127.0.0.1"), 403},
		{"another site's page is refused", header("Origin", "https://evil.example"), 403},
		{"a page of another port is refused", header("Origin", "http://127.0.0.1:1"), 403},
		{"a page without an origin is refused", header("Origin", "null"), 403},
		{"an empty origin is refused", header("Origin", ""), 403},
		{"localhost's page at the other name is refused", header("Origin", "http://"+local), 403},
		{"another site's fetch is refused", header("Sec-Fetch-Site", "cross-site"), 403},
		{"a neighbour's fetch is refused", header("Sec-Fetch-Site", "same-site"), 403},
	}
	for _, c := range cases {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/", "/softlayer/", "/control/", "/control/workspace", "/control/tickets"} {
				status, _ := ask(t, http.MethodGet, r.url+path, "", c.set)
				assert.Equal(t, c.want, status, "GET %s", path)
			}
			status, _ := ask(t, http.MethodPost, r.url+"/control/clock", `{"advance":1}`, c.set)
			assert.Equal(t, c.want, status, "POST /control/clock")
		})
	}
	t.Run("the imitated APIs answer any client, as the vendors' do", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/slack/api/auth.test", "/softlayer/rest/v3.1/SoftLayer_Account"} {
			status, _ := ask(t, http.MethodGet, r.url+path, "", header("Origin", "https://elsewhere.example"))
			assert.NotEqual(t, http.StatusForbidden, status, path)
		}
	})
}

func TestPagesCarrySecurityHeaders(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	for _, path := range []string{"/", "/softlayer/", "/control/"} {
		response, err := http.Get(r.url + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		h := response.Header
		assert.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors", path)
		assert.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", path)
		assert.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "same-origin", h.Get("Cross-Origin-Resource-Policy"), path)
	}
}

func TestChangesAreJSON(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	for name, c := range map[string]struct {
		path, body, kind string
		want             int
	}{
		"JSON is taken":                       {"/control/clock", `{"advance":"1s"}`, "application/json", 200},
		"JSON with a charset is taken":        {"/control/clock", `{"advance":1.5}`, "application/json; charset=utf-8", 200},
		"a form is refused":                   {"/control/clock", "advance=1s", "application/x-www-form-urlencoded", 415},
		"plain text is refused":               {"/control/clock", `{"advance":"1s"}`, "text/plain", 415},
		"no type is refused":                  {"/control/clock", `{"advance":"1s"}`, "", 415},
		"a form is refused at Slack's":        {"/control/command", "a=b", "application/x-www-form-urlencoded", 415},
		"a form is refused at SoftLayer's":    {"/control/server", "a=b", "application/x-www-form-urlencoded", 415},
		"an unknown field is refused":         {"/control/clock", `{"advance":"1s","by":"me"}`, "application/json", 400},
		"two values are refused":              {"/control/clock", `{"advance":"1s"}{}`, "application/json", 400},
		"no body is refused":                  {"/control/clock", "", "application/json", 400},
		"a body over the limit is refused":    {"/control/clock", `{"advance":"` + strings.Repeat("1", maxControlBody) + `"}`, "application/json", 400},
		"the clock does not go back":          {"/control/clock", `{"advance":"-1s"}`, "application/json", 400},
		"the clock does not stand":            {"/control/clock", `{}`, "application/json", 400},
		"the clock does not go back to":       {"/control/clock", `{"to":"2020-01-01T00:00:00Z"}`, "application/json", 400},
		"the clock does not leap too far to":  {"/control/clock", `{"to":"9999-01-01T00:00:00Z"}`, "application/json", 400},
		"the clock does one thing":            {"/control/clock", `{"advance":1,"to":"2099-01-01T00:00:00Z"}`, "application/json", 400},
		"the clock goes to a moment":          {"/control/clock", `{"to":"tomorrow"}`, "application/json", 400},
		"staff do what staff can":             {"/control/staff", `{"ticket":1,"do":"dance"}`, "application/json", 400},
		"a pod is announced to close":         {"/control/pod", `{"id":"fra02.pod01","closing":true}`, "application/json", 200},
		"an unknown pod does not close":       {"/control/pod", `{"id":"dal09.pod03","closing":true}`, "application/json", 400},
		"the clock does not leap too far":     {"/control/clock", `{"advance":1e300}`, "application/json", 400},
		"a fault is at slack or softlayer":    {"/control/fault", `{"at":"aws","method":"*","fault":"slow"}`, "application/json", 400},
		"an unknown fault is refused":         {"/control/fault", `{"at":"slack","method":"views.open","fault":"flu"}`, "application/json", 400},
		"a fault that never comes is refused": {"/control/fault", `{"at":"slack","method":"views.open","fault":"slow","times":0}`, "application/json", 400},
		"what never was is not replayed":      {"/control/replay", `{"n":1}`, "application/json", 400},
		"an unknown call is not found":        {"/control/nonsense", `{}`, "application/json", 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := ask(t, http.MethodPost, r.url+c.path, c.body, func(r *http.Request) { r.Header.Set("Content-Type", c.kind) })
			assert.Equal(t, c.want, status, answer)
			if c.want >= 400 {
				assert.Contains(t, answer, `"error"`)
			}
		})
	}
}

// designed are the control calls that the sandbox promises.
func designed() []string {
	return []string{
		"GET /control/", "GET /control/workspace", "POST /control/command", "GET /control/views", "POST /control/options",
		"POST /control/action", "POST /control/submit", "POST /control/close", "GET /control/messages", "GET /control/calls",
		"POST /control/fault", "GET /control/faults", "POST /control/replay", "POST /control/user", "POST /control/group",
		"POST /control/channel", "POST /control/token", "POST /control/server", "POST /control/ticket", "POST /control/key",
		"POST /control/socket", "POST /control/endpoint", "POST /control/clock", "GET /control/tickets", "GET /control/servers",
		"POST /control/shortcut", "POST /control/say", "GET /control/bot", "POST /control/bot", "DELETE /control/faults",
		"POST /control/home", "GET /control/home", "POST /control/manifest",
		"POST /control/staff", "POST /control/pod",
	}
}

func TestTheListNamesEveryCallAndEveryFault(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	status, body := ask(t, http.MethodGet, r.url+"/control/", "", nil)
	require.Equal(t, 200, status)
	var list struct {
		Calls   []controlCall                      `json:"calls"`
		Faults  map[string][]faultName             `json:"faults"`
		Methods map[string][]fakeslack.FaultMethod `json:"methods"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))

	var listed []string
	for _, c := range list.Calls {
		path, _, _ := strings.Cut(c.Path, "?")
		listed = append(listed, c.Method+" "+path)
		assert.NotEmpty(t, c.Doc, c.Path)
		assert.Equal(t, c.Method == http.MethodPost, c.Body != "", "%s: a change tells its body, a question has none", c.Path)
	}
	for _, promised := range designed() {
		assert.Contains(t, listed, promised)
	}
	for _, call := range listed {
		method, path, _ := strings.Cut(call, " ")
		body := ""
		if method == http.MethodPost {
			body = `{"no such field":1}` // reaches the call and changes nothing
		}
		status, answer := ask(t, method, r.url+path, body, nil)
		assert.False(t, strings.Contains(answer, "no control call") || status == http.StatusMethodNotAllowed, "%s is listed and not served", call)
	}

	var slack, softlayer []string
	for _, f := range list.Faults["slack"] {
		slack = append(slack, f.Name)
	}
	for _, f := range list.Faults["softlayer"] {
		softlayer = append(softlayer, f.Name)
	}
	assert.Equal(t, fakeslack.FaultNames(), slack)
	assert.Subset(t, softlayer, []string{"slow", "error_after", "drop_after", "rate_limit"})
	for at, methods := range list.Methods {
		for _, m := range methods {
			for _, fault := range m.Faults {
				order := fmt.Sprintf(`{"at":%q,"method":%q,"fault":%q}`, at, m.Method, fault)
				status, answer := ask(t, http.MethodPost, r.url+"/control/fault", order, nil)
				assert.Equal(t, 200, status, answer)
			}
		}
	}
}

func TestJournalNumbersTheCallsOfBothFakes(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	ask(t, http.MethodPost, r.url+"/slack/api/auth.test", "{}", nil)
	ask(t, http.MethodGet, r.url+"/softlayer/rest/v3.1/SoftLayer_Account/getObject.json?objectMask=mask%5Bid%5D", "", nil)
	ask(t, http.MethodPost, r.url+"/slack/api/users.info", "{}", nil)
	ask(t, http.MethodGet, r.url+"/control/workspace", "", nil)

	calls := readCalls(t, r, 0)
	require.Len(t, calls, 3, "steering is no call between Slack, bot and SoftLayer")
	for i, want := range []call{
		{N: 1, From: "bot", To: "slack", Method: "auth.test", Status: 200},
		{N: 2, From: "bot", To: "softlayer", Method: "SoftLayer_Account/getObject", Status: 401},
		{N: 3, From: "bot", To: "slack", Method: "users.info", Status: 200},
	} {
		got := calls[i]
		assert.WithinDuration(t, time.Now(), got.At, time.Minute)
		assert.NotNil(t, got.Response)
		assert.NotNil(t, got.Broke, "broke is a list, also an empty one")
		assert.Equal(t, want, call{N: got.N, From: got.From, To: got.To, Method: got.Method, Status: got.Status})
	}
	assert.Contains(t, calls[1].HTTP, "objectMask", "a call by GET shows what it asked")
	assert.Len(t, readCalls(t, r, 2), 1)
	assert.Empty(t, readCalls(t, r, 3))
	status, _ := ask(t, http.MethodGet, r.url+"/control/calls?after=x", "", nil)
	assert.Equal(t, http.StatusBadRequest, status)
}

func readCalls(t *testing.T, r *ran, after int) []call {
	t.Helper()
	status, body := ask(t, http.MethodGet, fmt.Sprintf("%s/control/calls?after=%d", r.url, after), "", nil)
	require.Equal(t, 200, status)
	var calls []call
	require.NoError(t, json.Unmarshal([]byte(body), &calls))
	return calls
}

func TestTheJournalForgetsTheOldest(t *testing.T) {
	t.Parallel()
	t.Run("by number", func(t *testing.T) {
		t.Parallel()
		var j journal
		for i := range maxCalls + 10 {
			j.observeSlack(fakeslack.Exchange{Method: "slash_command", Delivery: i + 1000})
		}
		kept := j.after(0)
		require.Len(t, kept, maxCalls)
		assert.Equal(t, 11, kept[0].N)
		assert.Len(t, j.after(maxCalls), 10)
		assert.Len(t, j.after(-5), maxCalls)
		assert.Empty(t, j.after(maxCalls+500))
		assert.Zero(t, j.delivery(10), "forgotten")
		assert.Equal(t, 1010, j.delivery(11))
		assert.Equal(t, maxCalls+1009, j.delivery(maxCalls+10))
		assert.Zero(t, j.delivery(maxCalls+11), "not yet")
		assert.Zero(t, j.delivery(-1))
	})
	t.Run("by the size of its bodies", func(t *testing.T) {
		t.Parallel()
		var j journal
		body := strings.Repeat("x", 1<<20)
		for range 100 {
			j.observeSoftLayer(fakesoftlayer.Exchange{Request: body, Response: json.RawMessage(`{}`)})
		}
		kept := j.after(0)
		assert.Len(t, kept, maxCallsBytes>>20-1, "64 of them and their answers are over the bound")
		assert.Equal(t, 100, kept[len(kept)-1].N)
	})
}

func TestSlacksRequestsCanBeReplayed(t *testing.T) {
	t.Parallel()
	w := openHTTPWorld(t, time.Minute)
	got := make(chan [2]string, 10) // signature and body
	bot := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			got <- [2]string{r.Header.Get("X-Slack-Signature"), string(body)}
		}
	}))
	t.Cleanup(bot.Close)
	w.slack.SetEndpoint(bot.URL)
	close(w.bot.begun)
	typeCommand(t, w)
	first := <-got

	status, ack := ask(t, http.MethodPost, w.url+"/control/replay", `{"n":1,"same_bytes":true}`, nil)
	assert.Equal(t, 200, status, ack)
	assert.Contains(t, ack, `"status":200`)
	assert.Equal(t, first, <-got, "byte for byte")
	status, ack = ask(t, http.MethodPost, w.url+"/control/replay", `{"n":1}`, nil)
	assert.Equal(t, 200, status, ack)
	assert.Equal(t, first[1], (<-got)[1], "newly signed, the same body")

	var methods []string
	for _, c := range w.journal.after(0) {
		methods = append(methods, c.Method)
	}
	assert.Equal(t, []string{"slash_command", "slash_command", "slash_command"}, methods, "each delivery is in the journal")
}

func TestAFaultStrikesAsOftenAsOrdered(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	for _, c := range []struct{ order, method, path string }{
		{`{"at":"slack","method":"auth.test","fault":"error_503"}`, http.MethodPost, "/slack/api/auth.test"},
		{`{"at":"softlayer","method":"SoftLayer_Account/getObject","fault":"html","times":1}`, http.MethodGet, "/softlayer/rest/v3.1/SoftLayer_Account/getObject"},
	} {
		status, answer := ask(t, http.MethodPost, r.url+"/control/fault", c.order, nil)
		require.Equal(t, 200, status, answer)
		assert.JSONEq(t, `{"ok":true}`, answer)
		struck, _ := ask(t, c.method, r.url+c.path, "", nil)
		spared, _ := ask(t, c.method, r.url+c.path, "", nil)
		assert.GreaterOrEqual(t, struck, 500, c.order)
		assert.Less(t, spared, 500, c.order)
	}
}

func TestArmedFaultsAreListedAndCleared(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	faults := func() string {
		status, answer := ask(t, http.MethodGet, r.url+"/control/faults", "", nil)
		require.Equal(t, 200, status, answer)
		return answer
	}
	remove := func(query string, want int) {
		status, answer := ask(t, http.MethodDelete, r.url+"/control/faults"+query, "", nil)
		require.Equal(t, 200, status, answer)
		assert.JSONEq(t, fmt.Sprintf(`{"ok":true,"cleared":%d}`, want), answer, query)
	}
	arm := func() {
		for _, order := range []string{
			`{"at":"slack","method":"auth.test","fault":"error_503","times":2}`,
			`{"at":"slack","method":"slash_command","fault":"redeliver"}`,
			`{"at":"softlayer","method":"*","fault":"html","times":3}`,
		} {
			status, answer := ask(t, http.MethodPost, r.url+"/control/fault", order, nil)
			require.Equal(t, 200, status, answer)
		}
	}
	assert.JSONEq(t, `[]`, faults(), "nothing is armed at first")
	arm()
	ask(t, http.MethodPost, r.url+"/slack/api/auth.test", "", nil)
	ask(t, http.MethodGet, r.url+"/softlayer/rest/v3.1/SoftLayer_Account/getObject", "", nil)
	assert.JSONEq(t, `[
		{"at":"slack","method":"auth.test","fault":"error_503","left":1},
		{"at":"slack","method":"slash_command","fault":"redeliver","left":1},
		{"at":"softlayer","method":"*","fault":"html","left":2}]`, faults(), "each with what is left of it")

	remove("?method=slash_command", 1)
	remove("?at=softlayer&method=auth.test", 0)
	remove("?at=slack", 1)
	assert.JSONEq(t, `[{"at":"softlayer","method":"*","fault":"html","left":2}]`, faults())
	arm()
	remove("", 4)
	assert.JSONEq(t, `[]`, faults())
	struck, _ := ask(t, http.MethodPost, r.url+"/slack/api/auth.test", "", nil)
	assert.Equal(t, 200, struck, "a cleared fault strikes no more")

	status, answer := ask(t, http.MethodDelete, r.url+"/control/faults?at=aws", "", nil)
	assert.Equal(t, 400, status, answer)
	status, _ = ask(t, http.MethodDelete, r.url+"/control/faults", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") })
	assert.Equal(t, 403, status, "another site's page clears nothing")
}

func TestTheClockIsThatOfBothFakes(t *testing.T) {
	t.Parallel()
	w, err := openWorld(options{listen: "127.0.0.1:0", servers: 50, seed: 1}, time.Second, io.Discard)
	require.NoError(t, err)
	defer w.close()
	slackTime := func() float64 {
		body := fmt.Sprintf(`{"channel":%q,"text":"tick"}`, w.slack.Cast().Channel)
		_, answer := ask(t, http.MethodPost, w.url+"/slack/api/chat.postMessage", body, func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+w.slack.BotToken())
		})
		var posted struct{ TS string }
		require.NoError(t, json.Unmarshal([]byte(answer), &posted), answer)
		ts, err := strconv.ParseFloat(posted.TS, 64)
		require.NoError(t, err, answer)
		return ts
	}
	slack, softlayer := slackTime(), w.softlayer.Now()
	status, answer := ask(t, http.MethodPost, w.url+"/control/clock", `{"advance":"72h"}`, nil)
	require.Equal(t, 200, status, answer)
	assert.InDelta(t, (72 * time.Hour).Seconds(), slackTime()-slack, 60)
	assert.InDelta(t, 72*time.Hour, w.softlayer.Now().Sub(softlayer), float64(time.Minute))
}

// What a person, or a bot's tests, can do after the ticket: staff answer and approve, and time
// passes until the server is gone.
func TestStaffAndTheClockEndAServer(t *testing.T) {
	t.Parallel()
	w, err := openWorld(options{listen: "127.0.0.1:0", servers: 50, seed: 1}, time.Second, io.Discard)
	require.NoError(t, err)
	defer w.close()
	call := func(method, parameters string, into any) int {
		status, answer := ask(t, http.MethodPost, w.url+"/softlayer/rest/v3.1/"+method, `{"parameters":[`+parameters+`]}`, func(r *http.Request) {
			r.SetBasicAuth(w.softlayer.Username(), w.softlayer.APIKey())
		})
		if status == http.StatusOK {
			require.NoError(t, json.Unmarshal([]byte(answer), into), answer)
		}
		return status
	}
	var filed struct{ ID int64 }
	require.Equal(t, 200, call("SoftLayer_Ticket/createCancelServerTicket", fmt.Sprintf(`%d,"No longer needed","x",false,"HARDWARE"`, w.server), &filed))
	staff := func(order string) {
		status, answer := ask(t, http.MethodPost, w.url+"/control/staff", fmt.Sprintf(`{"ticket":%d,%s}`, filed.ID, order), nil)
		require.Equal(t, 200, status, answer)
	}
	var waits bool
	staff(`"do":"answer","text":"Is this the one?","waits_for_customer":true`)
	call(fmt.Sprintf("SoftLayer_Ticket/%d/getAwaitingUserResponseFlag", filed.ID), "", &waits)
	assert.True(t, waits)
	staff(`"do":"approve","text":"Approved."`)
	var billing struct{ CancellationDate time.Time }
	require.Equal(t, 200, call(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", w.server), "", &billing))
	require.False(t, billing.CancellationDate.IsZero())

	server := fmt.Sprintf("SoftLayer_Hardware_Server/%d/getObject", w.server)
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{-time.Minute, 200}, {time.Minute, 200}, {25 * time.Hour, 404}} {
		to := billing.CancellationDate.Add(c.after).Format(time.RFC3339)
		status, answer := ask(t, http.MethodPost, w.url+"/control/clock", fmt.Sprintf(`{"to":%q}`, to), nil)
		require.Equal(t, 200, status, answer)
		assert.WithinDuration(t, billing.CancellationDate.Add(c.after), w.softlayer.Now(), time.Minute)
		assert.Equal(t, c.want, call(server, "", &struct{}{}), "%v after the date", c.after)
	}
}

func TestACommandWaitsForTheBot(t *testing.T) {
	t.Parallel()
	t.Run("it is delivered as soon as the bot answers", func(t *testing.T) {
		t.Parallel()
		w := openHTTPWorld(t, time.Minute)
		typed := make(chan string, 1)
		go func() { typed <- typeCommand(t, w) }()
		bot := newQuietBot(t)
		w.slack.SetEndpoint(bot)
		close(w.bot.begun)
		assert.Contains(t, <-typed, `"status":200`)
	})
	t.Run("it is delivered to nobody when the time is over", func(t *testing.T) {
		t.Parallel()
		w := openHTTPWorld(t, time.Millisecond)
		addresses, err := freeAddresses(1)
		require.NoError(t, err)
		w.slack.SetEndpoint("http://" + addresses[0])
		close(w.bot.begun)
		assert.Contains(t, typeCommand(t, w), `"dispatch_failed"`)
	})
	t.Run("a shortcut waits as a command does", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := &world{bot: &bot{begun: make(chan struct{})}, reach: time.Minute, slack: fakeslack.New(fakeslack.Options{})}
			defer w.slack.Close()
			var delivered atomic.Int32
			steering := w.whenReachable(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { delivered.Add(1) }))
			for _, used := range []any{
				fakeslack.Shortcut{User: "U1", CallbackID: "cancel-server"}, fakeslack.Command{User: "U1", Channel: "C1", Command: "/cancel-server"},
			} {
				body, err := json.Marshal(used)
				require.NoError(t, err)
				go steering.ServeHTTP(nil, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body)))
			}
			synctest.Wait()
			close(w.bot.begun)
			time.Sleep(w.reach - time.Second)
			assert.Zero(t, delivered.Load(), "the bot may still come")
			time.Sleep(2 * time.Second)
			assert.EqualValues(t, 2, delivered.Load())
		})
	})
	t.Run("what is no command is refused at once", func(t *testing.T) {
		t.Parallel()
		w := openHTTPWorld(t, time.Hour)
		for _, body := range []string{"", "{}", `{"user":"U1","command":"/cancel-server","shout":true}`} {
			status, _ := ask(t, http.MethodPost, w.url+"/control/command", body, nil)
			assert.GreaterOrEqual(t, status, 400, body)
		}
	})
	t.Run("a person who leaves sends nothing", func(t *testing.T) {
		t.Parallel()
		w := openHTTPWorld(t, time.Minute)
		ctx, leave := context.WithCancel(t.Context())
		leave()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, strings.NewReader(`{"user":"U1","command":"/cancel-server"}`))
		require.NoError(t, err)
		delivered := false
		w.whenReachable(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { delivered = true })).ServeHTTP(nil, request)
		assert.False(t, delivered)
	})
}

func openHTTPWorld(t *testing.T, reach time.Duration) *world {
	t.Helper()
	w, err := openWorld(options{listen: "127.0.0.1:0", servers: 50, seed: 1, transport: fakeslack.TransportHTTP, ackTimeout: unhurried}, reach, io.Discard)
	require.NoError(t, err)
	t.Cleanup(w.close)
	return w
}

func typeCommand(t *testing.T, w *world) string {
	return steerIn(t, w, "command", fakeslack.Command{User: w.slack.Cast().User, Channel: w.slack.Cast().Channel, Command: "/cancel-server"})
}

// steerIn makes a control call, from any goroutine.
func steerIn(t *testing.T, w *world, call string, what any) string {
	body, err := json.Marshal(what)
	if !assert.NoError(t, err) {
		return ""
	}
	response, err := http.Post(w.url+"/control/"+call, "application/json", strings.NewReader(string(body)))
	if !assert.NoError(t, err) {
		return ""
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	assert.NoError(t, err)
	return string(answer)
}

// TestTheSettingsAreTheBots compares the names that are kept from the child with
// those that the bot reads, so that none of the parent's slips through later.
func TestTheSettingsAreTheBots(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob(filepath.Join("..", "bot", "*.go"))
	require.NoError(t, err)
	row := regexp.MustCompile(`(?m)^\trow\("([A-Z_]+)"`)
	found := 0
	for _, source := range sources {
		text, err := os.ReadFile(source)
		require.NoError(t, err)
		for _, match := range row.FindAllStringSubmatch(string(text), -1) {
			found++
			assert.True(t, isSetting(match[1]), "%s is a setting of the bot's", match[1])
			assert.True(t, isSetting(match[1]+"_FILE"), "%s_FILE", match[1])
		}
	}
	assert.Greater(t, found, 15, "the bot's settings were found")
	for _, name := range []string{"PATH", "HOME", "GOFLAGS", "HTTP_PROXY", "MY_POLICY_FILE"} {
		assert.False(t, isSetting(name), name)
	}
}
