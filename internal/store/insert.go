package store

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// chunk is how many rows one statement inserts at most. SQLite looks named parameters
// up one by one, so that more of them cost more than they save.
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

// insertFresh inserts requests of different ids with their events and notices, one
// statement for each kind of row. It returns those that some unique key refused.
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
		r.out = cancellation.Recorded{Request: asStored(r.Request, now), Fresh: true}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r *recording) bool { return made[r.Request.ID] }), nil
}

func insertRequests(ctx context.Context, tx *tx, now time.Time, all []*recording) (map[string]bool, error) {
	values := make([]any, 0, len(all)*len(insertedColumns))
	for _, r := range all {
		r.Request.Due = dueAt(r.Request, now)
		var err error
		if values, err = insertedValues(values, r.Record, now); err != nil {
			return nil, err
		}
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

// firstEvents returns the events of new requests.
func firstEvents(fresh []*recording, now time.Time) []eventRow {
	var events []eventRow
	for _, r := range fresh {
		e := r.Event
		e.At, e.From, e.To = now, cancellation.New, r.Request.State
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

// dueAt is when the worker looks at a request: one that it has work with is never
// without a time, or nobody would ever look.
func dueAt(r cancellation.Request, now time.Time) time.Time {
	if r.Due.IsZero() && slices.Contains(cancellation.WorkStates(), r.State) {
		return now
	}
	return r.Due
}

// asStored is a new request as a later read gives it.
func asStored(r cancellation.Request, now time.Time) cancellation.Request {
	r.Format, r.Version, r.CreatedAt, r.Since, r.UpdatedAt = cancellation.Format, 1, now, now, now
	r.Submission.Place.ResponseURL, r.Submission.Place.ResponseURLUntil = "", time.Time{}
	r.Due, r.NotAfter, r.CleanSince = inMillis(r.Due), inMillis(r.NotAfter), inMillis(r.CleanSince)
	r.ExpiresAt, r.UndoUntil = inMillis(r.ExpiresAt), inMillis(r.UndoUntil)
	return r
}

func inMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
