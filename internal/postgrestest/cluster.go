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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Cluster is a PostgreSQL server that belongs to one test. The test may stop it and fail over.
// Making one takes some seconds.
type Cluster struct {
	t     testing.TB
	name  string
	data  string
	port  string
	runs  *exec.Cmd
	said  *log
	ended chan struct{}
}

// startTime is how long a server may take to start, or to become a primary.
const startTime = 60 * time.Second

// NewCluster makes a server and starts it. It ends with the test.
func NewCluster(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := prepared(t, "primary")
	c.tool("initdb", "--pgdata", c.data, "--auth", "trust", "--username", "postgres", "--encoding", "UTF8", "--no-locale",
		"--wal-segsize", "1", "--no-sync")
	c.start(settings)
	return c
}

// Standby makes a server that follows this one, and starts it.
func (c *Cluster) Standby(settings ...string) *Cluster {
	c.t.Helper()
	follows := c.backup()
	follows.start(append(settings, c.followed()))
	return follows
}

// backup is a copy of the server's data from which a standby starts.
func (c *Cluster) backup() *Cluster {
	c.t.Helper()
	copied := prepared(c.t, "standby")
	copied.tool("pg_basebackup", "--pgdata", copied.data, "--host", "127.0.0.1", "--port", c.port, "--username", "postgres",
		"--write-recovery-conf", "--wal-method", "stream", "--checkpoint", "fast", "--no-sync")
	return copied
}

// followed is the setting of who follows this server.
func (c *Cluster) followed() string {
	return "primary_conninfo=host=127.0.0.1 port=" + c.port + " user=postgres application_name=standby"
}

// Clusters are pairs of a primary and its standby. Each is a copy of one that is made once,
// which takes a tenth of the time.
type Clusters struct{ primary, standby *Cluster }

// NewClusters makes the pair to copy. It is removed with the test, so the tests that copy it
// must end before that one.
func NewClusters(t testing.TB) *Clusters {
	t.Helper()
	primary := NewCluster(t)
	standby := primary.backup()
	primary.end(syscall.SIGINT) // with everything on disk
	return &Clusters{primary, standby}
}

// Pair starts a primary and its standby. The primary commits only what its standby has on
// disk too.
func (all *Clusters) Pair(t testing.TB) (primary, standby *Cluster) {
	t.Helper()
	primary, standby = all.primary.copied(t), all.standby.copied(t)
	primary.start([]string{"synchronous_standby_names=*"})
	standby.start([]string{primary.followed()})
	primary.eventually("its standby follows", func() bool {
		return primary.Value("select count(*)::text from pg_stat_replication where sync_state = 'sync'") == "1"
	})
	return primary, standby
}

func (c *Cluster) copied(t testing.TB) *Cluster {
	t.Helper()
	other := prepared(t, c.name)
	if out, err := exec.Command("cp", "-a", c.data, other.data).CombinedOutput(); err != nil {
		t.Fatalf("copying a cluster: %v\n%s", err, out)
	}
	return other
}

// Address is the server's host and port.
func (c *Cluster) Address() string { return net.JoinHostPort("127.0.0.1", c.port) }

// URL returns the address of the server's database.
func (c *Cluster) URL() string { return ClusterURL(c.Address()) }

// ClusterURL returns the address of the database at the first of these servers that accepts
// the session.
func ClusterURL(addresses string) string {
	return "postgres://postgres@" + addresses + "/postgres?sslmode=disable"
}

// Promote makes a standby a primary, with all that it has received. It repeats its query, because
// a query on a standby may be cancelled by what the standby replays.
func (c *Cluster) Promote() {
	c.t.Helper()
	c.Run("select pg_promote(false)")
	c.eventually("it is a primary", func() bool { return c.Value("select pg_is_in_recovery()::text") == "false" })
}

// CaughtUp waits until a standby has everything that its primary has committed so far.
func (c *Cluster) CaughtUp(with *Cluster) {
	c.t.Helper()
	at := with.Value("select pg_current_wal_flush_lsn()::text")
	c.eventually("it has received everything", func() bool {
		return c.Value(fmt.Sprintf("select (pg_last_wal_replay_lsn() >= '%s')::text", at)) == "true"
	})
}

// Run runs a statement on the server.
func (c *Cluster) Run(statement string) {
	c.t.Helper()
	c.ask(statement, nil)
}

// Value returns the single value that a query selects.
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

// Kill ends the server as a crash does: it no longer answers, and writes nothing
// (https://www.postgresql.org/docs/current/server-shutdown.html, Immediate Shutdown).
func (c *Cluster) Kill() { c.end(syscall.SIGQUIT) }

func (c *Cluster) end(by syscall.Signal) {
	if c.runs == nil || c.runs.Process == nil {
		return
	}
	_ = c.runs.Process.Signal(by) // it may have ended
	select {
	case <-c.ended:
	case <-time.After(startTime):
		_ = c.runs.Process.Kill()
		<-c.ended
	}
}

// log returns what a server has logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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
	return &Cluster{t: t, name: name, data: filepath.Join(dir, "data"), said: &log{}}
}

// start starts the server and waits until it accepts sessions. It does not retry a port that
// somebody else took meanwhile.
func (c *Cluster) start(settings []string) {
	c.t.Helper()
	c.t.Cleanup(c.Kill)
	for range 5 {
		c.run(settings)
		c.eventually("it lets sessions in", func() bool { return c.down() || c.answers() })
		if !c.down() {
			return
		}
	}
	c.t.Fatalf("the %s does not start; it said:\n%s", c.name, c.said)
}

func (c *Cluster) run(settings []string) {
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
	c.runs.SysProcAttr.Setpgid = true // a signal to the test is none to it
	endWithTest(c.runs.SysProcAttr)
	if err := c.runs.Start(); err != nil {
		c.t.Fatalf("starting the %s: %v", c.name, err)
	}
	runs, ended := c.runs, make(chan struct{})
	c.ended = ended
	go func() { defer close(ended); _ = runs.Wait() }()
}

// down reports whether the server has ended.
func (c *Cluster) down() bool {
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

func (c *Cluster) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, c.URL())
	return err == nil && conn.Close(ctx) == nil
}

func (c *Cluster) eventually(what string, is func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(startTime); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("of the %s: %s: not in %v; it said:\n%s", c.name, what, startTime, c.said)
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

// owner returns who runs a cluster: the user who runs the test or, for root, the user postgres.
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
