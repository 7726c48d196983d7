package receive

import (
	"cmp"
	"errors"
	"io"
	"math/bits"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// The bounds of bodies that are being read. Slack sends a body at once, so a sender that holds one
// back is not Slack. What its headers claim proves nothing before the body is complete.
const (
	bodyTime    = time.Second // a body has to be there this long after its headers
	bodiesBytes = 16 << 20    // all bodies that are not whole take no more than this and the first bytes of each
	firstBytes  = 4 << 10     // a body takes as much from the beginning, and more as it arrives
)

var (
	errBodySlow    = refusal{http.StatusRequestTimeout, "the body did not come in time"}
	errBodyDropped = refusal{http.StatusServiceUnavailable, "too many bodies are being read"}
)

// bodies reads the bodies of requests whose signature is not checked yet, and bounds their total
// size. If there is no room, it drops the oldest incomplete body that is large: an honest sender's body is
// complete soon and is never the oldest for long. The small ones always have room, and are bounded by the
// number of connections.
type bodies struct {
	most   int
	within time.Duration

	mu     sync.Mutex
	freed  *sync.Cond
	held   int     // bytes of all that are being read, also of those dropped that have not ended yet
	unread []*body // the oldest first
}

// body is one that is being read.
type body struct {
	held    int // 0 while it has its first bytes alone
	dropped bool
	wake    func() // ends a read that waits for the sender
}

func newBodies(within time.Duration) *bodies {
	b := &bodies{most: bodiesBytes, within: cmp.Or(within, bodyTime)}
	b.freed = sync.NewCond(&b.mu)
	return b
}

// read reads a request's body whole, or returns the refusal that answers it.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	connection := http.NewResponseController(w)
	until := func(t time.Time) { _ = connection.SetReadDeadline(t) } // a server's connection has deadlines
	until(time.Now().Add(b.within))
	own := &body{wake: func() { until(time.Unix(1, 0)) }}
	b.enter(own)
	data, err := b.fill(own, http.MaxBytesReader(w, r.Body, maxBody))
	if b.leave(own) {
		return nil, errBodyDropped
	}
	if err != nil {
		return nil, unreadable(err)
	}
	until(time.Time{})
	return data, nil
}

// fill reads to the end. Its buffer grows with what has arrived.
func (b *bodies) fill(own *body, from io.Reader) ([]byte, error) {
	var data []byte
	for {
		if len(data) == cap(data) {
			room := min(max(2*cap(data), firstBytes), maxBody+1)
			if room > firstBytes {
				if err := b.hold(own, room); err != nil {
					giveBack(data)
					return nil, err
				}
			}
			grown := append(bufferOf(room), data...)
			giveBack(data)
			data = grown
		}
		n, err := from.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case errors.Is(err, io.EOF):
			return data, nil
		case err != nil:
			giveBack(data)
			return nil, err
		}
	}
}

// spares has buffers of bodies that were outgrown or refused, by their size: a flood of those makes no
// garbage. Sizes double from firstBytes on.
var spares [10]sync.Pool

func sparesOf(size int) *sync.Pool { return &spares[bits.Len(uint(size-1)/firstBytes)] }

// bufferOf returns an empty buffer of one of the sizes.
func bufferOf(size int) []byte {
	if old, is := sparesOf(size).Get().(*[]byte); is {
		return (*old)[:0]
	}
	return make([]byte, 0, size)
}

// giveBack takes a buffer that nobody uses any more.
func giveBack(data []byte) {
	if cap(data) > 0 {
		sparesOf(cap(data)).Put(&data)
	}
}

func (b *bodies) enter(own *body) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unread = append(b.unread, own)
}

// leave releases what a body held, and reports whether the body was dropped.
func (b *bodies) leave(own *body) (dropped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unread = slices.DeleteFunc(b.unread, func(each *body) bool { return each == own })
	b.held -= own.held
	b.freed.Broadcast()
	return own.dropped
}

// hold lets a body grow to this many bytes once there is room. To make room it drops older bodies,
// or this one if it is the oldest or no other may be dropped, and waits until they have ended.
func (b *bodies) hold(own *body, size int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for more := size - own.held; !own.dropped; {
		if b.held+more <= b.most {
			b.held, own.held = b.held+more, size
			return nil
		}
		if b.staying()+more > b.most {
			b.dropOldest(own)
			continue
		}
		b.freed.Wait()
	}
	return errBodyDropped
}

// staying is what the bodies that were not dropped hold; the lock is held.
func (b *bodies) staying() (bytes int) {
	for _, each := range b.unread {
		if !each.dropped {
			bytes += each.held
		}
	}
	return bytes
}

// dropOldest drops the oldest that may be dropped and was not yet, or else the one that wants to grow; the
// lock is held.
func (b *bodies) dropOldest(growing *body) {
	goes := growing
	oldest := slices.IndexFunc(b.unread, func(each *body) bool { return !each.dropped && each.held > 0 })
	if oldest >= 0 {
		goes = b.unread[oldest]
	}
	goes.dropped = true
	goes.wake()
	b.freed.Broadcast() // it may be waiting for room itself
}

func unreadable(err error) error {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case tooLarge:
		return refusal{http.StatusRequestEntityTooLarge, "the body is too large"}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errBodySlow
	}
	return refusal{http.StatusBadRequest, "the body cannot be read"}
}
