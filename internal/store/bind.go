package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"
)

// Binding is what a database belongs to: one Slack app in one team, and one
// SoftLayer account at one endpoint.
type Binding struct {
	App      string // Slack app id
	Team     string // Slack team or enterprise id
	Account  string // SoftLayer account id
	Endpoint string // SoftLayer REST base
}

func (b Binding) String() string {
	return fmt.Sprintf("Slack app %q in team %q with SoftLayer account %q at %q", b.App, b.Team, b.Account, b.Endpoint)
}

// BindingError says that the database belongs to another pair than the one that
// was about to use it.
type BindingError struct {
	Stored Binding // whose the database is
	Given  Binding // who wanted to use it
}

// Error names both.
func (e *BindingError) Error() string {
	return fmt.Sprintf("the database belongs to %s; it cannot be used for %s", e.Stored, e.Given)
}

// ErrUnserved says that a database belongs to nobody: a bot binds it before it serves.
var ErrUnserved = errors.New("no bot has ever served from it")

// bound is the binding as it stands in the database, with what was made along with it.
type bound struct {
	Binding
	installation string
	key          []byte
}

const (
	bindSQL = `
		insert into binding (only_row, app, team, account, endpoint, installation, hmac_key, identity, made_at)
		values (1, $1, $2, $3, $4, $5, $6, '', $7) on conflict do nothing`
	boundSQL = `select app, team, account, endpoint, installation, hmac_key from binding`
)

// Bind ties a new database to b, and makes the installation's id and HMAC key, all in
// one transaction; the first process wins, and each uses what it reads back. A
// database that is bound to something else gives a *[BindingError].
func (s *Store) Bind(ctx context.Context, b Binding) error {
	stored, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (bound, error) {
		return bindOnce(ctx, tx, b, now)
	})
	if err != nil {
		return fmt.Errorf("binding the database: %w", err)
	}
	if stored.Binding != b {
		return &BindingError{Stored: stored.Binding, Given: b}
	}
	s.bound.Store(&stored)
	return nil
}

func bindOnce(ctx context.Context, tx *tx, b Binding, now time.Time) (bound, error) {
	var drawn [16 + 32]byte
	_, _ = rand.Read(drawn[:]) // never returns an error: https://pkg.go.dev/crypto/rand#Read
	_, err := tx.ExecContext(ctx, bindSQL,
		b.App, b.Team, b.Account, b.Endpoint, hex.EncodeToString(drawn[:16]), drawn[16:], stamp(now))
	if err != nil {
		return bound{}, err
	}
	return scanBound(tx.QueryRowContext(ctx, boundSQL))
}

func scanBound(from row) (b bound, err error) {
	err = from.Scan(&b.App, &b.Team, &b.Account, &b.Endpoint, &b.installation, &b.key)
	return b, err
}

// learnBinding reads whose a database is, of which nothing is known yet: its tables may be
// another program's, or none.
func (s *Store) learnBinding(ctx context.Context, db *sql.DB) error {
	stored, err := scanBound(db.QueryRowContext(ctx, boundSQL))
	switch {
	case errors.Is(err, sql.ErrNoRows), noSuchTable(err):
		return ErrUnserved
	case err != nil:
		return fmt.Errorf("reading whose it is: %w", err)
	}
	s.bound.Store(&stored)
	return nil
}

// noSuchTable says whether a statement failed because the database has not its tables, or
// not its columns.
func noSuchTable(err error) bool {
	if refused, answered := errors.AsType[*pgconn.PgError](err); answered {
		return refused.Code == "42P01" || refused.Code == "42703"
	}
	return code(err) == sqlite3.SQLITE_ERROR
}

// Binding is whose the database is; nobody's before this process has bound itself, or
// opened beside.
func (s *Store) Binding() Binding {
	if b := s.bound.Load(); b != nil {
		return b.Binding
	}
	return Binding{}
}

// Installation is the id that was made at the first [Store.Bind]; "" before this
// process has bound itself, or opened beside.
func (s *Store) Installation() string {
	if b := s.bound.Load(); b != nil {
		return b.installation
	}
	return ""
}

// HMACKey is the installation's own secret of 32 bytes; nil before this process has
// bound itself, or opened beside.
func (s *Store) HMACKey() []byte {
	if b := s.bound.Load(); b != nil {
		return bytes.Clone(b.key)
	}
	return nil
}
