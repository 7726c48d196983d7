//go:build bench

package bench

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"cancel-server/internal/cleanroom"
	"cancel-server/internal/postgrestest"

	"github.com/stretchr/testify/require"
)

var (
	full  = flag.Bool("full", false, "measure memory over 100,000 requests, and next to 1,000,000 that have ended; otherwise a tenth of each")
	built = flag.String("bot", "", "path of a bot that is measured in place of this tree's")
	page  = flag.String("figures", "", "path of docs/figures.md, which is written again")
)

// TestMain makes this binary one of the floors where the environment names one.
func TestMain(m *testing.M) {
	if name := os.Getenv(floorSetting); name != "" {
		os.Exit(runFloor(name))
	}
	if name := os.Getenv(attackSetting); name != "" {
		runAttack(name, os.Getenv(targetSetting)) // until it is killed
	}
	cleanroom.Main(m)
}

// cases are all measurements. A case runs once for each of its databases.
var cases = []struct {
	name      string
	databases []string
	measure   func(*lab)
}{
	{"command/connections=1", []string{sqlite}, func(l *lab) { l.commands(1) }},
	{"command/connections=8", []string{sqlite}, func(l *lab) { l.commands(8) }},
	{"command/slack=2s", []string{sqlite}, (*lab).slowSlack},
	{"submission/whole", []string{sqlite}, (*lab).wholeWay},
	{"submission/paced", []string{sqlite}, (*lab).paced},
	{"start", []string{sqlite}, (*lab).starts},
	{"idle", []string{sqlite}, (*lab).idle},
	{"size", []string{sqlite}, (*lab).size},
	{"ready", []string{sqlite}, (*lab).ready},
	{"abuse/unsigned", []string{sqlite}, func(l *lab) { l.abuse("unsigned") }},
	{"abuse/big", []string{sqlite}, func(l *lab) { l.abuse("big") }},
	{"abuse/slow", []string{sqlite}, func(l *lab) { l.abuse("slow") }},
	{"abuse/sockets", []string{sqlite}, func(l *lab) { l.abuse("sockets") }},
	{"abuse/replays", []string{sqlite}, func(l *lab) { l.abuse("replays") }},
	{"verify", []string{sqlite}, (*lab).verify},
	{"typeahead/servers=100000", []string{sqlite}, func(l *lab) { l.keystrokes(100_000) }},
	{"typeahead/servers=10000", []string{sqlite}, func(l *lab) { l.keystrokes(10_000) }},
	{"typeahead/servers=1000", []string{sqlite}, func(l *lab) { l.keystrokes(1_000) }},
	{"submission/beyond", both, (*lab).beyond},
	{"submission/killed", both, (*lab).killed},
	{"ticket/replicas=1", both, func(l *lab) { l.tickets(1) }},
	{"ticket/replicas=3", []string{postgres}, func(l *lab) { l.tickets(3) }},
	{"trips", []string{postgres}, (*lab).trips},
	{"accepted/clients=1", both, func(l *lab) { l.accepted(1) }},
	{"accepted/clients=16", both, func(l *lab) { l.accepted(16) }},
	{"accepted/clients=64", both, func(l *lab) { l.accepted(64) }},
	{"accepted/clients=64/replicas=3", []string{postgres}, (*lab).acceptedByThree},
	{"lists", both, (*lab).lists},
	{"flat", both, (*lab).resident},
	{"ended", both, (*lab).ended},
}

const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

var both = []string{sqlite, postgres}

// lab is what a case measures with.
type lab struct {
	*testing.B
	*vendors
	built    string // path of the bot
	database string // sqlite or postgres
	table    *table

	typed atomic.Int64 // keystrokes so far
}

// BenchmarkBot builds the bot once, measures each case and prints the table.
func BenchmarkBot(b *testing.B) {
	bot := *built
	if bot == "" {
		bot = buildBot(b)
	}
	require.NoError(b, pinLoad())
	all := &table{}
	for _, c := range cases {
		for _, database := range c.databases {
			b.Run(c.name+"/"+database, func(b *testing.B) {
				c.measure(&lab{B: b, vendors: newVendors(b), built: bot, database: database, table: all})
				b.ReportMetric(0, "ns/op") // of a whole measurement: it says nothing
			})
		}
	}
	all.print(os.Stdout)
	if *page != "" {
		require.NoError(b, all.writeFigures(*page))
	}
	fmt.Println(map[bool]string{
		true:  "What is measured had one processor to itself; the load and the vendors had the others.",
		false: "All shared the same processors: there is one, or this system pins none.",
	}[pinned()])
}

// fresh makes an empty database and returns its DATABASE_URL.
func (l *lab) fresh() string {
	if l.database == postgres {
		return postgrestest.Database(l)
	}
	return "sqlite:" + filepath.Join(l.TempDir(), "requests.db")
}

// inTurns has each contender do its part in turn, again and again, so that what else the
// machine does meets all of them. It returns what each of them took in each turn.
func inTurns[T any](turns int, contenders []T, part func(T) time.Duration) [][]time.Duration {
	took := make([][]time.Duration, len(contenders))
	for range turns {
		for i, contender := range contenders {
			took[i] = append(took[i], part(contender))
		}
	}
	return took
}

func median[T float64 | time.Duration](values []T) T { return quantile(values, 0.5) }

// quantile is the value that the share q of the values does not exceed.
func quantile[T float64 | time.Duration](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// medianRatio is the median of the turns' ratios.
func medianRatio(over, under []time.Duration) float64 {
	ratios := make([]float64, len(over))
	for i := range over {
		ratios[i] = float64(over[i]) / float64(under[i])
	}
	return median(ratios)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func perSecond(each time.Duration) float64 { return float64(time.Second) / float64(each) }
