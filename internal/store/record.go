package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
)

// redraws bounds how often a reference whose short form is taken is drawn again. One in 2^40
// is taken, so a second time is a fault in the drawing.
const redraws = 4

// recording is one Record on its way into the database. A run may give it another slot of the
// day, or another reference.
type recording struct {
	cancellation.Record
	given cancellation.Record
	row   audit.Row // as it was inserted
	out   cancellation.Recorded
	taken *cancellation.SlotTakenError // another request took the slot for which this one was decided
}

// begin forgets what an earlier run changed.
func (r *recording) begin() { *r = recording{Record: r.given, given: r.given} }

// Record stores a new request with its event and notices, and ends the request that it
// replaces, if its id is new and no live request holds its server. It replaces a reference
// whose short form is taken: use the one that it returns. A request in a state that the worker
// works in, with no due time, is due now.
func (s *Store) Record(ctx context.Context, rec cancellation.Record) (cancellation.Recorded, error) {
	r := &recording{Record: rec, given: rec}
	if err := r.check(); err != nil {
		return cancellation.Recorded{}, fmt.Errorf("recording request %q: %w", rec.Request.ID, err)
	}
	w := &write{id: rec.Request.ID, server: rec.Request.Submission.Card.Server.ID}
	var out cancellation.Recorded
	var err error
	switch {
	case rec.Ending != nil:
		w.locks = ofBatch(rec.Ending.From)
		out, err = change(ctx, s.committer, w, r.takeOver)
	case rec.Request.State == cancellation.Denied:
		out, err = change(ctx, s.committer, w, r.deny)
	default:
		w.record = r
		if err = s.committer.do(ctx, w); err == nil {
			out, err = r.out, r.slotTakenError()
		}
	}
	if err == nil && out.Fresh {
		if rec.Ending != nil {
			s.tellMove(rec.Ending.From.State, rec.Ending.To)
		}
		s.tellMove(cancellation.New, out.Request)
	}
	return out, wrap(fmt.Sprintf("recording request %q", rec.Request.ID), err)
}

func (s *Store) tellMove(from cancellation.State, r cancellation.Request) {
	if s.moved != nil && from != r.State {
		s.moved(from, r)
	}
}

func (r *recording) check() error {
	request := r.Request
	switch {
	case request.ID == "" || request.Ref == "":
		return errors.New("it has no id or no reference")
	case !cancellation.May(cancellation.New, request.State, cancellation.BySubmission):
		return fmt.Errorf("no submission leads to %q", request.State)
	case r.Event.Kind == "":
		return errors.New("it has no event")
	case r.Ending == nil:
		return nil
	case r.Ending.From.Submission.Card.Server.ID != request.Submission.Card.Server.ID:
		return errors.New("it would end a request for another server")
	case r.Ending.To.State.Live():
		return fmt.Errorf("a request that goes to %q does not free the server", r.Ending.To.State)
	}
	return checkChange(*r.Ending)
}

// insertRecords inserts a group of new requests in few statements. Requests that exist already,
// that conflict, or whose slot is beyond the day's last one are then tried one by one.
func insertRecords(ctx context.Context, tx *tx, now time.Time, all []*recording) error {
	first := map[string]bool{} // by id: the group may have the same submission twice
	var fresh, rest []*recording
	for _, r := range all {
		r.begin()
		if first[r.Request.ID] || r.Quota.Slot > r.Quota.Most {
			rest = append(rest, r)
			continue
		}
		first[r.Request.ID] = true
		fresh = append(fresh, r)
	}
	for some := range chunks(fresh) {
		refused, err := insertFresh(ctx, tx, now, some)
		if err != nil {
			return err
		}
		rest = append(rest, refused...)
	}
	for _, r := range rest {
		if err := r.insertOne(ctx, tx, now); err != nil {
			return err
		}
	}
	return nil
}

// takeOver ends the older request and inserts the new one. A second delivery finds the new one,
// whatever became of the older.
func (r *recording) takeOver(ctx context.Context, tx *tx, now time.Time) (cancellation.Recorded, error) {
	r.begin()
	if found, err := r.known(ctx, tx); found || err != nil {
		return r.out, err
	}
	old, err := apply(ctx, tx, now, *r.Ending)
	if errors.Is(err, cancellation.ErrMoved) {
		if found, err := r.known(ctx, tx); found || err != nil { // recorded by another process meanwhile
			return r.out, err
		}
	}
	if err != nil {
		return cancellation.Recorded{}, fmt.Errorf("ending request %s: %w", r.Ending.From.Ref.Short(), err)
	}
	if err := r.insertOne(ctx, tx, now); err != nil {
		return cancellation.Recorded{}, err
	}
	if err := r.replaces(old); err != nil {
		return cancellation.Recorded{}, err
	}
	return r.out, nil
}

// replaces returns an error if the older request would be ended, and nothing would replace it.
func (r *recording) replaces(old cancellation.Request) error {
	switch {
	case r.taken != nil: // it is decided again
		return r.taken
	case r.out.Full:
		return fmt.Errorf("replacing request %s: %w", old.Ref.Short(), cancellation.ErrDayFull)
	case r.out.Held != nil:
		return fmt.Errorf("replacing request %s: its server is held by %s as well", old.Ref.Short(), r.out.Held.Ref.Short())
	}
	return nil
}

// insertOne inserts one request, or finds out why it cannot.
func (r *recording) insertOne(ctx context.Context, tx *tx, now time.Time) error {
	for range redraws {
		if found, err := r.known(ctx, tx); found || err != nil {
			return err
		}
		if found, err := r.held(ctx, tx); found || err != nil {
			return err
		}
		if found, err := r.nextSlot(ctx, tx); found || err != nil {
			return err
		}
		refused, err := insertFresh(ctx, tx, now, []*recording{r})
		if err != nil || len(refused) == 0 {
			return err
		}
		if err := r.redraw(ctx, tx); err != nil {
			return err
		}
	}
	return fmt.Errorf("drawing a reference: %d of them were taken", redraws)
}

// known reports whether the id exists already. If so, that row is the result.
func (r *recording) known(ctx context.Context, tx *tx) (bool, error) {
	existing, err := scanRequest(tx.QueryRowContext(ctx, requestSQL, r.Request.ID))
	if errors.Is(err, cancellation.ErrNoRequest) {
		return false, nil
	}
	r.out = cancellation.Recorded{Request: existing}
	return err == nil, err
}

// held reports whether another live request holds the server. If so, that request is the result.
func (r *recording) held(ctx context.Context, tx *tx) (bool, error) {
	if !r.Request.State.Live() {
		return false, nil
	}
	live, err := scanRequest(tx.QueryRowContext(ctx, liveSQL, r.Request.Submission.Card.Server.ID))
	if errors.Is(err, cancellation.ErrNoRequest) {
		return false, nil
	}
	r.out = cancellation.Recorded{Held: &live}
	return err == nil, err
}

// redraw replaces a reference whose short form is taken. If it is not, a request in a state
// that only a newer build knows holds the server.
func (r *recording) redraw(ctx context.Context, tx *tx) error {
	var other string
	err := tx.QueryRowContext(ctx, `select id from requests where short_ref = $1`, r.Request.Ref.Short()).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) && r.Quota.Slot > 0 {
		if _, taken, err := r.slotTaken(ctx, tx); taken || err != nil { // by another replica, just now
			return err
		}
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("server %d is held by a request in a state that this build does not know",
			r.Request.Submission.Card.Server.ID)
	}
	if err != nil {
		return fmt.Errorf("looking for reference %s: %w", r.Request.Ref.Short(), err)
	}
	r.Request.Ref = cancellation.NewReference()
	return nil
}

// chunk is how many rows one statement inserts at most. SQLite looks up named parameters one by
// one, so that more of them cost more than they save.
const chunk = 8

// chunks cuts new requests into statements of few lengths, so that they can be prepared.
func chunks(all []*recording) iter.Seq[[]*recording] {
	return func(yield func([]*recording) bool) {
		for size := chunk; size > 0; size /= 2 {
			for len(all) >= size {
				if !yield(all[:size]) {
					return
				}
				all = all[size:]
			}
		}
	}
}

var (
	insertRequestsSQL = `insert into requests (` + insertedColumns.names() + `) values `
	insertNoticesSQL  = `insert into notices (` + insertedNoticeColumns.names() + `) values `
)

// insertFresh inserts requests of different ids with their events and notices, by one statement
// for each table. It returns those that a unique key refused.
func insertFresh(ctx context.Context, tx *tx, now time.Time, all []*recording) (refused []*recording, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	made, err := insertRequests(ctx, tx, now, all)
	if err != nil {
		return nil, err
	}
	fresh := slices.DeleteFunc(slices.Clone(all), func(r *recording) bool { return !made[r.Request.ID] })
	if err := insertEvents(ctx, tx, firstEvents(fresh, now)...); err != nil {
		return nil, err
	}
	if err := insertNotices(ctx, tx, fresh, now); err != nil {
		return nil, err
	}
	for _, r := range fresh {
		r.out = cancellation.Recorded{Request: asStored(r.Record, now), Fresh: true}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r *recording) bool { return made[r.Request.ID] }), nil
}

func insertRequests(ctx context.Context, tx *tx, now time.Time, all []*recording) (map[string]bool, error) {
	values := make([]any, 0, len(all)*len(insertedColumns))
	for _, r := range all {
		r.Request.Due = dueAt(r.Request, now)
		row, err := insertedRow(r.Record, now, tx.epoch)
		if err != nil {
			return nil, err
		}
		values, r.row = insertedColumns.values(values, row), row.asked()
	}
	rows, err := tx.QueryContext(ctx, insertRequestsSQL+placeholders(len(all), len(insertedColumns))+` on conflict do nothing returning id`, values...)
	if err != nil {
		return nil, fmt.Errorf("inserting requests: %w", err)
	}
	made, err := collect(rows, func(from row) (id string, err error) { return id, from.Scan(&id) })
	if err != nil {
		return nil, fmt.Errorf("inserting requests: %w", err)
	}
	set := make(map[string]bool, len(made))
	for _, id := range made {
		set[id] = true
	}
	return set, nil
}

// asked is what the first event holds to the log.
func (r *requestRow) asked() audit.Row {
	return audit.Row{
		Salt: r.salt, Short: r.Ref.Short(), Ref: string(r.Ref), Server: r.Submission.Card.Server.ID, Requester: r.quota.Requester,
		At: r.CreatedAt, Batch: r.Batch, Place: r.Row, Submission: r.submission,
	}
}

// firstEvents returns the events of new requests.
func firstEvents(fresh []*recording, now time.Time) []eventRow {
	var events []eventRow
	for _, r := range fresh {
		e := r.Event
		e.At, e.From, e.To, e.Detail = now, cancellation.New, r.Request.State, audit.WithRow(e.Detail, r.row)
		events = append(events, eventRow{e, r.Request.ID, 1})
	}
	return events
}

func insertNotices(ctx context.Context, tx *tx, fresh []*recording, now time.Time) error {
	var rows int
	var values []any
	for _, r := range fresh {
		for _, n := range r.Notices {
			n.RequestID, n.Version = r.Request.ID, 1
			row, err := encodeNotice(n)
			if err != nil {
				return err
			}
			row.url, row.until = n.Place.ResponseURL, responseEnd(n.Place, now)
			rows++
			values = insertedNoticeColumns.values(values, &row)
		}
	}
	if rows == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, insertNoticesSQL+placeholders(rows, len(insertedNoticeColumns)), values...)
	return wrap("inserting notices", err)
}

// dueAt returns when the worker has to look at a request. One that it works on always has a
// time.
func dueAt(r cancellation.Request, now time.Time) time.Time {
	if r.Due.IsZero() && slices.Contains(cancellation.WorkStates(), r.State) {
		return now
	}
	return r.Due
}

// asStored returns a new request as a later read returns it.
func asStored(rec cancellation.Record, now time.Time) cancellation.Request {
	r := rec.Request
	r.Submission.Today = today(r.Submission, rec.Quota.Slot)
	r.Format, r.Version, r.CreatedAt, r.Since, r.UpdatedAt = r.WrittenFormat(), 1, now, now, now
	return asRead(r)
}

// asRead returns a request without what its row does not keep.
func asRead(r cancellation.Request) cancellation.Request {
	r.Submission.Place.ResponseURL, r.Submission.Place.ResponseURLUntil = "", time.Time{}
	r.Due, r.NotAfter, r.CleanSince, r.SentAt = inMillis(r.Due), inMillis(r.NotAfter), inMillis(r.CleanSince), inMillis(r.SentAt)
	r.ExpiresAt, r.UndoUntil = inMillis(r.ExpiresAt), inMillis(r.UndoUntil)
	return r
}

func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
