package cancellation

import (
	"slices"
	"time"
)

// TicketID names a ticket in the two ways SoftLayer does.
type TicketID struct {
	ID     int64
	Number string `json:",omitempty"` // serviceProviderResourceId: CS1234567, or the id again, or ""
}

// Ticket is a SoftLayer ticket as the settling reads it.
type Ticket struct {
	TicketID
	Open        bool
	CreatedAt   time.Time
	Servers     []int64 // attachedHardware ids; nil with ServersRead false when not readable
	ServersRead bool
	First       string // first update's entry
	FirstRead   bool   // the first update was read whole
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

// Judge is the one function that judges every ticket that is met: before filing,
// in a POST's error, and while settling.
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
