package webapi

import (
	"fmt"
	"sync"
	"time"
)

// maxLimits bounds the memory for rate limits. A forgotten limit costs one more call that Slack
// refuses.
const maxLimits = 1000

// limits keeps Slack's rate limits: after a 429 a method is not called again before its Retry-After
// is over (docs.slack.dev/apis/web-api/rate-limits). chat.postMessage has a limit for each channel,
// every other method one for the whole app.
type limits struct {
	mu    sync.Mutex
	until map[limit]time.Time

	called Called
}

// limit is what Slack counts together.
type limit struct{ method, channel string }

// tooEarlyError: no call was made, because Slack asked to wait.
type tooEarlyError struct{ left time.Duration }

// Error is how long is left to wait.
func (e tooEarlyError) Error() string {
	return fmt.Sprintf("not called: Slack asks to wait %v more", max(e.left, time.Millisecond).Round(time.Millisecond))
}

func newLimits(called Called) *limits {
	if called == nil {
		called = func(string, error) {}
	}
	return &limits{until: map[limit]time.Time{}, called: called}
}

// call makes a call of a method, unless Slack asked to wait: tooEarlyError. The channel
// is "" where the method's limit has none.
func (l *limits) call(method, channel string, do func() error) error {
	kind := limit{method, channel}
	if left := l.left(kind); left > 0 {
		return fmt.Errorf("calling %s: %w", method, tooEarlyError{left})
	}
	err := do()
	if err == nil {
		l.called(method, nil)
		return nil
	}
	err = callError(method, err)
	l.called(method, err)
	if pause, limited := RetryAfter(err); limited && pause > 0 {
		l.hold(kind, pause)
	}
	return err
}

func (l *limits) left(kind limit) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.until[kind])
}

// hold keeps calls back for a while. An answer that comes late never shortens it.
func (l *limits) hold(kind limit, pause time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(pause)
	if until.After(l.until[kind]) {
		l.until[kind] = until
	}
	l.forget()
}

// forget drops the limits that are over and, if that is not enough, those that end first; the lock
// is held.
func (l *limits) forget() {
	if len(l.until) <= maxLimits {
		return
	}
	var first limit
	for kind, until := range l.until {
		if time.Until(until) <= 0 {
			delete(l.until, kind)
		} else if at, known := l.until[first]; !known || until.Before(at) {
			first = kind
		}
	}
	if len(l.until) > maxLimits {
		delete(l.until, first)
	}
}
