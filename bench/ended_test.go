//go:build bench

package bench

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkEnded measures whether requests that have ended make anything slower: a new
// one, and a start. A bot with a full store and one with an empty one take turns.
func benchmarkEnded(b *testing.B, built string) {
	ended := 100_000
	if *full {
		ended = 1_000_000
	}
	onBoth(b, func(b *testing.B, fresh func(*testing.B) string) {
		v, s := newVendors(b), newSender(b)
		fulls, none := fresh(b), fresh(b)
		v.fill(b, s, built, fulls, ended)
		stores := []*accepting{v.accepting(b, s, built, fulls), v.accepting(b, s, built, none)}
		one, crowd, starts := ratios{}, ratios{}, ratios{}
		for b.Loop() {
			one.measure(func(i int) time.Duration { return stores[i].turn(b, 1, 100) })
			crowd.measure(func(i int) time.Duration { return stores[i].turn(b, maxConnections, 1000) })
			for _, bot := range stores {
				bot.end()
			}
			starts.measure(func(i int) time.Duration { return startOnce(b, v.botOn(built, b.TempDir(), stores[i].databaseURL)) })
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(ended), "ended")
		for name, r := range map[string]ratios{"1-client": one, "64-clients": crowd, "start": starts} {
			b.ReportMetric(r.times(), name+"-full/empty")
		}
		b.ReportMetric(milliseconds(median(starts[0])), "start-full-ms")
	})
}

// turn has some clients submit, and says how long each submission took of the turn.
func (a *accepting) turn(b *testing.B, clients, submissions int) time.Duration {
	b.Helper()
	if a.crowd == nil || len(a.crowd.clients) != clients {
		a.connect(b, clients)
	}
	return a.submit(b, submissions)
}

// ratios are the measurements of two that take turns.
type ratios [2][]time.Duration

func (r *ratios) measure(once func(which int) time.Duration) {
	const turns = 7
	for range turns {
		for which := range r {
			r[which] = append(r[which], once(which))
		}
	}
}

// times is how many times as much the first one takes.
func (r *ratios) times() float64 { return medianRatio(r[0], r[1]) }

// fill has the bot accept one request, and writes as many that have ended, and are like
// it: half of them filed, which still hold their servers.
func (v *vendors) fill(b *testing.B, s *sender, built, databaseURL string, requests int) {
	b.Helper()
	model := v.accepting(b, s, built, databaseURL)
	model.sample(b)
	model.end()
	words := strings.NewReplacer(
		"RANDOM", "encode(sha256(i::text::bytea), 'hex')", "DIGITS", "to_char((i * 7368787::bigint) % 99999989, 'FM00000000')",
		"SERIES", fmt.Sprintf("generate_series(1, %d) as n(i)", requests),
	)
	after := []string{`vacuum analyze requests`, `vacuum analyze events`, `vacuum analyze notices`}
	if strings.HasPrefix(databaseURL, "sqlite:") {
		words = strings.NewReplacer(
			"RANDOM", "lower(hex(randomblob(32)))", "DIGITS", "printf('%08d', (i * 7368787) % 99999989)",
			"SERIES", fmt.Sprintf("(with recursive n(i) as (select 1 union all select i + 1 from n limit %d) select i from n) as n", requests),
		)
		after = nil
	}
	inDatabase(b, databaseURL, func(db *sql.DB) error {
		for _, statement := range append([]string{endedRequests, endedEvents, endedNotices}, after...) {
			if _, err := db.ExecContext(b.Context(), words.Replace(statement)); err != nil {
				return fmt.Errorf("writing ended requests: %w", err)
			}
		}
		var count int
		err := db.QueryRowContext(b.Context(), `select count(*) from requests where state in ('filed', 'reclaimed') and due is null`).Scan(&count)
		require.GreaterOrEqual(b, count, requests, "the store is full")
		return err
	})
}

const (
	endedRequests = `
		insert into requests (id, short_ref, ref, format, state, reason_detail, version, events, server_id, submission, decision, due,
			attempts, posts, lost_posts, posts_allowed, not_after, clean_since, evidence, recheck, ticket_id, ticket_number,
			created_at, state_at, updated_at)
		select RANDOM, DIGITS, ref, format, case when i % 2 = 0 then 'filed' else 'reclaimed' end, '', 4, 3, 10000000 + i,
			submission, decision, null, 0, 1, 0, 2, created_at, null, 0, 0, i, 'CS0000000', created_at, created_at, created_at
		from requests cross join SERIES`
	endedEvents = `
		insert into events (request_id, seq, at, kind, actor, from_state, to_state, detail)
		select id, seq, created_at, 'moved', 'a worker of some replica', 'filing', 'filed', ''
		from requests cross join (select 1 as seq union all select 2 union all select 3) as numbers
		where ticket_number = 'CS0000000'`
	endedNotices = `
		insert into notices (request_id, kind, version, place, response_url, response_url_until, channel, ts, shown, way, posting,
			posts, attempts, due, owed, owed_at)
		select requests.id, 'result', 3, place, '', null, 'C0BENCH', '1764000002.000100', 4, 'channel', 0, 1, 0, null, 4, null
		from requests cross join (select place from notices limit 1) as model
		where ticket_number = 'CS0000000'`
)
