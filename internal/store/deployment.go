package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// RateLimiter limits how often a whole deployment calls one vendor, by a row in the database.
// It takes a few turns at a time, so that not every call writes. Turns that are not used
// within a second are lost.
type RateLimiter struct {
	store     *Store
	vendor    string
	perSecond float64
	spent     atomic.Int64 // calls that went without waiting

	taking chan struct{} // held while turns are taken from the database
	mu     sync.Mutex
	left   int
	until  time.Time // when those that are left are lost, by this process's clock
}

// RateLimiter returns the limiter of a vendor: perSecond calls a second, above 0.
func (s *Store) RateLimiter(vendor string, perSecond float64) *RateLimiter {
	return &RateLimiter{store: s, vendor: vendor, perSecond: perSecond, taking: make(chan struct{}, 1)}
}

// atOnce returns how many turns are taken together: those of a fifth of a second.
func (t *RateLimiter) atOnce() int { return max(1, int(t.perSecond/5)) }

// Wait returns when one call may go. It returns [ErrCrowded] at once if that would be after
// ctx's deadline.
func (t *RateLimiter) Wait(ctx context.Context) error {
	if t.take() {
		return nil
	}
	select {
	case t.taking <- struct{}{}:
		defer func() { <-t.taking }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	if t.take() { // somebody took more meanwhile
		return nil
	}
	return t.fetch(ctx)
}

// Spend counts a call that did not wait. Later calls wait longer for it.
func (t *RateLimiter) Spend() { t.spent.Add(1) }

func (t *RateLimiter) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 || time.Now().After(t.until) {
		return false
	}
	t.left--
	return true
}

func (t *RateLimiter) fetch(ctx context.Context) error {
	patience := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline), time.Millisecond)
	}
	calls, spent := t.atOnce(), t.spent.Swap(0)
	wait, err := t.store.reserve(ctx, t.vendor, calls+int(spent), t.perSecond, patience)
	if err != nil {
		t.spent.Add(spent)
		return err
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.until = calls-1, time.Now().Add(time.Second)
	return nil
}

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
