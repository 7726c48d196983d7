package receive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"cancel-server/internal/slackui/webapi"
)

// Bounds of one connection.
const (
	openTime  = 10 * time.Second // for the websocket and its hello
	readLimit = 1 << 20
	pingTime  = 30 * time.Second // Slack pings more often; without, the connection is dead
	ackTime   = 2 * time.Second  // to write an acknowledgement
	// drainTime is how long the work in progress may take when a connection closes: to be answered,
	// and to write the answer.
	drainTime   = replyTime + ackTime + time.Second
	goodbyeTime = time.Second
	// frameLimit is the size at which Slack closes the connection
	// (https://github.com/slack-go/slack/issues/1196). frameBuffer holds a whole frame, since Slack
	// does not join the parts of one (slack-go's socketmode).
	frameLimit  = 20 * 1024
	frameBuffer = 32 << 10
)

// envelope is a frame of Slack's: docs.slack.dev/apis/events-api/using-socket-mode.
type envelope struct {
	Type         string          `json:"type"`
	Reason       string          `json:"reason"` // of a disconnect
	EnvelopeID   string          `json:"envelope_id"`
	Payload      json.RawMessage `json:"payload"`
	RetryAttempt int             `json:"retry_attempt"`
}

// The frames that Slack sends, except those of kinds that the bot does not take.
const (
	frameHello       = "hello"
	frameDisconnect  = "disconnect"
	frameCommand     = "slash_commands"
	frameInteraction = "interactive"
	frameEvent       = "events_api"
	tooMany          = "too_many_websockets"
)

// connection is one websocket to Slack that said hello.
type connection struct {
	ws      *websocket.Conn
	opened  time.Time
	writing sync.Mutex    // of acknowledgements
	ended   chan struct{} // closed when it is to be replaced; why says the reason
	doubted chan struct{} // holds a token when it may be deaf
	idle    chan struct{} // closed when it hangs up and nothing is in hand
	gone    chan struct{} // closed when nothing is read any more

	why   error     // guarded by the socket's mu
	heard time.Time // of its last envelope, or its hello; guarded by the socket's mu

	mu        sync.Mutex
	inHand    int
	hangingUp bool
}

// open asks Slack for a websocket and waits for its hello. The connection that the new one
// replaces, nil for none, stays as it is.
func (s *Socket) open(ctx context.Context, replaced *connection) (*connection, error) {
	if err := s.takeTurn(ctx, replaced); err != nil {
		return nil, err
	}
	defer s.endTurn()
	address, err := s.connections.Open(ctx)
	if err != nil {
		return nil, err
	}
	c, err := s.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	s.stand(c)
	go s.read(c) // ends with the connection; its slot waits for that
	return c, nil
}

func (s *Socket) dial(ctx context.Context, address string) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	dialer := websocket.Dialer{Proxy: s.base.Proxy, NetDialContext: s.base.DialContext, WriteBufferSize: frameBuffer}
	ws, response, err := dialer.DialContext(ctx, address, nil)
	switch {
	case err != nil && response != nil:
		return nil, fmt.Errorf("opening the websocket: %s: %w", response.Status, webapi.WithoutURL(err))
	case err != nil:
		return nil, fmt.Errorf("opening the websocket: %w", webapi.WithoutURL(err))
	}
	cut := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer cut()
	c := newConnection(ws)
	if err := c.awaitHello(); err != nil {
		return nil, errors.Join(fmt.Errorf("waiting for Slack's hello: %w", err), ws.Close())
	}
	return c, nil
}

func newConnection(ws *websocket.Conn) *connection {
	c := &connection{
		ws: ws, ended: make(chan struct{}), doubted: make(chan struct{}, 1), idle: make(chan struct{}), gone: make(chan struct{}),
	}
	c.opened = time.Now()
	c.heard = c.opened
	ws.SetReadLimit(readLimit)
	pong := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		c.live()
		return pong(data)
	})
	c.live()
	return c
}

// live gives the connection another pingTime.
func (c *connection) live() { _ = c.ws.SetReadDeadline(time.Now().Add(pingTime)) }

// awaitHello reads until Slack takes the connection, or sends it away.
func (c *connection) awaitHello() error {
	for {
		e, err := c.next()
		switch {
		case err != nil:
			return err
		case e.Type == frameDisconnect:
			return goodbye(e)
		case e.Type == frameHello:
			return nil
		}
	}
}

// next reads one frame. One that is no envelope is returned as such, and is no error.
func (c *connection) next() (envelope, error) {
	_, frame, err := c.ws.ReadMessage()
	if err != nil {
		return envelope{}, fmt.Errorf("%w: %w", errLost, err)
	}
	c.live()
	var e envelope
	if err := json.Unmarshal(frame, &e); err != nil {
		return envelope{}, nil
	}
	return e, nil
}

// goodbye is why Slack sends a disconnect.
func goodbye(e envelope) error {
	if e.Reason == tooMany {
		return fmt.Errorf("%w (%s)", errCrowded, e.Reason)
	}
	return fmt.Errorf("%w (%s)", errLeave, e.Reason)
}

// read hands over what comes until the connection is gone. It reads on after Slack asked the
// connection to end: Slack closes it some seconds later.
func (s *Socket) read(c *connection) {
	defer close(c.gone)
	for {
		e, err := c.next()
		switch {
		case err != nil:
			s.end(c, err)
			return
		case e.Type == frameDisconnect:
			s.end(c, goodbye(e))
		case e.EnvelopeID == "":
			s.log.Warn("ignoring a frame without an envelope_id", "type", e.Type)
		default:
			s.hear(c, e.RetryAttempt > 0)
			s.deliver(c, e)
		}
	}
}

// await watches a connection and returns why it has to be replaced.
func (s *Socket) await(ctx context.Context, c *connection) error {
	for {
		left := quietTime - s.quietFor(c)
		if left <= 0 {
			return errQuiet
		}
		select {
		case <-c.ended:
			return c.why
		case <-c.doubted:
			return errSuspect
		case <-ctx.Done():
			return errHungUp
		case <-time.After(left):
		}
	}
}

func (c *connection) hasEnded() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// suspect asks for the connection to be renewed.
func (c *connection) suspect() {
	select {
	case c.doubted <- struct{}{}:
	default:
	}
}

// begin registers a delivery as in progress, until finish. After hangUp it reports false.
func (c *connection) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hangingUp && c.inHand == 0 {
		return false
	}
	c.inHand++
	return true
}

func (c *connection) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inHand--
	if c.hangingUp && c.inHand == 0 {
		close(c.idle)
	}
}

// hangUp waits until everything in progress is acknowledged, says goodbye, and closes. Slack
// delivers again whatever comes too late.
func (c *connection) hangUp() {
	c.mu.Lock()
	c.hangingUp = true
	if c.inHand == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	select {
	case <-c.idle:
	case <-c.gone:
	case <-time.After(drainTime):
	}
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if c.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(goodbyeTime)) == nil {
		select {
		case <-c.gone: // Slack has read all that was written
		case <-time.After(goodbyeTime):
		}
	}
	_ = c.ws.Close()
	<-c.gone
}

// acknowledge writes an acknowledgement. A connection that does not take it in time is
// closed: Slack delivers again, on another.
func (c *connection) acknowledge(id string, reply Reply) error {
	frame, err := json.Marshal(struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload,omitempty"`
	}{id, json.RawMessage(reply)})
	if err != nil {
		return err
	}
	if len(frame) >= frameLimit {
		return fmt.Errorf("%d bytes, and Slack takes less than %d", len(frame), frameLimit)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.ws.SetWriteDeadline(time.Now().Add(ackTime))
	if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
		return errors.Join(err, c.ws.Close())
	}
	return nil
}
