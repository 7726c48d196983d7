//go:build linux

package crash

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// judgeLists judges what became of lists, by what people sent and what SoftLayer received: each is recorded whole and
// once or not at all, and nothing is filed that was left out, declined or withdrawn, or that too few leads approved.
func (t *trial) judgeLists() {
	for _, a := range t.answers {
		if a.list != "" && a.title == "Recorded" {
			t.judgeAccepted(a)
		}
	}
	byBatch := map[string][]row{}
	for _, r := range t.rows {
		if r.batch != "" {
			byBatch[r.batch] = append(byBatch[r.batch], r)
		}
	}
	once := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(byBatch)) {
		rows := byBatch[id]
		t.judgeWhole(id, rows, once)
		for _, r := range rows {
			t.judgeApprovals(r)
		}
	}
	for id := range t.sizes {
		if byBatch[id] == nil {
			t.find(torn, "the list %s has no request", id)
		}
	}
	for _, v := range t.votes {
		t.judgeStruck(v)
	}
	t.judgeFreezes()
}

// judgeAccepted: each server of a list that Slack saw acknowledged is recorded.
func (t *trial) judgeAccepted(a acknowledgement) {
	sent := t.confirmation(func(c confirmation) bool { return c.content == a.content && c.block == a.list })
	if sent == nil {
		t.find(harness, "delivery %d of the list %q was answered, and nobody sent it", a.delivery, a.content)
		return
	}
	for _, server := range sent.servers {
		r := t.row(func(r row) bool { return r.content == a.content && r.server == server && r.batch != "" })
		if r == nil || r.events[0].kind != "submitted" {
			t.find(lost, "delivery %d, the list %q, was answered %q, and server %d is not recorded", a.delivery, a.content, a.title, server)
		}
	}
}

func (t *trial) confirmation(is func(confirmation) bool) *confirmation {
	if i := slices.IndexFunc(t.confirmed, is); i >= 0 {
		return &t.confirmed[i]
	}
	return nil
}

// judgeWhole: a list that is recorded is one that a person sent, to the last server, and no other is recorded for it.
func (t *trial) judgeWhole(id string, rows []row, once map[string]string) {
	var recorded []int64
	for _, r := range rows {
		recorded = append(recorded, r.server)
	}
	slices.Sort(recorded)
	sent := t.confirmation(func(c confirmation) bool {
		return c.content == rows[0].content && slices.Equal(slices.Sorted(slices.Values(c.servers)), recorded)
	})
	if sent == nil || t.sizes[id] != len(rows) {
		t.find(torn, "the list %q has %d servers on record, %v, and is said to have %d", rows[0].content, len(rows), recorded, t.sizes[id])
		return
	}
	if slices.ContainsFunc(rows, func(r row) bool { return r.user != sent.by || r.content != sent.content }) {
		t.find(torn, "the list %q has requests of others", sent.content)
	}
	form := sent.content + " " + sent.block
	if other := once[form]; other != "" {
		t.find(torn, "the list %q is recorded twice, as %s and %s", sent.content, other, id)
	}
	once[form] = id
	if !slices.ContainsFunc(rows, func(r row) bool { return r.notice != nil && r.notice.kind == rootMessage }) {
		t.find(untold, "the list %q has no message", sent.content)
	}
}

// firstPost returns when SoftLayer first received a request; zero if it never did.
func (t *trial) firstPost(ref string) (at time.Time) {
	for _, p := range t.posts {
		if p.ref == ref && (at.IsZero() || p.at.Before(at)) {
			at = p.at
		}
	}
	return at
}

// approvalsFor is how many leads have to approve a server of a list.
func (t *trial) approvalsFor(r row, servers int) int {
	switch {
	case r.user != t.asker:
		return 0
	case servers >= longList:
		return 2
	}
	return 1
}

// judgeApprovals: nothing is sent for a server of a list before as many leads as its rule wants have sent an approval
// of it.
func (t *trial) judgeApprovals(r row) {
	first := t.firstPost(r.ref)
	sent := t.confirmation(func(c confirmation) bool { return c.content == r.content && slices.Contains(c.servers, r.server) })
	if first.IsZero() || sent == nil {
		return
	}
	leads := map[string]bool{}
	for _, v := range t.votes {
		approves := !v.declines && v.content == r.content && slices.Contains(v.shown, r.server) && !slices.Contains(v.struck, r.server)
		leads[v.by] = leads[v.by] || approves && v.from.Before(first)
	}
	given := len(slices.DeleteFunc(slices.Collect(maps.Keys(leads)), func(lead string) bool { return !leads[lead] }))
	if want := t.approvalsFor(r, t.sizes[r.batch]); given < want {
		t.find(against, "request %s of the list %q was sent at %s with %d approvals of %d", r.ref, r.content, first.Format(time.StampMilli), given, want)
	}
}

// judgeStruck: once a lead reads that it is recorded, nothing is sent for what they left out. A whole list that was
// declined may have servers on their way.
func (t *trial) judgeStruck(v vote) {
	if !v.taken {
		return
	}
	ended := v.struck
	if v.declines {
		ended = v.shown
	}
	for _, server := range ended {
		r := t.row(func(r row) bool { return r.content == v.content && r.server == server && r.batch != "" })
		if r == nil || v.declines && r.wasFiling(v.until) {
			continue
		}
		for _, p := range t.posts {
			if p.ref == r.ref && p.at.After(v.until) {
				t.find(against, "request %s of the list %q was sent at %s, and %s ended it at %s", r.ref, v.content, p.at.Format(time.StampMilli), v.by, v.until.Format(time.StampMilli))
			}
		}
		if ticket := ownTicket(t.tickets, r.ref); ticket != 0 {
			t.find(against, "request %s of the list %q has ticket %d, and %s ended it", r.ref, v.content, ticket, v.by)
		}
	}
}

// wasFiling reports whether a request had begun to be filed by a moment.
func (r row) wasFiling(at time.Time) bool {
	return slices.ContainsFunc(r.events, func(e event) bool { return e.to == "filing" && !e.at.After(at) })
}

// judgeUnfiled: a request that ended unfiled by somebody's word has no ticket, and nothing is sent for it after that.
func (t *trial) judgeUnfiled(r row) {
	if !slices.Contains([]string{"declined", "withdrawn", "denied", "expired"}, r.state) {
		return
	}
	if ticket := ownTicket(t.tickets, r.ref); ticket != 0 {
		t.find(against, "request %s is %s, and has ticket %d", r.ref, r.state, ticket)
	}
	ended := r.events[len(r.events)-1].at
	for _, e := range r.events {
		if e.to == r.state && e.from != e.to {
			ended = e.at
		}
	}
	for _, p := range t.posts {
		if r.batch != "" && p.ref == r.ref && p.at.After(ended.Add(clockStep)) {
			t.find(against, "request %s was sent at %s, and is %s since %s", r.ref, p.at.Format(time.StampMilli), r.state, ended.Format(time.StampMilli))
		}
	}
}

// judgeFreezes: while filing is frozen, nothing is sent that was not under way.
func (t *trial) judgeFreezes() {
	for _, frozen := range t.frozen {
		for _, p := range t.posts {
			if p.at.After(frozen.from.Add(t.patience)) && p.at.Before(frozen.until) {
				t.find(against, "request %s was sent at %s, and filing was frozen since %s", p.ref, p.at.Format(time.StampMilli), frozen.from.Format(time.StampMilli))
			}
		}
	}
}

// What a list's message says of SoftLayer's records: "Cancellation requested for 3 of 5 servers", "Asked for 5
// servers · 3 filed".
var (
	listFiled = regexp.MustCompile(`Cancellation requested for (\d+)(?: of \d+)? servers?\.`)
	listSoFar = regexp.MustCompile(`Asked for \d+ servers?(?: · (\d+) filed)?`)
)

// saysOfList is how many of a list's servers a text calls filed; is says that it is about a list.
func saysOfList(text string) (filed int, is bool) {
	for _, phrase := range []*regexp.Regexp{listFiled, listSoFar} {
		if found := phrase.FindStringSubmatch(text); found != nil {
			filed, _ = strconv.Atoi(found[1]) // none: 0
			return filed, true
		}
	}
	return 0, false
}

// judgeListText: no message calls more servers of a list filed than have tickets of their own by then. It reports
// whether the text is about a whole list.
func (t *trial) judgeListText(s *words, r row) bool {
	filed, is := saysOfList(s.text)
	if r.batch == "" || !is && !strings.HasPrefix(s.kind, "batch:") {
		return false
	}
	stood := 0
	for _, other := range t.rows {
		if other.batch == r.batch && ownTicket(s.tickets, other.ref) != 0 {
			stood++
		}
	}
	if filed > stood {
		t.find(falseWords, "the list %q: %s said that %d are filed at %s, and %d were: %.200q", r.content, s.method, filed, s.at.Format(time.StampMilli), stood, s.text)
	}
	return true
}

// judgeListMessage: at last the list's message says how many are filed, and of how many that is not known.
func (t *trial) judgeListMessage(lead row, text string) {
	want, over := 0, true
	for _, r := range t.rows {
		if r.batch != lead.batch {
			continue
		}
		if r.state == "filed" || r.state == "reclaimed" {
			want++
		}
		over = over && !r.working() && r.state != "stuck"
	}
	filed, is := saysOfList(text)
	if !is || filed != want || over != listFiled.MatchString(text) {
		t.find(untold, "of the list %q %d are filed, and that it is over is %t; its message says %.160q", lead.content, want, over, text)
	}
}
