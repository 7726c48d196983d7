package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// Look reads a server's card from SoftLayer. ErrServerNotFound: there is none, or
// the key may not see it. Any other error means that there is no answer.
func (d *Desk) Look(ctx context.Context, server int64) (Card, error) {
	now, err := d.Clock.Now(ctx)
	if err != nil {
		return Card{}, fmt.Errorf("reading the database's time: %w", err)
	}
	found, err := d.Servers.Server(ctx, server)
	if errors.Is(err, ErrServerNotFound) {
		err = d.vanished(ctx, server, now, err)
	}
	if err != nil {
		return Card{}, fmt.Errorf("reading server %d: %w", server, err)
	}
	card := Card{Server: found, Account: d.Account, ReadAt: now}
	var side sync.WaitGroup
	side.Go(func() { card.ShortNameUnique = d.shortNameUnique(ctx, found.Hostname) })
	side.Go(func() { card.Cutoff = d.cutoff(ctx) })
	side.Go(func() { card.TicketsHidden = !d.seesTickets(ctx) })
	card.Standing, err = d.standing(ctx, found, now)
	side.Wait()
	return card, err
}

// shortNameUnique reports whether the host name is known to be this server's only.
func (d *Desk) shortNameUnique(ctx context.Context, hostname string) bool {
	count, err := d.Servers.Namesakes(ctx, hostname)
	if err != nil {
		d.Log.Info("counting namesakes", "err", err)
	}
	return err == nil && count == 1
}

// cutoff returns "" if the cut-off could not be read: the card then says so.
func (d *Desk) cutoff(ctx context.Context) string {
	date, err := d.Tickets.Cutoff(ctx, d.Account.ID)
	if err != nil {
		d.Log.Info("reading the cut-off date", "err", err)
		return ""
	}
	return date
}

// seesTickets reports whether the key is known to see tickets. SoftLayer leaves out an open
// ticket that the key may not see, exactly as if there were none.
func (d *Desk) seesTickets(ctx context.Context) bool {
	sees, err := d.rights.viewTickets(ctx, d.Tickets)
	if err != nil {
		d.Log.Info("reading what the key may see", "err", err)
	}
	return err == nil && sees
}

// rightsAge is how long a card relies on the key's rights as they were read. Cards only show them;
// no decision depends on them.
const rightsAge = 5 * time.Minute

// keyRights caches the key's right to view tickets, because reading it takes two calls.
type keyRights struct {
	mu    sync.Mutex
	until time.Time
	sees  bool
}

func (k *keyRights) viewTickets(ctx context.Context, tickets TicketReader) (bool, error) {
	k.mu.Lock()
	sees, fresh := k.sees, time.Now().Before(k.until)
	k.mu.Unlock()
	if fresh {
		return sees, nil
	}
	rights, err := tickets.Rights(ctx)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sees, k.until = rights.ViewTickets, time.Now().Add(rightsAge)
	return rights.ViewTickets, nil
}

// standing describes this installation's live request for the server; nil if there is none. For a
// filed one it says what fresh reads show.
func (d *Desk) standing(ctx context.Context, server Server, now time.Time) (*Standing, error) {
	r, err := d.Requests.Live(ctx, server.ID)
	if errors.Is(err, ErrNoRequest) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, ErrUnreadable) { // it still holds the server
		return nil, fmt.Errorf("reading the live request for server %d: %w", server.ID, err)
	}
	s := &Standing{
		RequestID: r.ID, Version: r.Version, Ref: r.Ref.Short(), State: r.State,
		By: r.Submission.By, Ticket: r.Ticket,
	}
	if r.State == Filed {
		seen := d.sequel(ctx, r, server, now)
		s.Why = seen.Why
		s.Ending, s.Known, err = d.sighted(ctx, r, seen, now)
	}
	return s, err
}

// sequel returns what a filed request has become, by fresh reads: Reverted, Reclaimed, Stuck if its
// ticket cannot be read, Filed if it certainly stands, or "" if nothing is certain.
func (d *Desk) sequel(ctx context.Context, r Request, server Server, now time.Time) sighting {
	switch recorded, billing := r.Submission.Card.Server.Billing, server.Billing; {
	case server.OpenTicket != nil:
		return sighting{Seen: Filed}
	case billing == nil, recorded == nil:
		return sighting{}
	case billing.ID != recorded.ID:
		return sighting{Reclaimed, because(WhyItemReplaced, strconv.FormatInt(recorded.ID, 10))}
	case ended(billing.CancellationDate, now):
		return sighting{Reclaimed, because(WhyItemEnded, billing.CancellationDate)}
	case server.pending():
		return sighting{Seen: Filed}
	}
	ticket, err := d.Tickets.Ticket(ctx, r.Ticket.ID)
	switch {
	case errors.Is(err, ErrTicketHidden):
		return sighting{Stuck, ticketHidden(r)}
	case err != nil:
		return sighting{}
	case ticket.Open:
		return sighting{Seen: Filed}
	case !server.Billing.PendingKnown:
		return sighting{}
	}
	return sighting{Reverted, because(WhyTicketClosed, strconv.FormatInt(r.Ticket.ID, 10))}
}

// pending reports whether SoftLayer is known to have a cancellation of the server on record.
func (s Server) pending() bool {
	return s.Billing != nil && (s.Billing.PendingCancellation || s.Billing.CancellationDate != "")
}

func ended(date string, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, date)
	return err == nil && at.Before(now)
}

// ending returns the change that ends the standing request as the card's evidence says, for the
// transaction that records the new one. It is nil if that request has ended already.
func (d *Desk) ending(ctx context.Context, s Standing, by Person, now time.Time) (*Change, error) {
	old, err := d.Requests.Request(ctx, s.RequestID)
	if err != nil {
		return nil, fmt.Errorf("reading the standing request %s: %w", s.Ref, err)
	}
	if !old.State.Live() {
		return nil, nil
	}
	if old.Version != s.Version {
		return nil, fmt.Errorf("ending the standing request %s: %w", s.Ref, ErrMoved)
	}
	if s.waits() {
		if err := d.certainlyUnsent(ctx, old, now); err != nil {
			return nil, err
		}
		return takenOver(old, by)
	}
	return endBy(old, s.Ending, s.Why)
}

// takenOver ends a request that waits for approval, because somebody who needs none asked too.
func takenOver(old Request, by Person) (*Change, error) {
	next, err := old.Move(Withdrawn, BySubmission, Reason{Code: WhyTakenOver})
	if err != nil {
		return nil, err
	}
	next.EndedBy = by
	event := Event{Kind: EventWithdrawn, Actor: actor(by), From: old.State, To: Withdrawn, Detail: string(WhyTakenOver)}
	return &Change{From: old, To: next, Event: event, Tell: AtOnce}, nil
}

// ticketHidden is the reason of a filed request that is stuck because the key cannot read its ticket.
func ticketHidden(r Request) Reason {
	return because(WhyTicketHidden, strconv.FormatInt(r.Ticket.ID, 10))
}

func endBy(old Request, to State, why Reason) (*Change, error) {
	next, err := old.Move(to, ByCard, why)
	if err != nil {
		return nil, err
	}
	event := Event{Kind: EventEvidence, Actor: "card", From: old.State, To: to, Detail: why.String()}
	return &Change{From: old, To: next, Event: event, Tell: AtOnce}, nil
}

// VanishedError says that the server of a filed request was not found, for the first time or soon
// after it.
type VanishedError struct {
	Ref   Reference
	Known time.Time // a read after this decides whether it is gone
	Err   error     // wraps ErrServerNotFound
}

// Error returns the text of the read's error.
func (e *VanishedError) Error() string { return e.Err.Error() }

// Unwrap returns the read's error, which wraps ErrServerNotFound.
func (e *VanishedError) Unwrap() error { return e.Err }

// vanished ends a filed request whose server was not found twice, if the key may see all hardware:
// only then does not found mean gone. It returns notFound, or a *VanishedError that wraps it.
func (d *Desk) vanished(ctx context.Context, server int64, now time.Time, notFound error) error {
	r, err := d.Requests.Live(ctx, server)
	if err != nil || r.State != Filed {
		return notFound
	}
	if rights, err := d.Tickets.Rights(ctx); err != nil || !rights.AllHardware {
		return notFound
	}
	gone := sighting{Reclaimed, Reason{Code: WhyServerGone}}
	ending, known, err := d.sighted(ctx, r, gone, now)
	switch {
	case err != nil:
		d.Log.Warn("reading what a filed request has become", "ref", r.Ref.Short(), "err", err)
	case ending == Reclaimed:
		d.end(ctx, r, Reclaimed, gone.Why)
	default:
		return &VanishedError{Ref: r.Ref, Known: known, Err: notFound}
	}
	return notFound
}

// markStuck makes a filed request whose ticket cannot be read Stuck, and returns the row
// as it then stands.
func (d *Desk) markStuck(ctx context.Context, r Request) Request {
	return d.end(ctx, r, Stuck, ticketHidden(r))
}

// end applies a change on a card's evidence. A failure is only logged, because the next card for the
// server finds the same evidence.
func (d *Desk) end(ctx context.Context, r Request, to State, why Reason) Request {
	change, err := endBy(r, to, why)
	if err == nil {
		var moved Request
		if moved, err = d.Requests.Apply(ctx, *change); err == nil {
			return moved
		}
	}
	d.Log.Warn("ending a filed request on evidence", "ref", r.Ref.Short(), "to", to, "err", err)
	return r
}
