package webapi

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

func TestLimitPausesItsMethodUntilRetryAfter(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits(nil)
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
		l := newLimits(nil)
		assert.Equal(t, answer != nil, l.call("chat.update", "", func() error { return answer }) != nil, name)
		require.NoError(t, l.call("chat.update", "", func() error { return nil }), name)
		assert.Empty(t, l.until, name)
	}
}

func TestALateAnswerDoesNotShortenALimit(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits(nil)
		kind := limit{"chat.postMessage", "C1"}
		l.hold(kind, time.Minute)
		l.hold(kind, time.Second)
		assert.Equal(t, time.Minute, l.left(kind))
	})
}

func TestTheMemoryForLimitsIsBounded(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		l := newLimits(nil)
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
