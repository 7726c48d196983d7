package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
)

// applySQL keeps the lease only for a worker that takes the next step at once. The version
// alone finds the row. The state is a second fence, against a caller that changed its copy.
var applySQL = `
	update requests set (` + stepColumns.names() + `, state_at, format, lease_owner, lease_until, version, events, epoch) =
		(` + numbers(len(stepColumns)) + `,
		case when state = ` + stepColumns.number("state") + ` then state_at else ` + stepColumns.number("updated_at") + ` end, ` + behindStep(1) + `,
		case when ` + behindStep(2) + ` = 1 then lease_owner end, case when ` + behindStep(2) + ` = 1 then lease_until end,
		version + 1, events + ` + behindStep(3) + `, ` + behindStep(7) + `)
	where id = ` + behindStep(4) + ` and version = ` + behindStep(5) + ` and state = ` + behindStep(6) + ` and format <= ` + behindStep(1) + `
		and (epoch = ` + behindStep(7) + ` or not (` + isUnfinished + `))
	returning state_at, repeats, stop_asked_at, events`

// behindStep is the placeholder of a value behind those of the stepColumns.
func behindStep(n int) string { return "$" + strconv.Itoa(len(stepColumns)+n) }

// bringForwardSQL makes the notices that show the present state due, and records which version
// they owe. It leaves a notice's version alone: a process that is about to show an older
// state finds out by what is owed. A post without an answer keeps its time.
const bringForwardSQL = `
	update notices set owed = $1, owed_at = coalesce(owed_at, $2),
		due = case when due is null or (due > $2 and posting = 0) then $2 else due end
	where request_id = $3 and kind <> 'alarm' and kind not like 'reminder%' and kind not like 'said:%'
		and kind not like 'escalated%' and kind not like 'ended:%'
		and kind not like 'update:%' and kind not like 'proposal:%' and kind not like 'batch:%' and kind not like 'gathered:%'`

// Apply makes one step of a request, its row, its event and its notices' due times, in one
// transaction. It returns [cancellation.ErrMoved] if the row has left c.From.Version,
// [cancellation.ErrRepeated] if c.Key was used before, and [cancellation.ErrFrozen] or a
// *[cancellation.HourFullError] if no filing may begin now. The submission, the id, the reference
// and the server never change. A step to a state that the worker works in, with no due time,
// is due now. An event without a kind is left out if the state stays.
func (s *Store) Apply(ctx context.Context, c cancellation.Change) (cancellation.Request, error) {
	if err := checkChange(c); err != nil {
		return cancellation.Request{}, fmt.Errorf("changing request %s: %w", c.From.Ref.Short(), err)
	}
	stored, err := change(ctx, s.committer, stepOf(c), func(ctx context.Context, tx *tx, now time.Time) (cancellation.Request, error) {
		if c.To.State == cancellation.Filing && c.From.State != cancellation.Filing {
			return s.beginFiling(ctx, tx, now, c)
		}
		return apply(ctx, tx, now, c)
	})
	if err == nil {
		s.tellMove(c.From.State, stored)
	}
	return stored, wrap("changing request "+c.From.Ref.Short(), err)
}

// stepOf returns the write that makes a change.
func stepOf(c cancellation.Change) *write {
	return &write{batch: c.From.Batch, server: c.From.Submission.Card.Server.ID, id: c.From.ID, locks: ofBatch(c.From)}
}

// ofBatch returns those of the requests that belong to a batch.
func ofBatch(requests ...cancellation.Request) (ids []string) {
	for _, r := range requests {
		if r.Batch != "" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// beginFiling makes a step to Filing, unless filing is frozen or the hour is full.
func (s *Store) beginFiling(ctx context.Context, tx *tx, now time.Time, c cancellation.Change) (cancellation.Request, error) {
	err := s.thawed(ctx, tx)
	if err == nil {
		err = countFiling(ctx, tx, now, c.HourMost)
	}
	if err != nil {
		return cancellation.Request{}, err
	}
	stored, err := apply(ctx, tx, now, c)
	if wroteNothing(err) && c.HourMost > 0 { // the transaction goes on without this step
		if undone := giveBack(ctx, tx, now); undone != nil {
			return stored, undone
		}
	}
	return stored, err
}

// checkChange checks the step against the state table once more, after the domain did.
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
		cancellation.BySubmission, cancellation.ByWorker, cancellation.ByPerson, cancellation.ByCard, cancellation.ByFollower,
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
	if c.DueIn > 0 {
		c.To.Due = now.Add(c.DueIn)
	}
	c.To.Due = dueAt(c.To, now)
	if c.Window > 0 {
		c.To.SentAt, c.To.NotAfter = now, now.Add(c.Window)
	}
	values, err := stepValues(c.To, now)
	if err != nil {
		return cancellation.Request{}, err
	}
	keep := c.Keep && slices.Contains(cancellation.WorkStates(), c.To.State)
	values = append(values, c.From.WrittenFormat(), flag(keep), flag(c.Event.Kind != ""),
		c.From.ID, c.From.Version, string(c.From.State), tx.epoch)
	stored := asStepped(c, now)
	var seq int64
	write := func() error {
		return tx.QueryRowContext(ctx, applySQL, values...).Scan((*stamp)(&stored.Since), &stored.Repeats, (*stamp)(&stored.StopAsked), &seq)
	}
	if err = write(); errors.Is(err, sql.ErrNoRows) {
		lacked, failed := tx.catchUp(ctx, c.From.ID)
		switch {
		case failed != nil:
			return cancellation.Request{}, failed
		case lacked:
			err = write()
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return cancellation.Request{}, missing(ctx, tx, c.From.ID)
	}
	if err != nil {
		return cancellation.Request{}, fmt.Errorf("changing the row: %w", err)
	}
	if c.Event.Kind != "" {
		c.Event.At, c.Event.From, c.Event.To = now, c.From.State, c.To.State
		err = insertEvents(ctx, tx, eventRow{c.Event, stored.ID, seq})
	}
	return stored, errors.Join(err, useKey(ctx, tx, c.Key, now), tell(ctx, tx, stored, c.Tell, now), oweAll(ctx, tx, stored.ID, c.Owe, now), giveBack(ctx, tx, c.GiveBack))
}

// asStepped returns a request after its step as a later read returns it, but for the columns that the
// step's statement returns. The documents are those that the caller has: a row at c.From.Version has no
// others.
func asStepped(c cancellation.Change, now time.Time) cancellation.Request {
	r := c.To
	r.Ref, r.Submission, r.CreatedAt = c.From.Ref, c.From.Submission, c.From.CreatedAt
	r.Batch, r.Row = c.From.Batch, c.From.Row
	r.Format, r.Version, r.UpdatedAt = r.WrittenFormat(), c.From.Version+1, now
	return asRead(r)
}

func oweAll(ctx context.Context, tx *tx, id string, all []cancellation.Notice, now time.Time) error {
	for _, n := range all {
		n.Due = notBefore(now, n.Due)
		if _, err := owe(ctx, tx, id, n, now); err != nil {
			return err
		}
	}
	return nil
}

// tell makes the notices of the present state due, unless at is zero.
func tell(ctx context.Context, tx *tx, r cancellation.Request, at, now time.Time) error {
	if at.IsZero() {
		return nil
	}
	if r.Batch != "" {
		return tellBatch(ctx, tx, r.Batch, at, now)
	}
	_, err := bringForward(ctx, tx, r, notBefore(now, at))
	return err
}

// notBefore returns the later of both times.
func notBefore(now, at time.Time) time.Time {
	if at.Before(now) {
		return now
	}
	return at
}

// bringForward returns how many notices it made due.
func bringForward(ctx context.Context, tx *tx, r cancellation.Request, at time.Time) (due int64, err error) {
	result, err := tx.ExecContext(ctx, bringForwardSQL, r.Version, stamp(at), r.ID)
	if err == nil {
		due, err = result.RowsAffected()
	}
	return due, wrap("bringing the notice forward", err)
}

// missing returns why no row was at the expected version.
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

// keyLife is how long a used key is remembered.
const keyLife = 30 * 24 * time.Hour

const (
	keyUsedSQL    = `select count(*) from used_keys where key = $1`
	useKeySQL     = `insert into used_keys (key, at) values ($1, $2) on conflict do nothing`
	forgetKeysSQL = `delete from used_keys where key in (select key from used_keys where at < $1 order by at limit 100)`
)

// errKeyTaken says that another process used the key while this transaction ran, which undoes
// all of the transaction.
var errKeyTaken = errors.New("the key was used by another process meanwhile")

// keyUsed reports whether a command or click with this idempotency key has changed something
// before. An empty key is never used.
func keyUsed(ctx context.Context, tx *tx, key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	var used int
	err := tx.QueryRowContext(ctx, keyUsedSQL, key).Scan(&used)
	return used > 0, wrap("looking for a used key", err)
}

// useKey records the key in the transaction that makes its change, and forgets old keys.
func useKey(ctx context.Context, tx *tx, key string, now time.Time) error {
	if key == "" {
		return nil
	}
	if _, err := tx.ExecContext(ctx, forgetKeysSQL, stamp(now.Add(-keyLife))); err != nil {
		return fmt.Errorf("deleting old keys: %w", err)
	}
	result, err := tx.ExecContext(ctx, useKeySQL, key, stamp(now))
	if err != nil {
		return fmt.Errorf("using a key: %w", err)
	}
	switch made, err := result.RowsAffected(); {
	case err != nil:
		return fmt.Errorf("using a key: %w", err)
	case made == 0:
		return errKeyTaken
	}
	return nil
}

const lastSaidSQL = `select key from used_keys where key like $1 order by at desc limit 1`

// Say makes word the last word on a topic of the deployment, and returns whether the caller has to post it: not if
// it is the last word already, and not twice a day. A topic that nothing was said on for a month has the last word "".
func (s *Store) Say(ctx context.Context, topic, word string) (bool, error) {
	if last, err := lastSaid(ctx, s.read, topic); err != nil || last == word {
		return false, err
	}
	said, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		if last, err := lastSaid(ctx, tx, topic); err != nil || last == word {
			return false, err
		}
		key := topic + now.UTC().Format(saidOn) + word
		used, err := keyUsed(ctx, tx, key)
		if err != nil || used {
			return false, err
		}
		return true, useKey(ctx, tx, key, now)
	})
	if errors.Is(err, cancellation.ErrRepeated) {
		return false, nil
	}
	return said, wrap("using a key", err)
}

// saidOn stands between the topic and the word of a key.
const saidOn = " " + time.DateOnly + " "

func lastSaid(ctx context.Context, from querier, topic string) (word string, err error) {
	var key string
	switch err := from.QueryRowContext(ctx, lastSaidSQL, topic+" %").Scan(&key); {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("reading the last word on %s: %w", topic, err)
	}
	return key[min(len(key), len(topic)+len(saidOn)):], nil
}

// countEventSQL counts in the request's row, so that two writers of one history take
// turns.
const countEventSQL = `update requests set events = events + 1 where id = $1 returning events, state`

var (
	eventsSQL       = `select ` + readEventColumns.names() + ` from events where request_id = $1 order by seq`
	insertEventsSQL = `insert into events (` + eventColumns.names() + `) values `
)

func insertEvents(ctx context.Context, tx *tx, events ...eventRow) error {
	if len(events) == 0 {
		return nil
	}
	values := make([]any, 0, len(events)*len(eventColumns))
	for _, e := range events {
		values = eventColumns.values(values, &e)
	}
	_, err := tx.ExecContext(ctx, insertEventsSQL+placeholders(len(events), len(eventColumns)), values...)
	return wrap("inserting events", err)
}

// Note adds an event to a request's history. The event's state is the request's. The version
// stays, so that nobody loses a lease.
func (s *Store) Note(ctx context.Context, requestID string, event cancellation.Event) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		return none, note(ctx, tx, now, requestID, event)
	})
	return wrap(fmt.Sprintf("noting %q on request %q", event.Kind, requestID), err)
}

func note(ctx context.Context, tx *tx, now time.Time, requestID string, e cancellation.Event) error {
	var seq int64
	err := tx.QueryRowContext(ctx, countEventSQL, requestID).Scan(&seq, &e.To)
	if errors.Is(err, sql.ErrNoRows) {
		return cancellation.ErrNoRequest
	}
	if err != nil {
		return fmt.Errorf("counting events: %w", err)
	}
	e.At, e.From = now, e.To
	return insertEvents(ctx, tx, eventRow{e, requestID, seq})
}

// Events lists a request's history, the oldest first. It returns nil if there is no such
// request.
func (s *Store) Events(ctx context.Context, requestID string) ([]cancellation.Event, error) {
	return readAll(ctx, s.read, fmt.Sprintf("reading the events of request %q", requestID), func(from row) (cancellation.Event, error) {
		var r eventRow
		err := from.Scan(readEventColumns.targets(&r)...)
		return r.Event, err
	}, eventsSQL, requestID)
}
