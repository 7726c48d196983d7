package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// The lease stays only for a worker that takes the next step at once. The row is
// found by its version alone; the state beside it is a second fence, against a
// caller that changed its copy.
var applySQL = `
	update requests set (` + changingColumns + `, state_at, format, lease_owner, lease_until, version, events) =
		($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
		case when state = $1 then state_at else $15 end, $24,
		case when $25 = 1 then lease_owner end, case when $25 = 1 then lease_until end,
		version + 1, events + $26)
	where id = $27 and version = $28 and state = $29 and format <= $24
	returning ` + requestColumns + `, events`

// tellSQL brings the notices that show the present state forward and says what is owed.
// It leaves the notice's
// version alone: whoever is about to show an older state finds out by what is owed.
// A post whose answer is awaited, or lost, keeps its time.
const tellSQL = `
	update notices set owed = $1, owed_at = coalesce(owed_at, $2),
		due = case when due is null or (due > $2 and posting = 0) then $2 else due end
	where request_id = $3 and kind <> 'alarm' and kind not like 'reminder%'`

// Apply makes one step of a request: its row, its event, its notice's due time, in
// one transaction. [cancellation.ErrMoved]: the row is not at c.From.Version any
// more. [cancellation.ErrRepeated]: c.Key was used before. What the person submitted, the id, the reference and the server never change.
// A step to a state in which the worker has work and with no due time is due now. An
// event with no kind is left out, where the state stays.
func (s *Store) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	if err := checkChange(c); err != nil {
		return cancellation.Request{}, fmt.Errorf("changing request %s: %w", c.From.Ref.Short(), err)
	}
	w := &write{server: c.From.Submission.Card.Server.ID, id: c.From.ID}
	stored, err := change(ctx, s.committer, w, func(ctx context.Context, tx *tx, now time.Time) (cancellation.Request, error) {
		if c.To.State == cancellation.Filing && c.From.State != cancellation.Filing {
			if err := s.thawed(ctx, tx); err != nil {
				return cancellation.Request{}, err
			}
		}
		return apply(ctx, tx, now, c)
	})
	return stored, wrap("changing request "+c.From.Ref.Short(), err)
}

// checkChange holds the state table a second time, behind the domain's own check.
func checkChange(c cancellation.Change) error {
	from, to := c.From, c.To
	switch {
	case from.ID != to.ID:
		return errors.New("it would become another request")
	case from.State == cancellation.New:
		return errors.New("it is not recorded yet")
	case from.State == to.State:
		return nil
	case c.Event.Kind == "":
		return fmt.Errorf("a step from %q to %q needs an event", from.State, to.State)
	}
	for _, cause := range []cancellation.Cause{
		cancellation.BySubmission, cancellation.ByWorker, cancellation.ByPerson, cancellation.ByCard,
	} {
		if cancellation.May(from.State, to.State, cause) {
			return nil
		}
	}
	return fmt.Errorf("the state table has no step from %q to %q", from.State, to.State)
}

func apply(ctx context.Context, tx *tx, now time.Time, c cancellation.Change) (cancellation.Request, error) {
	if used, err := keyUsed(ctx, tx, c.Key); used || err != nil {
		return cancellation.Request{}, cmp.Or(err, cancellation.ErrRepeated)
	}
	c.To.Due = dueAt(c.To, now)
	if c.Window > 0 {
		c.To.SentAt, c.To.NotAfter = now, now.Add(c.Window)
	}
	values, err := changingValues(c.To, now)
	if err != nil {
		return cancellation.Request{}, err
	}
	keep := c.Keep && slices.Contains(cancellation.WorkStates(), c.To.State)
	values = append(values, cancellation.Format, flag(keep), flag(c.Event.Kind != ""),
		c.From.ID, c.From.Version, string(c.From.State))
	var seq int64
	stored, err := scanRequest(tx.QueryRowContext(ctx, applySQL, values...), &seq)
	err = readable(err)
	if errors.Is(err, cancellation.ErrNoRequest) {
		return stored, missing(ctx, tx, c.From.ID)
	}
	if err != nil {
		return stored, err
	}
	if c.Event.Kind != "" {
		c.Event.At, c.Event.From, c.Event.To = now, c.From.State, c.To.State
		err = insertEventRows(ctx, tx, 1, eventValues(stored.ID, seq, c.Event))
	}
	return stored, errors.Join(err, useKey(ctx, tx, c.Key, now), tell(ctx, tx, stored, c.Tell), oweAll(ctx, tx, stored.ID, c.Owe), giveBack(ctx, tx, c))
}

func oweAll(ctx context.Context, tx *tx, id string, all []cancellation.Notice) error {
	for _, n := range all {
		if _, err := owe(ctx, tx, id, n); err != nil {
			return err
		}
	}
	return nil
}

func tell(ctx context.Context, tx *tx, r cancellation.Request, at time.Time) error {
	if at.IsZero() {
		return nil
	}
	_, err := tx.ExecContext(ctx, tellSQL, r.Version, stamp(at), r.ID)
	return wrap("bringing the notice forward", err)
}

// missing says why no row was at the version expected.
func missing(ctx context.Context, tx *tx, id string) error {
	var version int64
	err := tx.QueryRowContext(ctx, `select version from requests where id = $1`, id).Scan(&version)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cancellation.ErrNoRequest
	case err != nil:
		return fmt.Errorf("looking for the request: %w", err)
	}
	return cancellation.ErrMoved
}
