package store

import (
	"context"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// A request is overdue in these states, or where its result is owed.
const overdueState = `(` + isOpen + ` and state in ('filing', 'unknown', 'stuck') and state_at <= $1)`

var overdueSQL = `select ` + requestColumns + `, ` + owedColumn + ` from requests
		where id in (
			select id from requests where ` + overdueState + `
			union select request_id from notices where kind = 'result' and owed_at <= $1)
			and (created_at > $2 or created_at = $2 and id > $3)
		order by created_at, id limit $4`

const owedColumn = `coalesce((select min(owed_at) from notices where request_id = id and kind = 'result'), 0)`

// Overdue lists what has taken longer than age, the oldest first: at most so many of those
// that come after one, or of all where that is the zero Request.
func (s *Store) Overdue(ctx context.Context, age time.Duration, after cancellation.Request, most int) ([]cancellation.Overdue, error) {
	now, err := s.engine.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing what is overdue: %w", err)
	}
	rows, err := s.read.QueryContext(ctx, overdueSQL, stamp(now.Add(-age)), createdAfter(after), after.ID, most)
	if err != nil {
		return nil, fmt.Errorf("listing what is overdue: %w", err)
	}
	all, err := collect(rows, func(from row) (cancellation.Overdue, error) {
		var owed int64
		r, err := scanRequest(from, &owed)
		return overdue(r, owed, now.Add(-age)), readable(err)
	})
	return all, wrap("listing what is overdue", err)
}

// createdAfter is before every request for the zero Request.
func createdAfter(r cancellation.Request) int64 {
	if r.ID == "" {
		return -1
	}
	return r.CreatedAt.UnixMilli()
}

func overdue(r cancellation.Request, owed int64, before time.Time) cancellation.Overdue {
	o := cancellation.Overdue{Request: r}
	if at := time.UnixMilli(owed).UTC(); owed > 0 && !at.After(before) {
		o.Owed = at
	}
	return o
}
