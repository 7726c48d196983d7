package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"cancel-server/internal/cancellation"
)

const (
	// busyTimeout is how long a statement waits for another process's write lock.
	busyTimeout = 5 * time.Second
	// readers is how many connections read beside the one that writes.
	readers = 4
)

// Options say which database to open, and as what.
type Options struct {
	// Path is the database file. It is made if there is none; required.
	Path string
	// Clock is the time that decides everything; nil is time.Now.
	Clock func() time.Time
	// Serve takes PATH.lock, so that one process serves (ErrServed where another
	// does), ends every lease that an earlier process left behind, and has every
	// unfinished request read SoftLayer's books before its next POST. The other
	// verbs open beside it without.
	Serve bool
}

// Store is the durable store of one installation. Its methods may be called at once
// from any goroutine.
type Store struct {
	clock     func() time.Time
	write     *sql.DB // one connection: the committer's
	read      *sql.DB
	committer *committer
	lock      *os.File // nil unless served
	bound     atomic.Pointer[bound]
}

var _ cancellation.Journal = (*Store)(nil)

// Open opens the database, brings its tables up to date, and starts the committer,
// which [Store.Close] ends.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if opts.Path == "" {
		return nil, errors.New("opening the database: no path given")
	}
	s := &Store{clock: opts.Clock}
	if s.clock == nil {
		s.clock = time.Now
	}
	err := s.open(ctx, opts)
	var prepared map[string]*sql.Stmt
	if err == nil {
		prepared, err = prepare(ctx, s.write)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database %q: %w", opts.Path, err), s.release())
	}
	s.committer = startCommitter(s.write, prepared, s.now)
	return s, nil
}

func (s *Store) open(ctx context.Context, opts Options) (err error) {
	if err := makeFile(opts.Path); err != nil {
		return err
	}
	if opts.Serve {
		if s.lock, err = lock(opts.Path); err != nil {
			return err
		}
	}
	if s.write, err = pool(opts.Path, 1, url.Values{"_txlock": {"immediate"}}); err != nil {
		return err
	}
	if s.read, err = pool(opts.Path, readers, url.Values{"_query_only": {"1"}}); err != nil {
		return err
	}
	if err := migrate(ctx, s.write); err != nil {
		return err
	}
	if opts.Serve {
		return s.resume(ctx)
	}
	return nil
}

// makeFile makes a database file that only its owner can read: it holds this
// installation's key. SQLite gives its other files the same rights.
func makeFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// pool opens connections on the file: write-ahead log, every commit synced, and
// deleted content overwritten (https://www.sqlite.org/pragma.html).
func pool(path string, connections int, more url.Values) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("finding the path: %w", err)
	}
	more.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	more.Set("_journal_mode", "WAL")
	more.Set("_synchronous", "FULL")
	more.Set("_foreign_keys", "1")
	more.Set("_pragma", "secure_delete(fast)")
	name := url.URL{
		Scheme: "file", OmitHost: true, RawQuery: more.Encode(),
		Path: "/" + strings.TrimPrefix(filepath.ToSlash(absolute), "/"),
	}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close takes no more, commits what waits, and closes the database.
func (s *Store) Close() error {
	s.committer.stop()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Ready reports why the store takes nothing: after a commit whose outcome is
// unknown it wraps [cancellation.ErrUnclear] until the database is opened anew.
func (s *Store) Ready() error { return s.committer.ready() }

// Now is the store's clock, to the millisecond.
func (s *Store) Now(context.Context) (time.Time, error) { return s.now(), nil }

func (s *Store) now() time.Time { return inMillis(s.clock()) }
