package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// What people read of where requests stand. Each statement reads few rows by an index, however many
// there are.
var (
	// A denial takes no slot of a day, so it is not listed.
	ofRequesterSQL = standing + `requester = $1 and quota_day is not null order by quota_day desc, quota_slot desc limit $2`
	pendingSQL     = standing + `state = 'pending' and created_at > 0 order by created_at desc, id desc limit $1`
	endingSQL      = standing + `state = 'filed' and ends_at >= $1 order by ends_at, id limit $2`
	undatedSQL     = standing + `state = 'filed' and ends_at = 0 order by id limit $1`
	ofServerSQL    = standing + `server_id = $1 order by created_at desc limit $2`
	namedSQL       = standing + `server_name >= $1 and server_name <= $2 order by server_name desc, created_at desc limit $3`
	ofRefSQL       = standing + `short_ref = $1`
	// The cross join has SQLite begin with the index of those that wait.
	waitingSQL = `select ` + requestColumns + `, ` + sinceAndKnown + ` from followed cross join requests
		where waits_since > 0 and id = request_id and state = 'filed' order by waits_since desc, request_id desc limit $1`

	standing = `select ` + requestColumns + `, ` + sinceAndKnown + ` from requests left join followed on request_id = id where `
)

// sinceAndKnown is since when SoftLayer waits for an answer, and what the follower knows if this build can read it.
var sinceAndKnown = fmt.Sprintf(`waits_since, case when known_format <= %d then known end`, knownFormat)

// standingRows reads requests with since when SoftLayer waits for an answer about them, and what the follower
// knows of them. Those whose
// documents cannot be read come without.
func (s *Store) standingRows(ctx context.Context, step, query string, args ...any) ([]cancellation.Followed, error) {
	return readAll(ctx, s.read, step, func(from row) (f cancellation.Followed, err error) {
		var known sql.NullString
		f.Request, err = scanRequest(from, (*stamp)(&f.Waits), &known)
		if known.String != "" {
			f.Known = []byte(known.String)
		}
		return f, readable(err)
	}, query, args...)
}

// OfRequester lists the requests of one person ("TEAM/USER"), the newest first, up to most of them.
func (s *Store) OfRequester(ctx context.Context, requester string, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing a person's requests", ofRequesterSQL, requester, most)
}

// Pending lists requests that wait for approval, the newest first, up to most of them.
func (s *Store) Pending(ctx context.Context, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing what waits for approval", pendingSQL, most)
}

// Waiting lists filed requests for which SoftLayer waits for an answer, the newest first, up to most.
func (s *Store) Waiting(ctx context.Context, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing what waits for an answer", waitingSQL, most)
}

// Ending lists filed requests whose servers may end at that time or later, the next one first, up to
// most of them.
func (s *Store) Ending(ctx context.Context, from time.Time, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing what ends next", endingSQL, stamp(from), most)
}

// Undated lists filed requests of which the table has no end date, up to most of them: an older build
// wrote the row, or the bill date is not visible.
func (s *Store) Undated(ctx context.Context, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing filed requests without a date", undatedSQL, most)
}

// OfServer lists the requests for a server, the newest first, up to most of them.
func (s *Store) OfServer(ctx context.Context, server int64, most int) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing a server's requests", ofServerSQL, server, most)
}

// OfRef lists the one request with this short reference, or none.
func (s *Store) OfRef(ctx context.Context, short string) ([]cancellation.Followed, error) {
	return s.standingRows(ctx, "listing a request by its reference", ofRefSQL, short)
}

// Named lists requests for servers with this full name, or with this host name in any domain, up to
// most of each. The name is as [cancellation.PlainName] returns it.
func (s *Store) Named(ctx context.Context, name string, most int) ([]cancellation.Followed, error) {
	const step = "listing requests by a server's name"
	full, err := s.standingRows(ctx, step, namedSQL, name, name, most)
	if err != nil {
		return nil, err
	}
	inDomains, err := s.standingRows(ctx, step, namedSQL, name+".", name+"/", most) // "/" comes after "."
	return append(full, inDomains...), err
}
