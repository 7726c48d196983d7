// Package store keeps requests, their events and their notices durably: on SQLite, in a file
// for one process, or on PostgreSQL, for any number of processes. It implements every port of
// the domain that needs a store.
//
// Every change goes through one goroutine, the committer. It takes the changes that wait,
// makes them in one transaction with one synced commit, and answers each caller. A call
// that returns no error is on disk. After [cancellation.ErrUnclear] nobody knows whether it
// is. Any other error means that nothing was written.
//
// Reads have connections of their own. Only [Store.Request] waits for a write: for that of
// the request it reads, so that an absence is proof.
//
// The database's clock alone decides: leases, due times, the life of a response_url or a
// card. On SQLite it is the host's.
//
// Both databases run the same queries. They differ in the migrations, in sqlite.go and
// kept.go, and in postgres.go and session.go: in the clock, in what an error means for a
// write, in which server a session is connected to, and in how a process learns of another's
// work. After a commit without an answer, PostgreSQL is asked what became of it; SQLite takes
// no further write.
package store

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"cancel-server/internal/cancellation"
)

// readers is how many connections read, next to the one that writes.
const readers = 4

// Mode is what a database is opened for.
type Mode int

const (
	// Prepare makes the database and its tables if there are none, and serves nobody.
	Prepare Mode = iota
	// Serve is for the process that works on requests. On SQLite it takes PATH.lock, so that
	// only one process serves ([ErrServed] if another does), ends every lease that an earlier
	// process left behind, and makes every unfinished request read SoftLayer's tickets before
	// its next POST.
	Serve
	// Beside is for reading and ordering alongside a process that serves. It returns
	// [ErrUnserved], and changes nothing, if no process ever served from the database.
	Beside
	// Read is for reading alone. It migrates nothing and returns [ErrOlder] if the tables are those
	// of an older build, else what Beside returns.
	Read
)

// Options say which database to open, and what for.
type Options struct {
	// Path is a SQLite file, for one process that serves. It is made if there is none.
	Path string
	// URL is a PostgreSQL database, postgres://…, for any number of processes that serve.
	// Either Path or URL is required.
	URL string
	// Clock is the time that decides everything. Nil is the database's own: PostgreSQL's, or
	// that of the host that has the SQLite file.
	Clock func() time.Time
	Mode  Mode
	// PostTimeout is how long a POST may take that a restored or failed-over database knows
	// nothing of. Only a process that serves needs it.
	PostTimeout time.Duration
	// Log may be nil.
	Log *slog.Logger
	// Committed is told how long each transaction took that was committed. May be nil.
	Committed func(took time.Duration)
	// Moved is told of each request that this process recorded, or moved to another state: its former
	// state, and the request as it was given or stored. May be nil.
	Moved func(from cancellation.State, r cancellation.Request)
}

func (o Options) clock() func() time.Time {
	if o.Clock != nil {
		return o.Clock
	}
	return hostTime
}

// Store is the durable store of one installation. It is safe for concurrent use.
type Store struct {
	engine    engine
	dialect   dialect
	write     *sql.DB // one connection: the committer's
	read      *sql.DB
	committer *committer
	log       *slog.Logger
	lock      *os.File                               // nil unless a file is served
	listen    func(ctx context.Context, ring func()) // nil on SQLite
	bound     atomic.Pointer[bound]
	moved     func(from cancellation.State, r cancellation.Request) // may be nil
}

// journal is everything that the domain asks of a store.
type journal interface {
	cancellation.Clock
	cancellation.Intake
	cancellation.Requests
	cancellation.Queue
	cancellation.Freezes
	cancellation.Notices
	cancellation.Follows
}

var _ journal = (*Store)(nil)

// Open opens the database, brings its tables up to date, and starts the committer,
// which [Store.Close] ends.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: cmp.Or(o.Log, slog.New(slog.DiscardHandler)), moved: o.Moved}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, o Options) error {
	switch {
	case o.Path == "" && o.URL == "":
		return errors.New("opening the database: no path given")
	case o.Path != "" && o.URL != "":
		return errors.New("opening the database: a path and a URL given")
	case o.Path != "":
		if err := s.openFile(ctx, o); err != nil {
			return fmt.Errorf("opening the database %q: %w", o.Path, err)
		}
	default:
		if err := s.openServer(ctx, o); err != nil {
			return fmt.Errorf("opening the database: %w", err) // never with its URL, which holds a password
		}
	}
	s.startCommitter(o.Committed)
	return nil
}

// Close refuses further writes, commits those that wait, and closes the database.
func (s *Store) Close() error {
	s.committer.stop()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db == nil {
			continue
		}
		if err := db.Close(); s.dialect != postgresDialect { // closing the session of a lost server fails, and loses nothing
			errs = append(errs, err)
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Listen calls ring whenever a process may have committed work, until ctx is over: at once if it
// was another process, within a second if it was this one. On SQLite it never does: callers have to poll.
func (s *Store) Listen(ctx context.Context, ring func()) {
	if s.listen == nil {
		<-ctx.Done()
		return
	}
	s.listen(ctx, ring)
}

// Ready returns why the store refuses writes. After a commit whose outcome stays unknown it
// wraps [cancellation.ErrUnclear] until the database is opened again.
func (s *Store) Ready() error { return s.committer.ready() }

// Now returns the time that decides: the database's, or that of Options.Clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.engine.now(ctx)
	return now, wrap("reading the database's time", err)
}

// engine is what one of the two databases knows about the time and the outcome of a write.
type engine interface {
	// given returns the time that decides where it is not the database server's, else zero.
	given() time.Time
	// now returns the time that decides, in milliseconds.
	now(ctx context.Context) (time.Time, error)
	// moment returns the time at which a transaction makes its changes, and the mark to ask
	// for its outcome by. It tells the transaction its epoch.
	moment(ctx context.Context, tx *tx) (time.Time, mark, error)
	// confirmAbsence calls read, and returns its ErrNoRequest only if it read from the server
	// that is written to.
	confirmAbsence(ctx context.Context, read func() error) error
	// meaning returns what an error of a statement, or of the commit, means for the write.
	meaning(err error, committing bool) meaning
	// outcome returns whether a commit without an answer was made. An error means that nobody
	// can tell.
	outcome(ctx context.Context, of mark) (committed bool, err error)
}

// dialect is what else differs between the two.
type dialect struct {
	folder    string // of the migrations
	goose     goose.Dialect
	readLock  string        // ends a select whose row nobody may change before the commit
	rowLock   string        // ends a select whose row one of several processes takes
	ownLock   string        // ends a select whose row the transaction is about to change
	clock     string        // the time that decides: $1, or if that is null the database server's
	timeLimit time.Duration // of one transaction; 0 for none
}

// mark names a transaction to the database. It is zero on SQLite.
type mark struct {
	transaction string
	history     string // of the database in which it began
	cluster     string // in which it began; "" if nobody may ask
	ended       func() // is called when it has ended; may be nil
}

func (m mark) end() {
	if m.ended != nil {
		m.ended()
	}
}

// meaning is what an error means for what was being written.
type meaning int

const (
	// definite: nothing was written.
	definite meaning = iota
	// again: nothing was written, and the same may succeed now.
	again
	// unanswered: the commit was sent, and what became of it can be asked.
	unanswered
	// ruinous: nobody knows what is on disk, until the database is opened again.
	ruinous
)

// wrap names the step of an error, if there is one.
func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}

// HMACKey returns the installation's own secret of 32 bytes. It is nil before [Store.Bind],
// except in mode [Beside].
func (s *Store) HMACKey() []byte {
	if b := s.bound.Load(); b != nil {
		return bytes.Clone(b.key)
	}
	return nil
}
