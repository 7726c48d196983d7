package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"cancel-server/internal/cancellation"
)

// sessionSettings replace the defaults of the server, the database and the role in each
// session. The limits keep a process that is suspended or cut off from holding up the others:
// https://www.postgresql.org/docs/current/runtime-config-client.html.
var sessionSettings = map[string]string{
	"default_transaction_isolation":       "read committed", // what the locks of the statements rest on
	"statement_timeout":                   "10s",
	"lock_timeout":                        "3s",
	"idle_in_transaction_session_timeout": "5s",
}

const (
	// sessionAge is how long a session lives. After that a name, an address or a proxy may lead
	// to another server, and an old primary that was not stopped keeps its sessions.
	sessionAge = time.Minute
	// connectTime is how long a connection to one host may take, unless the URL says.
	connectTime = 5 * time.Second
)

// historySQL changes if the database may have lost commits: after the promotion of a standby or
// the replay of a backup to an earlier point (both begin a timeline), and if the tables were
// made again. startSQL changes at each start of the server, before which a copy of its disk
// may have been put back. Both together identify one server. clusterSQL changes with initdb, so also with
// pg_upgrade: standbys and copies of the disk keep it, and a dump that is restored elsewhere finds another one.
const (
	historySQL = `concat_ws('/', substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), to_regclass('requests')::oid)`
	startSQL   = `extract(epoch from pg_postmaster_start_time())::text`
	clusterSQL = `select system_identifier::text from pg_control_system()`

	identitySQL = historySQL + ` || ' ' || ` + startSQL
)

// proveSQL makes the session's commits durable, and returns what it is connected to.
const proveSQL = `
	select pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_setting('fsync'),
		set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, false),
		case when pg_is_in_recovery() then '' else ` + identitySQL + ` end`

// prove refuses a new session that cannot write, or whose commits are not durable. If the URL
// names several hosts, the next one is tried.
func prove(ctx context.Context, session *pgconn.PgConn) error {
	answer := session.ExecParams(ctx, proveSQL, nil, nil, nil, nil).Read()
	if answer.Err != nil {
		return fmt.Errorf("asking the server how durable its commits are: %w", answer.Err)
	}
	is := answer.Rows[0]
	switch {
	case string(is[0]) == "true":
		return errors.New("the server is a standby: name the primary")
	case string(is[1]) == "on":
		return errors.New("the session is read-only (default_transaction_read_only): nothing could be recorded")
	case string(is[2]) == "off":
		return errors.New("the server's fsync is off: what it commits may be lost")
	}
	session.CustomData()[identityKey] = string(is[4])
	return nil
}

const identityKey = "identity"

// identityOf returns the identity of the server that a proven session is connected to.
func identityOf(session *pgx.Conn) string {
	identity, _ := session.PgConn().CustomData()[identityKey].(string)
	return identity
}

// sessionsOf reads the URL of a PostgreSQL database.
func sessionsOf(text string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, errors.New("its URL is not one of PostgreSQL's") // err may quote it
	}
	if host := unprotected(config); host != "" {
		return nil, fmt.Errorf("its URL does not say how the way to %q is protected: where TLS fails, the password and every "+
			"request would go in plain text. Add sslmode=verify-full, or sslmode=disable if nobody else is on that network", host)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "cancel-server"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	config.ValidateConnect = prove
	return config, nil
}

// withSettings returns a copy with the settings of all sessions but those of migrations, whose
// statements may take as long as they need.
func withSettings(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	maps.Copy(config.RuntimeParams, sessionSettings)
	return config
}

// inquiryTime is how long one query of an inquiry may take: it may read all requests.
const inquiryTime = "60s"

// readOnly has every session refuse writes, once it is proven to lead to the primary.
func readOnly(config *pgx.ConnConfig) {
	config.RuntimeParams["statement_timeout"] = inquiryTime
	config.ValidateConnect = func(ctx context.Context, session *pgconn.PgConn) error {
		if err := prove(ctx, session); err != nil {
			return err
		}
		return session.ExecParams(ctx, `set default_transaction_read_only = on`, nil, nil, nil, nil).Read().Err
	}
}

// unprotected returns another host that is connected to with TLS or, if that fails, without:
// by sslmode=prefer, which is the default, or sslmode=allow.
func unprotected(config *pgx.ConnConfig) string {
	plain := map[string]bool{}
	encrypted := map[string]bool{}
	all := append([]*pgconn.FallbackConfig{{Host: config.Host, TLSConfig: config.TLSConfig}}, config.Fallbacks...)
	for _, way := range all {
		if way.TLSConfig == nil {
			plain[way.Host] = true
		} else {
			encrypted[way.Host] = true
		}
		if plain[way.Host] && encrypted[way.Host] && !onThisHost(way.Host) {
			return way.Host
		}
	}
	return ""
}

func onThisHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A failover does not end every session: behind a proxy, a moved address or a name, some may
// still lead to the old primary, which may still answer. So each session knows which server
// it is connected to, and is used only if that is the writing session's server. Each writing
// transaction returns the server; if none did lately, the writing session is asked.

// proofAge is how long the writing session is believed to be at the same server.
const proofAge = time.Second

// primary is the server that the writing session is connected to.
type primary struct {
	identity string
	left     context.Context // ends when the writing session is connected to another server
	leave    context.CancelFunc
}

var errElsewhere = errors.New("this session is connected to a different server from the one that is written to")

// openPools opens the pool that writes and the one that reads.
func (e *postgresEngine) openPools(config *pgx.ConnConfig) {
	e.sessions = config
	e.write = bounded(stdlib.OpenDB(*config,
		stdlib.OptionAfterConnect(func(ctx context.Context, session *pgx.Conn) error {
			cluster, err := clusterOf(ctx, session)
			if err != nil {
				return err
			}
			e.inCluster(cluster)
			e.writer.Store(session.PgConn().PID())
			e.connectedTo(identityOf(session), time.Now())
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

// joined returns the primary if a new session is connected to it, and errElsewhere if not. The
// new session may be the right one: then the writing session is replaced.
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

// lately returns the primary as it was at most proofAge ago.
func (e *postgresEngine) lately(ctx context.Context) (*primary, error) {
	err := e.prove(ctx, time.Now().Add(-proofAge))
	return e.primary.Load(), err
}

// prove makes sure that the writing session's server is known as of since or later. While a
// transaction runs, the session is at the server where that began.
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
	if e.knownSince(since) { // another goroutine asked meanwhile
		return nil
	}
	err := e.ask(ctx)
	if err != nil && ctx.Err() == nil { // the session was lost: ask on a new one
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
	e.connectedTo(identity, asked)
	return nil
}

func (e *postgresEngine) knownSince(since time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.provenAt.Before(since)
}

// connectedTo records the server that the writing session was connected to at a moment. If it
// is another one, every other session is dropped.
func (e *postgresEngine) connectedTo(identity string, at time.Time) {
	before := e.note(identity, at)
	if before == nil {
		return
	}
	before.leave()
	e.read.SetMaxIdleConns(0) // closes idle sessions; the others are dropped before their next use
	e.read.SetMaxIdleConns(readers)
}

// note returns the primary that was left, or nil.
func (e *postgresEngine) note(identity string, at time.Time) (before *primary) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !at.After(e.provenAt) { // a later answer is known
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

// confirmAbsence repeats a read that found no such request until the writing session was at the
// same server before and after it.
func (e *postgresEngine) confirmAbsence(ctx context.Context, read func() error) error {
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

// Where the listener waits, and how often it checks its connection.
const (
	channel      = "cancel_server"
	listenCheck  = 10 * time.Second
	listenRepeat = time.Second
	ownPause     = time.Second // before ring is called for this process's own commits
)

// listen calls ring whenever a process commits work, by LISTEN and NOTIFY, until ctx is over,
// and after each reconnection, since it may have missed something. This process rings by itself for
// most of what it commits, so that listen calls ring for it only once in a while, as often as SQLite
// is polled. It leaves it to the committer to report that the database is away.
func (e *postgresEngine) listen(ctx context.Context, ring func()) {
	var later atomic.Bool // a ring is to come
	own := func() {
		if later.CompareAndSwap(false, true) {
			time.AfterFunc(ownPause, func() { later.Store(false); ring() })
		}
	}
	for ctx.Err() == nil {
		if e.awaitNotifications(ctx, ring, own) == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenRepeat):
		}
	}
}

// awaitNotifications calls ring, and own for what the writing session commits, until its session is
// lost, which is an error, or too old.
func (e *postgresEngine) awaitNotifications(ctx context.Context, ring, own func()) error {
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
		heard, err := session.WaitForNotification(waiting)
		enough()
		switch {
		case err == nil && heard.PID == e.writer.Load():
			own()
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
