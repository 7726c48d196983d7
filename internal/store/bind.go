package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"
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
	var stored bound
	err = tx.QueryRowContext(ctx, boundSQL).Scan(&stored.App, &stored.Team, &stored.Account, &stored.Endpoint,
		&stored.installation, &stored.key)
	return stored, err
}

// Installation is the id that was made at the first [Store.Bind]; "" before this
// process has bound itself.
func (s *Store) Installation() string {
	if b := s.bound.Load(); b != nil {
		return b.installation
	}
	return ""
}

// HMACKey is the installation's own secret of 32 bytes; nil before this process has
// bound itself.
func (s *Store) HMACKey() []byte {
	if b := s.bound.Load(); b != nil {
		return bytes.Clone(b.key)
	}
	return nil
}
