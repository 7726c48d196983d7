package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sessionSettings hold in each session, whatever the server, the database or the role has
// as its default. The limits see to it that a process that is suspended, or cut off, does
// not hold up the others: https://www.postgresql.org/docs/current/runtime-config-client.html.
var sessionSettings = map[string]string{
	"default_transaction_isolation":       "read committed", // what the locks of the statements rest on
	"statement_timeout":                   "10s",
	"lock_timeout":                        "3s",
	"idle_in_transaction_session_timeout": "5s",
}

const (
	// sessionAge is how old a session grows. A name, an address or a proxy may lead to
	// another server by then, and an old primary that was not stopped keeps its sessions.
	sessionAge = time.Minute
	// connectTime is how long one host may take to let a session in, where the URL does not say.
	connectTime = 5 * time.Second
)

// historySQL changes where the database may have lost what it had committed: a standby
// was promoted or a backup replayed to an earlier point (both begin a timeline), or the
// tables were made anew. startSQL changes at each start of the server, before which a
// copy of its disk may have been put back. Both together are one server's alone.
const (
	historySQL = `concat_ws('/', substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), to_regclass('requests')::oid)`
	startSQL   = `extract(epoch from pg_postmaster_start_time())::text`

	identitySQL = historySQL + ` || ' ' || ` + startSQL
)

// proveSQL makes a session keep what it commits, and says what it is connected to.
const proveSQL = `
	select pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_setting('fsync'),
		set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, false),
		case when pg_is_in_recovery() then '' else ` + identitySQL + ` end`

// prove refuses a new session in which nothing can be written, or whose commits are no
// promise. Where the URL names several hosts, the next one is tried.
func prove(ctx context.Context, session *pgconn.PgConn) error {
	answer := session.ExecParams(ctx, proveSQL, nil, nil, nil, nil).Read()
	if answer.Err != nil {
		return fmt.Errorf("asking the server how it keeps what it commits: %w", answer.Err)
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

// identityOf is the server's that a proven session is connected to.
func identityOf(session *pgx.Conn) string {
	identity, _ := session.PgConn().CustomData()[identityKey].(string)
	return identity
}

// sessionsOf reads the URL of a PostgreSQL database: where its sessions lead to, and how.
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

// withSettings are the same sessions with the settings of all but migrations, which may take as
// long as they need.
func withSettings(config *pgx.ConnConfig) *pgx.ConnConfig {
	config = config.Copy()
	maps.Copy(config.RuntimeParams, sessionSettings)
	return config
}

// unprotected returns a host beyond this one that is reached with TLS or, where that fails,
// without: sslmode=prefer, which is the default, and sslmode=allow.
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
