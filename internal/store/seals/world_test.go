package seals_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// world is a database with a store that serves from it, and a hand that reaches it past the store.
type world struct {
	t       testing.TB
	options store.Options
	mu      sync.Mutex
	now     time.Time
	store   *store.Store
	raw     *sql.DB
	sealer  *audit.Sealer
	servers int64
}

// onBoth runs a test on an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, store.Options{Path: storetest.File(t)}))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newWorld(t, store.Options{URL: postgrestest.Schema(t)}))
	})
}

func newWorld(t testing.TB, o store.Options) *world {
	t.Helper()
	w := &world{t: t, options: o, now: time.Date(2026, 11, 22, 14, 0, 0, 0, time.UTC)}
	w.options.Clock, w.options.Mode = w.clock, store.Serve
	w.open()
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	driver, name := "pgx", o.URL
	if o.Path != "" {
		driver, name = "sqlite", "file:"+o.Path+"?_pragma=busy_timeout(5000)"
	}
	var err error
	w.raw, err = sql.Open(driver, name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.raw.Close()) })
	return w
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.store, err = store.Open(w.t.Context(), w.options)
	require.NoError(w.t, err)
	require.NoError(w.t, w.store.Bind(w.t.Context(), store.Binding{App: "A0", Team: "T0", Account: "1", Endpoint: "http://localhost"}))
	w.sealer = w.replica(w.store)
}

func (w *world) replica(s *store.Store) *audit.Sealer {
	return audit.NewSealer(audit.SealerOptions{Ledger: s, Name: s.AuditName(), Log: slog.New(slog.DiscardHandler)})
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// asked records a request with so many events, and returns its id.
func (w *world) asked(events int) string {
	w.t.Helper()
	w.servers++
	ref := cancellation.NewReference()
	got, err := w.store.Record(w.t.Context(), cancellation.Record{
		Request: cancellation.Request{
			ID: fmt.Sprintf("r%02d", w.servers), Ref: ref, State: cancellation.Scheduled,
			Submission: cancellation.Submission{Card: cancellation.Card{Server: cancellation.Server{ID: w.servers, FQDN: "web.example.com"}}},
		},
		Event: cancellation.Event{Kind: cancellation.EventSubmitted, Actor: "T0/U0ANA", Detail: "ops-cancel"},
	})
	require.NoError(w.t, err)
	for n := range events - 1 {
		w.pass(time.Second)
		require.NoError(w.t, w.store.Note(w.t.Context(), got.Request.ID, cancellation.Event{Kind: cancellation.EventEvidence, Actor: "worker", Detail: fmt.Sprintf("look %d", n)}))
	}
	return got.Request.ID
}

func (w *world) noted(n audit.Note) bool {
	w.t.Helper()
	recorded, err := w.store.NoteDeployment(w.t.Context(), n)
	require.NoError(w.t, err)
	return recorded
}

// policy keeps the text of one, and returns its digest.
func (w *world) policy(text string) string {
	w.t.Helper()
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	require.NoError(w.t, w.store.KeepPolicy(w.t.Context(), digest, text))
	return digest
}

func (w *world) seals() {
	w.t.Helper()
	w.pass(time.Second)
	require.NoError(w.t, w.sealer.SealAll(w.t.Context()))
}

// head is the log's checkpoint now.
func (w *world) head() audit.Checkpoint {
	w.t.Helper()
	log, err := w.store.AuditLog(w.t.Context())
	require.NoError(w.t, err)
	return log.Head(w.store.AuditName())
}

func (w *world) reading() *store.Audit {
	w.t.Helper()
	a, err := store.OpenAudit(w.t.Context(), store.Options{Path: w.options.Path, URL: w.options.URL})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, a.Close()) })
	return a
}

// verified is what a verification says.
func verified(t testing.TB, a *store.Audit, saved *audit.Checkpoint) (audit.Result, string) {
	t.Helper()
	var kept *audit.Saved
	if saved != nil {
		kept = &audit.Saved{Checkpoint: *saved}
	}
	r, err := audit.Verify(t.Context(), a, a.Name, kept)
	require.NoError(t, err)
	return r, strings.Join(r.Lines(), "\n")
}

func (w *world) does(statements ...string) {
	w.t.Helper()
	for _, text := range statements {
		_, err := w.raw.ExecContext(context.WithoutCancel(w.t.Context()), text)
		require.NoError(w.t, err, text)
	}
}

// unguarded drops what keeps events from being changed, as somebody who owns the database can.
func (w *world) unguarded() {
	w.t.Helper()
	for _, table := range tables[:5] {
		if w.options.URL != "" {
			w.does(`alter table ` + table + ` disable trigger all`)
			continue
		}
		for _, what := range []string{"content", "rows", "others", "seal"} {
			w.does(`drop trigger if exists ` + table + `_keep_` + what)
		}
	}
}

// tables are those of the log.
var tables = []string{"events", "deployment_events", "audit_log", "audit_segments", "audit_sealings", "requests"}

// keeps copies the log, and returns what puts it back.
func (w *world) keeps() (restore func()) {
	for _, table := range tables[:5] {
		w.does(`create table kept_` + table + ` as select * from ` + table)
	}
	return func() {
		for _, table := range tables[:5] {
			w.does(`delete from `+table, `insert into `+table+` select * from kept_`+table)
		}
	}
}
