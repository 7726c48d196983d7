//go:build linux

package crash

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/fakeslack"
)

// figure is one thing that must never happen.
type figure string

// The figures, in the order of the table.
const (
	lost       figure = "accepted and lost"
	twice      figure = "requests with two tickets"
	bothOpen   figure = "servers with two open tickets"
	blind      figure = "POSTs with no whole settle time before"
	falseWords figure = "false words"
	untold     figure = "result messages missing"
	orphaned   figure = "orphans beyond lost answers"
	unsettled  figure = "not settled"
	disordered figure = "histories that break off"
	falseEnd   figure = "false ends"
	wroteTwice figure = "texts in a ticket twice"
	lostEnd    figure = "ends and answers not recorded"
	leaked     figure = "staff's words in a channel"
	torn       figure = "lists in part, or twice"
	against    figure = "filed against people's word"
	tampered   figure = "audit logs that are not whole"
	harness    figure = "what the harness could not do"
)

var figures = []figure{lost, twice, bothOpen, blind, falseWords, untold, orphaned, unsettled, disordered, falseEnd, lostEnd, wroteTwice, torn, against, leaked, tampered, harness}

// violation is one thing found, with what shows it.
type violation struct {
	figure figure
	shown  string
}

// trial is all that is judged.
type trial struct {
	evidence
	rows     []row
	tickets  []ticket
	messages []fakeslack.Message
	patience time.Duration       // POST_TIMEOUT
	settle   time.Duration       // SETTLE_TIME
	gap      time.Duration       // between the two reads by which a request ends
	fates    map[string]fate     // at last
	texts    []text              // for tickets
	entries  map[string][]string // of tickets, by the text's reference
	sizes    map[string]int      // of lists, by their ids
	names    map[int64]string    // of servers
	asker    string              // the person whose lists leads have to approve
	audit    string              // what bot audit verify finds; "" if the log is whole
	found    []violation
}

func (t *trial) find(f figure, format string, args ...any) {
	t.found = append(t.found, violation{f, fmt.Sprintf(format, args...)})
}

// judge compares what was seen with what must be true.
func (t *trial) judge() []violation {
	t.judgeAnswers()
	t.judgeTickets()
	t.judgePosts()
	t.judgeWords()
	t.judgeFollowing()
	t.judgeLetters()
	t.judgeMail()
	t.judgeLists()
	for _, r := range t.rows {
		t.judgeRow(r)
		t.judgeUnfiled(r)
	}
	if t.audit != "" {
		t.find(tampered, "bot audit verify: %s", t.audit)
	}
	for _, f := range t.failed {
		t.find(harness, "%s", f)
	}
	return t.found
}

// judgeAnswers: whatever Slack saw acknowledged as accepted, or as denied, is recorded.
func (t *trial) judgeAnswers() {
	for _, a := range t.answers {
		r := t.byContent(a.content)
		switch {
		case a.list != "": // see judgeLists
		case a.content == "": // a form about what was asked for before
		case a.title == "Recorded" && r == nil:
			t.find(lost, "delivery %d, %q, was answered %q with reference %s, and no row is there", a.delivery, a.content, a.title, a.ref)
		case a.title == "Recorded" && (r.ref != a.ref || r.events[0].kind != "submitted"):
			t.find(lost, "delivery %d, %q, was answered %q with reference %s, and the row is %s, %v", a.delivery, a.content, a.title, a.ref, r.ref, r.events)
		case a.title == "Not allowed" && (r == nil || r.ref != a.ref) && !t.counted(a):
			t.find(lost, "delivery %d, %q, was denied with reference %s, and that is not recorded", a.delivery, a.content, a.ref)
		}
	}
}

// counted reports whether a denial was counted on the row of an earlier one that was the
// same: then it was answered with that one's reference.
func (t *trial) counted(a acknowledgement) bool {
	r := t.byRef(a.ref)
	return r != nil && r.state == "denied"
}

// judgeTickets: one ticket a request, one open ticket a server, none without a request.
func (t *trial) judgeTickets() {
	ofRef, open := map[string][]int64{}, map[int64][]int64{}
	for _, k := range t.tickets {
		ref := k.ofRef()
		if ref == "" {
			continue
		}
		ofRef[ref] = append(ofRef[ref], k.id)
		if k.open {
			open[k.server] = append(open[k.server], k.id)
		}
		if t.byRef(ref) == nil {
			t.find(lost, "ticket %d carries the reference %s, and no row does", k.id, ref)
		}
	}
	for ref, ids := range ofRef {
		if len(ids) > 1 {
			t.find(twice, "request %s has the tickets %v", ref, ids)
		}
	}
	for server, ids := range open {
		if len(ids) > 1 {
			t.find(bothOpen, "server %d has the open tickets %v", server, ids)
		}
	}
}

// judgePosts checks two rules. A request whose own ticket exists, or existed, is not sent again. After
// a POST that may have made a ticket, the next one waits for its not-after and a whole settle time,
// unless a person who looked said that there is no ticket.
func (t *trial) judgePosts() {
	byRef := map[string][]*post{}
	for _, p := range t.posts {
		byRef[p.ref] = append(byRef[p.ref], p)
	}
	for ref, posts := range byRef {
		slices.SortFunc(posts, func(a, b *post) int { return a.at.Compare(b.at) })
		for i, p := range posts {
			if own := ownTicket(p.tickets, ref); own != 0 {
				t.find(blind, "request %s was POSTed again at %s, and its ticket %d was there", ref, p.at.Format(time.StampMilli), own)
			}
			for _, before := range posts[:i] {
				if early := p.at.Sub(t.settledAt(before)); early < 0 && !before.definite() && !t.resolvedBetween(ref, "none", before.at, p.at) {
					t.find(blind, "request %s was POSTed again %s after a POST that was answered %d %.60q (%s), %s too early",
						ref, p.at.Sub(before.at), before.status, before.answer, before.fault, -early)
				}
			}
		}
	}
}

// settledAt is when the outcome of a POST can be known from SoftLayer's records at the
// earliest.
func (t *trial) settledAt(p *post) time.Time {
	since := p.at
	if r := t.byRef(p.ref); r != nil {
		since = r.filingSince(p.at)
	}
	return since.Add(t.patience + t.settle)
}

func (t *trial) resolvedBetween(ref, word string, from, until time.Time) bool {
	return slices.ContainsFunc(t.resolved, func(r resolve) bool {
		return r.ref == ref && r.word == word && r.at.After(from) && r.at.Before(until)
	})
}

func ownTicket(tickets []ticket, ref string) int64 {
	for _, k := range tickets {
		if k.ofRef() == ref {
			return k.id
		}
	}
	return 0
}

// judgeRow: each request comes to rest, its history is one path, and its result is shown
// where people look.
func (t *trial) judgeRow(r row) {
	if t.gap < plainGap && r.unheardOf() {
		t.find(untold, "request %s: nobody was told by letter of %v", r.ref, r.unheard)
	}
	if r.working() || r.owing() {
		t.find(unsettled, "request %s is %s (%s), and owes %+v", r.ref, r.state, r.why, r.notice)
	}
	state := ""
	for _, e := range r.events {
		if e.from != state {
			t.find(disordered, "request %s: %q by %s goes from %q to %q, and it was %q", r.ref, e.kind, e.actor, e.from, e.to, state)
		}
		state = e.to
	}
	if state != r.state {
		t.find(disordered, "request %s is %s, and its history ends with %q", r.ref, r.state, state)
	}
	if r.state == "filed" && ownTicket(t.tickets, r.ref) != r.ticket {
		t.find(twice, "request %s is filed with ticket %d, and its own is %d", r.ref, r.ticket, ownTicket(t.tickets, r.ref))
	}
	if r.notice != nil {
		t.judgeMessages(r)
	}
}

// heads says how the message of a request begins in each state.
var heads = map[string]string{
	"filed": "Cancellation requested: ", "duplicate": "Already requested: ", "rejected": "Not filed: ", "stuck": "Needs a person: ",
	"denied": "Not allowed: ", "withdrawn": "Withdrawn: ", "reverted": "Not cancelled: ", "reclaimed": "Gone: ",
}

func (t *trial) judgeMessages(r row) {
	var about []fakeslack.Message
	for _, m := range t.messages {
		if m.To == "" && m.ThreadTS == "" && strings.Contains(m.Text, r.ref) && !t.answersClick(m) {
			about = append(about, m)
		}
	}
	if len(about) == 0 {
		t.find(untold, "request %s is %s (%s), and no message says so", r.ref, r.state, r.why)
		return
	}
	last := slices.MaxFunc(about, func(a, b fakeslack.Message) int { return strings.Compare(a.TS, b.TS) }) // an orphan may stand before it
	for _, m := range about {
		if m.TS == r.notice.ts {
			last = m
		}
	}
	if r.batch != "" {
		t.judgeListMessage(r, last.Text)
	} else if head := heads[r.state]; head != "" && !strings.Contains(strings.ToLower(last.Text), strings.ToLower(head)) && !(r.why == "taken-over" && strings.Contains(last.Text, "Taken over by ")) {
		t.find(untold, "request %s is %s (%s), and its message says %.120q", r.ref, r.state, r.why, last.Text)
	}
	t.judgeOrphans(r)
}

// answersClick reports whether a message tells one person what came of their click, for want of a better
// way: it shows no request.
func (t *trial) answersClick(m fakeslack.Message) bool {
	return slices.ContainsFunc(t.said, func(s *words) bool {
		return s.method == posting && s.kind == "" && s.stands && strings.HasPrefix(s.text, m.Text)
	})
}

// judgeOrphans: a second post to one place has a cause: the answer to the first was lost, or a
// process was killed or stopped between them.
func (t *trial) judgeOrphans(r row) {
	last := map[string]*words{} // by the message's kind
	for _, s := range t.said {
		if s.method != posting || s.ref != r.ref || s.kind == "" || s.kind == letterPost { // that is a word to somebody who clicked
			continue
		}
		before := last[s.kind]
		if before != nil && before.answered() && !t.struckBetween(before.at, s.at) {
			t.find(orphaned, "request %s was posted again %s after a post that was taken and answered", r.ref, s.at.Sub(before.at))
		}
		if s.stands {
			last[s.kind] = s
		}
	}
}

// judgeMail: a second direct message with the same news has such a cause too.
func (t *trial) judgeMail() {
	last := map[string]*words{}
	for _, s := range t.said {
		if s.method != posting || s.kind != letterPost {
			continue
		}
		key := s.channel + "\n" + s.text
		if before := last[key]; before != nil && before.answered() && !t.struckBetween(before.at, s.at) {
			t.find(orphaned, "a letter was posted again %s after a post that was taken and answered: %.160q", s.at.Sub(before.at), s.text)
		}
		if s.stands {
			last[key] = s
		}
	}
}

// answered reports whether the bot got the answer to a post, in time.
func (s *words) answered() bool { return s.fault == "" && s.took < time.Second }

// underway is how long a call may take from the bot to here.
const underway = 3 * time.Second

// struckBetween reports whether a process was killed or stopped meanwhile, or the machine
// was too busy for it.
func (t *trial) struckBetween(from, until time.Time) bool {
	from = from.Add(-underway)
	struck := slices.ContainsFunc(t.evidence.dealt, func(d dealt) bool { return d.until.After(from) && d.from.Before(until) })
	return struck || slices.ContainsFunc(t.starved, func(s span) bool { return s.until.After(from) && s.from.Before(until) })
}

func (t *trial) byContent(content string) *row {
	return t.row(func(r row) bool { return r.content == content })
}

func (t *trial) byRef(ref string) *row { return t.row(func(r row) bool { return r.ref == ref }) }

func (t *trial) row(is func(row) bool) *row {
	if i := slices.IndexFunc(t.rows, is); i >= 0 {
		return &t.rows[i]
	}
	return nil
}
