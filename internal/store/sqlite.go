package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"cancel-server/internal/store/host"
	"cancel-server/internal/store/prepared"
	"cancel-server/internal/store/seals"
)

// busyTimeout is how long a statement waits for another process's write lock.
const busyTimeout = 5 * time.Second

var sqliteDialect = dialect{folder: "sqlite", goose: goose.DialectSQLite3, clock: `$1`}

// sqliteEngine is a database in a file. The host's clock decides.
type sqliteEngine struct{ clock func() time.Time }

func (e sqliteEngine) given() time.Time { return inMillis(e.clock()) }

func (e sqliteEngine) now(context.Context) (time.Time, error) { return e.given(), nil }

func (e sqliteEngine) moment(ctx context.Context, tx *tx) (time.Time, mark, error) {
	err := tx.QueryRowContext(ctx, `select epoch from rechecks`).Scan(&tx.epoch)
	return e.given(), mark{}, err
}

func (e sqliteEngine) confirmAbsence(_ context.Context, read func() error) error { return read() }

// meaning returns ruinous for an error of the disk or the file, and for every commit that
// failed for another reason than a lock: its changes may appear or disappear later
// (https://www.sqlite.org/rescode.html#ioerr).
func (e sqliteEngine) meaning(err error, committing bool) meaning {
	switch code(err) {
	case sqlite3.SQLITE_BUSY:
		return again
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return ruinous
	}
	if committing {
		return ruinous
	}
	return definite
}

func (e sqliteEngine) outcome(context.Context, mark) (bool, error) {
	return false, errors.New("SQLite cannot say what became of a commit")
}

// code returns SQLite's primary result code, 0 if the error is not SQLite's.
func code(err error) int {
	if failure, ok := errors.AsType[*sqlite.Error](err); ok {
		return failure.Code() & 0xff
	}
	return 0
}

// openFile opens the database file, and makes it if there is none, except in the modes Beside and Read.
func (s *Store) openFile(ctx context.Context, o Options) (err error) {
	s.engine, s.dialect = sqliteEngine{clock: o.clock()}, sqliteDialect
	if err := refuseRemote(o.Path); err != nil {
		return err
	}
	switch o.Mode {
	case Read:
		return s.readFile(ctx, o.Path)
	case Beside:
		err = s.learnFile(ctx, o.Path)
	default:
		err = makeFile(o.Path)
	}
	if err != nil {
		return err
	}
	if o.Mode == Serve {
		if s.lock, err = lockFile(o.Path); err != nil {
			return err
		}
	}
	if s.write, err = pool(o.Path, 1, url.Values{"_txlock": {"immediate"}}); err != nil {
		return err
	}
	if s.read, err = pool(o.Path, readers, url.Values{"_query_only": {"1"}}); err != nil {
		return err
	}
	if err := migrate(ctx, s.write, sqliteDialect); err != nil {
		return err
	}
	if o.Mode == Serve {
		return s.resume(ctx, o.PostTimeout)
	}
	return nil
}

// remote names the file system of another host. A test puts another answer in its place.
var remote = host.Remote

// refuseRemote refuses a file of another host. SQLite's write-ahead log needs shared memory, and
// two processes may hold one lock there: both would file (https://www.sqlite.org/wal.html, https://www.sqlite.org/useovernet.html).
func refuseRemote(path string) error {
	name, err := remote(path)
	if errors.Is(err, fs.ErrNotExist) {
		name, err = remote(filepath.Dir(path))
	}
	if err != nil || name == "" { // unknown: opening shows it
		return nil
	}
	return fmt.Errorf("it is on a network file system (%s), where two bots could serve from it at once; use a disk of this host, or PostgreSQL", name)
}

// makeFile makes a database file that only its owner can read, since it holds the installation's
// key. SQLite gives its other files the same rights.
func makeFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// learnFile reads the binding of a database file, on a connection that neither makes a file nor
// changes its journal mode.
func (s *Store) learnFile(ctx context.Context, path string) error {
	db, err := openPool(path, 1, url.Values{"mode": {"rw"}, "_query_only": {"1"}})
	if err != nil {
		return err
	}
	return errors.Join(s.learnBinding(ctx, db), db.Close())
}

// readFile opens a database file whose connections refuse every write.
func (s *Store) readFile(ctx context.Context, path string) error {
	for _, pool := range []struct {
		db          **sql.DB
		connections int
	}{{&s.write, 1}, {&s.read, readers}} {
		var err error
		if *pool.db, err = openPool(path, pool.connections, url.Values{"mode": {"rw"}, "_query_only": {"1"}}); err != nil {
			return err
		}
	}
	if err := s.learnBinding(ctx, s.read); err != nil {
		return err
	}
	return usable(ctx, s.read, sqliteDialect)
}

// pool opens connections with a write-ahead log, every commit synced, and deleted content
// overwritten (https://www.sqlite.org/pragma.html).
func pool(path string, connections int, more url.Values) (*sql.DB, error) {
	more.Set("_journal_mode", "WAL")
	more.Set("_synchronous", "FULL")
	more.Set("_foreign_keys", "1")
	more.Set("_pragma", "secure_delete(fast)")
	return openPool(path, connections, more)
}

func openPool(path string, connections int, more url.Values) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the path: %w", err)
	}
	more.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	name := url.URL{
		Scheme: "file", OmitHost: true, RawQuery: more.Encode(),
		Path: "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/"),
	}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	return bounded(sql.OpenDB(prepared.Connector{Connector: connector}), connections), nil
}

func bounded(db *sql.DB, connections int) *sql.DB {
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// ErrServed says that another process serves from this database.
var ErrServed = errors.New("another bot serve is running on this database")

// lockFile takes PATH.lock for this process. It returns ErrServed if another process has it. The
// lock ends with the file or the process. The file itself stays, because removing it would let
// two processes lock two files of one name. Links to a database share one lock.
func lockFile(path string) (*os.File, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("finding the database: %w", err)
	}
	name := path + ".lock"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	err = host.TryLock(file)
	if errors.Is(err, host.ErrLocked) {
		err = ErrServed
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %q: %w", name, err), file.Close())
	}
	return file, nil
}

const (
	freeRequestsSQL = `update requests set lease_owner = null, lease_until = null where lease_until is not null`
	freeNoticesSQL  = `
		update notices set lease_owner = null, lease_until = null, version = version + 1
		where lease_until is not null`
	freeInventorySQL = `update inventory set lease_owner = null, lease_until = null`
)

// resume makes a file ready to be served from, and ends the leases of earlier processes.
func (s *Store) resume(ctx context.Context, postTimeout time.Duration) error {
	opened, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("resuming: %w", err)
	}
	defer func() { _ = opened.Rollback() }() // nothing to undo after the commit
	older, err := s.recheckFile(ctx, &tx{Tx: opened}, postTimeout)
	if err != nil {
		return fmt.Errorf("resuming: %w", err)
	}
	for _, free := range []string{freeRequestsSQL, freeNoticesSQL, freeInventorySQL, freeFollowSQL, freeBulletinSQL, freeMailboxesSQL, freeUpdatesSQL} {
		if _, err := opened.ExecContext(ctx, free); err != nil {
			return fmt.Errorf("resuming: releasing leases: %w", err)
		}
	}
	if err := opened.Commit(); err != nil || !older {
		return wrap("resuming", err)
	}
	log, err := seals.ReadLog(ctx, s.write)
	if err == nil {
		err = seals.Remember(s.lock, &log) // or each start would find an older file, and freeze again
	}
	return wrap("resuming", err)
}

// recheckFile begins the recheck of a start, and reports whether the file is known to be an older one. Such a file
// knows nothing of what was sent since: a POST of a bot that ended just before may be under way. A backup is frozen
// when it is made, and another older copy here.
func (s *Store) recheckFile(ctx context.Context, tx *tx, postTimeout time.Duration) (older bool, err error) {
	var identity string
	if err := tx.QueryRowContext(ctx, `select coalesce((select identity from binding), '')`).Scan(&identity); err != nil {
		return false, err
	}
	var why string
	made, backup := strings.CutPrefix(identity, backupMark)
	if backup {
		why = "the database was restored from a backup of " + made
	} else if why, err = seals.Older(ctx, tx, s.lock); err != nil {
		return false, err
	}
	if why == "" {
		_, err = recheck(ctx, tx.Tx, readOnce, time.Time{})
		return false, err
	}
	s.log.Warn("the database is an older copy: filing is frozen until bot unfreeze, and unfinished requests settle before they are filed", "why", why)
	now := s.engine.given()
	_, err = recheck(ctx, tx.Tx, readSettled, now.Add(postTimeout))
	if err == nil && backup {
		if _, err = tx.ExecContext(ctx, `update binding set identity = ''`); err == nil {
			err = oweRestored(ctx, tx.Tx, now)
		}
	}
	if err == nil && !backup {
		err = sqliteDialect.freezeRestored(ctx, tx, now, " or made again")
	}
	if err == nil {
		err = errors.Join(seals.BeginSegment(ctx, tx, why), dropOldNews(ctx, tx.Tx))
	}
	return true, err
}

// noSuchTable reports whether a statement failed because a table or a column is missing.
func noSuchTable(err error) bool {
	if refused, answered := errors.AsType[*pgconn.PgError](err); answered {
		return refused.Code == "42P01" || refused.Code == "42703"
	}
	return code(err) == sqlite3.SQLITE_ERROR
}
