//go:build bench

package bench

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

// benchmarkAccepted measures submissions that are accepted: of the bot, which files and
// tells what it accepted meanwhile, and of the floor that writes the same rows, in turns.
func benchmarkAccepted(b *testing.B, built string) {
	onBoth(b, func(b *testing.B, fresh func(*testing.B) string) {
		for _, clients := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { acceptedBeside(b, built, fresh, clients) })
		}
	})
	b.Run("postgres/replicas=3", func(b *testing.B) { acceptedByThree(b, built) })
}

// acceptedByThree measures submissions to three replicas of one database, each from a
// third of the clients.
func acceptedByThree(b *testing.B, built string) {
	v, s := newVendors(b), newSender(b)
	bot := v.accepting(b, s, built, postgrestest.Database(b))
	var others []*process
	for range 2 {
		other := launch(b, v.botOn(built, b.TempDir(), bot.databaseURL))
		other.awaitAck(b, s)
		others = append(others, other)
	}
	bot.connect(b, maxConnections, others...)
	bot.submit(b, 4*maxConnections) // which warms up
	bot.each, bot.took = nil, nil
	for b.Loop() {
		for range 7 {
			bot.submit(b, 100+8*maxConnections)
		}
	}
	b.ReportMetric(0, "ns/op")
	bot.report(b)
}

func acceptedBeside(b *testing.B, built string, fresh func(*testing.B) string, clients int) {
	const turns = 7
	v, s := newVendors(b), newSender(b)
	bot, floor := v.accepting(b, s, built, fresh(b)), v.acceptingFloor(b, s, built, fresh(b))
	contenders := []*accepting{bot, floor}
	for _, c := range contenders {
		c.connect(b, clients)
		c.submit(b, 4*clients) // which warms up
		c.each, c.took = nil, nil
	}
	for b.Loop() {
		for range turns {
			for _, c := range contenders {
				c.submit(b, 100+8*clients)
			}
		}
	}
	requireSameRows(b, bot.databaseURL, floor.databaseURL)
	b.ReportMetric(0, "ns/op")
	for _, c := range contenders {
		c.report(b)
	}
	b.ReportMetric(medianRatio(floor.each, bot.each), "bot/floor")
}

// accepting is a process that takes submissions, and what it took for them.
type accepting struct {
	*process
	form        *form
	databaseURL string
	crowd       *crowd

	each []time.Duration // of a submission, in each turn: the turn's time by their number
	took []time.Duration // of each submission
}

// accepting starts the bot on an empty database.
func (v *vendors) accepting(b *testing.B, s *sender, built, databaseURL string) *accepting {
	b.Helper()
	bot := launch(b, v.botOn(built, b.TempDir(), databaseURL))
	bot.awaitAck(b, s)
	return &accepting{process: bot, databaseURL: databaseURL, form: v.form(b, s, bot, databaseURL)}
}

// acceptingFloor starts the floor on an empty database, whose tables the bot made. Its
// triggers are no rows: they go.
func (v *vendors) acceptingFloor(b *testing.B, s *sender, built, databaseURL string) *accepting {
	b.Helper()
	made := v.accepting(b, s, built, databaseURL)
	path := filepath.Join(b.TempDir(), "sample.json")
	require.NoError(b, os.WriteFile(path, made.sample(b), 0o600))
	made.end()
	inDatabase(b, databaseURL, func(db *sql.DB) error { return clear(b, db, strings.HasPrefix(databaseURL, "postgres")) })
	self, err := os.Executable()
	require.NoError(b, err)
	floor := launch(b, program{name: bareStore, path: self, env: []string{
		floorSetting + "=" + bareStore, sampleSetting + "=" + path, "DATABASE_URL=" + databaseURL,
	}})
	floor.awaitAck(b, s)
	return &accepting{process: floor, databaseURL: databaseURL, form: made.form}
}

// sample has the bot accept one submission.
func (a *accepting) sample(b *testing.B) []byte {
	b.Helper()
	a.connect(b, 1)
	answer := a.crowd.first(b)
	like := sample{Answer: answer}
	inDatabase(b, a.databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(b.Context(), `select decision, detail from requests, events where id = request_id and seq = 1`).
			Scan(&like.Decision, &like.Rule)
	})
	text, err := json.Marshal(like)
	require.NoError(b, err)
	return text
}

// clear empties the tables of requests, and deletes the work that belongs to their rows.
func clear(b *testing.B, db *sql.DB, postgres bool) error {
	statements := []string{
		`drop trigger events_keep_rows`, `drop trigger events_keep_content`,
		`delete from notices`, `delete from events`, `delete from requests`,
	}
	if postgres {
		statements = []string{
			`drop trigger requests_ring on requests`, `drop trigger notices_ring on notices`, `truncate requests, events, notices`,
		}
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

func (a *accepting) connect(b *testing.B, clients int, more ...*process) {
	b.Helper()
	a.crowd = a.form.crowd(b, clients, append([]*process{a.process}, more...)...)
}

// submit is one turn, and returns how much of its time each submission took.
func (a *accepting) submit(b *testing.B, submissions int) time.Duration {
	b.Helper()
	v := a.crowd.submit(b, submissions)
	require.Zero(b, v.busy, "%s took every submission; it said:\n%s", a.name, a.said)
	each := v.elapsed / time.Duration(submissions)
	a.each, a.took = append(a.each, each), append(a.took, v.took...)
	return each
}

func (a *accepting) report(b *testing.B) {
	b.Helper()
	b.ReportMetric(float64(time.Second)/float64(median(a.each)), a.name+"/s")
	b.ReportMetric(milliseconds(quantile(a.took, 0.99)), a.name+"-p99-ms")
}

// requireSameRows holds the floor to writing what the bot writes.
func requireSameRows(b *testing.B, bots, floors string) {
	b.Helper()
	bot, floor := readWritten(b, bots), readWritten(b, floors)
	require.InEpsilon(b, bot.Texts, floor.Texts, 0.01, "the floor's rows are as long as the bot's")
	require.Equal(b, [2]int{bot.Requests, bot.Requests}, [2]int{bot.Events, bot.Notices})
	require.Equal(b, [2]int{floor.Requests, floor.Requests}, [2]int{floor.Events, floor.Notices})
	require.Equal(b, bot.Requests, floor.Requests, "as many rows")
}
