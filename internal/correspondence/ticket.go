package correspondence

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"cancel-server/internal/cancellation"
)

// Books are SoftLayer's records of tickets. Every method may fail with cancellation.ErrReadRefused.
type Books interface {
	// Lives reads how far tickets have come, by the ticket's id. That one is missing proves nothing.
	Lives(ctx context.Context, tickets []int64) (map[int64]cancellation.TicketLife, error)
	// Entries reads the updates of a ticket with what they say, the oldest first.
	Entries(ctx context.Context, ticket int64) ([]cancellation.TicketEntry, error)
	// Rights reads what the key may do.
	Rights(ctx context.Context) (cancellation.Rights, error)
}

// Ticket is a ticket as it was read, with all its updates.
type Ticket struct {
	Open    bool
	Entries []cancellation.TicketEntry
}

// LastByStaff returns what SoftLayer's staff wrote last; nil if they wrote nothing.
func (t Ticket) LastByStaff() *cancellation.TicketEntry {
	for _, entry := range slices.Backward(t.Entries) {
		if entry.ByStaff {
			return &entry
		}
	}
	return nil
}

// Last returns the id of the last update; 0 if there is none.
func (t Ticket) Last() int64 {
	if len(t.Entries) == 0 {
		return 0
	}
	return t.Entries[len(t.Entries)-1].ID
}

// read reads a ticket. It returns an error unless the list of updates has the last one: a list that
// lacks rows proves nothing.
func read(ctx context.Context, books Books, ticket int64) (Ticket, error) {
	var lives map[int64]cancellation.TicketLife
	var lifeErr error
	var reading sync.WaitGroup
	reading.Go(func() { lives, lifeErr = books.Lives(ctx, []int64{ticket}) })
	entries, err := books.Entries(ctx, ticket)
	reading.Wait()
	switch {
	case lifeErr != nil:
		return Ticket{}, lifeErr
	case err != nil:
		return Ticket{}, err
	}
	return whole(ticket, lives, entries)
}

// whole puts a ticket together from what was read of it.
func whole(ticket int64, lives map[int64]cancellation.TicketLife, entries []cancellation.TicketEntry) (Ticket, error) {
	life, shown := lives[ticket]
	switch {
	case !shown:
		return Ticket{}, fmt.Errorf("reading ticket %d: %w", ticket, cancellation.ErrTicketHidden)
	case !slices.ContainsFunc(entries, func(e cancellation.TicketEntry) bool { return e.ID == life.Last }):
		return Ticket{}, fmt.Errorf("reading ticket %d: its updates lack the last one, %d", ticket, life.Last)
	}
	return Ticket{Open: life.Open, Entries: entries}, nil
}
