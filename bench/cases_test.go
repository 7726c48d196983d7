//go:build bench

package bench

import (
	"fmt"
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
	model := l.accepting(l.fresh())
	like := l.sample(model)
	model.end()
	bot := l.launch(l.bot(model.databaseURL))
	bot.awaitAck(l)
	bot.awaitAck(l) // with everything known about the person, as most are
	like.Opens = *l.last.Load()
	contenders := []*contender{l.commanding(bot, connections)}
	for _, name := range []string{netHTTP, slackGo} {
		floor := l.launch(l.floor(name, like, ""))
		floor.awaitAck(l)
		l.requireSameView(name, like.Opens)
		contenders = append(contenders, l.commanding(floor, connections))
	}
	for _, c := range contenders {
		l.open(c, warmUp)
	}
	opened := l.opened.Load()
	spent := inTurns(rounds, contenders, func(c *contender) time.Duration {
		before := c.cpuTime(l)
		l.open(c, perRound)
		return (c.cpuTime(l) - before) / perRound
	})
	require.EqualValues(l, rounds*perRound*len(contenders), l.opened.Load()-opened, "each command opened a modal")
	each := figures{}
	for i, c := range contenders {
		each[c.name] = microseconds(median(spent[i]))
	}
	l.row(fmt.Sprintf("CPU a command, %d at once, µs", connections), "cpu-µs", atMostOfFloor(1.5), each)
}

// open has a process open so many forms. Its commands go a few at a time, because they are acknowledged before
// their forms are opened, and the bot has places for so many.
func (l *lab) open(c *contender, commands int) {
	const few = 50
	for range commands / few {
		forms := l.opened.Load()
		c.turn(l, few)
		c.awaitForms(l, forms+few)
	}
}

// slowSlack measures how long a command waits for its acknowledgement while each call of Slack's API
// takes 2 s. All open their forms.
func (l *lab) slowSlack() {
	const commands, every = 200, 40 * time.Millisecond
	model := l.accepting(l.fresh())
	floor := l.launch(l.floor(slackGo, l.sample(model), ""))
	floor.awaitAck(l)
	p50, p99 := figures{}, figures{}
	for _, c := range []*contender{l.commanding(model.process, maxConnections), l.commanding(floor, maxConnections)} {
		c.awaitAck(l)
		opened := l.opened.Load()
		l.slow.Store(int64(2 * time.Second))
		took := c.whole(l, commands, every).took
		c.awaitForms(l, opened+commands)
		l.slow.Store(0)
		p50[c.name], p99[c.name] = milliseconds(median(took)), milliseconds(quantile(took, 0.99))
	}
	l.row("acknowledgement of a command, Slack's API takes 2 s, p50, ms", "p50-ms", aim{}, p50)
	l.row("the same, p99", "p99-ms", atMost(50), p99)
}

// starts measures the time from the start of a process to its first acknowledged command:
// of the bot with the database of its last run, of the bot with none, and of the floors.
func (l *lab) starts() {
	model := l.accepting(l.fresh())
	like := l.sample(model)
	model.end()
	books := l.acceptingFloor(l.fresh())
	books.end()
	starters := []func() program{
		func() program { return l.bot(model.databaseURL) },
		func() program { return l.floor(netHTTP, like, "") },
		func() program { return l.floor(slackGo, like, "") },
		func() program { return l.floor(bareStore, like, books.databaseURL) },
		func() program { return l.bot(l.fresh()) },
	}
	took := inTurns(rounds, starters, func(next func() program) time.Duration { return l.startOnce(next()) })
	each := figures{}
	for i, name := range []string{theBot, netHTTP, slackGo, bareStore} {
		each[name] = milliseconds(median(took[i]))
	}
	l.row("start to first acknowledgement, ms", "start-ms", atMost(30), each)
	l.row("the same with a new database", "new-database-ms", aim{}, figures{theBot: milliseconds(median(took[4]))})
}

func (l *lab) startOnce(p program) time.Duration {
	child := l.launch(p)
	took := child.awaitUp(l)
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
	var servers []int64
	each := inTurns(turns, contenders, func(c *contender) time.Duration {
		sent := c.whole(l, 100+4*clients, 0)
		if c == bot {
			servers = append(servers, sent.servers...)
		}
		return sent.elapsed / time.Duration(len(sent.took))
	})
	l.awaitTold(bot.process, servers)
	requireSameRows(l, bot.databaseURL, floor.databaseURL)
	rates := figures{theBot: perSecond(median(each[0])), bareStore: perSecond(median(each[1]))}
	wanted := aim{}
	if clients == maxConnections {
		wanted = atLeastOfFloor(0.7)
	}
	l.row(fmt.Sprintf("accepted while it files, %d clients, /s", clients), "accepted/s", wanted, rates)
	l.reportAcknowledged(clients, 1, bot.took, floor.took)
}

func (l *lab) reportAcknowledged(clients, replicas int, bots, floors []time.Duration) {
	wanted, p99 := aim{}, figures{theBot: milliseconds(quantile(bots, 0.99))}
	if len(floors) > 0 {
		p99[bareStore] = milliseconds(quantile(floors, 0.99))
	}
	if clients == maxConnections && l.database == postgres {
		wanted = atMost(50)
	}
	l.row(fmt.Sprintf("acknowledgement, %d clients, %d replicas, p99, ms", clients, replicas), "acknowledged-p99-ms", wanted, p99)
}

// acceptedByThree measures submissions to three replicas of one database, each from a
// third of the clients.
func (l *lab) acceptedByThree() {
	bot := l.accepting(l.fresh())
	bot.connect(l, maxConnections, l.replicas(bot, 3)...)
	bot.warmUp(l, 4*maxConnections)
	const requests = turns * (100 + 4*maxConnections)
	sent := bot.deliver(l, requests, 0)
	l.awaitTold(bot.process, sent.servers)
	l.reportAcknowledged(maxConnections, 3, sent.took, nil)
	l.row("the same: not acknowledged, %", "refused-%", atMost(0), figures{theBot: 100 * float64(requests-len(sent.took)) / requests})
}

// replicas starts the others of so many bots on a bot's database.
func (l *lab) replicas(bot *contender, count int) (others []*process) {
	for range count - 1 {
		other := l.launch(l.bot(bot.databaseURL))
		other.awaitAck(l)
		others = append(others, other)
	}
	return others
}

// tickets measures what the bot puts between a submission and its ticket: from when a
// submission was sent to when its POST came in at a SoftLayer that answers at once, less
// the time that the reads before it spent there. There is one at a time, for each replica in turn.
func (l *lab) tickets(replicas int) {
	const submissions = 102
	bot := l.accepting(l.fresh())
	bot.connect(l, replicas, l.replicas(bot, replicas)...)
	all := bot.clients
	var filed []time.Duration
	for i := range submissions + 2*replicas {
		bot.clients = all[i%replicas:][:1]
		if took := l.ticket(bot); i >= 2*replicas { // the first ones warm up
			filed = append(filed, took)
		}
	}
	l.row(fmt.Sprintf("submission to ticket, %d replicas, p50, ms", replicas), "ticket-p50-ms", atMost(5), figures{theBot: milliseconds(median(filed))})
	l.ReportMetric(milliseconds(quantile(filed, 0.99)), "ticket-p99-ms")
}

// ticket makes one submission, and waits until its result was told, so that the next one
// meets no work.
func (l *lab) ticket(bot *contender) time.Duration {
	sent := bot.whole(l, 1, 0)
	_, each := l.awaitTold(bot.process, sent.servers)
	return each[0].posted.Sub(each[0].sent) - each[0].read
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
		l.row(fmt.Sprintf("accepted next to %d ended, of without, %d clients", ended, clients), fmt.Sprintf("%d-clients-full/empty", clients),
			atMost(1.1), figures{theBot: medianRatio(each[0], each[1])})
	}
	for _, c := range stores {
		c.end()
	}
	starts := inTurns(turns, stores, func(c *contender) time.Duration { return l.startOnce(l.bot(c.databaseURL)) })
	l.row("start next to them, of without", "start-full/empty", atMost(2), figures{theBot: medianRatio(starts[0], starts[1])})
	l.ReportMetric(milliseconds(median(starts[0])), "start-full-ms")
}

// trips counts the round trips to PostgreSQL: of a submission until its result was told and that
// is recorded, of a command that opens a form, and of a bot that has nothing to do. The last are in
// the first two as well.
func (l *lab) trips() {
	const times, quiet = 100, 3 * time.Second
	wire := postgrestest.NewWire(l, l.fresh())
	bot := l.accepting(wire.URL())
	each := func(name, unit string, aim aim, times float64, do func()) {
		before := wire.Trips()
		do()
		l.row(name, unit, aim, figures{theBot: float64(wire.Trips()-before) / times})
	}
	for range 10 { // which prepares all statements
		l.ticket(bot)
		bot.awaitAck(l)
	}
	time.Sleep(quiet)
	each("round trips a second, idle", "idle-trips/s", aim{}, quiet.Seconds(), func() { time.Sleep(quiet) })
	each("round trips a command", "trips/command", aim{}, times, func() {
		for range times {
			bot.awaitAck(l)
		}
	})
	each("round trips a submission", "trips/submission", atMost(59), times, func() { // half of 118
		for range times {
			l.ticket(bot)
		}
		time.Sleep(50 * time.Millisecond) // the last result was told, and is recorded now
	})
}
