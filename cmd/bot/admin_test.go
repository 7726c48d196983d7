package main

import (
	"database/sql"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
	"cancel-server/internal/store"
)

func TestReadyzCountsWhatThisBuildLeavesAlone(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	d.record(1)
	newer, unheardOf := d.record(2), d.record(3)
	d.exec("update requests set format = $2 where id = $1", newer, cancellation.Format+1)
	d.exec("update requests set state = 'reviewing' where id = $1", unheardOf)

	status, answer := d.readyz()
	assert.Equal(t, http.StatusOK, status, "an old build alongside a new one is ready: %v", answer.Problems)
	assert.Equal(t, 2, answer.LeftAlone)
	assert.Equal(t, map[string]int{"scheduled": 2, "reviewing": 1}, answer.Requests)
}

func TestReadyzSaysThatTheStoreIsBrokenOff(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	status, _ := d.readyz()
	require.Equal(t, http.StatusOK, status)

	d.exec("pragma writable_schema = on")
	d.exec("update sqlite_schema set rootpage = -rootpage where name = 'requests'") // a damaged file
	d.exec("pragma schema_version = 1000")
	_, err := d.journal.Record(t.Context(), recordOf(4))
	require.ErrorIs(t, err, cancellation.ErrUnclear)
	d.exec("update sqlite_schema set rootpage = -rootpage where name = 'requests'")
	d.exec("pragma schema_version = 1001")

	status, answer := d.readyz()
	assert.Equal(t, http.StatusServiceUnavailable, status, "until it is opened again, though the file is whole again")
	require.Len(t, answer.Problems, 1)
	assert.Contains(t, answer.Problems[0], cancellation.ErrUnclear.Error())
}

// database is the bot's database, with what a bot serves its operators from it.
type database struct {
	t       *testing.T
	bot     *bot
	journal *store.Store
	beside  *sql.DB // another process's connection
	admin   http.Handler
	closed  bool // by the test itself
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	path := filepath.Join(t.TempDir(), "requests.db")
	journal, err := store.Open(t.Context(), store.Options{Path: path, Mode: store.Serve})
	require.NoError(t, err)
	beside, err := sql.Open("sqlite", path) // the driver is the store's
	require.NoError(t, err)
	beside.SetMaxOpenConns(1)
	d := &database{t: t, journal: journal, beside: beside}
	t.Cleanup(func() {
		assert.NoError(t, beside.Close())
		if !d.closed {
			assert.NoError(t, journal.Close())
		}
	})
	require.NoError(t, journal.Bind(t.Context(), store.Binding{App: "B1", Team: "T1", Account: "123456", Endpoint: "http://127.0.0.1/"}))
	policy, err := authz.Parse("p.cedar", []byte(`@id("all") permit (principal, action, resource);`))
	require.NoError(t, err)
	d.bot = &bot{log: slog.New(slog.DiscardHandler), journal: journal, policy: policytool.NewInForce(policy), metrics: newMetrics()}
	d.admin = d.bot.admin()
	return d
}

func (d *database) exec(statement string, args ...any) {
	d.t.Helper()
	_, err := d.beside.ExecContext(d.t.Context(), statement, args...)
	require.NoError(d.t, err)
}

// record keeps a new request for a server and returns its id.
func (d *database) record(server int64) string {
	d.t.Helper()
	recorded, err := d.journal.Record(d.t.Context(), recordOf(server))
	require.NoError(d.t, err)
	return recorded.Request.ID
}

func recordOf(server int64) cancellation.Record {
	r := cancellation.Request{
		ID: "request-" + strconv.FormatInt(server, 10), Ref: cancellation.NewReference(),
		Format: cancellation.Format, State: cancellation.Scheduled,
	}
	r.Submission.Card.Server.ID = server
	return cancellation.Record{Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted, To: cancellation.Scheduled}}
}

func (d *database) readyz() (status int, answer readiness) {
	d.t.Helper()
	recorder := httptest.NewRecorder()
	d.admin.ServeHTTP(recorder, httptest.NewRequestWithContext(d.t.Context(), http.MethodGet, "/readyz", nil))
	require.NoError(d.t, json.Unmarshal(recorder.Body.Bytes(), &answer))
	return recorder.Code, answer
}
