package receive

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// deliver handles one envelope, and never waits: while it runs, pings stay unanswered. It treats a
// repeated envelope like any other: that may be the first to arrive, and the handler is idempotent.
func (s *Socket) deliver(c *connection, e envelope) {
	received := time.Now()
	log := s.log.With("envelope", e.EnvelopeID, "type", e.Type, "retry", e.RetryAttempt)
	if !c.begin() { // until the acknowledgement, not until the work after it
		log.Info("leaving a delivery to the other connections: this one is closing")
		return
	}
	job := func(ctx context.Context) (Reply, After, error) {
		w, err := s.parse(e)
		if err != nil {
			return nil, nil, err
		}
		return w(ctx)
	}
	s.dispatcher.serveAside(context.Background(), received, job,
		s.dispatcher.timed(e.kind(), received, func(reply Reply) { s.acknowledge(c, log, e, reply) }),
		func(err error) {
			defer c.finish()
			switch {
			case errors.Is(err, errUnknownKind):
				log.Warn("ignoring a delivery", "err", err)
				s.acknowledge(c, log, e, nil)
			case err != nil:
				log.Warn("leaving a delivery unacknowledged, so that Slack delivers it again", "err", err)
			}
		})
}

// kind is what acknowledgements of such envelopes are timed as.
func (e envelope) kind() string {
	switch e.Type {
	case frameCommand:
		return kindCommand
	case frameEvent:
		return kindEvent
	}
	return kindInteraction
}

func (s *Socket) parse(e envelope) (work, error) {
	switch e.Type {
	case frameCommand:
		c, err := parseCommandJSON(e.Payload)
		return s.dispatcher.commandWork(c), err
	case frameInteraction:
		i, err := ParseInteraction(e.Payload)
		return s.dispatcher.interactionWork(i), err
	case frameEvent:
		event, err := parseEvent(e.Payload)
		return s.dispatcher.eventWork(event), err
	}
	return nil, errUnknownKind
}

func (s *Socket) acknowledge(c *connection, log *slog.Logger, e envelope, reply Reply) {
	if err := c.acknowledge(e.EnvelopeID, reply); err != nil {
		log.Error("acknowledging a delivery; Slack will deliver it again", "err", err)
	}
}
