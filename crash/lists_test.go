//go:build linux

package crash

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cancel-server/internal/fakeslack"
)

// list is one person asking for several servers by one form.
type list struct {
	person  int
	servers []int // places among those of lists
	after   time.Duration
	channel channel
	typed   bool   // the servers are named in the command, and not pasted into the form
	twice   string // how the form comes twice
	end     ending
	struck  int           // how many of its first servers the leads leave out, with leftOut
	regrets time.Duration // so long after it was recorded its requester withdraws what is left; 0 for never
}

// ending is what the leads do about a list that waits for approval.
type ending string

const (
	approvedWhole ending = "approved"
	leftOut       ending = "approved in part"
	declinedWhole ending = "declined"
	takenBack     ending = "withdrawn" // the leads wait for its requester
)

// Bounds of lists.
const (
	longList   = 7 // servers: from so many on two leads have to approve each
	listTime   = 20 * time.Second
	reviewTime = 5 * time.Second
	regretTime = 6 * time.Second // of a requester who withdraws; then the leads decline
)

// drawLists has people ask for several servers at once, in half of the schedules. Its numbers are its own, so that
// everything else is drawn as without lists.
func (s *schedule) drawLists() {
	r := rand.New(rand.NewPCG(s.seed, 0x11575))
	if s.singled || s.binary == plain || len(s.lists) == 0 && r.IntN(2) == 0 {
		return
	}
	for range 1 + r.IntN(2) {
		s.lists = append(s.lists, s.drawList(r))
	}
	if r.IntN(2) == 0 { // somebody asks for one of these servers alone
		s.errands = append(s.errands, errand{person: r.IntN(people - 1), server: servers + r.IntN(listed), twice: s.drawTwice(r)})
	}
	if r.IntN(3) == 0 { // and a process is killed around what is recorded of a list
		point := fmt.Sprintf("journal.%s.list.%s#1:kill", pick(r, "record", "record", "apply"), pick(r, "before", "after"))
		if len(s.points) > 0 { // whichever comes first; then the one that the schedule is about
			point = s.points[0] + "," + point
		}
		s.points = slices.Insert(s.points, 0, point)
	}
	if r.IntN(4) == 0 {
		s.freeze = &freeze{at: between(r, 0, 4*time.Second), last: between(r, time.Second/2, 2*time.Second)}
	}
}

func (s *schedule) drawList(r *rand.Rand) list {
	l := list{
		person: pick(r, asker, asker, r.IntN(people)), after: between(r, 0, time.Second),
		channel: pick(r, usual, usual, usual, notIn, private, direct), typed: r.IntN(3) == 0, twice: s.drawTwice(r),
		end: pick(r, approvedWhole, approvedWhole, leftOut, leftOut, declinedWhole, takenBack),
	}
	first := r.IntN(listed)
	for i := range pick(r, 2, 3, 3, 4, 5, 6, longList, 12) {
		l.servers = append(l.servers, (first+i)%listed)
	}
	if r.IntN(2) == 0 {
		slices.Reverse(l.servers)
	}
	l.struck = 1 + r.IntN(len(l.servers)-1)
	if l.end == takenBack || r.IntN(6) == 0 {
		l.regrets = between(r, time.Millisecond, time.Second)
	}
	return l
}

// confirmation is one press of the button under a review.
type confirmation struct {
	from, until time.Time
	by          string
	content     string
	block       string  // whose number they typed: another list has another one
	servers     []int64 // that were ticked
}

// withdrawal is one press of the button by which a requester withdraws a list.
type withdrawal struct {
	at      time.Time
	content string
}

// runList asks for a list until the answer satisfies a person.
func (w *world) runList(ctx context.Context, l list) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	h := &hand{w: w, e: errand{person: l.person, channel: l.channel}, user: w.people[l.person]}
	for pause(ctx, 200*time.Millisecond) {
		content := w.newContent()
		w.mu.Lock()
		w.asked[content] = l
		w.mu.Unlock()
		if !h.openList(ctx, l) || !h.sendList(ctx, l, content) || !h.reviewed(ctx) {
			continue
		}
		done, accepted := h.confirmList(ctx, l.twice, content)
		if accepted && l.regrets > 0 && pause(ctx, l.regrets) {
			h.withdrawList(ctx, content)
		}
		if done {
			return
		}
		h.closeQuietly(ctx)
		l.twice = ""
	}
}

// named are the host names of a list's servers.
func (w *world) named(l list) []string {
	var names []string
	for _, place := range l.servers {
		names = append(names, w.names[w.servers[servers+place]])
	}
	return names
}

// openList types the command until the form for a list is there.
func (h *hand) openList(ctx context.Context, l list) bool {
	text := ""
	if l.typed {
		text = strings.Join(h.w.named(l), ", ")
	}
	ack, err := h.w.slack.Command(ctx, fakeslack.Command{User: h.user, Channel: h.w.channelOf(h.e), Command: "/cancel-server", Text: text})
	h.w.could("typing a command", err)
	if err != nil || ack.Error != "" {
		return false
	}
	if !l.typed {
		if h.look() == "" || h.form.Title.Text != "Cancel a server" {
			return false
		}
		if _, err := h.w.slack.Act(ctx, fakeslack.Action{User: h.user, View: h.view, BlockID: "several", ActionID: "several"}); err != nil {
			return false // the view went meanwhile
		}
	}
	return h.shows(ctx, cardTime/2, "Several servers")
}

// shows waits for a form whose title begins so.
func (h *hand) shows(ctx context.Context, limit time.Duration, title string) bool {
	return wait(ctx, limit, func() bool { return h.look() != "" && strings.HasPrefix(h.form.Title.Text, title) })
}

// sendList pastes the servers and asks for the review.
func (h *hand) sendList(ctx context.Context, l list, content string) bool {
	reason := map[string]any{"text": map[string]any{"type": "plain_text", "text": "No longer needed"}, "value": "No longer needed"}
	values := fakeslack.Values{
		"names":   {"names": {"type": "plain_text_input", "value": strings.Join(h.w.named(l), "\n")}},
		"reason":  {"reason": {"type": "static_select", "selected_option": reason}},
		"content": {"content": {"type": "plain_text_input", "value": content}},
	}
	for range 4 {
		ack, err := h.w.slack.Submit(ctx, fakeslack.Submission{User: h.user, View: h.view, Values: values})
		if title, _, _ := readAnswer(ack.Body); err == nil && ack.Error == "" && title == "Review" {
			return true
		}
		if !pause(ctx, 300*time.Millisecond) {
			return false
		}
	}
	return false
}

// reviewed waits for a review that was read.
func (h *hand) reviewed(ctx context.Context) bool {
	seen := false
	wait(ctx, reviewTime, func() bool {
		raw := h.look()
		seen = raw != "" && strings.HasPrefix(h.form.Title.Text, "Review: ")
		return seen || strings.Contains(raw, "Nothing was asked.")
	})
	return seen
}

// ticked are the servers whose boxes are ticked in a review, and the block of its confirmation.
func (f form) ticked() (going []int64, block string) {
	for _, b := range f.Blocks {
		if strings.HasPrefix(b.BlockID, "count:") {
			block = b.BlockID
		}
		for _, e := range b.Elements {
			for _, o := range e.Initial {
				if id, err := strconv.ParseInt(o.Value, 10, 64); err == nil {
					going = append(going, id)
				}
			}
		}
	}
	return going, block
}

// confirmList types how many there are and presses the button until the bot has answered. done says that the person
// is content with the answer.
func (h *hand) confirmList(ctx context.Context, twice, content string) (done, accepted bool) {
	for range 8 {
		going, block := h.form.ticked()
		if len(going) == 0 || block == "" {
			return true, false // nothing of it can be asked for
		}
		switch h.pressList(ctx, twice, confirmation{content: content, by: h.user, servers: going, block: block}) {
		case "Recorded":
			return true, true
		case "Review": // a server was taken meanwhile: it is read again
			if !h.reviewed(ctx) {
				return false, false
			}
		case "", "errors": // no answer, or nothing was recorded: people press again
		default:
			return true, false
		}
		twice = ""
		if !pause(ctx, 300*time.Millisecond) || !h.shows(ctx, cardTime, "Review: ") {
			return false, false
		}
	}
	return false, false
}

// pressList presses the button, twice in one of several ways, and returns the title of the answer.
func (h *hand) pressList(ctx context.Context, way string, c confirmation) string {
	h.w.mu.Lock()
	h.w.reviews[h.view+" "+c.block] = c.content
	h.w.mu.Unlock()
	if way == pressedTwice {
		var other sync.WaitGroup
		defer other.Wait()
		beside := *h
		other.Go(func() { beside.confirm(ctx, c) })
	} else if way != "" {
		h.w.could("having a list come twice", h.w.slack.Fault("view_submission", way, 1))
		h.w.tally(func(e *evidence) { e.faults["delivery "+way]++ })
	}
	return h.confirm(ctx, c)
}

func (h *hand) confirm(ctx context.Context, c confirmation) string {
	c.from = time.Now()
	ack, err := h.w.slack.Submit(ctx, fakeslack.Submission{User: h.user, View: h.view, Values: fakeslack.Values{
		c.block: {"count": {"type": "plain_text_input", "value": fmt.Sprint(len(c.servers))}},
	}})
	c.until = time.Now()
	h.w.tally(func(e *evidence) { e.confirmed = append(e.confirmed, c) })
	if err != nil || ack.Error != "" {
		h.w.note("confirming the list %q: %v %s", c.content, err, ack.Error)
		return ""
	}
	title, _, _ := readAnswer(ack.Body)
	return title
}

// withdrawList withdraws what is left of a list, until nothing of it can be withdrawn.
func (h *hand) withdrawList(ctx context.Context, content string) {
	for ctx.Err() == nil {
		rows, err := h.w.db.rows(ctx)
		rows = slices.DeleteFunc(rows, func(r row) bool { return r.content != content })
		left := slices.ContainsFunc(rows, func(r row) bool { return r.state == "pending" || r.state == "scheduled" })
		if err == nil && !left {
			return
		}
		if m, b, found := h.w.listButton(ctx, "batch-withdraw", cmp.Or(batchOf(rows), "none"), h.user); found {
			h.w.tally(func(e *evidence) { e.withdrawn = append(e.withdrawn, withdrawal{time.Now(), content}) })
			h.w.note("%s withdraws the list %q", h.user, content)
			_, err := h.w.slack.Act(ctx, fakeslack.Action{User: h.user, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS}, BlockID: b.block, ActionID: "batch-withdraw"})
			if err != nil { // the button went meanwhile
				h.w.note("withdrawing: %v", err)
			}
		}
		pause(ctx, 300*time.Millisecond)
	}
}

func batchOf(rows []row) string {
	if len(rows) == 0 {
		return ""
	}
	return rows[0].batch
}

// listButton is a button of a list's message, where a person sees it.
func (w *world) listButton(ctx context.Context, action, batch, user string) (m fakeslack.Message, b button, found bool) {
	for _, place := range append(w.conversations()[:3:3], user) {
		messages, err := w.slack.Messages(ctx, place, 0)
		if err != nil {
			return m, b, false
		}
		for _, m := range slices.Backward(messages) {
			if b, found := buttonOf(m, action); found && b.value == batch {
				return m, b, true
			}
		}
	}
	return m, b, false
}
