package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"cancel-server/internal/store/seals"
)

var postgresDialect = dialect{
	folder: "postgres", goose: goose.DialectPostgres, readLock: " for share", rowLock: " for update skip locked", ownLock: " for update",
	clock: `coalesce(cast($1 as bigint), ` + serverTime + `)`, timeLimit: 15 * time.Second,
}

// openServer opens a PostgreSQL database.
func (s *Store) openServer(ctx context.Context, o Options) error {
	sessions, err := sessionsOf(o.URL)
	if err != nil {
		return err
	}
	if err := s.migrateServer(ctx, sessions, o.Mode); err != nil {
		return err
	}
	e := &postgresEngine{clock: o.Clock, postTimeout: o.PostTimeout, log: s.log, proving: make(chan struct{}, 1)}
	sessions = withSettings(sessions)
	if o.Mode == Read {
		readOnly(sessions)
	}
	e.openPools(sessions)
	s.engine, s.dialect = e, postgresDialect
	s.write, s.read, s.listen = e.write, e.read, e.listen
	return s.read.PingContext(ctx)
}

const (
	// migrationLock is how long a step of a migration waits for a lock, and holds up those who wait behind it. It is
	// less than PostgreSQL's deadlock_timeout, so that of two who wait for each other the migration gives way.
	migrationLock = 500 * time.Millisecond
	// migrationPause is the pause after that, in which the others go on.
	migrationPause = 2 * time.Second
)

// migrateServer brings the tables up to date, except in mode Read. It takes as long as others hold their locks.
func (s *Store) migrateServer(ctx context.Context, config *pgx.ConnConfig, mode Mode) error {
	config = config.Copy()
	config.RuntimeParams["lock_timeout"] = fmt.Sprint(migrationLock.Milliseconds())
	db := bounded(stdlib.OpenDB(*config), 2)
	defer db.Close()
	if mode == Beside || mode == Read {
		if err := s.learnBinding(ctx, db); err != nil {
			return err
		}
	}
	if mode == Read {
		return usable(ctx, db, postgresDialect)
	}
	for {
		err := migrate(ctx, db, postgresDialect)
		if !isLocked(err) {
			return err
		}
		s.log.Warn("the migration of the database waits for a lock that others hold", "err", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(migrationPause):
		}
	}
}

// isLocked reports whether a statement gave up a lock: lock_not_available or deadlock_detected.
func isLocked(err error) bool {
	refused, answered := errors.AsType[*pgconn.PgError](err)
	return answered && (refused.Code == "55P03" || refused.Code == "40P01")
}

// postgresEngine is a database on a server, whose clock decides.
type postgresEngine struct {
	clock       func() time.Time // instead of the server's; nil for none
	postTimeout time.Duration
	log         *slog.Logger

	sessions *pgx.ConnConfig
	write    *sql.DB // one session: the committer's
	read     *sql.DB

	writer   atomic.Uint32 // the server's process of the writing session
	primary  atomic.Pointer[primary]
	cluster  atomic.Pointer[string] // of the writing session; "" if nobody may ask
	doubted  atomic.Bool            // the writing session is replaced before its next use
	writing  atomic.Int32           // transactions that run in the writing session
	proving  chan struct{}          // held by the one who asks the writing session
	mu       sync.Mutex
	provenAt time.Time // when the writing session last was at the primary
}

func (e *postgresEngine) given() time.Time {
	if e.clock == nil {
		return time.Time{}
	}
	return inMillis(e.clock())
}

func (e *postgresEngine) now(ctx context.Context) (time.Time, error) {
	now := e.given()
	if !now.IsZero() {
		return now, nil
	}
	err := e.read.QueryRowContext(ctx, `select `+serverTime).Scan((*stamp)(&now))
	return now, err
}

var momentSQL = `select ` + serverTime + `, pg_current_xact_id()::text, ` + historySQL + `, ` + identitySQL + `,
	(select identity from binding), (select cluster from binding), (select epoch from rechecks)`

// moment also finds out whether the database is still the one that it was. identity is the
// server's now. known is what a process saw last, null while the database is not bound.
func (e *postgresEngine) moment(ctx context.Context, tx *tx) (now time.Time, begun mark, err error) {
	asked := time.Now()
	var identity string
	var known, cluster sql.NullString
	err = tx.QueryRowContext(ctx, momentSQL).Scan((*stamp)(&now), &begun.transaction, &begun.history, &identity, &known, &cluster, &tx.epoch)
	if err != nil {
		return now, begun, err
	}
	if given := e.given(); !given.IsZero() {
		now = given
	}
	e.connectedTo(identity, asked)
	e.writing.Add(1)
	begun.ended = sync.OnceFunc(func() { e.writing.Add(-1) })
	begun.cluster = *e.cluster.Load()
	if known.Valid && (known.String != identity || cluster.String != begun.cluster) {
		err = e.changedServer(ctx, tx, origin{identity, begun.cluster}, now)
	}
	return now, begun, wrap("looking at the database's identity", err)
}

// clusterOf returns the identifier of a session's cluster. It is "" if the role may not ask, or the server
// cannot say: by default every role may.
func clusterOf(ctx context.Context, session *pgx.Conn) (string, error) {
	answer := session.PgConn().ExecParams(ctx, clusterSQL, nil, nil, nil, nil).Read()
	if refused, answered := errors.AsType[*pgconn.PgError](answer.Err); answered && slices.Contains(cannotSay, refused.Code) {
		return "", nil
	}
	if answer.Err != nil {
		return "", fmt.Errorf("asking the server for its cluster: %w", answer.Err)
	}
	return string(answer.Rows[0][0]), nil
}

// cannotSay are the answers of a server that tells nobody its cluster: insufficient_privilege, undefined_function
// and feature_not_supported.
var cannotSay = []string{"42501", "42883", "0A000"}

// inCluster records the cluster that the writing session is connected to.
func (e *postgresEngine) inCluster(cluster string) {
	before := e.cluster.Swap(&cluster)
	if cluster == "" && (before == nil || *before != "") {
		e.log.Warn("the database's role may not ask for its cluster, so a dump that is restored in another one may look like a restart: grant execute on function pg_control_system()")
	}
}

// meaning knows that a statement that failed, or lost its connection, wrote nothing: its
// transaction is never committed. A commit that lost its connection may have been done.
// The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (e *postgresEngine) meaning(err error, committing bool) meaning {
	refused, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && refused.Code == "25006": // the session has become read-only: a new one may lead to another server
		e.doubted.Store(true)
		return again
	case isLocked(err), answered && strings.HasPrefix(refused.Code, "40"): // rolled back for another transaction, or a lock
		return again
	case answered && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "08"):
		return definite
	case committing:
		return unanswered
	}
	return again // the connection is lost: a new one may do
}

// outcomePause is the time between two questions about a commit that is still under way.
const outcomePause = 50 * time.Millisecond

// outcome asks the same server, on another connection, until the transaction has ended:
// https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT.
func (e *postgresEngine) outcome(ctx context.Context, of mark) (bool, error) {
	for {
		status, err := e.status(ctx, of)
		switch {
		case err == nil && status == "committed":
			return true, nil
		case err == nil && status == "aborted":
			return false, nil
		case errors.Is(err, errHistory):
			return false, err
		}
		select {
		case <-ctx.Done():
			return false, errors.Join(ctx.Err(), err)
		case <-time.After(outcomePause):
		}
	}
}

// In another history, or another cluster, the transaction may be in the future, which is an error.
const statusSQL = `select history, case when history = $2 then coalesce(pg_xact_status($1::text::xid8), '') else '' end
	from (select ` + historySQL + ` as history) as here`

var errHistory = errors.New("the database has a different history from the one that was written to")

// status returns "in progress", "committed" or "aborted" from the present primary, if that has
// the history in which the transaction began: an old primary may have what the new one lost.
func (e *postgresEngine) status(ctx context.Context, of mark) (string, error) {
	if err := e.prove(ctx, time.Now()); err != nil {
		return "", err
	}
	if *e.cluster.Load() != of.cluster {
		return "", errHistory
	}
	var history, status string
	err := e.read.QueryRowContext(ctx, statusSQL, of.transaction, of.history).Scan(&history, &status)
	if err == nil && history != of.history {
		return "", errHistory
	}
	return status, err
}

// origin is where a database is: the identity of the server, and its cluster.
type origin struct{ identity, cluster string }

// history is the part of the identity that stays when the server is started again.
func (o origin) history() string {
	history, _, _ := strings.Cut(o.identity, " ")
	return history
}

// tables is the part of the history that changes if the tables are made again, as pg_restore does.
func (o origin) tables() string {
	_, tables, _ := strings.Cut(o.history(), "/")
	return tables
}

// changedServer records another origin, and makes unfinished requests read SoftLayer's tickets before
// their next POST. It runs in the transaction that found the change, before anything else is written.
func (e *postgresEngine) changedServer(ctx context.Context, tx *tx, now origin, at time.Time) error {
	var before origin
	if err := tx.QueryRowContext(ctx, `select identity, cluster from binding for update`).Scan(&before.identity, &before.cluster); err != nil {
		return err
	}
	if before == now { // another process was faster
		return nil
	}
	if err := e.recheckServer(ctx, tx, before, now, at); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `update binding set identity = $1, cluster = $2`, now.identity, now.cluster)
	return err
}

// recheckServer begins the recheck that another origin asks for. A database that was just bound has no
// requests yet. One of an earlier build has no cluster on record, which then says nothing.
func (e *postgresEngine) recheckServer(ctx context.Context, tx *tx, before, now origin, at time.Time) (err error) {
	elsewhere := before.cluster != "" && before.cluster != now.cluster
	switch {
	case before.identity == "", before.identity == now.identity && !elsewhere:
		return nil
	case before.history() == now.history() && !elsewhere:
		e.log.Info("the database server has restarted: unfinished requests read SoftLayer's tickets before they are filed")
		tx.epoch, err = recheck(ctx, tx.Tx, readOnce, time.Time{})
		return err
	}
	// The last commits may be lost: a POST that the database does not know of may be under way.
	tx.epoch, err = recheck(ctx, tx.Tx, readSettled, at.Add(e.postTimeout))
	switch {
	case err != nil:
		return err
	case elsewhere:
		return e.restored(ctx, tx, at, " or moved to another cluster", fmt.Sprintf("the database is in another cluster, %q instead of %q", now.cluster, before.cluster))
	case before.tables() != now.tables():
		return e.restored(ctx, tx, at, "", fmt.Sprintf("the database has another history, %s instead of %s: its tables were made again", now.history(), before.history()))
	}
	why := fmt.Sprintf("the database has another history, %s instead of %s: a failover or a restored backup", now.history(), before.history())
	e.log.Warn("the database has another history, after a failover or a restored backup: unfinished requests settle before they are filed",
		"before", before.history(), "now", now.history())
	return seals.BeginSegment(ctx, tx, why)
}

// restored freezes filing in a database that was restored from a dump.
func (e *postgresEngine) restored(ctx context.Context, tx *tx, at time.Time, or, why string) error {
	e.log.Warn("the database was restored from a backup or moved: filing is frozen until bot unfreeze, and unfinished requests settle before they are filed", "why", why)
	if err := seals.BeginSegment(ctx, tx, why); err != nil {
		return err
	}
	return postgresDialect.freezeRestored(ctx, tx, at, or)
}
