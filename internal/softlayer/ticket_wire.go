package softlayer

import (
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// ticketName identifies a SoftLayer_Ticket.
type ticketName struct {
	ID     int64 `json:"id"`
	Number text  `json:"serviceProviderResourceId"`
}

func (n ticketName) ticketID() cancellation.TicketID {
	return cancellation.TicketID{ID: n.ID, Number: printable(string(n.Number))}
}

// ticketRow is a SoftLayer_Ticket as ticketMask asks for it. A relation that is nil
// was not in the answer: the key may not see it.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket/
type ticketRow struct {
	ticketName
	CreateDate   text       `json:"createDate"`
	LastEditDate text       `json:"lastEditDate"`
	StatusID     int64      `json:"statusId"`
	Status       onlyName   `json:"status"`
	Hardware     []attached `json:"attachedHardware"`
	FirstUpdate  *struct {
		Entry *string `json:"entry"`
	} `json:"firstUpdate"`
}

type attached struct {
	ID int64 `json:"id"`
}

// ticket returns a row as the domain's ticket. CreatedAt is zero if the date could not be read; a
// row without id or status is an error.
func (r ticketRow) ticket() (cancellation.Ticket, error) {
	if r.ID <= 0 || r.StatusID == 0 && r.Status.Name == "" {
		return cancellation.Ticket{}, fmt.Errorf("reading ticket %d: %w: it has no id or no status", r.ID, ErrAnswerLost)
	}
	t := cancellation.Ticket{
		TicketID:    r.ticketID(),
		Open:        r.StatusID != statusClosed && r.Status.Name != "Closed",
		CreatedAt:   r.createdAt(),
		ServersRead: r.Hardware != nil,
	}
	for _, server := range r.Hardware {
		t.Servers = append(t.Servers, server.ID)
	}
	if r.FirstUpdate != nil && r.FirstUpdate.Entry != nil {
		t.First, t.FirstRead = *r.FirstUpdate.Entry, true
	}
	return t, nil
}

// mayBeAbout reports whether the ticket is attached to the server, or does not say.
func (r ticketRow) mayBeAbout(server int64) bool {
	return r.Hardware == nil || slices.Contains(r.Hardware, attached{server})
}

func (r ticketRow) createdAt() time.Time { return date(r.CreateDate) }

// untouchedSince returns false if the dates cannot be read.
func (r ticketRow) untouchedSince(since time.Time) bool {
	made, edited := r.createdAt(), date(r.LastEditDate)
	return !made.IsZero() && made.Before(since) && edited.Before(since)
}

// date reads SoftLayer's RFC 3339 with its own offset; zero for anything else.
func date(given text) time.Time {
	at, err := time.Parse(time.RFC3339, string(given))
	if err != nil {
		return time.Time{}
	}
	return at
}
