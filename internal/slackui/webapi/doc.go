// Package webapi calls Slack: one method for each call of the Web API, and the posting to
// response_urls. Nothing else makes these calls.
//
// It repeats no call: only the caller knows what may be repeated. Callers read an error with
// [RetryAfter], [StatusOf], [ErrNotSent] and the methods of [Error]. After a 429 a method is not
// called again before Slack's Retry-After is over.
package webapi
