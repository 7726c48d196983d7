//go:build linux

package crash

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cancel-server/internal/fakeslack"
)

// writing is the call that writes into a ticket.
const writing = "SoftLayer_Ticket/addUpdate"

// letter is what somebody writes for a ticket.
type letter struct {
	action  string // the button of its form
	another bool   // somebody else than usual writes it
	twice   string // how the form comes twice

	proposed bool // who may only ask proposes it, and who may send it does
	both     bool // two of them open what was proposed, and send it at once
}

// The buttons of the forms.
const (
	reply   = "reply"
	askStop = "ask-stop"
)

// letterTime is how long somebody tries to write one.
const letterTime = 6 * time.Second

// writeLetters makes people write into tickets, one text after the other, while no other form is open.
func (w *world) writeLetters(ctx context.Context) {
	for _, l := range w.letters {
		trying, cancel := context.WithTimeout(ctx, letterTime)
		if l.proposed {
			w.proposeLetter(trying, l)
		} else {
			w.writeLetter(trying, l)
		}
		cancel()
	}
}

// proposeLetter has who may only ask propose a reply about a request of their own, for which SoftLayer
// waits. Those who may send it then send it as it was proposed: one of them, or two at once.
func (w *world) proposeLetter(ctx context.Context, l letter) {
	asks := &hand{w: w, user: w.people[asker]}
	var mine []string
	waited := wait(ctx, letterTime, func() bool {
		rows, err := w.db.rows(ctx)
		for _, r := range rows {
			if r.user == asks.user && r.state == "filed" && !slices.Contains(mine, w.names[r.server]) {
				mine = append(mine, w.names[r.server])
			}
		}
		return err == nil && len(mine) > 0 && w.offers(ctx, l.action, mine)
	})
	text := w.newContent()
	if !waited || !w.sendsUntil(ctx, asks, l, mine, text, "are asked by direct message") {
		return
	}
	leads := []*hand{{w: w, user: w.cast.Approver}, {w: w, user: w.cast.User}}[:1]
	if l.both {
		leads = leads[:2]
	}
	var open, sent sync.WaitGroup
	for _, h := range leads {
		open.Go(func() { h.openLetter(ctx, l.action, mine) })
	}
	open.Wait()
	for _, h := range leads {
		if h.view == "" {
			continue
		}
		sent.Go(func() { h.sendAsProposed(ctx, text) })
	}
	sent.Wait()
}

// sendAsProposed sends an open form until it is taken, or shows that somebody else has sent another. What
// staff wrote is shown first, if the form did not show that yet.
func (h *hand) sendAsProposed(ctx context.Context, text string) {
	for range 4 {
		switch _, body := h.sendLetter(ctx, "", text); {
		case strings.Contains(body, "is recorded and on its way"):
			h.w.tally(func(e *evidence) { e.letters = append(e.letters, text) })
			return
		case strings.Contains(body, "a reply meanwhile"):
			return
		}
		if !pause(ctx, 100*time.Millisecond) {
			return
		}
		h.look()
	}
}

// sendsUntil opens a form and sends it until the answer has these words.
func (w *world) sendsUntil(ctx context.Context, h *hand, l letter, about []string, text, words string) bool {
	for ctx.Err() == nil {
		if h.openLetter(ctx, l.action, about) {
			if _, body := h.sendLetter(ctx, l.twice, text); strings.Contains(body, words) {
				w.tally(func(e *evidence) { e.letters = append(e.letters, text) })
				return true
			}
			l.twice = ""
		}
		pause(ctx, 300*time.Millisecond)
	}
	return false
}

// writeLetter opens a form and sends it until the answer satisfies a person.
func (w *world) writeLetter(ctx context.Context, l letter) {
	who := w.cast.Approver
	if l.another {
		who = w.cast.User
	}
	h := &hand{w: w, user: who}
	text := w.newContent()
	for ctx.Err() == nil {
		if h.openLetter(ctx, l.action, nil) {
			switch title, body := h.sendLetter(ctx, l.twice, text); {
			case strings.Contains(body, "is recorded and on its way"):
				w.tally(func(e *evidence) { e.letters = append(e.letters, text) })
				return
			case title != "": // an answer: what is typed next is another text
				text = w.newContent()
			}
			l.twice = ""
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// openLetter presses the button of a message that has it, and waits for the form. about are the servers
// that it may be about, by their names; none for any.
func (h *hand) openLetter(ctx context.Context, action string, about []string) bool {
	m, found := h.w.buttonFor(ctx, action, about)
	if !found {
		return false
	}
	ack, err := h.w.slack.Act(ctx, fakeslack.Action{
		User: h.user, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: "request", ActionID: action,
	})
	if err != nil || ack.Error != "" {
		h.w.note("pressing %s: %v %s", action, err, ack.Error)
		return false
	}
	return wait(ctx, cardTime/2, func() bool { return strings.Contains(h.look(), `"ticket-text"`) })
}

// offers reports whether a message has the button.
func (w *world) offers(ctx context.Context, action string, about []string) bool {
	_, found := w.buttonFor(ctx, action, about)
	return found
}

// buttonFor is the newest message in a channel that has a button.
func (w *world) buttonFor(ctx context.Context, action string, about []string) (m fakeslack.Message, found bool) {
	for _, place := range w.conversations()[:3] {
		messages, err := w.slack.Messages(ctx, place, 0)
		if err != nil {
			return m, false
		}
		for _, m := range slices.Backward(messages) {
			named := len(about) == 0 || slices.ContainsFunc(about, func(name string) bool { return strings.Contains(m.Text, name) })
			if named && hasButton(m, action) {
				return m, true
			}
		}
	}
	return m, false
}

// sendLetter submits the form, and returns the title and the text of the answer: "" for none.
func (h *hand) sendLetter(ctx context.Context, twice, text string) (title, body string) {
	h.w.note("%s writes %q", h.user, text)
	if twice != "" && twice != pressedTwice {
		h.w.could("having a text come twice", h.w.slack.Fault("view_submission", twice, 1))
	}
	submit := func() (string, string) {
		ack, err := h.w.slack.Submit(ctx, fakeslack.Submission{User: h.user, View: h.view, Values: fakeslack.Values{
			"ticket-text": {"ticket-text": {"type": "plain_text_input", "value": text}},
		}})
		if err != nil || ack.Error != "" {
			h.w.note("sending %q: %v %s", text, err, ack.Error)
			return "", ""
		}
		title, _, body := readAnswer(ack.Body)
		return cmp.Or(title, "closed"), body
	}
	if twice == pressedTwice {
		h.w.running.Go(func() { submit() })
	}
	return submit()
}

// text is a row of what people wrote for tickets.
type text struct {
	number             int64
	id, request, state string
	ref, typed         string
}

// underWay reports whether it is not known yet what becomes of a text.
func (t text) underWay() bool {
	return slices.Contains([]string{"proposing", "recorded", "sending", "unknown"}, t.state)
}

// texts reads every text for a ticket.
func (d database) texts(ctx context.Context) (all []text, err error) {
	err = d.each(ctx, `select number, id, request_id, state, ref, typed from ticket_updates order by number`, func(from *sql.Rows) error {
		var t text
		err := from.Scan(&t.number, &t.id, &t.request, &t.state, &t.ref, &t.typed)
		all = append(all, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the texts for tickets: %w", err)
	}
	return all, nil
}

// written reports whether it is known what became of every text for a ticket.
func (w *world) written(ctx context.Context) bool {
	all, err := w.db.texts(ctx)
	return err == nil && !slices.ContainsFunc(all, text.underWay)
}

var textMarker = regexp.MustCompile(`\[cancel-server update [0-9A-Z]{4}-[0-9A-Z]{4} ([0-9A-Z]{26})\]`)

// entries are what SoftLayer's tickets hold of people's texts, by their reference.
func (w *world) entries() map[string][]string {
	var all []struct{ Updates []struct{ Entry string } }
	w.could("reading SoftLayer's tickets", w.steer(http.MethodGet, "/tickets", nil, &all))
	found := map[string][]string{}
	for _, t := range all {
		for _, u := range t.Updates {
			if ref := firstGroup(textMarker, u.Entry); ref != "" {
				found[ref] = append(found[ref], u.Entry)
			}
		}
	}
	return found
}

// judgeLetters: no text is in a ticket twice, or under two references; what was taken is recorded; and
// what people are told of a text is true.
func (t *trial) judgeLetters() {
	byRef := map[string]text{}
	for _, row := range t.texts {
		byRef[row.ref] = row
		t.judgeLetter(row)
	}
	typed := map[string]int{}
	for ref, entries := range t.entries {
		row, known := byRef[ref]
		if len(entries) > 1 {
			t.find(wroteTwice, "text %d is in its ticket %d times: %.200q", row.number, len(entries), entries[0])
		}
		if !known {
			t.find(lost, "a ticket has a text with the reference %s, and no row does", ref)
		}
		typed[row.typed] += len(entries)
	}
	for what, n := range typed {
		if n > 1 {
			t.find(wroteTwice, "%q was typed once, and is in tickets %d times", what, n)
		}
	}
	for _, what := range t.letters {
		if !slices.ContainsFunc(t.texts, func(row text) bool { return row.typed == what }) {
			t.find(lost, "the text %q was taken, and no row is there", what)
		}
	}
}

// judgeLetter judges one text, which has come to rest.
func (t *trial) judgeLetter(of text) {
	there := len(t.entries[of.ref]) > 0
	switch {
	case of.underWay():
		t.find(unsettled, "text %d is %s", of.number, of.state)
	case there != (of.state == "sent"):
		t.find(falseWords, "text %d is %s, and that its ticket has it is %t", of.number, of.state, there)
	}
	r := t.row(func(r row) bool { return r.id == of.request })
	told := r != nil && slices.ContainsFunc(r.told, func(n notice) bool { return strings.HasPrefix(n.kind, fmt.Sprintf("update:%d:", of.number)) })
	if !told {
		t.find(untold, "nobody is told what became of text %d, which is %s", of.number, of.state)
	}
}
