package store

import (
	"context"
	"errors"
	flags "flag"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

// rowsLike are copies of one request and of its notice, with other values in these columns. ID is a
// copy's id, as random as a hash, and N its number.
type rowsLike struct {
	short           string // the first letter of their short references
	request, notice map[string]string
}

var (
	ended = rowsLike{"E", map[string]string{
		"server_id": "10000000 + N", "state": "case when N % 2 = 0 then 'filed' else 'reclaimed' end", "due": "null",
		"ends_at": "LATER + N", "version": "4", "posts": "1", "requester": "'T0/U' || N",
	}, map[string]string{
		"shown": "4", "owed": "4", "owed_at": "null", "due": "null", "response_url": "''", "response_url_until": "null",
	}}
	waits = rowsLike{"W", map[string]string{
		"server_id": "20000000 + N", "state": "'pending'", "due": "LATER + N",
	}, map[string]string{
		"owed_at": "LATER + N", "due": "LATER + N", "response_url": "''", "response_url_until": "null",
	}}
)

// fill adds copies to a database, some that have ended and some that wait for later, as one of each
// was recorded.
func fill(t testing.TB, s *Store, history, backlog int) {
	t.Helper()
	model := recorded(t, s, 1)
	for _, some := range []struct {
		rowsLike
		n int
	}{{ended, history}, {waits, backlog}} {
		some.request["id"], some.request["short_ref"] = "ID", "'"+some.short+"' || N"
		some.notice["request_id"] = "ID"
		execute(t, s, s.dialect.copies("requests", insertedColumns.names(), some.rowsLike, some.request, some.n)+`id = '`+model.ID+`'`)
		execute(t, s, s.dialect.copies("notices", insertedNoticeColumns.names(), some.rowsLike, some.notice, some.n)+`request_id = '`+model.ID+`'`)
	}
	execute(t, s, `update requests set state = 'reverted', due = null where id = '`+model.ID+`'`)
	execute(t, s, `update notices set due = null, owed_at = null, response_url_until = null where request_id = '`+model.ID+`'`)
	if s.dialect == postgresDialect {
		execute(t, s, `analyze requests`, `analyze notices`)
	}
}

// copies is a statement that copies the row of a table for which its end holds.
func (d dialect) copies(table, columns string, like rowsLike, values map[string]string, n int) string {
	id, series := `printf('%08x'||'`+like.short+`%055d', (n * 2654435761) % 4294967296, n)`,
		fmt.Sprintf(`(with recursive s(n) as (select 1 union all select n + 1 from s limit %d) select n from s) as s`, n)
	if d == postgresDialect {
		id, series = `lpad(to_hex((n * 2654435761) % 4294967296), 8, '0') || '`+like.short+`' || lpad(n::text, 55, '0')`,
			fmt.Sprintf(`(select n::bigint from generate_series(1, %d) as g(n)) as s`, n)
	}
	later := strconv.FormatInt(newHands().time().Add(time.Hour).UnixMilli(), 10)
	var taken []string
	for _, column := range strings.Split(columns, ", ") {
		value, given := values[column]
		if !given {
			value = column
		}
		taken = append(taken, strings.NewReplacer("ID", id, "LATER", later, "N", "n").Replace(value))
	}
	return `insert into ` + table + ` (` + columns + `) select ` + strings.Join(taken, ", ") + ` from ` + table + ` cross join ` + series + ` where `
}

// execute runs statements that may take as long as they need.
func execute(t testing.TB, s *Store, statements ...string) {
	t.Helper()
	tx, err := s.write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	if s.dialect == postgresDialect {
		statements = append([]string{`set local statement_timeout = 0`}, statements...)
	}
	for _, text := range statements {
		_, err := tx.ExecContext(t.Context(), text)
		require.NoError(t, err, text)
	}
	require.NoError(t, tx.Commit())
}

// BenchmarkScale measures what is asked again and again, beside history and backlog and
// without. Each question is asked of both stores in turn.
//
//	go test ./internal/store -run '^$' -bench Scale -benchtime 1x -timeout 30m
func BenchmarkScale(b *testing.B) {
	for name, fresh := range map[string]func(*testing.B) Options{
		"sqlite":   func(b *testing.B) Options { return Options{Path: filepath.Join(b.TempDir(), "bot.db")} },
		"postgres": func(b *testing.B) Options { return Options{URL: postgrestest.Schema(b)} },
	} {
		b.Run(name, func(b *testing.B) {
			small, large := fresh(b), fresh(b)
			clock := newHands()
			small.Clock, large.Clock, small.Mode, large.Mode = clock.time, clock.time, Serve, Serve
			full := open(b, large)
			began := time.Now()
			fill(b, full, *history, *backlog)
			b.Logf("filled in %v", time.Since(began))
			compare(b, open(b, small), full)
			b.ReportMetric(0, "ns/op") // of all of it: it says nothing
		})
	}
}

func compare(b *testing.B, empty, full *Store) {
	server := int64(100)
	for _, q := range []struct {
		name string
		ask  func(ctx context.Context, s *Store) error
	}{
		{"overdue", func(ctx context.Context, s *Store) error {
			_, err := s.Overdue(ctx, cancellation.OverdueAge, cancellation.Request{}, 100)
			return err
		}},
		{"request-look", func(ctx context.Context, s *Store) error { _, err := s.look(ctx, requestWork); return err }},
		{"notice-look", func(ctx context.Context, s *Store) error { _, err := s.look(ctx, noticeWork); return err }},
		{"under-way", func(ctx context.Context, s *Store) error { _, err := s.UnderWay(ctx); return err }},
		{"accept", func(ctx context.Context, s *Store) error {
			server++
			_, err := s.Record(ctx, asking(server))
			return err
		}},
		{"accept-64", func(ctx context.Context, s *Store) error {
			errs := make(chan error, 64)
			for range cap(errs) {
				server++
				rec := asking(server)
				go func() { _, err := s.Record(ctx, rec); errs <- err }()
			}
			var all error
			for range cap(errs) {
				all = errors.Join(all, <-errs)
			}
			return all
		}},
		{"start", startAgain},
	} {
		var took [2][]time.Duration
		begun := time.Now()
		for turn := 0; turn < 101 && (turn < 4 || time.Since(begun) < 20*time.Second); turn++ {
			for i, s := range []*Store{empty, full} {
				began := time.Now()
				require.NoError(b, q.ask(b.Context(), s), q.name)
				if turn > 0 { // the first warms up
					took[i] = append(took[i], time.Since(began))
				}
			}
		}
		one, other := middle(took[0]), middle(took[1])
		b.ReportMetric(float64(one.Microseconds())/1e3, q.name+"-small-ms")
		b.ReportMetric(float64(other.Microseconds())/1e3, q.name+"-large-ms")
		b.ReportMetric(float64(other)/float64(one), q.name+"-ratio")
	}
}

// startAgain does what a start of the bot does on SQLite, or a restart of the server on PostgreSQL.
func startAgain(ctx context.Context, s *Store) error {
	if s.dialect == sqliteDialect {
		return s.resume(ctx, 0)
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = recheck(ctx, tx, readOnce, time.Time{})
	return errors.Join(err, tx.Commit())
}

func middle(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)/2]
}

var (
	history = flags.Int("history", 1_000_000, "requests that have ended, in BenchmarkScale")
	backlog = flags.Int("backlog", 100_000, "requests that wait for later, in BenchmarkScale")
)
