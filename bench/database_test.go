//go:build bench

package bench

import (
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// openDatabase opens a database beside the process that serves from it, or as that
// process does: one connection, every commit synced.
func openDatabase(databaseURL string) (*sql.DB, error) {
	driver, name := "pgx", databaseURL
	if path, isFile := strings.CutPrefix(databaseURL, "sqlite:"); isFile {
		driver = "sqlite"
		name = "file:" + path + "?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_txlock=immediate"
	}
	db, err := sql.Open(driver, name)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// inDatabase does something with a database and closes it.
func (l *lab) inDatabase(databaseURL string, do func(db *sql.DB) error) {
	db, err := openDatabase(databaseURL)
	require.NoError(l, err)
	defer db.Close()
	require.NoError(l, do(db))
}

// execute runs statements on a database.
func (l *lab) execute(databaseURL string, statements ...string) {
	l.inDatabase(databaseURL, func(db *sql.DB) error {
		for _, statement := range statements {
			if _, err := db.ExecContext(l.Context(), statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
}

func (l *lab) installationKey(databaseURL string) (key []byte) {
	l.inDatabase(databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(l.Context(), `select hmac_key from binding`).Scan(&key)
	})
	return key
}

// requireSameRows holds the floor to writing what the bot writes.
func requireSameRows(l *lab, bots, floors string) {
	bot, floor := readWritten(l, bots), readWritten(l, floors)
	require.InEpsilon(l, bot.texts, floor.texts, 0.01, "the floor's rows are as long as the bot's")
	require.Equal(l, [2]int{bot.requests, bot.requests}, [2]int{bot.events, bot.notices})
	require.Equal(l, [2]int{floor.requests, floor.requests}, [2]int{floor.events, floor.notices})
	require.Equal(l, bot.requests, floor.requests, "as many rows")
}

// written is how many requests there are, and how long the texts of one are.
type written struct {
	requests, events, notices int
	texts                     float64
}

func readWritten(l *lab, databaseURL string) (w written) {
	l.inDatabase(databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(l.Context(), `select r.n, e.n, c.n, r.texts + e.texts + c.texts from
			(select count(*) as n, avg(length(id || short_ref || ref || submission || decision)) as texts from requests) as r,
			(select count(*) as n, avg(length(request_id || kind || actor || from_state || to_state || detail)) as texts from events where seq = 1) as e,
			(select count(*) as n, avg(length(request_id || kind || place || response_url)) as texts from notices) as c`).
			Scan(&w.requests, &w.events, &w.notices, &w.texts)
	})
	return w
}

// clear empties the tables of requests and takes what would be done beside their rows off.
func (l *lab) clear(databaseURL string) {
	if l.database == postgres {
		l.execute(databaseURL, `drop trigger requests_ring on requests`, `drop trigger notices_ring on notices`,
			`drop trigger events_stay_whole on events`, `truncate requests, events, notices cascade`)
		return
	}
	l.execute(databaseURL, `drop trigger events_keep_rows`, `drop trigger events_keep_content`, `drop trigger events_keep_others`, `drop trigger events_keep_seal`,
		`delete from followed`, `delete from notices`, `delete from events`, `delete from requests`)
}

// fill has the bot accept one request, and writes as many that have ended, and are like
// it: half of them filed, which still hold their servers.
func (l *lab) fill(databaseURL string, requests int) {
	model := l.accepting(databaseURL)
	model.turn(l, 1)
	model.end()
	words := []string{
		"RANDOM", "lower(hex(randomblob(32)))", "DIGITS", "printf('%08d', (i * 7368787) % 99999989)",
		"SERIES", fmt.Sprintf("(with recursive n(i) as (select 1 union all select i + 1 from n limit %d) select i from n) as n", requests),
	}
	var after []string
	if l.database == postgres {
		words = []string{
			"RANDOM", "encode(sha256(i::text::bytea), 'hex')", "DIGITS", "to_char((i * 7368787::bigint) % 99999989, 'FM00000000')",
			"SERIES", fmt.Sprintf("generate_series(1, %d) as n(i)", requests),
		}
		after = []string{`vacuum analyze requests`, `vacuum analyze events`, `vacuum analyze notices`}
	}
	l.execute(databaseURL, append([]string{strings.NewReplacer(words...).Replace(endedRequests), endedEvents, endedNotices}, after...)...)
	l.inDatabase(databaseURL, func(db *sql.DB) error {
		var count int
		err := db.QueryRowContext(l.Context(), `select count(*) from requests where state in ('filed', 'reclaimed') and due is null`).Scan(&count)
		require.GreaterOrEqual(l, count, requests, "the store is full")
		return err
	})
}

const (
	endedRequests = `insert into ` + requestColumns + `
		select RANDOM, DIGITS, ref, format, case when i % 2 = 0 then 'filed' else 'reclaimed' end, '', 4, 3, 10000000 + i,
			submission, decision, null, 0, 1, 0, 2, created_at, null, 0, 0, i, 'CS0000000', created_at, created_at, created_at
		from requests cross join SERIES`
	endedEvents = `insert into ` + eventColumns + `
		select id, seq, created_at, 'moved', 'a worker of some replica', 'filing', 'filed', ''
		from requests cross join (select 1 as seq union all select 2 union all select 3) as numbers
		where ticket_number = 'CS0000000'`
	endedNotices = `insert into ` + noticeColumns + `
		select requests.id, 'result', 3, place, '', null, 'C0BENCH', '1764000002.000100', 4, 'channel', 0, 1, 0, null, 4, null
		from requests cross join (select place from notices limit 1) as model
		where ticket_number = 'CS0000000'`
)
