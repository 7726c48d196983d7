package fakeslack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// retries is how often an envelope that is not acknowledged is sent again.
const retries = 3

// envelopeTry says how one sending of an envelope differs from the first.
type envelopeTry struct {
	retry  int
	reason string
	fresh  bool // with an envelope_id of its own
}

func retryReason(retry int) string {
	if retry == 0 {
		return ""
	}
	return "timeout"
}

// envelope is what a connection carries.
// https://docs.slack.dev/apis/events-api/using-socket-mode#events
type envelope struct {
	EnvelopeID             string          `json:"envelope_id"`
	Type                   string          `json:"type"`
	Payload                json.RawMessage `json:"payload"`
	AcceptsResponsePayload bool            `json:"accepts_response_payload"`
	RetryAttempt           int             `json:"retry_attempt"`
	RetryReason            string          `json:"retry_reason"`
}

// pursue sends an envelope until it is acknowledged, four times at most. It waits
// for AckTimeout, as the person does; the sending goes on behind it.
func (w *Workspace) pursue(ctx context.Context, d *delivery) Ack {
	started := time.Now()
	first := make(chan Ack, 1)
	w.start(func() {
		for retry := 0; retry <= retries && !w.isClosed(); retry++ {
			try := envelopeTry{retry: retry, reason: retryReason(retry)}
			if ack := w.sendEnvelope(context.Background(), d, try); ack.Status == http.StatusOK {
				first <- ack
				return
			}
		}
	})
	ack := Ack{Error: errTimeout, Body: bodyJSON(nil)}
	select {
	case ack = <-first:
	case <-time.After(w.opts.AckTimeout):
	case <-ctx.Done():
	case <-w.done:
	}
	ack.MS = time.Since(started).Milliseconds()
	return ack
}

func (w *Workspace) isClosed() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// sendEnvelope sends once and waits for the acknowledgement, AckTimeout at most,
// or until the connection is gone.
func (w *Workspace) sendEnvelope(ctx context.Context, d *delivery, try envelopeTry) Ack {
	started := time.Now()
	x := Exchange{At: started, From: "slack", To: "bot", Method: d.method, Delivery: d.id, Request: d.payload}
	ctx, cancel := w.within(ctx, w.opts.AckTimeout)
	defer cancel()
	ack := Ack{Error: errTimeout, Body: bodyJSON(nil)}
	switch payload, fate := w.exchangeEnvelope(ctx, d, try); fate {
	case acked:
		ack = Ack{Status: http.StatusOK}
		x.Broke = w.conclude(d, &ack, payload)
		x.Response = payload
	case late:
		x.Broke = []Broken{{"an envelope is acknowledged within 3 seconds", "https://docs.slack.dev/apis/events-api/using-socket-mode#acknowledge"}}
	}
	ack.MS = time.Since(started).Milliseconds()
	x.Status = ack.Status
	w.observe(x, started)
	return ack
}

// fate is what became of one sending.
type fate int

const (
	lost  fate = iota // the connection went, or there was none: nobody is to blame
	late              // it reached a sound connection and was not acknowledged in time
	acked             // acknowledged
)

// exchangeEnvelope sends one frame and returns the payload of its acknowledgement.
func (w *Workspace) exchangeEnvelope(ctx context.Context, d *delivery, try envelopeTry) ([]byte, fate) {
	s := w.pickSocket(ctx)
	if s == nil {
		return nil, lost
	}
	id := w.envelopeID(d, try.fresh)
	pending := w.sockets.await(id, s)
	defer w.sockets.forget(id, pending)
	s.send(encode(envelope{
		EnvelopeID: id, Type: d.envelope, Payload: d.payload, AcceptsResponsePayload: d.answers,
		RetryAttempt: try.retry, RetryReason: try.reason,
	}))
	select {
	case payload := <-pending.acked:
		return unlessEmpty(payload), acked
	case <-s.gone:
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && s.carries() {
			return nil, late
		}
	}
	return nil, lost
}

// unlessEmpty returns nil for the payload of an empty acknowledgement. Bolt for
// JavaScript writes {} then, whatever it was sent.
// https://github.com/slackapi/node-slack-sdk/blob/main/packages/socket-mode/src/SocketModeClient.ts
func unlessEmpty(payload json.RawMessage) []byte {
	var compact bytes.Buffer
	if json.Compact(&compact, payload) == nil && (compact.String() == "{}" || compact.String() == "null") {
		return nil
	}
	return payload
}

// envelopeID returns the envelope_id that a delivery keeps, or a new one.
func (w *Workspace) envelopeID(d *delivery, fresh bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if fresh || d.envelopeID == "" {
		d.envelopeID = letters(w.random, 32)
	}
	return d.envelopeID
}

// pickSocket waits for a connection; nil if none opens in time.
func (w *Workspace) pickSocket(ctx context.Context) *socket {
	for {
		s, opened := w.sockets.pick()
		if s != nil {
			return s
		}
		select {
		case <-opened:
		case <-ctx.Done():
			return nil
		}
	}
}
