package receive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/inbound"
)

// maxBody bounds a request from Slack. A view is at most 250 kB
// (docs.slack.dev/reference/methods/views.open), and its state comes with it; a message
// that a shortcut is used on may be as long; and the form's encoding makes three bytes of
// each quote and brace.
const maxBody = 1 << 20

// HTTPOptions is what the HTTP transport is made of.
type HTTPOptions struct {
	SigningSecrets []string `json:"-"` // any of them verifies; empty ones are left out
	Dispatcher     *Dispatcher
	Log            *slog.Logger
	Body           time.Duration // in which a body is there, counted from its headers; 0 for a second
}

// Format leaves the secrets out.
func (o HTTPOptions) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "receive.HTTPOptions") }

// HTTP takes Slack's signed requests: docs.slack.dev/authentication/verifying-requests-from-slack.
// Timeouts for reading headers belong to the http.Server that serves it; a body has a second.
type HTTP struct {
	verifier   *verifier
	dispatcher *Dispatcher
	replays    *replays[signature]
	repeats    repeats
	bodies     *bodies // of who may be anybody
	known      *bodies // of who signed before, on the same connection
	log        *slog.Logger

	unproven, repeated, signed *inbound.Refusals // of who did not sign, of what came before, and of what Slack signed
}

// Format leaves the secrets out: fmt prints what an unexported field points to where the verb is wrong for it.
func (t *HTTP) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "receive.HTTP") }

// NewHTTP makes the HTTP transport in front of a dispatcher.
func NewHTTP(o HTTPOptions) *HTTP {
	return &HTTP{
		verifier: newVerifier(o.SigningSecrets), dispatcher: o.Dispatcher, replays: newReplays[signature](), bodies: newBodies(o.Body), known: newBodies(o.Body), log: o.Log,
		unproven: inbound.NewRefusals(), repeated: inbound.NewRefusals(), signed: inbound.NewRefusals(),
	}
}

// Routes serves POST /slack/commands, POST /slack/interactions and POST /slack/events.
func (t *HTTP) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /slack/commands", t.take(kindCommand, ofForm(t.command)))
	mux.HandleFunc("POST /slack/interactions", t.take(kindInteraction, ofForm(t.interaction)))
	mux.HandleFunc("POST /slack/events", t.take(kindEvent, t.event))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "" { // neither a path nor a method of Slack's
			t.unproven.Hold(r.Context(), 0)
		}
		mux.ServeHTTP(w, r)
	})
}

// verified is a request whose signature holds.
type verified struct {
	sig  signature
	kind string // its Content-Type
	body []byte
}

// refusal is a request that is answered with a status and a word.
type refusal struct {
	status int
	word   string
}

func (r refusal) Error() string { return r.word }

// errRepeated: a request that Slack signed came again, as more do than Slack or a proxy sends twice.
var errRepeated = refusal{http.StatusTooManyRequests, "this request came before"}

// take reads and verifies a request, then parses and works it. Nothing of a body is looked at before
// its signature holds, and the query never is. No work: there is nothing to do.
func (t *HTTP) take(kind string, parse func(verified) (work, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		received := time.Now()
		proven, size, refusals, err := t.prove(w, r)
		if err != nil {
			refusals.Hold(r.Context(), size)
			t.refuse(w, r, refusals, err)
			return
		}
		if proven == nil {
			t.unproven.Hold(r.Context(), 0)
			return
		}
		job, err := parse(*proven)
		if err == nil && job != nil {
			ack := t.dispatcher.timed(kind, received, func(reply Reply) { acknowledge(w, reply) })
			err = t.dispatcher.serve(r.Context(), received, job, ack)
		}
		if err != nil {
			t.refuse(w, r, t.signed, err)
		}
	}
}

// prove reads a request and returns it if Slack signed it, nil if Slack checks the endpoint's
// certificate, or why it is refused, what was read for that, and among which refusals it counts. A few may
// come twice: each is worked once. More of them are somebody's who has one of Slack's requests.
func (t *HTTP) prove(w http.ResponseWriter, r *http.Request) (proven *verified, size int, among *inbound.Refusals, err error) {
	pool := t.bodies
	if inbound.Proven(r) {
		pool = t.known
	}
	body, err := pool.read(w, r)
	if err != nil {
		return nil, maxBody, t.unproven, err // as much as it may have been
	}
	sig, err := t.verifier.verify(r.Header, body, time.Now())
	switch {
	case err != nil && certificateCheck(body):
		return nil, 0, nil, nil
	case err != nil:
		giveBack(body)
		return nil, len(body), t.unproven, err
	case !t.repeats.seen(sig, time.Now()):
		inbound.Prove(r)
	case !t.repeated.Few():
		return nil, len(body), t.repeated, errRepeated
	}
	return &verified{sig, r.Header.Get("Content-Type"), body}, 0, nil, nil
}

// ofForm reads a request's form. It has no work if Slack checks the endpoint's certificate.
func ofForm(parse func(signature, url.Values) (work, error)) func(verified) (work, error) {
	return func(r verified) (work, error) {
		form, err := parseForm(r)
		if err != nil || form.Get("ssl_check") == "1" {
			return nil, err
		}
		return parse(r.sig, form)
	}
}

// event reads a delivery of the Events API, which is JSON.
func (t *HTTP) event(r verified) (work, error) {
	if kind, _, err := mime.ParseMediaType(r.kind); err != nil || kind != "application/json" {
		return nil, refusal{http.StatusUnsupportedMediaType, "JSON is expected (application/json)"}
	}
	e, err := parseEvent(r.body)
	if err != nil {
		return nil, err
	}
	return t.dispatcher.eventWork(e), nil
}

func (t *HTTP) command(sig signature, form url.Values) (work, error) {
	c, err := parseCommand(form)
	if err != nil {
		return nil, err
	}
	return t.once(sig, t.dispatcher.commandWork(c)), nil
}

func (t *HTTP) interaction(sig signature, form url.Values) (work, error) {
	i, err := ParseInteraction([]byte(form.Get("payload")))
	if err != nil {
		return nil, err
	}
	job := t.dispatcher.interactionWork(i)
	if i.Kind == BlockSuggestion { // changes nothing, and its answer is out of date soon
		return job, nil
	}
	return t.once(sig, job), nil
}

func (t *HTTP) once(sig signature, w work) work {
	return func(ctx context.Context) (Reply, After, error) { return t.replays.once(ctx, sig, time.Now(), w) }
}

// acknowledge answers 200. An empty body is what closes a submitted view:
// docs.slack.dev/surfaces/modals.
func acknowledge(w http.ResponseWriter, reply Reply) {
	if len(reply) > 0 {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(reply)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(reply)                     // where Slack has hung up it will ask again
	_ = http.NewResponseController(w).Flush() // now: what follows an acknowledgement comes after it
}

func parseForm(r verified) (url.Values, error) {
	kind, _, err := mime.ParseMediaType(r.kind)
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refusal{http.StatusUnsupportedMediaType, "a form is expected (application/x-www-form-urlencoded)"}
	}
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		return nil, refusal{http.StatusBadRequest, "the form cannot be read"}
	}
	return form, nil
}

// certificateCheck recognises Slack's check of the endpoint's certificate, which may
// come unsigned, asks for nothing, and wants a 200:
// docs.slack.dev/interactivity/implementing-slash-commands.
func certificateCheck(body []byte) bool {
	text := string(body[:min(len(body), 512)])
	return len(body) < 512 && (text == "ssl_check=1" || strings.HasPrefix(text, "ssl_check=1&")) &&
		!strings.Contains(text, "command=") && !strings.Contains(text, "payload=")
}

// refuse writes the status of an error.
func (t *HTTP) refuse(w http.ResponseWriter, r *http.Request, among *inbound.Refusals, err error) {
	status, word := http.StatusInternalServerError, ""
	known, isRefusal := errors.AsType[refusal](err)
	bad, isBad := errors.AsType[*payloadError](err)
	switch {
	case isRefusal:
		status, word = known.status, known.word
	case isBad:
		status, word = http.StatusBadRequest, bad.Error()
	case errors.Is(err, errUnverified):
		status = http.StatusUnauthorized
	case errors.Is(err, errBusy), errors.Is(err, errStopping):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	among.Log(t.log, "refusing a request", "path", r.URL.Path, "status", status, "err", err)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, word)
}
