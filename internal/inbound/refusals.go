package inbound

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The bounds of [Refusals].
const (
	promptRate  = 20                     // refusals a second that are answered at once
	promptBurst = 50                     // and so many together
	promptBytes = 16 << 10               // a body of so many bytes counts as one more,
	promptMost  = 25                     // and the largest as so many in all
	holdTime    = 500 * time.Millisecond // how long each other one is kept waiting,
	holdBytes   = 128 << 10              // and as long again for so many bytes of its body
	holdMost    = 256                    // so many are kept waiting together: nobody else counts one whose connection is gone
	lineRate    = 1                      // lines of the log a second
	lineBurst   = 10                     // and so many together
)

// Refusals keeps those who are refused from costing much: a caller who sends the next request when
// the last one was answered is slowed down, and the log stays readable.
type Refusals struct {
	prompt, lines *rate.Limiter
	held          atomic.Int64 // that are kept waiting
	leftOut       atomic.Int64
}

// NewRefusals makes the bounds of one kind of refusal.
func NewRefusals() *Refusals {
	return &Refusals{prompt: rate.NewLimiter(promptRate, promptBurst), lines: rate.NewLimiter(lineRate, lineBurst)}
}

// Few reports whether one more refusal may be answered at once.
func (r *Refusals) Few() bool { return r.prompt.Allow() }

// Hold waits while there are more refusals than are answered at once, or until ctx ends: the longer,
// the more bytes were read for this one. It returns at once if [holdMost] wait already: each costs memory, and
// an end of its connection is not noticed if its body was not read to the end.
func (r *Refusals) Hold(ctx context.Context, bytes int) {
	if r.prompt.AllowN(time.Now(), min(1+bytes/promptBytes, promptMost)) {
		return
	}
	defer r.held.Add(-1)
	if r.held.Add(1) > holdMost {
		return
	}
	select {
	case <-time.After(holdTime * time.Duration(1+bytes/holdBytes)):
	case <-ctx.Done():
	}
}

// Log writes a line about a refusal, unless there were too many. The next line that is written says how
// many were left out.
func (r *Refusals) Log(log *slog.Logger, message string, fields ...any) {
	if !r.lines.Allow() {
		r.leftOut.Add(1)
		return
	}
	if n := r.leftOut.Swap(0); n > 0 {
		fields = append(fields, "left_out", n)
	}
	log.Warn(message, fields...)
}
