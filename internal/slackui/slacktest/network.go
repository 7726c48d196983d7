package slacktest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// InVirtualTime runs a test whose clock moves on when all wait, at no cost.
func InVirtualTime(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// Network carries HTTP and websockets over pipes, which wait in virtual time as
// sockets of the system cannot.
type Network struct {
	dialled chan net.Conn
	closed  chan struct{}
	close   func()
}

// NewNetwork makes a network on which nobody listens yet.
func NewNetwork() *Network {
	n := &Network{dialled: make(chan net.Conn), closed: make(chan struct{})}
	n.close = sync.OnceFunc(func() { close(n.closed) })
	return n
}

// Dial connects to whoever accepts next.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, remote := net.Pipe()
	select {
	case n.dialled <- remote:
		return near, nil
	case <-n.closed:
		return nil, errors.New("nobody listens")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport reaches this network alone.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.Dial}
}

// Accept waits for the next connection.
func (n *Network) Accept() (net.Conn, error) {
	select {
	case conn := <-n.dialled:
		return conn, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses further connections.
func (n *Network) Close() error { n.close(); return nil }

// Addr implements net.Listener.
func (n *Network) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// Workspace is a strict Slack on a network of its own, and what it saw.
type Workspace struct {
	*fakeslack.Workspace
	Network *Network
	URL     string // of the Web API

	mu  sync.Mutex
	saw []fakeslack.Exchange
}

// NewWorkspace is a workspace that has not met its bot yet; a test in virtual time makes it.
func NewWorkspace(t *testing.T, o fakeslack.Options) *Workspace {
	t.Helper()
	const host = "http://slack.test"
	w := &Workspace{Network: NewNetwork(), URL: host + "/api/"}
	o.URL, o.RateLimitsOff = host, true
	o.Observe = func(x fakeslack.Exchange) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.saw = append(w.saw, x)
	}
	w.Workspace = fakeslack.New(o)
	server := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(w.Network), http.ErrServerClosed) })
	t.Cleanup(func() {
		w.Workspace.Close()
		assert.NoError(t, server.Close())
		serving.Wait()
	})
	return w
}

// Seen are the exchanges of one method, as Slack saw them.
func (w *Workspace) Seen(method string) []fakeslack.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.saw), func(x fakeslack.Exchange) bool { return x.Method != method })
}

// Times is when the calls of one method came, counted from a moment.
func (w *Workspace) Times(method string, since time.Time) []time.Duration {
	var at []time.Duration
	for _, x := range w.Seen(method) {
		at = append(at, x.At.Sub(since))
	}
	return at
}

// RulesBroken returns which rules of Slack the bot broke.
func (w *Workspace) RulesBroken() (rules []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.saw {
		for _, b := range x.Broke {
			rules = append(rules, x.Method+": "+b.Rule)
		}
	}
	return rules
}

// Typed types the command and waits until it is acknowledged or given up.
func (w *Workspace) Typed(t *testing.T, text string) fakeslack.Ack {
	t.Helper()
	ack, err := w.Command(context.WithoutCancel(t.Context()), fakeslack.Command{
		User: w.Cast().User, Channel: w.Cast().Channel, Command: "/cancel-server", Text: text,
	})
	require.NoError(t, err)
	return ack
}

// Modal is the smallest modal.
func Modal() slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: slack.NewTextBlockObject("plain_text", "T", false, false),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewDividerBlock()}},
	}
}
