package webapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"
)

// Refusals of Slack that callers distinguish.
var (
	// ErrHashConflict: the view was replaced since its hash was read.
	ErrHashConflict = errors.New("the view was changed meanwhile")
	// ErrViewGone: the person has closed the view.
	ErrViewGone = errors.New("the view is closed")
)

// noWord is the error code of an answer that says that it failed, but not why.
const noWord = "no_error_code"

// Error is a refusal by Slack's Web API.
type Error struct {
	Method   string
	Code     string   // Slack's word, such as "invalid_arguments"
	Messages []string // what is wrong with which argument, in Slack's words
	Needed   string   // the scope that is missing
}

// Error names the method and the code, and the rest of Slack's answer.
func (e *Error) Error() string {
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
func (e *Error) Is(target error) bool {
	switch target {
	case ErrHashConflict:
		return e.Code == "hash_conflict"
	case ErrViewGone:
		return e.Code == "not_found" || e.Code == "view_not_found"
	}
	return false
}

// callError is an error that names the call, with all that Slack answered and
// without the URL.
func callError(method string, err error) error {
	if refused, ok := errors.AsType[slack.SlackErrorResponse](err); ok {
		return &Error{Method: method, Code: refused.Err, Messages: refused.ResponseMetadata.Messages, Needed: refused.Needed}
	}
	return fmt.Errorf("calling %s: %w", method, WithoutURL(err))
}

// WithoutURL removes the URL from a client's error, because the URL may be a capability.
func WithoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// RetryAfter reads from an error how long Slack asks to wait before the same call; limited is false
// for any other error.
func RetryAfter(err error) (pause time.Duration, limited bool) {
	if slow, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return slow.RetryAfter, true
	}
	if early, ok := errors.AsType[tooEarlyError](err); ok {
		return early.left, true
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		return 0, refused.Code == "ratelimited" || refused.Code == "rate_limited"
	}
	status, ok := StatusOf(err)
	return 0, ok && status == http.StatusTooManyRequests // without Retry-After
}

// StatusOf is the HTTP status of an answer other than 200; ok is false for any other error.
func StatusOf(err error) (status int, ok bool) {
	failed, ok := errors.AsType[slack.StatusCodeError](err)
	return failed.Code, ok
}

// RefusesPlace reports a lasting refusal of this place: another place may take the message. See
// docs.slack.dev/reference/methods/chat.postMessage and conversations.open.
func (e *Error) RefusesPlace() bool {
	return strings.HasPrefix(e.Code, "restricted_action") || e.OurFault() || slices.Contains([]string{
		"not_in_channel", "channel_not_found", "is_archived", "no_permission", "ekm_access_denied",
		"cannot_dm_bot", "user_not_found", "user_disabled", "user_not_visible", "messages_tab_disabled",
		"cannot_message_user", "method_not_supported_for_channel_type", "team_access_not_granted",
		"external_channel_migrating",
		"cannot_reply_to_message", "thread_not_found", // its thread takes none, or is gone: github.com/slackapi/bolt-js/issues/2307
	}, e.Code)
}

// RefusesToken reports a token that may not post anywhere: a response_url needs none. See
// docs.slack.dev/reference/methods/chat.postMessage.
func (e *Error) RefusesToken() bool {
	return slices.Contains([]string{
		"missing_scope", "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired",
	}, e.Code)
}

// OurFault reports an error that the message itself causes.
func (e *Error) OurFault() bool {
	return slices.Contains([]string{
		"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text",
		"invalid_arguments", "invalid_metadata_format", "metadata_too_large",
	}, e.Code)
}

// Unclear reports an error after which "some aspect of the operation" may have succeeded, in
// the words of the methods' pages.
func (e *Error) Unclear() bool {
	return slices.Contains([]string{"fatal_error", "internal_error", "service_unavailable", "request_timeout", noWord}, e.Code)
}

// ErrNotSent marks an error of a call that got no connection: certainly nothing was sent.
var ErrNotSent = errors.New("not sent")

// notSentError is an error that is ErrNotSent, in its own words.
type notSentError struct{ error }

// Is reports whether target is ErrNotSent.
func (notSentError) Is(target error) bool { return target == ErrNotSent }

// Unwrap returns the error as it came.
func (e notSentError) Unwrap() error { return e.error }

// traced makes a call. Its error is ErrNotSent unless the call got as far as a connection.
func traced(ctx context.Context, call func(ctx context.Context) error) error {
	var connected atomic.Bool
	err := call(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	if err != nil && !connected.Load() {
		return notSentError{err}
	}
	return err
}

// ResultOf returns what a call came to, in one of a few words: ok, rate_limited, refused, unclear,
// unreachable, timeout or other.
func ResultOf(err error) string {
	if err == nil {
		return "ok"
	}
	if _, limited := RetryAfter(err); limited {
		return "rate_limited"
	}
	if refused, ok := errors.AsType[*Error](err); ok {
		if refused.Unclear() {
			return "unclear"
		}
		return "refused"
	}
	if status, ok := StatusOf(err); ok {
		if status >= http.StatusInternalServerError {
			return "unclear"
		}
		return "refused"
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	if _, dialing := errors.AsType[*net.OpError](err); dialing || errors.Is(err, ErrNotSent) {
		return "unreachable"
	}
	return "other"
}
