package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
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
	err = takeFree(ctx, conn, wanted, rand.Perm(all))
	_, unlocked := conn.Exec(ctx, `select pg_advisory_unlock($1::int, $2::int)`, lockClass, queueIndex)
	return errors.Join(err, unlocked)
}

// takeFree takes slots that are free, and waits for others where those are too few.
func takeFree(ctx context.Context, conn *pgx.Conn, wanted int, slots []int) error {
	var busy []int
	for _, slot := range slots {
		if wanted == 0 {
			return nil
		}
		var free bool
		if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1::int, $2::int)`, lockClass, slot+1).Scan(&free); err != nil {
			return err
		}
		if free {
			wanted--
		} else {
			busy = append(busy, slot)
		}
	}
	for _, slot := range busy[:wanted] {
		if _, err := conn.Exec(ctx, `select pg_advisory_lock($1::int, $2::int)`, lockClass, slot+1); err != nil {
			return err
		}
	}
	return nil
}
