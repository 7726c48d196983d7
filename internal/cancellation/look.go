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
		seen, hidden := d.sequel(ctx, r, server, now)
		if hidden {
			s.Ending = Stuck
		}
		s.Known, err = d.noteSighting(ctx, r, seen, now)
	}
	return s, err
}

// pending reports whether SoftLayer is known to have a cancellation of the server on record.
func (s Server) pending() bool {
	return s.Billing != nil && (s.Billing.PendingCancellation || s.Billing.CancellationDate != "")
}

func ended(date string, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, date)
	return err == nil && at.Before(now)
}

// ending returns the change that ends a standing request which waits for approval, for the
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
	if !s.waits() {
		return nil, errBlocked
	}
	if err := d.certainlyUnsent(ctx, old, now); err != nil {
		return nil, err
	}
	return takenOver(old, by)
}

// takenOver ends a request that waits for approval, because somebody who needs none asked too.
func takenOver(old Request, by Person) (*Change, error) {
	next, err := old.Move(Withdrawn, BySubmission, Reason{Code: WhyTakenOver})
	if err != nil {
		return nil, err
	}
	next.EndedBy = by
	event := Event{Kind: EventWithdrawn, Actor: actor(by), From: old.State, To: Withdrawn, Detail: string(WhyTakenOver)}
	change := &Change{From: old, To: next, Event: event, Tell: AtOnce}
	if !by.same(old.Submission.By) {
		change.Owe = old.toldEnd()
	}
	return change, nil
}

// ticketHidden is the reason of a filed request that is stuck because the key cannot read its ticket.
func ticketHidden(r Request) Reason {
	return because(WhyTicketHidden, strconv.FormatInt(r.Ticket.ID, 10))
}

// markStuck makes a filed request whose ticket cannot be read Stuck, and returns the row as it then
// stands. A failure is only logged, because the next card for the server finds the same.
func (d *Desk) markStuck(ctx context.Context, r Request) Request {
	next, err := r.Move(Stuck, ByCard, ticketHidden(r))
	if err == nil {
		change := Change{From: r, To: next, Event: Event{Kind: EventEvidence, Actor: "card", From: r.State, To: Stuck, Detail: next.Why.String()}, Tell: AtOnce}
		if change.Owe, err = r.needsPerson(ctx, d.Requests, d.Escalation); err == nil {
			next, err = d.Requests.Apply(ctx, change)
		}
	}
	if err != nil {
		d.Log.Warn("ending a filed request on evidence", "ref", r.Ref.Short(), "to", Stuck, "err", err)
		return r
	}
	return next
}
