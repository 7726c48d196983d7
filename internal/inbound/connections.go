package inbound

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"sync"
)

// readBuffer bounds in bytes what the kernel keeps of a connection that nobody reads; it takes twice as much.
// By itself it lets a buffer grow to megabytes, and a container pays for them.
const readBuffer = 32 << 10

// Connections bounds how many connections a server has at once. For each one over the bound it closes
// the oldest whose caller has proved nothing; if all have, the oldest on which nothing is in progress.
// If there is none either, the new one is closed. So a caller who soon proves who they are stays connected,
// however many others come and stay silent.
type Connections struct {
	most int

	mu  sync.Mutex
	all map[net.Conn]*list.Element // of byAge
	// byAge holds a *connection for each, the oldest first.
	byAge *list.List
}

type connection struct {
	net.Conn
	proven, active bool
}

// NewConnections bounds them to most.
func NewConnections(most int) *Connections {
	return &Connections{most: most, all: map[net.Conn]*list.Element{}, byAge: list.New()}
}

// visitKey is where a request's context has its visit.
type visitKey struct{}

// visit is a connection among those that are bounded with it.
type visit struct {
	among *Connections
	conn  net.Conn
}

// Guard has a server keep to the bound. Call it before the server serves.
func (c *Connections) Guard(s *http.Server) {
	s.ConnState = c.changed
	s.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, visitKey{}, visit{c, conn})
	}
}

// Prove notes that the caller of a request has proved who they are. It does nothing if no
// [Connections] guards the request's server.
func Prove(r *http.Request) {
	if v, guarded := r.Context().Value(visitKey{}).(visit); guarded {
		v.among.prove(v.conn)
	}
}

// Proven reports whether who sends a request has proved who they are before, on the same connection.
func Proven(r *http.Request) bool {
	v, guarded := r.Context().Value(visitKey{}).(visit)
	return guarded && v.among.isProven(v.conn)
}

// Len returns how many connections there are.
func (c *Connections) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byAge.Len()
}

func (c *Connections) changed(conn net.Conn, state http.ConnState) {
	if tcp, is := conn.(*net.TCPConn); is && state == http.StateNew {
		_ = tcp.SetReadBuffer(readBuffer) // it works without
	}
	if closing := c.note(conn, state); closing != nil {
		_ = closing.Close() // its server finds that it is closed, and ends what it does for it
	}
}

// note records a connection's state, and returns one to close; nil for none.
func (c *Connections) note(conn net.Conn, state http.ConnState) (closing net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		c.all[conn] = c.byAge.PushBack(&connection{Conn: conn})
		if c.byAge.Len() > c.most {
			return c.drop()
		}
	case http.StateActive, http.StateIdle:
		if at := c.all[conn]; at != nil {
			of(at).active = state == http.StateActive
		}
	case http.StateClosed, http.StateHijacked:
		c.forget(c.all[conn])
	}
	return nil
}

// drop forgets the connection that has to go and returns it; the lock is held.
func (c *Connections) drop() net.Conn {
	latest := c.byAge.Back()
	goes := latest // unless another may go
	for at := c.byAge.Front(); at != latest; at = at.Next() {
		if !of(at).proven {
			goes = at
			break
		}
		if goes == latest && !of(at).active {
			goes = at
		}
	}
	c.forget(goes)
	return of(goes).Conn
}

// forget is for a connection that may have been forgotten before; the lock is held.
func (c *Connections) forget(at *list.Element) {
	if at == nil {
		return
	}
	delete(c.all, of(at).Conn)
	c.byAge.Remove(at)
}

func (c *Connections) prove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.all[conn]; at != nil {
		of(at).proven = true
	}
}

func (c *Connections) isProven(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.all[conn]
	return at != nil && of(at).proven
}

func of(at *list.Element) *connection { return at.Value.(*connection) }
