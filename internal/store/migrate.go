package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// ErrNewer says that a newer build has changed the database in a way that this
// build cannot work with.
var ErrNewer = errors.New("the database was made by a newer build that this one cannot work beside")

// migrationTries is how often a process tries one step: if several start at once on one
// file, all but the first find the step done, fail, and go on from there.
const migrationTries = 10

// migrate brings an older database up to date. A newer one is left as it is: an old build
// may run beside a new one as long as the new one's migrations say so.
func migrate(ctx context.Context, db *sql.DB, of dialect) error {
	ours, err := newest(of)
	if err != nil {
		return err
	}
	reached := int64(-1)
	for tries := 0; tries < migrationTries; tries++ {
		var current int64
		if current, err = versionOf(ctx, db); err != nil {
			return fmt.Errorf("reading the database's version: %w", err)
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
	}
	return err
}

// newest is the version to which this build's migrations lead.
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

// versionOf is a database's version; 0 where nothing was ever migrated.
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

// lockOf lets one process at a time migrate a schema; the others ask each second, for a
// minute.
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
