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

	"cancel-server/internal/cancellation"
)

// readers is how many connections read beside the one that writes.
const readers = 4

// Options say which database to open, and as what.
type Options struct {
	// Path is a SQLite file, which one process serves from. It is made if there is none.
	Path string
	// URL is a PostgreSQL database, postgres://…, which any number of processes serve
	// from. Either Path or URL is required.
	URL string
	// Clock is the time that decides everything; nil is the database's own: PostgreSQL's,
	// or that of the host that has the SQLite file.
	Clock func() time.Time
	// Serve is for the verb that works the requests. On SQLite it takes PATH.lock, so that
	// one process serves (ErrServed where another does), ends every lease that an earlier
	// process left behind, and has every unfinished request read SoftLayer's books before
	// its next POST. The other verbs open beside it without.
	Serve bool
	// Beside is for the other verbs: a database that nobody ever served from is refused
	// (ErrUnserved) as it stands. Not with Serve.
	Beside bool
	// PostTimeout is how long a POST may be under way of which a database that was
	// restored, or failed over, knows nothing. Read on PostgreSQL only.
	PostTimeout time.Duration
	// Log hears what an operator should know; nil for nobody.
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
