package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

var postgresDialect = dialect{
	folder: "postgres", goose: goose.DialectPostgres, readLock: " for share", rowLock: " for update skip locked", timeLimit: 15 * time.Second,
}

// openServer opens a PostgreSQL database.
func (s *Store) openServer(ctx context.Context, o Options) error {
	config, err := parseURL(o.URL)
	if err != nil {
		return err
	}
	if err := s.migrateServer(ctx, config, o.Beside); err != nil {
		return err
	}
	maps.Copy(config.RuntimeParams, sessionSettings)
	e := &postgresEngine{clock: o.Clock, postTimeout: o.PostTimeout}
	s.engine, s.dialect = e, postgresDialect
	s.write = bounded(stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(context.Context, *pgx.Conn) error {
		e.reconnected.Store(true)
		return nil
	})), 1)
	s.read = bounded(stdlib.OpenDB(*config), readers)
	e.read = s.read
	s.listen = func(ctx context.Context, ring func()) { listenOn(ctx, config, ring) }
	return s.read.PingContext(ctx)
}

// migrateServer brings the tables up to date, on a connection whose statements may
// take as long as they need.
func (s *Store) migrateServer(ctx context.Context, config *pgx.ConnConfig, beside bool) error {
	db := bounded(stdlib.OpenDB(*config), 2)
	defer db.Close()
	if beside {
		if err := s.learnBinding(ctx, db); err != nil {
			return err
		}
	}
	return migrate(ctx, db, postgresDialect)
}

// postgresEngine is a database on a server, whose clock decides.
type postgresEngine struct {
	clock       func() time.Time // instead of the server's; nil for none
	postTimeout time.Duration
	read        *sql.DB
	reconnected atomic.Bool            // the committer's connection is new: the server may be another
	history     atomic.Pointer[string] // of the server that the committer's connection is to
}

func (e *postgresEngine) now(ctx context.Context) (time.Time, error) {
	if e.clock != nil {
		return inMillis(e.clock()), nil
	}
	var now time.Time
	err := e.read.QueryRowContext(ctx, `select `+serverTime).Scan((*stamp)(&now))
	return now, err
}

func (e *postgresEngine) moment(ctx context.Context, tx *sql.Tx) (time.Time, mark, error) {
	if err := e.attend(ctx); err != nil {
		return time.Time{}, "", err
	}
	var now time.Time
	var transaction mark
	err := tx.QueryRowContext(ctx, `select `+serverTime+`, pg_current_xact_id()::text`).Scan((*stamp)(&now), &transaction)
	if e.clock != nil {
		now = inMillis(e.clock())
	}
	return now, transaction, err
}

// meaning: a statement that failed, or lost its connection, wrote nothing, since its
// transaction is never committed. A commit that lost it may have been done.
// The codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
func (e *postgresEngine) meaning(err error, committing bool) meaning {
	refused, answered := errors.AsType[*pgconn.PgError](err)
	switch {
	case answered && (strings.HasPrefix(refused.Code, "40") || refused.Code == "55P03"): // rolled back for another, or a lock
		return again
	case answered && !strings.HasPrefix(refused.Code, "57P") && !strings.HasPrefix(refused.Code, "08"):
		return definite
	case committing:
		return unanswered
	}
	return again // the connection is lost: on a new one
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
		}
		select {
		case <-ctx.Done():
			return false, errors.Join(ctx.Err(), err)
		case <-time.After(outcomePause):
		}
	}
}

// status is "in progress", "committed" or "aborted", by the server that began it.
func (e *postgresEngine) status(ctx context.Context, of mark) (string, error) {
	var history, status string
	err := e.read.QueryRowContext(ctx, `select `+historySQL+`, coalesce(pg_xact_status($1::text::xid8), '')`, string(of)).
		Scan(&history, &status)
	if before := e.history.Load(); err == nil && (before == nil || *before != history) {
		return "", errors.New("the database has another history than the one that was written to")
	}
	return status, err
}

// historySQL changes where the database may have lost what it had committed: a standby
// was promoted or a backup replayed to an earlier point (both begin a timeline), or the
// tables were made anew. startSQL changes at each start of the server, before which a
// copy of its disk may have been put back.
const (
	historySQL = `concat_ws('/', substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), 'requests'::regclass::oid)`
	startSQL   = `extract(epoch from pg_postmaster_start_time())::text`
)

// attend finds out, on each new connection of the committer's, whether this is still
// the database that it was; where it may not be, what is unfinished reads SoftLayer's
// books before its next POST. It is done before anything is written.
func (e *postgresEngine) attend(ctx context.Context) error {
	if !e.reconnected.Load() {
		return nil
	}
	tx, err := e.read.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("looking at the database's identity: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after the commit
	bound, err := e.identify(ctx, tx)
	if err != nil {
		return fmt.Errorf("looking at the database's identity: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("recording the database's identity: %w", err)
	}
	e.reconnected.Store(!bound) // a database that is bound to nobody has no identity yet
	return nil
}

// identify compares the database with what it was when somebody last looked.
func (e *postgresEngine) identify(ctx context.Context, tx *sql.Tx) (bound bool, err error) {
	var history, start, before string
	if err := tx.QueryRowContext(ctx, `select `+historySQL+`, `+startSQL).Scan(&history, &start); err != nil {
		return false, err
	}
	e.history.Store(&history)
	err = tx.QueryRowContext(ctx, `select identity from binding for update`).Scan(&before)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	identity := history + " " + start
	if err != nil || before == identity {
		return true, err
	}
	switch beforeHistory, _, _ := strings.Cut(before, " "); beforeHistory {
	case "": // just bound: there is nothing yet
	case history:
		err = recheck(ctx, tx, readOnce, time.Time{})
	default:
		err = e.recheckLost(ctx, tx)
	}
	if err != nil {
		return true, err
	}
	_, err = tx.ExecContext(ctx, `update binding set identity = $1`, identity)
	return true, err
}

// recheckLost is for a database that lost what it had committed last: a POST of which it
// knows nothing may still be under way.
func (e *postgresEngine) recheckLost(ctx context.Context, tx *sql.Tx) error {
	var now time.Time
	if err := tx.QueryRowContext(ctx, `select `+serverTime).Scan((*stamp)(&now)); err != nil {
		return err
	}
	if e.clock != nil {
		now = e.clock()
	}
	return recheck(ctx, tx, readSettled, now.Add(e.postTimeout))
}

// Where the listener waits, and how long at most before it looks whether its
// connection still stands.
const (
	channel      = "cancel_server"
	listenCheck  = 10 * time.Second
	listenRepeat = time.Second
)

// listenOn rings whenever a process commits work, by LISTEN and NOTIFY, until ctx is
// over. It rings after each reconnection too: something may have been missed. That the
// database is away, the committer says.
func listenOn(ctx context.Context, config *pgx.ConnConfig, ring func()) {
	for ctx.Err() == nil {
		_ = hear(ctx, config, ring)
		select {
		case <-ctx.Done():
		case <-time.After(listenRepeat):
		}
	}
}

func hear(ctx context.Context, config *pgx.ConnConfig, ring func()) error {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	ring()
	for {
		waiting, cancel := context.WithTimeout(ctx, listenCheck)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			ring()
		case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			if err := conn.Ping(ctx); err != nil {
				return err
			}
		}
	}
}
