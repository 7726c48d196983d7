package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

var (
	requestSQL = `select ` + requestColumns + ` from requests where id = $1`
	byRefSQL   = `select ` + requestColumns + ` from requests where short_ref = $1`
	liveSQL    = `select ` + requestColumns + ` from requests
		where server_id = $1 and state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck', 'filed')`
)

// Request reads a request by id. [cancellation.ErrNoRequest] proves that there is none: the
// read comes after any write of it that is under way, and if absence proves nothing the error
// is also [cancellation.ErrUnclear]. A request that comes with [cancellation.ErrUnreadable]
// lacks its documents.
func (s *Store) Request(ctx context.Context, id string) (cancellation.Request, error) {
	r, err := s.readInTurn(ctx, id)
	if errors.Is(err, cancellation.ErrNoRequest) {
		err = errors.Join(err, s.Ready())
	}
	return r, wrap(fmt.Sprintf("reading request %q", id), err)
}

func (s *Store) readInTurn(ctx context.Context, id string) (cancellation.Request, error) {
	doubt := s.committer.doubt(id) // asked first: the read sees every write that was answered before
	r, err := s.one(ctx, requestSQL, id)
	if !doubt || !errors.Is(err, cancellation.ErrNoRequest) {
		return r, err
	}
	return change(ctx, s.committer, &write{},
		func(ctx context.Context, tx *tx, _ time.Time) (cancellation.Request, error) {
			return scanRequest(tx.QueryRowContext(ctx, requestSQL, id))
		})
}

// ByRef reads a request by its short reference, such as 7F3K-2QXD. A request that comes with
// [cancellation.ErrUnreadable] lacks its documents.
func (s *Store) ByRef(ctx context.Context, short string) (cancellation.Request, error) {
	r, err := s.one(ctx, byRefSQL, short)
	return r, wrap(fmt.Sprintf("reading request %q", short), err)
}

// Live reads the request that holds a server. A request that comes with
// [cancellation.ErrUnreadable] lacks its documents.
func (s *Store) Live(ctx context.Context, server int64) (cancellation.Request, error) {
	r, err := s.one(ctx, liveSQL, server)
	return r, wrap(fmt.Sprintf("reading the live request for server %d", server), err)
}

// one reads one request. It returns ErrNoRequest if the database that is written to has none.
func (s *Store) one(ctx context.Context, query string, key any) (r cancellation.Request, err error) {
	err = s.engine.confirmAbsence(ctx, func() error {
		r, err = scanRequest(s.read.QueryRowContext(ctx, query, key))
		return err
	})
	return r, err
}

// Count is how many requests are in one state and row format.
type Count struct {
	State  cancellation.State
	Format int
	N      int
	Since  time.Time // when the first of them came to that state
}

// isOpen is word for word a condition of the indexes requests_open and requests_under_way. SQLite
// uses them only if a query has the same words (https://www.sqlite.org/partialindex.html), and
// otherwise reads every request that has ended.
const isOpen = `state not in ('filed', 'denied', 'declined', 'expired', 'withdrawn', 'rejected', 'duplicate', 'reverted', 'reclaimed')`

const countsSQL = `select state, format, count(*), min(state_at) from requests where ` + isOpen + `
	group by state, format order by state, format`

// Counts counts the requests that have not ended, also in states and formats that only another
// build knows. It stays fast however many have ended.
func (s *Store) Counts(ctx context.Context) ([]Count, error) {
	return readAll(ctx, s.read, "counting requests", func(from row) (c Count, err error) {
		var since int64
		err = from.Scan(&c.State, &c.Format, &c.N, &since)
		c.Since = time.UnixMilli(since).UTC()
		return c, err
	}, countsSQL)
}

// A request is overdue in these states, or if its result is owed.
var overdueState = `(` + isOpen + ` and state in (` + quoted(cancellation.OverdueStates()) + `) and state_at <= $1)`

var overdueSQL = `select ` + requestColumns + `, ` + owedColumn + ` from requests
		where id in (
			select id from requests where ` + overdueState + `
			union all select request_id from notices where ` + isResult + ` and owed_at <= $1)
			and (created_at > $2 or created_at = $2 and id > $3)
		order by created_at, id limit $4`

const owedColumn = `coalesce((select min(owed_at) from notices where request_id = id and ` + isResult + `), 0)`

// The result of a batch is owed to its lead.
const isResult = `kind in ('result', 'batch:result')`

// Overdue lists requests that have taken longer than age, the oldest first: up to most of
// those after one request, or of all if that is the zero Request.
func (s *Store) Overdue(ctx context.Context, age time.Duration, after cancellation.Request, most int) ([]cancellation.Overdue, error) {
	const step = "listing what is overdue"
	now, err := s.engine.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return readAll(ctx, s.read, step, func(from row) (cancellation.Overdue, error) {
		var owed int64
		r, err := scanRequest(from, &owed)
		return overdue(r, owed, now.Add(-age)), readable(err)
	}, overdueSQL, stamp(now.Add(-age)), createdAfter(after), after.ID, most)
}

// createdAfter returns when a request was created, and for the zero Request a time before all.
func createdAfter(r cancellation.Request) int64 {
	if r.ID == "" {
		return -1
	}
	return r.CreatedAt.UnixMilli()
}

func overdue(r cancellation.Request, owed int64, before time.Time) cancellation.Overdue {
	o := cancellation.Overdue{Request: r}
	if at := time.UnixMilli(owed).UTC(); owed > 0 && !at.After(before) {
		o.Owed = at
	}
	return o
}

// reportPage is how many requests are in memory while all of a time are read.
const reportPage = 200

// isOwn is word for word a condition of the indexes requests_sent and requests_ticket: the request
// has a ticket of its own.
const isOwn = `ticket_id <> 0 and state in ('filed', 'reverted', 'reclaimed', 'stuck')`

const sentAt = `coalesce(sent_at, created_at)`

var (
	// SQLite begins at an expression's value only if it is compared alone.
	eachFiledSQL = `select ` + requestColumns + ` from requests
		where ` + isOwn + ` and ` + sentAt + ` >= $1 and (` + sentAt + `, id) > ($1, $2) and ` + sentAt + ` < $3 order by ` + sentAt + `, id limit $4`
	eachGoneSQL = `select ` + requestColumns + ` from requests
		where state = 'reclaimed' and (state_at, id) > ($1, $2) and state_at < $3 order by state_at, id limit $4`
	mayBeOursSQL = `select ` + requestColumns + ` from requests
		where ` + isOpen + ` and (state in ('filing', 'unknown', 'stuck') or recheck <> 0 or epoch < (select epoch from rechecks)) limit $1`
)

// EachFiled hands over every request with a ticket of its own that was sent at from or later and
// before until, the earliest first, a page at a time. A zero from is before all. Of a request whose sending is not known it
// takes when it was made. A request that cannot be read lacks its documents.
func (s *Store) EachFiled(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error {
	return s.eachOf(ctx, eachFiledSQL, from, until, func(r cancellation.Request) time.Time {
		if r.SentAt.IsZero() {
			return r.CreatedAt
		}
		return r.SentAt
	}, each)
}

// EachGone hands over every request whose server was gone at from or later and before until, as
// [Store.EachFiled] does.
func (s *Store) EachGone(ctx context.Context, from, until time.Time, each func(cancellation.Request) error) error {
	return s.eachOf(ctx, eachGoneSQL, from, until, func(r cancellation.Request) time.Time { return r.Since }, each)
}

func (s *Store) eachOf(ctx context.Context, query string, from, until time.Time, at func(cancellation.Request) time.Time, each func(cancellation.Request) error) error {
	id := ""
	if from.IsZero() { // a column has null for that
		from = time.UnixMilli(0)
	}
	for {
		page, err := readAll(ctx, s.read, "reading requests for a report", scanReadable, query, stamp(from), id, stamp(until), reportPage)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := each(r); err != nil {
				return err
			}
			from, id = at(r), r.ID
		}
		if len(page) < reportPage {
			return nil
		}
	}
}

// OwnTickets returns which of these tickets are recorded as a request's own.
func (s *Store) OwnTickets(ctx context.Context, tickets []int64) (map[int64]bool, error) {
	own := map[int64]bool{}
	for part := range slices.Chunk(tickets, reportPage) {
		args := make([]any, len(part))
		for i, ticket := range part {
			args[i] = ticket
		}
		found, err := readAll(ctx, s.read, "looking for tickets", func(from row) (id int64, err error) {
			return id, from.Scan(&id)
		}, ownTicketsSQL(len(part)), args...)
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			own[id] = true
		}
	}
	return own, nil
}

func ownTicketsSQL(tickets int) string {
	return `select ticket_id from requests where ` + isOwn + ` and ticket_id in ` + placeholders(1, tickets)
}

// MayBeOurs lists up to most requests that may have a ticket which is not recorded.
func (s *Store) MayBeOurs(ctx context.Context, most int) ([]cancellation.Request, error) {
	return readAll(ctx, s.read, "listing unsettled requests", scanReadable, mayBeOursSQL, most)
}
