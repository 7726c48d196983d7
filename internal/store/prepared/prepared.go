// Package prepared opens SQLite connections that keep their prepared statements, so that each connection
// parses a text once. PostgreSQL's driver does that by itself.
package prepared

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
)

// mostKept bounds the statements that one connection keeps.
const mostKept = 128

// Connector opens the connections of another one, which keep their prepared statements.
type Connector struct{ driver.Connector }

// Connect opens a connection.
func (k Connector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &keeper{session: opened.(session), kept: map[string]*statement{}}, nil
}

// session is what SQLite's driver can do on one connection.
type session interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keeper is a connection with its statements, by their text.
type keeper struct {
	session
	kept map[string]*statement
}

// statement is a prepared statement. While its rows are read it cannot run a second time.
type statement struct {
	stmt
	reading bool
}

type stmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// ExecContext runs a statement.
func (k *keeper) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, err := k.statement(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return k.session.ExecContext(ctx, text, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext runs a query.
func (k *keeper) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := k.statement(ctx, text)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return k.session.QueryContext(ctx, text, args)
	}
	found, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.reading = true
	return &rows{found, s}, nil
}

// statement returns the kept statement of a text, or nil if the text has to run unprepared.
func (k *keeper) statement(ctx context.Context, text string) (*statement, error) {
	if s := k.kept[text]; s != nil {
		if s.reading {
			return nil, nil
		}
		return s, nil
	}
	if len(k.kept) == mostKept || !Repeats(text) {
		return nil, nil
	}
	made, err := k.session.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	s := &statement{stmt: made.(stmt)}
	k.kept[text] = s
	return s, nil
}

// Repeats reports whether a text may run often, unlike changes of the schema or a setting.
func Repeats(text string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch strings.ToLower(word) {
	case "select", "insert", "update", "delete", "with":
		return true
	}
	return false
}

// Close closes the statements and the connection.
func (k *keeper) Close() error {
	var errs []error
	for _, s := range k.kept {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, k.session.Close())...)
}

// rows are the rows of a kept statement.
type rows struct {
	driver.Rows
	of *statement
}

// Close ends the reading: the statement can run again.
func (r *rows) Close() error {
	r.of.reading = false
	return r.Rows.Close()
}
