package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	socketReadLimit = 1 << 20
	ackTime         = 2 * time.Second
	// ackLimit is where Slack closes the socket: 20,480 bytes for the whole frame,
	// the envelope's id included (facts: slack-go socketmode, maxResponseSize).
	ackLimit = 20_000
	// ackFlush lets the last acknowledgements leave the client's queue, which cannot
	// be watched, before the socket is closed. One that stays behind is redelivered.
	ackFlush     = 100 * time.Millisecond
	reconnecting = 5 * time.Second
)

// errBadToken says that Slack does not take the app token, so that trying again is vain.
var errBadToken = errors.New("the app token is refused")

// SocketOptions says what the Socket Mode transport is made of.
type SocketOptions struct {
	AppToken   string
	APIURL     string // with a trailing slash; "" for Slack's own
	Dispatcher *Dispatcher
	Log        *slog.Logger
}

// Socket takes Slack's deliveries over Socket Mode: docs.slack.dev/apis/events-api/using-socket-mode.
//
// slack-go's client decodes each payload whole before it hands it over, which cannot
// be turned off and costs about as much as the rest of a delivery; what the bot acts
// on is decoded once more from the raw payload by the parser of the HTTP transport,
// so that both see the same. An envelope that slack-go cannot decode is worked too.
type Socket struct {
	client     *socketmode.Client
	dispatcher *Dispatcher
	log        *slog.Logger

	connected atomic.Bool
	heard     atomic.Int64 // UnixNano of the last hello or envelope
	inFlight  sync.WaitGroup
}

// NewSocket makes the transport; Run connects it.
func NewSocket(o SocketOptions) *Socket {
	options := []slack.Option{
		slack.OptionAppLevelToken(o.AppToken),
		slack.OptionHTTPClient(&http.Client{Timeout: patientTime, CheckRedirect: noRedirect}),
	}
	if o.APIURL != "" {
		options = append(options, slack.OptionAPIURL(o.APIURL))
	}
	return &Socket{
		client:     socketmode.New(slack.New("", options...), socketmode.OptionReadLimit(socketReadLimit)),
		dispatcher: o.Dispatcher,
		log:        o.Log,
	}
}

// Connected reports whether Slack has said hello on the present connection. A
// connection on which Slack's pings stay away for 30 s is given up within 60 s, so
// what is connected is alive.
func (s *Socket) Connected() bool { return s.connected.Load() }

// LastHeard is when the last hello or envelope came; zero before the first.
func (s *Socket) LastHeard() time.Time {
	if at := s.heard.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Time{}
}

// Run takes deliveries until ctx is over, then answers those in hand and hangs up. It
// connects again by itself; the only error is a token that Slack refuses.
func (s *Socket) Run(ctx context.Context) error {
	line, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- s.connect(line)
	}()
	refused := s.listen(ctx, line, ended)
	s.connected.Store(false)
	s.drainUntil(func() {
		s.inFlight.Wait()
		time.Sleep(ackFlush)
		hangUp()
		for range ended { // until it is closed
		}
	})
	return refused
}

// connect keeps a connection until line is over or the token is refused.
func (s *Socket) connect(line context.Context) error {
	for {
		err := s.client.RunContext(line)
		s.connected.Store(false)
		switch {
		case line.Err() != nil:
			return nil
		case refusedToken(err):
			return fmt.Errorf("connecting by Socket Mode: %w: %w", errBadToken, err)
		}
		s.log.Error("Socket Mode ended; connecting again", "error", withoutURL(err), "pause", reconnecting)
		pause := time.NewTimer(reconnecting)
		select {
		case <-pause.C:
		case <-line.Done():
			pause.Stop()
			return nil
		}
	}
}

// listen hands events over until ctx is over or the token is refused.
func (s *Socket) listen(ctx, line context.Context, ended <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case event := <-s.client.Events:
			if err := s.take(line, event); err != nil {
				return err
			}
		}
	}
}

// drainUntil throws away what still arrives, so that the client does not stand still,
// until finish returns. Slack delivers again what was not acknowledged.
func (s *Socket) drainUntil(finish func()) {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		finish()
	}()
	for {
		select {
		case <-s.client.Events:
		case <-finished:
			return
		}
	}
}

// take handles one event and never waits: while it does, pings stay unanswered.
func (s *Socket) take(line context.Context, event socketmode.Event) error {
	switch event.Type {
	case socketmode.EventTypeHello:
		s.connected.Store(true)
		s.hear()
		s.log.Info("connected to Slack by Socket Mode")
	case socketmode.EventTypeConnecting:
		s.connected.Store(false)
	case socketmode.EventTypeConnectionError:
		return s.connectionError(event)
	case socketmode.EventTypeIncomingError:
		if e, ok := event.Data.(*slack.IncomingEventError); ok {
			s.log.Warn("reading from the socket", "error", withoutURL(e.ErrorObj))
		}
	case socketmode.EventTypeErrorWriteFailed:
		if e, ok := event.Data.(*socketmode.ErrorWriteFailed); ok {
			s.log.Warn("writing an acknowledgement; Slack will deliver again", "envelope", e.Response.EnvelopeID, "error", e.Cause)
		}
	case socketmode.EventTypeErrorBadMessage:
		s.takeUndecoded(line, event)
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		s.hear()
		s.deliver(line, *event.Request)
	}
	return nil
}

func (s *Socket) hear() { s.heard.Store(time.Now().UnixNano()) }

func (s *Socket) connectionError(event socketmode.Event) error {
	s.connected.Store(false)
	failed, ok := event.Data.(*slack.ConnectionErrorEvent)
	if !ok {
		return nil
	}
	if refusedToken(failed.ErrorObj) {
		return fmt.Errorf("connecting by Socket Mode: %w: %w", errBadToken, failed.ErrorObj)
	}
	s.log.Warn("connecting by Socket Mode", "error", withoutURL(failed.ErrorObj), "attempt", failed.Attempt, "pause", failed.Backoff)
	return nil
}

// takeUndecoded works an envelope that slack-go could not decode, such as one with a
// kind of block newer than the library.
func (s *Socket) takeUndecoded(line context.Context, event socketmode.Event) {
	bad, ok := event.Data.(*socketmode.ErrorBadMessage)
	if !ok {
		return
	}
	var envelope socketmode.Request
	if err := json.Unmarshal(bad.Message, &envelope); err != nil || envelope.EnvelopeID == "" {
		s.log.Warn("reading an envelope from the socket", "error", errors.Join(bad.Cause, err))
		return
	}
	s.hear()
	s.deliver(line, envelope)
}

// deliver works one envelope. A repeated one (retry_attempt) is worked like any
// other: it may be the first that arrived, and the handler is idempotent.
func (s *Socket) deliver(line context.Context, envelope socketmode.Request) {
	received := time.Now()
	log := s.log.With("envelope", envelope.EnvelopeID, "type", envelope.Type, "retry", envelope.RetryAttempt)
	job := func(ctx context.Context) (Reply, After, error) {
		w, err := s.parse(envelope)
		if err != nil {
			return nil, nil, err
		}
		return w(ctx)
	}
	s.inFlight.Add(1) // until the acknowledgement, not until the work after it
	s.dispatcher.serveAside(line, received, job,
		func(reply Reply) { s.acknowledge(line, log, envelope, reply) },
		func(err error) {
			defer s.inFlight.Done()
			switch {
			case errors.Is(err, errUnknownKind):
				log.Warn("ignoring a delivery", "error", err)
				s.acknowledge(line, log, envelope, nil)
			case err != nil:
				log.Warn("leaving a delivery unacknowledged, so that Slack delivers it again", "error", err)
			}
		})
}

func (s *Socket) parse(envelope socketmode.Request) (work, error) {
	switch envelope.Type {
	case socketmode.RequestTypeSlashCommands:
		c, err := parseCommandJSON(envelope.Payload)
		return s.dispatcher.commandWork(c), err
	case socketmode.RequestTypeInteractive:
		i, err := parseInteraction(envelope.Payload)
		return s.dispatcher.interactionWork(i), err
	}
	return nil, errUnknownKind
}

func (s *Socket) acknowledge(line context.Context, log *slog.Logger, envelope socketmode.Request, reply Reply) {
	if len(reply) > ackLimit {
		log.Error("an acknowledgement is too long for Socket Mode", "bytes", len(reply), "limit", ackLimit)
		return
	}
	var payload any
	if len(reply) > 0 {
		payload = json.RawMessage(reply)
	}
	ctx, cancel := context.WithTimeout(line, ackTime)
	defer cancel()
	if err := s.client.AckCtx(ctx, envelope.EnvelopeID, payload); err != nil {
		log.Warn("acknowledging a delivery", "error", err)
	}
}

// refusedToken recognises the errors of apps.connections.open that no waiting mends:
// docs.slack.dev/reference/methods/apps.connections.open. slack-go gives up on some
// of them and tries others for ever.
func refusedToken(err error) bool {
	refused, ok := errors.AsType[slack.SlackErrorResponse](err)
	return ok && slices.Contains([]string{
		"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
	}, refused.Err)
}
