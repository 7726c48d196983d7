package store

import (
	"context"
	"fmt"

	"cancel-server/internal/cancellation"
)

// Count is how many requests stand in one state and row format.
type Count struct {
	State  cancellation.State
	Format int
	N      int
}

// isOpen is word for word the condition of the index requests_open. SQLite uses that one
// only where it stands so in a query (https://www.sqlite.org/partialindex.html), and
// without it reads every request that has ended.
const isOpen = `state not in ('filed', 'denied', 'declined', 'expired', 'withdrawn', 'rejected', 'duplicate', 'reverted', 'reclaimed')`

const countsSQL = `select state, format, count(*) from requests where ` + isOpen + `
	group by state, format order by state, format`

// Counts counts the requests that are not at rest: those that are worked on or stuck,
// and those in states or formats that only another build knows. It stays fast however
// many requests have ended.
func (s *Store) Counts(ctx context.Context) ([]Count, error) {
	rows, err := s.read.QueryContext(ctx, countsSQL)
	if err != nil {
		return nil, fmt.Errorf("counting requests: %w", err)
	}
	counts, err := collect(rows, func(from row) (c Count, err error) {
		return c, from.Scan(&c.State, &c.Format, &c.N)
	})
	return counts, wrap("counting requests", err)
}
