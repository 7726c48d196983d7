package store

import (
	"context"
	"database/sql"
	"fmt"
)

// tx is a transaction that knows the statements prepared on its connection.
type tx struct {
	*sql.Tx
	prepared map[string]*sql.Stmt
}

// ExecContext runs a statement, prepared before or not.
func (t *tx) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	if stmt, ok := t.prepared[text]; ok {
		return t.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, text, args...)
}

// QueryContext runs a query, prepared before or not.
func (t *tx) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if stmt, ok := t.prepared[text]; ok {
		return t.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, text, args...)
}

// QueryRowContext runs a query for one row, prepared before or not.
func (t *tx) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if stmt, ok := t.prepared[text]; ok {
		return t.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return t.Tx.QueryRowContext(ctx, text, args...)
}

// prepare prepares the statements of the straight path: taking a request in, and
// each of its steps. PostgreSQL's driver does so by itself, for each connection.
func (s *Store) prepare(ctx context.Context) (map[string]*sql.Stmt, error) {
	if s.dialect == postgresDialect {
		return nil, nil
	}
	texts := []string{requestSQL, liveSQL, s.dialect.claimSQL(), renewSQL, applySQL, tellSQL, s.dialect.claimNoticeSQL(), applyNoticeSQL}
	for rows := chunk; rows > 0; rows /= 2 {
		texts = append(texts, insertRequestsSQL(rows), insertEventsSQL(rows), insertNoticesSQL(rows))
	}
	prepared := make(map[string]*sql.Stmt, len(texts))
	for _, text := range texts {
		stmt, err := s.write.PrepareContext(ctx, text)
		if err != nil {
			return nil, fmt.Errorf("preparing %q: %w", text, err)
		}
		prepared[text] = stmt // closed with the connection
	}
	return prepared, nil
}
