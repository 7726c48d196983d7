//go:build linux

package crash

import (
	"cmp"
	"slices"
	"time"

	"cancel-server/internal/fakeslack"
)

// boundary is a place between two steps at which a process is killed or stopped.
type boundary struct {
	name     string
	scene    scene // without it, it is not reached
	passages int   // how often it is passed at least: one of these is chosen
}

// scene is what a schedule must contain so that a boundary is reached.
type scene func(s *schedule)

// step has a boundary before it and one after it.
type step struct {
	scene    scene
	passages int
}

// boundaries lists every one of testdata/seams.go.
var boundaries = bothSides(map[string]step{
	"journal.record.scheduled": {ordinary, 2},
	"journal.record.pending":   {approved, 1},
	"journal.record.denied":    {forbidden, 1},
	"journal.record.list":      {aList, 1},
	"journal.record.takeover":  {takenOver, 1},
	"journal.apply.list":       {aListThatWaits, 1},
	"journal.apply.same":       {unmadeOnce, 2},
	"journal.apply.scheduled":  {limited, 1},
	"journal.apply.filing":     {ordinary, 2},
	"journal.apply.unknown":    {lostOnce, 1},
	"journal.apply.stuck":      {lostTwice, 1},
	"journal.apply.filed":      {ordinary, 2},
	"journal.apply.denied":     {demoted, 1},
	"journal.apply.withdrawn":  {dropped, 1},
	"journal.apply.rejected":   {changed, 1},
	"journal.apply.duplicate":  {foreign, 1},
	"follower.list":            {ordinary, 3},
	"follower.alone":           {gone, 2},
	"follower.keep.reclaimed":  {gone, 1},
	"follower.keep.reverted":   {askedAgainAfterClosing, 1},
	"follower.keep.told":       {answeredByStaff, 1},
	"follower.keep.quiet":      {ordinary, 3},
	"journal.note.asked-again": {shared, 1},
	"journal.note.late-answer": {answeredLate, 1},
	"journal.renew":            {slowly, 2},
	"journal.notice.posting":   {approved, 1}, // a first result is announced with its step
	"journal.notice.told":      {ordinary, 2},
	"journal.notice.owed":      {elsewhere, 1},
	"sender.write":             {written, 1},
	"sender.apply.sending":     {written, 1},
	"sender.apply.sent":        {written, 1},
	"sender.apply.unknown":     {writtenLost, 1},
	"sender.apply.proposed":    {proposed, 1},
	"letters.post":             {awaited, 1},
	"letters.keep":             {awaited, 2}, // about to be posted, and told
	"filer.file":               {ordinary, 2},
	"announcer.post":           {ordinary, 2},
	"announcer.update":         {unmadeOnce, 1},
	"announcer.respond":        {elsewhere, 1},
	"announcer.find":           {postLost, 1},
	"submission.acknowledge":   {ordinary, 2},
	"click.acknowledge":        {approved, 1},
}, boundary{"journal.claim.after", lostOnce, 2}, boundary{"journal.claim-notice.after", approved, 1})

// The calls that matter most.
const (
	filing  = "SoftLayer_Ticket/createCancelServerTicket"
	posting = "chat.postMessage"
)

// The first errand belongs to the scene: no other errand has its person or its server.

func ordinary(*schedule) {}

// forbidden: the policy refuses a reason, and the person corrects it.
func forbidden(s *schedule) { s.errands[0].slip = forbiddenReason }

// approved: the requester may not cancel without approval.
func approved(s *schedule) { s.errands[0].person = asker }

// aList: somebody who may cancel alone asks for several servers at once.
func aList(s *schedule) {
	s.lists = []list{{person: people - 1, servers: []int{0, 1, 2, 3}, twice: fakeslack.FaultTwiceAtOnce}}
}

// aListThatWaits: who may only ask does so, and the leads leave one out.
func aListThatWaits(s *schedule) {
	s.lists = []list{{person: asker, servers: []int{3, 2, 1, 0}, end: leftOut, struck: 1, twice: fakeslack.FaultTwiceAtOnce}}
}

// shared: somebody else asks for the server at the same time.
func shared(s *schedule) {
	s.errands = append([]errand{{person: 0, server: s.errands[0].server}}, s.errands...)
}

// takenOver: who may cancel alone asks for a server for which somebody else waits for approval.
func takenOver(s *schedule) {
	s.errands = append([]errand{{person: asker, server: s.errands[0].server}}, s.errands...)
	s.errands[1].after, s.leads = time.Second, 5*time.Second
}

// askedAgainAfterClosing: staff close the ticket, and the same person asks once more when the request
// has ended.
func askedAgainAfterClosing(s *schedule) { s.sequel(closeWithWords) }

// gone: the server of a filed request is gone.
func gone(s *schedule) {
	if s.errands[0].then = endServer; s.seed%4 < 2 {
		s.errands[0].then = removeServer
	}
}

// answeredByStaff: staff write into the ticket.
func answeredByStaff(s *schedule) { s.errands[0].then = answerTicket }

// written: somebody asks SoftLayer to stop.
func written(s *schedule) {
	s.letters = append(s.letters, letter{action: askStop})
	s.softlayer[writing] = nil
}

// writtenLost: the answer to that is lost.
func writtenLost(s *schedule) {
	written(s)
	s.softlayer[writing] = []string{"drop_after"}
}

// proposed: who may only ask proposes a reply to SoftLayer's staff, and others send it.
func proposed(s *schedule) {
	approved(s)
	s.errands[0].then = askCustomer
	s.letters = []letter{{action: reply, proposed: true, both: s.seed%4 < 2}}
	s.softlayer[writing] = nil
}

// awaited: SoftLayer waits for an answer, of which the requester is told at once.
func awaited(s *schedule) { s.errands[0].then = askCustomer }

// sequel does something to the server once its request is filed, and asks again once that has ended.
func (s *schedule) sequel(happens upset) {
	s.errands[0].then, s.errands[0].follows = happens, true
	again := s.errands[0]
	again.then, again.follows, again.chosen = nothing, false, true
	s.errands = append(s.errands, again)
}

func foreign(s *schedule) { s.errands[0].before = openForeign }

func changed(s *schedule) { s.errands[0].before = changeAddress }

// demoted: everybody leaves the group while the bot is down with a request.
func demoted(s *schedule) {
	s.points = append([]string{"journal.record.scheduled.after#1:kill"}, s.points...)
	s.onDeath = everybodyLeaves
}

func lostOnce(s *schedule) { s.filesWith("drop_after") }

// unmadeOnce: people read "Not known yet" until the request is sent once more.
func unmadeOnce(s *schedule) { s.filesWith("error_before") }

// lostTwice: whatever is sent is lost, and no ticket is made.
func lostTwice(s *schedule) {
	s.filesWith("error_before", "drop_before", "ok_null", "error_before", "html", "error_before", "ok_empty", "drop_before")
}

func limited(s *schedule) { s.filesWith("rate_limit") }

func slowly(s *schedule) { s.filesWith("slow_after") }

// filesWith makes the first POSTs go wrong.
func (s *schedule) filesWith(faults ...string) {
	s.singled = true
	s.softlayer[filing] = append(faults, s.softlayer[filing]...)
}

// dropped: the operator ends a stuck request for which nothing was filed.
func dropped(s *schedule) {
	lostTwice(s)
	s.operator = []string{"drop", "drop"}
	s.verbPoints, s.points = s.points, nil
}

// answeredLate: a process is stopped right before the POST until its lease is over, and
// makes the POST afterwards.
func answeredLate(s *schedule) {
	s.patience, s.settle, s.stopFor = longPatience, longPatience, 5*lease/2
	s.points[0] = "filer.file.before#1:stop," + s.points[0]
}

func elsewhere(s *schedule) { s.errands[0].channel = notIn }

func postLost(s *schedule) {
	s.slack[posting] = append([]string{fakeslack.FaultDropAfter}, s.slack[posting]...)
}

// bothSides returns the two boundaries of each step.
func bothSides(steps map[string]step, more ...boundary) []boundary {
	for name, at := range steps {
		more = append(more, boundary{name + ".before", at.scene, at.passages}, boundary{name + ".after", at.scene, at.passages})
	}
	slices.SortFunc(more, func(a, b boundary) int { return cmp.Compare(a.name, b.name) }) // so that each seed finds its own again
	return more
}
