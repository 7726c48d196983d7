package cancellation

import (
	"context"
	"sync"
	"time"
)

// Outage is what this process knows of a vendor that may answer nobody. While it does
// not, no request is taken out of the table for it: each keeps its place and its time
// there, so that the backlog drains in order afterwards.
type Outage struct {
	ask func(ctx context.Context) error // something that concerns no request

	mu    sync.Mutex
	tries int       // questions in a row without an answer
	next  time.Time // when it is asked again; by this process's own clock
}

// NewOutage watches a vendor by a question that concerns no request: an error means that it
// answers nobody now.
func NewOutage(ask func(ctx context.Context) error) *Outage { return &Outage{ask: ask} }

// suspected finds out, after a call for one request got no answer, whether the vendor
// answers nobody.
func (o *Outage) suspected(ctx context.Context) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tries > 0 || !o.answers(ctx)
}

// pause is how long to leave the vendor alone; 0 where it answers. When the time has
// come it is asked again.
func (o *Outage) pause(ctx context.Context) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tries == 0 {
		return 0
	}
	if left := time.Until(o.next); left > 0 {
		return left
	}
	if o.answers(ctx) {
		return 0
	}
	return time.Until(o.next)
}

// answers asks; the lock is held.
func (o *Outage) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if o.ask(ctx) == nil {
		o.tries = 0
		return true
	}
	o.next = time.Now().Add(min(backoff(o.tries), maxOutagePause))
	o.tries++
	return false
}

// maxOutagePause is how long after a vendor's return its backlog may still wait.
const maxOutagePause = 15 * time.Second

func (f *Filer) askSoftLayer(ctx context.Context) error {
	_, err := f.Tickets.Account(ctx)
	return err
}
