package seals

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"

	"cancel-server/internal/audit"
)

// Records reads a log to verify or export it. Each read sees the log as it is then; those of a snapshot see
// it as it was at one moment.
type Records struct {
	DB       *sql.DB
	Postgres bool
	sessions chan *sql.Tx // of a snapshot
}

// snapshot is a log as it was at one moment.
type snapshot struct{ Records }

var _ audit.Snapshot = snapshot{}

// snapshotTries is how often a snapshot is begun on SQLite while a bot seals. One try takes less than a
// millisecond, and a bot seals every 20 at most.
const snapshotTries = 100

var errBusyLog = errors.New("the log changes too fast to be read: try again")

// Snapshot implements audit.Snapshots. Its transactions, on so many connections that all processors have work,
// see the same log.
func (r Records) Snapshot(ctx context.Context) (audit.Snapshot, error) {
	begin := r.beginFile
	if r.Postgres {
		begin = r.beginServer
	}
	for range snapshotTries {
		s := snapshot{Records{DB: r.DB, Postgres: r.Postgres, sessions: make(chan *sql.Tx, runtime.GOMAXPROCS(0)+1)}}
		same, err := begin(ctx, s)
		if err == nil && same {
			return s, nil
		}
		if err := errors.Join(err, s.Close()); err != nil {
			return nil, fmt.Errorf("beginning to read the audit log: %w", err)
		}
	}
	return nil, errBusyLog
}

// beginServer begins transactions on PostgreSQL, all with the snapshot of the first one.
func (r Records) beginServer(ctx context.Context, s snapshot) (same bool, err error) {
	var name string
	for range cap(s.sessions) {
		tx, err := r.DB.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return false, err
		}
		s.sessions <- tx
		if name == "" {
			err = tx.QueryRowContext(ctx, `select pg_export_snapshot()`).Scan(&name)
		} else {
			_, err = tx.ExecContext(ctx, `set transaction snapshot '`+name+`'`)
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// beginFile begins transactions on SQLite, where none can have the snapshot of another. It reports whether
// nothing was sealed between the first and the last one.
func (r Records) beginFile(ctx context.Context, s snapshot) (same bool, err error) {
	var first, version string
	for range cap(s.sessions) {
		tx, err := r.DB.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return false, err
		}
		s.sessions <- tx
		if err := tx.QueryRowContext(ctx, `select version || ' ' || deployment from audit_log`).Scan(&version); err != nil { // begins to read
			return false, err
		}
		if first == "" {
			first = version
		}
	}
	return first == version, nil
}

// Close ends the snapshot.
func (s snapshot) Close() error {
	var all []error
	for range len(s.sessions) {
		err := (<-s.sessions).Rollback()
		if !errors.Is(err, sql.ErrTxDone) { // its context has ended
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// read reads by the database, or by a transaction of the snapshot that nobody else uses.
func (r Records) read(ctx context.Context, do func(from Reader) error) error {
	if r.sessions == nil {
		return do(r.DB)
	}
	select {
	case tx := <-r.sessions:
		defer func() { r.sessions <- tx }()
		return do(tx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// row reads one row.
func (r Records) row(ctx context.Context, query string, args []any, into ...any) error {
	return r.read(ctx, func(from Reader) error { return from.QueryRowContext(ctx, query, args...).Scan(into...) })
}

// each calls with each row.
func (r Records) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	return r.read(ctx, func(from Reader) error { return each(ctx, from, query, args, scan) })
}
