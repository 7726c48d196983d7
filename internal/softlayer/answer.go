package softlayer

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Exception classes that decide.
const (
	codeNotFound    = "SoftLayer_Exception_ObjectNotFound"
	codeRateLimited = "SoftLayer_Exception_WebService_RateLimitExceeded"
	codeTokenOver   = "SoftLayer_Exception_Account_Authentication_AccessTokenValidation"
	codeDenied      = "SoftLayer_Exception_PermissionDenied" // https://github.com/softlayer/softlayer-python/issues/1905
)

// readRefused reports whether SoftLayer says, by its words or by its class, that the
// key lacks a right. It is false for refused credentials, an outage or a rate limit.
func readRefused(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && (errors.Is(failed, ErrPermission) || failed.Code == codeDenied)
}

// duplicate is the whole sentence, because a number anywhere else is not a ticket.
var duplicate = regexp.MustCompile(
	`^A cancellation ticket already exists for this server\. Please refer to ticket ([1-9][0-9]{0,18})\.$`)

// rateLimit as in https://github.com/softlayer/softlayer-python/issues/884.
var rateLimit = regexp.MustCompile(`^Rate limit of \d+ requests for every \d+ second\(s\) exceeded\.$`)

// classify says what is wrong with an answer; nil if it is JSON with status 2xx that is neither an
// error nor null. The body decides before the status (docs/design.md 4.1), because SoftLayer
// answers errors with 500 and 200 alike.
func classify(status int, header http.Header, body []byte) *Error {
	if !json.Valid(body) {
		return byStatus(status, header, whatItIs(body))
	}
	var members map[string]json.RawMessage
	_ = json.Unmarshal(body, &members) // anything but an object has none
	if wrong, is := members["error"]; is {
		return exception(status, header, members, wrong)
	}
	switch {
	case status < 200 || status > 299:
		if _, named := members["id"]; named {
			return unusable(status, "an object, with a status that says otherwise")
		}
		return byStatus(status, header, "no error in the answer")
	case bytes.Equal(bytes.TrimSpace(body), []byte("null")):
		return unusable(status, "null instead of an answer")
	}
	return nil
}

func whatItIs(body []byte) string {
	if len(bytes.TrimSpace(body)) == 0 {
		return "an empty answer"
	}
	return "an answer that is not JSON"
}

// byStatus judges by the status, for an answer whose body says nothing.
func byStatus(status int, header http.Header, why string) *Error {
	failed := unusable(status, why)
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		failed.causes = []error{ErrUnauthorized}
	case http.StatusTooManyRequests:
		failed.causes = []error{&RateLimitedError{Retry: retryAfter(header)}}
	}
	return failed
}

// exception judges {"error":"text","code":"class"}.
// https://sldn.softlayer.com/article/exception-handling-softlayer-api/
func exception(status int, header http.Header, members map[string]json.RawMessage, wrong json.RawMessage) *Error {
	var words, code string
	if json.Unmarshal(wrong, &words) != nil || words == "" {
		return unusable(status, "an error without words")
	}
	_ = json.Unmarshal(members["code"], &code) // a missing one, or no text, is no class
	failed := &Error{Status: status, Code: code, Text: words, causes: []error{ErrAnswerLost}}
	if _, named := members["id"]; named { // both a yes and a no
		return failed
	}
	if meaning := meaningOf(strings.TrimSpace(words), code, header); meaning != nil {
		failed.causes = []error{meaning}
		return failed
	}
	failed.causes = byStatus(status, header, words).causes
	if strings.TrimSpace(words) == "Internal Error" {
		failed.causes = append(failed.causes, errTooWide)
	}
	return failed
}

// meaningOf knows the errors whose text or class is definite; nil for any other.
func meaningOf(words, code string, header http.Header) error {
	switch words {
	case textAttachmentMissing:
		return ErrAttachmentMissing
	case textReasonMissing:
		return ErrReasonMissing
	case textContentMissing:
		return ErrContentMissing
	case textPermission:
		return ErrPermission
	case "Access Denied.":
		return ErrUnauthorized
	}
	if found := duplicate.FindStringSubmatch(words); found != nil {
		if id, err := strconv.ParseInt(found[1], 10, 64); err == nil {
			return &DuplicateError{Ticket: id}
		}
	}
	switch {
	case code == codeRateLimited || rateLimit.MatchString(words):
		return &RateLimitedError{Retry: retryAfter(header)}
	case code == codeTokenOver:
		return ErrUnauthorized
	case code == codeNotFound:
		return ErrNotFound
	}
	return nil
}

// maxRetry bounds how long a Retry-After header can make us wait.
const maxRetry = 10 * 60 // seconds

func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.Atoi(header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, maxRetry)) * time.Second
}
