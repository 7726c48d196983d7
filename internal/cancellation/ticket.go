package cancellation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// TicketID names a ticket in the two ways SoftLayer does.
type TicketID struct {
	ID     int64
	Number string `json:",omitempty"` // serviceProviderResourceId: CS1234567, or the id again, or ""
}

// Ticket is a SoftLayer ticket, as far as settling needs it.
type Ticket struct {
	TicketID
	Open        bool
	CreatedAt   time.Time
	Servers     []int64 // attachedHardware ids; nil, with ServersRead false, if they cannot be read
	ServersRead bool
	First       string // first update's entry
	FirstRead   bool   // the first update was read whole
}

// TicketLife is how far a ticket has come, as a list of many tickets shows it.
type TicketLife struct {
	ID      int64
	Open    bool
	Last    int64     // id of its last update; 0 if that was not shown
	ByStaff bool      // SoftLayer's staff wrote the last update
	ByOther bool      // somebody who is neither staff nor a program of SoftLayer's wrote it
	LastAt  time.Time // when it was written; zero if that was not shown
	// Awaits is SoftLayer's flag that it waits for the customer's answer; nil if that was not shown.
	Awaits *bool
	// Cancels are the billing items that its cancellation request names while it is pending or
	// approved, each with the date for which that is scheduled, as given. Nil if none is shown.
	Cancels map[int64]string
}

// TicketUpdate is who wrote an update of a ticket. What it says is not read.
type TicketUpdate struct {
	ID      int64
	ByStaff bool
	ByOther bool // somebody who is neither staff nor a program of SoftLayer's wrote it
}

// TicketEntry is an update of a ticket with what it says. Both are for people who may read the ticket's
// answers, never for a channel.
type TicketEntry struct {
	TicketUpdate
	At   time.Time // zero if SoftLayer did not show it
	Text string
}

// Judgement is what a ticket means for a request.
type Judgement string

const (
	// Ours carries the request's reference.
	Ours Judgement = "ours"
	// Foreign was read whole and does not carry it.
	Foreign Judgement = "foreign"
	// Unreadable cannot be judged: its first update is not visible to the key.
	Unreadable Judgement = "unreadable"
)

// Judge judges whose a ticket is. Every ticket that the program reads is judged here: before filing,
// from a POST's error, and while settling.
func Judge(r Request, t Ticket) Judgement {
	switch {
	case t.FirstRead && r.Ref.In(t.First):
		return Ours
	case !t.FirstRead:
		return Unreadable
	default:
		return Foreign
	}
}

// About reports whether the ticket is attached to this server, as far as the key can read.
func (t Ticket) About(server int64) bool {
	return t.ServersRead && slices.Contains(t.Servers, server)
}

// TicketContent returns the ticket's text for SoftLayer's staff: who asked, where, why, and the
// request's reference on the first and the last line. It is plain text.
func TicketContent(r Request) string {
	s := r.Submission
	lines := []string{
		r.Ref.Marker(),
		fmt.Sprintf("Server: %s (id %d)", s.Card.Server.FQDN, s.Card.Server.ID),
		fmt.Sprintf("Asked by: %s (Slack user %s of %s)", oneLine(s.By.Name), s.By.ID, s.By.Team),
		"In: " + where(s.Place),
		"Approved by: " + approvedBy(r.Approvals),
		"",
		withoutMarkers(strings.TrimSpace(s.Content)),
		"",
		r.Ref.Marker(),
	}
	return strings.Join(lines, "\n")
}

func approvedBy(approvals []Approval) string {
	if len(approvals) == 0 {
		return "nobody else; the policy lets this person cancel without approval"
	}
	people := make([]string, len(approvals))
	for i, a := range approvals {
		people[i] = fmt.Sprintf("%s (Slack user %s of %s)", oneLine(a.By.Name), a.By.ID, a.By.Team)
	}
	return strings.Join(people, ", ")
}

func where(p Place) string {
	if p.Channel == "" {
		return "no channel"
	}
	return fmt.Sprintf("Slack channel %s (%s)", oneLine(p.ChannelName), p.Channel)
}

// oneLine keeps a foreign name from adding lines, or a reference, to the ticket.
func oneLine(name string) string {
	return withoutMarkers(strings.Join(strings.Fields(name), " "))
}

// InTicket is a foreign name as it may stand in a ticket: on one line, without what could pass for a
// reference, and of at most most characters.
func InTicket(name string, most int) string {
	line := []rune(oneLine(name))
	return string(line[:min(len(line), most)])
}

// TextInTicket is what a person typed as it may stand in a ticket: without what could pass for a
// reference.
func TextInTicket(typed string) string { return withoutMarkers(strings.TrimSpace(typed)) }

// EventDetail is what an event says of a decision, or of a call that cannot be undone. It is stored as
// JSON in Event.Detail. Events of older builds have the rule or the reason alone, as plain text.
type EventDetail struct {
	Why       string `json:",omitempty"` // the rule, then the reason; or SoftLayer's words
	Rule      string `json:",omitempty"` // that decided
	Effect    string `json:",omitempty"` // of the decision
	Approvals int    `json:",omitempty"` // by other people, that the decision asks for
	Policy    string `json:",omitempty"` // digest of the policy that decided

	People time.Time `json:",omitzero"` // when the requester and the approvers were read before the POST
	Server time.Time `json:",omitzero"` // when the server was read before it, and was as on its card
	Clean  time.Time `json:",omitzero"` // since when SoftLayer's records showed no ticket, after a lost answer

	Sent   *Order    `json:",omitempty"` // what the announced POST sends
	Answer *Answered `json:",omitempty"` // what SoftLayer answered to the last one
	Found  *TicketID `json:",omitempty"` // a ticket that a read showed to be the request's own
}

// Answered is SoftLayer's answer to a POST as the history keeps it.
type Answered struct {
	Kind   OutcomeKind
	Ticket int64  `json:",omitempty"` // the new one, or the one that SoftLayer names
	Number string `json:",omitempty"`
	Text   string `json:",omitempty"` // SoftLayer's words, or what went wrong
	Raw    string `json:",omitempty"` // the answer as it came: its status and body
}

func (o Outcome) answered() Answered {
	return Answered{Kind: o.Kind, Ticket: o.Ticket.ID, Number: o.Ticket.Number, Text: o.Text, Raw: o.Raw}
}

func (d EventDetail) stored() string {
	text, _ := json.Marshal(d) // texts, numbers, and times in this century
	return string(text)
}

// order is the POST that the request leads to.
func (r Request) order() Order {
	return Order{
		Server: r.Submission.Card.Server.ID, Reason: r.Submission.Reason,
		Content: TicketContent(r), Associated: r.Submission.Associated,
	}
}

// announced is the detail of the event before a POST: who let it be, what was read before it, and what it
// sends.
func announced(v verdict, order Order, began moments, clean time.Time) string {
	return EventDetail{
		Why: v.detail(), Rule: v.decision.Rule, Effect: v.decision.Effect.String(), Approvals: v.decision.Approvals, Policy: v.decision.PolicyDigest,
		People: began.person.UTC().Truncate(time.Millisecond), Server: began.server.UTC().Truncate(time.Millisecond), Clean: clean, Sent: &order,
	}.stored()
}

// stored is the verdict as the history keeps it: with the decision, with the answer to the POST, or with
// the ticket that a read showed.
func (v verdict) stored() string {
	d := EventDetail{Why: v.detail(), Answer: v.answer}
	if v.decision != nil {
		d.Rule, d.Policy = v.decision.Rule, v.decision.PolicyDigest
	}
	if v.found != nil {
		d.Found = &v.found.TicketID
	}
	if d == (EventDetail{Why: d.Why}) {
		return d.Why
	}
	return d.stored()
}

// ruled is the detail of an event that is a decision.
func ruled(d authz.Decision) string {
	return EventDetail{Rule: d.Rule, Effect: d.Effect.String(), Approvals: d.Approvals, Policy: d.PolicyDigest}.stored()
}

// Parsed returns what the event says of a decision or a call. Why has the whole detail of an event that
// says neither.
func (e Event) Parsed() (d EventDetail) {
	if late, ok := e.lateAnswer(); ok {
		return EventDetail{Answer: &late}
	}
	decided := slices.Contains([]string{EventSubmitted, EventDenied, EventMoved, EventApproved, EventRefused}, e.Kind)
	if !decided || !strings.HasPrefix(e.Detail, "{") || json.Unmarshal([]byte(e.Detail), &d) != nil {
		return EventDetail{Why: e.Detail}
	}
	return d
}
