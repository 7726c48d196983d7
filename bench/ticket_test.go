//go:build bench

package bench

import (
	"testing"
	"time"
)

// benchmarkTicket measures what the bot puts between a submission and its ticket: from
// when a submission was sent to when its POST came in at a SoftLayer that answers at
// once, less the time that the reads before it spent there. There is one at a time.
func benchmarkTicket(b *testing.B, built string) {
	const submissions = 100
	onBoth(b, func(b *testing.B, fresh func(*testing.B) string) {
		v, s := newVendors(b), newSender(b)
		bot := v.accepting(b, s, built, fresh(b))
		bot.connect(b, 1)
		v.ticket(b, bot) // which warms up
		bot.took = nil
		var filed []time.Duration
		for b.Loop() {
			for range submissions {
				filed = append(filed, v.ticket(b, bot))
			}
		}
		b.ReportMetric(0, "ns/op")
		for name, each := range map[string][]time.Duration{"acknowledged": bot.took, "ticket": filed} {
			b.ReportMetric(milliseconds(quantile(each, 0.5)), name+"-p50-ms")
			b.ReportMetric(milliseconds(quantile(each, 0.99)), name+"-p99-ms")
		}
	})
}

// ticket makes one submission, and waits until its result was told, so that the next
// one meets no work.
func (v *vendors) ticket(b *testing.B, bot *accepting) time.Duration {
	b.Helper()
	sent, read := time.Now(), v.softlayer.reading.Load()
	bot.submit(b, 1)
	came := within20s(b, v.softlayer.posts, "no POST came of a submission; the bot said:\n%s", bot.said)
	read = v.softlayer.reading.Load() - read
	within20s(b, v.told, "nothing was told of a submission; the bot said:\n%s", bot.said)
	return came.Sub(sent) - time.Duration(read)
}
