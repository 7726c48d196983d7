//go:build bench

package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

// benchmarkTrips counts the round trips to PostgreSQL: of a submission until its result was told
// and that is recorded, of a command that opens a form, and of a bot that has nothing to do. The
// last are in the first two as well.
func benchmarkTrips(b *testing.B, built string) {
	const times, quiet = 100, 3 * time.Second
	v, s := newVendors(b), newSender(b)
	wire := postgrestest.NewWire(b, postgrestest.Database(b))
	bot := v.accepting(b, s, built, wire.URL())
	bot.connect(b, 1)
	trips := func(do func()) float64 {
		before := wire.Trips()
		do()
		return float64(wire.Trips() - before)
	}
	for range 10 { // which prepares all statements
		v.ticket(b, bot)
		require.NoError(b, s.command(bot.url))
	}
	time.Sleep(quiet)
	for b.Loop() {
		b.ReportMetric(trips(func() { time.Sleep(quiet) })/quiet.Seconds(), "idle-trips/s")
		b.ReportMetric(trips(func() {
			for range times {
				require.NoError(b, s.command(bot.url))
			}
		})/times, "trips/command")
		b.ReportMetric(trips(func() {
			for range times {
				v.ticket(b, bot)
			}
			time.Sleep(50 * time.Millisecond) // the last result was told, and is recorded now
		})/times, "trips/submission")
	}
	b.ReportMetric(0, "ns/op")
}
