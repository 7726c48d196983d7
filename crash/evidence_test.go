//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/fakeslack"
)

// evidence is what was seen from outside while a schedule ran.
type evidence struct {
	timeline []string
	said     []*words          // to Slack, by messages and forms
	answers  []acknowledgement // to submissions
	posts    []*post           // that SoftLayer received
	presses  []press           // of the button that submits
	dealt    []dealt           // kills and stops
	resolved []resolve         // runs of bot resolve
	turns    []turn            // in SoftLayer's records, the oldest first
	letters  []string          // that were taken
	lists
	failed  []string // what the harness itself could not do
	starved []span   // when this machine had no time for what goes on in it
	faults  map[string]int
}

// lists is what people did about lists.
type lists struct {
	confirmed []confirmation // presses of the button under a review
	votes     []vote         // of leads
	withdrawn []withdrawal   // by their requesters
	frozen    []span         // while no filing may begin
}

// words is a text that the bot sent to Slack, with SoftLayer's records at that moment.
type words struct {
	at      time.Time
	method  string
	fault   string // what became of the call
	ref     string // of the request that it is about, as far as one is named
	kind    string // of the message, where it names that: "result" where people asked
	channel string // where it was to stand; "" if the call names none
	text    string
	tickets []ticket
	took    time.Duration // until Slack answered
	stands  bool          // Slack took it
	refused bool          // Slack itself did not take it
}

// acknowledgement is what a submission was acknowledged with.
type acknowledgement struct {
	at       time.Time
	delivery int
	content  string // what tells the submission from all others
	list     string // of a list: the block of its confirmation
	title    string // of the view that was answered with
	ref      string
	text     string
	tickets  []ticket
}

// post is one call of createCancelServerTicket.
type post struct {
	at      time.Time
	ref     string
	server  int64
	fault   string
	held    time.Duration
	tickets []ticket // when it came
	status  int
	answer  string // as far as it was given
}

// press is one press of the button by a person.
type press struct {
	from, until time.Time
	content     string
	server      int64
}

// dealt is one blow: a process that was killed or stopped, or that did so itself.
type dealt struct {
	from, until time.Time // until it was woken
	what        string    // killed or stopped
	where       string    // a boundary, a method, or "" for a random moment
}

// span is from one moment until another.
type span struct{ from, until time.Time }

// How often the heart beats, and how late a beat shows that the machine is too busy: then
// calls time out although nothing is wrong.
const (
	heartBeat = 50 * time.Millisecond
	starving  = 250 * time.Millisecond
)

// feel records when the machine is too busy, until ctx ends.
func (w *world) feel(ctx context.Context) {
	for last := time.Now(); pause(ctx, heartBeat); last = time.Now() {
		if late := time.Since(last) - heartBeat; late > starving {
			w.tally(func(e *evidence) { e.starved = append(e.starved, span{last, time.Now()}) })
		}
	}
}

// resolve is one run of bot resolve.
type resolve struct {
	at   time.Time
	ref  string
	word string
}

// tally records evidence.
func (w *world) tally(write func(e *evidence)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen.faults == nil {
		w.seen.faults = map[string]int{}
	}
	write(&w.seen)
}

// could records what the harness itself could not do.
func (w *world) could(doing string, err error) {
	if err == nil {
		return
	}
	w.note("%s: %v", doing, err)
	w.tally(func(e *evidence) { e.failed = append(e.failed, doing+": "+err.Error()) })
}

// ticket is one of SoftLayer's cancellation tickets.
type ticket struct {
	id     int64
	server int64
	open   bool
	voided bool  // its cancellation request is
	staff  int64 // the last update by staff, 0 for none
	entry  string
}

// tickets returns SoftLayer's cancellation tickets as they are now.
func (w *world) tickets() []ticket {
	var all []struct {
		ID               int64
		Title            string
		StatusID         int64 `json:"statusId"`
		AttachedHardware []struct{ ID int64 }
		FirstUpdate      struct{ Entry string }
		Updates          []struct {
			ID         int64
			EditorType string
		}
		CancellationRequest struct{ Status struct{ KeyName string } }
	}
	w.could("reading SoftLayer's records", w.steer(http.MethodGet, "/tickets", nil, &all))
	var found []ticket
	for _, t := range all {
		if !strings.HasPrefix(t.Title, "Server Cancellation") || len(t.AttachedHardware) != 1 {
			continue
		}
		k := ticket{
			id: t.ID, server: t.AttachedHardware[0].ID, open: t.StatusID == 1001, entry: t.FirstUpdate.Entry,
			voided: t.CancellationRequest.Status.KeyName == "VOIDED",
		}
		for _, update := range t.Updates {
			if update.EditorType == "EMPLOYEE" {
				k.staff = max(k.staff, update.ID)
			}
		}
		found = append(found, k)
	}
	return found
}

var (
	shortRef = regexp.MustCompile(`\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)
	marker   = regexp.MustCompile(`\[cancel-server ([0-9A-Z]{4}-[0-9A-Z]{4}) ([0-9A-Z]{26})\]`)
)

// ofRef returns the short reference of the request that filed a ticket; "" if none of ours did.
func (t ticket) ofRef() string { return firstGroup(marker, t.entry) }

func firstGroup(r *regexp.Regexp, text string) string {
	if found := r.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

// heard records what the bot says to Slack.
func (w *world) heard(at time.Time, method, fault string, body []byte) *words {
	said := &words{at: at, method: method, fault: fault, tickets: w.tickets()}
	said.text, said.ref, said.kind, said.channel = readWords(body)
	w.tally(func(e *evidence) { e.said = append(e.said, said) })
	if strings.HasPrefix(method, "chat.") || method == "response_url" {
		w.note("bot says (%s %s): %.160s", method, fault, said.text)
	} else if fault != "" {
		w.note("Slack's %s: %s", method, fault)
	}
	return said
}

// letterPost is the kind of a direct message with news.
const letterPost = "letter"

// readWords reads the text of a call, which is a form or JSON, and the reference in it.
func readWords(body []byte) (text, ref, kind, channel string) {
	var whole any
	if json.Unmarshal(body, &whole) != nil {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", "", "", ""
		}
		text, channel = form.Get("text"), form.Get("channel")
		var metadata struct {
			Type    string                     `json:"event_type"`
			Payload struct{ Ref, Kind string } `json:"event_payload"`
		}
		_ = json.Unmarshal([]byte(form.Get("metadata")), &metadata) // none: the text may name it
		ref, kind = metadata.Payload.Ref, metadata.Payload.Kind
		if metadata.Type == "cancel_server_letter" {
			kind = letterPost
		}
		for _, part := range []string{"blocks", "view"} {
			var shown any
			if json.Unmarshal([]byte(form.Get(part)), &shown) == nil {
				text += "\n" + shownIn(shown)
			}
		}
	} else {
		text = shownIn(whole)
	}
	if refs := slices.Compact(shortRef.FindAllString(text, -1)); ref == "" && len(refs) == 1 {
		ref = refs[0]
	}
	return text, ref, kind, channel
}

// shownIn gathers the texts in a JSON value.
func shownIn(v any) string {
	var all strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if text, is := v[key].(string); is && key == "text" {
				all.WriteString(text)
				continue
			}
			all.WriteString(shownIn(v[key]))
		}
	case []any:
		for _, item := range v {
			all.WriteString(shownIn(item) + " ")
		}
	}
	return all.String()
}

// observe records how submissions were acknowledged.
func (w *world) observe(x fakeslack.Exchange) {
	if x.Method != "view_submission" {
		return
	}
	var payload struct {
		View struct {
			ID    string
			State struct {
				Values map[string]map[string]struct{ Value string }
			}
		}
	}
	_ = json.Unmarshal(x.Request, &payload) // the fake's own
	got := acknowledgement{at: x.At.Add(x.Duration), delivery: x.Delivery, tickets: w.tickets()}
	for block, fields := range payload.View.State.Values {
		if strings.HasPrefix(block, "count:") {
			got.list, got.content = block, w.reviewed(payload.View.ID+" "+block)
		}
		if field, is := fields["content"]; is && block == "content" {
			got.content = field.Value
		}
	}
	got.title, got.ref, got.text = readAnswer(x.Response)
	w.note("delivery %d of %q: status %d, %s %s %.200s", x.Delivery, got.content, x.Status, got.title, got.ref, got.text)
	if x.Status == http.StatusOK {
		w.tally(func(e *evidence) { e.answers = append(e.answers, got) })
	}
}

// reviewed is the content of a list whose review was confirmed.
func (w *world) reviewed(review string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reviews[review]
}

// readAnswer reads the acknowledgement of a submission. Errors at fields have the
// title "errors".
func readAnswer(body []byte) (title, ref, text string) {
	var said struct {
		Action string `json:"response_action"`
		Errors map[string]string
		View   struct{ Title struct{ Text string } }
	}
	if json.Unmarshal(body, &said) != nil {
		return "", "", ""
	}
	if said.Action == "errors" {
		return said.Action, "", strings.Join(slices.Sorted(maps.Values(said.Errors)), " ")
	}
	text, ref, _, _ = readWords(body)
	return said.View.Title.Text, ref, text
}

// posted records a POST that came.
func (w *world) posted(f filed) *post {
	p := &post{at: time.Now(), fault: f.fault, held: f.held, tickets: w.tickets()}
	if said := parameters(f.body); len(said) == 5 {
		server, _ := said[0].(float64)
		content, _ := said[2].(string)
		p.server, p.ref = int64(server), firstGroup(marker, content)
	}
	w.note("POST for %s %s (%s, held up %s)", w.names[p.server], p.ref, f.fault, f.held)
	w.tally(func(e *evidence) { e.posts = append(e.posts, p) })
	return p
}

func (w *world) answeredPost(p *post, status int, body []byte) {
	w.tally(func(*evidence) { p.status, p.answer = status, string(body) })
	w.note("POST for %s answered: %d %.120s", p.ref, status, body)
}

// definite reports whether an answer that was given says that nothing was made.
func (p *post) definite() bool {
	return slices.ContainsFunc([]string{
		"RateLimitExceeded", "AccessTokenValidation", "Access Denied", "Invalid API token", "You do not have permission to this service",
	}, func(text string) bool { return strings.Contains(p.answer, text) })
}
