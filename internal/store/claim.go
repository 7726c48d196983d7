package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// isFree and the statements below take the time as $1.
const isFree = `(lease_until is null or lease_until <= $1)`

var (
	isWork = fmt.Sprintf(`state in ('pending', 'scheduled', 'filing', 'unknown') and format <= %d`, cancellation.Format)

	dueSQL      = `select id from requests where ` + isWork + ` and due <= $1 and ` + isFree + ` order by due limit `
	firstDueSQL = dueSQL + `1`
	nextDueSQL  = nextSQL(`requests where ` + isWork)
)

// nextSQL is when something is due of rows of which nothing is due now. It reads no row
// behind the first that waits for its due time alone: what comes before that is leased. The limit is
// more than all replicas work on at once. It tells PostgreSQL, which cannot know how many rows
// come before a time that it does not know, to go by the index.
func nextSQL(rows string) string {
	return `
		select min(case when lease_until > due then lease_until else due end) from (
			select due, lease_until from ` + rows + ` and due <= coalesce((
				select due from ` + rows + ` and due > $1 and (lease_until is null or lease_until <= due) order by due limit 1
			), ` + strconv.FormatInt(math.MaxInt64, 10) + `) order by due limit 1000) as next`
}

// mostClaimed bounds one claim. As a number in the statement it tells PostgreSQL to go by the index.
const mostClaimed = 32

func (d dialect) claimSQL() string {
	return `
		with first as materialized (` + dueSQL + `$4` + d.rowLock + `)
		update requests set lease_owner = $2, lease_until = $3, version = version + 1
		where id in (select id from first limit ` + strconv.Itoa(mostClaimed) + `)
		returning ` + requestColumns
}

const (
	renewSQL    = `update requests set lease_until = $1 where id = $2 and version = $3 and lease_owner = $4 and epoch = $5`
	setAsideSQL = `
		update requests set state = 'stuck', reason_code = '` + string(cancellation.WhyPoison) + `', reason_detail = $1, reason_by = '',
			updated_at = $2, events = events + 1, version = version + 1,
			lease_owner = null, lease_until = null
		where id = $3 returning events, version`
)

// Claim leases the requests that have been due the longest, at most most of them, in a state that
// the worker works in and of a format that this build knows. The new version fences off the
// holder of an older lease. A row that cannot be read goes to Stuck with the reason, so that it
// holds up no other.
func (s *Store) Claim(ctx context.Context, owner string, lease time.Duration, most int) (c cancellation.Claim[cancellation.Request], err error) {
	seen, err := s.look(ctx, requestWork)
	if err == nil && seen.ahead {
		seen, err = s.pullIn(ctx)
	}
	if err != nil || !seen.due {
		c.Next = seen.pause()
		return c, wrap("claiming requests", err)
	}
	most = min(most, mostClaimed)
	c, err = change(ctx, s.committer, &write{claims: true}, func(ctx context.Context, tx *tx, now time.Time) (c cancellation.Claim[cancellation.Request], err error) {
		c.At = now
		c.Rows, err = claimRequests(ctx, tx, s.dialect.claimSQL(), now, owner, lease, most)
		return c, err
	})
	if err == nil {
		c.Next, err = s.nextClaim(ctx, requestWork, len(c.Rows), most)
	}
	return c, wrap("claiming requests", err)
}

// claim leases rows, and sets those aside that cannot be read. It returns none only if none is due
// that can be read.
func claim[T any](ctx context.Context, tx *tx, claimSQL string, values []any, scan func(row) (T, error), aside func(T, error) error) (leased []T, err error) {
	type found struct {
		row        T
		unreadable error
	}
	for {
		rows, err := tx.QueryContext(ctx, claimSQL, values...)
		if err != nil {
			return nil, err
		}
		all, err := collect(rows, func(from row) (f found, err error) {
			f.row, err = scan(from)
			if errors.Is(err, cancellation.ErrUnreadable) {
				f.unreadable, err = err, nil
			}
			return f, err
		})
		if err != nil || len(all) == 0 {
			return nil, err
		}
		for _, f := range all {
			if f.unreadable == nil {
				leased = append(leased, f.row)
			} else if err := aside(f.row, f.unreadable); err != nil {
				return nil, err
			}
		}
		if len(leased) > 0 {
			return leased, nil
		}
	}
}

func claimRequests(ctx context.Context, tx *tx, claimSQL string, now time.Time, owner string, lease time.Duration, most int) ([]cancellation.Request, error) {
	leased, err := claim(ctx, tx, claimSQL, []any{stamp(now), owner, stamp(now.Add(lease)), most},
		func(from row) (cancellation.Request, error) { return scanRequest(from) },
		func(r cancellation.Request, why error) error { return setAside(ctx, tx, now, r, why) })
	slices.SortStableFunc(leased, func(a, b cancellation.Request) int { return a.Due.Compare(b.Due) })
	return leased, err
}

// setAside moves a row that cannot be read to Stuck, and makes its notices due.
func setAside(ctx context.Context, tx *tx, now time.Time, bad cancellation.Request, unreadable error) error {
	why := cancellation.Reason{Code: cancellation.WhyPoison, Detail: unreadable.Error()}
	aside := bad
	var seq int64
	if err := tx.QueryRowContext(ctx, setAsideSQL, why.Detail, stamp(now), aside.ID).Scan(&seq, &aside.Version); err != nil {
		return fmt.Errorf("setting request %s aside: %w", bad.Ref.Short(), err)
	}
	if _, err := bringForward(ctx, tx, aside, now); err != nil {
		return err
	}
	return insertEvents(ctx, tx, eventRow{cancellation.Event{
		Kind: cancellation.EventMoved, At: now, Actor: "store",
		From: bad.State, To: cancellation.Stuck, Detail: why.String(),
	}, bad.ID, seq})
}

// work is how to look for rows to claim: the first that is due, when the next one is, and whether
// due times are ahead of the clock. The time is $1 in each.
type work struct{ first, next, ahead string }

var requestWork = work{firstDueSQL, nextDueSQL, aheadSQL}

// looked is what one look found, at one moment of the deciding clock.
type looked struct {
	now   time.Time
	due   bool
	next  time.Time // if nothing is due: when something is; zero: nothing waits
	ahead bool      // if nothing is due: due times are ahead of the clock
}

// pause is how long it is until something is due; zero if nothing waits.
func (s looked) pause() time.Duration {
	if s.next.IsZero() {
		return 0
	}
	return max(s.next.Sub(s.now), time.Millisecond)
}

// lookSQL is one look, by the time $1, or by the database's if that is null.
func (d dialect) lookSQL(w work) string {
	byTime := strings.NewReplacer("$1", "(select now from clock)")
	return `
		with clock as (select ` + d.clock + ` as now), work as materialized (` + byTime.Replace(w.first) + `)
		select now, exists (select 1 from work),
			case when not exists (select 1 from work) then (` + w.next + `) end,
			not exists (select 1 from work) and exists (` + byTime.Replace(w.ahead) + `)
		from clock`
}

// look finds out in one statement whether something is due. It only reads, so that idle workers
// lock nobody out.
func (s *Store) look(ctx context.Context, w work) (found looked, err error) {
	err = s.read.QueryRowContext(ctx, s.dialect.lookSQL(w), stamp(s.engine.given())).
		Scan((*stamp)(&found.now), &found.due, (*stamp)(&found.next), &found.ahead)
	return found, err
}

// retryPause is the wait for a row that is due and locked by another's transaction, and before
// the look after a claim.
const retryPause = 50 * time.Millisecond

// nextClaim returns how long to wait before the next claim, for a caller who got so many rows of
// what was due: not at all if there may be more. After it got fewer than it wanted nothing was
// left, and a look soon tells the rest. If it got nothing, somebody else was faster.
func (s *Store) nextClaim(ctx context.Context, w work, got, most int) (time.Duration, error) {
	switch {
	case got == most:
		return 0, nil
	case got > 0:
		return retryPause, nil
	}
	found, err := s.look(ctx, w)
	if found.due {
		return retryPause, err
	}
	return found.pause(), err
}

// Renew renews a lease. It returns [cancellation.ErrMoved] if another owner has the request, or
// if it is at another version.
func (s *Store) Renew(ctx context.Context, r cancellation.Request, owner string, lease time.Duration) error {
	w := &write{server: r.Submission.Card.Server.ID}
	_, err := change(ctx, s.committer, w, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		renew := func() (bool, error) {
			return tx.changes(ctx, renewSQL, stamp(now.Add(lease)), r.ID, r.Version, owner, tx.epoch)
		}
		renewed, err := renew()
		if err == nil && !renewed {
			if renewed, err = tx.catchUp(ctx, r.ID); renewed {
				renewed, err = renew()
			}
		}
		if err == nil && !renewed {
			err = cancellation.ErrMoved
		}
		return none, err
	})
	return wrap("renewing the lease of request "+r.Ref.Short(), err)
}

// A request that was last changed while the clock was ahead has a due time by that clock.
// After the clock is set right, the due time is moved to as long after now as it was after
// that change. Nothing else moves: until not_after a POST may be under way, whatever the
// clock says; what settles waits for its time; and leased requests belong to their holder.

// clockSlack is how far ahead a change may seem to be before its due time is moved.
const clockSlack = time.Minute

var (
	isAhead = isWork + fmt.Sprintf(` and state in ('pending', 'scheduled')
		and due - cast($1 as bigint) > %[1]d and updated_at > cast($1 as bigint) + %[1]d and `, clockSlack.Milliseconds()) + isFree

	aheadSQL  = `select 1 from requests where ` + isAhead
	pullInSQL = `update requests set due = $1 + case when due > updated_at then due - updated_at else 0 end,
		updated_at = $1, version = version + 1 where ` + isAhead + ` returning short_ref, due`
)

// pulled is a request whose due time was ahead.
type pulled struct {
	ref string
	due time.Time
}

// pullIn corrects due times of a clock that was ahead, and looks again.
func (s *Store) pullIn(ctx context.Context) (looked, error) {
	all, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) ([]pulled, error) {
		rows, err := tx.QueryContext(ctx, pullInSQL, stamp(now))
		if err != nil {
			return nil, err
		}
		return collect(rows, func(from row) (p pulled, err error) { return p, from.Scan(&p.ref, (*stamp)(&p.due)) })
	})
	if err != nil {
		return looked{}, err
	}
	for _, p := range all {
		s.log.Warn("the clock was ahead when a request was last changed, and was set back: the request is due earlier", "ref", p.ref, "due", p.due)
	}
	return s.look(ctx, requestWork)
}
