package skew

import (
	"net/http"
	"sync/atomic"
	"time"
)

// resolution is that of a Date: https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1.
const resolution = time.Second

// Gauge holds what the last answer said. The zero Gauge knows nothing. It is safe for concurrent use.
type Gauge struct{ last atomic.Pointer[time.Duration] }

// Note reads the Date of an answer to a request that this host sent and received at these times.
// Without a Date that can be read it changes nothing.
func (g *Gauge) Note(date string, sent, received time.Time) {
	if at, err := http.ParseTime(date); err == nil {
		ahead := ahead(at, sent, received)
		g.last.Store(&ahead)
	}
}

// Ahead returns how far this host's clock is ahead of the other's at least, negative if it is behind.
// It is 0 if the two may be equal. known is false before the first answer.
func (g *Gauge) Ahead() (ahead time.Duration, known bool) {
	last := g.last.Load()
	if last == nil {
		return 0, false
	}
	return *last, true
}

// ahead returns the smallest difference that explains an answer: it was dated within a second from at
// on, at some moment between sent and received.
func ahead(at, sent, received time.Time) time.Duration {
	least, most := sent.Sub(at.Add(resolution)), received.Sub(at)
	switch {
	case least > 0:
		return least
	case most < 0:
		return most
	}
	return 0
}
