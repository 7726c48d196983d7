package store

import (
	"context"
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

// atOnce is how many turns are taken together: a fifth of a second's.
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
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.until = calls-1, time.Now().Add(time.Second)
	return nil
}
