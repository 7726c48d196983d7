package letters_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/following"
	"cancel-server/internal/letters"
	"cancel-server/internal/slackui"
	"cancel-server/internal/slackui/slacktest"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// world is everything between a strict Slack and the real store, with SoftLayer's records in memory, on
// virtual time. It begins on Saturday, 1 January 2000, at midnight UTC.
type world struct {
	t         *testing.T
	slack     *slacktest.Workspace
	cast      fakeslack.Cast
	store     *store.Store
	path      string
	directory *slackui.Directory
	announcer *slackui.Announcer
	channel   string // the escalation channel
	approver  string // who approved what is filed; "" for nobody

	mu      sync.Mutex
	shift   time.Duration // the store's clock is ahead
	servers map[int64]cancellation.Server
	lives   map[int64]cancellation.TicketLife
	listed  map[int64]bool
	broken  error // what each call to SoftLayer fails with
}

// berlin is where everybody lives.
var berlin = must(time.LoadLocation("Europe/Berlin"))

func must(zone *time.Location, err error) *time.Location {
	if err != nil {
		panic(err)
	}
	return zone
}

// monday is the first working morning, an hour before it begins.
var monday = time.Date(2000, 1, 3, 8, 0, 0, 0, berlin)

// inWorld runs a test on virtual time, from Monday 08:00 on.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	path := storetest.File(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, path: path, servers: map[int64]cancellation.Server{}, lives: map[int64]cancellation.TicketLife{}, listed: map[int64]bool{},
		}
		w.slack = slacktest.NewWorkspace(t, fakeslack.Options{Seed: 7, Transport: fakeslack.TransportSocket})
		w.cast = w.slack.Cast()
		w.channel = w.cast.Channel
		web, err := webapi.New(webapi.Options{BotToken: w.slack.BotToken(), APIURL: w.slack.URL, Transport: w.slack.Network.Transport()})
		require.NoError(t, err)
		t.Cleanup(web.Close)
		w.directory = slackui.NewDirectory(slackui.DirectoryOptions{Web: web, HomeTeam: w.slack.TeamID(), Log: silent()})
		t.Cleanup(w.directory.Close)
		w.announcer = slackui.NewAnnouncer(slackui.AnnouncerOptions{Web: web, Words: words.Writer{}, Log: silent()})
		w.open()
		t.Cleanup(func() { assert.NoError(t, w.store.Close()) })
		time.Sleep(time.Until(monday))
		test(t, w)
		assert.Empty(t, w.slack.RulesBroken())
	})
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (w *world) open() {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Options{Path: w.path, Mode: store.Serve, Clock: w.now})
	require.NoError(w.t, err)
	require.NoError(w.t, s.Bind(w.t.Context(), store.Binding{App: "B1", Team: "T1", Account: "1", Endpoint: "http://127.0.0.1/"}))
	w.store = s
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.shift)
}

// asked is a request for a server whose bill date is its end.
func (w *world) asked(server int64, end time.Time) cancellation.Record {
	r := cancellation.Request{
		ID: fmt.Sprintf("r%d", server), Ref: cancellation.NewReference(), State: cancellation.Scheduled, Format: cancellation.Format,
		PostsAllowed: 2, Ticket: cancellation.TicketID{ID: 1000 + server}, CreatedAt: w.now(), SentAt: w.now(),
	}
	r.Submission.By = cancellation.Person{Team: "T1", ID: w.cast.Requester, Name: "ben"}
	r.Submission.Place = cancellation.Place{Channel: w.cast.Channel}
	r.Submission.Reason = "No longer needed"
	r.Submission.Card = cancellation.Card{
		Cutoff: end.AddDate(0, 0, -3).Format(time.RFC3339), ReadAt: w.now(),
		Server: cancellation.Server{
			ID: server, FQDN: fmt.Sprintf("web-%03d.example.com", server),
			Billing: &cancellation.Billing{ID: server * 10, PendingKnown: true, NextBillDate: end.Format(time.RFC3339), MonthlyTotal: "100.00"},
		},
	}
	r.Decision.Rule = "all"
	if w.approver != "" {
		r.Approvals = []cancellation.Approval{{By: cancellation.Person{Team: "T1", ID: w.approver, Name: "raj"}}}
	}
	return cancellation.Record{
		Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted},
		Notices: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Result, Place: r.Submission.Place}},
	}
}

// file records a request as filed. SoftLayer shows its cancellation for a date.
func (w *world) file(server int64, end time.Time) {
	w.t.Helper()
	_, err := w.store.Record(w.t.Context(), w.asked(server, end))
	require.NoError(w.t, err)
	w.isFiled(server, end)
}

// isFiled takes a recorded request to its ticket.
func (w *world) isFiled(server int64, end time.Time) {
	w.t.Helper()
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed} {
		from := w.request(server)
		next, err := from.Move(to, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(w.t, err)
		_, err = w.store.Apply(w.t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, Tell: cancellation.AtOnce})
		require.NoError(w.t, err)
	}
	w.servers[server] = cancellation.Server{ID: server, Billing: &cancellation.Billing{ID: server * 10, PendingKnown: true, PendingCancellation: true}}
	w.shows(server, end)
}

func (w *world) request(server int64) cancellation.Request {
	w.t.Helper()
	r, err := w.store.Request(w.t.Context(), fmt.Sprintf("r%d", server))
	require.NoError(w.t, err)
	return r
}

// shows has SoftLayer show an end date.
func (w *world) shows(server int64, end time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[1000+server] = cancellation.TicketLife{ID: 1000 + server, Open: true, Last: server, Cancels: map[int64]string{server * 10: end.Format(time.RFC3339)}}
	w.listed[server*10] = true
}

// closes closes a ticket with no cancellation.
func (w *world) closes(servers ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, server := range servers {
		w.lives[1000+server] = cancellation.TicketLife{ID: 1000 + server, Last: server}
		w.servers[server] = cancellation.Server{ID: server, Billing: &cancellation.Billing{ID: server * 10, PendingKnown: true}}
		w.listed[server*10] = false
	}
}

// goes has servers be reclaimed.
func (w *world) goes(servers ...int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, server := range servers {
		delete(w.servers, server)
	}
}

// runs has a replica follow and tell for a time.
func (w *world) runs(long time.Duration) {
	w.t.Helper()
	w.runsWith(long, w.announcer)
}

func (w *world) runsWith(long time.Duration, mail letters.Mail) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), long)
	defer stop()
	notifier := w.notifier()
	sender := w.sender("one", mail)
	follower := following.New(following.Options{
		Ledger: w.store, Books: w, Wake: func() { notifier.Wake(); sender.Wake() }, Owner: "one", Every: time.Hour, Rate: 2, Channel: w.channel, Log: silent(),
	})
	var parts sync.WaitGroup
	parts.Go(func() { follow(ctx, follower) })
	parts.Go(func() { notifier.Run(ctx) })
	parts.Go(func() { sender.Run(ctx) })
	parts.Wait()
}

func (w *world) notifier() *cancellation.Notifier {
	limits := cancellation.DefaultLimits()
	limits.Poll, limits.Watch = 5*time.Minute, time.Hour
	policy, err := authz.FromGroups(authz.Groups{Home: w.slack.TeamID(), Request: []string{w.cast.RequestGroup}, Approve: []string{w.cast.ApproveGroup}})
	require.NoError(w.t, err)
	return &cancellation.Notifier{
		Requests: w.store, Notices: w.store, Clock: w.store, Directory: w.directory, Policy: func() cancellation.Policy { return policy },
		Announcer: w.announcer, Slack: cancellation.NewOutage(w.announcer.Reach), Limits: limits, Owner: "one", Log: silent(),
	}
}

func (w *world) sender(owner string, mail letters.Mail) *letters.Sender {
	return letters.New(letters.Options{
		Ledger: w.store, People: w.directory, Mail: mail, RemindAt: following.RemindAt, Channel: w.channel, Wake: func() {},
		Owner: owner, Poll: 5 * time.Minute, Log: silent(),
	})
}

// message is one message that Slack took.
type message struct {
	at   time.Time
	text string
	ts   string
}

// took are the messages that Slack has in a channel, or in the direct messages with a person, as they
// are now.
func (w *world) took(channel string) (all []message) {
	w.t.Helper()
	messages, err := w.slack.Messages(w.t.Context(), channel, 0)
	require.NoError(w.t, err)
	for _, m := range messages {
		all = append(all, message{at: sentAt(w.t, m.TS), text: m.Text, ts: m.TS})
	}
	return all
}

func sentAt(t *testing.T, ts string) time.Time {
	t.Helper()
	var seconds, micros int64
	_, err := fmt.Sscanf(ts, "%d.%d", &seconds, &micros)
	require.NoError(t, err)
	return time.Unix(seconds, micros*1000).In(berlin)
}

// edits is how often the bot replaced a message.
func (w *world) edits(ts string) (n int) {
	for _, x := range w.slack.Seen("chat.update") {
		var call struct {
			TS string `json:"ts"`
		}
		if json.Unmarshal(x.Request, &call) == nil && call.TS == ts {
			n++
		}
	}
	return n
}

func (w *world) Listed(_ context.Context, ids []int64) (map[int64]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[int64]bool{}
	for _, id := range ids {
		if _, there := w.servers[id]; there {
			found[id] = true
		}
	}
	return found, w.broken
}

func (w *world) Lives(_ context.Context, ids []int64) (map[int64]cancellation.TicketLife, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[int64]cancellation.TicketLife{}
	for _, id := range ids {
		if life, there := w.lives[id]; there {
			found[id] = life
		}
	}
	return found, w.broken
}

func (w *world) Server(_ context.Context, id int64) (cancellation.Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, there := w.servers[id]; there {
		return s, w.broken
	}
	return cancellation.Server{}, cancellation.ErrServerNotFound
}

func (w *world) Updates(context.Context, int64) ([]cancellation.TicketUpdate, error) {
	return nil, w.broken
}

func (w *world) Cancelled(context.Context, time.Time) (map[int64]bool, error) {
	return w.listed, w.broken
}

func (w *world) Rights(context.Context) (cancellation.Rights, error) {
	return cancellation.Rights{AllHardware: true}, w.broken
}

// Beside is that nothing else of a server is billed.
func (w *world) Beside(_ context.Context, server int64, _ func(context.Context) error) (billed.Facts, error) {
	return billed.Facts{Server: server, Billing: true}, nil
}

// StillBilled is that nothing of a server stays billed.
func (w *world) StillBilled(_ context.Context, _ []int64) (billed.Standing, error) {
	return billed.Standing{}, nil
}

// UsedElsewhere is that nobody else uses anything.
func (w *world) UsedElsewhere(_ context.Context, _, _ []int64) (map[int64]bool, error) {
	return nil, nil
}

// follow has the follower look for ten minutes of each hour, so that months go by fast.
func follow(ctx context.Context, f *following.Follower) {
	for ctx.Err() == nil {
		looking, stop := context.WithTimeout(ctx, 10*time.Minute)
		f.Run(looking)
		stop()
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Minute):
		}
	}
}
