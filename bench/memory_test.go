//go:build bench

package bench

import (
	"fmt"
	"time"
)

// idle measures the resident memory of processes that have acknowledged one command.
func (l *lab) idle() {
	requireProc(l)
	model := l.accepting(l.fresh())
	like := l.sample(model)
	model.end()
	all := []*process{
		l.launch(l.bot(l.fresh())), l.launch(l.floor(netHTTP, like, "")), l.launch(l.floor(slackGo, like, "")),
		l.acceptingFloor(l.fresh()).process,
	}
	for _, p := range all {
		p.awaitUp(l)
	}
	time.Sleep(givenBack)
	l.row("memory, idle, MiB", "idle-MiB", atMost(22), l.memories("VmRSS", all...))
}

// givenBack is how long what a start or a pass leaves takes to go back to the system.
const givenBack = 2 * time.Second

func (l *lab) memories(field string, of ...*process) figures {
	each := figures{}
	for _, p := range of {
		each[p.name] = p.memory(l, field)
	}
	return each
}

// resident measures the resident memory of a bot that accepts, files and tells, over many
// requests.
func (l *lab) resident() {
	requireProc(l)
	requests := 10_000
	if *full {
		requests = 100_000
	}
	bot := l.accepting(l.fresh())
	bot.connect(l, maxConnections)
	var after []float64 // each tenth of them
	for range 10 {
		bot.turn(l, requests/10)
		after = append(after, bot.memory(l, "VmRSS"))
	}
	first, last := after[0], after[len(after)-1]
	l.row(fmt.Sprintf("memory after %d requests, MiB", requests), "end-MiB", aim{}, figures{theBot: last})
	l.row("the same, of that after a tenth of them", "end/tenth", aim{}, figures{theBot: last / first})
}
