package receive

import (
	"context"
	"sync"
	"time"
)

// Bounds of the memory for answers. Only the database keeps requests safe: a forgotten answer costs
// at most one idempotent call of the handler.
const (
	replayLife    = 10 * time.Minute
	replayEntries = 10_000
	replayBytes   = 8 << 20
)

// replays remembers the reply to each key, so that a repeated delivery does not act again. The key
// is the signature of a request that is repeated byte for byte, or the trigger_id of a command,
// submission or shortcut that Slack delivers again with a new signature.
type replays[K comparable] struct {
	mu     sync.Mutex
	seen   map[K]*remembered[K]
	oldest []*remembered[K] // in the order of their arrival
	bytes  int
}

// remembered is one request and its reply; reply is valid once done is closed.
type remembered[K comparable] struct {
	key   K
	at    time.Time
	done  chan struct{}
	reply Reply
	given bool // the first delivery gave an answer
}

func newReplays[K comparable]() *replays[K] { return &replays[K]{seen: map[K]*remembered[K]{}} }

// once handles the first delivery of a key and gives its answer to all repeats. A repeat that comes
// while the first is in progress waits for it; if the first gave no answer, the repeat is handled.
func (p *replays[K]) once(ctx context.Context, key K, now time.Time, w work) (Reply, After, error) {
	for {
		entry, first := p.enter(key, now)
		if first {
			return p.workFirst(ctx, entry, w)
		}
		select {
		case <-entry.done:
		case <-ctx.Done():
			return nil, nil, errBusy
		}
		if entry.given {
			return entry.reply, nil, nil
		}
	}
}

func (p *replays[K]) workFirst(ctx context.Context, entry *remembered[K], w work) (reply Reply, after After, err error) {
	given := false
	defer func() { p.leave(entry, reply, given) }() // after a panic too
	reply, after, err = w(ctx)
	given = err == nil
	return reply, after, err
}

func (p *replays[K]) enter(key K, now time.Time) (entry *remembered[K], first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.oldest) > 0 && (now.Sub(p.oldest[0].at) > replayLife || len(p.oldest) >= replayEntries || p.bytes > replayBytes) {
		p.forgetOldest()
	}
	if entry := p.seen[key]; entry != nil {
		return entry, false
	}
	entry = &remembered[K]{key: key, at: now, done: make(chan struct{})}
	p.seen[key] = entry
	p.oldest = append(p.oldest, entry)
	return entry, true
}

// leave stores the answer and releases the repeats that wait. An entry that was forgotten meanwhile
// answers only the repeats that hold it.
func (p *replays[K]) leave(entry *remembered[K], reply Reply, given bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry.reply, entry.given = reply, given
	close(entry.done)
	switch {
	case p.seen[entry.key] != entry:
	case given:
		p.bytes += len(reply)
	default:
		delete(p.seen, entry.key) // its place in oldest goes with time
	}
}

// forgetOldest drops the oldest entry; the lock is held.
func (p *replays[K]) forgetOldest() {
	entry := p.oldest[0]
	p.oldest[0] = nil
	p.oldest = p.oldest[1:]
	if p.seen[entry.key] == entry {
		delete(p.seen, entry.key)
		if entry.given {
			p.bytes -= len(entry.reply)
		}
	}
}
