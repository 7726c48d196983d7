//go:build linux

package crash

import (
	"cmp"
	"fmt"
	"time"
)

// schedule is what happens, and when. All of it is drawn from the seed.
type schedule struct {
	seed      uint64
	target    string // the boundary that it is about; "" for none
	database  string
	replicas  int
	transport string
	binary    *binary
	patience  time.Duration // POST_TIMEOUT
	settle    time.Duration // SETTLE_TIME

	errands   []errand
	lists     []list
	singled   bool     // the first POSTs belong to the scene: there are no lists
	freeze    *freeze  // when an operator freezes filing, and for how long
	letters   []letter // written once all people are done
	upsets    []timed
	operator  []string            // what is said, in turn, of stuck requests for which there is no ticket
	slack     map[string][]string // by method: the fault of its first call, of the second, …; "" for none
	softlayer map[string][]string
	held      []time.Duration // the first POST is held up on its way for so long, the second, …

	blows      []blow
	points     []string      // CRASH_AT of a replica until it got there, and then the next, …
	pointed    int           // which replica has them; -1 for all
	verbPoints []string      // the same for the runs of bot resolve
	onDeath    upset         // what happens while a process is down for the first time
	stopFor    time.Duration // a process that stopped itself is woken after this
	again      bool          // everything accepted is delivered again after a restart at the end
	leads      time.Duration // after this they begin to approve
	hold       time.Duration // how long each stage of a server's reclaim takes; negative: it is gone at once
	failover   *failover     // nil for none
}

// errand is one person asking for one server.
type errand struct {
	person, server int
	channel        channel
	after          time.Duration // since the person's last errand
	slip           slip          // what they get wrong first
	twice          string        // how the submission comes twice
	chosen         bool          // the server is chosen in the form, and not named in the command
	before, then   upset         // what happens to the server before the submission, and once it is filed
	follows        bool          // the person's next errand waits until the request has ended
}

type channel int

const (
	usual   channel = iota
	notIn           // the bot is not in it
	private         // the bot is in it by invitation
	direct          // the person's messages with the bot
)

type slip int

const (
	noSlip slip = iota
	forbiddenReason
	wrongName
)

// pressedTwice: the person presses the button twice.
const pressedTwice = "pressed twice"

// bothAtOnce: two operators resolve one request at once, with "none" and with "drop".
const bothAtOnce = "none and drop at once"

// upset is something that other people do meanwhile.
type upset string

const (
	nothing         upset = ""
	closeTickets    upset = "staff close the server's tickets"
	closeAndBlock   upset = "staff close the server's tickets, which block it all the same"
	approveTickets  upset = "staff approve the server's tickets"
	answerTicket    upset = "staff answer"
	askCustomer     upset = "staff answer, and wait for the customer"
	closeWithWords  upset = "staff answer and close the server's ticket"
	reopenTicket    upset = "staff close the server's ticket and open it again"
	endServer       upset = "staff approve the server's ticket, and its bill date passes"
	blinkServer     upset = "the server is not found for a moment"
	hideServer      upset = "the key sees the server no more for a while"
	hideTicket      upset = "the key sees the server's tickets no more for a while"
	hideBilling     upset = "the key may view no billing for a while"
	openForeign     upset = "somebody else opens a ticket"
	changeAddress   upset = "the server's address changes"
	removeServer    upset = "the server is gone"
	hideTickets     upset = "the key may view no tickets for a while"
	hideForeign     upset = "the key may view nobody else's tickets for a while"
	everybodyLeaves upset = "everybody leaves the group"
	cutDatabase     upset = "every connection to the database is cut"
	cutSockets      upset = "Slack cuts every socket"
	deafenSockets   upset = "every socket goes deaf"
	renewSockets    upset = "Slack asks every socket to leave"
)

type timed struct {
	at     time.Duration
	what   upset
	server int
}

// freeze is an order of an operator that nothing is filed, and its end.
type freeze struct {
	at   time.Duration // since the start
	last time.Duration // from the order to its end
}

// blow is a process killed, or stopped for a while.
type blow struct {
	at      time.Duration // since the start, where onCall is ""
	onCall  string        // when a vendor has a call of this method before it; all processes then
	nth     int           // which call of it, from 0
	replica int
	stop    time.Duration // 0: it is killed
}

// failover is a failover of PostgreSQL: the standby is promoted, and the address leads to it.
type failover struct {
	at     time.Duration // since the start, where onCall is ""
	onCall string        // when a vendor has a call of this method before it
	nth    int           // which call of it, from 0
	old    oldPrimary
}

// oldPrimary is what becomes of the server that was the primary.
type oldPrimary string

const (
	killed    oldPrimary = "the old primary crashes"
	cutOff    oldPrimary = "the old primary is cut off"
	halfCut   oldPrimary = "the old primary keeps some of its sessions"
	untouched oldPrimary = "the old primary keeps its sessions"
)

// The databases.
const (
	sqlite   = "sqlite"
	postgres = "postgres"
)

// lease is the lease of the swift binary, and sightingGap the time between the two reads by which a
// request ends there.
const (
	lease       = time.Second
	sightingGap = 600 * time.Millisecond
)

// plainGap is that time in the program as it is.
const plainGap = 15 * time.Minute

// How long to wait for the answer to a POST: usually, and if the answer comes late.
const (
	usualPatience = time.Second
	longPatience  = 4 * time.Second
)

// What a world contains. The last person and the last server belong to the scene. Lists name further servers, to
// which SoftLayer's staff do nothing.
const (
	people  = 5
	asker   = 3 // who may only ask: somebody else approves
	servers = 6
	listed  = 14
)

// String says what a schedule is, in one line.
func (s schedule) String() string {
	target := cmp.Or(s.target, "random moments")
	if s.failover != nil {
		target += ", and " + string(s.failover.old)
	}
	if s.freeze != nil {
		target += ", and a freeze"
	}
	return fmt.Sprintf("seed %d: %s, %d replica(s), %s, %s, %d errands, %d lists, %d blows, at %s",
		s.seed, s.database, s.replicas, s.transport, s.binary.name, len(s.errands), len(s.lists), len(s.blows), target)
}
