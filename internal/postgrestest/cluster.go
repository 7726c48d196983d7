//go:build unix

package postgrestest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server of a test's own, which it may stop, and fail over. It takes
// some seconds to make.
type Cluster struct {
	t       testing.TB
	name    string
	data    string
	port    string
	runs    *exec.Cmd
	said    *bytes.Buffer
	ended   chan struct{}
	standby bool
}

// startTime is how long a server may take to start, or to become a primary.
const startTime = 60 * time.Second

// NewCluster makes a server and starts it. It ends with the test.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := prepared(t, "primary")
	c.tool("initdb", "--pgdata", c.data, "--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale", "--no-sync")
	c.start(settings)
	return c
}

// Standby makes a server that follows this one, and starts it.
func (c *Cluster) Standby(settings ...string) *Cluster {
	c.t.Helper()
	follows := prepared(c.t, "standby")
	follows.standby = true
	follows.tool("pg_basebackup", "--pgdata", follows.data, "--host", "127.0.0.1", "--port", c.port, "--username", "postgres",
		"--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	follows.start(settings)
	return follows
}

// Address is the server's host and port.
func (c *Cluster) Address() string { return net.JoinHostPort("127.0.0.1", c.port) }

// URL is that of its database.
func (c *Cluster) URL() string { return ClusterURL(c.Address()) }

// ClusterURL is that of the database of the clusters at these addresses, the first that
// will have the session.
func ClusterURL(addresses string) string {
	return "postgres://postgres@" + addresses + "/postgres?sslmode=disable"
}

// Promote makes a standby a primary, with all that it has received.
func (c *Cluster) Promote() {
	c.t.Helper()
	c.Run(fmt.Sprintf("select pg_promote(true, %d)", int(startTime.Seconds())))
}

// CaughtUp waits until a standby has everything that its primary has committed so far.
func (c *Cluster) CaughtUp(with *Cluster) {
	c.t.Helper()
	at := with.Value("select pg_current_wal_flush_lsn()::text")
	c.eventually("it has received everything", func() bool {
		return c.Value(fmt.Sprintf("select (pg_last_wal_replay_lsn() >= '%s')::text", at)) == "true"
	})
}

// Run runs a statement on it.
func (c *Cluster) Run(statement string) {
	c.t.Helper()
	c.ask(statement, nil)
}

// Value is the one value that a query has for an answer.
func (c *Cluster) Value(query string) (value string) {
	c.t.Helper()
	c.ask(query, &value)
	return value
}

func (c *Cluster) ask(text string, into *string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL())
	if err == nil {
		defer conn.Close(ctx)
		if into == nil {
			_, err = conn.Exec(ctx, text)
		} else {
			err = conn.QueryRow(ctx, text).Scan(into)
		}
	}
	if err != nil {
		c.t.Fatalf("%s of the %s: %v; it said:\n%s", text, c.name, err, c.said)
	}
}

// Kill ends the server as a power cut does.
func (c *Cluster) Kill() {
	_ = syscall.Kill(-c.runs.Process.Pid, syscall.SIGKILL)
	<-c.ended
}

// prepared is a cluster with an empty folder.
func prepared(t testing.TB, name string) *Cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who := owner(t); who != nil {
		if err := os.Chown(dir, int(who.Uid), int(who.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return &Cluster{t: t, name: name, data: filepath.Join(dir, "data"), said: &bytes.Buffer{}}
}

// start starts the server and waits until it lets sessions in.
func (c *Cluster) start(settings []string) {
	c.t.Helper()
	c.port = freePort(c.t)
	args := []string{"-D", c.data}
	for _, setting := range slices.Concat([]string{
		"port=" + c.port, "listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB",
		"max_connections=60", "hot_standby=on", "wal_keep_size=64MB",
	}, settings) {
		args = append(args, "-c", setting)
	}
	c.runs = c.command("postgres", args...)
	c.runs.Stdout, c.runs.Stderr = c.said, c.said
	c.runs.SysProcAttr.Setpgid = true
	if err := c.runs.Start(); err != nil {
		c.t.Fatalf("starting the %s: %v", c.name, err)
	}
	c.ended = make(chan struct{})
	go func() { defer close(c.ended); _ = c.runs.Wait() }()
	c.t.Cleanup(c.Kill)
	c.eventually("it lets sessions in", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		conn, err := pgx.Connect(ctx, c.URL())
		if err != nil {
			return false
		}
		return conn.Close(ctx) == nil
	})
}

func (c *Cluster) eventually(what string, is func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(startTime); !is(); {
		select {
		case <-c.ended:
			c.t.Fatalf("the %s ended; it said:\n%s", c.name, c.said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("of the %s: %s: not in %v", c.name, what, startTime)
		}
	}
}

// tool runs one of PostgreSQL's programs to its end.
func (c *Cluster) tool(name string, args ...string) {
	c.t.Helper()
	if out, err := c.command(name, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// command is one of PostgreSQL's programs, which refuse to run as root.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(program(c.t, name), args...)
	cmd.Dir = filepath.Dir(c.data)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner(c.t)}
	return cmd
}

// owner is who runs a cluster: whoever runs the test, or the user postgres for root.
func owner(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if who, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(who.Uid)
			gid, _ := strconv.Atoi(who.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Fatal("PostgreSQL does not run as root, and there is no user postgres or nobody")
	return nil
}

// program finds one of PostgreSQL's programs: on the path, or where Debian keeps them.
func program(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		t.Fatalf("this test makes PostgreSQL servers of its own, and %s is not installed (Debian: apt-get install postgresql)", name)
	}
	return found[len(found)-1]
}

func freePort(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
