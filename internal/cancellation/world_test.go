package cancellation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// world is what the domain meets: a SoftLayer with one server and its tickets, a
// Slack with one channel, and the real store in a real file. Its knobs are set
// before or between the steps of a test; everything runs on virtual time.
type world struct {
	t  *testing.T
	mu sync.Mutex

	server     cancellation.Server
	gone       bool
	tickets    []cancellation.Ticket
	rights     cancellation.Rights
	reading    error // every read of SoftLayer's fails with this
	away       error // and so does the question that concerns no request: the vendor answers nobody
	asked      int   // how often that was asked
	unreadable int64 // this server's read fails
	fleet      int64 // so many servers more, with the ids that follow

	answers []func(w *world, o cancellation.Order) cancellation.Outcome // one a POST; then ordinary
	posts   []post

	person    authz.Principal
	personErr error
	rulebook
	others    map[string]authz.Principal                                // people beside Ana, by their id here
	rules     *authz.Policy                                             // is in force instead of the rulebook; nil for none
	judge     func(o cancellation.Order, answered cancellation.Outcome) // sees each POST at its moment
	terms     cancellation.Terms
	perHour   int           // filings; 0 for the usual
	elsewhere int64         // requests that other replicas filed
	notify    string        // the operators' channel
	idle      time.Duration // how often a worker looks around where nothing rang; 0 for a minute

	deliveries []cancellation.Delivery         // one a Post; then Delivered
	refusing   map[cancellation.NoticeKind]int // posts of a kind that are refused yet
	updates    []cancellation.Delivery         // one an Update; then Delivered
	responding []cancellation.Delivery         // one a Respond; then Delivered
	history    bool                            // the bot may read the channel's history
	shown      []shown
	responses  int

	journal *store.Store
	path    string
}

// rulebook is a policy of which a test says what it decides.
type rulebook struct {
	decision  authz.Decision // of everybody's submissions and filings
	approving func(who authz.Principal, approvals int) authz.Decision
	freezing  authz.Decision
	groups    []string        // that it names
	nobody    bool            // it names no approver
	named     []string        // approvers that it names by themselves, beside its group
	may       map[string]bool // who may approve, by user; nil for everybody
}

type post struct {
	at       time.Time
	order    cancellation.Order
	decision authz.Decision // of the policy in force at that moment
}

// shown is a message as people see it.
type shown struct {
	channel string
	thread  string
	kind    cancellation.NoticeKind
	ref     string
	state   cancellation.State
	edits   int
}

// inWorld runs a test on virtual time with a fresh world.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	path := storetest.File(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, path)
		w.open()
		defer func() { assert.NoError(t, w.journal.Close()) }()
		test(t, w)
	})
}

func newWorld(t *testing.T, path string) *world {
	return &world{
		t: t, path: path, server: goodServer(),
		rights:   cancellation.Rights{Cancel: true, AddTickets: true, ViewTickets: true, AllHardware: true},
		person:   authz.Principal{Team: "T1", User: "U1", Name: "Ana", GroupsKnown: true},
		rulebook: rulebook{decision: authz.Decision{Effect: authz.Allowed, Rule: "requesters"}},
		others:   map[string]authz.Principal{},
		terms:    cancellation.Terms{ApprovalExpiry: 72 * time.Hour, ServersPerDay: 10_000, Turn: cancellation.Turn(10)},
	}
}

func (w *world) open() {
	w.t.Helper()
	journal, err := store.Open(w.t.Context(), store.Options{Path: w.path, Mode: store.Serve})
	require.NoError(w.t, err)
	require.NoError(w.t, journal.Bind(w.t.Context(), store.Binding{App: "B1", Team: "T1", Account: "123456", Endpoint: "http://127.0.0.1/"}))
	w.journal = journal
}

// restart closes the store and opens it anew, as a new process does.
func (w *world) restart() {
	w.t.Helper()
	require.NoError(w.t, w.journal.Close())
	w.open()
}

func (w *world) desk() *cancellation.Desk {
	return &cancellation.Desk{
		Requests: w.journal, Intake: w.journal, Freezes: w.journal, Clock: w.journal, Servers: w, Tickets: w, Directory: w, Policy: w.Policy,
		Account: cancellation.Account{ID: "123456", Name: "acme-prod"}, Terms: w.terms, Channels: cancellation.Channels{NotifyChannel: w.notify}, Wake: func() {}, Log: slog.New(slog.DiscardHandler),
	}
}

func (w *world) worker(on journal) worker {
	limits := cancellation.DefaultLimits()
	limits.Poll = time.Minute      // nothing else changes the database here
	limits.Watch = 2 * time.Minute // days pass here in an instant
	if w.idle > 0 {
		limits.Poll, limits.Watch = w.idle, w.idle
	}
	limits.Terms = w.terms
	if w.perHour > 0 {
		limits.FilingsPerHour = w.perHour
	}
	slack, log := cancellation.NewOutage(w.Reach), slog.New(slog.DiscardHandler)
	notifier := &cancellation.Notifier{
		Requests: on, Notices: on, Clock: on, Directory: w, Policy: w.Policy, Announcer: w, Slack: slack,
		Limits: limits, Owner: "worker-1", Log: log, NotifyChannel: w.notify,
	}
	return worker{&cancellation.Filer{
		Requests: on, Queue: on, Freezes: on, Notices: on, Clock: on,
		SoftLayer: cancellation.SoftLayer{Servers: w, Tickets: w, Writer: w}, Directory: w, Policy: w.Policy, Slack: slack, Notifier: notifier,
		Limits: limits, Owner: "worker-1", Log: log, Channels: cancellation.Channels{NotifyChannel: w.notify},
	}, notifier}
}

// run lets a worker on this journal work for a while of virtual time.
func (w *world) run(on journal, d time.Duration) {
	w.runs(w.worker(on), d)
}

// runs lets this worker work for a while of virtual time.
func (w *world) runs(worker worker, d time.Duration) {
	ctx, cancel := context.WithTimeout(w.t.Context(), d)
	defer cancel()
	worker.Run(ctx)
}

// submit asks for the server as Ana, on the card of this moment.
func (w *world) submit() cancellation.Request {
	w.t.Helper()
	answer, err := w.desk().Submit(w.t.Context(), w.submission())
	require.NoError(w.t, err)
	require.Equal(w.t, cancellation.AnswerAccepted, answer.Kind, "the submission is accepted")
	return answer.Request
}

func (w *world) submission() cancellation.Submission {
	w.t.Helper()
	s := goodSubmission()
	card, err := w.desk().Look(w.t.Context(), w.server.ID)
	require.NoError(w.t, err)
	s.Card = card
	s.Place.ResponseURL, s.Place.ResponseURLUntil = "https://hooks.slack.com/commands/1", time.Now().Add(30*time.Minute)
	return s
}

func (w *world) now(r cancellation.Request) cancellation.Request {
	w.t.Helper()
	stored, err := w.journal.Request(w.t.Context(), r.ID)
	require.NoError(w.t, err)
	return stored
}

// live is the request that holds a server.
func (w *world) live(server int64) cancellation.Request {
	w.t.Helper()
	r, err := w.journal.Live(w.t.Context(), server)
	require.NoError(w.t, err)
	return r
}

// again is the same worker in another process.
func (w *world) again(before worker) worker {
	w.restart()
	next := w.worker(w.journal)
	next.NotifyChannel, next.notifier.NotifyChannel = before.NotifyChannel, before.NotifyChannel
	next.Escalation = before.Escalation
	return next
}

// alarms are the references that the operators' channel heard of.
func (w *world) alarms() (refs []string) {
	_, messages := w.snapshot()
	for _, m := range messages {
		news, _, escalates := m.kind.Escalation()
		if m.kind == cancellation.Alarm || escalates && news.Kind == cancellation.NewsStuck {
			refs = append(refs, m.ref)
		}
	}
	return refs
}

func (w *world) snapshot() (posts []post, messages []shown) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.posts), slices.Clone(w.shown)
}

func (w *world) change(f func(*world)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(w)
}

// open makes a ticket with this text, as SoftLayer or its staff would.
func (w *world) openTicket(id int64, text string) cancellation.TicketID {
	w.tickets = append(w.tickets, cancellation.Ticket{
		TicketID: cancellation.TicketID{ID: id}, Open: true, CreatedAt: time.Now(),
		Servers: []int64{w.server.ID}, ServersRead: true, First: text, FirstRead: true,
	})
	w.server.OpenTicket = &cancellation.TicketID{ID: id}
	return cancellation.TicketID{ID: id}
}

func (w *world) closeTickets() {
	for i := range w.tickets {
		w.tickets[i].Open = false
	}
	w.server.OpenTicket = nil
}

// The answers to a POST.

func made(w *world, o cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.Made, Ticket: w.openTicket(int64(153572280+len(w.posts)), o.Content), Raw: "HTTP 200"}
}

func madeButLost(w *world, o cancellation.Order) cancellation.Outcome {
	w.openTicket(int64(153572280+len(w.posts)), o.Content)
	return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: "connection reset"}
}

func lostBefore(*world, cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.AnswerLost, Text: "connection reset"}
}

func rateLimited(*world, cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.NotMade, Text: "rate limit"}
}

func refused(*world, cancellation.Order) cancellation.Outcome {
	return cancellation.Outcome{Kind: cancellation.Refused, Text: "You do not have permission to this service."}
}

// The ports.

func (w *world) Server(_ context.Context, id int64) (cancellation.Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading != nil {
		return cancellation.Server{}, w.reading
	}
	if id == w.unreadable {
		return cancellation.Server{}, errors.New("asked for too much")
	}
	if w.gone || id < w.server.ID || id > w.server.ID+w.fleet {
		return cancellation.Server{}, cancellation.ErrServerNotFound
	}
	s := w.server
	s.ID = id
	if s.Billing != nil {
		billing := *s.Billing
		s.Billing = &billing
	}
	return s, nil
}

func (w *world) Namesakes(context.Context, string) (int, error) { return 1, nil }

func (w *world) Ticket(_ context.Context, id int64) (cancellation.Ticket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading != nil {
		return cancellation.Ticket{}, w.reading
	}
	for _, t := range w.tickets {
		if t.ID == id && w.rights.ViewTickets {
			return t, nil
		}
	}
	return cancellation.Ticket{}, cancellation.ErrTicketHidden
}

func (w *world) TicketsOf(_ context.Context, _ int64, since time.Time) ([]cancellation.Ticket, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reading == nil && !w.rights.ViewTickets {
		return nil, errors.New("SoftLayer answers null where the key may not view tickets")
	}
	return slices.DeleteFunc(slices.Clone(w.tickets), func(t cancellation.Ticket) bool {
		return !t.Open && t.CreatedAt.Before(since)
	}), w.reading
}

func (w *world) Rights(context.Context) (cancellation.Rights, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rights, w.reading
}

func (w *world) Account(context.Context) (cancellation.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return cancellation.Account{ID: "123456", Name: "acme-prod"}, w.away
}

func (w *world) Reach(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return w.away
}

func (w *world) Cutoff(context.Context, string) (string, error) {
	return "", errors.New("not readable")
}

func (w *world) RequestCancellation(_ context.Context, o cancellation.Order) cancellation.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posts = append(w.posts, post{time.Now(), o, w.decision})
	outcome := w.answerTo(o)
	if w.judge != nil {
		w.judge(o, outcome)
	}
	return outcome
}

func (w *world) answerTo(o cancellation.Order) cancellation.Outcome {
	if w.server.OpenTicket != nil {
		return cancellation.Outcome{Kind: cancellation.AlreadyOpen, Ticket: *w.server.OpenTicket}
	}
	answer := made
	if len(w.answers) > 0 {
		answer, w.answers = w.answers[0], w.answers[1:]
	}
	return answer(w, o)
}

func (w *world) Principal(_ context.Context, person cancellation.Person, _ []string, _ time.Duration) (authz.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if other, found := w.others[person.ID]; found {
		return other, w.personErr
	}
	return w.person, w.personErr
}

func (w *world) Members(context.Context, []string, time.Duration) ([]authz.Principal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.others), func(a, b authz.Principal) int { return strings.Compare(a.User, b.User) }), w.personErr
}

// Policy is the policy in force: what the test says at this moment.
func (w *world) Policy() cancellation.Policy {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rules != nil {
		return w.rules
	}
	now := w.rulebook
	now.may = maps.Clone(now.may)
	return now
}

// inForce is a policy that stays in force.
func inForce(p cancellation.Policy) func() cancellation.Policy {
	return func() cancellation.Policy { return p }
}

func (b rulebook) Digest() string { return b.decision.PolicyDigest }

func (b rulebook) GroupIDs() []string { return b.groups }

func (b rulebook) Approvers() (users, groups []string, anyone bool) {
	if b.nobody {
		return nil, nil, false
	}
	return b.named, []string{"S1"}, false
}

// Approve lets everybody but the requester, as the built-in refusal does, where the test
// says nothing else.
func (b rulebook) Approve(who, requester authz.Principal, _ authz.Server, _ authz.Context, approvals int) authz.Decision {
	switch {
	case who.ID() == requester.ID():
		return authz.Decision{Effect: authz.Refused, Rule: authz.RuleOwnRequest, Reason: "your own"}
	case b.approving != nil:
		return b.approving(who, approvals)
	case b.may != nil && !b.may[who.User]:
		return authz.Decision{Effect: authz.Refused, Rule: "leads-only", Reason: "leads approve"}
	}
	return authz.Decision{Effect: authz.Allowed, Rule: "approvers"}
}

func (b rulebook) Decide(authz.Principal, authz.Server, authz.Context) authz.Decision {
	return b.decision
}

func (b rulebook) CountsToday() bool { return false }

func (b rulebook) MayFreeze(authz.Principal) authz.Decision { return b.freezing }

func (w *world) Post(_ context.Context, to cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request) (cancellation.Posted, cancellation.Delivery, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delivery := cancellation.Delivered
	if len(w.deliveries) > 0 {
		delivery, w.deliveries = w.deliveries[0], w.deliveries[1:]
	}
	if w.refusing[kind] > 0 {
		w.refusing[kind]--
		delivery = cancellation.Refusing
	}
	if delivery == cancellation.Refusing || delivery == cancellation.Undelivered {
		return cancellation.Posted{}, delivery, 0
	}
	w.shown = append(w.shown, shown{channel: to.Channel, thread: to.Thread, kind: kind, ref: r.Ref.Short(), state: r.State})
	return cancellation.Posted{Channel: "C:" + to.Channel, TS: time.Now().Format(time.RFC3339Nano) + "#" + strconv.Itoa(len(w.shown)-1)}, delivery, 0
}

func (w *world) Update(_ context.Context, at cancellation.Posted, _ cancellation.NoticeKind, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.updates) > 0 {
		var delivery cancellation.Delivery
		delivery, w.updates = w.updates[0], w.updates[1:]
		return delivery, 0
	}
	_, after, _ := strings.Cut(at.TS, "#")
	i, err := strconv.Atoi(after)
	if err != nil {
		panic("updating a message that nobody posted: " + at.TS)
	}
	w.shown[i].state = r.State
	w.shown[i].edits++
	return cancellation.Delivered, 0
}

func (w *world) Respond(_ context.Context, _ string, r cancellation.Request) (cancellation.Delivery, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.responses++
	delivery := cancellation.Delivered
	if len(w.responding) > 0 {
		delivery, w.responding = w.responding[0], w.responding[1:]
	}
	if delivery == cancellation.Delivered || delivery == cancellation.Lost {
		w.shown = append(w.shown, shown{channel: "response_url", ref: r.Ref.Short(), state: r.State})
	}
	return delivery, 0
}

func (w *world) Find(_ context.Context, in cancellation.Place, kind cancellation.NoticeKind, r cancellation.Request, _ time.Time) (cancellation.Posted, bool, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, s := range w.shown {
		if w.history && s.channel == in.Channel && s.kind == kind && s.ref == r.Ref.Short() {
			return cancellation.Posted{Channel: "C:" + in.Channel, TS: "found#" + strconv.Itoa(i)}, true, true
		}
	}
	return cancellation.Posted{}, false, w.history
}

// pressCount is how many presses the tests made.
var pressCount atomic.Int64

// pressed is one press by somebody, which Slack delivers for the first time.
func pressed(id string, by cancellation.Person) cancellation.Press {
	return cancellation.Press{Request: id, By: by, Key: "press " + strconv.FormatInt(pressCount.Add(1), 10)}
}

// seenBefore has a card read now, and time pass until what it showed may be read again.
func (w *world) seenBefore() {
	w.t.Helper()
	_, err := w.desk().Look(w.t.Context(), w.server.ID)
	if !errors.Is(err, cancellation.ErrServerNotFound) {
		require.NoError(w.t, err)
	}
	time.Sleep(15*time.Minute + time.Second)
}

// logTo is a log that a test reads.
func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
