package cancellation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// SightingGap is how long after evidence was first read the same evidence must be read again
// before a filed request ends by it. One odd answer of SoftLayer must not free a server.
const SightingGap = 15 * time.Minute

// SightingDelay is how long after SightingGap the follower makes the second read at the latest,
// while SoftLayer answers.
const SightingDelay = 5 * time.Minute

// Sighting is what a read showed that a filed request has become, as its history keeps it. The zero
// Sighting says that nothing is certain.
type Sighting struct {
	Seen State  // Reverted, Reclaimed, or Filed if it stands
	Why  Reason `json:",omitzero"` // the evidence of an end
}

// The sightings that have no detail.
var (
	// Stands is a cancellation that SoftLayer shows.
	Stands = Sighting{Seen: Filed}
	// ServerGone is a server that a key which sees all hardware does not find.
	ServerGone = Sighting{Seen: Reclaimed, Why: Reason{Code: WhyServerGone}}
)

// ClosedTicket is the sighting of a closed ticket with no cancellation pending.
func (r Request) ClosedTicket() Sighting {
	return Sighting{Reverted, because(WhyTicketClosed, strconv.FormatInt(r.Ticket.ID, 10))}
}

// Ends reports whether a request would end by this.
func (s Sighting) Ends() bool { return s.Seen == Reverted || s.Seen == Reclaimed }

// Event is the line of a request's history that says what was seen, and by whom.
func (s Sighting) Event(actor string) Event {
	detail, _ := json.Marshal(s) // strings
	return Event{Kind: EventEvidence, Actor: actor, Detail: string(detail)}
}

// SeenOn returns what a filed request has become as far as its server shows that. decided is false
// if that depends on its ticket.
func (r Request) SeenOn(server Server, now time.Time) (seen Sighting, decided bool) {
	switch recorded, billing := r.Submission.Card.Server.Billing, server.Billing; {
	case server.OpenTicket != nil:
		return Stands, true
	case billing == nil, recorded == nil:
		return Sighting{}, true
	case billing.ID != recorded.ID:
		return Sighting{Reclaimed, because(WhyItemReplaced, strconv.FormatInt(recorded.ID, 10))}, true
	case ended(billing.CancellationDate, now):
		return Sighting{Reclaimed, because(WhyItemEnded, billing.CancellationDate)}, true
	case server.pending():
		return Stands, true
	}
	return Sighting{}, false
}

// noteSighting records what a card's read showed of a filed request, and has the follower look again.
// If the request seems to have ended, known is when that will be known.
func (d *Desk) noteSighting(ctx context.Context, r Request, now Sighting, at time.Time) (known time.Time, err error) {
	if now == (Sighting{}) { // what was seen before stays
		return time.Time{}, nil
	}
	events, err := d.Requests.Events(ctx, r.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the history of %s: %w", r.Ref.Short(), err)
	}
	before, since := LastSighting(events)
	if before != now {
		since = at
	}
	if before != now && (now.Ends() || before.Ends()) {
		if err := d.Requests.Sight(ctx, r.ID, now.Event("card"), SightingGap); err != nil { // the next read counts as the first one
			d.Log.Warn("noting what a filed request may have become", "ref", r.Ref.Short(), "err", err)
		}
	}
	if !now.Ends() {
		return time.Time{}, nil
	}
	if known = since.Add(SightingGap + SightingDelay); known.Before(at) { // SoftLayer did not answer the follower
		known = at.Add(SightingDelay)
	}
	return known, nil
}

// LastSighting returns what reads showed last after the request was filed, and since when every read
// in its history has shown that.
func LastSighting(events []Event) (last Sighting, since time.Time) {
	for _, e := range slices.Backward(events) {
		if e.From != e.To { // it was filed
			break
		}
		var seen Sighting
		if e.Kind != EventEvidence || json.Unmarshal([]byte(e.Detail), &seen) != nil {
			continue
		}
		if !since.IsZero() && seen != last {
			break
		}
		last, since = seen, e.At
	}
	return last, since
}

// VanishedError says that the server of a filed request was not found.
type VanishedError struct {
	Ref   Reference
	Known time.Time // when it will be known whether the server is gone
	Err   error     // wraps ErrServerNotFound
}

// Error returns the text of the read's error.
func (e *VanishedError) Error() string { return e.Err.Error() }

// Unwrap returns the read's error, which wraps ErrServerNotFound.
func (e *VanishedError) Unwrap() error { return e.Err }

// vanished notes that the server of a filed request was not found, if the key may see all hardware:
// only then can not found mean gone. It returns notFound, or a *VanishedError that wraps it.
func (d *Desk) vanished(ctx context.Context, server int64, now time.Time, notFound error) error {
	r, err := d.Requests.Live(ctx, server)
	if err != nil || r.State != Filed {
		return notFound
	}
	if rights, err := d.Tickets.Rights(ctx); err != nil || !rights.AllHardware {
		return notFound
	}
	known, err := d.noteSighting(ctx, r, ServerGone, now)
	if err != nil {
		d.Log.Warn("reading what a filed request has become", "ref", r.Ref.Short(), "err", err)
		return notFound
	}
	return &VanishedError{Ref: r.Ref, Known: known, Err: notFound}
}

// sequel returns what a filed request has become, by fresh reads. hidden says that its ticket cannot
// be read.
func (d *Desk) sequel(ctx context.Context, r Request, server Server, now time.Time) (seen Sighting, hidden bool) {
	if seen, decided := r.SeenOn(server, now); decided {
		return seen, false
	}
	ticket, err := d.Tickets.Ticket(ctx, r.Ticket.ID)
	switch {
	case errors.Is(err, ErrTicketHidden):
		return Sighting{}, true
	case err != nil:
		return Sighting{}, false
	case ticket.Open:
		return Stands, false
	case !server.Billing.PendingKnown:
		return Sighting{}, false
	}
	return r.ClosedTicket(), false
}
