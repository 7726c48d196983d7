package correspondence

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// How often the key's right is read: again soon while nobody knows.
const (
	rightAge   = time.Hour
	rightRetry = 30 * time.Second
	rightTime  = 20 * time.Second
)

// Right knows whether the key may write into tickets. What was not read is not allowed.
type Right struct {
	books Books
	log   *slog.Logger
	has   atomic.Bool
	bell  chan struct{}
}

// NewRight makes a Right that knows nothing yet.
func NewRight(books Books, log *slog.Logger) *Right {
	return &Right{books: books, log: log, bell: make(chan struct{}, 1)}
}

// Has reports whether the key is known to have the right.
func (r *Right) Has() bool { return r.has.Load() }

// Doubt has the right read again, because SoftLayer refused a text. It never blocks.
func (r *Right) Doubt() {
	r.has.Store(false)
	select {
	case r.bell <- struct{}{}:
	default:
	}
}

// Run reads the right now and then until ctx ends.
func (r *Right) Run(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(r.read(ctx))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-r.bell:
		}
		timer.Stop()
	}
}

// read reads the right and returns when to read it again.
func (r *Right) read(ctx context.Context) time.Duration {
	asking, cancel := context.WithTimeout(ctx, rightTime)
	defer cancel()
	rights, err := r.books.Rights(asking)
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("reading whether the SoftLayer key may write into tickets", "err", err)
		}
		return rightRetry
	}
	if !rights.EditTickets && !r.has.Load() {
		r.log.Warn("the SoftLayer key lacks a right: no replies and no requests to stop", "right", "TICKET_EDIT")
	}
	r.has.Store(rights.EditTickets)
	return rightAge
}
