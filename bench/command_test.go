//go:build bench

package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// benchmarkCommand measures the processor time of a command in the bot's process and
// in those of the floors, in turns, so that what else the machine does meets all
// three. The ratios are medians of the rounds' ratios.
func benchmarkCommand(b *testing.B, built string, connections int) {
	requireProc(b)
	const perRound, warmUp = 400, 1000
	v, s := newVendors(b), newSender(b)
	contenders := v.contenders(b, s, built)
	for _, c := range contenders {
		s.hammer(b, c, connections, warmUp)
	}
	opened := v.opened.Load()
	spent := map[string][]time.Duration{}
	for b.Loop() {
		for range rounds {
			for _, c := range contenders {
				before := c.cpuTime(b)
				s.hammer(b, c, connections, perRound)
				spent[c.name] = append(spent[c.name], (c.cpuTime(b)-before)/perRound)
			}
		}
	}
	sent := len(spent["bot"]) * perRound * len(contenders)
	require.EqualValues(b, sent, v.opened.Load()-opened, "each command opened a modal")
	b.ReportMetric(0, "ns/op") // of a whole measurement: it says nothing
	for name, each := range spent {
		b.ReportMetric(float64(median(each))/1e3, name+"-cpu-µs")
	}
	b.ReportMetric(medianRatio(spent["bot"], spent[slackGo]), "bot/slack-go")
	b.ReportMetric(medianRatio(spent["bot"], spent[netHTTP]), "bot/net-http")
}

// contenders starts the bot, and the floors with the request that it makes of Slack.
func (v *vendors) contenders(b *testing.B, s *sender, built string) []*process {
	b.Helper()
	bot := launch(b, v.bot(built, b.TempDir()))
	bot.awaitAck(b, s)
	require.NoError(b, s.command(bot.url)) // with everything known about the person, as most are
	opens := *v.last.Load()
	path := filepath.Join(b.TempDir(), "views.open.json")
	require.NoError(b, os.WriteFile(path, opens, 0o600))

	contenders := []*process{bot}
	for _, name := range []string{slackGo, netHTTP} {
		floor := launch(b, v.floor(b, name, path))
		floor.awaitAck(b, s)
		v.requireSameView(b, name, opens)
		contenders = append(contenders, floor)
	}
	return contenders
}

func median[T int64 | float64 | time.Duration](values []T) T { return quantile(values, 0.5) }

// quantile is the value that the share q of the values does not exceed.
func quantile[T int64 | float64 | time.Duration](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func medianRatio(over, under []time.Duration) float64 {
	ratios := make([]float64, len(over))
	for i := range over {
		ratios[i] = float64(over[i]) / float64(under[i])
	}
	return median(ratios)
}
