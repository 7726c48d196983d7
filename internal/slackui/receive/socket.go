package receive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"cancel-server/internal/slackui/webapi"
)

// How many connections a process keeps, and when it opens another.
const (
	mostConnections = 2               // of this process; Slack lets an app have ten
	wantedPause     = 5 * time.Second // between two questions how many are wanted
	// openStagger is the least time between the openings of two open connections. Slack ends a
	// connection some hours after its opening, about 10 s after announcing it. This is longer than
	// that and than an opening takes, so the two never end together.
	openStagger = 30 * time.Second
	// suspectTime is how long a connection must have been silent to be renewed when Slack repeats,
	// on another connection, a delivery that was not acknowledged.
	suspectTime = time.Minute
)

// SocketOptions is what the Socket Mode transport is made of.
type SocketOptions struct {
	AppToken   string `json:"-"`
	APIURL     string // with a trailing slash; "" for Slack's own
	Dispatcher *Dispatcher
	// Wanted returns how many connections this process should keep, 1 or 2: two if it is the only
	// one that serves, so that Slack can always reach it. It is called every 5 s and must not wait.
	// Nil: always 2.
	Wanted func() int
	Log    *slog.Logger
	// Transport carries the calls, and dials the websockets; nil for NewTransport.
	Transport *http.Transport
	Called    webapi.Called // may be nil
}

// Format leaves the token out.
func (o SocketOptions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "receive.SocketOptions") }

// Socket takes Slack's deliveries over Socket Mode: docs.slack.dev/apis/events-api/using-socket-mode.
//
// It keeps one or two connections, and Slack may use either for any delivery. A delivery that is
// not acknowledged, because its connection was cut or is deaf, comes again on any connection: the
// dispatcher and its handler are idempotent.
type Socket struct {
	dispatcher  *Dispatcher
	log         *slog.Logger
	wanted      func() int
	connections *webapi.Connections
	base        *http.Transport
	opening     chan struct{} // holds a token while a connection is opened

	mu       sync.Mutex
	expected int           // the last answer of wanted
	standing []*connection // those that deliveries come on, the oldest first
	heard    time.Time     // of the last hello or envelope
}

// NewSocket makes the transport; Run connects it.
func NewSocket(o SocketOptions) *Socket {
	base := cmp.Or(o.Transport, webapi.NewTransport())
	s := &Socket{
		dispatcher: o.Dispatcher, log: o.Log, wanted: o.Wanted, base: base, opening: make(chan struct{}, 1),
		connections: webapi.NewConnections(o.AppToken, o.APIURL, base, o.Called),
	}
	if s.wanted == nil {
		s.wanted = func() int { return mostConnections }
	}
	return s
}

// SocketStatus is how well Slack can reach the bot.
type SocketStatus struct {
	Standing  int       // connections that deliveries come on
	Wanted    int       // of how many
	LastHeard time.Time // when a hello or an envelope came on any; zero before the first
}

// Status returns the present state. A connection without Slack's pings for 30 s is given up, so
// every open connection is alive.
func (s *Socket) Status() SocketStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return SocketStatus{Standing: len(s.standing), Wanted: s.expected, LastHeard: s.heard}
}

// Run keeps as many connections as are wanted until ctx ends, then lets each answer what it has in
// progress and closes it. The only error is a token that Slack refuses.
func (s *Socket) Run(ctx context.Context) error {
	defer s.base.CloseIdleConnections()
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	var running sync.WaitGroup
	var slots []*slot
	for ctx.Err() == nil {
		wanted := s.askWanted()
		for len(slots) < wanted {
			keeping, hangUp := context.WithCancel(ctx)
			next := &slot{socket: s, hangUp: hangUp}
			slots = append(slots, next)
			running.Go(func() {
				if err := next.keep(keeping); err != nil {
					refuse(err)
				}
			})
		}
		for len(slots) > wanted {
			i := spare(slots)
			slots[i].hangUp()
			slots = slices.Delete(slots, i, i+1)
		}
		select {
		case <-time.After(wantedPause):
		case <-ctx.Done():
		}
	}
	running.Wait()
	if err := context.Cause(ctx); errors.Is(err, errBadToken) {
		return err
	}
	return nil
}

func (s *Socket) askWanted() int {
	wanted := min(max(s.wanted(), 1), mostConnections)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expected = wanted
	return wanted
}

// spare is the slot that matters least: one without a connection, else the youngest.
func spare(slots []*slot) int {
	if i := slices.IndexFunc(slots, func(s *slot) bool { return !s.stands() }); i >= 0 {
		return i
	}
	return len(slots) - 1
}

// takeTurn waits until a connection may be opened in place of the given one: at once if no other is
// open, else openStagger after the youngest other.
func (s *Socket) takeTurn(ctx context.Context, replaced *connection) error {
	for {
		select {
		case s.opening <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		early := s.tooEarly(replaced)
		if early <= 0 {
			return nil
		}
		s.endTurn()
		if err := pause(ctx, early); err != nil {
			return err
		}
	}
}

func (s *Socket) endTurn() { <-s.opening }

func (s *Socket) tooEarly(replaced *connection) (left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.standing {
		if c != replaced {
			left = max(left, openStagger-time.Since(c.opened))
		}
	}
	return left
}

// stand counts a connection that said hello among those that deliveries come on.
func (s *Socket) stand(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = c.opened
	s.standing = append(s.standing, c)
	s.log.Info("connected to Slack by Socket Mode", "connections", len(s.standing), "wanted", s.expected)
}

// end marks a connection for replacement, and why; the first reason counts.
func (s *Socket) end(c *connection, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = slices.DeleteFunc(s.standing, func(o *connection) bool { return o == c })
	if c.why == nil {
		c.why = why
		close(c.ended)
	}
}

// hear notes that a connection carries envelopes. A repeated one was not acknowledged before:
// another connection that has been silent since may have swallowed it.
func (s *Socket) hear(c *connection, repeated bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.heard = time.Now()
	s.heard = c.heard
	for _, other := range s.standing {
		if repeated && other != c && time.Since(other.heard) >= suspectTime {
			other.suspect()
		}
	}
}

// quietFor is how long no envelope has come on a connection.
func (s *Socket) quietFor(c *connection) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(c.heard)
}

// pause waits, or returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
