package store

import (
	"context"
	"fmt"
	"strings"

	"cancel-server/internal/cancellation"
)

// List lists requests in these states, or in any, the newest first, most at most.
func (s *Store) List(ctx context.Context, states []cancellation.State, most int) ([]cancellation.Request, error) {
	where := ""
	args := []any{most}
	if len(states) > 0 {
		var places []string
		for _, state := range states {
			args = append(args, string(state))
			places = append(places, fmt.Sprintf("$%d", len(args)))
		}
		where = ` where state in (` + strings.Join(places, ", ") + `)`
	}
	rows, err := s.read.QueryContext(ctx, `select `+requestColumns+` from requests`+where+` order by created_at desc, id limit $1`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing requests: %w", err)
	}
	all, err := collect(rows, func(from row) (cancellation.Request, error) {
		r, err := scanRequest(from)
		return r, readable(err)
	})
	return all, wrap("listing requests", err)
}
