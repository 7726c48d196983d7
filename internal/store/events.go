package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

// countEventSQL counts in the request's row, so that two writers of one history follow each
// other.
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

// Note adds an event to a request's history. It changes nothing else: the state of
// the event is the request's, and the version stays, so that nobody loses a lease to it.
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

// Events lists a request's history, the oldest first; nil for a request that there is not.
func (s *Store) Events(ctx context.Context, requestID string) ([]cancellation.Event, error) {
	rows, err := s.read.QueryContext(ctx, eventsSQL, requestID)
	if err != nil {
		return nil, fmt.Errorf("reading the events of request %q: %w", requestID, err)
	}
	events, err := collect(rows, func(from row) (e cancellation.Event, err error) {
		var r eventRow
		err = from.Scan(readEventColumns.targets(&r)...)
		return r.Event, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the events of request %q: %w", requestID, err)
	}
	return events, nil
}

// collect reads all rows and closes them.
func collect[T any](rows *sql.Rows, scan func(row) (T, error)) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}
