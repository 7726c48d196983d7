// Package inquiry answers who did what: everything on record about one request, all requests for one
// server, and lists of requests. It reads, and changes nothing.
package inquiry

import (
	"context"
	"errors"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

// ErrNoServer says that no request is on record for a server of that name or id.
var ErrNoServer = errors.New("no request is on record for a server of this name or id")

// ErrNoPerson says that nobody of that name or id is on record.
var ErrNoPerson = errors.New("no request is on record of a person of this name or id")

// Records reads what is on record.
type Records interface {
	// ByRef reads a request by the short form of its reference. cancellation.ErrNoRequest: there is none.
	ByRef(ctx context.Context, short string) (cancellation.Request, error)
	// Events reads a request's history, the oldest event first.
	Events(ctx context.Context, requestID string) ([]cancellation.Event, error)
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error)
	// NewsOf lists what people are owed by direct message about a request, told or not.
	NewsOf(ctx context.Context, requestID string) ([]News, error)
	// TextsOf lists what people wrote for a request's ticket, the oldest first.
	TextsOf(ctx context.Context, requestID string) ([]correspondence.Update, error)
	// StaysOf reads what stays billed of requests, by their ids.
	StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error)
	// Policies reads the policies with these digests, or all if none is named, by digest. It leaves out
	// those whose text is not on record.
	Policies(ctx context.Context, digests ...string) (map[string]Policy, error)

	// Find hands over the requests that a filter lets through, the newest first, up to most of them; 0 for
	// all. more reports whether there are others.
	Find(ctx context.Context, f Filter, most int, each func(cancellation.Request) error) (more bool, err error)
	// ServersNamed returns the ids of servers with this full name, or with this host name in any domain.
	// The name is as cancellation.PlainName returns it.
	ServersNamed(ctx context.Context, name string) ([]int64, error)
	// People lists everybody who ever asked for something.
	People(ctx context.Context) ([]cancellation.Person, error)
}

// Filter says which requests are looked for. Its zero value lets all through.
type Filter struct {
	States     []cancellation.State
	Servers    []int64
	Requesters []string  // "TEAM/USER"
	Since      time.Time // asked for then or later
	Until      time.Time // asked for before then
}

// News is what one person is told of a request by direct message.
type News struct {
	cancellation.OwedNews
	Settled time.Time // when it was told, or was no longer worth telling; zero: it waits
}

// Policy is a policy that was in force.
type Policy struct {
	Digest string    `json:"digest"`
	Text   string    `json:"text"`
	Since  time.Time `json:"first_in_force"` // when it first came into force
}
