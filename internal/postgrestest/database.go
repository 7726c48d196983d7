// Package postgrestest gives a test an empty PostgreSQL database of its own, or a schema,
// which costs a tenth.
package postgrestest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Variable names the server that databases are made on, postgres://…, by a user who may
// make them. Where it is not set the one on this host is tried, and without that the
// test is skipped aloud; where it is set, a server that does not answer fails the test.
const Variable = "TEST_POSTGRES_URL"

const onThisHost = "postgres://postgres@127.0.0.1:5432/postgres?connect_timeout=10"

var (
	made   atomic.Int64
	server = sync.OnceValues(reach)
)

func reach() (*url.URL, error) {
	text := os.Getenv(Variable)
	if text == "" {
		text = onThisHost
	}
	at, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(context.Background(), text)
	if err != nil {
		return nil, err
	}
	return at, conn.Close(context.Background())
}

// Database makes a database and returns its URL. It is dropped when the test ends.
func Database(t testing.TB) string {
	t.Helper()
	at, name := reached(t), unused()
	execute(t, at, "create database "+name)
	t.Cleanup(func() { execute(t, at, "drop database if exists "+name+" with (force)") })
	own := *at
	own.Path = "/" + name
	return own.String()
}

// Schema makes a schema in a database that other tests use as well, and returns the URL
// that leads to it. It is dropped when the test ends.
func Schema(t testing.TB) string {
	t.Helper()
	at, name := reached(t), unused()
	execute(t, at, "create schema "+name)
	t.Cleanup(func() { execute(t, at, "drop schema if exists "+name+" cascade") })
	own, with := *at, at.Query()
	with.Set("search_path", name)
	own.RawQuery = with.Encode()
	return own.String()
}

func unused() string { return fmt.Sprintf("cancel_server_%d_%d", os.Getpid(), made.Add(1)) }

func reached(t testing.TB) *url.URL {
	t.Helper()
	at, err := server()
	switch {
	case err != nil && os.Getenv(Variable) != "":
		t.Fatalf("reaching the server of %s: %v", Variable, err)
	case err != nil:
		t.Skipf("SKIPPED: no PostgreSQL on this host, and %s is not set: %v", Variable, err)
	}
	return at
}

func execute(t testing.TB, at *url.URL, statement string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, at.String())
	if err != nil {
		t.Fatalf("reaching PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
