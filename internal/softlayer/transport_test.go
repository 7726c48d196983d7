package softlayer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

// wire accepts connections and hands each to do, which may read what came.
func wire(t *testing.T, do func(net.Conn)) (endpoint string, connections *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	connections = &atomic.Int64{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			do(conn)
			_ = conn.Close() // nothing was promised to the client
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-ended
	})
	return listener.Addr().String(), connections
}

// readRequest reads the head and the body of one request.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 64<<10)
	var got []byte
	for !strings.Contains(string(got), `"HARDWARE"]}`) {
		n, err := conn.Read(buffer)
		if got = append(got, buffer[:n]...); err != nil {
			return
		}
	}
}

func TestNothingIsSentWithoutAConnection(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	noTLS, _ := wire(t, func(conn net.Conn) { _, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) })
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	for name, endpoint := range map[string]string{
		"connection refused":               "http://" + closed.Addr().String(),
		"a TLS handshake that fails":       "https://" + noTLS,
		"a certificate nobody vouches for": untrusted.URL,
		"a host name that does not exist":  "https://nowhere.invalid",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, softlayer.Options{Endpoint: endpoint})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // for a resolver that does not answer
			defer cancel()
			outcome := softlayer.NewWriter(c).RequestCancellation(ctx, order())
			assert.Equal(t, cancellation.NotMade, outcome.Kind, outcome.Text)
			_, err := c.Account(ctx)
			require.ErrorIs(t, err, softlayer.ErrNotSent)
			assert.NotErrorIs(t, err, softlayer.ErrAnswerLost)
		})
	}
}

func TestNothingIsSentOnceTheContextIsOver(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(200, `{"id":153572280}`))
	c := v.client(t)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, end := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer end()

	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(c).RequestCancellation(cancelled, order()).Kind)
	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(c).RequestCancellation(late, order()).Kind)
	_, err := softlayer.NewWriter(c).CreateCancelServerTicket(late, 1, "x", "y", false)
	require.ErrorIs(t, err, softlayer.ErrNotSent)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = c.Account(cancelled)
	require.ErrorIs(t, err, softlayer.ErrNotSent)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, v.received(), "requests that went out")
}

func TestContextEndingInTheHandshakeSendsNothing(t *testing.T) {
	t.Parallel()
	stay := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	endpoint, _ := wire(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1)) // the handshake has begun
		cancel()
		<-stay
	})
	defer close(stay)
	c := newClient(t, softlayer.Options{Endpoint: "https://" + endpoint})
	_, err := softlayer.NewWriter(c).CreateCancelServerTicket(ctx, 1, "x", "y", false)
	require.ErrorIs(t, err, softlayer.ErrNotSent)
	require.ErrorIs(t, err, context.Canceled)
}

func TestIncompleteAnswerIsLostAndNotRepeated(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(net.Conn){
		"closed before it was read": func(net.Conn) {},
		"closed after it was read":  readRequest,
		"cut within the head": func(conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Le"))
		},
		"cut within the body": func(conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + `{"id":153572280}`))
		},
		"a refusal cut within its body": func(conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{"))
		},
		"no HTTP at all": func(conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("SSH-2.0-OpenSSH\r\n\r\n"))
		},
		"asked to send again on another connection": func(conn net.Conn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endpoint, connections := wire(t, do)
			c := newClient(t, softlayer.Options{Endpoint: "http://" + endpoint})
			outcome := softlayer.NewWriter(c).RequestCancellation(t.Context(), order())
			assert.Equal(t, cancellation.AnswerLost, outcome.Kind, outcome.Text)
			assert.Equal(t, int64(1), connections.Load(), "connections")
		})
	}
}

func TestFilingThatEndsEarlyLosesTheAnswer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	v := newVendor(t, func(http.ResponseWriter, received) {
		cancel()
		<-t.Context().Done()
	})
	c := newClient(t, softlayer.Options{Endpoint: v.URL, Timeout: time.Nanosecond})
	_, err := softlayer.NewWriter(c).CreateCancelServerTicket(ctx, 1, "x", "y", false)
	require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	require.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, softlayer.ErrNotSent)
	assert.Len(t, v.received(), 1)
}

func TestEachFilingHasAConnectionOfItsOwn(t *testing.T) {
	t.Parallel()
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"id":153572280}`) // the client may have left
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, softlayer.Options{Endpoint: server.URL})
	_, err := c.Account(t.Context())
	require.NoError(t, err)
	for range 3 {
		require.Equal(t, cancellation.Made, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()).Kind)
	}
	assert.Equal(t, int64(4), opened.Load(), "connections")
}

func TestReadsKeepTheirConnections(t *testing.T) {
	t.Parallel()
	const atOnce = 16
	var opened atomic.Int64
	came, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-answer
		_, _ = io.WriteString(w, `{"id":307608}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, softlayer.Options{Endpoint: server.URL})
	for range 3 {
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				_, err := c.Account(t.Context())
				assert.NoError(t, err)
			})
		}
		for range atOnce { // all are under way
			<-came
		}
		for range atOnce {
			answer <- struct{}{}
		}
		all.Wait()
	}
	assert.EqualValues(t, atOnce, opened.Load(), "connections")
}

func TestNoRedirectTakesTheCredentialsElsewhere(t *testing.T) {
	t.Parallel()
	elsewhere := newVendor(t, says(200, `{"id":153572280}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		v := newVendor(t, reply{status: status, header: map[string]string{"Location": elsewhere.URL}}.write)
		c := v.client(t)
		assert.Equal(t, cancellation.AnswerLost, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()).Kind)
		_, err := c.Account(t.Context())
		require.ErrorIs(t, err, softlayer.ErrAnswerLost)
	}
	assert.Empty(t, elsewhere.received(), "requests that followed")
}

func TestLongAnswerIsNotReadCompletely(t *testing.T) {
	t.Parallel()
	written := make(chan int, 2)
	v := newVendor(t, func(w http.ResponseWriter, _ received) {
		sent := 0
		_, err := io.WriteString(w, `{"id":153572280,"title":"`)
		for block := strings.Repeat("x", 64<<10); err == nil && sent < 64<<20; sent += len(block) {
			_, err = io.WriteString(w, block)
		}
		written <- sent
	})
	c := v.client(t)
	assert.Equal(t, cancellation.AnswerLost, softlayer.NewWriter(c).RequestCancellation(t.Context(), order()).Kind)
	_, err := c.Account(t.Context())
	require.ErrorContains(t, err, "longer than 1048576 bytes")
	for range 2 {
		assert.Less(t, <-written, 32<<20, "bytes that were taken")
	}
}

// leaks are servers that give the credentials back, wherever an error could pick them up.
func leaks() map[string]func(http.ResponseWriter, *http.Request) {
	basic := base64.StdEncoding.EncodeToString([]byte(testUser + ":" + testKey))
	secrets := testKey + " and " + basic
	body := func(status int, format string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "https://"+testKey+".example.com/")
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, format, secrets) // the client may have left
		}
	}
	return map[string]func(http.ResponseWriter, *http.Request){
		"in the error's text":   body(500, `{"error":"bad key %s"}`),
		"in the error's class":  body(500, `{"error":"x","code":"%s"}`),
		"in a page":             body(401, "<p>%s</p>"),
		"in a redirect":         body(307, "%s"),
		"in place of an object": body(200, `"%s"`),
		"in place of an id":     body(200, `{"id":"%s"}`),
		"in place of a list":    body(200, `[{"keyName":{"%s":1}}]`),
		"in a broken head": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_, _ = conn.Write([]byte("HTTP/1.1 " + secrets + "\r\n\r\n"))
				_ = conn.Close()
			}
		},
		"in the middle of a text that is cut": body(500, `{"error":"`+strings.Repeat("x", 280)+` %s"}`),
	}
}

func TestNoErrorShowsTheKey(t *testing.T) {
	t.Parallel()
	for name, answer := range leaks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(answer))
			t.Cleanup(server.Close)
			c := newClient(t, softlayer.Options{Endpoint: server.URL})
			outcome := softlayer.NewWriter(c).RequestCancellation(t.Context(), order())
			assertNoSecret(t, outcome.Text)
			failed := 0
			for _, err := range everyError(t.Context(), c) {
				if err == nil {
					continue // an answer that this method can take
				}
				failed++
				assertNoSecret(t, fmt.Sprintf("%v %+v %#v", err, err, err))
				for inner := err; inner != nil; inner = errors.Unwrap(inner) {
					assertNoSecret(t, inner.Error())
				}
			}
			assert.Positive(t, failed, "calls that failed")
		})
	}
}

// everyError calls each method once.
func everyError(ctx context.Context, c *softlayer.Client) map[string]error {
	errs := map[string]error{}
	_, errs["file"] = softlayer.NewWriter(c).CreateCancelServerTicket(ctx, 1, "x", "y", false)
	_, errs["server"] = c.Server(ctx, 1)
	_, errs["namesakes"] = c.Namesakes(ctx, "db-042")
	_, errs["search"] = c.Search(ctx, "db-042", 10)
	_, errs["ticket"] = c.Ticket(ctx, 1)
	_, errs["tickets"] = c.TicketsOf(ctx, 1, time.Time{})
	_, errs["open ticket"] = c.OpenCancellationTicket(ctx, 1)
	_, errs["account"] = c.Account(ctx)
	_, errs["rights"] = c.Rights(ctx)
	_, errs["cutoff"] = c.Cutoff(ctx, "1")
	return errs
}

func assertNoSecret(t *testing.T, text string) {
	t.Helper()
	assert.NotContains(t, text, testKey)
	assert.NotContains(t, text, base64.StdEncoding.EncodeToString([]byte(testUser + ":" + testKey))[:20])
	assert.NotContains(t, text, "Basic ")
	assert.NotContains(t, text, "\n")
}
