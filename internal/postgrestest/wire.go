package postgrestest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// Wire is the way to a database, which a test can cut: at a commit, between its being
// sent and its being answered.
type Wire struct {
	listener net.Listener
	server   string
	url      string
	carriers sync.WaitGroup

	mu      sync.Mutex
	loss    *Loss
	severed bool
	cables  map[*cable]bool

	trips atomic.Int64
}

// Loss is what becomes of a commit, and of the wire with it.
type Loss struct {
	Carrying string // a text that its transaction sent
	Done     bool   // the server has it; its answer is lost. Else it never comes there
	Severed  bool   // nobody reaches the server any more, until Mend
}

// NewWire lays a wire to a database, until the test ends.
func NewWire(t testing.TB, database string) *Wire {
	t.Helper()
	at, err := url.Parse(database)
	if err != nil {
		t.Fatalf("laying a wire: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("laying a wire: %v", err)
	}
	w := &Wire{listener: listener, server: at.Host, cables: map[*cable]bool{}}
	if at.Port() == "" {
		w.server = net.JoinHostPort(at.Hostname(), "5432")
	}
	at.Host = listener.Addr().String()
	query := at.Query()
	query.Set("sslmode", "disable") // or there would be nothing to read
	at.RawQuery = query.Encode()
	w.url = at.String()
	w.carriers.Go(w.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		w.sever()
		w.carriers.Wait()
	})
	return w
}

// URL is the database's by this wire.
func (w *Wire) URL() string { return w.url }

// Trips is how often the server has answered that it is ready for the next query: once for each
// round trip, and once for each new session.
func (w *Wire) Trips() int64 { return w.trips.Load() }

// Lose has the next commit of this kind lost, once.
func (w *Wire) Lose(l Loss) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loss = &l
}

// Lost reports whether that has happened.
func (w *Wire) Lost() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loss == nil
}

// Mend lets connections through again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed = false
}

func (w *Wire) sever() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.severed = true
	for c := range w.cables {
		c.cut()
	}
}

func (w *Wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.carriers.Go(func() { w.carry(client) })
	}
}

// cable is one connection through the wire.
type cable struct {
	wire           *Wire
	client, server net.Conn
	sent           []byte // by the client since its last commit
	answers        frames // of the server's
	loss           *Loss  // its answer is on the way; under wire.mu
}

func (c *cable) cut() { _ = errors.Join(c.client.Close(), c.server.Close()) }

// carry takes what both sides say to the other, until one is gone.
func (w *Wire) carry(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &cable{wire: w, client: client, server: server}
	w.mu.Lock()
	severed := w.severed
	w.cables[c] = true
	w.mu.Unlock()
	if severed {
		c.cut()
	}
	var answers sync.WaitGroup
	answers.Go(func() { pass(c, server, client, c.answered) })
	pass(c, client, server, c.asked)
	answers.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.cables, c)
}

// pass takes what one side says to the other where goesOn lets it.
func pass(c *cable, from, to net.Conn, goesOn func(said []byte) bool) {
	defer c.cut()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil || !goesOn(buffer[:n]) {
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

var commit = []byte("commit\x00") // a simple query: postgresql.org/docs/current/protocol-message-formats.html

// asked sees what the client says, and takes the commit that is to be lost.
func (c *cable) asked(said []byte) (goesOn bool) {
	c.sent = append(c.sent, said...)
	if !bytes.HasSuffix(said, commit) {
		return true
	}
	defer func() { c.sent = nil }()
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	l := c.wire.loss
	if l == nil || !bytes.Contains(c.sent, []byte(l.Carrying)) {
		return true
	}
	c.loss, c.wire.loss = l, nil
	if l.Done {
		return true
	}
	c.strike()
	return false
}

// answered sees what the server says, and swallows the answer that is to be lost.
func (c *cable) answered(said []byte) (goesOn bool) {
	c.wire.trips.Add(c.answers.count(readyForQuery, said))
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	if c.loss == nil {
		return true
	}
	c.strike()
	return false
}

// strike cuts all that a loss takes with it; the caller has wire.mu.
func (c *cable) strike() {
	if c.loss.Severed {
		c.wire.severed = true
		for other := range c.wire.cables {
			other.cut()
		}
	}
}

const readyForQuery = 'Z' // postgresql.org/docs/current/protocol-message-formats.html

// frames cuts what the server says into its messages: a letter, and a length that counts itself.
type frames struct {
	head []byte // of the message that began last, as far as it has come
	left int    // bytes of that message that are still to come
}

// count returns how many messages of a kind begin in what was said next.
func (f *frames) count(kind byte, said []byte) (found int64) {
	for len(said) > 0 {
		if f.left > 0 {
			n := min(f.left, len(said))
			said, f.left = said[n:], f.left-n
			continue
		}
		n := min(5-len(f.head), len(said))
		f.head, said = append(f.head, said[:n]...), said[n:]
		if len(f.head) < 5 {
			break
		}
		if f.head[0] == kind {
			found++
		}
		f.left, f.head = int(binary.BigEndian.Uint32(f.head[1:]))-4, f.head[:0]
	}
	return found
}
