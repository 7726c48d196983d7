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
// make them. If it is not set, the server on this host is tried, and without one the test
// is skipped; if it is set, a server that does not answer fails the test.
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
		return nil, fmt.Errorf("it is not a URL, postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	conn, err := pgx.Connect(context.Background(), text)
	if err != nil {
		return nil, err
	}
	return at, conn.Close(context.Background())
}

// Database makes a database and returns its URL. It is dropped when the test ends. Up to
// three bots may use it at once; a test with more says how many: [DatabaseFor].
func Database(t testing.TB) string {
	t.Helper()
	return DatabaseFor(t, usual)
}

// DatabaseFor is [Database] for as many bots. It waits until the server has connections
// for them.
func DatabaseFor(t testing.TB, bots int) string {
	t.Helper()
	server, name := admitted(t, bots), unused()
	server.run(t, "create database "+name)
	t.Cleanup(func() { server.run(t, "drop database if exists "+name+" with (force)") })
	own := *server.at
	own.Path = "/" + name
	return own.String()
}

// Schema makes a schema in a database that other tests use as well, and returns the URL
// that leads to it. It is dropped when the test ends. Up to three bots may use it at once;
// a test with more or fewer says how many: [SchemaFor].
func Schema(t testing.TB) string {
	t.Helper()
	return SchemaFor(t, usual)
}

// SchemaFor is [Schema] for as many bots. It waits until the server has connections for
// them.
func SchemaFor(t testing.TB, bots int) string {
	t.Helper()
	server, name := admitted(t, bots), unused()
	server.run(t, "create schema "+name)
	t.Cleanup(func() { server.run(t, dropSchema(name)) })
	return server.schema(name)
}

func dropSchema(name string) string { return "drop schema if exists " + name + " cascade" }

func unused() string { return fmt.Sprintf("cancel_server_%d_%d", os.Getpid(), made.Add(1)) }

// admission is a test's own connection to the server, which holds its slots.
type admission struct {
	at *url.URL
	*pgx.Conn
}

// admitted connects to the server once it has connections for so many bots.
func admitted(t testing.TB, bots int) admission {
	t.Helper()
	at := reached(t)
	return admission{at, slotsOf(t, at, bots)}
}

func reached(t testing.TB) *url.URL {
	t.Helper()
	at, err := server()
	switch {
	case err != nil && os.Getenv(Variable) != "":
		t.Fatalf("%s names a PostgreSQL server that cannot be used: %v\n"+
			"Start that server, or name another one. Or unset %s: then the server on this host is tried, "+
			"and without one these tests are skipped.", Variable, err, Variable)
	case err != nil:
		t.Skipf("SKIPPED: needs PostgreSQL, on this host or where %s says: %v", Variable, err)
	}
	return at
}

// schema is the URL that leads to a schema.
func (a admission) schema(name string) string {
	own, with := *a.at, a.at.Query()
	with.Set("search_path", name)
	own.RawQuery = with.Encode()
	return own.String()
}

// run runs statements, also after the test has ended.
func (a admission) run(t testing.TB, statements string) {
	t.Helper()
	if _, err := a.Exec(context.WithoutCancel(t.Context()), statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

func connect(ctx context.Context, t testing.TB, at *url.URL) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, at.String())
	if err != nil {
		t.Fatalf("reaching PostgreSQL: %v", err)
	}
	return conn
}
