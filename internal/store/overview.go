package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/inquiry"
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

	// It reads as many rows as there are live requests, from the index requests_live alone, and what waits by
	// requests_pending.
	heldSQL = `select server_id, 0 from requests where state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck', 'filed')
		union all select server_id, 1 from requests where state = 'pending' and created_at > 0`

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

// Held returns the servers that live requests hold, by id, and whether each waits for approval.
func (s *Store) Held(ctx context.Context) (map[int64]bool, error) {
	held := map[int64]bool{}
	_, err := readAll(ctx, s.read, "listing the servers that requests hold", func(from row) (one struct{}, err error) {
		var server, waits int64
		err = from.Scan(&server, &waits)
		held[server] = held[server] || waits == 1
		return one, err
	}, heldSQL)
	return held, err
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

// findPage is how many requests are in memory while many are found.
const findPage = 500

var (
	// The names of people stand in the documents of requests. A step from one person to the next one
	// reads the index of slots, however many requests each has.
	peopleSQL = `
		with recursive people (requester) as (
			select min(requester) from requests
			union all
			select (select min(requester) from requests where requester > people.requester) from people where people.requester is not null)
		select requester, (select submission from requests where requests.requester = people.requester order by quota_day desc, quota_slot desc limit 1)
			from people where requester <> ''`
	serversNamedSQL = `select server_id from requests where server_name = $1
		union select server_id from requests where server_name > $2 and server_name < $3`
	newsOfSQL   = `select ` + newsColumns + `, settled_at from news where request_id = $1 order by number`
	textsOfSQL  = `select ` + updateColumns + ` from ticket_updates where request_id = $1 order by number`
	policiesSQL = `select digest, text, first_at from policies`

	keepPolicySQL = `insert into policies (digest, text, first_at) values ($1, $2, $3) on conflict do nothing`
)

// findSQL finds requests that a filter lets through, the newest first, before $1 and $2, up to $3. Few
// requests are of one person, for one server or open: they are found by that and sorted. All others are
// found in their order.
func findSQL(f inquiry.Filter) (text string, args []any) {
	created, where := `created_at`, ``
	add := func(condition string, values ...any) {
		where += ` and ` + condition
		args = append(args, values...)
	}
	among := func(column string, values []any) {
		if len(values) > 0 {
			add(column+` in (`+numbered(len(args)+4, len(values))+`)`, values...)
		}
	}
	open := len(f.States) > 0 && !slices.ContainsFunc(f.States, func(s cancellation.State) bool { return !isUnended(s) })
	if open {
		where = ` and ` + isOpen
	}
	if open || len(f.Servers) > 0 || len(f.Requesters) > 0 {
		created = `+created_at` // by no index
	}
	among(`server_id`, anys(f.Servers))
	among(`requester`, anys(f.Requesters))
	among(`state`, anys(f.States))
	if !f.Since.IsZero() {
		add(created+` >= $`+strconv.Itoa(len(args)+4), f.Since.UnixMilli())
	}
	return `select ` + requestColumns + ` from requests where (` + created + `, id) < ($1, $2)` + where + ` order by ` + created + ` desc, id desc limit $3`, args
}

func isUnended(s cancellation.State) bool {
	return s == cancellation.Stuck || slices.Contains(cancellation.WorkStates(), s)
}

// numbered returns so many placeholders from one number on: $4, $5.
func numbered(from, count int) string {
	all := make([]string, count)
	for i := range all {
		all[i] = "$" + strconv.Itoa(from+i)
	}
	return strings.Join(all, ", ")
}

func anys[T any](all []T) (values []any) {
	for _, one := range all {
		value := any(one)
		if state, is := value.(cancellation.State); is {
			value = string(state)
		}
		values = append(values, value)
	}
	return values
}

// farthest is after every time that is stored.
const farthest = int64(1) << 60

// Find hands over the requests that a filter lets through, the newest first, up to most of them; 0 for
// all. more reports whether there are others. A request that cannot be read lacks its documents.
func (s *Store) Find(ctx context.Context, f inquiry.Filter, most int, each func(cancellation.Request) error) (more bool, err error) {
	text, args := findSQL(f)
	before, id := farthest, ""
	if !f.Until.IsZero() {
		before = f.Until.UnixMilli()
	}
	for found := 0; ; {
		page, err := readAll(ctx, s.read, "finding requests", scanReadable, text, append([]any{before, id, findPage}, args...)...)
		if err != nil {
			return false, err
		}
		for _, r := range page {
			if found++; most > 0 && found > most {
				return true, nil
			}
			if err := each(r); err != nil {
				return false, err
			}
			before, id = r.CreatedAt.UnixMilli(), r.ID
		}
		if len(page) < findPage {
			return false, nil
		}
	}
}

// ServersNamed returns the ids of servers with this full name, or with this host name in any domain. The
// name is as [cancellation.PlainName] returns it. Builds before 29 November 2026 recorded no name.
func (s *Store) ServersNamed(ctx context.Context, name string) ([]int64, error) {
	return readAll(ctx, s.read, "finding servers by name", func(from row) (id int64, err error) {
		return id, from.Scan(&id)
	}, serversNamedSQL, name, name+".", name+"/") // "/" comes after "."
}

// People lists everybody who ever asked for something, by the name that they had when they last did.
func (s *Store) People(ctx context.Context) ([]cancellation.Person, error) {
	return readAll(ctx, s.read, "listing people", func(from row) (p cancellation.Person, err error) {
		var requester, submission string
		if err := from.Scan(&requester, &submission); err != nil {
			return p, err
		}
		var document cancellation.Submission
		_ = json.Unmarshal([]byte(submission), &document) // a name that cannot be read is none
		p.Name = document.By.Name
		p.Team, p.ID, _ = strings.Cut(requester, "/")
		return p, nil
	}, peopleSQL)
}

// NewsOf lists what people are owed by direct message about a request, told or not.
func (s *Store) NewsOf(ctx context.Context, requestID string) ([]inquiry.News, error) {
	return readAll(ctx, s.read, "reading the news of a request", func(from row) (n inquiry.News, err error) {
		err = from.Scan(&n.Number, &n.To, &n.Request, &n.Kind, &n.Detail, (*stamp)(&n.At), (*stamp)(&n.Settled))
		return n, err
	}, newsOfSQL, requestID)
}

// TextsOf lists what people wrote for a request's ticket, the oldest first.
func (s *Store) TextsOf(ctx context.Context, requestID string) ([]correspondence.Update, error) {
	return readAll(ctx, s.read, "reading the texts of a request", scanUpdate, textsOfSQL, requestID)
}

// KeepPolicy keeps the text of a policy before that decides anything, once for each digest.
func (s *Store) KeepPolicy(ctx context.Context, digest, text string) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		return tx.changes(ctx, keepPolicySQL, digest, text, stamp(now))
	})
	return wrap("keeping the text of the policy", err)
}

// Policies reads the policies with these digests, or all if none is named, by digest. It leaves out those
// whose text is not kept.
func (s *Store) Policies(ctx context.Context, digests ...string) (map[string]inquiry.Policy, error) {
	where := ``
	if len(digests) > 0 {
		where = ` where digest in (` + numbered(1, len(digests)) + `)`
	}
	all, err := readAll(ctx, s.read, "reading policies", func(from row) (p inquiry.Policy, err error) {
		return p, from.Scan(&p.Digest, &p.Text, (*stamp)(&p.Since))
	}, policiesSQL+where, anys(digests)...)
	kept := map[string]inquiry.Policy{}
	for _, p := range all {
		kept[p.Digest] = p
	}
	return kept, err
}
