package softlayer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"
)

var errTooLate = errors.New("its deadline passed before it was written")

// lastLook looks at the wall clock right before each write of a filing. A suspended machine
// stops the monotonic clock, by which the context ends: woken, it would write what was to be
// written before it slept.
type lastLook struct {
	until time.Time // by the wall clock; zero for no end
	now   func() time.Time

	opened atomic.Bool // the connection stands: what is written from now on is the request
	begun  atomic.Bool // a part of the request may have left
	late   atomic.Bool // a write was held back
}

func newLastLook(ctx context.Context, now func() time.Time) *lastLook {
	until, _ := ctx.Deadline()
	return &lastLook{until: until.Round(0), now: now}
}

// heldBack reports whether the whole request was held back, so that no byte of it has left.
func (l *lastLook) heldBack() bool { return l != nil && l.late.Load() && !l.begun.Load() }

// timelyConn writes nothing once its time is over. The body stays one that net/http knows to be
// in memory, so that it goes out in one piece with the headers.
type timelyConn struct {
	net.Conn
	look *lastLook
}

// Write implements net.Conn.
func (c *timelyConn) Write(data []byte) (int, error) {
	if until := c.look.until; !until.IsZero() && !c.look.now().Round(0).Before(until) {
		c.look.late.Store(true)
		return 0, errTooLate
	}
	if c.look.opened.Load() {
		c.look.begun.Store(true)
	}
	return c.Conn.Write(data)
}
