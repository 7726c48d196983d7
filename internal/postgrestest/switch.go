package postgrestest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Switch is a way to a database that can be led to another server, as a proxy, a moved
// address or a name is. What is connected stays where it is.
type Switch struct {
	listener net.Listener
	carriers sync.WaitGroup

	mu    sync.Mutex
	to    string
	conns map[net.Conn]bool
}

// NewSwitch leads to a server, until the test ends.
func NewSwitch(t testing.TB, to string) *Switch {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("making a way to a database: %v", err)
	}
	s := &Switch{listener: listener, to: to, conns: map[net.Conn]bool{}}
	s.carriers.Go(s.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		s.Cut(1)
		s.carriers.Wait()
	})
	return s
}

// Address is its own host and port.
func (s *Switch) Address() string { return s.listener.Addr().String() }

// Lead sends everyone who connects from now on to another server; "" to none.
func (s *Switch) Lead(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = to
}

// Cut ends one connection in so many: every one for 1.
func (s *Switch) Cut(in int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for conn := range s.conns {
		if n%in == 0 {
			_ = conn.Close()
		}
		n++
	}
}

func (s *Switch) accept() {
	for {
		client, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.carriers.Go(func() { s.carry(client) })
	}
}

// carry takes what both sides say to the other, until one is gone.
func (s *Switch) carry(client net.Conn) {
	defer s.forget(client)
	s.mu.Lock()
	to := s.to
	s.conns[client] = true
	s.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	var answers sync.WaitGroup
	answers.Go(func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	})
	_, _ = io.Copy(server, client)
	_ = server.Close()
	answers.Wait()
}

func (s *Switch) forget(client net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, client)
	_ = client.Close()
}
