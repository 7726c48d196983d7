package fakeslack_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listener answers the challenge, and events as answer says.
func listener(answer say) say {
	return func(method string, payload map[string]any) (int, string) {
		if method == "url_verification" {
			challenge, _ := payload["challenge"].(string)
			return http.StatusOK, challenge
		}
		return answer(method, payload)
	}
}

// events are the events that a bot got, without the challenge.
func (b *bot) events() []request {
	var found []request
	for _, r := range b.requests() {
		if r.method == "event_callback" {
			found = append(found, r)
		}
	}
	return found
}

func open(s *stage) fakeslack.Ack {
	s.t.Helper()
	ack, err := s.OpenHome(s.t.Context(), fakeslack.Opening{User: s.Cast().User})
	require.NoError(s.t, err)
	return ack
}

// https://docs.slack.dev/reference/events/app_home_opened
func TestHomeOpenedEventIsReadBySlackGo(t *testing.T) {
	t.Parallel()
	b := newBot(t, listener(silent))
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
	assert.Equal(t, http.StatusOK, open(s).Status)
	hash := publish(s, s.Cast().User, home(refreshButton()), "").View.Hash
	open(s)
	_, err := s.OpenHome(t.Context(), fakeslack.Opening{User: s.Cast().User, Tab: "messages"})
	require.NoError(t, err)
	got := b.events()
	require.Len(t, got, 3)
	ids := map[any]bool{}
	for i, r := range got {
		assert.Equal(t, "/slack/events", r.path)
		require.NoError(t, verified(r, s.SigningSecret()))
		ids[r.payload["event_id"]] = true
		parsed, err := slackevents.ParseEvent(json.RawMessage(r.body), slackevents.OptionNoVerifyToken())
		require.NoError(t, err)
		assert.Equal(t, s.TeamID(), parsed.TeamID)
		assert.Equal(t, s.AppID(), parsed.APIAppID)
		opened, is := parsed.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
		require.True(t, is)
		assert.Equal(t, s.Cast().User, opened.User)
		assert.True(t, strings.HasPrefix(opened.Channel, "D"), "the person's direct messages with the app")
		assert.NotEmpty(t, opened.EventTimeStamp)
		assert.Equal(t, []string{"home", "home", "messages"}[i], opened.Tab)
		if i == 1 {
			require.NotNil(t, opened.View, "once published it comes along")
			assert.Equal(t, hash, opened.View.Hash)
			continue
		}
		assert.Nil(t, opened.View)
	}
	assert.Len(t, ids, 3, "each event has its own id")
	assert.Empty(t, s.broken())
}

// https://docs.slack.dev/reference/app-manifest, settings.event_subscriptions
func TestAnAppHearsOnlyWhatItSubscribesTo(t *testing.T) {
	t.Parallel()
	b := newBot(t, listener(silent))
	s := newStage(t, fakeslack.Options{Endpoint: b.url, Manifest: &fakeslack.Manifest{}})
	_, err := s.OpenHome(t.Context(), fakeslack.Opening{User: s.Cast().User})
	require.ErrorContains(t, err, "no Home tab")
	s.SetManifest(fakeslack.Manifest{HomeTab: true})
	assert.Equal(t, http.StatusOK, open(s).Status)
	assert.Empty(t, b.requests())
	for _, wrong := range []fakeslack.Opening{{User: "U0NOBODY"}, {User: s.Cast().User, Tab: "about"}} {
		_, err := s.OpenHome(t.Context(), wrong)
		require.Error(t, err)
	}
}

// https://docs.slack.dev/reference/events/url_verification
func TestAnEventsURLAnswersItsChallengeFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says   string
		answer func(challenge string) string
		good   bool
	}{
		{"as plain text", func(c string) string { return c }, true},
		{"as JSON", func(c string) string { return `{"challenge":"` + c + `"}` }, true},
		{"as a form", func(c string) string { return "challenge=" + c }, true},
		{"not at all", func(string) string { return "" }, false},
		{"with another one", func(c string) string { return `{"challenge":"x` + c + `"}` }, false},
	} {
		b := newBot(t, func(method string, payload map[string]any) (int, string) {
			challenge, _ := payload["challenge"].(string)
			return http.StatusOK, c.answer(challenge)
		})
		s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
		open(s)
		open(s)
		got := b.requests()
		require.NoError(t, verified(got[0], s.SigningSecret()))
		assert.Equal(t, "url_verification", got[0].method)
		assert.Equal(t, "/slack/events", got[0].path)
		if c.good {
			assert.Len(t, got, 3, "%s: once, then both events", c.says)
			assert.Empty(t, s.broken())
			continue
		}
		assert.Empty(t, b.events(), c.says)
		assert.Contains(t, s.broken(), "a url_verification is answered with its challenge", c.says)
	}
}

// roundTrip is a bot in virtual time.
type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// tries are the sendings of one event: when, and what its retry headers say.
type tries struct {
	mu   sync.Mutex
	seen []string
	ids  map[string]bool
}

// bot notes each event, and answers as the sending's number says.
func (n *tries) bot(s *stage, began time.Time, answer func(sending int) (*http.Response, error)) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		raw := new(strings.Builder)
		buffer := make([]byte, 1<<16)
		for {
			k, err := r.Body.Read(buffer)
			raw.Write(buffer[:k])
			if err != nil {
				break
			}
		}
		got := parseDelivery(r, raw.String())
		if got.method == "url_verification" {
			_, _ = w.WriteString(got.payload["challenge"].(string))
			return w.Result(), nil
		}
		n.mu.Lock()
		n.seen = append(n.seen, strings.TrimSpace(time.Since(began).Round(time.Second).String()+" "+r.Header.Get("X-Slack-Retry-Num")+" "+r.Header.Get("X-Slack-Retry-Reason")))
		n.ids[got.payload["event_id"].(string)] = true
		sending := len(n.seen)
		n.mu.Unlock()
		assert.NoError(s.t, verified(got, s.SigningSecret()), "each sending is signed anew")
		response, err := answer(sending)
		if err != nil && r.Context().Err() == nil && err == http.ErrHandlerTimeout {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		return response, err
	})
}

func answered(status int, header ...string) (*http.Response, error) {
	w := httptest.NewRecorder()
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(status)
	return w.Result(), nil
}

// https://docs.slack.dev/apis/events-api/#error-handling
func TestAnUnansweredEventIsSentThreeTimesMore(t *testing.T) {
	for _, c := range []struct {
		says   string
		answer func(sending int) (*http.Response, error)
		want   []string
	}{
		{"a 2xx ends it", func(int) (*http.Response, error) { return answered(http.StatusAccepted) }, []string{"0s"}},
		{"an error status", func(int) (*http.Response, error) { return answered(http.StatusInternalServerError) }, []string{"0s", "0s 1 http_error", "1m0s 2 http_error", "6m0s 3 http_error"}},
		{"no answer in 3 s", func(n int) (*http.Response, error) {
			if n > 2 {
				return answered(http.StatusOK)
			}
			return nil, http.ErrHandlerTimeout
		}, []string{"0s", "3s 1 http_timeout", "1m6s 2 http_timeout"}},
		{"no connection", func(n int) (*http.Response, error) {
			if n > 1 {
				return answered(http.StatusOK)
			}
			return nil, http.ErrServerClosed
		}, []string{"0s", "0s 1 connection_failed"}},
		{"a bot that wants no retry", func(int) (*http.Response, error) {
			return answered(http.StatusServiceUnavailable, "X-Slack-No-Retry", "1")
		}, []string{"0s"}},
	} {
		t.Run(c.says, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				s := newVirtualStage(t, withHome(fakeslack.Options{Endpoint: "http://bot.test"}))
				n := &tries{ids: map[string]bool{}}
				s.CarryToBot(n.bot(s, time.Now(), c.answer))
				open(s)
				time.Sleep(time.Hour)
				n.mu.Lock()
				defer n.mu.Unlock()
				assert.Equal(t, c.want, n.seen)
				assert.Len(t, n.ids, 1, "a retry has the event's id")
			})
		})
	}
}

// A moved clock is the whole workspace's: what is due is sent.
func TestAdvancingTheClockSendsDueRetries(t *testing.T) {
	t.Parallel()
	failed := make(chan struct{}, 10)
	b := newBot(t, listener(func(string, map[string]any) (int, string) {
		failed <- struct{}{}
		return http.StatusInternalServerError, ""
	}))
	s := newStage(t, withHome(fakeslack.Options{Endpoint: b.url}))
	assert.Equal(t, "dispatch_failed", open(s).Error)
	<-failed
	<-failed // the retry that comes at once
	for sent := 2; sent < 4; sent++ {
		for waiting := true; waiting; {
			s.Advance(time.Minute)
			select {
			case <-failed:
				waiting = false
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	assert.Len(t, b.events(), 4)
	assert.Contains(t, s.broken(), "an event is answered with a 2xx within 3 seconds")
}

// https://docs.slack.dev/apis/events-api/using-socket-mode
func TestEventsComeBySocketModeToo(t *testing.T) {
	t.Parallel()
	heard := make(chan socketmode.Event, 10)
	s := onSocket(t, withHome(fakeslack.Options{}), func(_ *slack.Client, event socketmode.Event) any {
		heard <- event
		return nil
	})
	assert.Equal(t, http.StatusOK, open(s).Status)
	event := <-heard
	assert.Equal(t, socketmode.EventTypeEventsAPI, event.Type)
	parsed, is := event.Data.(slackevents.EventsAPIEvent)
	require.True(t, is)
	opened, is := parsed.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
	require.True(t, is)
	assert.Equal(t, s.Cast().User, opened.User)
	assert.False(t, event.Request.AcceptsResponsePayload)
	assert.Empty(t, s.seen("url_verification"), "Socket Mode has no URL to verify")
	assert.Empty(t, s.broken())
	require.NoError(t, s.Fault("event_callback", fakeslack.FaultRedeliver, 1))
	open(s)
	first, second := <-heard, <-heard
	assert.Equal(t, 1, second.Request.RetryAttempt)
	assert.Equal(t, eventID(t, first), eventID(t, second), "a retry has the event's id")
	require.Error(t, s.Fault("url_verification", fakeslack.FaultRedeliver, 1))
}

func eventID(t *testing.T, event socketmode.Event) string {
	t.Helper()
	var wrapper struct {
		EventID string `json:"event_id"`
	}
	require.NoError(t, json.Unmarshal(event.Request.Payload, &wrapper))
	return wrapper.EventID
}

// https://docs.slack.dev/apis/events-api/using-socket-mode#acknowledge
func TestAnUnacknowledgedEventComesAgainByAnEnvelope(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, withHome(fakeslack.Options{}))
		conn, began := dial(t, s), time.Now()
		done := make(chan fakeslack.Ack)
		go func() {
			ack, err := s.OpenHome(t.Context(), fakeslack.Opening{User: s.Cast().User})
			assert.NoError(t, err)
			done <- ack
		}()
		first, second := read(t, conn), read(t, conn)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, "events_api", first.Type)
		assert.Equal(t, first.Payload["event_id"], second.Payload["event_id"])
		assert.Equal(t, 1, second.RetryAttempt)
		acknowledge(t, conn, second.EnvelopeID, nil)
		assert.Equal(t, "operation_timeout", (<-done).Error, "the first was not acknowledged in time")
		synctest.Wait()
	})
}
