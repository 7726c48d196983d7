//go:build linux

package crash

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"cancel-server/internal/fakeslack"
)

// draw makes the schedule of a seed.
func draw(seed uint64) schedule {
	r := rand.New(rand.NewPCG(seed, 0xc4a54))
	s := schedule{
		seed: seed, database: sqlite, replicas: 1, pointed: -1, binary: swift, patience: usualPatience, settle: usualPatience,
		transport: pick(r, fakeslack.TransportHTTP, fakeslack.TransportSocket),
		stopFor:   between(r, lease/2, 4*lease), again: r.IntN(2) == 0, hold: pick(r, -1, 300*time.Millisecond),
		slack: map[string][]string{}, softlayer: map[string][]string{},
	}
	if seed%2 == 1 {
		s.database, s.replicas = postgres, pick(r, 1, 3, 3)
	}
	if s.replicas > 1 {
		s.pointed = r.IntN(s.replicas+1) - 1
	}
	s.drawErrands(r)
	s.drawFaults(r)
	s.drawUpsets(r)
	s.drawBlows(r)
	s.drawTarget(r)
	s.drawPost(r)
	s.drawLetters(r)
	s.drawLists()
	if *failovers && s.database == postgres && r.IntN(3) == 0 { // last: the rest is drawn as without
		s.drawFailover(r)
	}
	return s
}

// drawFailover makes PostgreSQL fail over while the people are busy, or while a vendor works
// on a call.
func (s *schedule) drawFailover(r *rand.Rand) {
	s.failover = &failover{at: between(r, 0, 3*time.Second), old: pick(r, killed, killed, cutOff, halfCut, untouched)}
	if r.IntN(2) == 0 {
		s.failover.onCall, s.failover.nth = pick(r, filing, filing, posting, "chat.update"), r.IntN(2)
	}
}

// drawLetters has people write into tickets, in half of the schedules.
func (s *schedule) drawLetters(r *rand.Rand) {
	rate := r.Float64()
	s.softlayer[writing] = faultsOf(r, rate*0.8, slices.Concat(lostAnswers, lostAnswers, unmade))
	for range max(0, r.IntN(5)-2) {
		s.letters = append(s.letters, letter{
			action: pick(r, reply, askStop, askStop), another: r.IntN(2) == 0, twice: s.drawTwice(r),
		})
	}
	if r.IntN(5) == 0 {
		s.letters = append(s.letters, letter{action: reply, twice: s.drawTwice(r), proposed: true, both: r.IntN(2) == 0})
		s.errands[0].person, s.errands[0].then = asker, askCustomer
	}
	if len(s.letters) > 0 && r.IntN(3) == 0 {
		b := blow{onCall: writing, nth: r.IntN(2)}
		if r.IntN(2) == 0 && s.binary != plain {
			b.stop = between(r, 3*lease/2, 3*lease)
		}
		s.blows = append(s.blows, b)
	}
}

// drawPost makes something happen, in half of the schedules, while SoftLayer works on a POST.
// Either the bot dies, and the POST arrives after the bot is back or makes nothing, or the
// bot is stopped until its lease is over.
func (s *schedule) drawPost(r *rand.Rand) {
	nth := r.IntN(2)
	b := blow{onCall: filing, nth: nth}
	switch r.IntN(4) {
	case 0:
		s.held[nth] = between(r, s.patience/4, s.patience/2)
	case 1:
		if s.binary == plain { // its lease is too long
			return
		}
		b.stop = between(r, 3*lease/2, 3*lease)
	default:
		return
	}
	s.blows = append(s.blows, b)
	faults := s.softlayer[filing]
	for len(faults) <= nth {
		faults = append(faults, "")
	}
	if faults[nth] == "" {
		faults[nth] = pick(r, "", "error_before", "slow_after", "ok_empty")
	}
	s.softlayer[filing] = faults
}

// drawTarget makes most schedules reach one boundary; the boundaries take turns.
func (s *schedule) drawTarget(r *rand.Rand) {
	if r.IntN(40) == 0 {
		s.binary, s.blows = plain, slices.DeleteFunc(s.blows, func(b blow) bool { return b.stop > 0 })
		return
	}
	if r.IntN(8) == 0 {
		return
	}
	if s.replicas > 1 && s.transport == fakeslack.TransportSocket && r.IntN(3) == 0 { // a signature needs the right time
		s.binary = askew
	}
	b := boundaries[int(s.seed/2)%len(boundaries)]
	deed, passage := pick(r, "kill", "kill", "stop"), 1+r.IntN(b.passages)
	if b.passages == 1 {
		s.pointed = -1 // whoever gets there
	}
	s.target = b.name
	s.points = []string{fmt.Sprintf("%s#%d:%s", b.name, passage, deed)}
	if r.IntN(2) == 0 { // with nothing else about it
		s.blows, s.slack, s.softlayer = nil, map[string][]string{}, map[string][]string{}
	}
	if r.IntN(3) == 0 { // and once more after the restart
		s.points = append(s.points, fmt.Sprintf("%s#1:kill", pick(r, boundaries...).name))
	}
	b.scene(s)
}

// afterFiling is what may happen to a server once its request is filed.
var afterFiling = []upset{
	nothing, nothing, nothing, nothing, closeTickets, closeWithWords, answerTicket, askCustomer, reopenTicket,
	endServer, removeServer, blinkServer, hideServer, hideTicket,
}

func (s *schedule) drawErrands(r *rand.Rand) {
	s.errands = []errand{{person: people - 1, server: servers - 1, twice: s.drawTwice(r)}}
	few := 1 + r.IntN(servers-1)
	for range 1 + r.IntN(6) {
		s.errands = append(s.errands, errand{
			person: r.IntN(people - 1), server: r.IntN(few), after: between(r, 0, 800*time.Millisecond),
			channel: pick(r, usual, usual, usual, usual, notIn, private, direct),
			slip:    pick(r, noSlip, noSlip, noSlip, noSlip, forbiddenReason, wrongName),
			twice:   s.drawTwice(r), chosen: r.IntN(3) == 0,
			then: pick(r, afterFiling...),
		})
	}
}

func (s *schedule) drawTwice(r *rand.Rand) string {
	ways := []string{"", "", "", fakeslack.FaultRedeliver, fakeslack.FaultTwiceAtOnce, fakeslack.FaultTwiceAtOnce, pressedTwice}
	if s.transport == fakeslack.TransportHTTP {
		ways = append(ways, fakeslack.FaultBadSignature, fakeslack.FaultStale)
	}
	return pick(r, ways...)
}

// The faults by what they leave behind.
var (
	lostAnswers = []string{"drop_after", "error_after", "slow_after", "truncated_json", "drop_after", "error_after"}
	unmade      = []string{
		"slow", "hang", "error_before", "drop_before", "ok_error", "ok_null", "ok_empty", "html", "html_200",
		"rate_limit", "expired_token", "unauthorized", "no_permission", "redirect",
	}
	slackFaults = []string{
		fakeslack.FaultRateLimited, fakeslack.FaultError500, fakeslack.FaultError503, fakeslack.FaultDropBefore,
		fakeslack.FaultDropAfter, fakeslack.FaultDropAfter, fakeslack.FaultSlow, fakeslack.FaultHang,
		fakeslack.FaultFatalError, fakeslack.FaultInternalError,
	}
)

// drawFaults says which of each method's first calls go wrong.
func (s *schedule) drawFaults(r *rand.Rand) {
	fierce := r.Float64() // how much goes wrong in this schedule
	for _, m := range []struct {
		name string
		rate float64
	}{
		{posting, 0.5},
		{"chat.update", 0.5},
		{"response_url", 0.5},
		{"conversations.open", 0.3},
		{"users.info", 0.2},
		{"usergroups.list", 0.2},
		{"views.open", 0.15},
		{"views.update", 0.15},
		{"auth.test", 0.1},
		{"apps.connections.open", 0.2},
	} {
		s.slack[m.name] = faultsOf(r, fierce*m.rate, slackFaults)
	}
	for _, m := range []struct {
		name string
		rate float64
	}{
		{"SoftLayer_Hardware_Server/getObject", 0.2},
		{"SoftLayer_Ticket/getObject", 0.3},
		{"SoftLayer_Account/getHardware", 0.2},
		{"SoftLayer_Account/getCurrentUser", 0.2},
		{"SoftLayer_Account/getTickets", 0.3},
		{"SoftLayer_User_Customer/getPermissions", 0.2},
		{"SoftLayer_Hardware_Server/getActiveTickets", 0.3},
		{"SoftLayer_Account/getObject", 0.1},
		{"SoftLayer_Ticket/getUpdates", 0.3},
		{"SoftLayer_Billing_Item_Cancellation_Request/getAllCancellationRequests", 0.3},
	} {
		s.softlayer[m.name] = faultsOf(r, fierce*m.rate, slices.Concat(lostAnswers, unmade))
	}
	s.softlayer[filing] = faultsOf(r, fierce*0.8, slices.Concat(lostAnswers, lostAnswers, lostAnswers, unmade))
	for range 6 {
		var late time.Duration
		if r.Float64() < fierce*0.3 {
			late = between(r, 0, s.patience/2)
		}
		s.held = append(s.held, late)
	}
}

func faultsOf(r *rand.Rand, rate float64, names []string) []string {
	faults := make([]string, 12)
	for i := range faults {
		if r.Float64() < rate {
			faults[i] = pick(r, names...)
		}
	}
	return faults
}

func (s *schedule) drawUpsets(r *rand.Rand) {
	whats := []upset{
		closeTickets, closeWithWords, openForeign, openForeign, changeAddress, hideTickets, hideForeign, closeAndBlock, approveTickets,
		answerTicket, askCustomer, reopenTicket, endServer, blinkServer, hideServer, hideTicket, hideBilling,
	}
	if s.database == postgres {
		whats = append(whats, cutDatabase, cutDatabase)
	}
	if s.transport == fakeslack.TransportSocket {
		whats = append(whats, cutSockets, renewSockets, deafenSockets)
	}
	for range r.IntN(3) {
		s.upsets = append(s.upsets, timed{at: between(r, 0, 4*time.Second), what: pick(r, whats...), server: r.IntN(servers)})
	}
	for range 4 {
		s.operator = append(s.operator, pick(r, "none", "none", "drop", bothAtOnce))
	}
}

func (s *schedule) drawBlows(r *rand.Rand) {
	for range r.IntN(4) {
		b := blow{at: between(r, 0, 4*time.Second), replica: r.IntN(s.replicas)}
		if r.IntN(3) == 0 {
			b.onCall, b.nth = pick(r, filing, filing, posting, "chat.update", "SoftLayer_Hardware_Server/getObject"), r.IntN(3)
		}
		if r.IntN(3) == 0 {
			b.stop = between(r, lease/2, 4*lease)
		}
		s.blows = append(s.blows, b)
	}
}

func pick[T any](r *rand.Rand, choices ...T) T { return choices[r.IntN(len(choices))] }

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)))
}
