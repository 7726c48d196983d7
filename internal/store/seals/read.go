package seals

import (
	"context"
	"database/sql"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
)

const (
	logSQL = `
		select version, segment, coalesce((select nonce from audit_segments where number = segment), ''), first_position, size, frontier, begins, deployment
		from audit_log`

	// rowColumn is what the first event of a request holds to the log.
	rowColumn = "case when seq = 1 then (select coalesce(requests.salt, '') || '\n' || short_ref || '\n' || ref || '\n' || server_id || '\n' || " +
		"coalesce(requester, '') || '\n' || created_at || '\n' || batch || '\n' || batch_row || '\n' || submission from requests where requests.id = request_id) end"
	requestColumns    = `request_id, seq, at, kind, from_state, to_state, actor, detail, position, salt, hash, erased`
	deploymentColumns = `number, at, kind, subject, actor, detail, position, salt, hash, erased`

	unsealedDeploymentSQL = `select ` + deploymentColumns + ` from deployment_events where position is null order by number limit $1`
)

// UnsealedSQL reads so many events that are not sealed, of some requests that have any. The cross join and the
// plus sign have SQLite look up those requests. SQLite finds some in the unique index of the positions, which
// has them first; PostgreSQL finds the oldest in an index of their own.
func UnsealedSQL(postgres bool) string {
	order := `request_id, seq`
	if postgres {
		order = `at`
	}
	return `select ` + requestColumns + `, null from (select distinct request_id as id from
			(select request_id from events where position is null order by ` + order + ` limit $1) as some_events) as due
		cross join events where request_id = id and +position is null order by request_id, seq limit $1`
}

// ReadLog reads the log's row.
func ReadLog(ctx context.Context, from Reader) (l audit.Log, err error) {
	var size int64
	var roots []byte
	err = from.QueryRowContext(ctx, logSQL).Scan(&l.Version, &l.Segment, &l.Nonce, &l.First, &size, &roots, &l.Begins, &l.Deployment)
	if err == nil {
		l.Tree, err = audit.ParseFrontier(size, roots)
	}
	return l, wrap("reading the audit log's state", err)
}

// Unsealed reads what waits to be sealed. now is the database's time before.
func Unsealed(ctx context.Context, from Reader, postgres bool, now time.Time, most int) (b audit.Batch, err error) {
	b.Now = now
	if b.Log, err = ReadLog(ctx, from); err != nil {
		return b, err
	}
	add := func(e *audit.Event) error { b.Events = append(b.Events, *e); return nil }
	err = eachDeployment(ctx, from, add, unsealedDeploymentSQL, most)
	if err == nil {
		err = eachOfRequests(ctx, from, add, UnsealedSQL(postgres), most)
	}
	b.All = len(b.Events) < most
	return b, wrap("reading what is not sealed", err)
}

// eachOfRequests calls with each event of a request that a query finds: of the requestColumns and the rowColumn,
// or null. The event is valid until the next one.
func eachOfRequests(ctx context.Context, from Reader, yield func(*audit.Event) error, query string, args ...any) error {
	var e audit.Event
	var in columns
	var row sql.NullString
	return each(ctx, from, query, args, func(rows *sql.Rows) error {
		if err := rows.Scan(&e.Request, &e.Number, &in.at, &e.Kind, &e.From, &e.To, &e.Actor, &e.Detail,
			&in.position, &in.salt, &in.hash, &in.erased, &row); err != nil {
			return err
		}
		e.Source, e.Row = audit.OfRequest, row.String
		if err := in.into(&e); err != nil {
			return err
		}
		return yield(&e)
	})
}

// eachDeployment is [eachOfRequests] for the deployment's events and the deploymentColumns.
func eachDeployment(ctx context.Context, from Reader, yield func(*audit.Event) error, query string, args ...any) error {
	var e audit.Event
	var in columns
	return each(ctx, from, query, args, func(rows *sql.Rows) error {
		if err := rows.Scan(&e.Number, &in.at, &e.Kind, &e.Subject, &e.Actor, &e.Detail,
			&in.position, &in.salt, &in.hash, &in.erased); err != nil {
			return err
		}
		e.Source = audit.OfDeployment
		if err := in.into(&e); err != nil {
			return err
		}
		return yield(&e)
	})
}

func each(ctx context.Context, from Reader, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// columns are those that take a form of their own.
type columns struct {
	at                 int64
	position           sql.NullInt64
	salt, hash, erased []byte
}

func (c *columns) into(e *audit.Event) error {
	e.At = time.UnixMilli(c.at)
	e.Position, e.Salt, e.Erased, e.Hash = c.position.Int64, c.salt, c.erased, tlog.Hash{}
	copy(e.Hash[:], c.hash) // another length is no hash of anything, and is found to be wrong
	return nil
}

func moment(milliseconds sql.NullInt64) time.Time {
	if !milliseconds.Valid {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds.Int64).UTC()
}
