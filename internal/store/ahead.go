package store

import (
	"context"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// A request that was last changed while the clock was ahead is due by that clock: after it
// was set right, nobody would look at it for as long as it was ahead. So its due time is
// brought to as long after now as it was after that change. Nothing else moves: until
// not-after a POST may be under way, whatever the clock says; what settles waits for its
// time; and what somebody holds a lease on is that one's.

// clockSlack is how far ahead a change may seem to be before that is done.
const clockSlack = time.Minute

// $1 is now, $2 clockSlack after it.
var (
	isAhead = fmt.Sprintf(`state in ('pending', 'scheduled') and format <= %d and due > $2 and updated_at > $2 and `,
		cancellation.Format) + isFree

	aheadSQL  = `select exists (select 1 from requests where ` + isAhead + `)`
	pullInSQL = `update requests set due = $1 + case when due > updated_at then due - updated_at else 0 end,
		updated_at = $1, version = version + 1 where ` + isAhead + ` returning short_ref, due`
)

// pulled is a request whose due time was ahead.
type pulled struct {
	ref string
	due time.Time
}

// pullIn brings what is due too late forward and looks again. next is when the next
// request is due so far.
func (s *Store) pullIn(ctx context.Context, next time.Time) (due bool, _ time.Time, err error) {
	if next.IsZero() { // nothing waits
		return false, next, nil
	}
	now, err := s.engine.now(ctx)
	if err != nil {
		return false, next, err
	}
	var ahead bool
	err = s.read.QueryRowContext(ctx, aheadSQL, stamp(now), stamp(now.Add(clockSlack))).Scan(&ahead)
	if err != nil || !ahead {
		return false, next, err
	}
	all, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) ([]pulled, error) {
		rows, err := tx.QueryContext(ctx, pullInSQL, stamp(now), stamp(now.Add(clockSlack)))
		if err != nil {
			return nil, err
		}
		return collect(rows, func(from row) (p pulled, err error) { return p, from.Scan(&p.ref, (*stamp)(&p.due)) })
	})
	if err != nil {
		return false, next, err
	}
	for _, p := range all {
		s.log.Warn("the clock was ahead when a request was last changed, and was set back: it is looked at earlier", "ref", p.ref, "due", p.due)
	}
	return s.look(ctx, firstDueSQL, nextDueSQL)
}
