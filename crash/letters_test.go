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
		w.writeLetter(trying, l)
		cancel()
	}
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
		if h.openLetter(ctx, l.action) {
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

// openLetter presses the button of a message that has it, and waits for the form.
func (h *hand) openLetter(ctx context.Context, action string) bool {
	for _, place := range h.w.conversations()[:3] {
		messages, err := h.w.slack.Messages(ctx, place, 0)
		if err != nil {
			return false
		}
		for _, m := range slices.Backward(messages) {
			if !hasButton(m, action) {
				continue
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
	}
	return false
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

// hasButton reports whether a message has a button.
func hasButton(m fakeslack.Message, action string) bool {
	return slices.ContainsFunc(m.Blocks, func(b any) bool {
		block, _ := b.(map[string]any)
		elements, _ := block["elements"].([]any)
		return slices.ContainsFunc(elements, func(e any) bool {
			element, _ := e.(map[string]any)
			return element["action_id"] == action
		})
	})
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
