package fakeslack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func newBotClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// signature is v0 of https://docs.slack.dev/authentication/verifying-requests-from-slack
func signature(secret, timestamp, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(mac, "v0:"+timestamp+":"+body)
	return "v0=" + hex.EncodeToString(mac.Sum(nil))
}

// sign makes the headers of a body sent at this real time.
func sign(secret, body, kind string, at time.Time) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	return http.Header{
		"Content-Type":              {kind},
		"User-Agent":                {"Slackbot 1.0 (+https://api.slack.com/robots)"},
		"X-Slack-Request-Timestamp": {timestamp},
		"X-Slack-Signature":         {signature(secret, timestamp, body)},
	}
}

// sendSigned posts a delivery with a new signature, or with the wrong one its fault asks for.
func (w *Workspace) sendSigned(ctx context.Context, d *delivery, fault string, try envelopeTry) Ack {
	secret, at := w.SigningSecret(), time.Now()
	switch fault {
	case FaultBadSignature:
		secret = "not-the-secret"
	case FaultStale:
		at = at.Add(-6 * time.Minute)
	}
	body, kind := d.body()
	header := sign(secret, body, kind, at)
	if try.retry > 0 && d.method == methodEvent {
		header.Set("X-Slack-Retry-Num", strconv.Itoa(try.retry))
		header.Set("X-Slack-Retry-Reason", try.reason)
	}
	w.mu.Lock()
	d.last = sending{body: body, header: header}
	w.mu.Unlock()
	return w.postSigned(ctx, d, fault == FaultBadSignature || fault == FaultStale)
}

// resend posts the bytes that were sent last.
func (w *Workspace) resend(ctx context.Context, d *delivery) Ack { return w.postSigned(ctx, d, false) }

func (w *Workspace) postSigned(ctx context.Context, d *delivery, forged bool) Ack {
	started := time.Now()
	w.mu.Lock()
	out, target := d.last, w.opts.Endpoint+d.path()
	w.mu.Unlock()
	x := Exchange{At: started, From: "slack", To: "bot", Method: d.method, Delivery: d.id, Request: encode(d.readable())}
	ctx, cancel := w.within(ctx, w.opts.AckTimeout)
	defer cancel()
	ack, body := w.postForm(ctx, target, out)
	ack.MS = time.Since(started).Milliseconds()
	took := ack.Error == "" && d.took(ack.Status)
	if ack.Error == "" && !took {
		ack.Error = errDispatch
	}
	switch {
	case forged && took:
		x.Broke = append(x.Broke, Broken{"a request that is not signed as it must be is refused", "https://docs.slack.dev/authentication/verifying-requests-from-slack"})
	case !forged && took:
		x.Broke = w.conclude(d, &ack, body)
	case !forged:
		x.Broke = append(x.Broke, d.untaken())
	}
	if ack.Body == nil {
		ack.Body = bodyJSON(body)
	}
	x.Status, x.Response = ack.Status, body
	w.observe(x, started)
	return ack
}

// postForm makes one request; no answer in time is operation_timeout, any other
// failure dispatch_failed.
func (w *Workspace) postForm(ctx context.Context, target string, out sending) (Ack, []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(out.body))
	if err != nil {
		return Ack{Error: errDispatch}, nil
	}
	request.Header = out.header.Clone()
	request.GetBody = nil // a delivery is never sent again behind our back
	response, err := w.client.Do(request)
	switch {
	case err == nil:
		w.noteReached(true)
	case ctx.Err() != nil: // slow, and there all the same
		return Ack{Error: errTimeout}, nil
	default:
		w.noteReached(false)
		return Ack{Error: errDispatch}, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return Ack{Error: errTimeout}, nil
	}
	return Ack{Status: response.StatusCode, Headers: response.Header}, body
}

// readableForm shows a delivery to people: the payload itself where there is one.
func readableForm(form url.Values) any {
	object := readable(form)
	if payload, ok := object["payload"]; ok {
		return payload
	}
	return object
}

// watching is how often the bot is checked while a page is open.
const watching = 500 * time.Millisecond

// Connected reports whether the bot can be reached now: over Socket Mode by a
// live websocket, over HTTP by an endpoint that answers anything within a second.
func (w *Workspace) Connected() bool { return w.connected(context.Background()) }

func (w *Workspace) connected(ctx context.Context) bool {
	w.mu.Lock()
	http, endpoint := w.opts.Transport == TransportHTTP, w.opts.Endpoint
	w.mu.Unlock()
	if !http {
		return w.sockets.live() > 0
	}
	return endpoint != "" && w.answers(ctx, endpoint)
}

// WasReached reports whether the bot could ever be reached.
func (w *Workspace) WasReached() bool { return w.everReached.Load() }

func (w *Workspace) answers(caller context.Context, endpoint string) bool {
	ctx, cancel := w.within(caller, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/slack/commands", http.NoBody)
	if err != nil {
		return false
	}
	response, err := w.client.Do(request)
	if caller.Err() == nil {
		w.noteReached(err == nil)
	}
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

// noteReached keeps what became of the last request over HTTP, and shows a change
// on open pages. The lock is not held.
func (w *Workspace) noteReached(answered bool) {
	if answered {
		w.everReached.Store(true)
	}
	if w.reached.Swap(answered) != answered {
		w.Wake()
	}
}

// watchBot checks until ctx ends whether the bot can be reached, because over HTTP
// nothing else shows that it went away.
func (w *Workspace) watchBot(ctx context.Context) {
	if w.opts.Transport != TransportHTTP {
		return
	}
	for {
		select {
		case <-time.After(watching):
			w.connected(ctx) // notes and shows a change
		case <-ctx.Done():
			return
		}
	}
}

// WaitReachable returns once the bot can be reached, or with ctx's error.
func (w *Workspace) WaitReachable(ctx context.Context) error {
	for !w.connected(ctx) {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-w.done:
			return fmt.Errorf("waiting for the bot: %w", errClosed)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the bot: %w", ctx.Err())
		}
	}
	return nil
}
