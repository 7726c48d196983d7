package receive

import (
	"context"
	"encoding/json"
	"time"
)

// Event is what the Events API says happened, as far as the bot takes it:
// docs.slack.dev/reference/events/app_home_opened.
type Event struct {
	ID         string // the same in each delivery of one event
	Team       string // the workspace the app is installed in
	Enterprise string // "" outside an Enterprise organisation
	User       string // who opened the tab
}

// eventWire is the wrapper of an event, or Slack's check of the URL that takes them:
// docs.slack.dev/apis/events-api#callback-field, docs.slack.dev/reference/events/url_verification.
type eventWire struct {
	Type       string `json:"type"`
	Challenge  string `json:"challenge"`
	ID         string `json:"event_id"`
	Team       string `json:"team_id"`
	Enterprise string `json:"enterprise_id"`
	Event      struct {
		Type string `json:"type"`
		User string `json:"user"`
		Tab  string `json:"tab"`
	} `json:"event"`
}

// The types of deliveries and events that are told apart.
const (
	typeVerification = "url_verification"
	typeEvent        = "event_callback"
	eventHomeOpened  = "app_home_opened"
	tabHome          = "home"
)

// parseEvent reads a delivery of the Events API.
func parseEvent(body []byte) (e eventWire, err error) {
	if err := json.Unmarshal(body, &e); err != nil {
		return e, &payloadError{"the event is not the JSON that was expected", err}
	}
	opened := e.Type == typeEvent && e.Event.Type == eventHomeOpened
	switch {
	case e.Type == "":
		return e, missing("type")
	case e.Type == typeVerification && e.Challenge == "":
		return e, missing("challenge")
	case e.Type == typeEvent && e.ID == "":
		return e, missing("event_id")
	case opened && e.Event.User == "":
		return e, missing("event.user")
	}
	return e, nil
}

// eventWork acknowledges an event at once, and works it once, however often Slack delivers it. It
// acknowledges what the bot does not take too: Slack would send that again.
func (d *Dispatcher) eventWork(e eventWire) work {
	return func(ctx context.Context) (Reply, After, error) {
		switch {
		case e.Type == typeVerification:
			return reply(map[string]string{"challenge": e.Challenge}), nil, nil
		case e.Type != typeEvent || e.Event.Type != eventHomeOpened || e.Event.Tab != tabHome:
			d.log.Info("ignoring an event", "type", e.Type, "event", e.Event.Type)
			return nil, nil, nil
		}
		return d.events.once(ctx, e.ID, time.Now(), func(ctx context.Context) (Reply, After, error) {
			return nil, d.handler.HomeOpened(Event{ID: e.ID, Team: e.Team, Enterprise: e.Enterprise, User: e.Event.User}), nil
		})
	}
}
