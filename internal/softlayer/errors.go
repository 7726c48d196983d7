package softlayer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"cancel-server/internal/cancellation"
)

// The definite answers of createCancelServerTicket: nothing was made. The fifth is
// [DuplicateError].
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/createCancelServerTicket/
var (
	ErrAttachmentMissing = errors.New("no server id was provided")
	ErrReasonMissing     = errors.New("no cancellation reason was provided")
	ErrContentMissing    = errors.New("no description of the cancellation was provided")
	ErrPermission        = errors.New("the key has no permission to this service")
)

// SoftLayer's words for them.
const (
	textAttachmentMissing = "Attachment id must be provided."
	textReasonMissing     = "Cancellation reason must be provided."
	textContentMissing    = "Cancellation content description must be provided."
	textPermission        = "You do not have permission to this service."
)

// What else an answer, or a missing answer, can mean.
var (
	// ErrNotFound says that the object is absent, or that the key may not see it
	// (https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/).
	ErrNotFound = errors.New("not found, or not visible to this key")
	// ErrUnauthorized says that SoftLayer does not take the credentials.
	ErrUnauthorized = cancellation.ErrKeyRefused
	// ErrNotSent says that not one byte of the request has left.
	ErrNotSent = errors.New("nothing was sent")
	// ErrAnswerLost says that the request went out, or may have, and that no answer says for
	// certain what became of it.
	ErrAnswerLost = errors.New("no usable answer")
)

// errTooWide is how SoftLayer says that it was asked for too much at once, among
// other things (https://github.com/softlayer/softlayer-python/issues/943).
var errTooWide = errors.New("internal error")

// DuplicateError says that a cancellation ticket for the server exists already.
type DuplicateError struct {
	Ticket int64 // as SoftLayer's sentence names it
}

// Error names the ticket.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("cancellation ticket %d exists already", e.Ticket)
}

// RateLimitedError says that SoftLayer did nothing because of too many calls.
type RateLimitedError struct {
	Retry time.Duration // as its Retry-After says; 0 if it said nothing
}

// Error says that there were too many calls, and not how long to wait.
func (e *RateLimitedError) Error() string { return "too many calls" }

// Error is a failed call. Use errors.Is and errors.As to find what it means: one of this package's
// errors, or context.DeadlineExceeded or context.Canceled if the call's time was over.
type Error struct {
	Method string // SoftLayer_Ticket/getObject
	Status int    // HTTP status, 200 for any 2xx of the wrong shape; 0 where there was no answer
	Code   string // SoftLayer's exception class, if it named one
	Text   string // SoftLayer's words, or what went wrong; one line, no secret
	causes []error
}

// Error names the method, what the failure means, and what SoftLayer answered, as far as it did.
func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("calling %s: %v: %s", e.Method, e.causes[0], e.Text)
	}
	if e.Code == "" {
		return fmt.Sprintf("calling %s: %v: HTTP %d: %s", e.Method, e.causes[0], e.Status, e.Text)
	}
	return fmt.Sprintf("calling %s: %v: HTTP %d, %s: %s", e.Method, e.causes[0], e.Status, e.Code, e.Text)
}

// Unwrap gives what the failure means.
func (e *Error) Unwrap() []error { return e.causes }

// unusable is an answer that says nothing for certain.
func unusable(status int, why string) *Error {
	return &Error{Status: status, Text: why, causes: []error{ErrAnswerLost}}
}

// maxText bounds foreign text in an error, in characters.
const maxText = 300

// printable makes foreign text one short line.
func printable(text string) string { return oneLine(text, maxText) }

// oneLine makes foreign text one line of at most so many characters.
func oneLine(text string, most int) string {
	line := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(line); len(runes) > most {
		line = string(runes[:most]) + "…"
	}
	return strings.TrimSpace(line)
}

// maxRaw bounds an answer as it is recorded, in characters.
const maxRaw = 2000

// asItCame is an answer for the record: its status and body, without the credentials.
func (c *Client) asItCame(status int, body []byte) string {
	return oneLine(fmt.Sprintf("HTTP %d %s", status, c.conceal(string(body))), maxRaw)
}

// ResultOf returns what a call came to, in one of a few words: ok, rate_limited, refused, unclear,
// unreachable, timeout or other.
func ResultOf(err error) string {
	_, limited := errors.AsType[*RateLimitedError](err)
	_, called := errors.AsType[*Error](err)
	switch {
	case err == nil:
		return "ok"
	case limited:
		return "rate_limited"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled), !called:
		return "other"
	case errors.Is(err, ErrNotSent):
		return "unreachable"
	case errors.Is(err, ErrAnswerLost):
		return "unclear"
	}
	return "refused"
}
