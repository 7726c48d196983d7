package slackui

import (
	"context"
	"errors"
	"sync"
	"time"
)

// errTooSoon: Slack may not be asked again yet, and there is no answer that is new enough.
var errTooSoon = errors.New("asked a moment ago")

// Why a look-up does not start.
var (
	errClosed  = errors.New("the directory is closed")
	errTooMany = errors.New("too many look-ups are under way")
)

// lookup reads one thing from Slack again and again. Callers at the same time share one call; an
// answer is as old as the start of its call.
type lookup[T any] struct {
	read  func(ctx context.Context) (T, error)
	pause time.Duration // least time between the beginnings of two calls
	heard func(T)       // is told each answer, after it counts; nil for nobody

	mu      sync.Mutex
	latest  *reading[T] // the call begun last; nil before the first
	fetched *reading[T] // the last one that was answered
}

// reading is one call; value and err count once done is closed.
type reading[T any] struct {
	begun time.Time
	done  chan struct{}
	value T
	err   error
}

// age is how long ago the call started.
func (r *reading[T]) age(now time.Time) time.Duration { return age(r.begun, now) }

// age is how long ago a moment was: the longer of the monotonic and the wall-clock difference,
// because the monotonic clock stops while a machine is suspended
// (https://pkg.go.dev/time#hdr-Monotonic_Clocks).
func age(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (r *reading[T]) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// fresh returns what was read by a call that is no older than maxAge. It does not wait.
func (l *lookup[T]) fresh(now time.Time, maxAge time.Duration) (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetched == nil || l.fetched.age(now) > maxAge {
		return value, false
	}
	return l.fetched.value, true
}

// begin joins a call that is no older than maxAge, or starts one that the owner owns. An answer
// that is fresh enough wins over a later call that failed.
func (l *lookup[T]) begin(o *owner, now time.Time, maxAge time.Duration) (*reading[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetched != nil && l.fetched.age(now) <= maxAge {
		return l.fetched, nil
	}
	if l.latest != nil {
		if !l.latest.finished() && l.latest.age(now) <= maxAge {
			return l.latest, nil
		}
		if l.latest.age(now) < l.pause {
			return nil, errors.Join(errTooSoon, l.lastError())
		}
	}
	call := &reading[T]{begun: now, done: make(chan struct{})}
	if err := o.run(func(ctx context.Context) { l.call(ctx, call) }); err != nil {
		return nil, err
	}
	l.latest = call
	return call, nil
}

func (l *lookup[T]) lastError() error {
	if l.latest.finished() {
		return l.latest.err
	}
	return nil
}

func (l *lookup[T]) call(ctx context.Context, call *reading[T]) {
	value, err := l.read(ctx)
	l.finish(call, value, err)
	if err == nil && l.heard != nil {
		l.heard(value)
	}
}

func (l *lookup[T]) finish(call *reading[T], value T, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	call.value, call.err = value, err
	if err == nil && (l.fetched == nil || l.fetched.begun.Before(call.begun)) {
		l.fetched = call
	}
	close(call.done)
}

// wait waits for a call's answer until ctx ends; the call itself continues.
func (r *reading[T]) wait(ctx context.Context) (value T, err error) {
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// owner owns goroutines: it bounds their number and time, and waits for them at the end.
type owner struct {
	limit  time.Duration
	places chan struct{}   // one is held by each goroutine
	open   context.Context // ends when the owner is closed
	shut   context.CancelFunc

	mu      sync.Mutex // between starting one and closing
	running sync.WaitGroup
}

func newOwner(limit time.Duration, most int) *owner {
	o := &owner{limit: limit, places: make(chan struct{}, most)}
	o.open, o.shut = context.WithCancel(context.Background())
	return o
}

// run starts work in a goroutine, unless there are too many or the owner is closed.
func (o *owner) run(work func(ctx context.Context)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open.Err() != nil {
		return errClosed
	}
	select {
	case o.places <- struct{}{}:
	default:
		return errTooMany
	}
	o.running.Go(func() {
		defer func() { <-o.places }()
		ctx, cancel := context.WithTimeout(o.open, o.limit)
		defer cancel()
		work(ctx)
	})
	return nil
}

// close ends what runs and waits for it.
func (o *owner) close() {
	o.mu.Lock()
	o.shut()
	o.mu.Unlock()
	o.running.Wait()
}

// underWay counts, by view, the readings of lists that this process makes.
type underWay struct {
	mu    sync.Mutex
	views map[string]int
}

func (u *underWay) add(view string, readings int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.views[view] += readings; u.views[view] == 0 {
		delete(u.views, view)
	}
}

func (u *underWay) reads(view string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.views[view] > 0
}
