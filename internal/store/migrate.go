package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	sqlite3 "modernc.org/sqlite/lib"

	"cancel-server/internal/checkup"
	"cancel-server/internal/store/host"
)

//go:embed migrations
var migrations embed.FS

// ErrNewer says that a newer build changed the database so that this build cannot use it.
var ErrNewer = errors.New("the database was made by a newer build that this one cannot work alongside")

// ErrOlder says that the database has the tables of an older build.
var ErrOlder = errors.New("the database is that of an older build: start a bot of this build first, or use the program of the bot that runs")

// usable reports whether this build can read a database as it is.
func usable(ctx context.Context, db *sql.DB, of dialect) error {
	current, err := versionOf(ctx, db)
	if err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	switch ours, err := newest(of); {
	case err != nil:
		return err
	case current < ours:
		return ErrOlder
	case current > ours:
		return supported(ctx, db, current, ours)
	}
	return nil
}

// migrationTries is how often a process tries one step. If several start at once on one file,
// all but the first find the step done, fail, and go on from there.
const migrationTries = 10

// busyPause is the pause after a file was locked. SQLite does not wait for a lock while another
// process makes the file or switches it to a write-ahead log.
const busyPause = 100 * time.Millisecond

// migrate brings an older database up to date and leaves a newer one as it is: an old build may
// run alongside a new one if the new one's migrations allow it.
func migrate(ctx context.Context, db *sql.DB, of dialect) error {
	ours, err := newest(of)
	if err != nil {
		return err
	}
	reached := int64(-1)
	for tries := 0; tries < migrationTries; tries++ {
		var current int64
		current, err = versionOf(ctx, db)
		if err != nil {
			err = fmt.Errorf("reading the database's version: %w", err)
		}
		if code(err) == sqlite3.SQLITE_BUSY {
			time.Sleep(busyPause)
			continue
		}
		if err != nil {
			return err
		}
		if current > reached {
			reached, tries = current, 0
		}
		switch {
		case current > ours:
			return supported(ctx, db, current, ours)
		case current == ours:
			return nil
		}
		if err = up(ctx, db, of); err != nil {
			err = fmt.Errorf("migrating the database from version %d to %d: %w", current, ours, err)
		}
		if isLocked(err) {
			return err
		}
	}
	return err
}

// newest returns the version that this build's migrations lead to.
func newest(of dialect) (version int64, err error) {
	steps, err := fs.Glob(migrations, "migrations/"+of.folder+"/*.sql")
	if err != nil {
		return 0, fmt.Errorf("finding the migrations: %w", err)
	}
	for _, step := range steps {
		number, err := goose.NumericComponent(path.Base(step))
		if err != nil {
			return 0, fmt.Errorf("finding the migrations: %w", err)
		}
		version = max(version, number)
	}
	return version, nil
}

// versionOf returns a database's version, 0 if nothing was ever migrated.
func versionOf(ctx context.Context, db *sql.DB) (version int64, err error) {
	err = db.QueryRowContext(ctx, `select coalesce(max(version_id), 0) from goose_db_version`).Scan(&version)
	if noSuchTable(err) {
		return 0, nil
	}
	return version, err
}

func up(ctx context.Context, db *sql.DB, of dialect) error {
	provider, err := migrationsOf(ctx, db, of)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

func migrationsOf(ctx context.Context, db *sql.DB, of dialect) (*goose.Provider, error) {
	steps, err := fs.Sub(migrations, "migrations/"+of.folder)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations: %w", err)
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}
	if of.goose == goose.DialectPostgres {
		locker, err := lockOf(ctx, db)
		if err != nil {
			return nil, fmt.Errorf("making the lock of the migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(of.goose, db, steps, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return provider, nil
}

// lockOf returns the lock with which one process at a time migrates a schema. The others try
// each second, for a minute.
func lockOf(ctx context.Context, db *sql.DB) (lock.SessionLocker, error) {
	var id int64
	err := db.QueryRowContext(ctx, `select hashtextextended('cancel-server migrations of ' || current_schema(), 0)`).Scan(&id)
	if err != nil {
		return nil, err
	}
	return lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(1, 60))
}

func supported(ctx context.Context, db *sql.DB, current, ours int64) error {
	var oldest int64
	if err := db.QueryRowContext(ctx, `select oldest from schema_support`).Scan(&oldest); err != nil {
		return fmt.Errorf("reading which builds the database supports: %w", err)
	}
	if oldest > ours {
		return fmt.Errorf("opening a database of version %d with a build of version %d: %w", current, ours, ErrNewer)
	}
	return nil
}

// Inspect looks at a database and leaves it as it is: it makes no file and no table, binds and migrates
// nothing, and rolls back what it writes.
func Inspect(ctx context.Context, o Options) (checkup.Database, error) {
	if o.Path != "" {
		return inspectFile(ctx, o.Path)
	}
	config, err := sessionsOf(o.URL)
	if err != nil {
		return checkup.Database{}, err
	}
	d := checkup.Database{Name: "PostgreSQL database " + config.Database + " on " + config.Host, Free: -1}
	db := bounded(stdlib.OpenDB(*withSettings(config)), 1)
	return d, errors.Join(inspect(ctx, db, postgresDialect, &d), db.Close())
}

func inspectFile(ctx context.Context, path string) (checkup.Database, error) {
	d := checkup.Database{Name: "SQLite file " + path, Free: -1}
	if err := refuseRemote(path); err != nil {
		return d, err
	}
	folder := filepath.Dir(path)
	d.Unwritable = host.MayMake(folder) // SQLite keeps its log next to the file
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		d.Absent, path = true, folder
	}
	if free, err := host.Free(path); err == nil {
		d.Free = free
	}
	d.Lost, _ = host.Passing(path) // what is not known speaks for nothing
	if d.Absent || d.Unwritable != nil {
		return d, nil
	}
	db, err := openPool(path, 1, url.Values{"mode": {"rw"}, "_txlock": {"immediate"}})
	if err != nil {
		return d, err
	}
	return d, errors.Join(inspect(ctx, db, sqliteDialect, &d), db.Close())
}

// inspect reads the database's version and binding, and tries a write.
func inspect(ctx context.Context, db *sql.DB, of dialect, d *checkup.Database) (err error) {
	if d.Version, err = versionOf(ctx, db); err != nil {
		return fmt.Errorf("reading the database's version: %w", err)
	}
	if d.Wanted, err = newest(of); err != nil {
		return err
	}
	if d.Version > d.Wanted {
		d.TooNew = supported(ctx, db, d.Version, d.Wanted) != nil
	}
	switch b, err := readBound(ctx, db); {
	case err == nil:
		d.Bound = &checkup.Binding{App: b.App, Team: b.Team, Account: b.Account, Endpoint: b.Endpoint, Practice: b.Practice}
	case !errors.Is(err, sql.ErrNoRows) && !noSuchTable(err):
		return fmt.Errorf("reading whose database it is: %w", err)
	}
	if d.Bound != nil {
		var identity string
		if err := db.QueryRowContext(ctx, `select identity from binding`).Scan(&identity); err != nil {
			return fmt.Errorf("reading whether it is a backup: %w", err)
		}
		_, d.BackupOf, _ = strings.Cut(identity, backupMark)
	}
	d.Unwritable = tryWrite(ctx, db, d.Version)
	return nil
}

// tryWrite writes and rolls back. A database without tables has to let its user make some.
func tryWrite(ctx context.Context, db *sql.DB, version int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	probe := `insert into rates (vendor, free_at) values ('checkup', 0)`
	if version == 0 {
		probe = `create table checkup (probe integer)`
	}
	_, err = tx.ExecContext(ctx, probe)
	return errors.Join(err, tx.Rollback())
}

// Binding is what a database belongs to: one Slack app in one team, and one
// SoftLayer account at one endpoint.
type Binding struct {
	App      string // Slack app id
	Team     string // Slack team or enterprise id
	Account  string // SoftLayer account id
	Endpoint string // SoftLayer REST base
	Practice bool   // nothing is ever filed from it
}

// String names the app, the team, the account and the endpoint on one line.
func (b Binding) String() string {
	text := fmt.Sprintf("Slack app %q in team %q with SoftLayer account %q at %q", b.App, b.Team, b.Account, b.Endpoint)
	if b.Practice {
		text += " (PRACTICE: nothing is filed)"
	}
	return text
}

// BindingError says that the database belongs to another Slack app or SoftLayer account.
type BindingError struct {
	Stored Binding // whose the database is
	Given  Binding // who wanted to use it
}

// Error names both, or what to do if they differ in practice alone.
func (e *BindingError) Error() string {
	given := e.Given
	given.Practice = e.Stored.Practice
	switch {
	case given != e.Stored:
	case e.Stored.Practice:
		return "the database is of practice, and nothing that is asked for in it is ever filed: name another one in DATABASE_URL, or set DRY_RUN=true"
	default:
		return "the database is of a bot that files, and practice needs one of its own: name another one in DATABASE_URL, or leave DRY_RUN out"
	}
	return fmt.Sprintf("the database belongs to %s; it cannot be used for %s", e.Stored, e.Given)
}

// ErrUnserved says that no bot has bound the database, as each does before it serves.
var ErrUnserved = errors.New("no bot has ever served from it")

// bound is the binding as the database has it, with what was made along with it.
type bound struct {
	Binding
	installation string
	key          []byte
}

const (
	bindSQL = `
		insert into binding (only_row, app, team, account, endpoint, installation, hmac_key, identity, made_at, practice)
		values (1, $1, $2, $3, $4, $5, $6, '', $7, $8) on conflict do nothing`
	boundSQL       = `select app, team, account, endpoint, installation, hmac_key, practice from binding`
	boundBeforeSQL = `select app, team, account, endpoint, installation, hmac_key, 0 from binding` // before version 25

	// Builds that know no practice would file from it.
	closeSQL = `update schema_support set oldest = 25 where oldest < 25 and (select practice from binding) = 1`
)

// Bind binds a new database to b, and makes the installation's id and HMAC key, in one
// transaction. The first process wins, and each uses what it reads back. The error is a
// *[BindingError] if the database is bound to something else.
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
		b.App, b.Team, b.Account, b.Endpoint, hex.EncodeToString(drawn[:16]), drawn[16:], stamp(now), flag(b.Practice))
	if err == nil && b.Practice {
		_, err = tx.ExecContext(ctx, closeSQL)
	}
	if err != nil {
		return bound{}, err
	}
	return scanBound(tx.QueryRowContext(ctx, boundSQL))
}

func scanBound(from row) (b bound, err error) {
	err = from.Scan(&b.App, &b.Team, &b.Account, &b.Endpoint, &b.installation, &b.key, &b.Practice)
	return b, err
}

// readBound reads the binding of a database that may not be up to date.
func readBound(ctx context.Context, db *sql.DB) (bound, error) {
	b, err := scanBound(db.QueryRowContext(ctx, boundSQL))
	if noSuchTable(err) {
		b, err = scanBound(db.QueryRowContext(ctx, boundBeforeSQL))
	}
	return b, err
}

// learnBinding reads the binding of a database whose tables may be missing, or another
// program's.
func (s *Store) learnBinding(ctx context.Context, db *sql.DB) error {
	stored, err := readBound(ctx, db)
	switch {
	case errors.Is(err, sql.ErrNoRows), noSuchTable(err):
		return ErrUnserved
	case err != nil:
		return fmt.Errorf("reading whose database it is: %w", err)
	}
	s.bound.Store(&stored)
	return nil
}

// Binding returns what the database belongs to. It is zero before [Store.Bind], except in mode
// [Beside].
func (s *Store) Binding() Binding {
	if b := s.bound.Load(); b != nil {
		return b.Binding
	}
	return Binding{}
}

// Installation returns the id that was made at the first [Store.Bind]. It is "" before
// [Store.Bind], except in mode [Beside].
func (s *Store) Installation() string {
	if b := s.bound.Load(); b != nil {
		return b.installation
	}
	return ""
}
