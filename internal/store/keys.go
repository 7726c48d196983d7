package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// keyLife is how long a used key is remembered.
const keyLife = 30 * 24 * time.Hour

const (
	keyUsedSQL    = `select count(*) from used_keys where key = $1`
	useKeySQL     = `insert into used_keys (key, at) values ($1, $2) on conflict do nothing`
	forgetKeysSQL = `delete from used_keys where key in (select key from used_keys where at < $1 order by at limit 100)`
)

// errKeyTaken says that another process used the key while this transaction ran: it undoes
// all of it.
var errKeyTaken = errors.New("the key was used by another process meanwhile")

// keyUsed reports whether a command or click with this key has changed something before. An
// empty key is never used.
func keyUsed(ctx context.Context, tx *tx, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	var used int
	err := tx.QueryRowContext(ctx, keyUsedSQL, key).Scan(&used)
	return used > 0, wrap("looking for a used key", err)
}

// useKey remembers that a change was made with this key, in the transaction that makes it,
// and forgets old ones.
func useKey(ctx context.Context, tx *tx, key string, now time.Time) error {
	if key == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, forgetKeysSQL, stamp(now.Add(-keyLife))); err != nil {
		return fmt.Errorf("forgetting old keys: %w", err)
	}
	result, err := tx.ExecContext(ctx, useKeySQL, key, stamp(now))
	if err != nil {
		return fmt.Errorf("using a key: %w", err)
	}
	switch made, err := result.RowsAffected(); {
	case err != nil:
		return fmt.Errorf("using a key: %w", err)
	case made == 0:
		return errKeyTaken
	}
	return nil
}
