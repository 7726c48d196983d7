package fakeslack

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Manifest is what the app's manifest says of its Home tab and of its events, in the
// words of https://docs.slack.dev/reference/app-manifest.
type Manifest struct {
	HomeTab   bool     `json:"home_tab"`   // features.app_home.home_tab_enabled
	BotEvents []string `json:"bot_events"` // settings.event_subscriptions.bot_events
}

// DefaultManifest returns what stands in this project's manifest.yaml: a Home tab, and
// the event of its opening.
func DefaultManifest() Manifest {
	return Manifest{HomeTab: true, BotEvents: []string{eventHomeOpened}}
}

// DefaultEventRetries returns how long Slack waits before each retry of an event:
// https://docs.slack.dev/apis/events-api/#error-handling
func DefaultEventRetries() []time.Duration {
	return []time.Duration{0, time.Minute, 5 * time.Minute}
}

// SetManifest changes what the installed app has and subscribes to. What was published
// stays, and is seen again once the Home tab is.
func (w *Workspace) SetManifest(m Manifest) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.opts.Manifest = &Manifest{HomeTab: m.HomeTab, BotEvents: append([]string{}, m.BotEvents...)}
	w.touch()
}

// eventHomeOpened is the only event of this workspace.
const eventHomeOpened = "app_home_opened"

const eventsSource = "https://docs.slack.dev/apis/events-api/"

// subscribed reports whether the app hears of an event; the lock is held.
func (w *Workspace) subscribed(event response) bool {
	name, _ := event["type"].(string)
	return slices.Contains(w.opts.Manifest.BotEvents, name)
}

// deliverEvent sends an event and returns how its first sending was acknowledged. What
// was not is sent again behind it. Over HTTP the events URL is verified first: an app
// whose URL did not answer its challenge gets no events.
func (w *Workspace) deliverEvent(ctx context.Context, event response) Ack {
	if refused := w.verifyEvents(ctx); refused != nil {
		return *refused
	}
	w.mu.Lock()
	d := &delivery{method: methodEvent, envelope: "events_api", payload: encode(w.eventCallback(event)), accept: func([]byte) *apiError { return nil }}
	w.mu.Unlock()
	return w.deliver(ctx, d)
}

// eventCallback is the wrapper of every event, with an event_id that its retries keep:
// https://docs.slack.dev/apis/events-api/#callback-field, and what one app was sent:
// https://github.com/slackapi/bolt-python/issues/954
func (w *Workspace) eventCallback(event response) response {
	wrapper := response{
		"token": w.identity.verification, "team_id": w.identity.teamID, "api_app_id": w.identity.appID,
		"type": methodEvent, "event": event, "event_id": "Ev" + letters(w.random, 10), "event_time": w.now().Unix(),
		"is_ext_shared_channel": false,
	}
	authorization := response{
		"enterprise_id": nil, "team_id": w.identity.teamID, "user_id": w.cast.BotUser, "is_bot": true, "is_enterprise_install": false,
	}
	if id := w.identity.enterpriseID; id != "" {
		wrapper["enterprise_id"], authorization["enterprise_id"] = id, id
	}
	wrapper["authorizations"] = []response{authorization}
	return wrapper
}

// verifyEvents sends the challenge once to each events URL, and returns the refusal of a
// bot that did not answer it. A bot that cannot be reached is asked again later.
// https://docs.slack.dev/reference/events/url_verification
func (w *Workspace) verifyEvents(ctx context.Context) (refused *Ack) {
	w.mu.Lock()
	endpoint := w.opts.Endpoint
	verified := w.opts.Transport != TransportHTTP || w.verified == endpoint
	challenge := letters(w.random, 52)
	body := encode(response{"token": w.identity.verification, "challenge": challenge, "type": methodVerification})
	w.mu.Unlock()
	if verified {
		return nil
	}
	d := &delivery{method: methodVerification, payload: body, answers: true, accept: func(body []byte) *apiError { return checkChallenge(challenge, body) }}
	ack := w.deliver(ctx, d)
	if ack.Error != "" {
		if ack.Status == 0 {
			return nil
		}
		return &ack
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verified = endpoint
	return nil
}

// checkChallenge takes the challenge as plain text, as a form and as JSON.
func checkChallenge(challenge string, body []byte) *apiError {
	var said struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(body, &said) != nil {
		said.Challenge = strings.TrimSpace(string(body))
		if form, err := url.ParseQuery(said.Challenge); err == nil && form.Has("challenge") {
			said.Challenge = form.Get("challenge")
		}
	}
	if said.Challenge == challenge {
		return nil
	}
	return fail(errTrouble).broke("a url_verification is answered with its challenge", "https://docs.slack.dev/reference/events/url_verification")
}

// pursueEvent posts an event and, behind the first answer, posts it again at the times of
// EventRetries until it is taken or the bot wants no retry.
func (w *Workspace) pursueEvent(ctx context.Context, d *delivery) Ack {
	first := w.sendSigned(ctx, d, "", envelopeTry{})
	if reason := retryOf(first); reason != "" {
		w.start(func() { w.retryEvent(d, reason) })
	}
	return first
}

func (w *Workspace) retryEvent(d *delivery, reason string) {
	for n, wait := range w.opts.EventRetries {
		if !w.sleep(wait) {
			return
		}
		ack := w.sendSigned(context.Background(), d, "", envelopeTry{retry: n + 1, reason: reason})
		if reason = retryOf(ack); reason == "" {
			return
		}
	}
}

// retryOf is the X-Slack-Retry-Reason that follows an answer, "" where no retry does.
// https://docs.slack.dev/apis/events-api/#error-handling
func retryOf(ack Ack) string {
	switch {
	case ack.Error == "", ack.Status != 0 && ack.Headers.Get("X-Slack-No-Retry") == "1":
		return ""
	case ack.Error == errTimeout:
		return "http_timeout"
	case ack.Status == 0:
		return "connection_failed"
	}
	return "http_error"
}

// sleep waits by the workspace's own clock, which Advance moves; it reports false once the
// workspace is closed.
func (w *Workspace) sleep(d time.Duration) bool {
	w.mu.Lock()
	due := w.now().Add(d)
	w.mu.Unlock()
	for {
		w.mu.Lock()
		left, changed := due.Sub(w.now()), w.changed
		w.mu.Unlock()
		if left <= 0 {
			return !w.isClosed()
		}
		select {
		case <-changed:
		case <-time.After(left):
		case <-w.done:
			return false
		}
	}
}

// body is what goes to the bot over HTTP, and of which media type.
func (d *delivery) body() (text, kind string) {
	if d.form == nil {
		return string(d.payload), "application/json"
	}
	return d.form.Encode(), "application/x-www-form-urlencoded"
}

// path is where it goes, below the bot's base URL.
func (d *delivery) path() string {
	switch d.method {
	case methodCommand:
		return "/slack/commands"
	case methodEvent, methodVerification:
		return "/slack/events"
	}
	return "/slack/interactions"
}

// took reports whether a status of the bot's means that it has the delivery: an event is
// taken by any 2xx.
func (d *delivery) took(status int) bool {
	return status == http.StatusOK || d.method == methodEvent && status/100 == 2
}

// untaken is the rule that a bot breaks which does not take a delivery in time.
func (d *delivery) untaken() Broken {
	if d.method == methodEvent {
		return Broken{"an event is answered with a 2xx within 3 seconds", eventsSource}
	}
	return Broken{"a delivery is answered with 200 within 3 seconds", "https://docs.slack.dev/interactivity/handling-user-interaction"}
}

// readable shows a delivery to people: the payload itself where there is one.
func (d *delivery) readable() any {
	if d.form == nil {
		return d.payload
	}
	return readableForm(d.form)
}
