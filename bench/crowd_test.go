//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// crowd is people who submit at the same time, each on a connection that stays open. It
// spends as little processor time as it can: what it sends is made before it is sent.
type crowd struct {
	form    *form
	clients []*client
}

type client struct {
	conn    net.Conn
	answers *bufio.Reader
}

// crowd connects so many clients, to each of the processes in turn.
func (f *form) crowd(b *testing.B, clients int, to ...*process) *crowd {
	b.Helper()
	c := &crowd{form: f}
	for i := range clients {
		conn, err := net.Dial("tcp", strings.TrimPrefix(to[i%len(to)].url, "http://"))
		require.NoError(b, err)
		b.Cleanup(func() { _ = conn.Close() })
		c.clients = append(c.clients, &client{conn: conn, answers: bufio.NewReader(conn)})
	}
	return c
}

// volley is what came of some submissions.
type volley struct {
	took    []time.Duration // of each that was accepted
	busy    int             // answered with 503
	elapsed time.Duration
}

// submit has the clients make so many submissions, each when its last was answered.
func (c *crowd) submit(b *testing.B, submissions int) volley {
	b.Helper()
	made := make(chan []byte, submissions)
	for range submissions {
		made <- c.form.next()
	}
	close(made)
	each, errs := make([]volley, len(c.clients)), make([]error, len(c.clients))
	began := time.Now()
	var all sync.WaitGroup
	for i, one := range c.clients {
		all.Go(func() {
			for submission := range made {
				if errs[i] = one.submit(submission, &each[i]); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	whole := volley{elapsed: time.Since(began)}
	require.NoError(b, errors.Join(errs...))
	for _, v := range each {
		whole.took, whole.busy = append(whole.took, v.took...), whole.busy+v.busy
	}
	return whole
}

// submit sends one submission. Whatever is neither its acceptance nor a 503 is an error.
func (c *client) submit(submission []byte, v *volley) error {
	began := time.Now()
	status, said, err := c.send(submission)
	switch {
	case err != nil:
		return fmt.Errorf("submitting: %w", err)
	case status == http.StatusServiceUnavailable:
		v.busy++
	case !bytes.Contains(said, []byte(`"response_action":"update"`)):
		return fmt.Errorf("a submission was answered with %d %q", status, said)
	default:
		v.took = append(v.took, time.Since(began))
	}
	return nil
}

func (c *client) send(submission []byte) (status int, said []byte, err error) {
	if _, err := c.conn.Write(submission); err != nil {
		return 0, nil, err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	said, err = io.ReadAll(answer.Body)
	return answer.StatusCode, said, err
}

// first makes one submission and returns the answer.
func (c *crowd) first(b *testing.B) string {
	b.Helper()
	status, said, err := c.clients[0].send(c.form.next())
	require.NoError(b, err)
	require.Equal(b, http.StatusOK, status)
	require.Contains(b, string(said), `"response_action":"update"`, "the bot accepts what it showed")
	return string(said)
}
