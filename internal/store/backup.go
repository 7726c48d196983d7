package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store/host"
)

// backupMark begins the identity of a file that is a backup, before the time at which it was made. A file that
// is served has none.
const backupMark = "backup "

// restoredWhy is why filing is frozen in a restored database; %s stands for when the backup was made, or for what
// else the database may be.
const restoredWhy = "this database was restored from a backup%s, and knows nothing of what was done since; compare it with SoftLayer by bot reconcile"

// freezeRestored freezes filing in a database that knows less than was done.
func (d dialect) freezeRestored(ctx context.Context, tx *tx, now time.Time, or string) error {
	err := d.freeze(ctx, tx, now, cancellation.Freeze{Frozen: true, Actor: cancellation.RestoreActor, Why: fmt.Sprintf(restoredWhy, or)})
	tx.restored = true
	if err == nil {
		err = dropOldNews(ctx, tx.Tx)
	}
	return err
}

// Backup is a copy of a SQLite database as it was at one moment.
type Backup struct {
	At         time.Time // when its making began
	Bytes      int64
	Requests   int
	Unfinished int // of them
}

// BackUp copies the SQLite database at path to a new file, while bots may serve from it: it only reads, and holds
// up no write. The copy is marked, so that a bot which serves from it starts frozen. Under the name to there is
// either the whole copy, synced and for its owner alone, or nothing. [ErrUnserved]: no bot ever served from it.
func BackUp(ctx context.Context, path, to string) (b Backup, err error) {
	if err := isNew(to); err != nil {
		return b, err
	}
	part, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".part-*")
	if err != nil {
		return b, err
	}
	defer func() { _ = os.Remove(part.Name()) }()
	b.At = inMillis(hostTime())
	err = copyFile(ctx, path, part.Name())
	if err == nil {
		err = b.mark(ctx, part.Name())
	}
	if err == nil {
		err = b.keep(part, to)
	}
	return b, errors.Join(err, part.Close())
}

func isNew(name string) error {
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q: %w", name, cmp.Or(err, fs.ErrExist))
	}
	return nil
}

// copyFile has SQLite write what one read sees to an empty file (https://www.sqlite.org/lang_vacuum.html#vacuuminto).
// It neither migrates the database nor changes how its file is written.
func copyFile(ctx context.Context, path, to string) error {
	db, err := openPool(path, 1, url.Values{"mode": {"rw"}})
	if err != nil {
		return err
	}
	_, err = readBound(ctx, db)
	if errors.Is(err, sql.ErrNoRows) || noSuchTable(err) {
		err = ErrUnserved
	}
	if err == nil {
		_, err = db.ExecContext(ctx, `vacuum into $1`, to)
	}
	return errors.Join(err, db.Close())
}

// mark freezes filing in the copy, and reads it whole.
func (b *Backup) mark(ctx context.Context, path string) error {
	db, err := openPool(path, 1, url.Values{"mode": {"rw"}, "_journal_mode": {"MEMORY"}})
	if err != nil {
		return err
	}
	err = b.freeze(ctx, db)
	if err == nil {
		counts := `select count(*), coalesce(sum(` + isUnfinished + `), 0) from requests`
		err = db.QueryRowContext(ctx, counts).Scan(&b.Requests, &b.Unfinished)
	}
	if err == nil {
		err = checkSound(ctx, db)
	}
	return errors.Join(err, db.Close())
}

func checkSound(ctx context.Context, db *sql.DB) error {
	var found string
	err := db.QueryRowContext(ctx, `pragma quick_check(1)`).Scan(&found)
	if err == nil && found != "ok" {
		err = fmt.Errorf("the copy is not sound: %s", found)
	}
	return wrap("checking the copy", err)
}

// freeze freezes filing in the copy, which may have the tables of an older build: before version 7 orders had no
// numbers.
func (b *Backup) freeze(ctx context.Context, db *sql.DB) error {
	order, history := `update filing_order set frozen = 1, actor = $1, why = $2, at = $3`, `insert into filing_orders (frozen, actor, why, at) values (1, $1, $2, $3)`
	var numbered bool
	if err := db.QueryRowContext(ctx, `select count(*) > 0 from pragma_table_info('filing_order') where name = 'number'`).Scan(&numbered); err != nil {
		return fmt.Errorf("looking at the copy: %w", err)
	}
	if numbered {
		order += `, number = number + 1`
		history = `insert into filing_orders (frozen, actor, why, at, number) select 1, $1, $2, $3, number from filing_order`
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing to undo after the commit
	for _, change := range []string{order, history} {
		why := fmt.Sprintf(restoredWhy, " of "+b.At.UTC().Format("2 Jan 2006 15:04 UTC"))
		if _, err := tx.ExecContext(ctx, change, cancellation.RestoreActor, why, stamp(b.At)); err != nil {
			return fmt.Errorf("freezing the copy: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `update binding set identity = $1`, backupMark+b.At.UTC().Format(time.RFC3339)); err != nil {
		return fmt.Errorf("marking the copy: %w", err)
	}
	return tx.Commit()
}

// syncFolder makes a new name in a folder durable. A test puts one that fails in its place.
var syncFolder = host.SyncFolder

// keep syncs the copy, and gives it its name unless something has that by now. If the name cannot be synced, it
// takes it away again.
func (b *Backup) keep(part *os.File, to string) error {
	info, err := part.Stat()
	if err != nil {
		return err
	}
	b.Bytes = info.Size()
	if err := part.Sync(); err != nil {
		return err
	}
	err = os.Link(part.Name(), to)      // replaces nothing
	if err != nil && isNew(to) == nil { // a file system without links
		err = os.Rename(part.Name(), to)
	}
	if err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(to)); err != nil {
		return errors.Join(fmt.Errorf("syncing the folder of the copy: %w", err), os.Remove(to))
	}
	return nil
}
