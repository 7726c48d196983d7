package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// isFree and the statements below take the time as $1.
const isFree = `(lease_until is null or lease_until <= $1)`

var (
	isWork = fmt.Sprintf(`state in ('pending', 'scheduled', 'filing', 'unknown') and format <= %d`, cancellation.Format)

	firstDueSQL = `select id from requests where ` + isWork + ` and due <= $1 and ` + isFree + ` order by due limit 1`
	nextDueSQL  = `select min(case when lease_until > due then lease_until else due end) from requests where ` + isWork
)

func (d dialect) claimSQL() string {
	return `
		update requests set lease_owner = $2, lease_until = $3, version = version + 1
		where id = (` + firstDueSQL + d.rowLock + `)
		returning ` + requestColumns
}

const (
	renewSQL    = `update requests set lease_until = $1 where id = $2 and version = $3 and lease_owner = $4`
	setAsideSQL = `
		update requests set state = 'stuck', reason_code = '` + string(cancellation.WhyPoison) + `', reason_detail = $1, reason_by = '',
			updated_at = $2, events = events + 1, version = version + 1, lease_owner = null, lease_until = null
		where id = $3 returning events, version`
)

// Claim takes the request that has been due the longest, in a state that the worker
// works in and of a format that this build knows. Whoever held an older lease on it
// is fenced off by the new version. A row that cannot be read goes to Stuck with the
// reason, so that it holds up nobody behind it.
func (s *Store) Claim(ctx context.Context, owner string, lease time.Duration) (
	r cancellation.Request, found bool, next time.Time, err error,
) {
	due, next, err := s.look(ctx, firstDueSQL, nextDueSQL)
	if err == nil && !due {
		due, next, err = s.pullIn(ctx, next)
	}
	if err != nil || !due {
		return cancellation.Request{}, false, next, wrap("claiming a request", err)
	}
	r, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (cancellation.Request, error) {
		return claim(ctx, tx, s.dialect.claimSQL(), now, owner, lease)
	})
	if errors.Is(err, cancellation.ErrNoRequest) { // somebody else was faster
		next, err = s.lookAgain(ctx, firstDueSQL, nextDueSQL)
		return cancellation.Request{}, false, next, wrap("claiming a request", err)
	}
	return r, err == nil, time.Time{}, wrap("claiming a request", err)
}

func claim(ctx context.Context, tx *tx, claimSQL string, now time.Time, owner string, lease time.Duration) (cancellation.Request, error) {
	for {
		r, err := scanRequest(tx.QueryRowContext(ctx, claimSQL, stamp(now), owner, stamp(now.Add(lease))))
		bad, unreadable := errors.AsType[*unreadableError](err)
		if !unreadable {
			return r, err
		}
		if err := setAside(ctx, tx, now, bad); err != nil {
			return cancellation.Request{}, err
		}
	}
}

// setAside moves a row that cannot be read to Stuck, and has people told.
func setAside(ctx context.Context, tx *tx, now time.Time, bad *unreadableError) error {
	why := cancellation.Reason{Code: cancellation.WhyPoison, Detail: bad.Error()}
	aside := bad.request
	var seq int64
	if err := tx.QueryRowContext(ctx, setAsideSQL, why.Detail, stamp(now), aside.ID).Scan(&seq, &aside.Version); err != nil {
		return fmt.Errorf("setting request %s aside: %w", bad.request.Ref.Short(), err)
	}
	if err := tell(ctx, tx, aside, now); err != nil {
		return err
	}
	return insertEventRows(ctx, tx, 1, eventValues(bad.request.ID, seq, cancellation.Event{
		Kind: cancellation.EventMoved, At: now, Actor: "store",
		From: bad.request.State, To: cancellation.Stuck, Detail: why.String(),
	}))
}

// look reports whether something is due, and when the next thing is if nothing is.
// It only reads, so that idle workers keep nobody waiting.
func (s *Store) look(ctx context.Context, firstSQL, nextSQL string) (due bool, next time.Time, err error) {
	now, err := s.engine.now(ctx)
	if err != nil {
		return false, time.Time{}, err
	}
	var id string
	err = s.read.QueryRowContext(ctx, firstSQL, stamp(now)).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return err == nil, time.Time{}, err
	}
	err = s.read.QueryRowContext(ctx, nextSQL).Scan((*stamp)(&next))
	return false, next, err
}

// beatenPause is for a row that is due and that another's transaction still has.
const beatenPause = 50 * time.Millisecond

// lookAgain says when to ask anew, for one who got nothing of what was due.
func (s *Store) lookAgain(ctx context.Context, firstSQL, nextSQL string) (time.Time, error) {
	due, next, err := s.look(ctx, firstSQL, nextSQL)
	if err != nil || !due {
		return next, err
	}
	now, err := s.engine.now(ctx)
	return now.Add(beatenPause), err
}

// Renew prolongs a lease. [cancellation.ErrMoved]: somebody else has the request, or
// it is at another version.
func (s *Store) Renew(ctx context.Context, r cancellation.Request, owner string, lease time.Duration) error {
	w := &write{server: r.Submission.Card.Server.ID}
	_, err := change(ctx, s.committer, w, func(ctx context.Context, tx *tx, now time.Time) (renewed int64, err error) {
		result, err := tx.ExecContext(ctx, renewSQL, stamp(now.Add(lease)), r.ID, r.Version, owner)
		if err != nil {
			return 0, err
		}
		if renewed, err = result.RowsAffected(); err == nil && renewed == 0 {
			err = cancellation.ErrMoved
		}
		return renewed, err
	})
	return wrap("renewing the lease of request "+r.Ref.Short(), err)
}

// wrap names the step of an error, if there is one.
func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}
