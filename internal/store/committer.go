package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/cancellation"
)

// ErrClosed says that the store was closed.
var ErrClosed = errors.New("the store is closed")

const (
	queueLength = 1024 // writes that wait; further ones wait for a place
	groupLength = 128  // writes that share a commit
)

// transaction makes a change at one moment of the deciding clock. It may run twice: with its
// group, and alone after the group failed. An error undoes everything.
type transaction func(ctx context.Context, tx *tx, now time.Time) error

// write is one change that waits for its commit.
type write struct {
	batch  string // a group is sorted by batch and server, so that two processes lock in one order
	server int64
	id     string   // of the request or batch that it may create; "" for none
	locks  []string // requests whose batches it changes
	claims bool     // it takes rows that nobody has: it comes last, so that the rows it locks are not held while others wait

	record *recording  // inserted in one statement with the others of the group
	run    transaction // of any other change

	phase phase
	done  chan struct{} // closed once err is final
	err   error
}

// phase decides a race: a caller can withdraw its write only until it has begun.
type phase struct{ atomic.Int32 }

const (
	waiting int32 = iota
	begun
	withdrawn
)

func (p *phase) begin() bool    { return p.CompareAndSwap(waiting, begun) || p.Load() == begun }
func (p *phase) withdraw() bool { return p.CompareAndSwap(waiting, withdrawn) }

// committer owns the one connection that writes, and the goroutine that uses it.
type committer struct {
	db          *sql.DB
	engine      engine
	timeLimit   time.Duration // of one transaction; 0 for none
	shared      bool          // other processes write at the same time
	outcomeTime time.Duration // how long to ask what became of a commit
	commit      func(*sql.Tx) error
	committed   func(took time.Duration)

	queue   chan *write
	closing chan struct{} // closed by stop: take no more
	ended   chan struct{} // closed by the goroutine: nothing moves any more
	once    sync.Once

	broken atomic.Pointer[error] // set by a commit whose outcome is unknown
	mu     sync.Mutex
	doubts map[string]int // by request id: writes that are not answered yet
}

// startCommitter makes the store ready to write. committed may be nil.
func (s *Store) startCommitter(committed func(took time.Duration)) {
	if committed == nil {
		committed = func(time.Duration) {}
	}
	s.committer = &committer{
		db: s.write, engine: s.engine, timeLimit: s.dialect.timeLimit, shared: s.dialect.ownLock != "", outcomeTime: outcomeTime, commit: (*sql.Tx).Commit, committed: committed,
		queue:   make(chan *write, queueLength),
		closing: make(chan struct{}), ended: make(chan struct{}),
		doubts: map[string]int{},
	}
	go s.committer.work()
}

// stop commits the writes that wait, and then ends the goroutine.
func (c *committer) stop() {
	c.once.Do(func() { close(c.closing) })
	<-c.ended
}

// do commits one change. If ctx ends before the change has begun, nothing is written. If it
// ends later, the error is cancellation.ErrUnclear.
func (c *committer) do(ctx context.Context, w *write) error {
	if err := errors.Join(c.ready(), ctx.Err()); err != nil {
		return err
	}
	w.done = make(chan struct{})
	c.expect(w)
	select {
	case c.queue <- w:
	case <-ctx.Done():
		return c.abandon(w, ctx.Err())
	case <-c.closing:
		return c.abandon(w, ErrClosed)
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return c.abandon(w, ctx.Err())
	case <-c.ended:
		return c.abandon(w, ErrClosed)
	}
}

// change commits one change and returns its result. fn returns ErrMoved, ErrNoRequest, ErrRepeated, ErrFrozen,
// an *HourFullError or an *OtherFreezeError only if it wrote nothing: they do not fail the rest of the group.
func change[T any](ctx context.Context, c *committer, w *write,
	fn func(ctx context.Context, tx *tx, now time.Time) (T, error),
) (T, error) {
	var out, none T
	var no error
	w.run = func(ctx context.Context, tx *tx, now time.Time) (err error) {
		out, err = fn(ctx, tx, now)
		no = nil
		if wroteNothing(err) {
			no, err = err, nil
		}
		return err
	}
	switch err := c.do(ctx, w); {
	case errors.Is(err, errKeyTaken):
		return none, cancellation.ErrRepeated // nothing was written
	case err != nil:
		return none, err // out may still be written to
	}
	if no != nil {
		return none, no
	}
	return out, nil
}

func wroteNothing(err error) bool {
	_, full := errors.AsType[*cancellation.HourFullError](err)
	_, other := errors.AsType[*cancellation.OtherFreezeError](err)
	return full || other || errors.Is(err, cancellation.ErrFrozen) || errors.Is(err, cancellation.ErrMoved) || errors.Is(err, cancellation.ErrNoRequest) || errors.Is(err, cancellation.ErrRepeated)
}

// expect counts a write of a request that is under way. Until it is answered, the absence of
// the request's row proves nothing.
func (c *committer) expect(w *write) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doubts[w.id]++
}

func (c *committer) answered(w *write) {
	if c.doubts[w.id]--; c.doubts[w.id] == 0 {
		delete(c.doubts, w.id)
	}
}

// abandon ends a wait early. A write that has begun goes on without its caller.
func (c *committer) abandon(w *write, reason error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	default:
	}
	if w.phase.withdraw() {
		c.answered(w)
		return reason
	}
	return unclear(reason)
}

// doubt reports whether a write of this request or batch is under way.
func (c *committer) doubt(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.doubts[id] > 0
}

func (c *committer) answer(w *write, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.phase.Load() == withdrawn {
		return
	}
	w.err = err
	c.answered(w)
	close(w.done)
}

func (c *committer) ready() error {
	if reason := c.broken.Load(); reason != nil {
		return *reason
	}
	return nil
}

// unclear marks an error after which nobody knows what was written.
func unclear(err error) error { return fmt.Errorf("%w: %w", cancellation.ErrUnclear, err) }

// tx is a transaction of the committer's.
type tx struct {
	*sql.Tx
	epoch    int64 // the last recheck before it
	restored bool  // it froze filing itself, in a database that was restored
}

// changes runs a statement and reports whether it changed a row.
func (t *tx) changes(ctx context.Context, text string, args ...any) (bool, error) {
	result, err := t.ExecContext(ctx, text, args...)
	if err != nil {
		return false, err
	}
	changed, err := result.RowsAffected()
	return changed > 0, err
}
