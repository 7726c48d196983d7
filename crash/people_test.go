//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cancel-server/internal/fakeslack"
)

// How long people try.
const (
	errandTime = 15 * time.Second
	cardTime   = 4 * time.Second
)

// ask makes every person run their errands, one after the other.
func (w *world) ask(ctx context.Context) {
	var all sync.WaitGroup
	byPerson := map[int][]func(){}
	for _, e := range w.errands {
		byPerson[e.person] = append(byPerson[e.person], func() {
			if pause(ctx, e.after) {
				w.runErrand(ctx, e)
			}
		})
	}
	for _, l := range w.lists {
		byPerson[l.person] = append(byPerson[l.person], func() {
			if pause(ctx, l.after) {
				w.runList(ctx, l)
			}
		})
	}
	for _, person := range slices.Sorted(maps.Keys(byPerson)) {
		all.Go(func() {
			for _, do := range byPerson[person] {
				do()
			}
		})
	}
	all.Wait()
}

// hand is one person with one form before them.
type hand struct {
	w      *world
	e      errand
	user   string
	leads  bool // has the forms of leads before them: who asks may be a lead too
	server int64
	view   string
	form   form
}

// form is the part of a view that these people look at.
type form struct {
	Title  struct{ Text string }
	Blocks []struct {
		Type     string
		BlockID  string `json:"block_id"`
		Element  input
		Elements []input
	}
}

// input is an element of a form.
type input struct {
	ActionID string `json:"action_id"`
	Options  []option
	Initial  []option `json:"initial_options"`
}

type option struct {
	Text  struct{ Text string }
	Value string
}

// runErrand asks for a server until the answer satisfies a person.
func (w *world) runErrand(ctx context.Context, e errand) {
	ctx, cancel := context.WithTimeout(ctx, errandTime)
	defer cancel()
	h := &hand{w: w, e: e, user: w.people[e.person], server: w.servers[e.server]}
	if !h.open(ctx) {
		return
	}
	w.happen(e.before, h.server)
	if e.slip != noSlip {
		h.press(ctx, e.slip, w.newContent())
		h.backToForm(ctx)
	}
	if h.insist(ctx) && e.then != nothing {
		h.awaitState(ctx, "filed")
		w.happen(e.then, h.server)
		if e.follows {
			h.awaitState(ctx, "reverted", "reclaimed")
		}
	}
}

// open types the command until the form shows the server's card, or says that there
// is none.
func (h *hand) open(ctx context.Context) bool {
	for ctx.Err() == nil {
		named := strconv.FormatInt(h.server, 10)
		if h.e.chosen {
			named = ""
		}
		ack, err := h.w.slack.Command(ctx, fakeslack.Command{
			User: h.user, Channel: h.w.channelOf(h.e), Command: "/cancel-server", Text: named,
		})
		h.w.could("typing a command", err)
		if err == nil && ack.Error == "" {
			if h.e.chosen {
				h.choose(ctx)
			}
			switch h.awaitCard(ctx) {
			case cardShown:
				return true
			case noSuchServer:
				return false
			}
		}
		if !pause(ctx, 200*time.Millisecond) {
			return false
		}
	}
	return false
}

// choose picks the server in the form, whether it is offered or not.
func (h *hand) choose(ctx context.Context) {
	h.look()
	id := strconv.FormatInt(h.server, 10)
	option := map[string]any{"text": map[string]any{"type": "plain_text", "text": id}, "value": id}
	_, err := h.w.slack.Act(ctx, fakeslack.Action{User: h.user, View: h.view, BlockID: "server", ActionID: "choose", SelectedOption: option})
	if err != nil { // no form was opened
		h.w.note("choosing a server: %v", err)
	}
}

// What a form may show in the end.
type sight int

const (
	noCard sight = iota
	cardShown
	noSuchServer
)

// awaitCard waits for a card, or for what is shown instead of one.
func (h *hand) awaitCard(ctx context.Context) (seen sight) {
	id := strconv.FormatInt(h.server, 10)
	wait(ctx, cardTime, func() bool {
		switch raw := h.look(); {
		case strings.Contains(raw, `"confirm:`+id), strings.Contains(raw, `"card:`+id+`:blocked"`):
			seen = cardShown
		case strings.Contains(raw, "SoftLayer has no such server"), strings.Contains(raw, "No server is called"):
			seen = noSuchServer
		default:
			return strings.Contains(raw, "SoftLayer did not answer") || strings.Contains(raw, "Slack did not say")
		}
		return true
	})
	return seen
}

// look reads the top view of what this hand does, and returns it as it came.
func (h *hand) look() string {
	views, err := h.w.slack.Views(h.user)
	h.w.could("looking at the views", err)
	for _, v := range slices.Backward(views) {
		var f form
		h.w.could("reading a view", json.Unmarshal(v.View, &f))
		if ofLeads(f.Title.Text) == h.leads {
			h.view, h.form = v.ID, f
			return string(v.View)
		}
	}
	return ""
}

// backToForm closes what was pushed over the form.
func (h *hand) backToForm(ctx context.Context) {
	h.look()
	if h.form.Title.Text == "Cancel a server" {
		return
	}
	_, err := h.w.slack.CloseView(ctx, h.user, h.view)
	h.w.could("closing a view", err)
	h.look()
}

// insist presses the button until the bot has answered, and reports whether the bot takes
// the request.
func (h *hand) insist(ctx context.Context) (accepted bool) {
	twice, content := h.e.twice, h.w.newContent()
	for range 8 {
		if ctx.Err() != nil || h.form.Title.Text != "Cancel a server" {
			return false
		}
		switch h.pressTwice(ctx, twice, content) {
		case "Recorded":
			return true
		case "Not known", "Not allowed", "Already requested":
			return false
		case "": // no answer: people press again
		default: // a new try is a new submission
			content = h.w.newContent()
		}
		twice = ""
		if !pause(ctx, 300*time.Millisecond) {
			return false
		}
		h.look()
	}
	return false
}

// pressTwice presses the button so that the submission is delivered twice, in one of several
// ways, and returns the title of the answer.
func (h *hand) pressTwice(ctx context.Context, way, content string) string {
	if way == pressedTwice {
		var other sync.WaitGroup
		defer other.Wait()
		beside := *h
		other.Go(func() { beside.press(ctx, noSlip, content) })
	} else if way != "" {
		h.w.could("having a submission come twice", h.w.slack.Fault("view_submission", way, 1))
		h.w.tally(func(e *evidence) { e.faults["delivery "+way]++ })
	}
	return h.press(ctx, noSlip, content)
}

// newContent returns a text that nobody else types in this schedule.
func (w *world) newContent() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.serial++
	return fmt.Sprintf("Replaced; case %d.", w.serial)
}

// press presses the button, and returns the title of what was answered: "" for nothing.
func (h *hand) press(ctx context.Context, wrong slip, content string) string {
	from := time.Now()
	ack, err := h.w.slack.Submit(ctx, fakeslack.Submission{User: h.user, View: h.view, Values: h.filled(wrong, content)})
	h.w.tally(func(e *evidence) {
		e.presses = append(e.presses, press{from: from, until: time.Now(), content: content, server: h.server})
	})
	switch {
	case err != nil: // the view went meanwhile
		h.w.note("submitting %q: %v", content, err)
		return ""
	case ack.Error != "":
		h.w.note("submitting %q: %s", content, ack.Error)
		return ""
	}
	title, _, _ := readAnswer(ack.Body)
	return title
}

// filled is the form as a person fills it in.
func (h *hand) filled(wrong slip, content string) fakeslack.Values {
	reason, name := "No longer needed", h.w.names[h.server]
	switch wrong {
	case forbiddenReason:
		reason = refusedReason
	case wrongName:
		name = "another." + name
	}
	values := fakeslack.Values{}
	for _, b := range h.form.Blocks {
		var state map[string]any
		prefix, _, _ := strings.Cut(b.BlockID, ":")
		switch prefix {
		case "reason":
			option := map[string]any{"text": map[string]any{"type": "plain_text", "text": reason}, "value": reason}
			state = map[string]any{"type": "static_select", "selected_option": option}
		case "content":
			state = map[string]any{"type": "plain_text_input", "value": content}
		case "confirm":
			state = map[string]any{"type": "plain_text_input", "value": name}
		}
		if state != nil && b.Type == "input" {
			values[b.BlockID] = map[string]map[string]any{b.Element.ActionID: state}
		}
	}
	return values
}

// awaitState waits until a request for the server is in one of these states.
func (h *hand) awaitState(ctx context.Context, states ...string) {
	wait(ctx, errandTime, func() bool {
		rows, err := h.w.db.rows(ctx)
		return err == nil && slices.ContainsFunc(rows, func(r row) bool { return r.server == h.server && slices.Contains(states, r.state) })
	})
}
