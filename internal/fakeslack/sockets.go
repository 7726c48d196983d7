package fakeslack

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxSockets     = 10          // of an app, at once: https://docs.slack.dev/apis/events-api/using-socket-mode#using-multiple-connections
	ticketLife     = time.Minute // of this fake; Slack only says that the URL is used once
	knownEnvelopes = 1000        // envelope ids remembered, to tell a late acknowledgement from a wrong one
)

// sockets is the open Socket Mode connections, and which envelopes wait on them.
type sockets struct {
	mu      sync.Mutex
	tickets map[string]time.Time
	open    []*socket
	ghosts  int // connections that are gone and still count
	turn    int
	opened  chan struct{} // closed and replaced when a connection opens
	waiting map[string][]*wait
	known   *recent[string, bool]
}

// wait is one sending of an envelope that is not acknowledged yet.
type wait struct {
	socket *socket
	acked  chan json.RawMessage
}

func newSockets() *sockets {
	return &sockets{tickets: make(map[string]time.Time), opened: make(chan struct{}), waiting: make(map[string][]*wait), known: newRecent[string, bool](knownEnvelopes)}
}

// appsConnectionsOpen is https://docs.slack.dev/reference/methods/apps.connections.open
func (w *Workspace) appsConnectionsOpen(call) (response, *apiError) {
	ticket := letters(w.random, 32)
	w.sockets.admit(ticket, w.now())
	return response{"url": "ws" + strings.TrimPrefix(w.opts.URL, "http") + "/socket/" + ticket}, nil
}

func (s *sockets) admit(ticket string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for old, at := range s.tickets {
		if now.Sub(at) > ticketLife {
			delete(s.tickets, old)
		}
	}
	s.tickets[ticket] = now
}

// redeem uses up a ticket.
func (s *sockets) redeem(ticket string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := s.tickets[ticket]
	delete(s.tickets, ticket)
	return known && now.Sub(at) <= ticketLife
}

// add registers a connection and says hello on it before any envelope can follow. It
// reports false for one too many, which gets neither.
func (s *sockets) add(c *socket, most int, hello func(connections int) []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	standing := s.ghosts + 1
	for _, o := range s.open {
		if !o.refused {
			standing++
		}
	}
	s.open = append(s.open, c)
	if standing > most {
		c.refused = true
		c.leaving.Store(true)
		return false
	}
	c.send(hello(standing))
	close(s.opened)
	s.opened = make(chan struct{})
	return true
}

// drop takes a connection out; a second time changes nothing. It reports whether the
// connection still counts, until vanish.
func (s *sockets) drop(c *socket, lingers bool) (counts bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.open, c)
	if i < 0 {
		return false
	}
	s.open = slices.Delete(s.open, i, i+1)
	if c.refused || !lingers {
		return false
	}
	s.ghosts++
	return true
}

// vanish ends the counting of a connection that lingered.
func (s *sockets) vanish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ghosts--
}

// pick returns the connection whose turn it is, or nil and a channel that tells
// of the next one. Slack gives a payload to any one of an app's connections.
func (s *sockets) pick() (*socket, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range s.open {
		s.turn++
		if c := s.open[s.turn%len(s.open)]; !c.leaving.Load() {
			return c, nil
		}
	}
	return nil, s.opened
}

// live counts the connections over which envelopes reach the bot.
func (s *sockets) live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.open {
		if c.carries() && !c.leaving.Load() {
			n++
		}
	}
	return n
}

func (s *sockets) all() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.open)
}

func (s *sockets) closeAll() {
	for _, c := range s.all() {
		c.sever()
	}
}

// await registers a sending of an envelope; forget takes it back.
func (s *sockets) await(id string, c *socket) *wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := &wait{socket: c, acked: make(chan json.RawMessage, 1)}
	s.waiting[id] = append(s.waiting[id], pending)
	if !s.known.get(id) {
		s.known.put(id, true)
	}
	return pending
}

func (s *sockets) forget(id string, gone *wait) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(id, gone)
}

func (s *sockets) remove(id string, gone *wait) {
	left := slices.DeleteFunc(s.waiting[id], func(o *wait) bool { return o == gone })
	if s.waiting[id] = left; len(left) == 0 {
		delete(s.waiting, id)
	}
}

// acknowledge ends the oldest sending that waits for this acknowledgement, one of
// the same connection first. It reports whether such an envelope ever went out.
func (s *sockets) acknowledge(id string, c *socket, payload json.RawMessage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	pending := s.waiting[id]
	if len(pending) == 0 {
		return s.known.get(id)
	}
	i := max(0, slices.IndexFunc(pending, func(o *wait) bool { return o.socket == c }))
	first := pending[i]
	s.remove(id, first)
	first.acked <- payload
	return true
}
