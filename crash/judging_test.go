//go:build linux

package crash

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/fakeslack"
)

// The judge itself is judged: it finds nothing wrong with a request that went well, and it
// finds and names each thing that can be wrong with one.
func TestTheJudgeFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	after := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	const ref = "7F3K-2QXD"
	own := ticket{id: 7, server: 42, open: true, entry: "[cancel-server " + ref + " 7F3K2QXD00000000000000000A]"}
	foreign := ticket{id: 9, server: 42, open: true, entry: "By hand."}
	filed := "Cancellation requested: db-042. ref " + ref

	for _, c := range []struct {
		name  string
		spoil func(t *trial)
		finds []figure
	}{
		{"nothing", func(*trial) {}, nil},
		{"its row is gone", func(t *trial) { t.rows = nil }, []figure{lost, falseWords}},
		{"a denial is not recorded", func(t *trial) {
			t.answers = append(t.answers, acknowledgement{content: "case 2", title: "Not allowed"})
		}, []figure{lost}},
		{"it has a second ticket", func(t *trial) {
			t.tickets = append(t.tickets, ticket{id: 8, server: 42, entry: own.entry})
		}, []figure{twice}},
		{"its server has a second open ticket of ours", func(t *trial) {
			second := own
			second.id = 8
			t.tickets = append(t.tickets, second)
		}, []figure{twice, bothOpen}},
		{"it was sent again too soon", func(t *trial) {
			t.posts = append(t.posts, &post{at: after(2.5), ref: ref, server: 42})
		}, []figure{blind}},
		{"it was sent again despite its own ticket", func(t *trial) {
			t.posts = append(t.posts, &post{at: after(60), ref: ref, server: 42, tickets: []ticket{own}})
		}, []figure{blind}},
		{"it was sent again after a rate limit", func(t *trial) {
			t.posts = append([]*post{{at: after(0.5), ref: ref, server: 42, answer: "SoftLayer_Exception_WebService_RateLimitExceeded"}}, t.posts...)
		}, nil},
		{"it was called filed before there was a ticket", func(t *trial) { t.said[0].tickets = nil }, []figure{falseWords}},
		{"it was called not filed", func(t *trial) {
			t.said = append(t.said, &words{at: after(3), method: "chat.update", ref: ref, text: "Not filed: db-042"})
		}, []figure{falseWords}},
		{"it was called a duplicate of nothing", func(t *trial) {
			t.said = append(t.said, &words{at: after(3), method: "chat.update", ref: ref, text: "Already requested: db-042"})
		}, []figure{falseWords}},
		{"it is a duplicate of something", func(t *trial) {
			t.rows[0].state, t.rows[0].events[1] = "duplicate", event{from: "scheduled", to: "duplicate"}
			t.tickets = []ticket{foreign}
			t.said[0].text, t.said[0].tickets = "Already requested: db-042. ref "+ref, t.tickets
			t.messages[0].Text = t.said[0].text
		}, nil},
		{"a twin was answered that nothing was recorded", func(t *trial) {
			t.answers = append(t.answers, acknowledgement{at: after(1), content: "case 1", title: "errors", text: "Nothing was recorded."})
		}, []figure{falseWords}},
		{"a press before was answered that nothing was recorded", func(t *trial) {
			t.answers = append(t.answers, acknowledgement{at: after(-2), content: "case 1", title: "errors", text: "Nothing was recorded."})
			t.presses = append(t.presses, press{from: after(-1), content: "case 1"})
		}, nil},
		{"nobody was told", func(t *trial) { t.messages = nil }, []figure{untold}},
		{"the message shows an older state", func(t *trial) { t.messages[0].Text = "Being filed: db-042. ref " + ref }, []figure{untold}},
		{"somebody's late click was answered after it", func(t *trial) {
			late := "Too late: Being filed. ref " + ref
			t.said = append(t.said, &words{at: after(4), method: posting, ref: ref, text: late + "\n" + late, stands: true})
			t.messages, t.rows[0].notice.ts = append(t.messages, fakeslack.Message{TS: "9.0", Text: late}), ""
		}, nil},
		{"the message was posted twice", func(t *trial) { t.postedAgain(after(4)) }, []figure{orphaned}},
		{"the message was posted twice, after its answer was lost", func(t *trial) {
			t.said[0].fault = fakeslack.FaultDropAfter
			t.postedAgain(after(4))
		}, nil},
		{"the message was posted twice, after a kill", func(t *trial) {
			t.evidence.dealt = []dealt{{from: after(2), until: after(2)}}
			t.postedAgain(after(4))
		}, nil},
		{"it is not settled", func(t *trial) {
			t.rows[0].state, t.rows[0].events = "unknown", []event{{kind: "submitted", to: "unknown"}}
		}, []figure{unsettled}},
		{"a result is owed", func(t *trial) { t.rows[0].notice.owed = 5 }, []figure{unsettled}},
		{"a step is missing in its history", func(t *trial) { t.rows[0].events[1].from = "unknown" }, []figure{disordered}},
		{"it was read twice that its server is gone", func(t *trial) { t.ends(after, "reclaimed", 5, 5.6) }, nil},
		{"it ended by one read of its server", func(t *trial) { t.ends(after, "reclaimed", 5, 5.1) }, []figure{falseEnd}},
		{"it ended, and its server was always there", func(t *trial) {
			t.ends(after, "reclaimed", 5, 5.6)
			t.turns = nil
		}, []figure{falseEnd}},
		{"it ended after its server was gone for a moment", func(t *trial) {
			t.ends(after, "reclaimed", 5, 6)
			t.turns = append(t.turns, turn{of: "server 42", from: after(5.2), until: after(5.2)})
		}, []figure{falseEnd}},
		{"its ticket was closed with no cancellation", func(t *trial) { t.ends(after, "reverted", 5, 5.6) }, nil},
		{"its ticket was closed, and its requester is not told", func(t *trial) {
			t.ends(after, "reverted", 5, 5.6)
			t.rows[0].heard = nil
		}, []figure{untold}},
		{"its ticket was closed, and its thread is not told", func(t *trial) {
			t.ends(after, "reverted", 5, 5.6)
			t.rows[0].told = nil
		}, []figure{untold}},
		{"a line is owed and was never posted", func(t *trial) {
			t.ends(after, "reclaimed", 5, 5.6)
			t.said = t.said[:1]
		}, []figure{untold}},
		{"a line was posted twice", func(t *trial) {
			t.ends(after, "reclaimed", 5, 5.6)
			again := *t.said[1]
			again.at = after(9)
			t.said = append(t.said, &again)
		}, []figure{orphaned}},
		{"its server is gone, and it is filed", func(t *trial) { t.fates = map[string]fate{"server 42": isGone} }, []figure{lostEnd}},
		{"its ticket is void, and it is filed", func(t *trial) { t.fates = map[string]fate{"ticket 7": isVoid} }, []figure{lostEnd}},
		{"its ticket is void, and another one is open", func(t *trial) {
			t.fates, t.tickets = map[string]fate{"ticket 7": isVoid}, append(t.tickets, foreign)
		}, nil},
		{"staff answered, and nobody is told", func(t *trial) { t.tickets[0].staff = 70 }, []figure{lostEnd}},
		{"staff answered, and its requester hears it by letter", func(t *trial) {
			t.tickets[0].staff, t.rows[0].notice.way, t.rows[0].heard = 70, "direct", []string{"staff", "staff 70"}
		}, nil},
		{"a channel shows what staff wrote", func(t *trial) {
			t.said = append(t.said, &words{at: after(9), method: posting, channel: "C1", text: staffsWord + "-1"})
		}, []figure{leaked}},
		{"one person reads what staff wrote", func(t *trial) {
			t.said = append(t.said, &words{at: after(9), method: posting, channel: "D1", text: staffsWord + "-1"})
		}, nil},
		{"it was called gone before it was", func(t *trial) {
			t.ends(after, "reclaimed", 5, 5.6)
			t.said[1].at = after(4.9)
		}, []figure{falseWords}},
		{"a text is in its ticket", func(t *trial) { t.writes("sent", 1) }, nil},
		{"a text is in its ticket twice", func(t *trial) { t.writes("sent", 2) }, []figure{wroteTwice}},
		{"a text is called sent, and is in no ticket", func(t *trial) { t.writes("sent", 0) }, []figure{falseWords}},
		{"a text is called not sent, and is in its ticket", func(t *trial) { t.writes("not_sent", 1) }, []figure{falseWords}},
		{"nobody knows what became of a text", func(t *trial) { t.writes("unknown", 1) }, []figure{unsettled}},
		{"what became of a text is told to nobody", func(t *trial) {
			t.writes("sent", 1)
			t.rows[0].told = nil
		}, []figure{untold}},
		{"a text was taken, and is not recorded", func(t *trial) { t.letters = []string{"case 9"} }, []figure{lost}},
		{"one text is in tickets under two references", func(t *trial) {
			t.writes("sent", 1)
			t.texts = append(t.texts, text{number: 2, request: "r1", state: "sent", ref: "B", typed: "case 2"})
			t.entries["B"] = t.entries["A"]
			t.rows[0].told = append(t.rows[0].told, notice{kind: "update:2:U1"})
		}, []figure{wroteTwice, untold}},
		{"a message about several servers names it", func(t *trial) { t.tellsTogetherOf(after(4), "db-042, db-043") }, nil},
		{"a message about several servers does not name it", func(t *trial) { t.tellsTogetherOf(after(4), "db-043") }, []figure{untold}},
		{"a message about several servers was never posted", func(t *trial) {
			t.tellsTogetherOf(after(4), "db-042")
			t.said = t.said[:len(t.said)-1]
		}, []figure{untold}},
		{"a date moved twice before anybody was told", func(t *trial) {
			t.tellsTogetherOf(after(4), "db-043")
			t.rows[0].told = append(t.rows[0].told, notice{kind: "said:moved|0|B|C", due: true})
		}, []figure{unsettled}},
		{"a message about several servers is owed at last", func(t *trial) { t.rows[0].gathers = true }, []figure{unsettled}},
		{"a form about an earlier request is called recorded", func(t *trial) {
			t.answers = append(t.answers, acknowledgement{at: after(4), title: "Recorded"})
		}, nil},
		{"a letter is owed at last", func(t *trial) { t.rows[0].unheard = []string{"waits"} }, []figure{untold}},
		{"a letter calls it not cancelled", func(t *trial) { t.getsLetter(after(4), "Not cancelled: db-042") }, []figure{falseWords}},
		{"a letter about it calls another one not cancelled", func(t *trial) { t.getsLetter(after(4), "Not cancelled: db-043. Needs a person: db-042") }, nil},
		{"a letter was posted twice", func(t *trial) { t.postsLetter(after(4)); t.postsLetter(after(9)) }, []figure{orphaned}},
		{"a letter was posted twice, after a kill", func(t *trial) {
			t.postsLetter(after(4))
			t.evidence.dealt = []dealt{{from: after(5), until: after(5)}}
			t.postsLetter(after(9))
		}, nil},
		{"a list is recorded and filed", func(t *trial) { t.asksForList(after, 2) }, nil},
		{"a list is acknowledged, and one of its servers is not recorded", func(t *trial) {
			t.asksForList(after, 2)
			t.rows = t.rows[:2]
		}, []figure{lost, torn}},
		{"a list is recorded without its last server", func(t *trial) {
			t.asksForList(after, 2)
			t.rows, t.answers = t.rows[:2], t.answers[:1]
		}, []figure{torn}},
		{"a list is recorded with a server that nobody ticked", func(t *trial) {
			t.asksForList(after, 2)
			t.confirmed[0].servers = []int64{101}
		}, []figure{torn}},
		{"a list is recorded twice", func(t *trial) {
			t.asksForList(after, 1)
			again := t.rows[1]
			again.ref, again.batch, again.state = "AAAA-AAAA", "b2", "withdrawn"
			again.events = []event{{kind: "submitted", to: "pending"}, {kind: "withdrawn", from: "pending", to: "withdrawn"}}
			t.rows, t.sizes["b2"] = append(t.rows, again), 1
		}, []figure{torn}},
		{"a list has no request", func(t *trial) { t.sizes = map[string]int{"b1": 2} }, []figure{torn}},
		{"a list has no message", func(t *trial) {
			t.asksForList(after, 2)
			t.rows[1].notice = nil
		}, []figure{untold}},
		{"a list's message calls too many filed", func(t *trial) {
			t.asksForList(after, 2)
			t.said[len(t.said)-1].tickets = nil
		}, []figure{falseWords}},
		{"a list's message shows an older state", func(t *trial) {
			t.asksForList(after, 2)
			t.messages[len(t.messages)-1].Text = "Asked for 2 servers · 1 filed. ref LIST-0101"
		}, []figure{untold}},
		{"a list that needs approval was filed without one", func(t *trial) {
			t.asksForList(after, 2)
			t.asker = "U9"
		}, []figure{against}},
		{"a list that needs approval was filed with one", func(t *trial) {
			t.asksForList(after, 2)
			t.asker = "U9"
			t.votes = []vote{{from: after(1), until: after(1.5), by: "U1", content: "case 7", shown: []int64{101, 102}, taken: true}}
		}, nil},
		{"a long list was filed with one approval of two", func(t *trial) {
			t.asksForList(after, longList)
			t.asker = "U9"
			t.votes = []vote{{from: after(1), until: after(1.5), by: "U1", content: "case 7", shown: t.confirmed[0].servers, taken: true}}
		}, []figure{against}},
		{"a server that was left out was filed", func(t *trial) {
			t.asksForList(after, 2)
			t.votes = []vote{{from: after(1), until: after(1.5), by: "U1", content: "case 7", shown: []int64{101, 102}, struck: []int64{102}, taken: true}}
		}, []figure{against}},
		{"a server was left out too late, and its lead reads so", func(t *trial) {
			t.asksForList(after, 2)
			t.votes = []vote{{from: after(3), until: after(3.5), by: "U1", content: "case 7", shown: []int64{101, 102}, struck: []int64{102}}}
		}, nil},
		{"a list that was declined was filed", func(t *trial) {
			t.asksForList(after, 2)
			t.votes = []vote{{from: after(1), until: after(1.5), by: "U1", content: "case 7", shown: []int64{101, 102}, declines: true, taken: true}}
		}, []figure{against}},
		{"a request that was withdrawn has a ticket", func(t *trial) {
			t.rows[0].state, t.rows[0].events[1] = "withdrawn", event{kind: "withdrawn", from: "scheduled", to: "withdrawn"}
		}, []figure{against}},
		{"something was sent while filing was frozen", func(t *trial) {
			t.frozen = []span{{after(-1), after(9)}}
		}, []figure{against}},
		{"its log is not whole", func(t *trial) { t.audit = "MISSING  position 3" }, []figure{tampered}},
		{"the harness could not look", func(t *trial) { t.failed = []string{"reading the books"} }, []figure{harness}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			well := &trial{
				patience: time.Second, settle: time.Second, gap: 500 * time.Millisecond,
				tickets: []ticket{own},
				rows: []row{{
					id: "r1", ref: ref, state: "filed", server: 42, content: "case 1", created: start, ticket: own.id,
					notice: &notice{ts: "1.1", owed: 3, shown: 3},
					events: []event{{kind: "submitted", to: "scheduled"}, {kind: "moved", from: "scheduled", to: "filed"}},
				}},
				messages: []fakeslack.Message{{TS: "1.1", Text: filed}},
				evidence: evidence{
					answers: []acknowledgement{{at: start, content: "case 1", title: "Recorded", ref: ref}},
					posts:   []*post{{at: after(1), ref: ref, server: 42, answer: `{"id":7}`}},
					said:    []*words{{at: after(2), method: posting, ref: ref, kind: "result", text: filed, tickets: []ticket{own}, stands: true}},
					presses: []press{{from: after(-0.1), until: start, content: "case 1", server: 42}},
				},
			}
			c.spoil(well)
			var found []figure
			for _, v := range well.judge() {
				found = append(found, v.figure)
			}
			for _, f := range c.finds {
				assert.Contains(t, found, f)
			}
			if c.finds == nil {
				assert.Empty(t, found)
			}
		})
	}
}

// asksForList lets a person ask for a list of so many servers, which are filed 2 s later.
func (t *trial) asksForList(after func(float64) time.Time, count int) {
	c := confirmation{from: after(0), until: after(0.1), by: "U9", content: "case 7", block: "count:d"}
	var stood []ticket
	for i := range count {
		r := row{
			id: fmt.Sprint("l", i), ref: fmt.Sprintf("LIST-%04d", 101+i), state: "filed", server: int64(101 + i), content: c.content,
			batch: "b1", user: c.by, created: after(0.1), ticket: int64(701 + i),
			events: []event{{kind: "submitted", to: "scheduled"}, {at: after(1.9), kind: "moved", from: "scheduled", to: "filing"}, {kind: "moved", from: "filing", to: "filed"}},
		}
		if i == 0 {
			r.notice = &notice{kind: rootMessage, ts: "7.1", owed: 3, shown: 3}
		}
		t.rows = append(t.rows, r)
		t.posts = append(t.posts, &post{at: after(2), ref: r.ref, server: r.server, answer: "{}"})
		stood = append(stood, ticket{id: r.ticket, server: r.server, open: true, entry: "[cancel-server " + r.ref + " 7F3K2QXD00000000000000000A]"})
		c.servers = append(c.servers, r.server)
	}
	text := fmt.Sprintf("Cancellation requested for %d servers. ref LIST-0101", count)
	t.tickets, t.sizes, t.confirmed = append(t.tickets, stood...), map[string]int{"b1": count}, []confirmation{c}
	t.answers = append(t.answers, acknowledgement{at: after(0.1), content: c.content, list: c.block, title: "Recorded", text: fmt.Sprintf("Asked for %d servers", count)})
	t.said = append(t.said, &words{at: after(3), method: posting, ref: "LIST-0101", kind: rootMessage, text: text, tickets: stood, stands: true})
	t.messages = append(t.messages, fakeslack.Message{TS: "7.1", Text: text})
}

// writes lets somebody write a text, which is in its ticket so often.
func (t *trial) writes(state string, often int) {
	t.letters, t.texts = []string{"case 2"}, []text{{number: 1, request: "r1", state: state, ref: "A", typed: "case 2"}}
	t.entries = map[string][]string{"A": slices.Repeat([]string{"case 2"}, often)}
	t.rows[0].told = []notice{{kind: "update:1:U1"}}
	t.said = append(t.said, &words{method: posting, ref: t.rows[0].ref, kind: "update:1:U1", stands: true})
}

// ends lets the only request end at a moment, for what became true at an earlier one.
func (t *trial) ends(after func(float64) time.Time, state string, since, at float64) {
	k := turn{of: "server 42", from: after(since), until: after(since), now: isGone}
	text := "Gone: db-042"
	if state == "reverted" {
		k.of, k.now, text = "ticket 7", isVoid, "Not cancelled: db-042"
	}
	t.turns, t.fates = []turn{k}, map[string]fate{k.of: k.now}
	r := &t.rows[0]
	r.state, r.user = state, "U1"
	r.events = append(r.events, event{at: after(at), kind: "evidence", from: "filed", to: state})
	r.told, r.heard = []notice{{kind: "said:ended|0||"}}, map[string][]string{"reverted": {"not_cancelled"}, "reclaimed": {"ended"}}[state]
	for _, n := range r.told {
		t.said = append(t.said, &words{at: after(at + 0.1), method: posting, ref: r.ref, kind: n.kind, text: text, stands: true})
	}
	t.messages[0].Text = text + ". ref " + r.ref
}

// tellsTogetherOf has the only request's new date told in a message about the servers of its list.
func (t *trial) tellsTogetherOf(at time.Time, names string) {
	const kind = "gathered:said:moved|2026-11-24"
	t.names = map[int64]string{42: "db-042"}
	t.rows[0].told = []notice{{kind: "said:moved|0|A|B", way: "in:" + kind}}
	t.said = append(t.said, &words{at: at, method: posting, ref: t.rows[0].ref, kind: kind, text: "2 dates moved: " + names, stands: true})
}

// getsLetter has a person get a letter that names the only request by its reference.
func (t *trial) getsLetter(at time.Time, text string) {
	t.names = map[int64]string{42: "db-042"}
	t.said = append(t.said, &words{at: at, method: posting, kind: letterPost, ref: t.rows[0].ref, channel: "D1", text: text, stands: true})
}

// postsLetter has a person get a letter.
func (t *trial) postsLetter(at time.Time) {
	t.said = append(t.said, &words{at: at, method: posting, kind: letterPost, channel: "D1", text: "SoftLayer is waiting", stands: true})
}

// postedAgain has the first message posted once more.
func (t *trial) postedAgain(at time.Time) {
	again := *t.said[0]
	again.at = at
	t.said = append(t.said, &again)
}
