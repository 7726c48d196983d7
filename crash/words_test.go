//go:build linux

package crash

import (
	"slices"
	"strings"
	"time"
)

// claim is a phrase, and what must be true of a request about which it is said.
type claim struct {
	phrase string
	holds  func(t *trial, s *words, r *row) bool
	forms  bool // in forms too, which name a request only to say how it stands
}

// claims are the phrases that say something about SoftLayer's records.
var claims = []claim{
	{"Cancellation requested", ownStood, true},
	{"Not filed", neverTicketed, false},
	{"Nothing was filed", neverTicketed, false},
	{"Withdrawn: ", neverTicketed, false},
	{"Already requested: ", foreignStood, false},
	{"Not cancelled: ", wasVoid, false},
	{"Gone: ", wasGone, false},
}

func ownStood(_ *trial, s *words, r *row) bool { return ownTicket(s.tickets, r.ref) != 0 }

func wasVoid(t *trial, s *words, r *row) bool { return t.span(ofTicket(r.ticket), isVoid, s.at) >= 0 }

func wasGone(t *trial, s *words, r *row) bool { return t.span(ofServer(r.server), isGone, s.at) >= 0 }

// neverTicketed: the request never had a ticket, and never has one.
func neverTicketed(t *trial, _ *words, r *row) bool { return ownTicket(t.tickets, r.ref) == 0 }

// foreignStood: its server had a ticket, and none was this request's.
func foreignStood(t *trial, s *words, r *row) bool {
	return neverTicketed(t, s, r) && slices.ContainsFunc(s.tickets, func(k ticket) bool { return k.server == r.server && k.ofRef() != r.ref })
}

// judgeWords checks every text against the records as they were when it came.
func (t *trial) judgeWords() {
	for _, s := range t.said {
		t.judgeText(s, strings.HasPrefix(s.method, "views."))
	}
	for _, a := range t.answers {
		s := &words{at: a.at, method: "the answer " + a.title, ref: a.ref, text: a.text, tickets: a.tickets}
		t.judgeText(s, a.title != "Recorded" && a.title != "Not allowed")
		t.judgeNothing(a)
	}
}

func (t *trial) judgeText(s *words, isForm bool) {
	if s.ref == "" {
		return
	}
	r := t.byRef(s.ref)
	if r == nil && s.method != "the answer Not known" {
		t.find(falseWords, "%s speaks of request %s, which is not there: %.200q", s.method, s.ref, s.text)
	}
	if r != nil && t.judgeListText(s, *r) {
		return
	}
	for _, c := range claims {
		if r != nil && (c.forms || !isForm) && t.says(s, c.phrase, r) && !t.holds(s, c, r) {
			t.find(falseWords, "request %s: %s said %q at %s: %.300q", s.ref, s.method, c.phrase, s.at.Format(time.StampMilli), s.text)
		}
	}
}

// holds reports whether a claim is true of a request. A letter names servers, so that its claim may be about another
// request for the same one.
func (t *trial) holds(s *words, c claim, r *row) bool {
	if s.kind != letterPost {
		return c.holds(t, s, r)
	}
	return slices.ContainsFunc(t.rows, func(other row) bool { return other.server == r.server && c.holds(t, s, &other) })
}

// says reports whether a text has a phrase about a request. A letter may be about several, and name one by its
// reference.
func (t *trial) says(s *words, phrase string, r *row) bool {
	if s.kind == letterPost {
		phrase = strings.TrimSuffix(phrase, ": ") + ": " + t.names[r.server]
	}
	return strings.Contains(s.text, phrase)
}

// judgeNothing: a submission that was answered with nothing recorded is not recorded,
// unless the person pressed the button again after they had read that.
func (t *trial) judgeNothing(a acknowledgement) {
	if a.ref != "" || !strings.Contains(a.text, "Nothing was recorded") && !strings.Contains(a.text, "Nothing was filed") {
		return
	}
	r := t.byContent(a.content)
	if r == nil || r.state == "denied" {
		return
	}
	after := func(content string, from time.Time) bool {
		return content == a.content && from.After(a.at) && from.Before(r.created.Add(time.Second))
	}
	pressedAgain := slices.ContainsFunc(t.presses, func(p press) bool { return after(p.content, p.from) }) ||
		slices.ContainsFunc(t.confirmed, func(c confirmation) bool { return after(c.content, c.from) })
	if !pressedAgain {
		t.find(falseWords, "delivery %d of %q was answered %.120q, and request %s is there, recorded at %s", a.delivery, a.content, a.text, r.ref, r.created.Format(time.StampMilli))
	}
}
