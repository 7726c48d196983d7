package store

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

// live is a PostgreSQL database that others use while this build migrates it.
type live struct {
	t   *testing.T
	at  string
	got chan error // of the migration
}

// liveAt is one of this version that has so many events.
func liveAt(t *testing.T, version int64, events int) *live {
	t.Helper()
	l := &live{t: t, at: postgrestest.SchemaFor(t, 2), got: make(chan error, 1)}
	l.upTo(21) // version 22 looks how many there are
	_, err := l.connect().Exec(t.Context(), fmt.Sprintf(eventSQL+`select 'r', n, 1, 'x', '', '', '', '' from generate_series(1, %d) as n`, events))
	require.NoError(t, err)
	l.upTo(version)
	return l
}

const eventSQL = `insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail) `

// upTo migrates the database so far.
func (l *live) upTo(version int64) {
	l.t.Helper()
	db, err := sql.Open("pgx", l.at)
	require.NoError(l.t, err)
	provider, err := migrationsOf(l.t.Context(), db, postgresDialect)
	require.NoError(l.t, err)
	_, err = provider.UpTo(l.t.Context(), version)
	require.NoError(l.t, err)
	require.NoError(l.t, db.Close())
}

// connect is another program's session, for which events need no requests.
func (l *live) connect() *pgx.Conn {
	l.t.Helper()
	conn, err := pgx.Connect(l.t.Context(), l.at)
	require.NoError(l.t, err)
	l.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(l.t.Context())) })
	_, err = conn.Exec(l.t.Context(), `set session_replication_role = replica`)
	require.NoError(l.t, err)
	return conn
}

// session is one in a transaction that has run a statement.
func (l *live) session(statement string) pgx.Tx {
	l.t.Helper()
	tx, err := l.connect().Begin(l.t.Context())
	require.NoError(l.t, err)
	_, err = tx.Exec(l.t.Context(), statement)
	require.NoError(l.t, err)
	return tx
}

// migrates begins the migration.
func (l *live) migrates() {
	go func() {
		s, err := Open(l.t.Context(), Options{URL: l.at})
		if err == nil {
			err = s.Close()
		}
		l.got <- err
	}()
}

// writesFor has somebody write events for so long, and returns how long the slowest took.
func (l *live) writesFor(d time.Duration) (slowest time.Duration) {
	l.t.Helper()
	conn := l.connect()
	_, err := conn.Exec(l.t.Context(), `set statement_timeout = '10s'`)
	require.NoError(l.t, err)
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		began := time.Now()
		_, err := conn.Exec(l.t.Context(), eventSQL+`select request_id, max(seq) + 1, 1, 'x', '', '', '', '' from events group by request_id`)
		require.NoError(l.t, err, "others write on")
		slowest = max(slowest, time.Since(began))
	}
	return slowest
}

// ends waits for the migration, and holds it to have made an index that is in use.
func (l *live) ends() {
	l.t.Helper()
	select {
	case err := <-l.got:
		require.NoError(l.t, err)
	case <-time.After(time.Minute):
		require.Fail(l.t, "the migration does not end")
	}
	assert.Equal(l.t, "true", l.value(validSQL))
}

const validSQL = `select indisvalid::text from pg_index where indexrelid = 'events_unsealed'::regclass`

func (l *live) value(query string) (text string) {
	l.t.Helper()
	require.NoError(l.t, l.connect().QueryRow(l.t.Context(), query).Scan(&text))
	return text
}

func TestMigrationWaitsWithoutHoldingUpWriters(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]struct {
		version int64
		events  int
		held    string // by another session meanwhile
	}{
		"somebody reads events while columns are added":    {21, 1, `select count(*) from events`},
		"somebody writes an event while the index is made": {27, 10_001, eventSQL + `values ('other', 1, 1, 'x', '', '', '', '')`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := liveAt(t, of.version, of.events)
			other := l.session(of.held)
			l.migrates()
			slowest := l.writesFor(4 * time.Second)
			assert.Less(t, slowest, migrationLock+time.Second)
			assert.Empty(t, l.got, "it waits for the other session")
			require.NoError(t, other.Commit(t.Context()))
			l.ends()
		})
	}
}

func TestIndexThatWasCutOffIsMadeAgain(t *testing.T) {
	t.Parallel()
	l := liveAt(t, 27, 10_001)
	other, conn := l.session(`lock table events in row exclusive mode`), l.connect()
	_, err := conn.Exec(t.Context(), `set statement_timeout = '300ms'`)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `create index concurrently events_unsealed on events (at) where position is null`)
	require.ErrorContains(t, err, "statement timeout")
	require.Equal(t, "false", l.value(validSQL))
	require.NoError(t, other.Rollback(t.Context()))

	l.migrates()
	l.ends()
}

func TestTryAfterCutOffIndexHoldsUpNobody(t *testing.T) {
	t.Parallel()
	l := liveAt(t, 27, 10_001)
	other := l.session(eventSQL + `values ('other', 1, 1, 'x', '', '', '', '')`)
	l.migrates()
	cutOff := `select count(pg_cancel_backend(pid))::text from pg_stat_activity
		where query like 'create index concurrently if not exists events_unsealed%' and wait_event_type = 'Lock'
			and pid in (select pid from pg_locks where relation = 'events'::regclass)`
	require.Eventually(t, func() bool { return l.value(cutOff) == "1" }, 10*time.Second, 20*time.Millisecond)
	assert.Less(t, l.writesFor(4*time.Second), migrationLock+time.Second)
	require.NoError(t, other.Commit(t.Context()))
	l.ends()
}

// ask adds so many requests, which say nothing.
func (l *live) ask(requests int) {
	l.t.Helper()
	_, err := l.connect().Exec(l.t.Context(), fmt.Sprintf(`
		insert into requests select (jsonb_populate_record(null::requests, empty.row ||
				jsonb_build_object('id', n::text, 'short_ref', n::text, 'server_id', n, 'requester', n::text))).*
			from generate_series(1, %d) as n, (select jsonb_object_agg(column_name, case data_type when 'bigint' then to_jsonb(0) else to_jsonb(text '') end) as row
				from information_schema.columns where table_schema = current_schema() and table_name = 'requests') as empty`, requests))
	require.NoError(l.t, err)
}

func TestIndexOfManyRequestsIsMadeConcurrently(t *testing.T) {
	t.Parallel()
	const valid = `select coalesce((select indisvalid::text from pg_index where indexrelid = to_regclass('requests_batch')), 'none')`
	for requests, made := range map[int]string{10_000: "true", 10_001: "none"} {
		l := liveAt(t, 32, 1)
		l.ask(requests)
		l.upTo(33)
		assert.Equal(t, made, l.value(valid), "of %d requests, by version 33", requests)
		if made == "none" { // one that was cut off
			other, conn := l.session(`lock table requests in row exclusive mode`), l.connect()
			_, err := conn.Exec(t.Context(), `set statement_timeout = '300ms'`)
			require.NoError(t, err)
			_, err = conn.Exec(t.Context(), `create index concurrently requests_batch on requests (batch)`)
			require.ErrorContains(t, err, "statement timeout")
			require.Equal(t, "false", l.value(valid))
			require.NoError(t, other.Rollback(t.Context()))
		}
		l.migrates()
		l.ends()
		assert.Equal(t, "true", l.value(valid))
		assert.Contains(t, l.value(`select pg_get_indexdef('requests_batch'::regclass)`), "(batch, batch_row)")
	}
}

func TestOrderDuringTheMigrationBecomesAnEvent(t *testing.T) {
	t.Parallel()
	const (
		orderSQL = `insert into filing_orders (at, frozen, actor, why, number, refused) `
		before   = 30_000 // copying them takes long enough for others to come
	)
	l := liveAt(t, 21, 1)
	conn, err := pgx.Connect(t.Context(), l.at) // whose triggers fire
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), fmt.Sprintf(orderSQL+`select 1, 1, 'operator:root', repeat('a', 100), n, '' from generate_series(1, %d) as n`, before))
	require.NoError(t, err)
	l.migrates()
	for len(l.got) == 0 {
		_, err := conn.Exec(t.Context(), orderSQL+`values (2, 0, 'operator:root', 'b', 0, '')`)
		require.NoError(t, err)
	}
	l.ends()
	orders := l.value(`select count(*)::text from filing_orders`)
	assert.Equal(t, orders, l.value(`select count(*)::text from deployment_events`))
	assert.Equal(t, orders, l.value(`select deployment::text from audit_log`))
}

func TestIndexOfManyEventsIsMadeConcurrently(t *testing.T) {
	t.Parallel()
	for events, made := range map[int]string{10_000: "true", 10_001: "false"} {
		l := liveAt(t, 21, events)
		l.upTo(27)
		assert.Equal(t, made, l.value(`select (to_regclass('events_unsealed') is not null)::text`), "of %d events, by version 22", events)
		l.migrates()
		l.ends()
	}
}
