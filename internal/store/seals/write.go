package seals

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"cancel-server/internal/audit"
)

// Tx is a transaction that writes.
type Tx interface {
	Reader
	// ExecContext is sql.Tx's.
	ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error)
}

// Reader reads: a transaction or a pool.
type Reader interface {
	// QueryContext is sql.Tx's.
	QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error)
	// QueryRowContext is sql.Tx's.
	QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row
}

const (
	takeSQL = `
		update audit_log set version = version + 1, segment = $1, first_position = $2, size = $3, frontier = $4,
			deployment = $5, begins = ''
		where version = $6 and deployment = $7`
	segmentSQL = `insert into audit_segments (number, first_position, at, why, nonce) values ($1, $2, $3, $4, $5)`
	sealingSQL = `insert into audit_sealings (position, segment, root, at, complete) values ($1, $2, $3, $4, $5)`

	sealRequestsSQL   = `update events set position = $1, hash = $2, salt = $3 where request_id = $4 and seq = $5 and position is null`
	sealDeploymentSQL = `update deployment_events set position = $1, hash = $2, salt = $3 where number = $4 and position is null`
	openSQL           = `insert into deployment_events (number, at, kind, actor, subject, detail, position, hash, salt)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

	// PostgreSQL seals a batch in one round trip; SQLite is next to the program.
	sealManySQL = `
		update events set position = s.position, hash = s.hash, salt = s.salt
		from unnest(cast($1 as text[]), cast($2 as bigint[]), cast($3 as bigint[]), cast($4 as bytea[]), cast($5 as bytea[]))
			as s (request_id, seq, position, hash, salt)
		where events.request_id = s.request_id and events.seq = s.seq and events.position is null`

	beginsSQL = `update audit_log set version = version + 1, begins = $1 where segment > 0 and begins = ''`
	countSQL  = `update audit_log set deployment = deployment + 1 returning deployment`
	noteSQL   = `insert into deployment_events (number, at, kind, actor, subject, detail) values ($1, $2, $3, $4, $5, $6)`
)

// errNotAsRead says that an event was sealed by nobody and yet is not as it was read.
var errNotAsRead = errors.New("an event that was to be sealed is gone or is sealed already")

// Seal writes a step, unless another process was faster.
func Seal(ctx context.Context, tx Tx, postgres bool, step audit.Step) (won bool, err error) {
	to := step.To
	won, err = changes(ctx, tx, 1, takeSQL, to.Segment, to.First, to.Tree.Size, to.Tree.Bytes(), to.Deployment, step.From.Version, step.From.Deployment)
	if err != nil || !won {
		return won, err
	}
	if err := open(ctx, tx, step); err != nil {
		return false, err
	}
	if err := sealEvents(ctx, tx, postgres, step.Events); err != nil {
		return false, err
	}
	s := step.Sealing
	_, err = tx.ExecContext(ctx, sealingSQL, s.Last, s.Segment, s.Root[:], millis(s.At), millis(s.Complete))
	return true, wrap("recording a sealing", err)
}

func open(ctx context.Context, tx Tx, step audit.Step) error {
	if step.Begun == nil {
		return nil
	}
	b, e := step.Begun, step.Opening
	_, err := tx.ExecContext(ctx, segmentSQL, b.Number, b.First, millis(b.At), b.Why, b.Nonce)
	if err == nil {
		_, err = tx.ExecContext(ctx, openSQL, e.Number, millis(e.At), e.Kind, e.Actor, e.Subject, e.Detail, e.Position, e.Hash[:], e.Salt)
	}
	return wrap("beginning a segment", err)
}

func sealEvents(ctx context.Context, tx Tx, postgres bool, events []audit.Event) error {
	var ofRequests []audit.Event
	for _, e := range events {
		if e.Source == audit.OfRequest && postgres {
			ofRequests = append(ofRequests, e)
			continue
		}
		text, args := sealDeploymentSQL, []any{e.Position, e.Hash[:], e.Salt, e.Number}
		if e.Source == audit.OfRequest {
			text, args = sealRequestsSQL, []any{e.Position, e.Hash[:], e.Salt, e.Request, e.Number}
		}
		if err := mustChange(ctx, tx, 1, text, args...); err != nil {
			return err
		}
	}
	if len(ofRequests) == 0 {
		return nil
	}
	return sealMany(ctx, tx, ofRequests)
}

func sealMany(ctx context.Context, tx Tx, events []audit.Event) error {
	var ids []string
	var numbers, positions []int64
	var hashes, salts [][]byte
	for _, e := range events {
		ids, numbers, positions = append(ids, e.Request), append(numbers, e.Number), append(positions, e.Position)
		hashes, salts = append(hashes, e.Hash[:]), append(salts, e.Salt)
	}
	return mustChange(ctx, tx, int64(len(events)), sealManySQL, ids, numbers, positions, hashes, salts)
}

func mustChange(ctx context.Context, tx Tx, rows int64, text string, args ...any) error {
	changed, err := changes(ctx, tx, rows, text, args...)
	if err == nil && !changed {
		err = errNotAsRead
	}
	return wrap("sealing events", err)
}

// changes runs a statement and reports whether it changed so many rows.
func changes(ctx context.Context, tx Tx, rows int64, text string, args ...any) (bool, error) {
	result, err := tx.ExecContext(ctx, text, args...)
	if err != nil {
		return false, err
	}
	changed, err := result.RowsAffected()
	return changed == rows, err
}

// BeginSegment has the next sealing begin a segment, because the database may lack what was sealed last.
// A log that is empty needs none.
func BeginSegment(ctx context.Context, tx Tx, why string) error {
	_, err := tx.ExecContext(ctx, beginsSQL, why)
	return wrap("beginning a segment of the audit log", err)
}

// Note records an event of the deployment. recorded is false if n.Changes says that it is not new.
func Note(ctx context.Context, tx Tx, now time.Time, n audit.Note) (recorded bool, err error) {
	var number int64
	if err := tx.QueryRowContext(ctx, countSQL).Scan(&number); err != nil { // locks the row
		return false, fmt.Errorf("counting the deployment's events: %w", err)
	}
	if len(n.Changes) > 0 {
		known, err := isLast(ctx, tx, n)
		if err == nil && known {
			_, err = tx.ExecContext(ctx, `update audit_log set deployment = deployment - 1`)
		}
		if err != nil || known {
			return false, wrap("comparing with the last such event", err)
		}
	}
	_, err = tx.ExecContext(ctx, noteSQL, number, millis(now), n.Kind, n.Actor, n.Subject, n.Detail)
	return err == nil, err
}

func isLast(ctx context.Context, tx Tx, n audit.Note) (bool, error) {
	var last audit.Note
	var args []any
	var places []string
	for i, kind := range n.Changes {
		args, places = append(args, kind), append(places, fmt.Sprintf("$%d", i+1))
	}
	err := tx.QueryRowContext(ctx, `select kind, subject, detail from deployment_events
		where kind in (`+strings.Join(places, ", ")+`) order by number desc limit 1`, args...).Scan(&last.Kind, &last.Subject, &last.Detail)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return last.Kind == n.Kind && last.Subject == n.Subject && last.Detail == n.Detail, err
}

// millis is a time in a column: milliseconds since 1970 UTC, null for the zero time.
func millis(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}
