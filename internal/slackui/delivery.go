package slackui

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// traced makes a call and reports whether it got as far as a connection: before that,
// surely nothing was sent.
func traced(ctx context.Context, call func(ctx context.Context) error) (sent bool, err error) {
	var connected atomic.Bool
	err = call(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	}))
	return connected.Load(), err
}

// postFailed classes a failed call that makes something: what may have been made and
// is not known is Lost.
func postFailed(sent bool, err error) (cancellation.Delivery, time.Duration) {
	pause, limited := pauseOf(err)
	refused, isRefusal := errors.AsType[*APIError](err)
	status, isStatus := errors.AsType[slack.StatusCodeError](err)
	switch {
	case !sent, limited:
		return cancellation.Undelivered, pause
	case isRefusal && (placeRefuses(refused.Code) || tokenRefused(refused.Code)):
		return cancellation.Refusing, 0
	case isRefusal && !unclear(refused.Code):
		return cancellation.Undelivered, 0
	case isStatus && status.Code < http.StatusInternalServerError:
		return cancellation.Undelivered, 0
	}
	return cancellation.Lost, 0
}

// openFailed classes a failed conversations.open, which posts nothing.
func openFailed(err error) (cancellation.Delivery, time.Duration) {
	if refused, ok := errors.AsType[*APIError](err); ok && (placeRefuses(refused.Code) || tokenRefused(refused.Code)) {
		return cancellation.Refusing, 0
	}
	pause, _ := pauseOf(err)
	return cancellation.Undelivered, pause
}

// updateFailed classes a failed chat.update, which may be made again. A refused token
// takes no message away: the same one is edited when the token works again.
func updateFailed(err error) (cancellation.Delivery, time.Duration) {
	gone := []string{"message_not_found", "cant_update_message", "edit_window_closed"}
	if refused, ok := errors.AsType[*APIError](err); ok && (slices.Contains(gone, refused.Code) || placeRefuses(refused.Code)) {
		return cancellation.Refusing, 0
	}
	pause, _ := pauseOf(err)
	return cancellation.Undelivered, pause
}

// respondFailed classes a failed response_url, which has no words of its own: what it
// refuses it refuses for good, such as a sixth use or one after 30 min.
func respondFailed(sent bool, err error) (cancellation.Delivery, time.Duration) {
	status, isStatus := errors.AsType[slack.StatusCodeError](err)
	refused, isRefusal := errors.AsType[*APIError](err)
	switch {
	case isStatus && status.Code < http.StatusInternalServerError && status.Code != http.StatusTooManyRequests,
		isRefusal && !unclear(refused.Code):
		return cancellation.Refusing, 0
	}
	return postFailed(sent, err)
}

// placeRefuses knows the errors that last: another place may take the message. See
// docs.slack.dev/reference/methods/chat.postMessage and conversations.open.
func placeRefuses(code string) bool {
	return strings.HasPrefix(code, "restricted_action") || ourFault(code) || slices.Contains([]string{
		"not_in_channel", "channel_not_found", "is_archived", "no_permission", "ekm_access_denied",
		"cannot_dm_bot", "user_not_found", "user_disabled", "user_not_visible", "messages_tab_disabled",
		"cannot_message_user", "method_not_supported_for_channel_type", "team_access_not_granted",
		"external_channel_migrating",
		"cannot_reply_to_message", "thread_not_found", // its thread takes none, or is gone: github.com/slackapi/bolt-js/issues/2307
	}, code)
}

// tokenRefused knows the errors of a token that may not post, in no place: the
// response_url needs none. See docs.slack.dev/reference/methods/chat.postMessage.
func tokenRefused(code string) bool {
	return slices.Contains([]string{
		"missing_scope", "not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired",
	}, code)
}

// ourFault knows the errors that a message itself causes.
func ourFault(code string) bool {
	return slices.Contains([]string{
		"invalid_blocks", "invalid_blocks_format", "msg_too_long", "msg_blocks_too_long", "no_text",
		"invalid_arguments", "invalid_metadata_format", "metadata_too_large",
	}, code)
}

// unclear knows the errors after which "some aspect of the operation" may have
// succeeded, in the words of the methods' pages.
func unclear(code string) bool {
	return slices.Contains([]string{"fatal_error", "internal_error", "service_unavailable", "request_timeout", noWord}, code)
}
