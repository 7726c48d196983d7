package slackui

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/webapi"
)

// postFailed classes a failed call that makes something. If something may have been made, it is
// Lost.
func postFailed(err error) (cancellation.Delivery, time.Duration) {
	pause, limited := webapi.RetryAfter(err)
	refused, isRefusal := errors.AsType[*webapi.Error](err)
	status, isStatus := webapi.StatusOf(err)
	switch {
	case limited, errors.Is(err, webapi.ErrNotSent):
		return cancellation.Undelivered, pause
	case isRefusal && (refused.RefusesPlace() || refused.RefusesToken()):
		return cancellation.Refusing, 0
	case isRefusal && !refused.Unclear():
		return cancellation.Undelivered, 0
	case isStatus && status < http.StatusInternalServerError:
		return cancellation.Undelivered, 0
	}
	return cancellation.Lost, 0
}

// openFailed classes a failed conversations.open, which posts nothing.
func openFailed(err error) (cancellation.Delivery, time.Duration) {
	if refused, ok := errors.AsType[*webapi.Error](err); ok && (refused.RefusesPlace() || refused.RefusesToken()) {
		return cancellation.Refusing, 0
	}
	pause, _ := webapi.RetryAfter(err)
	return cancellation.Undelivered, pause
}

// updateFailed classes a failed chat.update, which may be repeated. A refused token removes no
// message: the same message is edited once the token works again.
func updateFailed(err error) (cancellation.Delivery, time.Duration) {
	gone := []string{"message_not_found", "cant_update_message", "edit_window_closed"}
	if refused, ok := errors.AsType[*webapi.Error](err); ok && (slices.Contains(gone, refused.Code) || refused.RefusesPlace()) {
		return cancellation.Refusing, 0
	}
	pause, _ := webapi.RetryAfter(err)
	return cancellation.Undelivered, pause
}

// respondFailed classes a failed response_url. Slack refuses one for good, such as at a sixth use
// or after 30 min, so there is nothing to try again.
func respondFailed(err error) (cancellation.Delivery, time.Duration) {
	status, isStatus := webapi.StatusOf(err)
	refused, isRefusal := errors.AsType[*webapi.Error](err)
	switch {
	case errors.Is(err, webapi.ErrForeignURL),
		isStatus && status < http.StatusInternalServerError && status != http.StatusTooManyRequests,
		isRefusal && !refused.Unclear():
		return cancellation.Refusing, 0
	}
	return postFailed(err)
}
