package receive

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
)

const (
	jsonKind  = "application/json"
	challenge = `{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`
)

// homeOpened is an app_home_opened as docs.slack.dev/reference/events/app_home_opened shows it, in the
// wrapper of docs.slack.dev/apis/events-api#callback-field.
func homeOpened(id, tab string) string {
	return `{"token":"x","team_id":"T1","api_app_id":"A1","enterprise_id":"E1","type":"event_callback","event_id":"` + id + `","event_time":1515449438,
		"event":{"type":"app_home_opened","user":"U061F7AUR","channel":"D0LAN2Q65","event_ts":"1515449522000016","tab":"` + tab + `"}}`
}

func event(body string) sent {
	return sent{method: http.MethodPost, path: "/slack/events", body: body, kind: jsonKind, secret: testSecret}
}

// homes is a Handler that counts who opened their Home tab.
type homes struct {
	handlerFuncs
	mu     sync.Mutex
	opened []Event
}

func (h *homes) HomeOpened(e Event) After {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened = append(h.opened, e)
	return nil
}

func (h *homes) seen() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.opened
}

func TestEventIsWorkedOnceForItsID(t *testing.T) {
	t.Parallel()
	h := &homes{}
	b := newBackend(t, h)
	for range 3 { // each with another signature: Slack sends what it thinks unanswered again
		status, body := b.send(t, event(homeOpened("Ev1", "home")+" "))
		assert.Equal(t, http.StatusOK, status)
		assert.Empty(t, body)
		b.send(t, event(homeOpened("Ev1", "home")))
	}
	b.send(t, event(homeOpened("Ev2", "home")))
	first := Event{ID: "Ev1", Team: "T1", Enterprise: "E1", User: "U061F7AUR"}
	second := first
	second.ID = "Ev2"
	assert.Equal(t, []Event{first, second}, h.seen())
}

func TestEventOfNoInterestIsAcknowledged(t *testing.T) {
	t.Parallel()
	h := &homes{}
	b := newBackend(t, h)
	for _, body := range []string{
		homeOpened("Ev1", "messages"), homeOpened("Ev2", "about"),
		`{"type":"event_callback","event_id":"Ev3","event":{"type":"message"}}`,
		`{"type":"app_rate_limited","minute_rate_limited":1518467820}`,
	} {
		status, answer := b.send(t, event(body))
		assert.Equal(t, http.StatusOK, status, body)
		assert.Empty(t, answer)
	}
	assert.Empty(t, h.seen())
}

func TestTheEventsURLAnswersItsChallenge(t *testing.T) {
	t.Parallel()
	status, body := newBackend(t, untouched(t)).send(t, event(challenge))
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}`, body)
}

// Slack delivers an event again whose acknowledgement it did not get.
func TestEventComesOverSocketModeToo(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		h := &homes{}
		home := fakeslack.Manifest{HomeTab: true, BotEvents: []string{"app_home_opened"}}
		w := wire(t, wiring{slack: fakeslack.Options{Manifest: &home}}, func(*wired) Handler { return h })
		for _, tab := range []string{"home", "messages", "home"} {
			ack, err := w.OpenHome(t.Context(), fakeslack.Opening{User: w.Cast().User, Tab: tab})
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, ack.Status)
			assert.Empty(t, ack.Error)
		}
		seen := h.seen()
		require.Len(t, seen, 2, "the other tab is of no interest")
		assert.Equal(t, []string{w.TeamID(), w.Cast().User}, []string{seen[0].Team, seen[0].User})
		assert.NotEqual(t, seen[0].ID, seen[1].ID)
		assert.Empty(t, w.RulesBroken())
	})
}

// FuzzFrame holds that no frame of Socket Mode and no event makes reading it panic, and that what is said of it
// holds none of it but a short type.
func FuzzFrame(f *testing.F) {
	f.Add([]byte(`{"type":"slash_commands","envelope_id":"E1","payload":{"command":"/c","user_id":"U1","team_id":"T1","trigger_id":"1.2"}}`))
	f.Add([]byte(`{"type":"interactive","envelope_id":"E1","retry_attempt":1,"payload":` + submissionPayload + `}`))
	f.Add([]byte(`{"type":"events_api","envelope_id":"E1","payload":` + homeOpened("Ev1", "home") + `}`))
	f.Add([]byte(`{"type":"disconnect","reason":"too_many_websockets"}`))
	f.Add([]byte(challenge))
	f.Add([]byte(`{"type":"interactive","payload":{"type":"message_action","message":{"blocks":[[[{"text":{"text":1}}]]],"attachments":{"a":null}}}}`))
	s := &Socket{dispatcher: NewDispatcher(DispatcherOptions{Log: slacktest.Silent()})}
	f.Fuzz(func(t *testing.T, frame []byte) {
		_, eventErr := parseEvent(frame)
		var e envelope
		var frameErr error
		if json.Unmarshal(frame, &e) == nil {
			_, frameErr = s.parse(e)
			_ = goodbye(e)
		}
		for _, err := range []error{eventErr, frameErr} {
			if err == nil || errors.Is(err, errUnknownKind) {
				continue
			}
			_, is := errors.AsType[*payloadError](err)
			assert.True(t, is, "%v", err)
			assert.LessOrEqual(t, len(err.Error()), 300)
		}
	})
}
