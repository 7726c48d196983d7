package store

import (
	"context"
	"time"
)

const (
	heartbeatSQL = `insert into replicas (owner, seen_at) values ($1, $2)
		on conflict (owner) do update set seen_at = excluded.seen_at`
	forgetSQL     = `delete from replicas where seen_at <= $1`
	unregisterSQL = `delete from replicas where owner = $1`
	replicasSQL   = `select count(*) from replicas where seen_at > $1`
)

// Heartbeat records that a process serves, and returns how many do: those with a heartbeat
// younger than silence.
func (s *Store) Heartbeat(ctx context.Context, owner string, silence time.Duration) (replicas int, err error) {
	replicas, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (n int, err error) {
		if _, err := tx.ExecContext(ctx, heartbeatSQL, owner, stamp(now)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, forgetSQL, stamp(now.Add(-10*silence))); err != nil {
			return 0, err
		}
		return n, tx.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	})
	return replicas, wrap("recording that this process serves", err)
}

// Replicas counts the processes that serve, as [Store.Heartbeat] does.
func (s *Store) Replicas(ctx context.Context, silence time.Duration) (n int, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	err = s.read.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	return n, wrap("counting the processes that serve", err)
}

// Unregister records that a process has stopped serving.
func (s *Store) Unregister(ctx context.Context, owner string) error {
	err := s.committer.do(ctx, &write{run: func(ctx context.Context, tx *tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, unregisterSQL, owner)
		return err
	}})
	return wrap("recording that this process has stopped serving", err)
}
