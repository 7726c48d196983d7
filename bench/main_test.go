//go:build bench

package bench

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"cancel-server/internal/cleanroom"
	"cancel-server/internal/postgrestest"

	"github.com/stretchr/testify/require"
)

var full = flag.Bool("full", false, "measure memory over 100,000 requests, and next to 1,000,000 that have ended; else a tenth of each")

// TestMain makes this binary one of the floors where the environment names one.
func TestMain(m *testing.M) {
	if name := os.Getenv(floorSetting); name != "" {
		os.Exit(runFloor(name))
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
	{"start", []string{sqlite}, (*lab).starts},
	{"accepted/clients=1", both, func(l *lab) { l.accepted(1) }},
	{"accepted/clients=16", both, func(l *lab) { l.accepted(16) }},
	{"accepted/clients=64", both, func(l *lab) { l.accepted(64) }},
	{"accepted/replicas=3", []string{postgres}, (*lab).acceptedByThree},
	{"ticket", both, (*lab).tickets},
	{"trips", []string{postgres}, (*lab).trips},
	{"ended", both, (*lab).ended},
	{"memory", both, (*lab).resident},
	{"typeahead/servers=1000", []string{sqlite}, func(l *lab) { l.keystrokes(1_000) }},
	{"typeahead/servers=10000", []string{sqlite}, func(l *lab) { l.keystrokes(10_000) }},
	{"typeahead/servers=100000", []string{sqlite}, func(l *lab) { l.keystrokes(100_000) }},
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
}

// BenchmarkBot builds the bot once and measures each case.
func BenchmarkBot(b *testing.B) {
	built := filepath.Join(b.TempDir(), "bot.exe")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-o", built, "cancel-server/cmd/bot").CombinedOutput()
	require.NoError(b, err, "building the bot: %s", out)
	for _, c := range cases {
		for _, database := range c.databases {
			b.Run(c.name+"/"+database, func(b *testing.B) {
				c.measure(&lab{B: b, vendors: newVendors(b), built: built, database: database})
				b.ReportMetric(0, "ns/op") // of a whole measurement: it says nothing
			})
		}
	}
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

// reportTimes reports the median and the 99th percentile.
func (l *lab) reportTimes(name string, took []time.Duration) {
	l.ReportMetric(milliseconds(median(took)), name+"p50-ms")
	l.ReportMetric(milliseconds(quantile(took, 0.99)), name+"p99-ms")
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
