// Package pace keeps calls apart in time.
package pace

import (
	"context"
	"time"
)

// Pace keeps the calls of one goroutine apart.
type Pace struct {
	apart time.Duration
	next  time.Time
}

// Of returns a pace of so many calls a second. The first may be made at once.
func Of(perSecond float64) Pace {
	return Pace{apart: time.Duration(float64(time.Second) / perSecond)}
}

// Wait returns when the next call may be made. It returns ctx's error if ctx ends before that.
func (p *Pace) Wait(ctx context.Context) error {
	Sleep(ctx, time.Until(p.next))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.next = time.Now().Add(p.apart)
	return nil
}

// Sleep waits for d, or until ctx ends.
func Sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
