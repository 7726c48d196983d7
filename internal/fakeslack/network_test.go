package fakeslack_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/fakeslack"
)

// inVirtualTime runs a test whose clock moves on when everything waits, at no cost.
func inVirtualTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// network carries HTTP and websockets over pipes, which wait in virtual time as
// sockets of the system cannot.
type network struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

func newNetwork() *network {
	n := &network{dialled: make(chan net.Conn), closed: make(chan struct{})}
	n.close = sync.OnceFunc(func() { close(n.closed) })
	return n
}

func (n *network) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case n.dialled <- far:
		return near, nil
	case <-n.closed:
		return nil, errors.New("nobody listens")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.dialled:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *network) Close() error   { n.close(); return nil }
func (n *network) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// newVirtualStage is a stage in virtual time; its workspace has the clock of that.
func newVirtualStage(t *testing.T, opts fakeslack.Options) *stage {
	t.Helper()
	s := &stage{t: t, url: "http://slack.test"}
	opts.Seed, opts.Observe, opts.URL = 7, s.observe, s.url
	s.Workspace = fakeslack.New(opts)
	n := newNetwork()
	s.dialer.NetDialContext = n.dial
	carrier := &http.Transport{DialContext: n.dial}
	s.http = &http.Client{Transport: carrier}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(n), http.ErrServerClosed) })
	t.Cleanup(func() {
		s.Close()
		carrier.CloseIdleConnections()
		assert.NoError(t, server.Close())
		serving.Wait()
	})
	return s
}
