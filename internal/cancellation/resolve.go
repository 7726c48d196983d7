package cancellation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/authz"
)

// Finding is what a person found at SoftLayer about a stuck request.
type Finding string

const (
	// FoundTicket: there is a ticket, whose id the person gives.
	FoundTicket Finding = "filed"
	// FoundNone: there is no ticket. The request is sent once more, after every check.
	FoundNone Finding = "none"
	// DropIt: there is no ticket, and none is wanted.
	DropIt Finding = "drop"
)

// Resolution is what a person says became of a stuck request.
type Resolution struct {
	Ref     string // short form, as typed
	Finding Finding
	Ticket  int64 // FoundTicket only: the ticket's id
	// Unseen is for an operator's FoundTicket only: record the number although the key cannot
	// read that ticket. The request then says that this is the operator's word.
	Unseen bool
	Why    string
	Actor  string // the person, as the history names them
	By     Person // who they are in Slack; zero for an operator
	Key    string // of the press ([Press]); empty for an operator
	// Stuck is the time at which the request became stuck, as the person saw it. If it became stuck
	// again later, their finding is refused, because they looked before that. It is zero for an
	// operator, and for a finding that names a ticket.
	Stuck time.Time
}

// note says in the history on what a resolution rests. The words are stored.
type note string

const (
	noteReference     note = "carries-reference" // the ticket carries the request's reference
	noteAnswer        note = "named-in-answer"   // SoftLayer's answer to the POST named the ticket
	noteOpenTicket    note = "named-as-open"     // SoftLayer names it as the server's open cancellation ticket
	noteOperatorsWord note = "operators-word"    // the key cannot read the ticket
	noteForeign       note = "open-and-foreign"  // the ticket is open and does not carry the reference
	noteNoneFound     note = "none-found"        // no ticket that the key can read is the request's
	noteTheirWord     note = "tickets-unread"    // so the person's word counts
	noteSentAgain     note = "sent-again-on-their-word"
	noteRecords       note = "records-read-again"
)

// Errors of Resolve. Each leaves the request unchanged.
var (
	ErrNotStuck      = errors.New("only a stuck request can be resolved")
	ErrWhyMissing    = errors.New("say why: --why must not be empty")
	ErrOtherServer   = errors.New("that ticket is not about this server")
	ErrTicketClosed  = errors.New("that ticket is closed and does not carry this request's reference, and no cancellation is pending, so the ticket does not show what became of the request")
	ErrTicketMade    = errors.New("SoftLayer made this ticket for the request: resolve with it")
	ErrTicketMissing = errors.New("name the ticket's id, a positive number")
	ErrTicketUnseen  = errors.New("this key cannot read that ticket, so nothing shows that it is about this server")
	ErrSomeTicket    = errors.New("this key cannot read that ticket; a cancellation of this server is pending, but SoftLayer does not show by which ticket")
)

// OtherTicketError says that another ticket than the one named is the server's open
// cancellation ticket.
type OtherTicketError struct{ Open int64 }

// Error names the open one.
func (e *OtherTicketError) Error() string {
	return fmt.Sprintf("SoftLayer says that ticket %d is this server's open cancellation ticket", e.Open)
}

// Resolve moves a stuck request to where a person's finding leads, and records the finding with
// their name. If a ticket's own text contradicts the person, the ticket counts.
func (d *Desk) Resolve(ctx context.Context, res Resolution) (Request, error) {
	if Blank(res.Why) {
		return Request{}, ErrWhyMissing
	}
	short, err := ParseShort(res.Ref)
	if err != nil {
		return Request{}, err
	}
	r, err := d.Requests.ByRef(ctx, short)
	if errors.Is(err, ErrUnreadable) && res.Finding == DropIt { // nobody can do anything else with it
		err = nil
	}
	if err != nil {
		return Request{}, fmt.Errorf("reading request %s: %w", short, err)
	}
	if r.State != Stuck {
		return r, fmt.Errorf("request %s is %s: %w", short, r.State, ErrNotStuck)
	}
	next, basis, err := d.resolved(ctx, r, res)
	if err != nil {
		return r, err
	}
	return d.recordResolution(ctx, r, next, res, basis)
}

// resolved returns the request as the person's finding and fresh reads make it, and a note for the
// history.
func (d *Desk) resolved(ctx context.Context, r Request, res Resolution) (Request, note, error) {
	switch res.Finding {
	case FoundTicket:
		return d.byTicket(ctx, r, res)
	case FoundNone:
		next, err := r.Move(Scheduled, ByPerson, Reason{})
		next.PostsAllowed, next.Recheck, next.Attempts, next.Evidence = r.LostPosts+1, max(r.Recheck, RecheckOnce), 0, 0
		return next, noteSentAgain, err
	case DropIt:
		return d.drop(ctx, r, res)
	default:
		return r, "", fmt.Errorf("%q: say %s TICKET, %s or %s", res.Finding, FoundTicket, FoundNone, DropIt)
	}
}

// drop ends the request as not filed. It refuses if a POST may be under way, or if a ticket of the
// request is known or can be read. If the tickets cannot be read, the note says that this is the
// person's word.
func (d *Desk) drop(ctx context.Context, r Request, res Resolution) (Request, note, error) {
	if err := d.noneUnderWay(ctx, r); err != nil {
		return r, "", err
	}
	made, err := d.madeTicket(ctx, r)
	if err != nil || made != 0 {
		return r, "", errors.Join(err, madeError(made))
	}
	basis := noteNoneFound
	tickets, err := d.Tickets.TicketsOf(ctx, r.Submission.Card.Server.ID, r.ticketsSince())
	if err != nil {
		d.Log.Warn("reading the server's tickets", "ref", r.Ref.Short(), "err", err)
		basis = noteTheirWord
	}
	for _, t := range tickets {
		if Judge(r, t) == Ours {
			return r, "", madeError(t.ID)
		}
	}
	next, err := r.Move(Withdrawn, ByPerson, Reason{Detail: res.Why, By: res.Actor})
	next.EndedBy = res.By
	return next, basis, err
}

// noneUnderWay returns an *UnderWayError while a POST that the store does not know of may still be
// written. Until that is over, nobody can say that the request has no ticket of its own.
func (d *Desk) noneUnderWay(ctx context.Context, r Request) error {
	now, err := d.Clock.Now(ctx)
	if err != nil {
		return fmt.Errorf("reading the database's time: %w", err)
	}
	if r.maybeUnderWay(now) {
		return &UnderWayError{Ref: r.Ref, Until: r.NotAfter}
	}
	return nil
}

// madeTicket returns the ticket that SoftLayer said it made for the request, 0 for none. That is
// the one the request was filed with, unless only a person named it, or the one in an answer that
// came after its attempt had lost the lease.
func (d *Desk) madeTicket(ctx context.Context, r Request) (int64, error) {
	events, err := d.Requests.Events(ctx, r.ID)
	if err != nil {
		return 0, fmt.Errorf("reading the history of %s: %w", r.Ref.Short(), err)
	}
	for _, e := range events {
		late, isLate := e.lateAnswer()
		switch {
		case isLate && late.Kind == Made:
			return late.Ticket, nil
		case e.To == Filed && e.From != Filed && e.Kind != EventResolved:
			return r.Ticket.ID, nil
		}
	}
	return 0, nil
}

func madeError(ticket int64) error {
	if ticket == 0 {
		return nil
	}
	return fmt.Errorf("ticket %d: %w", ticket, ErrTicketMade)
}

// byTicket ends the request with the ticket that the person found, judged by what the ticket
// says. A ticket that the key cannot read counts only if SoftLayer names it as the server's open
// cancellation ticket, or if an operator insists (Resolution.Unseen).
func (d *Desk) byTicket(ctx context.Context, r Request, res Resolution) (Request, note, error) {
	id := res.Ticket
	if id <= 0 {
		return r, "", ErrTicketMissing
	}
	ticket, err := d.Tickets.Ticket(ctx, id)
	if errors.Is(err, ErrTicketHidden) {
		return d.byNumber(ctx, r, Ticket{TicketID: TicketID{ID: id}}, res)
	}
	if err != nil {
		return r, "", fmt.Errorf("reading ticket %d: %w", id, err)
	}
	judged := Judge(r, ticket)
	switch {
	case ticket.ServersRead && !ticket.About(r.Submission.Card.Server.ID):
		return r, "", fmt.Errorf("ticket %d: %w", id, ErrOtherServer)
	case judged == Ours:
		return d.believe(r, ticket, noteReference)
	case judged == Unreadable:
		return d.byNumber(ctx, r, ticket, res)
	case !ticket.ServersRead:
		return r, "", fmt.Errorf("ticket %d: %w", id, ErrOtherServer)
	}
	return d.foreignTicket(ctx, r, ticket)
}

// byNumber ends the request with a ticket of which the key can read nothing, or not the text.
func (d *Desk) byNumber(ctx context.Context, r Request, t Ticket, res Resolution) (Request, note, error) {
	made, err := d.madeTicket(ctx, r)
	if err != nil || made != 0 && made != t.ID {
		return r, "", errors.Join(err, madeError(made))
	}
	if made == 0 {
		if err := d.noneUnderWay(ctx, r); err != nil {
			return r, "", err
		}
	}
	server, err := d.Servers.Server(ctx, r.Submission.Card.Server.ID)
	if err != nil && !errors.Is(err, ErrServerNotFound) {
		return r, "", fmt.Errorf("reading server %d: %w", r.Submission.Card.Server.ID, err)
	}
	switch open := server.OpenTicket; {
	case made != 0:
		return d.believe(r, t, noteAnswer)
	case open != nil && open.ID == t.ID:
		return d.believe(r, Ticket{TicketID: *open, CreatedAt: t.CreatedAt}, noteOpenTicket)
	case open != nil:
		return r, "", &OtherTicketError{Open: open.ID}
	case res.Unseen:
		next, basis, err := d.believe(r, t, noteOperatorsWord)
		next.Why = Reason{Code: WhyUnseen, By: res.Actor}
		return next, basis, err
	case server.pending():
		return r, "", fmt.Errorf("ticket %d: %w", t.ID, ErrSomeTicket)
	}
	return r, "", fmt.Errorf("ticket %d: %w", t.ID, ErrTicketUnseen)
}

func (d *Desk) believe(r Request, t Ticket, basis note) (Request, note, error) {
	next, err := r.Move(Filed, ByPerson, Reason{})
	return next.filedWith(t), basis, err
}

// foreignTicket ends the request as a duplicate of somebody else's ticket.
func (d *Desk) foreignTicket(ctx context.Context, r Request, t Ticket) (Request, note, error) {
	if err := d.noneUnderWay(ctx, r); err != nil {
		return r, "", err
	}
	server, err := d.Servers.Server(ctx, r.Submission.Card.Server.ID)
	if err != nil && !errors.Is(err, ErrServerNotFound) {
		return r, "", fmt.Errorf("reading server %d: %w", r.Submission.Card.Server.ID, err)
	}
	if ruling(r, t, server).to != Duplicate {
		return r, "", fmt.Errorf("ticket %d: %w", t.ID, ErrTicketClosed)
	}
	next, err := r.Move(Duplicate, ByPerson, Reason{})
	next.Ticket = t.TicketID
	return next, noteForeign, err
}

func (d *Desk) recordResolution(ctx context.Context, from, next Request, res Resolution, basis note) (Request, error) {
	next.Due = time.Time{} // at once where there is work to do
	detail, _ := json.Marshal(struct {
		Finding Finding
		Ticket  int64 `json:",omitempty"`
		Why     string
		Note    note
	}{res.Finding, res.Ticket, res.Why, basis}) // strings and a number
	change := Change{
		From: from, To: next, Tell: AtOnce, Key: res.Key,
		Event: Event{Kind: EventResolved, Actor: res.Actor, From: from.State, To: next.State, Detail: string(detail)},
	}
	if !next.State.Live() {
		change.Owe = from.toldEnd()
	}
	stored, err := d.Requests.Apply(ctx, change)
	if err != nil {
		return from, fmt.Errorf("recording the resolution of %s: %w", from.Ref.Short(), err)
	}
	return stored, nil
}

// ResolveByClick is Resolve for a person in Slack: anyone who may approve on that server, other than
// the requester. It takes res.Ref, res.Actor, res.By and res.Key from the press.
func (d *Desk) ResolveByClick(ctx context.Context, press Press, res Resolution) (Click, error) {
	r, c, click, err := d.resolver(ctx, press)
	switch {
	case click.Kind == ClickLate && res.Finding == DropIt:
		click.Kind = r.lateOrRepeated(c, Withdrawn)
	case click.Kind == ClickDone && !res.Stuck.IsZero() && !res.Stuck.Equal(r.Since):
		click.Kind = ClickLate // it was sent once more after that
	}
	if err != nil || click.Kind != ClickDone {
		return click, err
	}
	res.Ref, res.Actor, res.By, res.Key, res.Unseen = r.Ref.Short(), actor(c.person()), c.person(), press.Key, false
	click.Request, err = d.Resolve(ctx, res)
	if err == nil {
		d.Log.Info("resolved a stuck request", "ref", r.Ref.Short(), "by", res.Actor, "finding", res.Finding, "ticket", res.Ticket, "to", click.Request.State, "why", res.Why)
		d.Wake()
	}
	return resolvedClick(click, r, err)
}

// resolvedClick returns the outcome of a press on a stuck request, by the error of its change.
func resolvedClick(click Click, r Request, err error) (Click, error) {
	switch {
	case errors.Is(err, ErrUnclear):
		return click, &UnclearError{Ref: r.Ref, Err: err}
	case errors.Is(err, ErrMoved):
		return Click{Kind: ClickLate, Request: r}, nil
	case errors.Is(err, ErrRepeated):
		return Click{Kind: ClickRepeated, Request: r}, nil
	}
	return click, err
}

// resolver reads a stuck request and the person who clicked. Click.Kind is ClickDone if that person
// may resolve it.
func (d *Desk) resolver(ctx context.Context, press Press) (Request, clicker, Click, error) {
	r, err := d.Requests.Request(ctx, press.Request)
	if err != nil {
		return r, clicker{}, Click{}, fmt.Errorf("reading the request that was clicked on: %w", err)
	}
	c, err := d.clicker(ctx, r, press.By)
	if err != nil {
		return r, c, Click{Request: r}, err
	}
	click := Click{Request: r}
	_, click.Decision = c.policy.mayGive(c.principal, c.requester, r, 0, c.now)
	switch {
	case click.Decision.Effect != authz.Allowed:
		click.Kind = ClickRefused
		d.noteRefusal(ctx, click, c.person())
	case r.State != Stuck:
		click.Kind = ClickLate
	}
	return r, c, click, nil
}

// CheckNow reads SoftLayer's records for a stuck request again, for a person who may resolve it.
// The request leaves Stuck only if the records prove which ticket is its own or stands; otherwise
// Click.Request is still Stuck.
func (d *Desk) CheckNow(ctx context.Context, press Press) (Click, error) {
	r, c, click, err := d.resolver(ctx, press)
	if err != nil || click.Kind != ClickDone {
		return click, err
	}
	found, err := recordReader{d.Requests, d.Servers, d.Tickets, d.Log}.read(ctx, r)
	if err != nil {
		return click, fmt.Errorf("reading SoftLayer's records: %w", err)
	}
	if found.sure == nil || found.sure.to != Filed && (found.sure.to != Duplicate || r.maybeUnderWay(c.now)) {
		return click, nil
	}
	next, err := r.Move(found.sure.to, ByPerson, found.sure.why)
	if err != nil {
		return click, err
	}
	next = found.sure.ticketOn(next)
	click.Request, err = d.Requests.Apply(ctx, Change{
		From: r, To: next, Tell: c.now, Key: press.Key,
		Event: Event{Kind: EventEvidence, Actor: actor(c.person()), From: r.State, To: next.State, Detail: string(noteRecords)},
	})
	if err == nil {
		d.Log.Info("resolved a stuck request", "ref", r.Ref.Short(), "by", actor(c.person()), "finding", "SoftLayer's records", "ticket", next.Ticket.ID, "to", next.State)
	}
	return resolvedClick(click, r, err)
}
