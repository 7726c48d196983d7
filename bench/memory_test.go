//go:build bench

package bench

import (
	"testing"
)

// benchmarkMemory measures the resident memory of the bot: idle, and while 64
// connections send commands as fast as they are answered. What it keeps about past
// commands is bounded, so that from half-way on little is added.
func benchmarkMemory(b *testing.B, built string) {
	requireProc(b)
	const perRound = 1000
	v, s := newVendors(b), newSender(b)
	bot := launch(b, v.bot(built, b.TempDir()))
	bot.awaitAck(b, s)
	idle := bot.memory(b, "VmRSS")
	var loaded []float64
	for b.Loop() {
		for range rounds {
			s.hammer(b, bot, maxConnections, perRound)
			loaded = append(loaded, bot.memory(b, "VmRSS"))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(idle, "idle-MB")
	b.ReportMetric(loaded[len(loaded)/2], "half-way-MB")
	b.ReportMetric(loaded[len(loaded)-1], "end-MB")
	b.ReportMetric(bot.memory(b, "VmHWM"), "peak-MB")
}

// benchmarkSubmissionMemory measures the resident memory of a bot that accepts, files and
// tells, over many requests; and then where more clients submit than it has places for,
// so that some are told to come again.
func benchmarkSubmissionMemory(b *testing.B, built string) {
	requireProc(b)
	requests := 10_000
	if *full {
		requests = 100_000
	}
	onBoth(b, func(b *testing.B, fresh func(*testing.B) string) {
		v, s := newVendors(b), newSender(b)
		bot := v.accepting(b, s, built, fresh(b))
		bot.connect(b, maxConnections)
		var after []float64 // each tenth of them
		for b.Loop() {
			for range 10 {
				for range requests / 1000 {
					bot.submit(b, 100)
				}
				after = append(after, bot.memory(b, "VmRSS"))
			}
		}
		const places = 256
		bot.connect(b, 2*places)
		saturated := bot.crowd.submit(b, 20*places)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(requests), "requests")
		b.ReportMetric(after[0], "tenth-MB")
		b.ReportMetric(after[len(after)/2], "half-way-MB")
		b.ReportMetric(after[len(after)-1], "end-MB")
		b.ReportMetric(bot.memory(b, "VmRSS"), "saturated-MB")
		b.ReportMetric(bot.memory(b, "VmHWM"), "peak-MB")
		b.ReportMetric(float64(saturated.busy)/(20*places), "told-to-come-again")
	})
}
