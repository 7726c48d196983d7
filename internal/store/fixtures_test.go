package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

// hands is a clock that tests move.
type hands struct {
	mu  sync.Mutex
	now time.Time
}

func newHands() *hands {
	return &hands{now: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)}
}

func (h *hands) time() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hands) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// inSandbox opens a database that belongs to the sandbox.
func inSandbox(t testing.TB, opts Options) *Store {
	t.Helper()
	s := open(t, opts)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	return s
}

// fresh opens a new database for serving.
func fresh(t testing.TB) *Store {
	t.Helper()
	return open(t, Options{Path: migratedFile(t), Clock: newHands().time, Mode: Serve})
}

// template is a file that this build's migrations made.
var template = sync.OnceValues(func() (file []byte, err error) {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bot.db")
	s, err := Open(context.Background(), Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// migratedFile is a new database file that is up to date already, which costs a tenth of
// migrating one.
func migratedFile(t testing.TB) string {
	t.Helper()
	file, err := template()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "bot.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return path
}

// onBoth runs a test on an empty database of each kind, in a subtest of its own: without
// PostgreSQL only that one is skipped.
func onBoth(t *testing.T, test func(t *testing.T, o Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, Options{Path: filepath.Join(t.TempDir(), "bot.db")})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, Options{URL: postgrestest.Schema(t)})
	})
}

// migratedSchema brings the tables of a PostgreSQL schema up to date.
func migratedSchema(t testing.TB, at string) {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: at})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// asking is the record of an accepted submission for a server.
func asking(server int64) cancellation.Record {
	at := time.Date(2026, 11, 22, 13, 59, 0, 0, time.UTC)
	place := cancellation.Place{
		Channel: "C0OPS", ChannelName: "ops",
		ResponseURL: "https://hooks.slack.com/commands/T0/1/secret", ResponseURLUntil: at.Add(30 * time.Minute),
	}
	ref := cancellation.NewReference()
	r := cancellation.Request{
		ID: "request-" + string(ref), Ref: ref, State: cancellation.Scheduled, PostsAllowed: 2,
		Submission: cancellation.Submission{
			Installation: "T0", View: "V0", By: cancellation.Person{Team: "T0", ID: "U0ANA", Name: "Ana"},
			Card: cancellation.Card{
				Server: cancellation.Server{
					ID: server, FQDN: fmt.Sprintf("db-%d.example.com", server), Hostname: fmt.Sprintf("db-%d", server),
					Domain: "example.com", Tags: []string{"prod"}, TagsKnown: true,
					Billing: &cancellation.Billing{ID: server * 10, RecurringFee: "412.50"},
				},
				Account: cancellation.Account{ID: "307608", Name: "acme"}, ReadAt: at, ShortNameUnique: true,
			},
			Place: place, Reason: "No longer needed", Content: "moved to fra02", Confirmation: fmt.Sprintf("db-%d", server),
		},
		Decision: authz.Decision{Effect: authz.Allowed, Rule: "ops-cancel", Rules: []string{"ops-ask", "ops-cancel"}},
	}
	return cancellation.Record{
		Request: r,
		Event:   cancellation.Event{Kind: cancellation.EventSubmitted, Actor: "T0/U0ANA", Detail: "ops-cancel"},
		Notices: []cancellation.Notice{{RequestID: r.ID, Kind: cancellation.Result, Place: place}},
	}
}

// recorded records a submission for a server.
func recorded(t testing.TB, j journal, server int64) cancellation.Request {
	t.Helper()
	got, err := j.Record(t.Context(), asking(server))
	require.NoError(t, err)
	require.True(t, got.Fresh)
	return got.Request
}

// moved makes a step as the worker does.
func moved(r cancellation.Request, to cancellation.State) cancellation.Change {
	next := r
	next.State = to
	return cancellation.Change{
		From: r, To: next,
		Event: cancellation.Event{Kind: cancellation.EventMoved, Actor: "worker", Detail: "to " + string(to)},
	}
}

// applied makes a step and requires that it is taken.
func applied(t testing.TB, j journal, c cancellation.Change) cancellation.Request {
	t.Helper()
	r, err := j.Apply(t.Context(), c)
	require.NoError(t, err)
	return r
}

// taken is a claim of one row in its parts.
func taken[Row any](c cancellation.Claim[Row], err error) (row Row, found bool, next time.Duration, _ error) {
	if found = len(c.Rows) == 1; found {
		row = c.Rows[0]
	}
	return row, found, c.Next, err
}

// claimed takes the request that must be due now.
func claimed(t testing.TB, j journal, owner string) cancellation.Request {
	t.Helper()
	r, found, _, err := taken(j.Claim(t.Context(), owner, 10*time.Second, 1))
	require.NoError(t, err)
	require.True(t, found, "a request is due")
	return r
}

// filed brings a new request for a server to the end of the straight path.
func filed(t testing.TB, j journal, server int64) cancellation.Request {
	t.Helper()
	r := recorded(t, j, server)
	r = applied(t, j, moved(r, cancellation.Filing))
	change := moved(r, cancellation.Filed)
	change.To.Ticket = cancellation.TicketID{ID: 9001, Number: "CS0009001"}
	return applied(t, j, change)
}

// kinds are the kinds of a request's events, in order.
func kinds(t testing.TB, j journal, id string) []string {
	t.Helper()
	events, err := j.Events(t.Context(), id)
	require.NoError(t, err)
	var all []string
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return all
}
