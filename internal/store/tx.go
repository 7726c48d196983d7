package store

import (
	"context"
	"database/sql"
)

// tx is a transaction of the committer's.
type tx struct{ *sql.Tx }

// changes runs a statement and reports whether it changed a row.
func (t *tx) changes(ctx context.Context, text string, args ...any) (bool, error) {
	result, err := t.ExecContext(ctx, text, args...)
	if err != nil {
		return false, err
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}
