package cancellation

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
