package correspondence_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// world is a real store with one filed request, and its ticket in memory, on virtual time.
type world struct {
	t     *testing.T
	store *store.Store
	r     cancellation.Request

	mu      sync.Mutex
	broken  error    // what each read of SoftLayer fails with
	entries []string // of the ticket
	lost    error    // what each read of the request fails with
	damaged bool     // its documents cannot be read
	reads   int      // of the request
	leads   int      // reads of a batch's lead
	may     func() ([]string, error)
	mayOf   map[string]string // who may approve one request, by its id; others by may
	log     bytes.Buffer
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	path := storetest.File(t)
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, may: func() ([]string, error) { return []string{"U8", "U9"}, nil }}
		s, err := store.Open(t.Context(), store.Options{Path: path, Mode: store.Serve})
		require.NoError(t, err)
		defer func() { assert.NoError(t, s.Close()) }()
		require.NoError(t, s.Bind(t.Context(), store.Binding{App: "B1", Team: "T1", Account: "1", Endpoint: "http://127.0.0.1/"}))
		w.store = s
		w.file()
		test(t, w)
	})
}

// file records a request as filed.
func (w *world) file() {
	w.t.Helper()
	r := scheduled("r1", 7)
	_, err := w.store.Record(w.t.Context(), cancellation.Record{
		Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted},
		Notices: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Result, Place: r.Submission.Place}},
	})
	require.NoError(w.t, err)
	w.moves("r1", cancellation.Filing, cancellation.Filed)
	w.r = w.request()
}

// scheduled is a new request of U1's that is to be filed.
func scheduled(id string, ticket int64) cancellation.Request {
	r := cancellation.Request{
		ID: id, Ref: cancellation.NewReference(), State: cancellation.Scheduled, Format: cancellation.Format,
		Ticket: cancellation.TicketID{ID: ticket}, CreatedAt: time.Now(), SentAt: time.Now(),
	}
	r.Submission.By = cancellation.Person{Team: "T1", ID: "U1"}
	r.Submission.Place = cancellation.Place{Channel: "C1"}
	r.Submission.Card.Server = cancellation.Server{ID: 35 + ticket, FQDN: fmt.Sprintf("db-%03d.example.com", 35+ticket)}
	r.Decision.Rule = "all"
	return r
}

// moves has a request take these steps.
func (w *world) moves(id string, states ...cancellation.State) {
	w.t.Helper()
	for _, to := range states {
		from, err := w.store.Request(w.t.Context(), id)
		require.NoError(w.t, err)
		next, err := from.Move(to, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(w.t, err)
		_, err = w.store.Apply(w.t.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}, Tell: cancellation.AtOnce})
		require.NoError(w.t, err)
	}
}

// proposesAll records one reply of U1's that is proposed for each of a filed batch of requests, r10, r11 and so on.
func (w *world) proposesAll(count int64) {
	w.t.Helper()
	var rows []cancellation.Record
	for i := range count {
		r := scheduled(fmt.Sprint("r", 10+i), 10+i)
		r.Batch, r.Row = "b1", int(i)
		rows = append(rows, cancellation.Record{Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted}})
	}
	rows[0].Notices = []cancellation.Notice{{RequestID: "r10", Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C1"}}}
	_, err := w.store.RecordBatch(w.t.Context(), cancellation.Batch{ID: "b1", Digest: "d", Size: int(count), Lead: "r10"}, rows)
	require.NoError(w.t, err)
	var all []correspondence.Record
	for _, row := range rows {
		w.moves(row.Request.ID, cancellation.Filing, cancellation.Filed)
		r, err := w.store.Request(w.t.Context(), row.Request.ID)
		require.NoError(w.t, err)
		u := correspondence.Update{
			ID: "of " + r.ID, RequestID: r.ID, Kind: correspondence.Reply, State: correspondence.Proposing, Ref: cancellation.NewReference(),
			By: r.Submission.By, Text: "Contract 7.", Ticket: r.Ticket.ID,
		}
		u.Entry, u.SendBy = correspondence.Compose(u, r), time.Now().Add(15*time.Minute)
		all = append(all, correspondence.Record{Update: u, Request: r, Rule: "all"})
	}
	_, err = w.store.RecordUpdates(w.t.Context(), "key", all)
	require.NoError(w.t, err)
}

func (w *world) request() cancellation.Request {
	w.t.Helper()
	r, err := w.store.Request(w.t.Context(), "r1")
	require.NoError(w.t, err)
	return r
}

// writes records a text of U1's.
func (w *world) writes(kind correspondence.Kind, state correspondence.State) {
	w.t.Helper()
	u := correspondence.Update{
		ID: "a", RequestID: "r1", Kind: kind, State: state, Ref: cancellation.NewReference(),
		By: cancellation.Person{Team: "T1", ID: "U1"}, Text: "Contract 7.", Ticket: 7,
	}
	u.Entry = correspondence.Compose(u, w.r)
	u.SendBy = time.Now().Add(15 * time.Minute)
	_, err := w.store.RecordUpdate(w.t.Context(), correspondence.Record{Update: u, Key: "key", Request: w.r, Rule: "all"})
	require.NoError(w.t, err)
}

// text is the text as it is stored.
func (w *world) text() correspondence.Update {
	w.t.Helper()
	u, err := w.store.UpdateByID(w.t.Context(), "a")
	require.NoError(w.t, err)
	return u
}

// runs has a replica send for a time.
func (w *world) runs(long time.Duration) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), long)
	defer stop()
	correspondence.NewSender(correspondence.SenderOptions{
		Ledger: w.store, Journal: w, Books: w, Writer: w, Notify: func() {}, Refused: func() {},
		WhoMayApprove: func(_ context.Context, r cancellation.Request) ([]string, error) {
			if user, set := w.mayOf[r.ID]; set {
				return []string{user}, nil
			}
			return w.may()
		},
		Owner: "one", PostTimeout: time.Minute, SettleTime: 5 * time.Minute, Lease: 30 * time.Second, Poll: time.Minute,
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}).Run(ctx)
}

// errors counts what was logged as an error.
func (w *world) errors() int { return strings.Count(w.log.String(), "level=ERROR") }

func (w *world) Request(ctx context.Context, id string) (cancellation.Request, error) {
	w.mu.Lock()
	w.reads++
	lost := w.lost
	w.mu.Unlock()
	if lost != nil {
		return cancellation.Request{}, lost
	}
	r, err := w.store.Request(ctx, id)
	if w.damaged && err == nil {
		r.Submission, err = cancellation.Submission{}, cancellation.ErrUnreadable
	}
	return r, err
}

func (w *world) Lead(ctx context.Context, id string) (string, error) {
	w.mu.Lock()
	w.leads++
	w.mu.Unlock()
	return w.store.Lead(ctx, id)
}

func (w *world) Notices(ctx context.Context, id string) ([]cancellation.Notice, error) {
	return w.store.Notices(ctx, id)
}

func (w *world) Lives(context.Context, []int64) (map[int64]cancellation.TicketLife, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return map[int64]cancellation.TicketLife{7: {ID: 7, Open: true, Last: int64(len(w.entries))}}, w.broken
}

func (w *world) Entries(context.Context, int64) (all []cancellation.TicketEntry, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all = []cancellation.TicketEntry{{}}
	for i, text := range w.entries {
		all = append(all, cancellation.TicketEntry{TicketUpdate: cancellation.TicketUpdate{ID: int64(i + 1)}, Text: text})
	}
	return all, w.broken
}

func (w *world) Rights(context.Context) (cancellation.Rights, error) {
	return cancellation.Rights{}, w.broken
}

func (w *world) AddUpdate(_ context.Context, _ int64, entry string) cancellation.Outcome {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.entries = append(w.entries, entry)
	return cancellation.Outcome{Kind: cancellation.Made}
}
