package reconcile

import (
	"context"
	"time"

	"cancel-server/internal/cancellation"
)

// margin is how far SoftLayer's clock and the database's may lie apart, generously. Cancellations are
// read from so long before those that count.
const margin = 24 * time.Hour

// maxUnsettled bounds how many requests are read whose ticket may not be recorded.
const maxUnsettled = 10_000

// Books are SoftLayer's cancellations.
type Books interface {
	// Cancellations reads all cancellation requests that the key sees and that were made since
	// then; zero means all. before is called before each call. It returns an error unless it read
	// all. cancellation.ErrReadRefused: the key may not read them.
	Cancellations(ctx context.Context, since time.Time, before func(context.Context) error) ([]Cancellation, error)
}

// Records are the requests that are recorded here.
type Records interface {
	// OwnTickets returns which of these tickets are recorded as a request's own.
	OwnTickets(ctx context.Context, tickets []int64) (map[int64]bool, error)
	// MayBeOurs lists up to most requests that may have a ticket which is not recorded.
	MayBeOurs(ctx context.Context, most int) ([]cancellation.Request, error)
	// EachFiled hands over the requests that were filed at from or later and before until.
	EachFiled(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error
}

// Sides are both sides of a comparison: what SoftLayer shows, and what is recorded of it.
type Sides struct {
	listed    []Cancellation
	own       map[int64]bool
	unsettled []cancellation.Request
}

// Read reads what SoftLayer shows since then, and what is recorded of it. The records are read last, so
// that a request which is being filed meanwhile is taken for nobody else's.
func Read(ctx context.Context, books Books, records Records, since time.Time, before func(context.Context) error) (*Sides, error) {
	if !since.IsZero() {
		since = since.Add(-margin)
	}
	var s Sides
	var err error
	if s.listed, err = books.Cancellations(ctx, since, before); err != nil {
		return nil, err
	}
	if s.unsettled, err = records.MayBeOurs(ctx, maxUnsettled); err != nil {
		return nil, err
	}
	s.own, err = records.OwnTickets(ctx, Tickets(s.listed))
	return &s, err
}

// Compare sorts the cancellations made since then. That must not be before what was read.
func (s *Sides) Compare(since time.Time) *Result {
	r := Compare(s.listed, since, s.own, s.unsettled)
	if len(s.unsettled) == maxUnsettled { // there may be more of them
		r.Unclear, r.Elsewhere = append(r.Unclear, r.Elsewhere...), nil
	}
	return r
}

// CheckRecords looks for each request that was filed since then, and before until, among what SoftLayer
// shows. If SoftLayer shows nothing at all, nothing is missing: a key without the right may be shown
// nothing.
func (r *Result) CheckRecords(ctx context.Context, records Records, since, until time.Time) error {
	if r.ShowsNothing() {
		return nil
	}
	return records.EachFiled(ctx, since, until, func(request cancellation.Request) error {
		r.Check(request)
		return nil
	})
}
