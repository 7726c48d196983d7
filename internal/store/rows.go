package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
)

// row is what *sql.Row and *sql.Rows share.
type row interface{ Scan(into ...any) error }

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

// readAll reads all rows of a query. Its error begins with the step.
func readAll[T any](ctx context.Context, db *sql.DB, step string, scan func(row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	all, err := collect(rows, scan)
	return all, wrap(step, err)
}

// column is a column of a table: its name, its value in a row that is written, and where a
// read puts it.
type column[R any] struct {
	name   string
	value  func(*R) any
	target func(*R) any // nil if it is never read
}

// columns are some of a table's columns, in the order of a statement.
type columns[R any] []column[R]

func (c columns[R]) names() string {
	var names []string
	for _, one := range c {
		names = append(names, one.name)
	}
	return strings.Join(names, ", ")
}

// number returns the placeholder of a column in a statement whose values begin with these.
func (c columns[R]) number(name string) string {
	for i, one := range c {
		if one.name == name {
			return "$" + strconv.Itoa(i+1)
		}
	}
	panic("no column " + name)
}

// values appends the values of a row to those of others.
func (c columns[R]) values(to []any, r *R) []any {
	for _, one := range c {
		to = append(to, one.value(r))
	}
	return to
}

func (c columns[R]) targets(r *R, more ...any) []any {
	targets := make([]any, 0, len(c)+len(more))
	for _, one := range c {
		targets = append(targets, one.target(r))
	}
	return append(targets, more...)
}

func text[R any, S ~string](name string, field func(*R) *S) column[R] {
	return column[R]{name, func(r *R) any { return string(*field(r)) }, func(r *R) any { return field(r) }}
}

func number[R any, N ~int | ~int64](name string, field func(*R) *N) column[R] {
	return column[R]{name, func(r *R) any { return int64(*field(r)) }, func(r *R) any { return field(r) }}
}

func timestamp[R any](name string, field func(*R) *time.Time) column[R] {
	return column[R]{name, func(r *R) any { return stamp(*field(r)) }, func(r *R) any { return (*stamp)(field(r)) }}
}

func yesNo[R any](name string, field func(*R) *bool) column[R] {
	return column[R]{name, func(r *R) any { return flag(*field(r)) }, func(r *R) any { return field(r) }}
}

func writeOnly[R any](name string, value func(*R) any) column[R] {
	return column[R]{name: name, value: value}
}

// requestRow is a request as its row holds it: documents are JSON.
type requestRow struct {
	cancellation.Request
	quota                                    cancellation.Quota
	leaseOwner                               string
	leaseUntil                               time.Time
	submission, decision, approvals, endedBy string
	salt                                     string // of what the first event holds to the log

	slot   sql.NullInt64 // of the requester's day; null for a denial
	epoch  int64         // the recheck up to which the row is written
	endsAt int64         // the first date on which a filed request's server may end, as a stamp; 0 for none
}

// The columns of requests.
var (
	// fixedColumns are written when the request is recorded. Only version and state_at change
	// after that, by the statement of a step.
	fixedColumns = columns[requestRow]{
		text("id", func(r *requestRow) *string { return &r.ID }),
		text("ref", func(r *requestRow) *cancellation.Reference { return &r.Ref }),
		number("format", func(r *requestRow) *int { return &r.Format }),
		text("submission", func(r *requestRow) *string { return &r.submission }),
		number("version", func(r *requestRow) *int64 { return &r.Version }),
		text("batch", func(r *requestRow) *string { return &r.Batch }),
		number("batch_row", func(r *requestRow) *int { return &r.Row }),
		timestamp("created_at", func(r *requestRow) *time.Time { return &r.CreatedAt }),
		timestamp("state_at", func(r *requestRow) *time.Time { return &r.Since }),
	}
	// stepColumns are what a step may change.
	stepColumns = columns[requestRow]{
		text("state", func(r *requestRow) *cancellation.State { return &r.State }),
		text("reason_code", func(r *requestRow) *cancellation.ReasonCode { return &r.Why.Code }),
		text("reason_detail", func(r *requestRow) *string { return &r.Why.Detail }),
		text("reason_by", func(r *requestRow) *string { return &r.Why.By }),
		text("decision", func(r *requestRow) *string { return &r.decision }),
		timestamp("due", func(r *requestRow) *time.Time { return &r.Due }),
		number("attempts", func(r *requestRow) *int { return &r.Attempts }),
		number("posts", func(r *requestRow) *int { return &r.Posts }),
		number("lost_posts", func(r *requestRow) *int { return &r.LostPosts }),
		number("posts_allowed", func(r *requestRow) *int { return &r.PostsAllowed }),
		timestamp("not_after", func(r *requestRow) *time.Time { return &r.NotAfter }),
		timestamp("clean_since", func(r *requestRow) *time.Time { return &r.CleanSince }),
		number("evidence", func(r *requestRow) *int64 { return &r.Evidence }),
		number("recheck", func(r *requestRow) *cancellation.Recheck { return &r.Recheck }),
		number("ticket_id", func(r *requestRow) *int64 { return &r.Ticket.ID }),
		text("ticket_number", func(r *requestRow) *string { return &r.Ticket.Number }),
		timestamp("updated_at", func(r *requestRow) *time.Time { return &r.UpdatedAt }),
		text("approvals", func(r *requestRow) *string { return &r.approvals }),
		text("ended_by", func(r *requestRow) *string { return &r.endedBy }),
		timestamp("expires_at", func(r *requestRow) *time.Time { return &r.ExpiresAt }),
		timestamp("undo_until", func(r *requestRow) *time.Time { return &r.UndoUntil }),
		yesNo("reminded", func(r *requestRow) *bool { return &r.Reminded }),
		timestamp("sent_at", func(r *requestRow) *time.Time { return &r.SentAt }),
		text("shows", func(r *requestRow) *string { return &r.Shows }),
		number("ends_at", func(r *requestRow) *int64 { return &r.endsAt }),
	}
	// keyColumns are found by, and read by nobody.
	keyColumns = columns[requestRow]{
		writeOnly("short_ref", func(r *requestRow) any { return r.Ref.Short() }),
		writeOnly("server_id", func(r *requestRow) any { return r.Submission.Card.Server.ID }),
		writeOnly("server_name", func(r *requestRow) any { return cancellation.PlainName(r.Submission.Card.Server.FQDN) }),
		writeOnly("events", func(*requestRow) any { return 1 }),
		writeOnly("requester", func(r *requestRow) any { return r.quota.Requester }),
		writeOnly("quota_day", func(r *requestRow) any { return nullable(r.quota.Day) }),
		writeOnly("quota_slot", func(r *requestRow) any { return nullable(r.quota.Slot) }),
		writeOnly("lease_owner", func(r *requestRow) any { return sql.NullString{String: r.leaseOwner, Valid: r.leaseOwner != ""} }),
		writeOnly("lease_until", func(r *requestRow) any { return stamp(r.leaseUntil) }),
		writeOnly("epoch", func(r *requestRow) any { return r.epoch }),
		writeOnly("salt", func(r *requestRow) any { return r.salt }),
	}
	// besideColumns are changed by statements of their own.
	besideColumns = columns[requestRow]{
		number("repeats", func(r *requestRow) *int { return &r.Repeats }),
		timestamp("stop_asked_at", func(r *requestRow) *time.Time { return &r.StopAsked }),
		{name: "quota_slot", target: func(r *requestRow) any { return &r.slot }}, // never changed
	}

	insertedColumns = slices.Concat(fixedColumns, keyColumns, stepColumns)
	readColumns     = slices.Concat(fixedColumns, stepColumns, besideColumns)
	requestColumns  = readColumns.names() + `, epoch, ` + rechecksNow
)

// scanRequest reads requestColumns, and more columns behind them.
func scanRequest(from row, more ...any) (cancellation.Request, error) {
	var r requestRow
	var last rechecks
	err := from.Scan(readColumns.targets(&r, append([]any{&r.epoch, &last.epoch, &last.settled, (*stamp)(&last.notAfter)}, more...)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return cancellation.Request{}, cancellation.ErrNoRequest
	}
	if err != nil {
		return cancellation.Request{}, fmt.Errorf("reading a request: %w", err)
	}
	last.addTo(&r)
	if err := errors.Join(
		json.Unmarshal([]byte(r.submission), &r.Submission), json.Unmarshal([]byte(r.decision), &r.Decision),
		json.Unmarshal([]byte(r.approvals), &r.Approvals), json.Unmarshal([]byte(r.endedBy), &r.EndedBy),
	); err != nil {
		return r.Request, &unreadableError{request: r.Request, reason: err}
	}
	r.Submission.Today = today(r.Submission, r.slot.Int64)
	return r.Request, nil
}

// scanReadable is scanRequest for a list. It accepts a row whose documents cannot be read, without
// them.
func scanReadable(from row) (cancellation.Request, error) {
	r, err := scanRequest(from)
	return r, readable(err)
}

// insertedRow returns the row of a new request.
func insertedRow(rec cancellation.Record, now time.Time, epoch int64) (*requestRow, error) {
	r := &requestRow{Request: asStored(rec, now), quota: rec.Quota, leaseOwner: rec.Lease.Owner, epoch: epoch, salt: audit.NewRowSalt()}
	if r.leaseOwner != "" {
		r.leaseUntil = now.Add(rec.Lease.For)
	}
	submission, err := json.Marshal(r.Submission)
	r.submission = string(submission)
	return r, errors.Join(err, r.encodeStep())
}

// stepValues returns the stepColumns of a request.
func stepValues(request cancellation.Request, now time.Time) ([]any, error) {
	r := requestRow{Request: request}
	r.UpdatedAt = now
	if err := r.encodeStep(); err != nil {
		return nil, err
	}
	return stepColumns.values(make([]any, 0, len(stepColumns)+6), &r), nil
}

// encodeStep encodes the documents that a step may change.
func (r *requestRow) encodeStep() error {
	decision, err := json.Marshal(r.Decision)
	approvals, err2 := json.Marshal(r.Approvals)
	endedBy, err3 := json.Marshal(r.EndedBy)
	r.decision, r.approvals, r.endedBy = string(decision), string(approvals), string(endedBy)
	if at := r.End().Date; r.State == cancellation.Filed && !at.IsZero() {
		r.endsAt = at.UnixMilli()
	}
	return wrap("encoding a request", errors.Join(err, err2, err3))
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

// readable accepts a row whose documents cannot be read, without them.
func readable(err error) error {
	if errors.Is(err, cancellation.ErrUnreadable) {
		return nil
	}
	return err
}

// noticeRow is a notice as its row holds it.
type noticeRow struct {
	cancellation.Notice
	place string // JSON, without the response_url, which has columns of its own
	url   string
	until time.Time
}

// The columns of notices.
var (
	noticeKeyColumns = columns[noticeRow]{
		text("request_id", func(n *noticeRow) *string { return &n.RequestID }),
		text("kind", func(n *noticeRow) *cancellation.NoticeKind { return &n.Kind }),
		number("version", func(n *noticeRow) *int64 { return &n.Version }),
		text("response_url", func(n *noticeRow) *string { return &n.url }),
		timestamp("response_url_until", func(n *noticeRow) *time.Time { return &n.until }),
	}
	// deliveryColumns are what a delivery may change.
	deliveryColumns = columns[noticeRow]{
		text("place", func(n *noticeRow) *string { return &n.place }),
		text("channel", func(n *noticeRow) *string { return &n.Channel }),
		text("ts", func(n *noticeRow) *string { return &n.TS }),
		number("shown", func(n *noticeRow) *int64 { return &n.Shown }),
		text("way", func(n *noticeRow) *cancellation.Way { return &n.Way }),
		yesNo("posting", func(n *noticeRow) *bool { return &n.Posting }),
		number("posts", func(n *noticeRow) *int { return &n.Posts }),
		number("attempts", func(n *noticeRow) *int { return &n.Attempts }),
		timestamp("due", func(n *noticeRow) *time.Time { return &n.Due }),
	}
	owedColumns = columns[noticeRow]{
		writeOnly("owed", func(*noticeRow) any { return 0 }), // the version that has to be shown
		writeOnly("owed_at", func(n *noticeRow) any { return stamp(n.Due) }),
	}

	insertedNoticeColumns = slices.Concat(noticeKeyColumns, owedColumns, deliveryColumns)
	readNoticeColumns     = slices.Concat(noticeKeyColumns, deliveryColumns)
	noticeColumns         = readNoticeColumns.names()
)

// eventRow is an event as its row holds it.
type eventRow struct {
	cancellation.Event
	requestID string
	seq       int64
}

// The columns of events.
var (
	readEventColumns = columns[eventRow]{
		timestamp("at", func(e *eventRow) *time.Time { return &e.At }),
		text("kind", func(e *eventRow) *string { return &e.Kind }),
		text("actor", func(e *eventRow) *string { return &e.Actor }),
		text("from_state", func(e *eventRow) *cancellation.State { return &e.From }),
		text("to_state", func(e *eventRow) *cancellation.State { return &e.To }),
		text("detail", func(e *eventRow) *string { return &e.Detail }),
	}
	eventColumns = append(columns[eventRow]{
		text("request_id", func(e *eventRow) *string { return &e.requestID }),
		number("seq", func(e *eventRow) *int64 { return &e.seq }),
	}, readEventColumns...)
)

// nullable returns a number for a column, null for 0.
func nullable(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// numbers returns the first n placeholders of a statement: $1, $2.
func numbers(n int) string {
	return strings.Trim(placeholders(1, n), "()")
}

// placeholders returns the values clauses of some rows: ($1,$2),($3,$4).
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
