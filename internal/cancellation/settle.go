package cancellation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"
)

// ruling returns what a named ticket means for a request (docs/design.md 4.5): it is ours, or
// somebody else's that stands, or it needs a person.
func ruling(r Request, t Ticket, server Server) *verdict {
	id := strconv.FormatInt(t.ID, 10)
	switch j := Judge(r, t); {
	case j == Ours:
		return found(t)
	case j == Unreadable:
		return stuck(WhyTicketHidden, id)
	case t.Open || server.pending():
		return &verdict{to: Duplicate, ticket: t.TicketID}
	default:
		return stuck(WhyClosedBlocks, id)
	}
}

// reading is what SoftLayer's records say about a request: a verdict, or why they are unclear. If
// both are empty, the records are clean.
type reading struct {
	sure    *verdict
	unclear Reason
}

// verdict returns where a reading leads once no POST can be under way; nil if it is clean.
func (f reading) verdict() *verdict {
	if f.sure == nil && f.unclear != (Reason{}) {
		return &verdict{to: Stuck, why: f.unclear}
	}
	return f.sure
}

// recordReader reads what SoftLayer and the history say about a request. It changes nothing.
type recordReader struct {
	requests Requests
	servers  ServerReader
	tickets  TicketReader
	log      *slog.Logger
}

func (f *Filer) reader() recordReader { return recordReader{f.Requests, f.Servers, f.Tickets, f.Log} }

// read reads everything that can show whether a POST made a ticket (docs/design.md 4.3). An error
// means that SoftLayer did not answer something. Clean needs positive evidence: what the key may
// not read makes the reading unclear, and is no error that would be tried for ever.
func (b recordReader) read(ctx context.Context, r Request) (reading, error) {
	found, err := b.consult(ctx, r)
	switch {
	case errors.Is(err, ErrServerNotFound):
		found.unclear.Code = WhyServerHidden
	case errors.Is(err, ErrReadRefused):
		found.unclear.Code = WhyReadRefused
	case errors.Is(err, ErrTooManyTickets):
		found.unclear.Code = WhyTooManyTickets
	default:
		return found, err
	}
	b.log.Warn("reading SoftLayer's records", "ref", r.Ref.Short(), "err", err)
	return found, nil
}

func (b recordReader) consult(ctx context.Context, r Request) (reading, error) {
	shown := r.Submission.Card.Server
	server, err := b.servers.Server(ctx, shown.ID)
	if err != nil {
		return reading{}, err
	}
	named, err := b.judgeAllNamed(ctx, r, server)
	if err != nil || named != nil && named.to == Filed {
		return reading{sure: named}, err
	}
	rights, err := b.tickets.Rights(ctx)
	if err != nil {
		return reading{}, err
	}
	if !rights.ViewTickets { // reading tickets would be refused, for ever
		return weigh(r, server, named, nil, rights), nil
	}
	tickets, err := b.tickets.TicketsOf(ctx, shown.ID, r.ticketsSince())
	if err != nil {
		return reading{}, err
	}
	return weigh(r, server, named, tickets, rights), nil
}

// ticketsSince returns the time from which closed tickets are read. It is a day before the request,
// so that clocks which differ hide none of its tickets.
func (r Request) ticketsSince() time.Time { return r.CreatedAt.Add(-24 * time.Hour) }

// judgeAllNamed judges the tickets that SoftLayer named itself: the open cancellation ticket, and
// those in the answers to our POSTs. It returns the verdict with the most weight.
func (b recordReader) judgeAllNamed(ctx context.Context, r Request, server Server) (*verdict, error) {
	made, ids, err := b.evidence(ctx, r)
	if err != nil {
		return nil, err
	}
	if made != 0 { // SoftLayer said so; the key need not read the ticket
		return found(Ticket{TicketID: TicketID{ID: made}}), nil
	}
	if server.OpenTicket != nil {
		ids = append(ids, server.OpenTicket.ID)
	}
	var heaviest *verdict
	for _, id := range ids {
		v, err := b.judgeNamed(ctx, r, id, server)
		if err != nil {
			return nil, err
		}
		if heaviest == nil || v.weight() > heaviest.weight() {
			heaviest = v
		}
	}
	return heaviest, nil
}

// weight orders what named tickets say. Our own has the most weight, then one that cannot be read
// and may be ours, then somebody else's that stands, and last one that only blocks.
func (v verdict) weight() int {
	switch {
	case v.to == Filed:
		return 3
	case v.why.Code == WhyTicketHidden:
		return 2
	case v.to == Duplicate:
		return 1
	}
	return 0
}

// evidence returns what the answers to this request's POSTs said. made is the ticket that was
// made for an attempt that had lost its lease. named are the tickets to be judged: the one that
// the request was once filed with, the one on its row, and those that late answers named as
// standing, unless a person has resolved the request since.
func (b recordReader) evidence(ctx context.Context, r Request) (made int64, named []int64, err error) {
	events, err := b.requests.Events(ctx, r.ID)
	if err != nil {
		return 0, nil, fmt.Errorf("reading the history of %s: %w", r.Ref.Short(), err)
	}
	named = []int64{r.Ticket.ID, r.Evidence}
	resolved := false
	for _, e := range slices.Backward(events) {
		late, isLate := e.lateAnswer()
		switch {
		case e.Kind == EventResolved:
			resolved = true
		case !isLate:
		case late.Kind == Made:
			made = late.Ticket
		case !resolved:
			named = append(named, late.Ticket)
		}
	}
	return made, slices.DeleteFunc(named, func(id int64) bool { return id == 0 }), nil
}

func lateAnswer(owner string, o Outcome) Event {
	detail, _ := json.Marshal(o.answered()) // texts and a number
	return Event{Kind: EventLateAnswer, Actor: owner, Detail: string(detail)}
}

// lateAnswer reads the event back. ok is false for an event of another kind.
func (e Event) lateAnswer() (late Answered, ok bool) {
	ok = e.Kind == EventLateAnswer && json.Unmarshal([]byte(e.Detail), &late) == nil
	return late, ok
}

// weigh judges what was read if SoftLayer named no ticket of ours. Our own ticket in the list
// counts before a named one. A named one makes the request a duplicate only if every ticket in
// the list could be read, since an unreadable one may be ours.
func weigh(r Request, server Server, named *verdict, tickets []Ticket, rights Rights) reading {
	ours, hidden := judged(r, tickets)
	recorded, billing := r.Submission.Card.Server.Billing, server.Billing
	switch {
	case ours != nil:
		return reading{sure: ours}
	case named != nil && named.to != Duplicate:
		return reading{sure: named}
	case hidden != 0:
		return reading{unclear: because(WhyOneUnreadable, strconv.FormatInt(hidden, 10))}
	case !rights.ViewTickets:
		return reading{unclear: Reason{Code: WhyTicketsHidden}}
	case named != nil:
		return reading{sure: named}
	case billing == nil || recorded == nil || billing.ID != recorded.ID:
		return reading{unclear: Reason{Code: WhyBillingHidden}}
	case !billing.PendingKnown:
		return reading{unclear: Reason{Code: WhyPendingHidden}}
	case billing.PendingCancellation || billing.CancellationDate != "":
		return reading{unclear: Reason{Code: WhyPendingUnnamed}}
	}
	return reading{}
}

// judged returns the verdict of the first ticket that is ours, if any, and the id of a ticket that
// cannot be read, 0 for none.
func judged(r Request, tickets []Ticket) (ours *verdict, hidden int64) {
	for _, t := range tickets {
		switch Judge(r, t) {
		case Ours:
			return found(t), hidden
		case Unreadable:
			hidden = t.ID
		case Foreign:
		}
	}
	return nil, hidden
}

// settle reads SoftLayer's records for a request whose answer is lost, or whose POST the store may
// not know of. It POSTs only after a whole settle time of answered, clean reads that began after
// not-after (docs/design.md 4.4). Until not-after only our own ticket counts: the POST may still
// be under way, and its ticket may show before the ticket's text does. The reads begin after the
// claim, so its time is never too late for when they began. When they ended the database is asked:
// the machine may have slept meanwhile, and an earlier time would shorten the settle time.
func (f *Filer) settle(ctx context.Context, h *claimedRow) error {
	r := h.request()
	found, err := f.reader().read(ctx, r)
	if err != nil {
		return f.again(ctx, h, &f.softlayer, unreadBecause(err, WhyRecordsUnread), err)
	}
	now, err := f.Clock.Now(ctx)
	if err != nil {
		return err
	}
	began, why := h.claimed, r.Why
	if why.Code == WhyKeyRefused { // it is taken again
		why = Reason{}
	}
	over := began.After(r.NotAfter)
	switch {
	case found.sure != nil && (over || found.sure.to == Filed):
		return f.commit(ctx, h, *found.sure)
	case !over:
		return f.wait(ctx, h, r, why, min(backoff(r.Attempts), max(r.NotAfter.Sub(now), 0)+time.Millisecond))
	case found.unclear != (Reason{}):
		return f.commit(ctx, h, *found.verdict())
	case r.CleanSince.IsZero():
		r.CleanSince, r.Attempts = now, 0
		return f.wait(ctx, h, r, why, f.pause(r, now))
	case began.Sub(r.CleanSince) < f.Limits.SettleTime:
		return f.wait(ctx, h, r, why, f.pause(r, now))
	case r.LostPosts >= r.PostsAllowed:
		return f.commit(ctx, h, *stuck(WhyTwoLost, strconv.Itoa(r.LostPosts)))
	default:
		return f.checkAndPost(ctx, h)
	}
}

// pause returns the time to the next clean read, which is at the end of the settle time at the
// latest.
func (f *Filer) pause(r Request, now time.Time) time.Duration {
	left := f.Limits.SettleTime - now.Sub(r.CleanSince)
	return max(min(backoff(r.Attempts), left), 10*time.Millisecond)
}

// unreadBecause is why SoftLayer's answer is missing: a key that it does not take says more than what was asked.
func unreadBecause(err error, asked ReasonCode) Reason {
	if errors.Is(err, ErrKeyRefused) {
		return Reason{Code: WhyKeyRefused}
	}
	return Reason{Code: asked}
}

// certainlyUnsent returns an error unless nothing was sent for the request. If the store may not know
// of a POST, it reads SoftLayer's records. Only then may a request end as not filed.
func (d *Desk) certainlyUnsent(ctx context.Context, r Request, now time.Time) error {
	switch {
	case r.Recheck == NoRecheck:
		return nil
	case r.maybeUnderWay(now):
		return &UnderWayError{Ref: r.Ref, Until: r.NotAfter}
	}
	tickets, err := d.Tickets.TicketsOf(ctx, r.Submission.Card.Server.ID, r.ticketsSince())
	if err != nil {
		return fmt.Errorf("reading the server's tickets before ending %s: %w", r.Ref.Short(), err)
	}
	for _, t := range tickets {
		if Judge(r, t) != Foreign {
			return fmt.Errorf("ending %s: ticket %d may be this request's", r.Ref.Short(), t.ID)
		}
	}
	return nil
}

// UnderWayError says that a POST that the store does not know of may still be written, so that nobody
// can say yet that nothing was filed.
type UnderWayError struct {
	Ref   Reference
	Until time.Time
}

// Error says until when the POST may be under way.
func (e *UnderWayError) Error() string {
	return fmt.Sprintf("ending %s: a POST may be under way until %s", e.Ref.Short(), e.Until.UTC().Format(time.RFC3339))
}

// maybeUnderWay reports whether a POST that the store does not know of may still be written. Until
// that is over, SoftLayer's records prove nothing.
func (r Request) maybeUnderWay(now time.Time) bool {
	return (r.Recheck == RecheckSettled || r.LostPosts > 0) && !now.After(r.NotAfter)
}
