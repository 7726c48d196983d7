package store

import (
	"context"
	"errors"
	"fmt"

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

// proveSQL makes a session keep what it commits, and says what it is connected to.
const proveSQL = `
	select pg_is_in_recovery()::text, current_setting('transaction_read_only'), current_setting('fsync'),
		set_config('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end, false)`

// prove refuses a new session in which nothing can be written, or whose commits are no
// promise. Where the URL names several hosts, the next one is tried.
func prove(ctx context.Context, session *pgconn.PgConn) error {
	is, err := firstRow(session.ExecParams(ctx, proveSQL, nil, nil, nil, nil).Read())
	switch {
	case err != nil:
		return fmt.Errorf("asking the server how it keeps what it commits: %w", err)
	case is[0] == "true":
		return errors.New("the server is a standby: name the primary")
	case is[1] == "on":
		return errors.New("the session is read-only (default_transaction_read_only): nothing could be recorded")
	case is[2] == "off":
		return errors.New("the server's fsync is off: what it commits may be lost")
	}
	return nil
}

// firstRow is the first row of an answer, as text.
func firstRow(answer *pgconn.Result) ([]string, error) {
	if answer.Err != nil {
		return nil, answer.Err
	}
	var row []string
	for _, value := range answer.Rows[0] {
		row = append(row, string(value))
	}
	return row, nil
}

// parseURL reads what the URL of a PostgreSQL database says.
func parseURL(text string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(text)
	if err != nil {
		return nil, errors.New("its URL is not one of PostgreSQL's") // err may quote it
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "cancel-server"
	}
	config.ValidateConnect = prove
	return config, nil
}
