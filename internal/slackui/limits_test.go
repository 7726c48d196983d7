package slackui

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/slackui/slacktest"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
)

func TestALimitHoldsBackItsMethodAndChannelUntilRetryAfterIsOver(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits()
		calls := 0
		call := func(method, channel string, answer error) error {
			return l.call(method, channel, func() error { calls++; return answer })
		}
		require.Error(t, call("chat.postMessage", "C1", &slack.RateLimitedError{RetryAfter: 10 * time.Second}))
		time.Sleep(4 * time.Second)
		err := call("chat.postMessage", "C1", nil)
		left, limited := RetryAfter(err)
		assert.True(t, limited)
		assert.Equal(t, 6*time.Second, left)
		require.EqualError(t, err, "calling chat.postMessage: not called: Slack asks to wait 6s more")
		assert.Equal(t, 1, calls)
		require.NoError(t, call("chat.postMessage", "C2", nil), "another channel goes on")
		require.NoError(t, call("chat.update", "", nil), "another method goes on")
		time.Sleep(6 * time.Second)
		require.NoError(t, call("chat.postMessage", "C1", nil))
		assert.Equal(t, 4, calls)
	})
}

func TestOnlyARateLimitHoldsBack(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"an answer":               nil,
		"a refusal":               slack.SlackErrorResponse{Err: "not_in_channel"},
		"a cut connection":        errors.New("EOF"),
		"a server that is down":   slack.StatusCodeError{Code: http.StatusServiceUnavailable},
		"a 429 that names no end": slack.StatusCodeError{Code: http.StatusTooManyRequests},
	} {
		l := newLimits()
		assert.Equal(t, answer != nil, l.call("chat.update", "", func() error { return answer }) != nil, name)
		require.NoError(t, l.call("chat.update", "", func() error { return nil }), name)
		assert.Empty(t, l.until, name)
	}
}

func TestALateAnswerDoesNotShortenALimit(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits()
		kind := limit{"chat.postMessage", "C1"}
		l.hold(kind, time.Minute)
		l.hold(kind, time.Second)
		assert.Equal(t, time.Minute, l.left(kind))
	})
}

func TestTheMemoryForLimitsIsBounded(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits()
		for i := range maxLimits + 100 {
			l.hold(limit{"chat.postMessage", fmt.Sprint("C", i)}, time.Hour+time.Duration(i)*time.Second)
		}
		assert.Len(t, l.until, maxLimits)
		assert.Positive(t, l.left(limit{"chat.postMessage", fmt.Sprint("C", maxLimits+99)}), "the youngest is kept")
		time.Sleep(24 * time.Hour)
		l.hold(limit{"chat.update", ""}, time.Second)
		assert.Len(t, l.until, 1, "what is over goes first")
	})
}

// retryAfter is what the fake's 429 asks for.
const retryAfter = time.Second

// announcing is an announcer in a strict workspace.
func announcing(t *testing.T) (*slacktest.Workspace, *Announcer) {
	t.Helper()
	w := slacktest.NewWorkspace(t, fakeslack.Options{Scopes: append(fakeslack.DefaultScopes(), "channels:history")})
	return w, NewAnnouncer(AnnouncerOptions{Web: clientIn(t, w), Words: plainWords{}, Log: slacktest.Silent()})
}

func TestAfterA429OneChannelWaitsWithoutACallAndTheOthersGoOn(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		w, a := announcing(t)
		began := time.Now()
		here, there := w.Cast().Channel, w.Cast().PrivateChannel
		inThere := true
		require.NoError(t, w.PatchChannel(there, fakeslack.ChannelPatch{BotIn: &inThere}))
		at, delivery, _ := a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, told())
		require.Equal(t, cancellation.Delivered, delivery)
		require.NoError(t, w.Fault("chat.postMessage", fakeslack.FaultRateLimited, 1))
		_, delivery, left := a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, told())
		assert.Equal(t, cancellation.Undelivered, delivery)
		assert.Equal(t, retryAfter, left)

		time.Sleep(retryAfter / 4)
		for range 10 { // notices of other requests
			_, delivery, left = a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, told())
			assert.Equal(t, cancellation.Undelivered, delivery)
			assert.Equal(t, retryAfter*3/4, left)
		}
		assert.Equal(t, []time.Duration{0, 0}, w.Times("chat.postMessage", began), "Slack is not called before the time is over")
		_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: there}, cancellation.Result, told())
		assert.Equal(t, cancellation.Delivered, delivery, "another channel goes on")
		delivery, _ = a.Update(t.Context(), at, cancellation.Result, told())
		assert.Equal(t, cancellation.Delivered, delivery, "another method goes on")

		time.Sleep(retryAfter * 3 / 4)
		_, delivery, _ = a.Post(t.Context(), cancellation.Place{Channel: here}, cancellation.Result, told())
		assert.Equal(t, cancellation.Delivered, delivery)
		assert.Len(t, w.Seen("chat.postMessage"), 4)
	})
}

func TestALimitWithoutAChannelHoldsBackItsMethod(t *testing.T) {
	t.Parallel()
	for method, call := range map[string]func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool{
		"conversations.open": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			r := told()
			r.Submission.By.ID = w.Cast().User
			_, delivery, left := a.Post(t.Context(), cancellation.Place{Channel: ""}, cancellation.Result, r)
			assert.Equal(t, delivery == cancellation.Undelivered, left > 0)
			return delivery == cancellation.Delivered
		},
		"conversations.history": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			_, _, known := a.Find(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, told(), time.Now())
			return known
		},
		"chat.update": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			at, _, _ := a.Post(t.Context(), cancellation.Place{Channel: w.Cast().Channel}, cancellation.Result, told())
			delivery, left := a.Update(t.Context(), at, cancellation.Result, told())
			assert.Equal(t, delivery == cancellation.Undelivered, left > 0)
			return delivery == cancellation.Delivered
		},
		"users.info": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			return reads(t, w, a.o.Web)
		},
		"usergroups.list": func(t *testing.T, w *slacktest.Workspace, a *Announcer) bool {
			return reads(t, w, a.o.Web, w.Cast().CancelGroup)
		},
	} {
		t.Run(method, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				w, a := announcing(t)
				began := time.Now()
				require.NoError(t, w.Fault(method, fakeslack.FaultRateLimited, 1))
				assert.False(t, call(t, w, a))
				time.Sleep(retryAfter - time.Millisecond)
				assert.False(t, call(t, w, a))
				assert.Equal(t, []time.Duration{0}, w.Times(method, began), "Slack is not called before the time is over")
				time.Sleep(time.Millisecond)
				assert.True(t, call(t, w, a))
				synctest.Wait()
			})
		})
	}
}

// reads reports whether a directory that has just begun can read a person.
func reads(t *testing.T, w *slacktest.Workspace, web *Web, groups ...string) bool {
	t.Helper()
	d := NewDirectory(DirectoryOptions{Web: web, HomeTeam: w.TeamID(), Groups: theGroups(groups...), Log: slacktest.Silent()})
	defer d.Close()
	_, err := d.Principal(t.Context(), cancellation.Person{ID: w.Cast().User}, time.Minute)
	return err == nil
}
