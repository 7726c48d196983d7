package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"cancel-server/internal/store"
)

const backupUsage = `bot backup FILE

Copies the SQLite database of DATABASE_URL, the only setting that it needs, to FILE, which must not be there yet:
as it is at one moment. Bots may serve meanwhile. FILE holds everything, the installation's secret too; only its
owner can read it.

To restore, end the bot, remove the database with its -wal and -shm, and put a copy of FILE in its place. A bot
that serves from it starts with filing frozen, because it knows nothing of what was done since: compare it with
SoftLayer by bot reconcile, then run bot unfreeze.

For PostgreSQL use pg_dump: docs/operate.md says how.
` + exitCodes + `
Example:
  bot backup cancel-server.backup
`

// backup is bot backup. It uses only the database, and does not migrate it.
func backup(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 || args[0] == "" {
		return fmt.Errorf("%w: backup FILE; bot backup -h says more", errUsage)
	}
	cfg, err := loadDatabase()
	if err != nil {
		return err
	}
	path, _ := databaseOf(cfg.DatabaseURL)
	if path == "" {
		return fmt.Errorf("%w: bot backup is for SQLite. Back PostgreSQL up with its own program, such as pg_dump --format=custom --file=FILE \"$DATABASE_URL\"; "+
			"a bot that serves from a restored dump starts with filing frozen", errUsage)
	}
	made, err := store.BackUp(ctx, path, args[0])
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: backing up the database: %w; name a file that is not there yet", errUsage, err)
	case errors.Is(err, store.ErrUnserved):
		return fmt.Errorf("%w: backing up %q: %w; is DATABASE_URL that of the running bot?", errUsage, path, err)
	case err != nil:
		return fmt.Errorf("backing up %q: %w; %s", path, err, leftAs(args[0]))
	}
	_, err = fmt.Fprintf(stdout, "%s holds the database as of %s: %.1f MB, %d requests, %d of them unfinished.\n"+
		"A bot that serves from it starts with filing frozen; bot unfreeze ends that.\n",
		args[0], made.At.UTC().Format(time.RFC3339), float64(made.Bytes)/1e6, made.Requests, made.Unfinished)
	return err
}

// leftAs says what a backup that failed left under a name.
func leftAs(name string) string {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Sprintf("what is left under the name %q may not be on disk: remove it", name)
	}
	return fmt.Sprintf("nothing is left under the name %q", name)
}
