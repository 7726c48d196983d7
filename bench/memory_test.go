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
