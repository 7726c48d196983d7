package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A server of PostgreSQL takes 100 connections by default, and several packages test at
// once. So each test takes slots before it connects, by advisory locks on the server, which
// all processes share and which end with the process that took them. A test that has slots
// must not wait for parallel subtests: those may wait for tests that wait for slots.
const (
	// perBot is what one bot takes at most: a connection that writes, four that read and one
	// that listens; and one for the test.
	perBot = 7
	// unslotted are the connections left to those who wait, and to other users of the server.
	unslotted = 15
	usual     = 3 // bots

	lockClass  = 0x63616e63 // of the advisory locks; its number 0 is the queue
	slotsWait  = 5 * time.Minute
	queueIndex = 0
)

// waiting lets one test of this process at a time wait at the server: that takes a
// connection too.
var waiting sync.Mutex

// taken are the connections of the tests that have their slots: further databases of
// theirs need no more.
var taken sync.Map

// slotsOf is the connection that holds a slot for each bot until the test ends.
func slotsOf(t testing.TB, at *url.URL, bots int) *pgx.Conn {
	t.Helper()
	if conn, has := taken.Load(t); has {
		return conn.(*pgx.Conn)
	}
	waiting.Lock()
	defer waiting.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), slotsWait) // also after the test
	defer cancel()
	conn := connect(ctx, t, at)
	taken.Store(t, conn)
	t.Cleanup(func() {
		taken.Delete(t)
		over := context.WithoutCancel(ctx)
		_, _ = conn.Exec(over, `select pg_advisory_unlock_all()`)
		_ = conn.Close(over) // which gives the slots back at the latest
	})
	if err := waitForSlots(ctx, conn, bots); err != nil {
		t.Fatalf("waiting for %d of PostgreSQL's connections: %v", bots*perBot, err)
	}
	return conn
}

// waitForSlots takes slots. Only who is first in the queue does, so that no two wait for
// each other.
func waitForSlots(ctx context.Context, conn *pgx.Conn, wanted int) error {
	var connections int
	err := conn.QueryRow(ctx, `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int`).
		Scan(&connections)
	if err != nil {
		return err
	}
	all := (connections - unslotted) / perBot
	if wanted > all {
		return fmt.Errorf("the server lets %d in: raise max_connections", connections)
	}
	if _, err := conn.Exec(ctx, `select pg_advisory_lock($1::int, $2::int)`, lockClass, queueIndex); err != nil {
		return err
	}
	err = takeAll(ctx, conn, wanted, all)
	_, unlocked := conn.Exec(ctx, `select pg_advisory_unlock($1::int, $2::int)`, lockClass, queueIndex)
	return errors.Join(err, unlocked)
}

// takeAll takes slots until it has as many as are wanted. While too few are free it waits
// for one of the busy ones, but not for long: meanwhile another may become free.
func takeAll(ctx context.Context, conn *pgx.Conn, wanted, all int) error {
	has := map[int]bool{}
	for {
		busy := 0
		for slot := 1; slot <= all && len(has) < wanted; slot++ {
			if has[slot] {
				continue
			}
			var free bool
			if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1::int, $2::int)`, lockClass, slot).Scan(&free); err != nil {
				return err
			}
			if free {
				has[slot] = true
			} else {
				busy = slot
			}
		}
		if len(has) == wanted {
			return nil
		}
		got, err := waitFor(ctx, conn, busy)
		if err != nil {
			return err
		}
		if got {
			has[busy] = true
		}
	}
}

// waitFor waits a moment for one slot.
func waitFor(ctx context.Context, conn *pgx.Conn, slot int) (got bool, err error) {
	if _, err := conn.Exec(ctx, `set lock_timeout = '300ms'`); err != nil {
		return false, err
	}
	_, err = conn.Exec(ctx, `select pg_advisory_lock($1::int, $2::int)`, lockClass, slot)
	if refused, is := errors.AsType[*pgconn.PgError](err); is && refused.Code == lockNotAvailable {
		// The lock may have been granted in the same moment. The session would keep it.
		_, err = conn.Exec(ctx, `select pg_advisory_unlock($1::int, $2::int)`, lockClass, slot)
	} else {
		got = err == nil
	}
	_, reset := conn.Exec(ctx, `set lock_timeout = 0`)
	return got, errors.Join(err, reset)
}

// lockNotAvailable: https://www.postgresql.org/docs/current/errcodes-appendix.html.
const lockNotAvailable = "55P03"
