package softlayer

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"
)

var errTooLate = errors.New("its time was over before it was written; nothing was sent")

// lastLook looks at the wall clock right before the body of a filing is written. A suspended
// machine stops the monotonic clock, by which the context ends: woken, it would write what
// was to be written before it slept. SoftLayer acts on no request without its body.
type lastLook struct {
	until time.Time // by the wall clock; zero for no end
	now   func() time.Time
	late  atomic.Bool
}

func newLastLook(ctx context.Context, now func() time.Time) *lastLook {
	until, _ := ctx.Deadline()
	return &lastLook{until: until.Round(0), now: now}
}

// before returns a body that fails once the time is over.
func (l *lastLook) before(body io.Reader) io.Reader { return &timelyReader{body, l} }

// tooLate reports whether the body was held back.
func (l *lastLook) tooLate() bool { return l != nil && l.late.Load() }

type timelyReader struct {
	body io.Reader
	look *lastLook
}

// Read implements io.Reader.
func (r *timelyReader) Read(into []byte) (int, error) {
	if until := r.look.until; !until.IsZero() && !r.look.now().Round(0).Before(until) {
		r.look.late.Store(true)
		return 0, errTooLate
	}
	return r.body.Read(into)
}
