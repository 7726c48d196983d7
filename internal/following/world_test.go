package following_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// world is a real store, and SoftLayer's records in memory, on virtual time.
type world struct {
	t     *testing.T
	store *store.Store
	path  string
	woken int

	mu      sync.Mutex
	servers map[int64]cancellation.Server // billing items by server; none for one that is gone
	lives   map[int64]cancellation.TicketLife
	updates map[int64][]cancellation.TicketUpdate
	listed  map[int64]bool
	sees    bool           // the key sees all hardware
	short   map[int64]bool // left out of lists
	broken  error          // what every call fails with
	beside  map[int64]billed.Facts
	billed  billed.Standing
	used    map[int64]bool // volumes that something else uses
	usedOf  []int64        // the items of volumes that this was asked about

	unanswered string // the call that alone fails
	poison     int64  // a server with which a list fails
	calls      []string
}

// inWorld runs a test on virtual time with so many filed requests.
func inWorld(t *testing.T, requests int, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	enter(t, requests, func(*cancellation.Request) {}, test)
}

// inWorldOf runs a test with one request that was changed before it was recorded.
func inWorldOf(t *testing.T, change func(r *cancellation.Request), test func(t *testing.T, w *world)) {
	t.Helper()
	enter(t, 1, change, test)
}

func enter(t *testing.T, requests int, change func(r *cancellation.Request), test func(t *testing.T, w *world)) {
	t.Helper()
	path := storetest.File(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, path)
		w.open()
		defer func() { assert.NoError(t, w.store.Close()) }()
		for n := range requests {
			w.fileChanged(int64(n+1), change)
		}
		test(t, w)
	})
}

func newWorld(t *testing.T, path string) *world {
	return &world{
		t: t, path: path, sees: true, servers: map[int64]cancellation.Server{}, lives: map[int64]cancellation.TicketLife{},
		updates: map[int64][]cancellation.TicketUpdate{}, listed: map[int64]bool{}, short: map[int64]bool{},
	}
}

func (w *world) open() {
	w.t.Helper()
	s, err := store.Open(w.t.Context(), store.Options{Path: w.path, Mode: store.Serve})
	require.NoError(w.t, err)
	require.NoError(w.t, s.Bind(w.t.Context(), store.Binding{App: "B1", Team: "T1", Account: "1", Endpoint: "http://127.0.0.1/"}))
	w.store = s
}

// file records a request as filed.
func (w *world) file(server int64) {
	w.t.Helper()
	w.fileChanged(server, func(*cancellation.Request) {})
}

// fileChanged records a request as filed, with its ticket. SoftLayer shows its cancellation.
func (w *world) fileChanged(server int64, change func(r *cancellation.Request)) {
	w.t.Helper()
	r := asked(server)
	ref := cancellation.NewReference()
	r.ID, r.Ref, r.State, r.Format = fmt.Sprintf("r%d", server), ref, cancellation.Scheduled, cancellation.Format
	r.CreatedAt, r.SentAt = time.Now(), time.Now()
	r.Submission.By = cancellation.Person{Team: "T1", ID: "U1"}
	r.Submission.Place = cancellation.Place{Channel: "C1"}
	r.Submission.Card.Server.Billing.NextBillDate = time.Now().Add(30 * 24 * time.Hour).Format(time.RFC3339)
	r.Decision.Rule = "all"
	if change != nil {
		change(&r)
	}
	_, err := w.store.Record(w.t.Context(), cancellation.Record{
		Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted},
		Notices: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Result, Place: r.Submission.Place}},
	})
	require.NoError(w.t, err)
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed} {
		from := w.request(server)
		next, err := from.Move(to, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(w.t, err)
		_, err = w.store.Apply(w.t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, Tell: cancellation.AtOnce})
		require.NoError(w.t, err)
	}
	end := time.Now().Add(30 * 24 * time.Hour).Format(time.RFC3339)
	w.servers[server] = cancellation.Server{ID: server, Billing: &cancellation.Billing{ID: server * 10, PendingKnown: true, PendingCancellation: true, CancellationDate: end}}
	w.lives[1000+server] = cancellation.TicketLife{ID: 1000 + server, Open: true, Last: server, Cancels: map[int64]string{server * 10: end}}
	w.listed[server*10] = true
}

func (w *world) request(server int64) cancellation.Request {
	w.t.Helper()
	r, err := w.store.Request(w.t.Context(), fmt.Sprintf("r%d", server))
	require.NoError(w.t, err)
	return r
}

// told are the lines that a request's thread is owed.
func (w *world) told(server int64) (lines []cancellation.LineKind) {
	w.t.Helper()
	notices, err := w.store.Notices(w.t.Context(), fmt.Sprintf("r%d", server))
	require.NoError(w.t, err)
	for _, n := range notices {
		if l, ok := n.Kind.Line(); ok {
			lines = append(lines, l.What)
		}
	}
	return lines
}

// news is what U1 is owed, by letter.
func (w *world) news() (kinds []cancellation.NewsKind) {
	w.t.Helper()
	owed, err := w.store.NewsFor(w.t.Context(), "U1", 100)
	require.NoError(w.t, err)
	for _, n := range owed {
		kinds = append(kinds, n.Kind)
	}
	return kinds
}

// escalated is what the escalation channel is owed of a request.
func (w *world) escalated(server int64) (news []cancellation.News) {
	w.t.Helper()
	notices, err := w.store.Notices(w.t.Context(), fmt.Sprintf("r%d", server))
	require.NoError(w.t, err)
	for _, n := range notices {
		if told, _, ok := n.Kind.Escalation(); ok {
			assert.Equal(w.t, "C9", n.Place.Channel)
			news = append(news, told)
		}
	}
	return news
}

// closes closes a ticket with no cancellation.
func (w *world) closes(server int64) {
	w.lives[1000+server] = cancellation.TicketLife{ID: 1000 + server, Last: server}
	billing := *w.servers[server].Billing
	billing.PendingCancellation, billing.CancellationDate = false, ""
	w.servers[server] = cancellation.Server{ID: server, Billing: &billing}
	w.listed[server*10] = false
}

// runs has a replica follow for a time, and change something at its start.
func (w *world) runs(owner string, every, long time.Duration) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), long)
	defer stop()
	w.follower(owner, every, w).Run(ctx)
}

func (w *world) follower(owner string, every time.Duration, books following.Books) *following.Follower {
	return following.New(following.Options{
		Ledger: w.store, Books: books, Wake: func() { w.woken++ }, Owner: owner, Every: every, Rate: 2, Channel: "C9", Log: slog.New(slog.DiscardHandler),
	})
}

func (w *world) call(name string) error {
	w.calls = append(w.calls, name)
	if name == w.unanswered {
		return errSilence
	}
	return w.broken
}

func (w *world) Listed(_ context.Context, ids []int64) (map[int64]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("Listed"); err != nil {
		return nil, err
	}
	found := map[int64]bool{}
	for _, id := range ids {
		if id == w.poison {
			return nil, errors.New("internal error")
		}
		if _, there := w.servers[id]; there && !w.short[id] {
			found[id] = true
		}
	}
	return found, nil
}

func (w *world) Lives(_ context.Context, ids []int64) (map[int64]cancellation.TicketLife, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("Lives"); err != nil {
		return nil, err
	}
	found := map[int64]cancellation.TicketLife{}
	for _, id := range ids {
		if life, there := w.lives[id]; there {
			found[id] = life
		}
	}
	return found, nil
}

func (w *world) Server(_ context.Context, id int64) (cancellation.Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call("Server"); err != nil {
		return cancellation.Server{}, err
	}
	if s, there := w.servers[id]; there {
		return s, nil
	}
	return cancellation.Server{}, cancellation.ErrServerNotFound
}

func (w *world) Updates(_ context.Context, ticket int64) ([]cancellation.TicketUpdate, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.updates[ticket], w.call("Updates")
}

func (w *world) Cancelled(context.Context, time.Time) (map[int64]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listed, w.call("Cancelled")
}

func (w *world) Rights(context.Context) (cancellation.Rights, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cancellation.Rights{AllHardware: w.sees}, w.call("Rights")
}

func (w *world) Beside(ctx context.Context, server int64, wait func(context.Context) error) (billed.Facts, error) {
	if err := wait(ctx); err != nil {
		return billed.Facts{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.beside[server]
	f.Server, f.Billing = server, true
	if err := w.call("Beside"); err != nil {
		return billed.Facts{Server: server, Unread: billed.Kinds()}, err
	}
	return f, nil
}

func (w *world) UsedElsewhere(_ context.Context, items, servers []int64) (map[int64]bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usedOf = append(w.usedOf, items...)
	return w.used, w.call("UsedElsewhere")
}

func (w *world) StillBilled(context.Context, []int64) (billed.Standing, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.billed, w.call("StillBilled")
}
