package store

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// row is what *sql.Row and *sql.Rows share.
type row interface{ Scan(into ...any) error }

const requestColumns = `id, ref, format, state, reason_code, reason_detail, reason_by, version, submission, decision, due, attempts, posts,
	lost_posts, posts_allowed, not_after, clean_since, evidence, recheck, ticket_id, ticket_number,
	created_at, state_at, updated_at, approvals, ended_by, expires_at, undo_until, reminded, repeats, sent_at`

// scanRequest reads requestColumns, and more columns behind them.
func scanRequest(from row, more ...any) (cancellation.Request, error) {
	var r cancellation.Request
	var submission, decision, approvals, endedBy string
	err := from.Scan(append([]any{
		&r.ID, &r.Ref, &r.Format, &r.State, &r.Why.Code, &r.Why.Detail, &r.Why.By, &r.Version, &submission, &decision, (*stamp)(&r.Due),
		&r.Attempts, &r.Posts, &r.LostPosts, &r.PostsAllowed, (*stamp)(&r.NotAfter), (*stamp)(&r.CleanSince),
		&r.Evidence, &r.Recheck, &r.Ticket.ID, &r.Ticket.Number, (*stamp)(&r.CreatedAt), (*stamp)(&r.Since), (*stamp)(&r.UpdatedAt),
		&approvals, &endedBy, (*stamp)(&r.ExpiresAt), (*stamp)(&r.UndoUntil), &r.Reminded, &r.Repeats, (*stamp)(&r.SentAt),
	}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return cancellation.Request{}, cancellation.ErrNoRequest
	}
	if err != nil {
		return cancellation.Request{}, fmt.Errorf("reading a request: %w", err)
	}
	if err := errors.Join(
		json.Unmarshal([]byte(submission), &r.Submission), json.Unmarshal([]byte(decision), &r.Decision),
		json.Unmarshal([]byte(approvals), &r.Approvals), json.Unmarshal([]byte(endedBy), &r.EndedBy),
	); err != nil {
		return r, &unreadableError{request: r, reason: err}
	}
	return r, nil
}

// unreadableError is a row whose documents this build cannot read. The request has
// everything else.
type unreadableError struct {
	request cancellation.Request
	reason  error
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("reading what request %s asked for: %v", e.request.Ref.Short(), e.reason)
}

func (e *unreadableError) Unwrap() []error { return []error{cancellation.ErrUnreadable, e.reason} }

// readable takes a row whose documents cannot be read for what is left of it.
func readable(err error) error {
	if errors.Is(err, cancellation.ErrUnreadable) {
		return nil
	}
	return err
}

const insertColumns = `id, short_ref, ref, format, server_id, submission, version, events, created_at, state_at,
	requester, quota_day, quota_slot, ` + changingColumns

// insertValues are a new request's insertColumns.
func insertValues(rec cancellation.Record, now time.Time) ([]any, error) {
	r := rec.Request
	submission, err := json.Marshal(r.Submission)
	if err != nil {
		return nil, fmt.Errorf("encoding a submission: %w", err)
	}
	changing, err := changingValues(r, now)
	if err != nil {
		return nil, err
	}
	return append([]any{
		r.ID, r.Ref.Short(), string(r.Ref), cancellation.Format, r.Submission.Card.Server.ID, string(submission), 1, 1, stamp(now), stamp(now),
		rec.Quota.Requester, nullable(rec.Quota.Day), nullable(rec.Quota.Slot),
	}, changing...), nil
}

// nullable is a number in a column, null for 0.
func nullable(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// changingColumns are what a step may change; everything else of a request stays as
// it was recorded.
const changingColumns = `state, reason_detail, decision, due, attempts, posts, lost_posts, posts_allowed, not_after,
	clean_since, evidence, recheck, ticket_id, ticket_number, updated_at, approvals, ended_by, expires_at, undo_until, reminded, sent_at,
	reason_code, reason_by`

func changingValues(r cancellation.Request, now time.Time) ([]any, error) {
	decision, err := json.Marshal(r.Decision)
	if err != nil {
		return nil, fmt.Errorf("encoding a decision: %w", err)
	}
	approvals, endedBy, err := encodePeople(r)
	if err != nil {
		return nil, err
	}
	return []any{
		string(r.State), r.Why.Detail, string(decision), stamp(r.Due), r.Attempts, r.Posts, r.LostPosts, r.PostsAllowed,
		stamp(r.NotAfter), stamp(r.CleanSince), r.Evidence, int(r.Recheck), r.Ticket.ID, r.Ticket.Number, stamp(now),
		approvals, endedBy, stamp(r.ExpiresAt), stamp(r.UndoUntil), flag(r.Reminded), stamp(r.SentAt),
		string(r.Why.Code), r.Why.By,
	}, nil
}

// encodePeople writes who approved a request and who ended it.
func encodePeople(r cancellation.Request) (approvals, endedBy string, err error) {
	list, err := json.Marshal(r.Approvals)
	if err != nil {
		return "", "", fmt.Errorf("encoding approvals: %w", err)
	}
	who, err := json.Marshal(r.EndedBy)
	return string(list), string(who), wrap("encoding a person", err)
}

// placeholders are the values clauses for some rows: ($1,$2),($3,$4).
func placeholders(rows, columns int) string {
	var text strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			text.WriteString("(")
		case i%columns == 0:
			text.WriteString("),(")
		default:
			text.WriteString(",")
		}
		text.WriteString("$" + strconv.Itoa(i+1))
	}
	return text.String() + ")"
}

// count is how many columns a list names.
func count(columns string) int { return strings.Count(columns, ",") + 1 }

// stamp is a time in a column: milliseconds since 1970 UTC, null for the zero time.
type stamp time.Time

// Value encodes the time.
func (s stamp) Value() (driver.Value, error) {
	if t := time.Time(s); !t.IsZero() {
		return t.UnixMilli(), nil
	}
	return nil, nil
}

// Scan decodes the time.
func (s *stamp) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*s = stamp{}
	case int64:
		*s = stamp(time.UnixMilli(value).UTC())
	default:
		return fmt.Errorf("reading a time: unexpected %T", value)
	}
	return nil
}

// flag is a bool in a column: 0 or 1.
func flag(is bool) int {
	if is {
		return 1
	}
	return 0
}
