package store

import (
	"context"
	"fmt"
	"strconv"

	"cancel-server/internal/cancellation"
)

// Whoever held these leases is gone, and nobody has read SoftLayer's books since: a row
// of clean reads begins anew. The new version fences a late writer off, and
// a verb that runs beside and read the row before.
var (
	resumeRequestsSQL = `
		update requests set lease_owner = null, lease_until = null, clean_since = null, recheck = 1, version = version + 1
		where state in ('scheduled', 'filing', 'unknown', 'stuck') and format <= ` + strconv.Itoa(cancellation.Format)
	resumeNoticesSQL = `
		update notices set lease_owner = null, lease_until = null, version = version + 1
		where lease_until is not null`
)

// resume makes a database ready to be served from: nobody holds a lease, and what is
// unfinished reads SoftLayer's books before its next POST, because the file may be a
// copy from yesterday. Rows of a newer build are its own affair.
func (s *Store) resume(ctx context.Context) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("resuming unfinished requests: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after the commit
	if _, err := tx.ExecContext(ctx, resumeRequestsSQL); err != nil {
		return fmt.Errorf("resuming unfinished requests: %w", err)
	}
	if _, err := tx.ExecContext(ctx, resumeNoticesSQL); err != nil {
		return fmt.Errorf("resuming notices: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("resuming unfinished requests: %w", err)
	}
	return nil
}
