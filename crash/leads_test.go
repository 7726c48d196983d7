//go:build linux

package crash

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/fakeslack"
)

// vote is one form about a list that a lead sent.
type vote struct {
	from, until time.Time
	by, content string
	shown       []int64 // servers
	struck      []int64 // of these, the ones that are left out
	declines    bool    // the whole list
	taken       bool    // it was acknowledged, with nothing else to say
}

// button is a button of a message.
type button struct{ block, value string }

// buttonOf finds a button of a message by its action.
func buttonOf(m fakeslack.Message, action string) (found button, is bool) {
	for _, b := range m.Blocks {
		block, _ := b.(map[string]any)
		elements, _ := block["elements"].([]any)
		for _, e := range elements {
			if element, _ := e.(map[string]any); element["action_id"] == action {
				found.block, _ = block["block_id"].(string)
				found.value, _ = element["value"].(string)
				return found, true
			}
		}
	}
	return found, false
}

// hasButton reports whether a message has a button.
func hasButton(m fakeslack.Message, action string) bool {
	_, is := buttonOf(m, action)
	return is
}

// voteAgain is how long a lead whose vote was taken leaves a list alone.
const voteAgain = 2 * time.Second

// The titles of the forms that leads open about lists: no other form of theirs has one of these.
const (
	approving = "Approve "
	declining = "Decline a list"
)

func ofLeads(title string) bool {
	return strings.HasPrefix(title, approving) || title == declining
}

// decideOn has a lead do about a list what its schedule says. A lead who has done so looks again only after a while,
// because the message may have been about an older state.
func (w *world) decideOn(ctx context.Context, m fakeslack.Message, lead string, decided map[string]time.Time) {
	b, is := buttonOf(m, "batch-approve")
	key := lead + " " + b.value
	if !is || time.Since(decided[key]) < voteAgain {
		return
	}
	rows, err := w.db.rows(ctx)
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.batch != b.value })
	if err != nil || len(rows) == 0 {
		return
	}
	w.mu.Lock()
	l := w.asked[rows[0].content]
	w.mu.Unlock()
	h := &hand{w: w, user: lead, leads: true}
	v := vote{by: lead, content: rows[0].content}
	switch {
	case l.end == declinedWhole, l.end == takenBack && time.Since(rows[0].created) > regretTime:
		v.declines = true
		for _, r := range rows {
			v.shown = append(v.shown, r.server)
		}
		if !h.opens(ctx, m, "batch-decline", declining) {
			return
		}
	case l.end != takenBack:
		if !h.opens(ctx, m, "batch-approve", approving) {
			return
		}
		v = h.marked(l, v)
	default:
		return
	}
	if !decided[key].IsZero() {
		l.twice = ""
	}
	if decided[key] = time.Now(); !h.votes(ctx, l, v) {
		decided[key] = decided[key].Add(-voteAgain)
	}
}

// opens presses a button of a list's message, and waits for its form.
func (h *hand) opens(ctx context.Context, m fakeslack.Message, action, title string) bool {
	if h.look() != "" { // one that is left over
		h.closeQuietly(ctx)
	}
	b, is := buttonOf(m, action)
	if !is {
		return false
	}
	ack, err := h.w.slack.Act(ctx, fakeslack.Action{
		User: h.user, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: b.block, ActionID: action,
	})
	if err != nil || ack.Error != "" { // the button went meanwhile, or nobody answered
		h.w.note("pressing %s: %v %s", action, err, ack.Error)
		return false
	}
	return h.shows(ctx, time.Second, title)
}

func (h *hand) closeQuietly(ctx context.Context) {
	if _, err := h.w.slack.CloseView(ctx, h.user, h.view); err != nil { // it closed by itself
		h.w.note("closing a form: %v", err)
	}
}

// marked is the vote by which a lead approves what a form shows, but for what the schedule leaves out. A form with
// more than that left has something for the lead to approve.
func (h *hand) marked(l list, v vote) vote {
	out := map[int64]bool{}
	for _, place := range l.servers[:l.struck] {
		out[h.w.servers[servers+place]] = l.end == leftOut
	}
	for _, b := range h.form.Blocks {
		for _, o := range b.Element.Options {
			server := h.w.serverNamed(o.Text.Text)
			v.shown = append(v.shown, server)
			if out[server] {
				v.struck = append(v.struck, server)
			}
		}
	}
	return v
}

func (w *world) serverNamed(name string) int64 {
	for id, known := range w.names {
		if known == name {
			return id
		}
	}
	return 0
}

// votes sends a form about a list, and reports whether it was taken.
func (h *hand) votes(ctx context.Context, l list, v vote) bool {
	values := fakeslack.Values{}
	if v.declines || len(v.struck) > 0 {
		values["why"] = map[string]map[string]any{"why": {"type": "plain_text_input", "value": "Still in use."}}
	}
	for _, b := range h.form.Blocks {
		var boxes []any
		for _, o := range b.Element.Options {
			if slices.Contains(v.struck, h.w.serverNamed(o.Text.Text)) {
				boxes = append(boxes, map[string]any{"value": o.Value})
			}
		}
		if len(boxes) > 0 {
			values[b.BlockID] = map[string]map[string]any{b.Element.ActionID: {"type": "checkboxes", "selected_options": boxes}}
		}
	}
	if l.twice != "" && l.twice != pressedTwice {
		h.w.could("having a vote come twice", h.w.slack.Fault("view_submission", l.twice, 1))
	}
	v.from = time.Now()
	ack, err := h.w.slack.Submit(ctx, fakeslack.Submission{User: h.user, View: h.view, Values: values})
	v.until = time.Now()
	title, _, _ := readAnswer(ack.Body)
	v.taken = err == nil && ack.Error == "" && ack.Status == 200 && title == ""
	h.w.tally(func(e *evidence) { e.votes = append(e.votes, v) })
	h.w.note("%s votes on the list %q: %s of %d, without %v; taken: %t %s", h.user, v.content, map[bool]string{true: "declines", false: "approves"}[v.declines], len(v.shown), v.struck, v.taken, strconv.Quote(title))
	if !v.taken {
		h.closeQuietly(ctx)
	}
	return v.taken
}
