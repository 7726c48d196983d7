//go:build linux

package crash

import (
	"slices"
	"strings"
	"time"
)

// judgeFollowing judges what became of filed requests: each end is true and was read twice, none is
// missing, people hear each thing, and no channel shows what staff wrote.
func (t *trial) judgeFollowing() {
	for _, r := range t.rows {
		t.judgeEnd(r)
		t.judgeLines(r)
	}
	if t.gap < plainGap {
		for _, missing := range behind(t.rows, t.tickets, func(of string) fate { return t.fates[of] }) {
			t.find(lostEnd, "%s", missing)
		}
	}
	for _, s := range t.said {
		if strings.Contains(s.text, staffsWord) && !s.private() {
			t.find(leaked, "%s to %q shows what staff wrote: %.200q", s.method, s.channel, s.text)
		}
	}
}

// private reports whether one person alone reads a text.
func (s *words) private() bool {
	return strings.HasPrefix(s.method, "views.") || s.method == "chat.postEphemeral" || strings.HasPrefix(s.channel, "D") || strings.HasPrefix(s.channel, "U")
}

// judgeEnd: a request ends only by what SoftLayer's records showed at two moments before, at least the
// gap apart.
func (t *trial) judgeEnd(r row) {
	of, now := ofServer(r.server), isGone
	switch r.state {
	case "reverted":
		of, now = ofTicket(r.ticket), isVoid
	case "reclaimed":
	default:
		return
	}
	at := r.events[len(r.events)-1].at
	for _, e := range r.events {
		if e.to == r.state && e.from != e.to {
			at = e.at
		}
	}
	if long := t.span(of, now, at); long < t.gap {
		t.find(falseEnd, "request %s was %s at %s, and %s was %q for %s until then", r.ref, r.state, at.Format(time.StampMilli), of, now, long)
	}
}

// clockStep is how much later a moment may be than the database's clock, which counts milliseconds.
const clockStep = 2 * time.Millisecond

// span is how long before a moment, from the first to the last time, something had a fate: -1 if
// it never had.
func (t *trial) span(of string, now fate, until time.Time) time.Duration {
	until = until.Add(clockStep)
	first, last := time.Time{}, time.Time{}
	for _, k := range t.turns {
		switch {
		case k.of != of || k.from.After(until):
		case k.now == now && first.IsZero():
			first, last = k.from, until
		case k.now == now:
			last = until
		case last.Equal(until):
			last = slices.MinFunc([]time.Time{k.until, until}, time.Time.Compare)
		}
	}
	if first.IsZero() {
		return -1
	}
	return last.Sub(first)
}

// tellsTogether reports whether a message about several servers of a request's list names its server.
func (t *trial) tellsTogether(r row, kind string) bool {
	return slices.ContainsFunc(t.said, func(s *words) bool {
		lead := t.byRef(s.ref)
		if s.kind != kind || lead == nil || lead.batch != r.batch {
			return false
		}
		return s.method == posting && s.refused || s.stands && strings.Contains(s.text, t.names[r.server])
	})
}

// outlived reports whether a line may have been out of date before its message was due: the request has ended, or its
// thread is told another line of that kind.
func (r row) outlived(n notice) bool {
	what, _, _ := strings.Cut(n.kind, "|")
	return r.state != "filed" || slices.ContainsFunc(r.told, func(other notice) bool {
		return other.kind != n.kind && strings.HasPrefix(other.kind, what+"|")
	})
}

// judgeLines: each line of a request's thread is told, and so is its requester if it was not cancelled.
// What Slack itself refused is given up.
func (t *trial) judgeLines(r row) {
	for _, n := range r.told {
		told := slices.ContainsFunc(t.said, func(s *words) bool {
			return s.method == posting && s.ref == r.ref && s.kind == n.kind && (s.stands || s.refused)
		})
		if together, is := strings.CutPrefix(n.way, "in:"); is {
			told = t.tellsTogether(r, together) || r.outlived(n)
		}
		if !told && !n.due {
			t.find(untold, "request %s: nobody was told %q", r.ref, n.kind)
		}
	}
	ended := r.owes("said:ended|0||") || r.private() && r.hears("ended", "not_cancelled", "stopped")
	switch {
	case ended != (r.state == "reverted" || r.state == "reclaimed"):
		t.find(untold, "request %s is %s, and that its thread is told how it ended is %t", r.ref, r.state, ended)
	case r.state == "reverted" && !r.hears("not_cancelled", "stopped"):
		t.find(untold, "request %s was not cancelled, and its requester is not told", r.ref)
	}
}
