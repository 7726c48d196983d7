//go:build bench

package bench

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkStart measures the time from the start of a process to its first
// acknowledged command: of the bot with the database of its last run, of the bot
// with none, and of the slack-go floor.
func benchmarkStart(b *testing.B, built string) {
	v, kept := newVendors(b), b.TempDir()
	path := filepath.Join(b.TempDir(), "views.open.json")
	startOnce(b, v.bot(built, kept))
	require.NoError(b, os.WriteFile(path, *v.last.Load(), 0o600))

	var again, first, floor []time.Duration
	for b.Loop() {
		for range rounds {
			again = append(again, startOnce(b, v.bot(built, kept)))
			floor = append(floor, startOnce(b, v.floor(b, slackGo, path)))
			first = append(first, startOnce(b, v.bot(built, b.TempDir())))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(milliseconds(median(again)), "bot-ms")
	b.ReportMetric(milliseconds(median(first)), "bot-new-database-ms")
	b.ReportMetric(milliseconds(median(floor)), slackGo+"-ms")
}

func startOnce(b *testing.B, p program) time.Duration {
	b.Helper()
	child := launch(b, p)
	took := child.awaitAck(b, newSender(b))
	child.end()
	return took
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
