//go:build unix

package seals_test

import (
	"flag"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/postgrestest"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

var events = flag.Int("events", 1_000_000, "how many events BenchmarkVerify verifies")

// BenchmarkVerify shows how long bot audit verify takes for a million events: ten seconds at most.
func BenchmarkVerify(b *testing.B) {
	for name, o := range map[string]func(b *testing.B) store.Options{
		"sqlite":   func(b *testing.B) store.Options { return store.Options{Path: storetest.File(b)} },
		"postgres": func(b *testing.B) store.Options { return store.Options{URL: postgrestest.Schema(b)} },
	} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, o(b))
			w.fills(*events / eventsOfEach)
			began := time.Now()
			w.seals()
			sealed := float64(*events) / time.Since(began).Seconds()
			reading := w.reading()
			before := spent(b)
			for b.Loop() {
				r, said := verified(b, reading, nil)
				require.True(b, r.Good(), said)
				require.GreaterOrEqual(b, r.Sealed, int64(*events))
			}
			b.ReportMetric((spent(b)-before).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(sealed, "sealed/s")
		})
	}
}

// spent is the processor time of this process, which a busy machine does not change much.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// eventsOfEach is how many events each request has, with texts as long as those that events have.
const eventsOfEach = 5

// fills adds so many requests that have ended.
func (w *world) fills(requests int) {
	w.t.Helper()
	model := w.asked(1)
	rows, err := w.raw.QueryContext(w.t.Context(), `select * from requests limit 0`)
	require.NoError(w.t, err)
	columns, err := rows.Columns()
	require.NoError(w.t, err)
	require.NoError(w.t, rows.Close())
	id, series := `printf('%08x%056d', (n * 2654435761) % 4294967296, n)`, `(with recursive s(n) as (select 1 union all select n + 1 from s limit %d) select n from s) as s`
	if w.options.URL != "" {
		id, series = `lpad(to_hex((n * 2654435761) % 4294967296), 8, '0') || lpad(n::text, 56, '0')`, `(select n::bigint from generate_series(1, %d) as g(n)) as s`
	}
	values := strings.Join(columns, ", ")
	for column, value := range map[string]string{
		"id": id, "short_ref": `'E' || n`, "server_id": `1000 + n`, "state": `'reverted'`, "due": "null", "quota_slot": "null", "events": fmt.Sprint(eventsOfEach),
		"salt": `'0123456789abcdef0123456789abcdef'`, "submission": `replace(submission, '"Server":{"ID":1,', '"Server":{"ID":' || (1000 + n) || ',')`,
	} {
		values = strings.Replace(", "+values+",", ", "+column+",", ", "+value+",", 1)
		values = strings.Trim(values, ", ")
	}
	w.does(
		`insert into requests (` + strings.Join(columns, ", ") + `) select ` + values + ` from requests cross join ` + fmt.Sprintf(series, requests) + ` where id = '` + model + `'`,
	)
	w.first(model)
	w.does(
		`insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail)
			select id, n + 1, created_at + server_id * 10 + n, 'moved', 'bot-7f9c/17/3hq2k1', 'scheduled', 'filing', 'ticket 153572280: SoftLayer answered after 1.2 s' || id
			from requests cross join ` + fmt.Sprintf(series, eventsOfEach-1) + ` where id <> '` + model + `'`,
	)
	if w.options.URL != "" {
		w.does(`analyze`)
	}
	w.pass(24 * time.Hour)
}

// first adds the first event of each request but one, which holds its row to the log.
func (w *world) first(model string) {
	w.t.Helper()
	const together = 500
	policy := w.policy("permit")
	after := ""
	for {
		rows, err := w.raw.QueryContext(w.t.Context(), `select id, salt, short_ref, ref, server_id, requester, created_at, batch, batch_row, submission
			from requests where id <> $1 and id > $2 order by id limit $3`, model, after, together)
		require.NoError(w.t, err)
		var places []string
		var args []any
		for rows.Next() {
			var r audit.Row
			var at int64
			require.NoError(w.t, rows.Scan(&after, &r.Salt, &r.Short, &r.Ref, &r.Server, &r.Requester, &at, &r.Batch, &r.Place, &r.Submission))
			r.At = time.UnixMilli(at)
			n := len(args)
			places = append(places, fmt.Sprintf(`($%d, 1, $%d, 'submitted', 'T0/U0ANA', '', 'scheduled', $%d)`, n+1, n+2, n+3))
			args = append(args, after, at+r.Server*10, audit.WithRow(`{"Rule":"ops-cancel","Effect":"allowed","Policy":"`+policy+`"}`, r))
		}
		require.NoError(w.t, rows.Err())
		if len(places) == 0 {
			return
		}
		_, err = w.raw.ExecContext(w.t.Context(), `insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail)
			values `+strings.Join(places, ", "), args...)
		require.NoError(w.t, err)
	}
}
