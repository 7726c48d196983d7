package receive

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/inbound"
	"cancel-server/internal/slackui/slacktest"
)

// flooded is a transport that answers every command, on a port with room for few connections.
type flooded struct {
	*http.Client
	url         string
	addr        string
	connections *inbound.Connections
	log         *bytes.Buffer // read it when nothing is sent any more
}

func newFlooded(t *testing.T, room int) *flooded {
	t.Helper()
	f := &flooded{Client: &http.Client{Transport: &http.Transport{}}, connections: inbound.NewConnections(room), log: &bytes.Buffer{}}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	d := NewDispatcher(DispatcherOptions{Handler: replying("done")(nil), Log: log, Within: slacktest.Unhurried})
	server := &http.Server{
		Handler:           NewHTTP(HTTPOptions{SigningSecrets: []string{testSecret}, Dispatcher: d, Log: log, Body: slacktest.Unhurried}).Routes(),
		ReadHeaderTimeout: slacktest.Unhurried,
	}
	base, end := context.WithCancel(context.Background())
	server.BaseContext = func(net.Listener) context.Context { return base }
	f.connections.Guard(server)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	f.addr, f.url = listener.Addr().String(), "http://"+listener.Addr().String()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		f.CloseIdleConnections()
		assert.NoError(t, server.Close())
		end() // nobody is kept waiting
		<-ended
		assert.NoError(t, d.Shutdown(context.Background()))
	})
	return f
}

// sends posts a command, signed if a secret is given, and returns its answer.
func (f *flooded) sends(t *testing.T, text, secret string) (status int, said string) {
	t.Helper()
	body := commandForm(text)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/slack/commands", strings.NewReader(body))
	require.NoError(t, err)
	if secret != "" {
		r.Header = signedHeader(secret, time.Now(), []byte(body))
	}
	r.Header.Set("Content-Type", formKind)
	answer, err := f.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(read)
}

func TestSilentSocketsTakeNobodysPlace(t *testing.T) {
	t.Parallel()
	const room = 20
	f := newFlooded(t, room)
	status, _ := f.sends(t, "first", testSecret) // on a connection that stays open
	require.Equal(t, http.StatusOK, status)
	for range 10 {
		for range room {
			silent, err := net.Dial("tcp", f.addr)
			require.NoError(t, err)
			t.Cleanup(func() { _ = silent.Close() })
			_, _ = silent.Write([]byte("POST /slack/commands HTTP/1.1\r\nHost: bot\r\nX-Slow: ")) // it may be closed by now
		}
		status, said := f.sends(t, "next", testSecret)
		assert.Equal(t, http.StatusOK, status)
		assert.JSONEq(t, `{"text":"done"}`, said)
		newcomer := &flooded{Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, url: f.url}
		status, _ = newcomer.sends(t, "newcomer", testSecret)
		assert.Equal(t, http.StatusOK, status, "who proves soon who they are is let in")
		assert.LessOrEqual(t, f.connections.Len(), room)
	}
}

// A connection that is dropped while its refusal is held is not among those that are counted.
func TestHeldRefusalsOfDroppedConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	const room, most = 20, 300
	f := newFlooded(t, room)
	for range 3 * most {
		broken, err := net.Dial("tcp", f.addr)
		require.NoError(t, err)
		t.Cleanup(func() { _ = broken.Close() })
		_, _ = broken.Write([]byte("POST /slack/commands HTTP/1.1\r\nHost: bot\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n"))
	}
	stacks := make([]byte, 64<<20)
	held := strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "inbound.(*Refusals).Hold(")
	assert.LessOrEqual(t, held, most)
	status, _ := f.sends(t, "honest", testSecret)
	assert.Equal(t, http.StatusOK, status)
}

func TestManyUnsignedRequestsAreHeldAndHardlyLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := slog.New(slog.NewTextHandler(&text, nil))
		d := NewDispatcher(DispatcherOptions{Handler: replying("done")(nil), Log: log})
		routes := NewHTTP(HTTPOptions{SigningSecrets: []string{testSecret}, Dispatcher: d, Log: log}).Routes()
		sends := func(path, secret, body string) int {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
			require.NoError(t, err)
			if secret != "" {
				r.Header = signedHeader(secret, time.Now(), []byte(body))
			}
			r.Header.Set("Content-Type", formKind)
			w := &answered{header: http.Header{}}
			routes.ServeHTTP(w, r)
			return w.status
		}
		took := time.Duration(0)
		for what, each := range map[string]struct {
			path, body string
			status     int
		}{
			"unsigned":                      {"/slack/commands", commandForm("x"), 401},
			"for a path that there is not":  {"/", "", 404},
			"in the dress of a check":       {"/slack/commands", "ssl_check=1&token=x", 0},
			"for the path of another thing": {"/metrics", "", 404},
		} {
			began := time.Now()
			for range 100 { // by one caller, who waits for each answer
				require.Equal(t, each.status, sends(each.path, "", each.body), what)
			}
			took += time.Since(began)
		}
		assert.Greater(t, took, 10*time.Second, "400 requests of a caller who waits for each answer")
		assert.Less(t, strings.Count(text.String(), "\n"), 50)
		assert.Contains(t, text.String(), "left_out=")
		began := time.Now()
		assert.Equal(t, 200, sends("/slack/commands", testSecret, commandForm("honest")))
		assert.Zero(t, time.Since(began), "who signed does not wait")
		require.NoError(t, d.Shutdown(t.Context()))
	})
}

func TestReplaysBeyondAFewAreRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		worked := 0
		d := NewDispatcher(DispatcherOptions{Log: slacktest.Silent(), Handler: handlerFuncs{interaction: func(context.Context, Interaction) (Reply, After) {
			worked++
			return nil, nil
		}}})
		routes := NewHTTP(HTTPOptions{SigningSecrets: []string{testSecret}, Dispatcher: d, Log: slacktest.Silent()}).Routes()
		body := interactionForm(`{"type":"block_suggestion","user":{"id":"U1"},"action_id":"choose","value":"db"}`)
		header := signedHeader(testSecret, time.Now(), []byte(body))
		header.Set("Content-Type", formKind)
		statuses, began := map[int]int{}, time.Now()
		for range 1000 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/slack/interactions", strings.NewReader(body))
			require.NoError(t, err)
			r.Header = header
			w := &answered{header: http.Header{}}
			routes.ServeHTTP(w, r)
			statuses[w.status]++
		}
		assert.Equal(t, worked, statuses[200])
		assert.LessOrEqual(t, worked, 51+20*int(time.Since(began).Seconds()+1), "look-ups are worked again, but not as often as somebody likes: %v", statuses)
		assert.Greater(t, time.Since(began), 30*time.Second)
		assert.Equal(t, 1000, statuses[200]+statuses[429]+statuses[401])
		require.NoError(t, d.Shutdown(t.Context()))
	})
}

func TestSignaturesAreRememberedAndForgotten(t *testing.T) {
	t.Parallel()
	var r repeats
	now := time.Now()
	assert.False(t, r.seen(numbered(1), now))
	assert.True(t, r.seen(numbered(1), now.Add(repeatsLife)), "as long as it verifies")
	for n := range 5 * repeatsEntries {
		r.seen(numbered(n), now)
	}
	assert.LessOrEqual(t, len(r.recent)+len(r.older), 2*repeatsEntries)
	assert.True(t, r.seen(numbered(5*repeatsEntries-1), now))
}

// answered is the answer to a request that came by no connection.
type answered struct {
	header http.Header
	status int
}

func (a *answered) Header() http.Header         { return a.header }
func (a *answered) Write(p []byte) (int, error) { return len(p), nil }
func (a *answered) WriteHeader(status int)      { a.status = status }
