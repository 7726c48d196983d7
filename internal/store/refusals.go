package store

import (
	"context"
	"time"

	"cancel-server/internal/cancellation"
)

// refusalPause is how long the same refusal of the same person is recorded once.
const refusalPause = time.Hour

// $1 to $4 are an order, $5 the rule that refused it, $6 since when the same refusal counts.
const refusedOrderSQL = `
	insert into filing_orders (frozen, actor, why, at, refused)
	select cast($1 as bigint), cast($2 as text), cast($3 as text), cast($4 as bigint), cast($5 as text)
	where not exists (select 1 from filing_orders where actor = $2 and at > $6 and frozen = $1 and refused = $5)`

// NoteRefusedFreeze records an order about filing that a rule refused: of one person, order
// and rule once an hour.
func (s *Store) NoteRefusedFreeze(ctx context.Context, f cancellation.Freeze, rule string) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		_, err = tx.ExecContext(ctx, refusedOrderSQL, flag(f.Frozen), f.Actor, f.Why, stamp(now), rule, stamp(now.Add(-refusalPause)))
		return none, err
	})
	return wrap("recording a refused freeze", err)
}
