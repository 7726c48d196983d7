package slackui

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// inVirtualTime runs a test whose clock moves on when all wait, at no cost.
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

// transport uses this network, and no proxy of the environment.
func (n *network) transport() *http.Transport {
	transport := NewTransport()
	transport.DialContext, transport.Proxy = n.dial, nil
	return transport
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

// workspace is a strict Slack on a network of its own, and what it saw.
type workspace struct {
	*fakeslack.Workspace
	network *network
	url     string // of the Web API

	mu  sync.Mutex
	saw []fakeslack.Exchange
}

// newWorkspace is a workspace that has not met its bot yet; a test in virtual time makes it.
func newWorkspace(t *testing.T, o fakeslack.Options) *workspace {
	t.Helper()
	const host = "http://slack.test"
	w := &workspace{network: newNetwork(), url: host + "/api/"}
	o.URL, o.RateLimitsOff = host, true
	o.Observe = func(x fakeslack.Exchange) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.saw = append(w.saw, x)
	}
	w.Workspace = fakeslack.New(o)
	server := &http.Server{Handler: w.Handler(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(w.network), http.ErrServerClosed) })
	t.Cleanup(func() {
		w.Workspace.Close()
		assert.NoError(t, server.Close())
		serving.Wait()
	})
	return w
}

// web calls this workspace.
func (w *workspace) web(t *testing.T) *Web {
	t.Helper()
	web, err := NewWeb(WebOptions{BotToken: w.BotToken(), APIURL: w.url, Transport: w.network.transport()})
	require.NoError(t, err)
	t.Cleanup(web.Close)
	return web
}

// seen are the exchanges of one method, as Slack saw them.
func (w *workspace) seen(method string) []fakeslack.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.saw), func(x fakeslack.Exchange) bool { return x.Method != method })
}

// times is when the calls of one method came, counted from a moment.
func (w *workspace) times(method string, since time.Time) []time.Duration {
	var at []time.Duration
	for _, x := range w.seen(method) {
		at = append(at, x.At.Sub(since))
	}
	return at
}

func (w *workspace) rulesBroken() (rules []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, x := range w.saw {
		for _, b := range x.Broke {
			rules = append(rules, x.Method+": "+b.Rule)
		}
	}
	return rules
}

// typed types the command and waits until it is acknowledged or given up.
func (w *workspace) typed(t *testing.T, text string) fakeslack.Ack {
	t.Helper()
	ack, err := w.Command(context.WithoutCancel(t.Context()), fakeslack.Command{
		User: w.Cast().User, Channel: w.Cast().Channel, Command: "/cancel-server", Text: text,
	})
	require.NoError(t, err)
	return ack
}

// wired is a bot's socket, connected to a workspace.
type wired struct {
	*workspace
	socket     *Socket
	dispatcher *Dispatcher
	logged     *lockedText
	began      time.Time
	hangUp     func() error // ends Run and tells its result
}

// wiring is what a test wants otherwise than usual.
type wiring struct {
	slack  fakeslack.Options
	wanted func() int
	before func(w *wired) // before the socket connects
}

// alone wants one connection.
func alone() int { return 1 }

func wire(t *testing.T, o wiring, handler func(w *wired) Handler) *wired {
	t.Helper()
	w := &wired{workspace: newWorkspace(t, o.slack), began: time.Now()}
	log, logged := logInto()
	w.logged = logged
	w.dispatcher = NewDispatcher(DispatcherOptions{Handler: handler(w), Log: log})
	w.socket = NewSocket(SocketOptions{
		AppToken: w.AppToken(), APIURL: w.url, Transport: w.network.transport(), Dispatcher: w.dispatcher, Wanted: o.wanted, Log: log,
	})
	if o.before != nil {
		o.before(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- w.socket.Run(ctx) }()
	w.hangUp = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() {
		assert.NoError(t, w.hangUp())
		assert.NoError(t, w.dispatcher.Shutdown(context.Background()))
	})
	synctest.Wait()
	return w
}

// both waits until both connections stand, well apart from any opening.
func (w *wired) both(t *testing.T) {
	t.Helper()
	time.Sleep(2 * openStagger)
	synctest.Wait()
	require.Equal(t, 2, w.socket.Status().Standing)
}

// replying answers every command with one text.
func replying(text string) func(*wired) Handler {
	return func(*wired) Handler {
		return handlerFuncs{command: func(context.Context, Command) (Reply, After) { return Reply(`{"text":"` + text + `"}`), nil }}
	}
}

// opening answers every command with a form. While hold is set, a command waits for it
// before its form is open.
func opening(t *testing.T, hold <-chan struct{}) func(*wired) Handler {
	return func(w *wired) Handler {
		web := w.web(t)
		return handlerFuncs{command: func(ctx context.Context, c Command) (Reply, After) {
			if c.Text == "hold" {
				<-hold
			}
			_, _, err := web.OpenView(ctx, c.TriggerID, modal())
			assert.NoError(t, err, "each trigger opens one form")
			return nil, nil
		}}
	}
}

// eachGotOneForm holds what Slack received to this: every command was acknowledged and
// got exactly one form.
func (w *wired) eachGotOneForm(t *testing.T, commands int) {
	t.Helper()
	assert.Len(t, w.seen("views.open"), commands, "none lost, none doubled")
	open, err := w.Views(w.Cast().User)
	require.NoError(t, err)
	assert.Len(t, open, commands, "a form for each command")
	acknowledged := map[int]bool{}
	for _, x := range w.seen("slash_command") {
		acknowledged[x.Delivery] = acknowledged[x.Delivery] || x.Status == http.StatusOK
	}
	assert.Len(t, acknowledged, commands)
	for delivery, done := range acknowledged {
		assert.True(t, done, "delivery %d was acknowledged in the end", delivery)
	}
	assert.Empty(t, w.rulesBroken())
}

// connections are the calls that ask for one.
func (w *wired) connections() []time.Duration { return w.times("apps.connections.open", w.began) }

// says reports whether the log has all of these words.
func (w *wired) says(words ...string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(w.logged.String(), word) })
}
