package inbound

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// caller is a connection that knows whether it was closed.
type caller struct {
	net.Conn
	closed bool
}

func (c *caller) Close() error {
	c.closed = true
	return nil
}

// guarded is a server's view of the bound.
func guarded(most int) (*Connections, *http.Server) {
	c, s := NewConnections(most), &http.Server{}
	c.Guard(s)
	return c, s
}

// comes has a caller connect.
func comes(s *http.Server) *caller {
	c := &caller{}
	s.ConnState(c, http.StateNew)
	return c
}

// proves has a caller send a request that proves who they are.
func proves(s *http.Server, c *caller) {
	s.ConnState(c, http.StateActive)
	r, _ := http.NewRequestWithContext(s.ConnContext(context.Background(), c), http.MethodPost, "/", nil)
	Prove(r)
}

func TestAProofHoldsForItsConnection(t *testing.T) {
	t.Parallel()
	_, s := guarded(3)
	honest, another := comes(s), comes(s)
	proves(s, honest)
	for c, proven := range map[*caller]bool{honest: true, another: false} {
		r, err := http.NewRequestWithContext(s.ConnContext(t.Context(), c), http.MethodPost, "/", nil)
		assert.NoError(t, err)
		assert.Equal(t, proven, Proven(r))
	}
}

func TestTheOldestUnprovenConnectionGoes(t *testing.T) {
	t.Parallel()
	bound, s := guarded(3)
	honest, silent, another := comes(s), comes(s), comes(s)
	proves(s, honest)
	assert.Equal(t, 3, bound.Len())
	for _, oldest := range []*caller{silent, another} {
		comes(s)
		assert.True(t, oldest.closed)
		assert.Equal(t, 3, bound.Len())
		s.ConnState(oldest, http.StateClosed) // its server finds out
		assert.Equal(t, 3, bound.Len())
	}
	for range 100 {
		comes(s)
	}
	assert.Equal(t, 3, bound.Len())
	assert.False(t, honest.closed, "however many come")
}

func TestConnectionWithWorkIsKept(t *testing.T) {
	t.Parallel()
	bound, s := guarded(2)
	works, waits := comes(s), comes(s)
	proves(s, works)
	proves(s, waits)
	s.ConnState(waits, http.StateIdle)
	next := comes(s)
	assert.True(t, waits.closed, "all are proven: the one that does nothing goes")
	proves(s, next)
	last := comes(s)
	assert.True(t, last.closed, "all are proven and work: the new one goes")
	assert.False(t, works.closed || next.closed)
	s.ConnState(works, http.StateClosed)
	assert.Equal(t, 1, bound.Len())
}

func TestAnUnguardedRequestProvesNothing(t *testing.T) {
	t.Parallel()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	assert.NoError(t, err)
	Prove(r)
	assert.False(t, Proven(r))
}

func TestManyRefusalsAreKeptWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusals, began := NewRefusals(), time.Now()
		for range promptBurst {
			refusals.Hold(t.Context(), 0)
		}
		assert.Zero(t, time.Since(began), "few are answered at once")
		refusals.Hold(t.Context(), 0)
		assert.Equal(t, holdTime, time.Since(began))
		refusals.Hold(t.Context(), 1<<20)
		assert.Equal(t, 10*holdTime, time.Since(began), "a large body costs more")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 * promptRate {
			refusals.Hold(gone, 0)
		}
		assert.Equal(t, 10*holdTime, time.Since(began), "nobody waits for a caller who has gone")
	})
}

func TestWaitingRefusalsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refusals, began := NewRefusals(), time.Now()
		for refusals.Few() { // as in a flood
			continue
		}
		for range 10 * holdMost {
			go refusals.Hold(t.Context(), 1<<20)
		}
		synctest.Wait()
		assert.EqualValues(t, holdMost, refusals.held.Load(), "the others were answered at once")
		time.Sleep(9 * holdTime)
		synctest.Wait()
		assert.Zero(t, refusals.held.Load())
		refusals.prompt.AllowN(time.Now(), refusals.prompt.Burst())
		refusals.Hold(t.Context(), 0)
		assert.Equal(t, 10*holdTime, time.Since(began), "there is room again")
	})
}

func TestLinesAboutRefusalsAreFew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		log, refusals := slog.New(slog.NewTextHandler(&text, nil)), NewRefusals()
		for range 1000 {
			refusals.Log(log, "refusing a request", "status", 401)
		}
		assert.Equal(t, lineBurst, strings.Count(text.String(), "\n"))
		assert.NotContains(t, text.String(), "left_out")
		time.Sleep(time.Second)
		refusals.Log(log, "refusing a request", "status", 401)
		assert.Equal(t, lineBurst+1, strings.Count(text.String(), "\n"))
		assert.Contains(t, text.String(), "status=401 left_out=990\n")
	})
}
