//go:build bench

package bench

import (
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// ledger is what the vendors received of each submission. A submission counts only if SoftLayer got its
// ticket's POST once, and Slack a message that names that ticket.
type ledger struct {
	mu      sync.Mutex
	servers map[int64]*journey
	tickets []*journey // by id, from 1
	edits   int        // calls of chat.update
}

// journey is the way of one server's submission.
type journey struct {
	sent   time.Time
	read   time.Duration // spent in SoftLayer's answers before the POST
	posted time.Time     // when the POST came in, or zero
	posts  int
	told   time.Time // when the message that names the ticket came in, or zero
}

// at changes the journey of a server's submission.
func (g *ledger) at(server int64, change func(*journey)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g.find(server))
}

func (g *ledger) find(server int64) *journey {
	if g.servers == nil {
		g.servers = map[int64]*journey{}
	}
	if g.servers[server] == nil {
		g.servers[server] = &journey{}
	}
	return g.servers[server]
}

// read adds the time that an answer to a read of a server took, if it came before the POST.
func (g *ledger) read(server string, began time.Time) {
	id, err := strconv.ParseInt(server, 10, 64)
	if err != nil {
		return
	}
	g.at(id, func(j *journey) {
		if j.posts == 0 {
			j.read += time.Since(began)
		}
	})
}

// file takes a POST of a server's ticket, and returns the ticket's id.
func (g *ledger) file(server int64, came time.Time) (ticket int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	j := g.find(server)
	j.posted = came
	j.posts++
	g.tickets = append(g.tickets, j)
	return len(g.tickets)
}

var namesTicket = regexp.MustCompile(`Ticket CS(\d+)`)

// tell takes the text of a message, which is new or edited.
func (g *ledger) tell(text string, edited bool) {
	came := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if edited {
		g.edits++
	}
	named := namesTicket.FindStringSubmatch(text)
	if named == nil {
		return
	}
	id, err := strconv.Atoi(named[1])
	if err != nil || id < 1 || id > len(g.tickets) {
		return
	}
	if j := g.tickets[id-1]; j.told.IsZero() {
		j.told = came
	}
}

// untold counts those of the servers of which no message has told yet.
func (g *ledger) untold(servers []int64) (count int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, server := range servers {
		if g.find(server).told.IsZero() {
			count++
		}
	}
	return count
}

// awaitTold waits until Slack has a message of each submission, and requires that each had one ticket. It
// returns when the last message came in, and each one's journey.
func (l *lab) awaitTold(c *process, servers []int64) (last time.Time, each []journey) {
	c.await(l, "tells what it accepted", func() bool { return l.ledger.untold(servers) == 0 })
	for _, server := range servers {
		l.ledger.at(server, func(j *journey) { each = append(each, *j) })
	}
	for _, j := range each {
		require.Equal(l, 1, j.posts, "%s files one ticket a submission", c.name)
		if j.told.After(last) {
			last = j.told
		}
	}
	return last, each
}

func (g *ledger) edited() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.edits
}
