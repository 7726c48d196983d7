package receive

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

// meter counts what a server has read from connections that are open. It knows nothing of
// the code that reads.
type meter struct {
	net.Listener
	mu         sync.Mutex
	held, most int
}

func (m *meter) Accept() (net.Conn, error) {
	conn, err := m.Listener.Accept()
	return &metered{Conn: conn, meter: m}, err
}

func (m *meter) peak() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.most
}

type metered struct {
	net.Conn
	meter *meter
	read  int // under the meter's lock; nothing counts after Close
	over  bool
}

func (c *metered) Read(into []byte) (int, error) {
	n, err := c.Conn.Read(into)
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	if !c.over {
		c.read += n
		c.meter.held += n
		c.meter.most = max(c.meter.most, c.meter.held)
	}
	return n, err
}

func (c *metered) Close() error {
	err := c.Conn.Close()
	c.meter.mu.Lock()
	defer c.meter.mu.Unlock()
	c.meter.held -= c.read
	c.read, c.over = 0, true
	return err
}

// patient is a transport that lets a body take as long as it likes: what is dropped here is
// dropped for want of room, also on a machine that is slow.
func patient(t *testing.T, h Handler, most int) (f *backend, m *meter) {
	t.Helper()
	d := NewDispatcher(DispatcherOptions{Handler: h, Log: slacktest.Silent(), Within: slacktest.Unhurried})
	transport := NewHTTP(HTTPOptions{SigningSecrets: []string{testSecret}, Dispatcher: d, Log: slacktest.Silent(), Body: time.Hour})
	transport.bodies.most = most
	server := httptest.NewUnstartedServer(transport.Routes())
	m = &meter{Listener: server.Listener}
	server.Listener = m
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		assert.NoError(t, d.Shutdown(context.Background()))
	})
	return &backend{Server: server, dispatcher: d}, m
}

// holder sends the headers of a body and all of it but the last byte.
type holder struct {
	net.Conn
	answer *bufio.Reader
}

// hold returns once the bot reads the body.
func hold(t *testing.T, f *backend, size int) *holder {
	t.Helper()
	conn, err := net.Dial("tcp", f.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = fmt.Fprintf(conn, "POST /slack/commands HTTP/1.1\r\nHost: bot\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", formKind, size)
	require.NoError(t, err)
	h := &holder{conn, bufio.NewReader(conn)}
	line, err := h.answer.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "100 Continue")
	_, err = h.answer.ReadString('\n')
	require.NoError(t, err)
	return h
}

func (h *holder) status() int {
	answer, err := http.ReadResponse(h.answer, nil)
	if err != nil {
		return 0 // the connection was closed on what was still sent
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func TestUnfinishedBodiesTakeBoundedMemory(t *testing.T) {
	t.Parallel()
	const attackers = 100
	f, m := patient(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) { return nil, nil }}, bodiesBytes)
	stay := bodiesBytes / maxBody
	dropped := make(chan struct{}, attackers)
	for range attackers {
		attacker := hold(t, f, maxBody)
		go func() { // ends with its connection
			_, _ = attacker.Write(make([]byte, maxBody-1))
			attacker.status()
			dropped <- struct{}{}
		}()
	}
	gone, patience := 0, time.After(30*time.Second)
	for round := 0; gone < attackers-stay; round++ {
		status, _ := f.send(t, post("/slack/commands", commandForm(fmt.Sprint(round))))
		require.Equal(t, 200, status, "a request of Slack's is served meanwhile")
		select {
		case <-dropped:
			gone++
		case <-patience:
			require.FailNow(t, "bodies that are held back must be dropped", "%d of %d were; they take %d bytes", gone, attackers, m.peak())
		}
	}
	// The meter sees a connection end a little after its buffer has gone.
	assert.LessOrEqual(t, m.peak(), 2*bodiesBytes, "what is read of unfinished bodies is bounded")
	status, _ := f.send(t, post("/slack/commands", commandForm("at last")))
	assert.Equal(t, 200, status, "and while as many as may be stay")
}

func TestOldestUnfinishedBodyIsDropped(t *testing.T) {
	t.Parallel()
	const size = 256 << 10
	f, _ := patient(t, untouched(t), 3*size)
	var held []*holder
	for range 3 {
		h := hold(t, f, size)
		_, err := h.Write(make([]byte, size-1))
		require.NoError(t, err)
		held = append(held, h)
	}
	newest := hold(t, f, size)
	_, err := newest.Write(make([]byte, size))
	require.NoError(t, err)
	assert.Equal(t, 401, newest.status(), "the newest is read whole, and then refused because nobody signed it")
	assert.Equal(t, 503, held[0].status(), "the oldest was dropped for it")
	for _, h := range held[1:] {
		_, err := h.Write([]byte("x"))
		require.NoError(t, err)
		assert.Equal(t, 401, h.status(), "a younger one was not")
	}
}

// pipes is a listener without a network: time is virtual alongside it.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	conn, open := <-p
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestABodyHasASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answered := handlerFuncs{command: func(ctx context.Context, _ Command) (Reply, After) {
			select { // longer than a body has
			case <-time.After(2 * time.Second):
				return Reply(`{"text":"done"}`), nil
			case <-ctx.Done():
				return nil, nil
			}
		}}
		d := NewDispatcher(DispatcherOptions{Handler: answered, Log: slacktest.Silent()})
		listener := make(pipes)
		server := &http.Server{Handler: NewHTTP(HTTPOptions{SigningSecrets: []string{testSecret}, Dispatcher: d, Log: slacktest.Silent()}).Routes(), ReadHeaderTimeout: 5 * time.Second}
		go func() { _ = server.Serve(listener) }()
		defer func() { close(listener); _ = server.Close() }()
		dial := func() (net.Conn, *bufio.Reader) {
			conn, backend := net.Pipe()
			listener <- backend
			return conn, bufio.NewReader(conn)
		}

		slow, answer := dial()
		defer slow.Close()
		began := time.Now()
		_, err := fmt.Fprintf(slow, "POST /slack/commands HTTP/1.1\r\nHost: bot\r\nContent-Length: 10\r\n\r\nnine byte")
		require.NoError(t, err)
		response, err := http.ReadResponse(answer, nil)
		require.NoError(t, err)
		assert.Equal(t, 408, response.StatusCode)
		assert.Equal(t, time.Second, time.Since(began))

		honest, answer := dial()
		defer honest.Close()
		for round := range 2 { // on one connection: the second of the first body is over by the second one
			text := commandForm(fmt.Sprint(round))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://bot/slack/commands", strings.NewReader(text))
			require.NoError(t, err)
			request.Header = signedHeader(testSecret, time.Now(), []byte(text))
			request.Header.Set("Content-Type", formKind)
			require.NoError(t, request.Write(honest))
			response, err := http.ReadResponse(answer, request)
			require.NoError(t, err)
			said, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.JSONEq(t, `{"text":"done"}`, string(said), "what was read in time is worked, however long that takes")
		}
	})
}

func TestSmallUnfinishedBodyKeepsItsPlace(t *testing.T) {
	t.Parallel()
	const size = 256 << 10
	f, _ := patient(t, untouched(t), 3*size)
	small := hold(t, f, 100) // the oldest of all
	_, err := small.Write(make([]byte, 99))
	require.NoError(t, err)
	var large []*holder
	for range 4 {
		h := hold(t, f, size)
		_, err := h.Write(make([]byte, size-1))
		require.NoError(t, err)
		large = append(large, h)
	}
	assert.Equal(t, 503, large[0].status(), "the oldest large one was dropped")
	_, err = small.Write([]byte("x"))
	require.NoError(t, err)
	assert.Equal(t, 401, small.status())
}

func TestSpareBuffersHaveTheirSize(t *testing.T) {
	t.Parallel()
	for size := firstBytes; ; size = min(2*size, maxBody+1) {
		giveBack(make([]byte, 5, size))
		for range 3 {
			got := bufferOf(size)
			assert.Equal(t, size, cap(got))
			assert.Empty(t, got)
		}
		if size == maxBody+1 {
			return
		}
	}
}
