package slackui

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// Refusals of Slack that callers tell apart.
var (
	// ErrHashConflict: the view was replaced since its hash was read.
	ErrHashConflict = errors.New("the view was changed meanwhile")
	// ErrTriggerExpired: the trigger is older than 3 s or was used.
	ErrTriggerExpired = errors.New("the trigger has expired")
	// ErrViewGone: the person has closed the view.
	ErrViewGone = errors.New("the view is closed")
)

// noWord stands for the error code of an answer that says it failed and not how.
const noWord = "no_error_code"

// APIError is a refusal by Slack's Web API.
type APIError struct {
	Method   string
	Code     string   // Slack's word, such as "invalid_arguments"
	Messages []string // what is wrong with which argument, in Slack's words
	Needed   string   // the scope that is missing
}

// Error names the method and the code, and all that Slack said besides.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "calling %s: %s", e.Method, e.Code)
	if e.Needed != "" {
		fmt.Fprintf(&b, " (needed: %s)", e.Needed)
	}
	for _, message := range e.Messages {
		b.WriteString("; " + message)
	}
	return b.String()
}

// Is reports whether the code means one of the sentinels.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrHashConflict:
		return e.Code == "hash_conflict"
	case ErrTriggerExpired:
		return slices.Contains([]string{"expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id"}, e.Code) ||
			slices.ContainsFunc(e.Messages, func(m string) bool {
				return strings.Contains(m, "trigger_id") && strings.Contains(m, "expired")
			})
	case ErrViewGone:
		return e.Code == "not_found" || e.Code == "view_not_found"
	}
	return false
}

// callError says which call failed, with all that Slack said about it and without
// the URL, which may be a capability.
func callError(method string, err error) error {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return &APIError{Method: method, Code: refused.Err, Messages: refused.ResponseMetadata.Messages, Needed: refused.Needed}
	}
	return fmt.Errorf("calling %s: %w", method, withoutURL(err))
}

// withoutURL takes the URL out of a client's error.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// RetryAfter reads from an error how long Slack asks to wait before the same is asked
// again; limited is false for any other error.
func RetryAfter(err error) (pause time.Duration, limited bool) { return pauseOf(err) }

// pauseOf reads how long Slack asks to wait; limited is false for any other error.
func pauseOf(err error) (pause time.Duration, limited bool) {
	if slow, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return slow.RetryAfter, true
	}
	if early, ok := errors.AsType[tooEarlyError](err); ok {
		return early.left, true
	}
	if refused, ok := errors.AsType[*APIError](err); ok {
		return 0, refused.Code == "ratelimited" || refused.Code == "rate_limited"
	}
	status, ok := errors.AsType[slack.StatusCodeError](err)
	return 0, ok && status.Code == http.StatusTooManyRequests // without Retry-After
}
