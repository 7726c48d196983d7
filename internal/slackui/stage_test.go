package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/overview"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// stage is the flows between a strict Slack, over signed HTTP, and a real store. Its
// SoftLayer is a rack of servers.
type stage struct {
	t       *testing.T
	slack   *fakeslack.Workspace
	cast    fakeslack.Cast
	rack    *rack
	store   *store.Store
	desk    *cancellation.Desk
	inForce atomic.Pointer[authz.Policy]
	app     *App

	dispatcher *receive.Dispatcher

	mu    sync.Mutex
	now   time.Time
	calls []fakeslack.Exchange
	after chan struct{} // closed and replaced when a call is finished
	gate  chan struct{} // views.open waits until it is closed; nil: it does not wait
	wakes int
}

// newStage opens a stage on which members of the request group may cancel without approval,
// but no server with the tag "protected".
func newStage(t *testing.T, changes ...func(*stage)) *stage {
	t.Helper()
	s := &stage{t: t, now: slacktest.Noon, rack: newRack(), after: make(chan struct{})}
	s.slack = fakeslack.New(fakeslack.Options{Seed: 7, Transport: fakeslack.TransportHTTP, RateLimitsOff: true, AckTimeout: slacktest.Unhurried, Observe: s.observe})
	s.cast = s.slack.Cast()
	api := httptest.NewServer(s.gated(s.slack.Handler()))
	t.Cleanup(api.Close)
	t.Cleanup(s.slack.Close)
	s.slack.SetURL(api.URL)

	web, err := webapi.New(webapi.Options{BotToken: s.slack.BotToken(), APIURL: api.URL + "/api/", Quick: slacktest.Unhurried})
	require.NoError(t, err)
	t.Cleanup(web.Close)
	directory := NewDirectory(DirectoryOptions{Web: web, HomeTeam: s.slack.TeamID(), Log: slacktest.Silent()})
	t.Cleanup(directory.Close)

	s.store, err = store.Open(t.Context(), store.Options{Path: storetest.File(t), Clock: s.clock, Mode: store.Serve})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })
	require.NoError(t, s.store.Bind(t.Context(), store.Binding{App: "B1", Team: s.slack.TeamID(), Account: "123456", Endpoint: "http://127.0.0.1/"}))

	s.desk = &cancellation.Desk{
		Requests: s.store, Intake: s.store, Freezes: s.store, Clock: s.store, Servers: s.rack, Tickets: s.rack, Directory: directory,
		Policy:  func() cancellation.Policy { return s.inForce.Load() },
		Account: cancellation.Account{ID: "123456", Name: "acme-prod"}, Wake: s.wake, Log: slacktest.Silent(),
		Terms: cancellation.Terms{ApprovalExpiry: 72 * time.Hour, ServersPerDay: 50},
	}
	s.policy(authz.None)
	s.app = NewApp(Options{
		Desk: s.desk, Overview: overview.New(overview.Options{Ledger: s.store, People: directory, Policy: s.inForce.Load, Log: slacktest.Silent()}), Web: web, Directory: directory, Search: s.rack, Policy: s.inForce.Load,
		Words: testWords(), Key: s.store.HMACKey(), Cards: s.store, Team: s.slack.TeamID(), Log: slacktest.Silent(),
	})
	for _, change := range changes {
		change(s)
	}
	s.dispatcher = receive.NewDispatcher(receive.DispatcherOptions{Handler: s.app, Log: slacktest.Silent(), Within: slacktest.Unhurried})
	bot := httptest.NewServer(receive.NewHTTP(receive.HTTPOptions{SigningSecrets: []string{s.slack.SigningSecret()}, Dispatcher: s.dispatcher, Log: slacktest.Silent(), Body: slacktest.Unhurried}).Routes())
	t.Cleanup(func() { require.NoError(t, s.dispatcher.Shutdown(context.Background())) })
	t.Cleanup(bot.Close)
	s.slack.SetEndpoint(bot.URL)
	t.Cleanup(s.nothingBroken)
	return s
}

// policy lets the request group ask; approvers of authz.None let it file without approval.
func (s *stage) policy(approvers ...string) {
	policy, err := authz.FromGroups(authz.Groups{
		Home: s.slack.TeamID(), Request: []string{s.cast.RequestGroup}, Approve: approvers, ProtectedTags: []string{"protected"},
	})
	require.NoError(s.t, err)
	s.inForce.Store(policy)
}

func (s *stage) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *stage) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakes++
}

func (s *stage) advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *stage) observe(x fakeslack.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, x)
	close(s.after)
	s.after = make(chan struct{})
}

// holdOpening keeps Slack from opening a form until gate is closed.
func (s *stage) holdOpening(gate chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
}

func (s *stage) gated(api http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		gate := s.gate
		s.mu.Unlock()
		if gate != nil && strings.HasSuffix(r.URL.Path, "/views.open") {
			<-gate
		}
		api.ServeHTTP(w, r)
	})
}

// finished is closed when the next call has been finished.
func (s *stage) finished() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.after
}

// nothingBroken holds that no view, message or answer broke a rule of Slack's.
func (s *stage) nothingBroken() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.calls {
		require.Empty(s.t, x.Broke, "%s: %s", x.Method, x.Request)
	}
}

// count is how often Slack saw a method called.
func (s *stage) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, x := range s.calls {
		if x.Method == method {
			n++
		}
	}
	return n
}

func (s *stage) command(user, text string) fakeslack.Ack {
	s.t.Helper()
	before := s.answers()
	ack, err := s.slack.Command(s.t.Context(), fakeslack.Command{User: user, Channel: s.cast.Channel, Command: "/cancel-server", Text: text})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	if string(ack.Body) == "null" {
		s.answered(before)
	}
	return ack
}

// reads is what somebody reads in answer to a command that opens no form, wherever it comes.
func (s *stage) reads(user, text string) string {
	s.t.Helper()
	before := s.count("response_url")
	ack := s.command(user, text)
	if string(ack.Body) != "null" {
		assert.Contains(s.t, string(ack.Body), `"ephemeral"`)
		return slacktest.TextOf(ack.Body)
	}
	s.until(func() bool { return s.count("response_url") > before }, "the bot says why no form opened")
	newest := s.newest(user)
	blocks, err := json.Marshal(newest.Blocks)
	require.NoError(s.t, err)
	return newest.Text + slacktest.TextOf(blocks)
}

// answers is how often the bot has opened a form or written to somebody, by any method.
func (s *stage) answers() int {
	return s.count("views.open") + s.count("response_url") + s.count("chat.postMessage")
}

// answered waits until the bot has answered once more since it had this many times.
func (s *stage) answered(before int) {
	s.t.Helper()
	s.until(func() bool { return s.answers() > before }, "the bot opens a form or says why not")
}

// open is what everybody has open, for a failure's message.
func (s *stage) open() (views []string) {
	for _, user := range []string{s.cast.User, s.cast.Requester, s.cast.Approver} {
		of, _ := s.slack.Views(user)
		for _, v := range of {
			views = append(views, string(v.View))
		}
	}
	return views
}

// until waits for what a call of the bot's brings about.
func (s *stage) until(so func() bool, promise string) {
	s.t.Helper()
	patience := time.After(20 * time.Second)
	for {
		called := s.finished()
		if so() {
			return
		}
		select {
		case <-called:
		case <-patience:
			require.Fail(s.t, promise, "what is open: %v", s.open())
		}
	}
}

// top is the view on top of what a person has open.
func (s *stage) top(user string) fakeslack.View {
	s.t.Helper()
	open, err := s.slack.Views(user)
	require.NoError(s.t, err)
	require.NotEmpty(s.t, open, "a view is open")
	return open[len(open)-1]
}

func (s *stage) waitFor(user, text string) (found fakeslack.View) {
	s.t.Helper()
	s.until(func() bool { // only a call of the bot's changes the modal
		open, err := s.slack.Views(user)
		require.NoError(s.t, err)
		if len(open) == 0 {
			return false
		}
		found = open[len(open)-1]
		return strings.Contains(slacktest.TextOf(found.View), text)
	}, "the modal shows "+strconv.Quote(text))
	return found
}

// choose picks a server in the typeahead, as Slack sends it.
func (s *stage) choose(user string, server int64) fakeslack.View {
	s.t.Helper()
	view := s.top(user)
	ack, err := s.slack.Act(s.t.Context(), fakeslack.Action{
		User: user, View: view.ID, BlockID: words.ServerBlock, ActionID: words.ServerAction, SelectedOption: option(server),
		Values: fakeslack.Values{words.ServerBlock: {words.ServerAction: {"selected_option": option(server)}}},
	})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error)
	return view
}

func option(server int64) map[string]any {
	id := strconv.FormatInt(server, 10)
	return map[string]any{"value": id, "text": map[string]any{"type": "plain_text", "text": "server " + id}}
}

// filled is a form for one server, filled in as it should be.
func filled(server int64, name string) fakeslack.Values {
	return fakeslack.Values{
		words.ServerBlock:                         {words.ServerAction: {"selected_option": option(server)}},
		words.ReasonBlock:                         {words.ReasonAction: {"selected_option": map[string]any{"value": "No longer needed", "text": map[string]any{"type": "plain_text", "text": "No longer needed"}}}},
		words.ContentBlock:                        {words.ContentAction: {"value": "Replaced by db-060. Last backup 20 Nov."}},
		words.BlockOf(words.ConfirmBlock, server): {words.ConfirmAction: {"value": name}},
	}
}

func (s *stage) submit(user string, values fakeslack.Values) map[string]any {
	s.t.Helper()
	ack, err := s.slack.Submit(s.t.Context(), fakeslack.Submission{User: user, View: s.top(user).ID, Values: values})
	require.NoError(s.t, err)
	require.Empty(s.t, ack.Error, "Slack takes the answer %s", ack.Body)
	var body map[string]any
	require.NoError(s.t, json.Unmarshal(ack.Body, &body))
	return body
}

// opened is a person's modal with one server's card on it.
func (s *stage) opened(user string, server int64, name string) {
	s.t.Helper()
	s.command(user, strconv.FormatInt(server, 10))
	s.waitFor(user, "Type "+name+" to confirm")
}

// live is the request that holds a server, if there is one.
func (s *stage) live(server int64) (cancellation.Request, bool) {
	s.t.Helper()
	r, err := s.store.Live(s.t.Context(), server)
	if errors.Is(err, cancellation.ErrNoRequest) {
		return r, false
	}
	require.NoError(s.t, err)
	return r, true
}

// rack is a SoftLayer of a few servers.
type rack struct {
	mu      sync.Mutex
	servers map[int64]cancellation.Server
	failing error
	gates   map[int64]chan struct{} // reading this server waits for its gate
	waiting chan struct{}           // has a place for one reading that waits
	reads   int
}

func newRack() *rack {
	db, web, twin := slacktest.DBServer(), slacktest.DBServer(), slacktest.DBServer()
	web.ID, web.Hostname, web.FQDN, web.PrivateIP = 1234568, "web-001", "web-001.stg.example.com", "10.3.4.6"
	web.Billing = &cancellation.Billing{ID: 78, NextBillDate: db.Billing.NextBillDate, MonthlyTotal: "99.00"}
	twin.ID, twin.Domain, twin.FQDN, twin.PrivateIP = 1234569, "prod.example.com", "db-042.prod.example.com", "10.9.9.9"
	twin.Tags = []string{"protected"}
	return &rack{
		waiting: make(chan struct{}, 1),
		servers: map[int64]cancellation.Server{db.ID: db, web.ID: web, twin.ID: twin},
		gates:   make(map[int64]chan struct{}),
	}
}

func (r *rack) set(s cancellation.Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.servers[s.ID] = s
}

// hold makes reading a server wait for the gate.
func (r *rack) hold(id int64, gate chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gates[id] = gate
}

func (r *rack) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = err
}

func (r *rack) Server(ctx context.Context, id int64) (cancellation.Server, error) {
	r.mu.Lock()
	s, found := r.servers[id]
	gate, err := r.gates[id], r.failing
	r.reads++
	r.mu.Unlock()
	if gate != nil {
		select {
		case r.waiting <- struct{}{}:
		default:
		}
		select {
		case <-gate:
		case <-ctx.Done():
			return cancellation.Server{}, ctx.Err()
		}
	}
	if err == nil && !found {
		err = cancellation.ErrServerNotFound
	}
	return s, err
}

func (r *rack) Namesakes(_ context.Context, hostname string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, s := range r.servers {
		if s.Hostname == hostname {
			n++
		}
	}
	return n, r.failing
}

func (r *rack) Search(_ context.Context, query string, limit int) ([]cancellation.Server, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failing != nil {
		return nil, r.failing
	}
	var found []cancellation.Server
	for id := int64(1234567); id < 1234567+1000 && len(found) < limit; id++ {
		s, there := r.servers[id]
		if there && (strings.HasPrefix(s.FQDN, query) || strconv.FormatInt(id, 10) == query || strings.HasPrefix(s.PrivateIP, query)) {
			found = append(found, s)
		}
	}
	return found, nil
}

func (r *rack) Cutoff(context.Context, string) (string, error) {
	return "2026-11-28T23:59:59-06:00", nil
}

func (r *rack) Ticket(_ context.Context, id int64) (cancellation.Ticket, error) {
	return cancellation.Ticket{TicketID: cancellation.TicketID{ID: id}, Open: true}, nil
}

func (r *rack) TicketsOf(context.Context, int64, time.Time) ([]cancellation.Ticket, error) {
	return nil, nil
}

func (r *rack) Rights(context.Context) (cancellation.Rights, error) {
	return cancellation.Rights{ViewTickets: true}, nil
}

func (r *rack) Account(context.Context) (cancellation.Account, error) {
	return cancellation.Account{ID: "123456", Name: "acme-prod"}, nil
}

func testWords() words.Writer {
	return words.Writer{
		PeopleResolve: func() bool { return true },
		TicketURL: func(t cancellation.TicketID) string {
			if strings.HasPrefix(t.Number, "CS") {
				return "https://cloud.ibm.com/unifiedsupport/cases?number=" + t.Number
			}
			return "https://cloud.ibm.com/unifiedsupport/cases"
		},
		PostTimeout: 90 * time.Second, SettleTime: 5 * time.Minute,
	}
}

func decoded(t testing.TB, raw []byte) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal(raw, &value))
	return value
}
