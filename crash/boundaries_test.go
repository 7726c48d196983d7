//go:build linux

package crash

import "cancel-server/internal/fakeslack"

// boundary is a place between two steps at which a process is killed or stopped, and
// the scene without which it is not reached.
type boundary struct {
	name  string
	scene scene
}

// scene is what a schedule must hold so that something comes to pass.
type scene func(s *schedule)

// boundaries lists every one of testdata/seams.go.
var boundaries = bothSides(map[string]scene{
	"journal.record.scheduled": ordinary,
	"journal.record.denied":    forbidden,
	"journal.record.takeover":  askedAgainAfterClosing,
	"journal.apply.same":       lostOnce,
	"journal.apply.scheduled":  limited,
	"journal.apply.filing":     ordinary,
	"journal.apply.unknown":    lostOnce,
	"journal.apply.stuck":      lostTwice,
	"journal.apply.filed":      ordinary,
	"journal.apply.denied":     demoted,
	"journal.apply.withdrawn":  dropped,
	"journal.apply.rejected":   changed,
	"journal.apply.duplicate":  foreign,
	"journal.apply.reclaimed":  gone,
	"journal.note.asked-again": shared,
	"journal.note.late-answer": answeredLate,
	"journal.renew":            slowly,
	"journal.notice.posting":   ordinary,
	"journal.notice.told":      ordinary,
	"journal.notice.owed":      elsewhere,
	"filer.file":               ordinary,
	"announcer.post":           ordinary,
	"announcer.update":         lostOnce,
	"announcer.respond":        elsewhere,
	"announcer.find":           postLost,
	"submission.acknowledge":   ordinary,
}, boundary{"journal.claim.after", ordinary}, boundary{"journal.claim-notice.after", ordinary})

// The calls that matter most.
const (
	filing  = "SoftLayer_Ticket/createCancelServerTicket"
	posting = "chat.postMessage"
)

func ordinary(*schedule) {}

// forbidden: the policy refuses a reason, and the person corrects it.
func forbidden(s *schedule) { s.errands[0].slip = forbiddenReason }

// shared: two people ask for one server at the same time.
func shared(s *schedule) {
	s.errands[1].person, s.errands[1].server = s.errands[0].person+1, s.errands[0].server
	s.errands[0].after, s.errands[1].after = 0, 0
}

// askedAgainAfterClosing: staff close the ticket, and the same person asks once more.
func askedAgainAfterClosing(s *schedule) { s.sequel(closeTickets) }

// gone: the server of a filed request is gone when somebody asks again.
func gone(s *schedule) { s.sequel(removeServer) }

// sequel has something happen to the first server once it is filed, and asks again.
func (s *schedule) sequel(happens upset) {
	s.errands[0].then = happens
	again := errand{person: s.errands[0].person, server: s.errands[0].server}
	s.errands = append([]errand{s.errands[0], again}, s.errands[1:]...)
}

func foreign(s *schedule) { s.errands[0].before = openForeign }

func changed(s *schedule) { s.errands[0].before = changeAddress }

// demoted: the person leaves the group while the bot is down with their request.
func demoted(s *schedule) {
	s.points = append([]string{"journal.record.scheduled.after#1:kill"}, s.points...)
	s.onDeath = demoteFirst
}

func lostOnce(s *schedule) {
	s.softlayer[filing] = append([]string{"drop_after"}, s.softlayer[filing]...)
}

func lostTwice(s *schedule) {
	s.softlayer[filing] = append([]string{"error_before", "drop_before", "error_before", "ok_null"}, s.softlayer[filing]...)
}

func limited(s *schedule) {
	s.softlayer[filing] = append([]string{"rate_limit"}, s.softlayer[filing]...)
}

func slowly(s *schedule) {
	s.softlayer[filing] = append([]string{"slow_after"}, s.softlayer[filing]...)
}

// dropped: the operator ends what is stuck with nothing filed.
func dropped(s *schedule) {
	lostTwice(s)
	s.operator = []string{"drop"}
	s.verbPoints, s.points = s.points, nil
}

// answeredLate: the answer comes after the process was stopped past its lease.
func answeredLate(s *schedule) {
	slowly(s)
	s.patience, s.settle = fourSeconds, fourSeconds
	s.blows = append(s.blows, blow{onCall: filing, stop: 2 * lease})
}

func elsewhere(s *schedule) { s.errands[0].channel = notIn }

func postLost(s *schedule) {
	s.slack[posting] = append([]string{fakeslack.FaultDropAfter}, s.slack[posting]...)
}

// bothSides makes two boundaries of each step.
func bothSides(steps map[string]scene, more ...boundary) []boundary {
	for name, scene := range steps {
		more = append(more, boundary{name + ".before", scene}, boundary{name + ".after", scene})
	}
	return sorted(more)
}
