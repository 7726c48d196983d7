package correspondence

import (
	"context"
	"log/slog"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Desk decides who may write into a ticket.
type Desk struct {
	Requests *cancellation.Desk
	Books    Books
	MayWrite func() bool // reports whether the key is known to have the right
	Log      *slog.Logger
}

// Prospect is what a person may do with a text for a request's ticket.
type Prospect struct {
	Request  cancellation.Request
	Leave    Leave
	Decision authz.Decision // by which rule, or of Nothing by which not
	Closed   bool           // nothing can be written: the request is not filed, or the key has no right
}

// May decides what who pressed may do with a text of a kind. A refusal is put on record. The error
// wraps cancellation.ErrNoRequest or cancellation.ErrPeopleUnread.
func (d *Desk) May(ctx context.Context, kind Kind, press cancellation.Press) (Prospect, error) {
	powers, err := d.Requests.Powers(ctx, press)
	p := Prospect{Request: powers.Request}
	if err != nil {
		return p, err
	}
	if p.Leave, p.Decision = Judge(kind, powers); p.Leave == Nothing {
		d.Requests.NoteRefusal(ctx, powers, p.Decision)
		return p, nil
	}
	p.Closed = powers.Request.State != cancellation.Filed || powers.Request.Ticket.ID == 0 || !d.MayWrite()
	return p, nil
}

// Read reads a request's ticket with all its updates. cancellation.ErrTicketHidden: the key does not see it.
func (d *Desk) Read(ctx context.Context, r cancellation.Request) (Ticket, error) {
	return read(ctx, d.Books, r.Ticket.ID)
}
