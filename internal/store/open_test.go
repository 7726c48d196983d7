package store

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestSecondServeIsRefusedOtherVerbsOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	serving, err := Open(t.Context(), Options{Path: path, Mode: Serve})
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Path: path, Mode: Serve})
	require.ErrorIs(t, err, ErrServed)
	require.ErrorContains(t, err, path)

	recorded(t, serving, 42)
	beside := open(t, Options{Path: path})
	change := moved(claimed(t, serving, "worker"), cancellation.Stuck)
	r := applied(t, beside, change)
	seen, err := serving.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, seen, "serve sees what a verb wrote")

	require.NoError(t, serving.Close())
	open(t, Options{Path: path, Mode: Serve})
}

func TestDatabaseUnderAnotherNameIsServedOnce(t *testing.T) {
	t.Parallel()
	path, other := filepath.Join(t.TempDir(), "bot.db"), filepath.Join(t.TempDir(), "link.db")
	require.NoError(t, os.Symlink(path, other))
	open(t, Options{Path: path, Mode: Serve})
	_, err := Open(t.Context(), Options{Path: other, Mode: Serve})
	require.ErrorIs(t, err, ErrServed)
}

func TestRestartVoidsLeasesAndRechecksRecords(t *testing.T) {
	t.Parallel()
	path, clock := filepath.Join(t.TempDir(), "bot.db"), newHands()
	before, err := Open(t.Context(), Options{Path: path, Clock: clock.time, Mode: Serve})
	require.NoError(t, err)
	done := told(t, before, clock, 41)
	noticeOf(t, before)
	recorded(t, before, 42)
	change := moved(claimed(t, before, "dead"), cancellation.Filing)
	change.Keep = true
	filing := applied(t, before, change)
	stuck := applied(t, before, moved(recorded(t, before, 43), cancellation.Stuck))

	verb := open(t, Options{Path: path, Clock: clock.time})
	_, found, _, err := taken(verb.Claim(t.Context(), "verb", lease, 1))
	require.NoError(t, err)
	require.False(t, found, "opening beside voids no lease")
	require.NoError(t, before.Close())

	s := open(t, Options{Path: path, Clock: clock.time, Mode: Serve})
	r := claimed(t, s, "alive")
	assert.Equal(t, filing.ID, r.ID)
	assert.Equal(t, cancellation.Filing, r.State, "what it means is for the worker to say")
	assert.Equal(t, cancellation.RecheckOnce, r.Recheck)
	read, err := s.Request(t.Context(), stuck.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.RecheckOnce, read.Recheck)
	_, err = verb.Apply(t.Context(), moved(stuck, cancellation.Scheduled))
	require.ErrorIs(t, err, cancellation.ErrMoved, "a verb that read before cannot undo the recheck")
	ended, err := s.Request(t.Context(), done.ID)
	require.NoError(t, err)
	assert.Equal(t, done, ended, "what is at rest stays as it is")
	assert.Equal(t, done.ID, noticeOf(t, s).RequestID, "notices are free too")
}

func TestACrashLosesNothingThatWasAnswered(t *testing.T) {
	t.Parallel()
	dir, crashed := t.TempDir(), t.TempDir()
	s := open(t, Options{Path: filepath.Join(dir, "bot.db"), Mode: Serve})
	r := recorded(t, s, 42)
	for _, name := range []string{"bot.db", "bot.db-wal"} { // as they lie on disk, with nothing closed
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(crashed, name), data, 0o600))
	}
	after := open(t, Options{Path: filepath.Join(crashed, "bot.db"), Mode: Serve})
	requirePresent(t, after, r.ID)
	assert.Equal(t, []string{"submitted"}, kinds(t, after, r.ID))
	assert.Equal(t, r.ID, claimed(t, after, "worker").ID)
}

func TestOpeningManyAtOnceMigratesOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	for _, a := range atOnce(6, func() (*Store, error) { return Open(context.Background(), Options{Path: path}) }) {
		require.NoError(t, a.err)
		require.NoError(t, a.got.Close())
	}
}

func TestNewerDatabaseOpensIfItSupportsThisBuild(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bot.db")
	newer := open(t, Options{Path: path})
	_, err := newer.write.Exec(`insert into goose_db_version (version_id, is_applied) values (99, 1)`)
	require.NoError(t, err)
	recorded(t, open(t, Options{Path: path}), 42) // added columns, say, that this build need not know

	_, err = newer.write.Exec(`update schema_support set oldest = 99`)
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorIs(t, err, ErrNewer)
}

func TestVerbRefusesADatabaseThatWasNeverServed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		beside := o
		beside.Mode = Beside
		db := othersDatabase(t, o)
		for _, of := range []string{"nobody", "create table visits (day text)", "create table binding (party text)"} {
			if of != "nobody" {
				_, err := db.Exec(of)
				require.NoError(t, err)
			}
			before := looksOf(t, db, o)
			_, err := Open(t.Context(), beside)
			require.ErrorIs(t, err, ErrUnserved, of)
			require.Equal(t, before, looksOf(t, db, o), of)
		}
		_, err := db.Exec("drop table binding")
		require.NoError(t, err)

		serving := open(t, o)
		_, err = Open(t.Context(), beside)
		require.ErrorIs(t, err, ErrUnserved, "tables alone are nobody's")
		require.NoError(t, serving.Bind(t.Context(), sandbox))
		verb := open(t, beside)
		assert.Equal(t, sandbox, verb.Binding())
		recorded(t, verb, 42)
	})
	absent := filepath.Join(t.TempDir(), "bot.db")
	_, err := Open(t.Context(), Options{Path: absent, Mode: Beside})
	require.ErrorContains(t, err, absent)
	assert.NoFileExists(t, absent)
}

// othersDatabase is the database as another program opens it.
func othersDatabase(t *testing.T, o Options) *sql.DB {
	t.Helper()
	driver, name := "sqlite", "file:"+o.Path
	if o.URL != "" {
		driver, name = "pgx", o.URL
	}
	db, err := sql.Open(driver, name)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// looksOf is what can be seen of a database from outside: its tables, and how a file is written.
func looksOf(t *testing.T, db *sql.DB, o Options) (tables []string) {
	t.Helper()
	list := "select name from sqlite_schema union select journal_mode from pragma_journal_mode order by 1"
	if o.URL != "" {
		list = "select table_name from information_schema.tables where table_schema = current_schema() order by 1"
	}
	rows, err := db.Query(list)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}
	require.NoError(t, rows.Err())
	return tables
}

func TestTheDatabaseFileIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "with space?#%.db")
	recorded(t, open(t, Options{Path: path}), 42)
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

func TestCommitsAreSyncedAndLoggedAhead(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	for pragma, want := range map[string]string{
		"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1", "secure_delete": "2",
	} {
		var got string
		require.NoError(t, s.write.QueryRow("pragma "+pragma).Scan(&got))
		assert.Equal(t, want, got, pragma)
	}
}

func TestOpeningWhatIsNoDatabaseSaysWhich(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "letter.txt")
	require.NoError(t, os.WriteFile(path, []byte("Dear Sir or Madam, this is not a database at all."), 0o600))
	_, err := Open(t.Context(), Options{Path: path})
	require.ErrorContains(t, err, "letter.txt")
	_, err = Open(t.Context(), Options{Path: filepath.Join(path, "bot.db")})
	require.Error(t, err)
	_, err = Open(t.Context(), Options{})
	require.ErrorContains(t, err, "no path")
}

func TestNowIsTheGivenClockToTheMillisecond(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 15, 4, 5, 123_456_789, time.FixedZone("", 3600))
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "bot.db"), Clock: func() time.Time { return at }})
	now, err := s.Now(t.Context())
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 11, 22, 14, 4, 5, 123_000_000, time.UTC), now)
}
