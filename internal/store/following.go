package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

// knownFormat is the format of what is known of a followed request. A build leaves newer ones alone.
const knownFormat = 3

const (
	followTurnSQL = `
		update follow_turn set lease_owner = $1, lease_until = $2,
			began_at = case when began_at <= $4 or began_at > $3 then $3 else began_at end
		where lease_owner is null or lease_owner = $1 or lease_until <= $3
		returning began_at`
	holdTurnSQL   = `update follow_turn set lease_until = lease_until where lease_owner = $1`
	freeFollowSQL = `update follow_turn set lease_owner = null, lease_until = null`

	// When a pass begins, what was filed since the last one joins at the front, and what was
	// looked at by a clock that was ahead goes there.
	joinFollowedSQL = `
		insert into followed (request_id, revision, looked_at, known_format, known)
		select id, 1, 0, 1, '' from requests where state = 'filed'
		on conflict (request_id) do update set looked_at = 0, revision = followed.revision + 1 where followed.looked_at is null`
	rewindFollowedSQL = `update followed set looked_at = 0, revision = revision + 1 where looked_at > $1`
	// Requests that ended otherwise leave.
	leaveFollowedSQL = `
		update followed set looked_at = null, again_at = null, waits_since = null, revision = revision + 1
		where looked_at is not null and request_id in (select request_id from followed join requests on id = request_id
			where looked_at is not null and state <> 'filed')`

	lookedSQL = `
		update followed set looked_at = $1, known = $2, known_format = 3, revision = revision + 1,
			waits_since = case when $8 > ` + settled + ` then cast($7 as bigint) end,
			again_at = case when coalesce(again_at, 0) = $3 then $4 else again_at end
		where request_id = $5 and revision = $6`
	settled        = `coalesce((select settled from waits where waits.request_id = followed.request_id), 0)`
	endFollowedSQL = `
		update followed set looked_at = null, again_at = null, waits_since = null, revision = revision + 1
		where request_id = $1 and revision = $2`

	sightSQL = `
		insert into followed (request_id, revision, looked_at, again_at, known_format, known) values ($1, 1, 0, $2, 1, '')
		on conflict (request_id) do update set looked_at = coalesce(followed.looked_at, 0),
			again_at = case when followed.again_at < excluded.again_at then followed.again_at else excluded.again_at end`
)

var (
	dueLooksSQL = followedSQL(`looked_at < $1`, `looked_at`)
	againSQL    = followedSQL(`again_at <= $1`, `again_at`)
)

// followedSQL reads followed requests in an order. The cross join has SQLite begin with that order's
// index (https://www.sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join).
func followedSQL(due, order string) string {
	return `select ` + requestColumns + `, revision, looked_at, again_at, waits_since, ` + settled + `, known from followed cross join requests
		where ` + due + fmt.Sprintf(` and known_format <= %d and id = request_id and state = 'filed' and format <= %d
		order by `, knownFormat, cancellation.Format) + order + `, request_id limit $2`
}

// FollowTurn takes or renews the turn to look at filed requests.
func (s *Store) FollowTurn(ctx context.Context, owner string, every, lease time.Duration) (cancellation.FollowTurn, error) {
	turn, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (turn cancellation.FollowTurn, err error) {
		err = tx.QueryRowContext(ctx, followTurnSQL, owner, stamp(now.Add(lease)), stamp(now), stamp(now.Add(-every))).Scan((*stamp)(&turn.Began))
		turn.Mine, turn.Now = err == nil, now
		if errors.Is(err, sql.ErrNoRows) {
			return turn, nil
		}
		if err == nil && turn.Began.UnixMilli() == now.UnixMilli() {
			err = beginPass(ctx, tx, now)
		}
		return turn, err
	})
	return turn, wrap("taking the turn to follow requests", err)
}

func beginPass(ctx context.Context, tx *tx, now time.Time) error {
	for _, step := range []struct {
		text string
		args []any
	}{{joinFollowedSQL, nil}, {rewindFollowedSQL, []any{stamp(now)}}, {leaveFollowedSQL, nil}} {
		if _, err := tx.ExecContext(ctx, step.text, step.args...); err != nil {
			return fmt.Errorf("beginning a pass: %w", err)
		}
	}
	return nil
}

// DueLooks lists requests that were not looked at since the pass began, else those to be looked at
// again.
func (s *Store) DueLooks(ctx context.Context, began time.Time, most int) ([]cancellation.Followed, error) {
	const step = "listing the requests to look at"
	due, err := readAll(ctx, s.read, step, scanFollowed, dueLooksSQL, stamp(began), most)
	if err != nil || len(due) > 0 {
		return due, err
	}
	now, err := s.engine.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return readAll(ctx, s.read, step, scanFollowed, againSQL, stamp(now), most)
}

func scanFollowed(from row) (f cancellation.Followed, err error) {
	var known string
	f.Request, err = scanRequest(from, &f.Revision, (*stamp)(&f.LookedAt), (*stamp)(&f.Again), (*stamp)(&f.Waits), &f.Settled, &known)
	if known != "" {
		f.Known = []byte(known)
	}
	return f, readable(err)
}

// KeepLooks records what looks led to. It returns [ErrNotOurTurn] if the owner lost its turn.
func (s *Store) KeepLooks(ctx context.Context, owner string, quiet []string, looks []cancellation.Look) error {
	looks = slices.SortedFunc(slices.Values(looks), func(a, b cancellation.Look) int {
		return cmp.Compare(a.Followed.Request.Submission.Card.Server.ID, b.Followed.Request.Submission.Card.Server.ID)
	})
	var made []cancellation.Change
	w := &write{}
	for _, look := range looks {
		w.locks = append(w.locks, ofBatch(look.Followed.Request)...)
	}
	err := s.inTurnTo(ctx, w, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		made = nil // by a transaction that is tried again
		mine, err := tx.changes(ctx, holdTurnSQL, owner)
		if err != nil || !mine {
			return mine, err
		}
		for _, look := range looks {
			moved, err := keepLook(ctx, tx, now, look)
			if err != nil {
				return false, err
			}
			if moved {
				quiet = append(quiet, look.Followed.Request.ID)
			} else if look.Change != nil {
				made = append(made, *look.Change)
			}
		}
		return true, keepQuiet(ctx, tx, now, quiet)
	})
	if err == nil {
		for _, c := range made {
			s.tellMove(c.From.State, c.To)
		}
	}
	return wrap("recording looks at filed requests", err)
}

// keepQuiet records that a look at these requests showed nothing new.
func keepQuiet(ctx context.Context, tx *tx, now time.Time, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	args, places := []any{stamp(now)}, []string(nil)
	for _, id := range ids {
		args = append(args, id)
		places = append(places, fmt.Sprintf("$%d", len(args)))
	}
	_, err := tx.ExecContext(ctx, `update followed set looked_at = $1, revision = revision + 1
		where looked_at is not null and request_id in (`+strings.Join(places, ", ")+`)`, args...)
	return wrap("putting them at the end", err)
}

// keepLook records one look. moved says that the request has changed meanwhile: nothing was
// recorded.
func keepLook(ctx context.Context, tx *tx, now time.Time, look cancellation.Look) (moved bool, err error) {
	f, id := look.Followed, look.Followed.Request.ID
	ended := false
	if look.Change != nil {
		ended = look.Change.To.State != cancellation.Filed
		if err := checkChange(*look.Change); err != nil {
			return false, fmt.Errorf("changing request %s: %w", f.Request.Ref.Short(), err)
		}
		_, err = apply(ctx, tx, now, *look.Change)
	} else {
		moved, err = hasMoved(ctx, tx, f.Request)
	}
	if errors.Is(err, cancellation.ErrMoved) || moved {
		return true, nil
	}
	for _, e := range look.Notes {
		err = errors.Join(err, note(ctx, tx, now, id, e))
	}
	err = errors.Join(err, oweAll(ctx, tx, id, look.Owe, now), oweNews(ctx, tx, id, look.News, now), keepStays(ctx, tx, id, look.Stays))
	if err != nil {
		return false, err
	}
	text, args := lookedSQL, []any{stamp(now), string(look.Known), max(f.Again.UnixMilli(), 0), stamp(look.Again), id, f.Revision, stamp(look.Waits), max(look.Asks, 1)}
	if ended {
		text, args = endFollowedSQL, []any{id, f.Revision}
		look.Waits = time.Time{}
	}
	kept, err := tx.changes(ctx, text, args...)
	if err == nil && !kept {
		err = ErrNotOurTurn // somebody else looked at it
	}
	return false, errors.Join(err, keepWait(ctx, tx, look, now))
}

// hasMoved locks a request until the commit, and reports whether it is at another version.
func hasMoved(ctx context.Context, tx *tx, r cancellation.Request) (bool, error) {
	same, err := tx.changes(ctx, `update requests set version = version where id = $1 and version = $2`, r.ID, r.Version)
	return !same, err
}

// Sight notes what a card's read showed of a filed request, and has it looked at again after the gap.
func (s *Store) Sight(ctx context.Context, requestID string, seen cancellation.Event, gap time.Duration) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		if err := note(ctx, tx, now, requestID, seen); err != nil {
			return none, err
		}
		_, err = tx.ExecContext(ctx, sightSQL, requestID, stamp(now.Add(gap)))
		return none, err
	})
	return wrap(fmt.Sprintf("noting what was seen of request %q", requestID), err)
}

// staysFormat is the format of what is kept of what stays billed. A build leaves newer ones unread.
const staysFormat = 1

const keepStaysSQL = `
	insert into stays_billed (request_id, format, stays, left_behind) values ($1, $2, $3, $4)
	on conflict (request_id) do update set format = excluded.format, stays = excluded.stays, left_behind = excluded.left_behind`

// staysPage is how many requests one query reads.
const staysPage = 100

func staysSQL(requests int) string {
	return `select request_id, stays, left_behind from stays_billed
		where request_id in ` + placeholders(1, requests) + fmt.Sprintf(` and format <= %d`, staysFormat)
}

// StaysOf reads what is kept of what stays billed of these requests, by their ids. Nothing is kept of
// those that it leaves out.
func (s *Store) StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error) {
	all := map[string]billed.Record{}
	for page := range slices.Chunk(requests, staysPage) {
		args := make([]any, len(page))
		for i, id := range page {
			args[i] = id
		}
		rows, err := readAll(ctx, s.read, "reading what stays billed", scanStays, staysSQL(len(page)), args...)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			all[row.id] = row.Record
		}
	}
	return all, nil
}

type staysRow struct {
	id string
	billed.Record
}

func scanStays(from row) (r staysRow, err error) {
	var stays, left sql.NullString
	if err := from.Scan(&r.id, &stays, &left); err != nil {
		return r, err
	}
	for text, into := range map[*sql.NullString]**billed.Stays{&stays: &r.Stays, &left: &r.Left} {
		if !text.Valid {
			continue
		}
		*into = new(billed.Stays)
		if err := json.Unmarshal([]byte(text.String), *into); err != nil {
			return r, fmt.Errorf("reading what stays billed of request %q: %w", r.id, err)
		}
	}
	return r, nil
}

// keepStays keeps what stays billed of a request; nil leaves it as it is.
func keepStays(ctx context.Context, tx *tx, requestID string, r *billed.Record) error {
	if r == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, keepStaysSQL, requestID, staysFormat, staysText(r.Stays), staysText(r.Left))
	return wrap("keeping what stays billed", err)
}

func staysText(s *billed.Stays) any {
	if s == nil {
		return nil
	}
	text, _ := json.Marshal(s) // texts and numbers
	return string(text)
}
