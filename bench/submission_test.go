//go:build bench

package bench

import (
	"time"

	"github.com/stretchr/testify/require"
)

// submitters are the bot, the floors of its calls and of its rows, and slack-go, which all take the bot's form.
func (l *lab) submitters(names ...string) []*contender {
	bot := l.accepting(l.fresh())
	like := l.sample(bot)
	all := []*contender{bot}
	for _, name := range names {
		if name == bareStore {
			all = append(all, l.acceptingFloor(l.fresh()))
			continue
		}
		all = append(all, l.standIn(name, like, "", bot.form))
	}
	return all
}

// awaitDone waits until what was accepted was told, of those that tell, and returns how long after the first
// was sent that was.
func (l *lab) awaitDone(c *contender, sent volley) time.Duration {
	if c.name == bareStore {
		return sent.elapsed
	}
	last, _ := l.awaitTold(c.process, sent.servers)
	return last.Sub(sent.began)
}

// wholeWay measures submissions of 64 clients: how fast they are acknowledged, how fast all get to their
// messages, and the processor time until then.
func (l *lab) wholeWay() {
	requireProc(l)
	const requests = 1000
	all := l.submitters(netHTTP, slackGo, bareStore)
	for _, c := range all {
		c.connect(l, maxConnections)
		l.awaitDone(c, c.whole(l, 4*maxConnections, 0))
	}
	acknowledged, told := map[string][]time.Duration{}, map[string][]time.Duration{}
	spent := inTurns(3, all, func(c *contender) time.Duration {
		before := c.cpuTime(l)
		sent := c.whole(l, requests, 0)
		acknowledged[c.name] = append(acknowledged[c.name], sent.elapsed/requests)
		told[c.name] = append(told[c.name], l.awaitDone(c, sent)/requests)
		return (c.cpuTime(l) - before) / requests
	})
	rate, through, cpu := figures{}, figures{}, figures{}
	for i, c := range all {
		rate[c.name], cpu[c.name] = perSecond(median(acknowledged[c.name])), microseconds(median(spent[i]))
		if c.name != bareStore {
			through[c.name] = perSecond(median(told[c.name]))
		}
	}
	l.row("submissions acknowledged, /s", "acknowledged/s", atLeast(2000), rate)
	l.row("submissions through to the message, /s", "through/s", atLeast(700), through)
	l.row("CPU a submission, the whole way, µs", "cpu-µs", atMost(1200), cpu)
}

// paced measures the time from a submission to its message at 50 a second, at a SoftLayer that answers at once.
func (l *lab) paced() {
	const requests, every = 300, 20 * time.Millisecond
	p50, p99 := figures{}, figures{}
	for _, c := range l.submitters(netHTTP, slackGo) {
		c.connect(l, maxConnections)
		l.awaitDone(c, c.whole(l, maxConnections, 0))
		_, each := l.awaitTold(c.process, c.whole(l, requests, every).servers)
		var took []time.Duration
		for _, j := range each {
			took = append(took, j.told.Sub(j.sent))
		}
		p50[c.name], p99[c.name] = milliseconds(median(took)), milliseconds(quantile(took, 0.99))
	}
	l.row("submission to message above the ticket call at 50/s, p50, ms", "message-p50-ms", atMost(8), p50)
	l.row("the same, p99", "message-p99-ms", aim{}, p99)
}

// beyond measures what comes of more submissions at once than a bot has places for.
func (l *lab) beyond() {
	requireProc(l)
	const clients, requests = 512, 4096
	saturated, peak := figures{}, figures{}
	var bots volley
	var edits float64
	names := []string{netHTTP, slackGo, bareStore}
	if l.database == postgres {
		names = nil // they are the same as on SQLite
	}
	for _, c := range l.submitters(names...) {
		c.connect(l, clients)
		before := l.ledger.edited()
		sent := c.deliver(l, requests, 0)
		saturated[c.name] = c.memory(l, "VmRSS")
		l.awaitDone(c, sent)
		peak[c.name] = c.memory(l, "VmHWM")
		if c.name == theBot {
			bots, edits = sent, float64(l.ledger.edited()-before)/float64(len(sent.servers))
		}
	}
	share := func(name, unit string, aim aim, count int) {
		l.row("beyond its limit: "+name+", %", unit, aim, figures{theBot: 100 * float64(count) / requests})
	}
	taken, refused := inTime(bots.took), inTime(bots.refused)
	share("acknowledged within 2.5 s", "acknowledged-%", aim{}, taken)
	share("refused clearly within 2.5 s", "refused-%", aim{}, refused)
	share("neither", "neither-%", atMost(0), requests-taken-refused)
	l.row("beyond its limit: edits a ticket", "edits/ticket", atMost(0.05), figures{theBot: edits})
	l.row("memory, saturated, MiB", "saturated-MiB", atMost(70), saturated)
	l.row("the same, peak", "peak-MiB", aim{}, peak)
}

// inTime counts what came in the 2.5 s that are left of Slack's three.
func inTime(took []time.Duration) (count int) {
	for _, each := range took {
		if each <= 2500*time.Millisecond {
			count++
		}
	}
	return count
}

// killed measures how long after a kill the next process has told of all that the killed one acknowledged. No
// POST was begun: SoftLayer answered no read.
func (l *lab) killed() {
	const open = 80
	bot := l.accepting(l.fresh())
	release := l.softlayer.holdReads()
	bot.connect(l, open)
	sent := bot.whole(l, open, 0)
	time.Sleep(time.Second) // it claims what it can
	for _, server := range sent.servers {
		l.ledger.at(server, func(j *journey) { require.Zero(l, j.posts, "nothing was filed yet") })
	}
	bot.kill()
	killed := time.Now()
	release()
	last, _ := l.awaitTold(l.launch(l.bot(bot.databaseURL)), sent.servers)
	wanted := map[string]aim{sqlite: atMost(6), postgres: atMost(16)}
	l.row("after a kill with 80 open: last message, s", "last-s", wanted[l.database], figures{theBot: last.Sub(killed).Seconds()})
}
