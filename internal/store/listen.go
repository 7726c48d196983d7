package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Where the listener waits, and how long at most before it looks whether its
// connection still stands.
const (
	channel      = "cancel_server"
	listenCheck  = 10 * time.Second
	listenRepeat = time.Second
)

// listen rings whenever a process commits work, by LISTEN and NOTIFY, until ctx is over.
// It rings after each reconnection too: something may have been missed. That the database
// is away, the committer says.
func (e *postgresEngine) listen(ctx context.Context, ring func()) {
	for ctx.Err() == nil {
		if e.hear(ctx, ring) == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenRepeat):
		}
	}
}

// hear rings until its session is lost, which is an error, or has to be replaced.
func (e *postgresEngine) hear(ctx context.Context, ring func()) error {
	session, err := pgx.ConnectConfig(ctx, e.sessions)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close(context.WithoutCancel(ctx)) }()
	at, err := e.joined(ctx, session)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sessionAge)
	defer cancel()
	defer context.AfterFunc(at.left, cancel)()
	if _, err := session.Exec(ctx, "listen "+channel); err != nil {
		return err
	}
	ring()
	for {
		waiting, enough := context.WithTimeout(ctx, listenCheck)
		_, err := session.WaitForNotification(waiting)
		enough()
		switch {
		case err == nil:
			ring()
		case ctx.Err() != nil:
			return nil
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		default:
			if err := session.Ping(ctx); err != nil {
				return err
			}
		}
	}
}
