package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
)

// The database may know less than was done: it may be a copy from yesterday. So what is
// unfinished reads SoftLayer's books before its next POST, in a row of clean reads that
// begins anew. The new version fences a late writer off, and a verb that runs beside and
// read the row before. Rows of a newer build are its own affair.
var (
	recheckSQL = `
		update requests set clean_since = null, version = version + 1,
			recheck = case when recheck > $1 then recheck else $1 end,
			not_after = case when not_after > $2 then not_after else coalesce($2, not_after) end
		where ` + isOpen + ` and state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck') and format <= ` + strconv.Itoa(cancellation.Format)

	// Leases are held on what is open, or due, alone.
	freeRequestsSQL = `update requests set lease_owner = null, lease_until = null where ` + isOpen + ` and lease_until is not null`
	freeNoticesSQL  = `
		update notices set lease_owner = null, lease_until = null, version = version + 1
		where due is not null and lease_until is not null`
	freeInventorySQL = `update inventory set lease_owner = null, lease_until = null`
)

// How much of SoftLayer's books is read before the next POST.
const (
	readOnce    = cancellation.RecheckOnce
	readSettled = cancellation.RecheckSettled
)

// recheck marks what is unfinished. notAfter is until when a POST that the database
// knows nothing of may be under way; zero where none can be.
func recheck(ctx context.Context, tx *sql.Tx, how cancellation.Recheck, notAfter time.Time) error {
	_, err := tx.ExecContext(ctx, recheckSQL, int(how), stamp(notAfter))
	return wrap("marking what is unfinished", err)
}

// resume makes a file ready to be served from: whoever held its leases is gone.
func (s *Store) resume(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("resuming: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after the commit
	if err := recheck(ctx, tx, readOnce, time.Time{}); err != nil {
		return fmt.Errorf("resuming: %w", err)
	}
	for _, free := range []string{freeRequestsSQL, freeNoticesSQL, freeInventorySQL} {
		if _, err := tx.ExecContext(ctx, free); err != nil {
			return fmt.Errorf("resuming: giving leases back: %w", err)
		}
	}
	return wrap("resuming", tx.Commit())
}
