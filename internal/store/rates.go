package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrCrowded says that the deployment's rate has no turn left before the caller's deadline.
// Nothing was reserved.
var ErrCrowded = errors.New("too many calls already wait for their turn")

// burst is how far calls may run ahead of an even pace.
const burst = time.Second

const (
	// The next free turn moves on by $3, unless it would then be later than $4.
	reserveSQL = `
		insert into rates (vendor, free_at)
			select cast($1 as text), cast($2 as bigint) + cast($3 as bigint)
			where cast($2 as bigint) + cast($3 as bigint) <= cast($4 as bigint)
		on conflict (vendor) do update set
			free_at = case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint)
		where case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint) <= cast($4 as bigint)
		returning free_at`
	noDeadline = 365 * 24 * time.Hour
)

// reserve takes the next turns for calls to a vendor, which the whole deployment calls
// perSecond times a second, and returns how long the caller has to wait for them. It returns
// ErrCrowded if that would be longer than patience, unless patience is 0.
func (s *Store) reserve(ctx context.Context, vendor string, calls int, perSecond float64, patience time.Duration) (time.Duration, error) {
	if patience <= 0 {
		patience = noDeadline
	}
	taken := time.Duration(float64(calls) / perSecond * float64(time.Second))
	wait, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (time.Duration, error) {
		var free int64
		err := tx.QueryRowContext(ctx, reserveSQL, vendor, now.UnixMicro(), taken.Microseconds(),
			now.Add(patience+burst).UnixMicro()).Scan(&free)
		if errors.Is(err, sql.ErrNoRows) {
			return -1, nil
		}
		return max(time.UnixMicro(free).Add(-burst).Sub(now), 0), err
	})
	if err == nil && wait < 0 {
		err = ErrCrowded
	}
	return max(wait, 0), wrap(fmt.Sprintf("taking a turn to call %s", vendor), err)
}
