package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// inventoryPart is how many bytes of an inventory one commit writes.
const inventoryPart = 256 << 10

// ErrNotOurTurn says that another process reads the inventory now.
var ErrNotOurTurn = errors.New("it is another process's turn")

const (
	inventorySQL      = `select version, found_at from inventory`
	inventoryPartsSQL = `select data from inventory_parts where version = $1 order by part`
	claimInventorySQL = `update inventory set lease_owner = $1, lease_until = $2
		where (lease_owner is null or lease_owner = $1 or lease_until <= $3) and (found_at is null or found_at <= $4)`
	holdInventorySQL = `update inventory set lease_until = lease_until where lease_owner = $1`
	keepPartSQL      = `insert into inventory_parts (version, part, data) values ($1, $2, $3)
		on conflict (version, part) do update set data = excluded.data`
	keepInventorySQL = `update inventory set version = $1, found_at = $2, lease_owner = null, lease_until = null
		where lease_owner = $3 and version <= $1`
	dropPartsSQL = `delete from inventory_parts where version <> $1`
)

// ClaimInventory takes the lease on reading the inventory, or renews it. It returns false
// while another owner has it, and if the kept inventory is younger than age.
func (s *Store) ClaimInventory(ctx context.Context, owner string, age, lease time.Duration) (bool, error) {
	mine, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		return tx.changes(ctx, claimInventorySQL, owner, stamp(now.Add(lease)), stamp(now), stamp(now.Add(-age)))
	})
	return mine, wrap("taking the turn to read all servers", err)
}

// KeepInventory keeps an inventory and ends the owner's lease. Nil data stands for the
// inventory that is kept already. It returns [ErrNotOurTurn], and changes nothing, if the
// lease was lost.
func (s *Store) KeepInventory(ctx context.Context, owner string, data []byte) (version int64, err error) {
	version, _, err = s.inventoryVersion(ctx)
	if err == nil && data != nil {
		version++
		err = s.keepParts(ctx, owner, version, data)
	}
	if err == nil {
		err = s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
			mine, err := tx.changes(ctx, keepInventorySQL, version, stamp(now), owner)
			if err == nil && mine {
				_, err = tx.ExecContext(ctx, dropPartsSQL, version)
			}
			return mine, err
		})
	}
	return version, wrap("storing the snapshot of servers", err)
}

// keepParts writes an inventory that nobody reads yet. It first deletes the parts that an
// earlier owner left behind.
func (s *Store) keepParts(ctx context.Context, owner string, version int64, data []byte) error {
	part := 0
	for piece := range slices.Chunk(data, inventoryPart) {
		err := s.inTurn(ctx, func(ctx context.Context, tx *tx, _ time.Time) (bool, error) {
			mine, err := tx.changes(ctx, holdInventorySQL, owner)
			if err == nil && mine && part == 0 {
				_, err = tx.ExecContext(ctx, dropPartsSQL, version-1)
			}
			if err == nil && mine {
				_, err = tx.ExecContext(ctx, keepPartSQL, version, part, piece)
			}
			return mine, err
		})
		if err != nil {
			return fmt.Errorf("part %d: %w", part, err)
		}
		part++
	}
	return nil
}

// inTurn makes a change that only the lease's owner may make.
func (s *Store) inTurn(ctx context.Context, run func(ctx context.Context, tx *tx, now time.Time) (mine bool, err error)) error {
	return s.inTurnTo(ctx, &write{}, run)
}

func (s *Store) inTurnTo(ctx context.Context, w *write, run func(ctx context.Context, tx *tx, now time.Time) (mine bool, err error)) error {
	mine, err := change(ctx, s.committer, w, run)
	if err == nil && !mine {
		return ErrNotOurTurn
	}
	return err
}

// Inventory reads the kept inventory. Data is nil if its version is known already, or if
// nothing is kept (version 0). age is how long ago the servers were read.
func (s *Store) Inventory(ctx context.Context, known int64) (data []byte, version int64, age time.Duration, err error) {
	const tries = 3 // the version may change between two reads
	for range tries {
		if version, age, err = s.inventoryVersion(ctx); err != nil || version == known || version == 0 {
			break
		}
		if data, err = s.inventoryData(ctx, version); err != nil || data != nil {
			break
		}
		err = errors.New("it changes while it is read")
	}
	return data, version, age, wrap("reading the snapshot of servers", err)
}

func (s *Store) inventoryVersion(ctx context.Context) (version int64, age time.Duration, err error) {
	var found sql.NullInt64
	now, err := s.engine.now(ctx)
	if err == nil {
		err = s.read.QueryRowContext(ctx, inventorySQL).Scan(&version, &found)
	}
	if !found.Valid {
		return version, 0, err
	}
	return version, max(0, now.Sub(time.UnixMilli(found.Int64))), err
}

func (s *Store) inventoryData(ctx context.Context, version int64) (data []byte, err error) {
	parts, err := readAll(ctx, s.read, "reading its parts", func(from row) (part []byte, err error) {
		err = from.Scan(&part)
		return part, err
	}, inventoryPartsSQL, version)
	return slices.Concat(parts...), err
}

const (
	cardLife = 24 * time.Hour
	maxCard  = 256 << 10
)

const (
	keepCardSQL = `insert into cards (digest, data, kept_at) values ($1, $2, $3)
		on conflict (digest) do update set kept_at = excluded.kept_at`
	sweepCardsSQL = `delete from cards where digest in (select digest from cards where kept_at <= $1 limit 100)`
	cardSQL       = `select data from cards where digest = $1 and kept_at > $2`
)

// KeepCard keeps a card of at most 256 KiB for 24 hours from the last call. The digest is that
// of the data.
func (s *Store) KeepCard(ctx context.Context, digest string, data []byte) error {
	if len(data) > maxCard {
		return fmt.Errorf("keeping card %q: %d bytes are over the limit of %d", digest, len(data), maxCard)
	}
	err := s.committer.do(ctx, &write{run: func(ctx context.Context, tx *tx, now time.Time) error {
		if _, err := tx.ExecContext(ctx, sweepCardsSQL, stamp(now.Add(-cardLife))); err != nil {
			return fmt.Errorf("deleting old cards: %w", err)
		}
		_, err := tx.ExecContext(ctx, keepCardSQL, digest, data, stamp(now))
		return err
	}})
	return wrap(fmt.Sprintf("keeping card %q", digest), err)
}

// Card reads a card. It returns [cancellation.ErrNoCard] if none is kept under the digest.
func (s *Store) Card(ctx context.Context, digest string) ([]byte, error) {
	var data []byte
	now, err := s.engine.now(ctx)
	if err == nil {
		err = s.read.QueryRowContext(ctx, cardSQL, digest, stamp(now.Add(-cardLife))).Scan(&data)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = cancellation.ErrNoCard
	}
	return data, wrap(fmt.Sprintf("reading card %q", digest), err)
}
