package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	cardLife = 24 * time.Hour
	maxCard  = 256 << 10
)

// ErrNoCard says that no card is kept under a digest, or not any more.
var ErrNoCard = errors.New("no such card is kept")

const (
	keepCardSQL = `insert into cards (digest, data, kept_at) values ($1, $2, $3)
		on conflict (digest) do update set kept_at = excluded.kept_at`
	sweepCardsSQL = `delete from cards where digest in (select digest from cards where kept_at <= $1 limit 100)`
	cardSQL       = `select data from cards where digest = $1 and kept_at > $2`
)

// KeepCard keeps a card that does not fit where it belongs, of at most 256 KiB, for
// 24 hours from the last time it was kept. The digest is of the data.
func (s *Store) KeepCard(ctx context.Context, digest string, data []byte) error {
	if len(data) > maxCard {
		return fmt.Errorf("keeping card %q: %d bytes are over the limit of %d", digest, len(data), maxCard)
	}
	err := s.committer.do(ctx, &write{run: func(ctx context.Context, tx *tx, now time.Time) error {
		if _, err := tx.ExecContext(ctx, sweepCardsSQL, stamp(now.Add(-cardLife))); err != nil {
			return fmt.Errorf("clearing old cards away: %w", err)
		}
		_, err := tx.ExecContext(ctx, keepCardSQL, digest, data, stamp(now))
		return err
	}})
	return wrap(fmt.Sprintf("keeping card %q", digest), err)
}

// Card reads a card that was kept, or reports [ErrNoCard].
func (s *Store) Card(ctx context.Context, digest string) ([]byte, error) {
	var data []byte
	now, err := s.engine.now(ctx)
	if err == nil {
		err = s.read.QueryRowContext(ctx, cardSQL, digest, stamp(now.Add(-cardLife))).Scan(&data)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoCard
	}
	return data, wrap(fmt.Sprintf("reading card %q", digest), err)
}
