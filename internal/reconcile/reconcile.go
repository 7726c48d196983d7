package reconcile

import (
	"cmp"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// MaxMissing bounds how many recorded requests are listed that SoftLayer does not show.
const MaxMissing = 1000

// Cancellation is a cancellation request of SoftLayer's, whoever made it, as far as the key sees it. Its
// JSON form is stored.
type Cancellation struct {
	ID      int64
	Made    time.Time
	Status  string                `json:",omitempty"` // SoftLayer's key name or name
	User    string                `json:",omitempty"` // SoftLayer's user name
	Ticket  cancellation.TicketID `json:",omitzero"`
	Servers []Server              `json:",omitempty"` // attached to its ticket
	Items   []int64               `json:",omitempty"` // the billing items that it names
	Voided  bool                  `json:",omitempty"` // it was voided or denied
}

// Server is a server of a cancellation.
type Server struct {
	ID   int64
	Name string
}

// Result is what a comparison shows.
type Result struct {
	AtSoftLayer int
	Ours        int
	Elsewhere   []Cancellation         // not by this bot, the earliest first
	Unclear     []Cancellation         // without a visible ticket, or of a server of which a request's ticket is not recorded
	Missing     []cancellation.Request // recorded here and not shown: the first MaxMissing of them
	MissingAll  int                    // how many those are in all

	shown   int // whenever they were made
	tickets map[int64]bool
	items   map[int64]bool // of cancellations without a visible ticket
}

// Tickets returns the tickets that the cancellations name, to be looked for here.
func Tickets(listed []Cancellation) []int64 {
	var tickets []int64
	for _, c := range listed {
		if c.Ticket.ID != 0 {
			tickets = append(tickets, c.Ticket.ID)
		}
	}
	slices.Sort(tickets)
	return slices.Compact(tickets)
}

// Compare sorts the cancellations made since then by whose they are. own are the tickets that are
// recorded as a request's own, and unsettled the requests that may have one which is not recorded. Both
// must have been read after the list. [Result.Check] does the other way.
func Compare(listed []Cancellation, since time.Time, own map[int64]bool, unsettled []cancellation.Request) *Result {
	r := &Result{shown: len(listed), tickets: map[int64]bool{}, items: map[int64]bool{}}
	servers, items := map[int64]bool{}, map[int64]bool{}
	for _, u := range unsettled {
		servers[u.Submission.Card.Server.ID] = true
		if billing := u.Submission.Card.Server.Billing; billing != nil {
			items[billing.ID] = true
		}
	}
	for _, c := range listed {
		r.note(c)
		if c.Made.Before(since) {
			continue
		}
		r.AtSoftLayer++
		switch {
		case own[c.Ticket.ID]:
			r.Ours++
		case c.Ticket.ID == 0 || c.concerns(servers, items):
			r.Unclear = append(r.Unclear, c)
		default:
			r.Elsewhere = append(r.Elsewhere, c)
		}
	}
	for _, list := range [][]Cancellation{r.Elsewhere, r.Unclear} {
		slices.SortFunc(list, func(a, b Cancellation) int { return cmp.Or(a.Made.Compare(b.Made), cmp.Compare(a.ID, b.ID)) })
	}
	return r
}

// ShowsNothing reports whether SoftLayer showed no cancellation at all, whenever it was made.
func (r *Result) ShowsNothing() bool { return r.shown == 0 }

// note keeps what a recorded request is found by.
func (r *Result) note(c Cancellation) {
	if c.Ticket.ID != 0 {
		r.tickets[c.Ticket.ID] = true
		return
	}
	for _, item := range c.Items {
		r.items[item] = true
	}
}

// concerns reports whether a cancellation is of one of these servers or billing items.
func (c Cancellation) concerns(servers, items map[int64]bool) bool {
	return slices.ContainsFunc(c.Servers, func(s Server) bool { return servers[s.ID] }) ||
		slices.ContainsFunc(c.Items, func(item int64) bool { return items[item] })
}

// Check looks for a recorded request with a ticket of its own among the cancellations.
func (r *Result) Check(request cancellation.Request) {
	billing := request.Submission.Card.Server.Billing
	if r.tickets[request.Ticket.ID] || billing != nil && r.items[billing.ID] {
		return
	}
	r.MissingAll++
	if len(r.Missing) < MaxMissing {
		r.Missing = append(r.Missing, request)
	}
}

// News returns those not by this bot that stand and were made since then.
func (r *Result) News(since time.Time) []Cancellation {
	return slices.DeleteFunc(slices.Clone(r.Elsewhere), func(c Cancellation) bool { return c.Voided || c.Made.Before(since) })
}
