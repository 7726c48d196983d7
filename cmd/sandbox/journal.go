package main

import (
	"encoding/json"
	"sync"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// Bounds of the journal; its oldest calls go first.
const (
	maxCalls      = 20_000
	maxCallsBytes = 64 << 20 // of request and response bodies together
)

// call is one finished request between Slack, the bot and SoftLayer.
type call struct {
	N        int       `json:"n"`  // from 1, in the order in which the requests ended
	At       time.Time `json:"at"` // when it began, in real time
	MS       int64     `json:"ms"` // how long it took
	From     string    `json:"from"`
	To       string    `json:"to"`
	Method   string    `json:"method"`         // as the vendor names it
	HTTP     string    `json:"http,omitempty"` // the request line, for a call to SoftLayer
	Request  any       `json:"request"`        // JSON, or text that is none
	Response any       `json:"response"`
	Status   int       `json:"status"` // 0: no answer
	Broke    []broken  `json:"broke"`  // rules of the vendor that the bot did not keep
	delivery int       // for fakeslack's Replay; 0 where there is nothing to replay
}

// broken is a vendor's rule that the bot broke, and where the rule is written.
type broken struct {
	Rule   string `json:"rule"`
	Source string `json:"source"`
}

// journal numbers the calls of both fakes in one sequence and keeps the latest ones. The zero value
// is ready.
type journal struct {
	mu    sync.Mutex
	last  int // the number given last
	bytes int
	calls []call
}

func (j *journal) observeSlack(x fakeslack.Exchange) {
	c := call{
		From: x.From, To: x.To, Method: x.Method, Request: x.Request, Response: x.Response,
		Status: x.Status, Broke: []broken{}, delivery: x.Delivery,
	}
	for _, b := range x.Broke {
		c.Broke = append(c.Broke, broken(b))
	}
	j.add(c, x.Duration)
}

func (j *journal) observeSoftLayer(x fakesoftlayer.Exchange) {
	c := call{
		From: "bot", To: "softlayer", Method: x.Method, HTTP: x.HTTPMethod + " " + x.Path,
		Request: x.Request, Response: x.Response, Status: x.Status, Broke: []broken{},
	}
	if x.Query != "" {
		c.HTTP += "?" + x.Query
	}
	for _, b := range x.Broke {
		c.Broke = append(c.Broke, broken(b))
	}
	j.add(c, x.Duration)
}

// add numbers a call that has just ended.
func (j *journal) add(c call, took time.Duration) {
	c.At, c.MS = time.Now().Add(-took), took.Milliseconds()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	c.N = j.last
	j.calls = append(j.calls, c)
	j.bytes += c.size()
	for len(j.calls) > maxCalls || j.bytes > maxCallsBytes {
		j.bytes -= j.calls[0].size()
		j.calls[0] = call{} // let go of its bodies
		j.calls = j.calls[1:]
	}
}

func (c call) size() int { return len(c.HTTP) + bodySize(c.Request) + bodySize(c.Response) }

func bodySize(body any) int {
	switch b := body.(type) {
	case json.RawMessage:
		return len(b)
	case string:
		return len(b)
	}
	return 0
}

// after returns the kept calls with a number above n.
func (j *journal) after(n int) []call {
	j.mu.Lock()
	defer j.mu.Unlock()
	forgotten := j.last - len(j.calls)
	from := min(max(n-forgotten, 0), len(j.calls))
	return append([]call{}, j.calls[from:]...)
}

// delivery returns the number under which fakeslack replays call n; 0 if it
// cannot be replayed.
func (j *journal) delivery(n int) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	i := n - 1 - (j.last - len(j.calls))
	if i < 0 || i >= len(j.calls) {
		return 0
	}
	return j.calls[i].delivery
}
