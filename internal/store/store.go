// Package store keeps requests, their events and their notices: on SQLite, in a file
// that one process serves from, or on PostgreSQL, for any number of processes. It is
// behind all ports of the domain that need a store.
//
// Every change goes through one goroutine, the committer: it takes what waits,
// shares one transaction and one synced commit among it, and answers each waiter
// from its own row. A call that came back without an error is on disk. A call that
// came back with [cancellation.ErrUnclear] is on disk or not, and nobody knows; any
// other error means that nothing was written.
//
// Reads go past the committer on connections of their own. The one read that must
// not overtake a write is that of a request which is just being recorded, for the
// same caller or another: [Store.Request] waits for it, so that an absence is proof.
//
// The database's clock is the only time that decides anything: leases, due times, and
// the life of a response_url or a card. On SQLite it is the host's.
//
// The text of the queries is one for both. What differs stands in the migrations, in
// sqlite.go and kept.go, and in postgres.go, session.go, primary.go and listen.go: the
// clock, what an error means for what was being written, which server a session is
// connected to, and how a process hears of another's work. A commit that PostgreSQL did not
// answer is asked about; after one that SQLite failed, nothing more is taken.
package store

import (
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

// readers is how many connections read beside the one that writes.
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
	// Mode is what for.
	Mode Mode
	// PostTimeout is how long a POST may take that a restored or failed-over database knows
	// nothing of. Only PostgreSQL needs it.
	PostTimeout time.Duration
	// Log may be nil.
	Log *slog.Logger
}

func (o Options) clock() func() time.Time {
	if o.Clock != nil {
		return o.Clock
	}
	return hostTime
}

// Store is the durable store of one installation. Its methods may be called at once
// from any goroutine.
type Store struct {
	engine    engine
	dialect   dialect
	write     *sql.DB // one connection: the committer's
	read      *sql.DB
	committer *committer
	log       *slog.Logger
	lock      *os.File                               // nil unless a file is served
	listen    func(ctx context.Context, ring func()) // nil where nothing is heard of others
	bound     atomic.Pointer[bound]
}

// journal is everything that the domain asks of a store.
type journal interface {
	cancellation.Clock
	cancellation.Intake
	cancellation.Requests
	cancellation.Queue
	cancellation.Freezes
	cancellation.Notices
}

var _ journal = (*Store)(nil)

// Open opens the database, brings its tables up to date, and starts the committer,
// which [Store.Close] ends.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: cmp.Or(o.Log, slog.New(slog.DiscardHandler))}
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
	s.startCommitter()
	return nil
}

// Close takes no more, commits what waits, and closes the database.
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
		if err := db.Close(); s.dialect != postgresDialect { // a server that is gone hears no goodbye: nothing is lost by it
			errs = append(errs, err)
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// Listen rings, until ctx is over, whenever a process may have committed work. On SQLite
// it never does: whoever waits for another process's work there has to ask.
func (s *Store) Listen(ctx context.Context, ring func()) {
	if s.listen == nil {
		<-ctx.Done()
		return
	}
	s.listen(ctx, ring)
}

// Ready reports why the store takes nothing: after a commit whose outcome is
// unknown for good it wraps [cancellation.ErrUnclear] until the database is opened anew.
func (s *Store) Ready() error { return s.committer.ready() }

// Now is the time that decides: the database's, or that of Options.Clock.
func (s *Store) Now(ctx context.Context) (time.Time, error) {
	now, err := s.engine.now(ctx)
	return now, wrap("reading the database's time", err)
}

// engine is how one of the two databases tells the time and what became of a write.
type engine interface {
	// now is the time that decides, to the millisecond.
	now(ctx context.Context) (time.Time, error)
	// moment is the time at which a transaction makes its changes, and the mark by
	// which its outcome can be asked for later.
	moment(ctx context.Context, tx *sql.Tx) (time.Time, mark, error)
	// surely makes sure of an absence: an ErrNoRequest of read's is returned only if the
	// server that was read from is the one that is written to.
	surely(ctx context.Context, read func() error) error
	// meaning says what an error means, of a statement or of the commit itself.
	meaning(err error, committing bool) meaning
	// outcome finds out what became of a commit that was not answered. An error means
	// that nobody can tell.
	outcome(ctx context.Context, of mark) (committed bool, err error)
}

// dialect is what else differs between them.
type dialect struct {
	folder    string // of the migrations
	goose     goose.Dialect
	readLock  string        // ends a select of what nobody may change before the commit
	rowLock   string        // ends a select whose row is taken by one of many at once
	timeLimit time.Duration // of one transaction; 0 for none
}

// mark names a transaction to the database; zero where it cannot be asked about.
type mark struct {
	transaction string
	history     string // of the database in which it began
	ended       func() // what to call when it has ended in whatever way; nil for nothing
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
	// ruinous: nobody knows what is on disk, until the database is opened anew.
	ruinous
)

// wrap names the step of an error, if there is one.
func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}
