package receive

import (
	"sync"
	"time"
)

// The bounds of repeats. A signature verifies for twice stampLife.
const (
	repeatsLife    = 2 * stampLife
	repeatsEntries = 10_000
)

// repeats knows which signatures came before: those of the last repeatsLife, or the last
// repeatsEntries if there are more. It forgets in two halves, so that it is bounded and cheap.
type repeats struct {
	mu            sync.Mutex
	recent, older map[signature]struct{}
	since         time.Time // when recent began
}

// seen notes a signature, and reports whether it came before.
func (r *repeats) seen(sig signature, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.recent) >= repeatsEntries || now.Sub(r.since) > repeatsLife {
		r.recent, r.older, r.since = map[signature]struct{}{}, r.recent, now
	}
	_, recent := r.recent[sig]
	_, older := r.older[sig]
	r.recent[sig] = struct{}{}
	return recent || older
}
