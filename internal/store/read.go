package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

var (
	requestSQL = `select ` + requestColumns + ` from requests where id = $1`
	byRefSQL   = `select ` + requestColumns + ` from requests where short_ref = $1`
	liveSQL    = `select ` + requestColumns + ` from requests
		where server_id = $1 and state in ('pending', 'scheduled', 'filing', 'unknown', 'stuck', 'filed')`
)

// Request reads a request by id. [cancellation.ErrNoRequest] proves that there is
// none: where a write of it is under way, whoever waits for that, the read comes after
// it, and where absence proves nothing the error is [cancellation.ErrUnclear]. What comes
// with [cancellation.ErrUnreadable] lacks what was asked for.
func (s *Store) Request(ctx context.Context, id string) (cancellation.Request, error) {
	r, err := s.readInTurn(ctx, id)
	if errors.Is(err, cancellation.ErrNoRequest) {
		err = errors.Join(err, s.Ready())
	}
	if err != nil {
		return r, fmt.Errorf("reading request %q: %w", id, err)
	}
	return r, nil
}

func (s *Store) readInTurn(ctx context.Context, id string) (cancellation.Request, error) {
	doubt := s.committer.doubt(id) // asked first: what was answered before this is seen by the read
	r, err := s.one(ctx, requestSQL, id)
	if !doubt || !errors.Is(err, cancellation.ErrNoRequest) {
		return r, err
	}
	return change(ctx, s.committer, &write{},
		func(ctx context.Context, tx *tx, _ time.Time) (cancellation.Request, error) {
			return scanRequest(tx.QueryRowContext(ctx, requestSQL, id))
		})
}

// ByRef reads a request by its short reference, like 7F3K-2QXD. What comes with
// [cancellation.ErrUnreadable] lacks what was asked for.
func (s *Store) ByRef(ctx context.Context, short string) (cancellation.Request, error) {
	r, err := s.one(ctx, byRefSQL, short)
	if err != nil {
		return r, fmt.Errorf("reading request %q: %w", short, err)
	}
	return r, nil
}

// Live reads the request that holds a server. What comes with
// [cancellation.ErrUnreadable] lacks what was asked for.
func (s *Store) Live(ctx context.Context, server int64) (cancellation.Request, error) {
	r, err := s.one(ctx, liveSQL, server)
	if err != nil {
		return r, fmt.Errorf("reading the live request for server %d: %w", server, err)
	}
	return r, nil
}

// one reads one request. ErrNoRequest: it is not in the database that is written to.
func (s *Store) one(ctx context.Context, query string, key any) (r cancellation.Request, err error) {
	err = s.engine.surely(ctx, func() error {
		r, err = scanRequest(s.read.QueryRowContext(ctx, query, key))
		return err
	})
	return r, err
}
