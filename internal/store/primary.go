package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"cancel-server/internal/cancellation"
)

// A failover does not end every session: behind a proxy, a moved address or a name, some
// may still lead to the old primary, which may still answer. So every session knows which
// server it is connected to, and only those that are connected to the writing session's
// server are used. What that is, each writing transaction says, and where none did lately,
// the writing session is asked.

// proofAge is for how long the writing session is taken to be where it was last.
const proofAge = time.Second

// primary is the server that the writing session is connected to.
type primary struct {
	identity string
	left     context.Context // over when the writing session is connected to another one
	leave    context.CancelFunc
}

var errElsewhere = errors.New("this session is connected to another server than the one that is written to")

// openPools opens the pool that writes and the one that reads.
func (e *postgresEngine) openPools(config *pgx.ConnConfig) {
	e.sessions = config
	e.write = bounded(stdlib.OpenDB(*config,
		stdlib.OptionAfterConnect(func(_ context.Context, session *pgx.Conn) error {
			e.met(identityOf(session), time.Now())
			return nil
		}),
		stdlib.OptionResetSession(func(context.Context, *pgx.Conn) error {
			if e.doubted.Swap(false) {
				return driver.ErrBadConn // a new one is made
			}
			return nil
		})), 1)
	e.read = bounded(stdlib.OpenDB(*config,
		stdlib.OptionAfterConnect(func(ctx context.Context, session *pgx.Conn) error {
			_, err := e.joined(ctx, session)
			return err
		}),
		stdlib.OptionResetSession(func(ctx context.Context, session *pgx.Conn) error {
			if at, err := e.lately(ctx); err != nil || at.identity != identityOf(session) {
				return driver.ErrBadConn // a new one is made, or says why not
			}
			return nil
		})), readers)
	e.write.SetConnMaxLifetime(sessionAge)
	e.read.SetConnMaxLifetime(sessionAge)
}

// joined returns the primary if a new session is connected to it, or errElsewhere. Where
// it is not, the way may lead to another server by now: then the writing session is the
// one that has to go.
func (e *postgresEngine) joined(ctx context.Context, session *pgx.Conn) (*primary, error) {
	at, err := e.lately(ctx)
	if err != nil || at.identity == identityOf(session) {
		return at, err
	}
	e.doubted.Store(true)
	if err := e.prove(ctx, time.Now()); err != nil {
		return nil, err
	}
	if at = e.primary.Load(); at.identity != identityOf(session) {
		return nil, errElsewhere
	}
	return at, nil
}

// lately is the primary as it was a moment ago.
func (e *postgresEngine) lately(ctx context.Context) (*primary, error) {
	err := e.prove(ctx, time.Now().Add(-proofAge))
	return e.primary.Load(), err
}

// prove makes sure that what is known of the writing session is no older than that moment.
// While a transaction runs in it, it is where that began.
func (e *postgresEngine) prove(ctx context.Context, since time.Time) error {
	if e.writing.Load() > 0 || e.knownSince(since) {
		return nil
	}
	select {
	case e.proving <- struct{}{}:
		defer func() { <-e.proving }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e.knownSince(since) { // by one who waited for the same
		return nil
	}
	err := e.ask(ctx)
	if err != nil && ctx.Err() == nil { // the session was lost: a new one
		err = e.ask(ctx)
	}
	return wrap("asking the session that writes which server it is connected to", err)
}

func (e *postgresEngine) ask(ctx context.Context) error {
	asked := time.Now()
	var identity string
	if err := e.write.QueryRowContext(ctx, `select `+identitySQL).Scan(&identity); err != nil {
		return err
	}
	e.met(identity, asked)
	return nil
}

func (e *postgresEngine) knownSince(since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.provenAt.Before(since)
}

// met takes note of the server that the writing session was connected to at a moment. At
// another one than before every other session is dropped.
func (e *postgresEngine) met(identity string, at time.Time) {
	before := e.note(identity, at)
	if before == nil {
		return
	}
	before.leave()
	e.read.SetMaxIdleConns(0) // closes those that nobody uses; the others are dropped before their next use
	e.read.SetMaxIdleConns(readers)
}

// note returns the primary that was left, or nil.
func (e *postgresEngine) note(identity string, at time.Time) (before *primary) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !at.After(e.provenAt) { // something later is known
		return nil
	}
	e.provenAt = at
	before = e.primary.Load()
	if before != nil && before.identity == identity {
		return nil
	}
	now := &primary{identity: identity}
	now.left, now.leave = context.WithCancel(context.Background())
	e.primary.Store(now)
	return before
}

// surely repeats a read that found no such request until the session that writes was at
// the same server before it and after it.
func (e *postgresEngine) surely(ctx context.Context, read func() error) error {
	for {
		at := e.primary.Load()
		err := read()
		if !errors.Is(err, cancellation.ErrNoRequest) {
			return err
		}
		if unproven := e.prove(ctx, time.Now()); unproven != nil {
			return unproven
		}
		if e.primary.Load() == at {
			return err
		}
	}
}
