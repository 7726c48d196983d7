//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cancel-server/internal/postgrestest"

	"github.com/stretchr/testify/require"
)

const (
	rounds = 20 // of what is cheap
	turns  = 7  // of what is not
)

// commands measures the processor time of a command in the bot's process and in those of
// the floors.
func (l *lab) commands(connections int) {
	requireProc(l)
	const perRound, warmUp = 400, 1000
	bot := l.launch(l.bot(l.fresh()))
	bot.awaitAck(l)
	bot.awaitAck(l) // with everything known about the person, as most are
	opens := *l.last.Load()
	contenders := []*contender{l.commanding(bot, connections)}
	for _, name := range []string{slackGo, netHTTP} {
		floor := l.launch(l.floor(name, l.keepOpens(opens)))
		floor.awaitAck(l)
		l.requireSameView(name, opens)
		contenders = append(contenders, l.commanding(floor, connections))
	}
	for _, c := range contenders {
		forms := l.opened.Load()
		c.warmUp(l, warmUp)
		c.awaitForms(l, forms+warmUp)
	}
	opened := l.opened.Load()
	spent := inTurns(rounds, contenders, func(c *contender) time.Duration {
		before, forms := c.cpuTime(l), l.opened.Load()
		c.turn(l, perRound)
		c.awaitForms(l, forms+perRound)
		return (c.cpuTime(l) - before) / perRound
	})
	require.EqualValues(l, rounds*perRound*len(contenders), l.opened.Load()-opened, "each command opened a modal")
	for i, c := range contenders {
		l.ReportMetric(float64(median(spent[i]))/1e3, c.name+"-cpu-µs")
	}
	l.ReportMetric(medianRatio(spent[0], spent[1]), "bot/slack-go")
	l.ReportMetric(medianRatio(spent[0], spent[2]), "bot/net-http")
}

// keepOpens keeps a request to views.open in a file.
func (l *lab) keepOpens(request []byte) (path string) {
	path = filepath.Join(l.TempDir(), "views.open.json")
	require.NoError(l, os.WriteFile(path, request, 0o600))
	return path
}

// starts measures the time from the start of a process to its first acknowledged command:
// of the bot with the database of its last run, of the bot with none, and of a floor.
func (l *lab) starts() {
	kept := l.bot(l.fresh())
	l.startOnce(kept)
	floor := l.floor(slackGo, l.keepOpens(*l.last.Load()))
	took := inTurns(rounds, []func() program{
		func() program { return kept },
		func() program { return l.bot(l.fresh()) },
		func() program { return floor },
	}, func(next func() program) time.Duration { return l.startOnce(next()) })
	for i, name := range []string{"bot", "bot-new-database", slackGo} {
		l.ReportMetric(milliseconds(median(took[i])), name+"-ms")
	}
}

func (l *lab) startOnce(p program) time.Duration {
	child := l.launch(p)
	took := child.awaitAck(l)
	child.end()
	return took
}

// accepted measures submissions that are accepted: of the bot, which files and tells what
// it accepted meanwhile, and of the floor that writes the same rows.
func (l *lab) accepted(clients int) {
	bot, floor := l.accepting(l.fresh()), l.acceptingFloor(l.fresh())
	contenders := []*contender{bot, floor}
	for _, c := range contenders {
		c.connect(l, clients)
		c.warmUp(l, 4*clients)
	}
	each := inTurns(turns, contenders, func(c *contender) time.Duration { return c.turn(l, 100+8*clients) })
	requireSameRows(l, bot.databaseURL, floor.databaseURL)
	for i, c := range contenders {
		l.reportAccepted(c, each[i])
	}
	l.ReportMetric(medianRatio(each[1], each[0]), "bot/floor")
}

func (l *lab) reportAccepted(c *contender, each []time.Duration) {
	l.ReportMetric(float64(time.Second)/float64(median(each)), c.name+"/s")
	l.ReportMetric(milliseconds(quantile(c.took, 0.99)), c.name+"-p99-ms")
}

// acceptedByThree measures submissions to three replicas of one database, each from a
// third of the clients.
func (l *lab) acceptedByThree() {
	bot := l.accepting(l.fresh())
	var others []*process
	for range 2 {
		other := l.launch(l.bot(bot.databaseURL))
		other.awaitAck(l)
		others = append(others, other)
	}
	bot.connect(l, maxConnections, others...)
	bot.warmUp(l, 4*maxConnections)
	each := inTurns(turns, []*contender{bot}, func(c *contender) time.Duration { return c.turn(l, 100+8*maxConnections) })
	l.reportAccepted(bot, each[0])
}

// tickets measures what the bot puts between a submission and its ticket: from when a
// submission was sent to when its POST came in at a SoftLayer that answers at once, less
// the time that the reads before it spent there. There is one at a time.
func (l *lab) tickets() {
	const submissions = 100
	bot := l.accepting(l.fresh())
	l.ticket(bot) // which warms up
	bot.took = nil
	filed := inTurns(submissions, []*contender{bot}, l.ticket)
	l.reportTimes("acknowledged-", bot.took)
	l.reportTimes("ticket-", filed[0])
}

// ticket makes one submission, and waits until its result was told, so that the next one
// meets no work.
func (l *lab) ticket(bot *contender) time.Duration {
	sent, read := time.Now(), l.softlayer.reading.Load()
	bot.turn(l, 1)
	came := within20s(l, l.softlayer.posts, "no POST came of a submission; the bot said:\n%s", bot.said)
	read = l.softlayer.reading.Load() - read
	within20s(l, l.told, "nothing was told of a submission; the bot said:\n%s", bot.said)
	return came.Sub(sent) - time.Duration(read)
}

// ended measures whether requests that have ended make anything slower: a new one, and a
// start. A bot with a full store and one with an empty one take turns.
func (l *lab) ended() {
	ended := 100_000
	if *full {
		ended = 1_000_000
	}
	filled := l.fresh()
	l.fill(filled, ended)
	stores := []*contender{l.accepting(filled), l.accepting(l.fresh())}
	for _, clients := range []int{1, maxConnections} {
		for _, c := range stores {
			c.connect(l, clients)
		}
		each := inTurns(turns, stores, func(c *contender) time.Duration { return c.turn(l, 100+14*clients) })
		l.ReportMetric(medianRatio(each[0], each[1]), fmt.Sprintf("%d-clients-full/empty", clients))
	}
	for _, c := range stores {
		c.end()
	}
	starts := inTurns(turns, stores, func(c *contender) time.Duration { return l.startOnce(l.bot(c.databaseURL)) })
	l.ReportMetric(medianRatio(starts[0], starts[1]), "start-full/empty")
	l.ReportMetric(milliseconds(median(starts[0])), "start-full-ms")
	l.ReportMetric(float64(ended), "ended")
}

// resident measures the resident memory of a bot that accepts, files and tells, over many
// requests; and then where more clients submit than it has places for, so that some are
// told to come again.
func (l *lab) resident() {
	requireProc(l)
	requests := 10_000
	if *full {
		requests = 100_000
	}
	bot := l.accepting(l.fresh())
	time.Sleep(time.Second) // what the start leaves is given back
	l.ReportMetric(bot.memory(l, "VmRSS"), "idle-MB")
	bot.connect(l, maxConnections)
	var after []float64 // each tenth of them
	for range 10 {
		for range requests / 1000 {
			bot.turn(l, 100)
		}
		after = append(after, bot.memory(l, "VmRSS"))
	}
	const places = 256
	bot.connect(l, 2*places)
	saturated := bot.deliver(l, 20*places)
	l.ReportMetric(float64(requests), "requests")
	l.ReportMetric(after[0], "tenth-MB")
	l.ReportMetric(after[len(after)/2], "half-way-MB")
	l.ReportMetric(after[len(after)-1], "end-MB")
	l.ReportMetric(bot.memory(l, "VmRSS"), "saturated-MB")
	l.ReportMetric(bot.memory(l, "VmHWM"), "peak-MB")
	l.ReportMetric(float64(saturated.busy)/(20*places), "told-to-come-again")
	l.ReportMetric(float64(saturated.poor)/(20*places), "not-known-in-time")
}

// keystrokes measures the time from a block_suggestion to its options, beside one that the
// same process answers with no options because too little was typed. Each person types the
// names, addresses, ids and tags of servers letter by letter.
func (l *lab) keystrokes(servers int) {
	requireProc(l)
	l.softlayer.listed = servers
	bot := l.launch(l.bot(l.fresh()))
	bot.awaitAck(l)
	whole := fmt.Sprintf(`"servers":%d`, servers)
	bot.await(l, "has read all servers", func() bool { return strings.Contains(bot.said.String(), whole) })
	bot.awaitAck(l)
	time.Sleep(time.Second) // what the pass leaves is given back
	l.ReportMetric(bot.memory(l, "VmRSS"), "loaded-MB")
	typed := keystrokes(servers, 100)
	spent := bot.cpuTime(l)
	took := inTurns(rounds*100, []bool{false, true}, func(offers bool) time.Duration {
		text := "x"
		if offers {
			text, typed = typed[0], append(typed[1:], typed[0])
		}
		began := time.Now()
		options := l.suggest(bot, text)
		took := time.Since(began)
		require.Equal(l, offers, options > 0, "%d options for %q", options, text)
		return took
	})
	l.ReportMetric(float64(bot.cpuTime(l)-spent)/1e3/float64(len(took[0])+len(took[1])), "cpu-µs")
	l.reportTimes("empty-", took[0])
	l.reportTimes("", took[1])
	l.ReportMetric(float64(median(took[1]))/float64(median(took[0])), "p50/empty")
	l.ReportMetric(bot.memory(l, "VmRSS"), "MB")
	l.ReportMetric(bot.memory(l, "VmHWM"), "peak-MB")
}

// trips counts the round trips to PostgreSQL: of a submission until its result was told and that
// is recorded, of a command that opens a form, and of a bot that has nothing to do. The last are in
// the first two as well.
func (l *lab) trips() {
	const times, quiet = 100, 3 * time.Second
	wire := postgrestest.NewWire(l, l.fresh())
	bot := l.accepting(wire.URL())
	each := func(name string, times float64, do func()) {
		before := wire.Trips()
		do()
		l.ReportMetric(float64(wire.Trips()-before)/times, name)
	}
	for range 10 { // which prepares all statements
		l.ticket(bot)
		bot.awaitAck(l)
	}
	time.Sleep(quiet)
	each("idle-trips/s", quiet.Seconds(), func() { time.Sleep(quiet) })
	each("trips/command", times, func() {
		for range times {
			bot.awaitAck(l)
		}
	})
	each("trips/submission", times, func() {
		for range times {
			l.ticket(bot)
		}
		time.Sleep(50 * time.Millisecond) // the last result was told, and is recorded now
	})
}
