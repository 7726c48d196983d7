package fakeslack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

// What Slack delivers to a bot, by the names that Exchange and Fault use.
const (
	methodCommand    = "slash_command"
	methodSubmission = "view_submission"
	methodClosed     = "view_closed"
	methodActions    = "block_actions"
	methodSuggestion = "block_suggestion"

	methodShortcut        = "shortcut"
	methodMessageShortcut = "message_action"

	methodEvent        = "event_callback"
	methodVerification = "url_verification"
)

func deliveryMethods() []string {
	return []string{
		methodCommand, methodSubmission, methodClosed, methodActions, methodSuggestion, methodShortcut, methodMessageShortcut,
		methodEvent, methodVerification,
	}
}

// The errors of an Ack, as Slack words them to people.
const (
	errTimeout  = "operation_timeout"  // not acknowledged in time
	errDispatch = "dispatch_failed"    // the bot could not be reached, or did not answer 200
	errTrouble  = "trouble_connecting" // what the bot answered to a submission makes no sense
)

// Ack is how the bot acknowledged a delivery. Over HTTP Status is the bot's own;
// over Socket Mode 200, or 0 where no acknowledgement came in time.
type Ack struct {
	Status  int             `json:"status"`
	MS      int64           `json:"ms"`
	Body    json.RawMessage `json:"body"`  // JSON as the bot sent it, other text as a JSON string, null for none
	Error   string          `json:"error"` // "", "operation_timeout", "dispatch_failed" or "trouble_connecting"
	Headers http.Header     `json:"-"`     // of the bot's response, over HTTP
}

// delivery is one request to the bot, kept so that it can be delivered again.
type delivery struct {
	id         int
	method     string
	envelope   string          // "slash_commands", "interactive" or "events_api"
	form       url.Values      // its body over HTTP; nil: that is the payload, as JSON
	payload    json.RawMessage // its payload over Socket Mode
	answers    bool            // the acknowledgement may carry a body
	accept     func(body []byte) *apiError
	answered   bool
	outcome    string  // the Error that settling gave
	last       sending // over HTTP
	envelopeID string  // over Socket Mode
}

// sending is a signed request as it went out, for a replay byte for byte.
type sending struct {
	body   string
	header http.Header
}

// deliver sends a request to the bot as its transport and faults say, and waits
// for the acknowledgement, AckTimeout at most.
func (w *Workspace) deliver(ctx context.Context, d *delivery) Ack {
	w.mu.Lock()
	w.delivered++
	d.id = w.delivered
	w.sent.put(d.id, d)
	http := w.opts.Transport == TransportHTTP
	w.mu.Unlock()
	fault := w.takeFault(d.method)
	send := func(retry int) Ack {
		return w.sendEnvelope(ctx, d, envelopeTry{retry: retry, reason: retryReason(retry)})
	}
	if http {
		send = func(retry int) Ack {
			return w.sendSigned(ctx, d, fault, envelopeTry{retry: retry, reason: "http_timeout"})
		}
	}
	switch {
	case fault == FaultLateAnswer:
		w.mu.Lock()
		d.answered, d.outcome = true, errTimeout
		w.mu.Unlock()
		return send(0)
	case fault == FaultTwiceAtOnce:
		return atOnce(send)
	case fault == FaultRedeliver:
		first := send(0)
		send(1)
		return first
	case http && d.method == methodEvent && fault == "":
		return w.pursueEvent(ctx, d)
	case http:
		return send(0)
	}
	return w.pursue(ctx, d)
}

// atOnce sends twice at the same time and returns the first sending's acknowledgement.
func atOnce(send func(retry int) Ack) (first Ack) {
	var both sync.WaitGroup
	both.Go(func() { send(1) })
	first = send(0)
	both.Wait()
	return first
}

// Replay delivers an earlier request again, by the number in its Exchange: newly
// signed or in a new envelope, or with sameBytes exactly as it went out last. What
// the bot answers has no effect if the delivery was answered before.
func (w *Workspace) Replay(ctx context.Context, deliveryID int, sameBytes bool) (Ack, error) {
	w.mu.Lock()
	d, http := w.sent.get(deliveryID), w.opts.Transport == TransportHTTP
	w.mu.Unlock()
	switch {
	case d == nil:
		return Ack{}, fmt.Errorf("replaying delivery %d: %w", deliveryID, errUnknownID)
	case http && sameBytes:
		return w.resend(ctx, d), nil
	case http:
		return w.sendSigned(ctx, d, "", envelopeTry{}), nil
	case sameBytes:
		return w.sendEnvelope(ctx, d, envelopeTry{}), nil
	}
	return w.sendEnvelope(ctx, d, envelopeTry{fresh: true}), nil
}

// conclude lets the bot's answer take effect, once, and reports what was wrong with it.
func (w *Workspace) conclude(d *delivery, ack *Ack, body []byte) []Broken {
	body = bytes.TrimSpace(body)
	ack.Body = bodyJSON(body)
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.answered {
		ack.Error = d.outcome
		return nil
	}
	d.answered = true
	if len(body) > 0 && !d.answers && !(d.method == methodEvent && w.opts.Transport == TransportHTTP) { // there it is ignored
		return []Broken{{d.method + " is acknowledged with no body", "https://docs.slack.dev/interactivity/handling-user-interaction"}}
	}
	if err := d.accept(body); err != nil {
		d.outcome = errTrouble
		ack.Error = errTrouble
		return err.broken
	}
	return nil
}

// bodyJSON shows an answer as JSON: itself, a string, or null where it is empty.
func bodyJSON(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return json.RawMessage("null")
	case json.Valid(body):
		return json.RawMessage(body)
	}
	return encode(string(body))
}

// Exchange is one finished request between Slack and the bot. Bodies are JSON,
// bounded, and without tokens, secrets, tickets or response_url paths.
type Exchange struct {
	At       time.Time       `json:"at"`
	Duration time.Duration   `json:"duration"`
	From     string          `json:"from"`   // "slack" or "bot"
	To       string          `json:"to"`     // the other one
	Method   string          `json:"method"` // "chat.postMessage", "response_url", "slash_command", "view_submission", …
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Status   int             `json:"status"`   // 0: no response; Socket Mode: 200 for an acknowledgement
	Delivery int             `json:"delivery"` // for Replay; 0 where the bot called
	Broke    []Broken        `json:"broke,omitempty"`
}

// Broken is a rule of Slack's that the bot did not keep, and where it is written.
type Broken struct {
	Rule   string `json:"rule"`
	Source string `json:"source"`
}

// observed bounds a body in an Exchange.
const observed = 64 << 10

// observe hands a finished exchange to anyone who watches.
func (w *Workspace) observe(x Exchange, started time.Time) {
	if w.opts.Observe == nil {
		return
	}
	x.Duration = time.Since(started)
	x.Request, x.Response = w.redact(x.Request), w.redact(x.Response)
	w.opts.Observe(x)
}

// capabilities matches what lets its holder act: the paths of response_urls and sockets.
var capabilities = regexp.MustCompile(`/(response|socket)/[A-Za-z0-9]+`)

// redact returns a body as bounded JSON without anything secret.
func (w *Workspace) redact(body []byte) json.RawMessage {
	if len(body) == 0 {
		return nil
	}
	hidden := strings.NewReplacer(
		w.BotToken(), "xoxb-REDACTED", w.AppToken(), "xapp-REDACTED",
		w.SigningSecret(), "REDACTED", w.identity.verification, "REDACTED",
	).Replace(string(body))
	hidden = capabilities.ReplaceAllString(hidden, "/$1/REDACTED")
	if len(hidden) <= observed && json.Valid([]byte(hidden)) {
		return json.RawMessage(hidden)
	}
	return encode(strings.ToValidUTF8(hidden[:min(len(hidden), observed)], ""))
}

// readable turns a form into an object for people: JSON in fields is unpacked.
func readable(form url.Values) response {
	object := response{}
	for name := range form {
		value := form.Get(name)
		if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
			if json.Valid([]byte(value)) {
				object[name] = json.RawMessage(value)
				continue
			}
		}
		object[name] = value
	}
	return object
}
