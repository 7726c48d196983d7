package cancellation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
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

// Look reads a server's card from SoftLayer. ErrServerNotFound: there is none, or
// the key may not see it. Any other error means that there is no answer.
func (d *Desk) Look(ctx context.Context, server int64) (Card, error) {
	return d.look(ctx, server, true, d.cutoff)
}

// look is Look. Unless it counts namesakes, the card says that others may have the server's host name.
func (d *Desk) look(ctx context.Context, server int64, namesakes bool, cutoff func(context.Context) string) (Card, error) {
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
	side.Go(func() { card.ShortNameUnique = namesakes && d.shortNameUnique(ctx, found.Hostname) })
	side.Go(func() { card.Cutoff = cutoff(ctx) })
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

// Cards reads the cards of a list. done is called after each one that was read, by one goroutine at a time; while it
// waits for somebody, other lists are read.
func (d *BatchDesk) Cards(ctx context.Context, wanted []Wanted, done func(read int)) []CardRead {
	reads := make([]CardRead, len(wanted))
	cutoff := d.cutoff(ctx)
	same := func(context.Context) string { return cutoff }
	var count int
	var lock sync.Mutex
	var all sync.WaitGroup
	for i, want := range wanted {
		select {
		case d.reading <- struct{}{}:
		case <-ctx.Done():
			reads[i] = CardRead{Server: want.Server, Err: ctx.Err()}
			continue
		}
		all.Go(func() {
			card, err := d.lookInTurn(ctx, want, same)
			lock.Lock()
			defer lock.Unlock()
			count++
			reads[i] = CardRead{want.Server, card, err}
			done(count)
		})
	}
	all.Wait()
	return reads
}

// lookInTurn reads one card of a list, and gives back the token that was taken for it.
func (d *BatchDesk) lookInTurn(ctx context.Context, want Wanted, cutoff func(context.Context) string) (Card, error) {
	defer func() { <-d.reading }()
	return d.look(ctx, want.Server, want.ByHost, cutoff)
}

// Follows keeps what is known of filed requests until they end.
type Follows interface {
	// FollowTurn takes the turn, or renews it. A new pass over all filed requests begins once
	// the last one began so long ago as every.
	FollowTurn(ctx context.Context, owner string, every, lease time.Duration) (FollowTurn, error)
	// DueLooks lists up to most requests that were last looked at before the pass began, the
	// longest ago first. If there are none, it lists those that are to be looked at again.
	DueLooks(ctx context.Context, began time.Time, most int) ([]Followed, error)
	// KeepLooks records looks in one transaction, and by id the requests of which a look showed
	// nothing new. It returns an error, and records nothing, if the owner has lost its turn. A
	// look at a request that has changed meanwhile changes nothing.
	KeepLooks(ctx context.Context, owner string, quiet []string, looks []Look) error
}
