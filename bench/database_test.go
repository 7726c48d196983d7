//go:build bench

package bench

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named "pgx"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver named "sqlite"

	"cancel-server/internal/postgrestest"
)

// onBoth measures on a SQLite file and on PostgreSQL; each call of fresh makes another
// empty database and returns its DATABASE_URL.
func onBoth(b *testing.B, measure func(b *testing.B, fresh func(b *testing.B) string)) {
	b.Run("sqlite", func(b *testing.B) {
		measure(b, func(b *testing.B) string { return "sqlite:" + filepath.Join(b.TempDir(), "requests.db") })
	})
	b.Run("postgres", func(b *testing.B) {
		measure(b, func(b *testing.B) string { return postgrestest.Database(b) })
	})
}

// openDatabase opens a database alongside the process that serves from it, or as that
// process does: one connection, every commit synced.
func openDatabase(databaseURL string) (*sql.DB, error) {
	driver, name := "pgx", databaseURL
	if path, isFile := strings.CutPrefix(databaseURL, "sqlite:"); isFile {
		driver = "sqlite"
		name = "file:" + path + "?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=1&_txlock=immediate"
	}
	db, err := sql.Open(driver, name)
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// inDatabase does something with a database and closes it.
func inDatabase(b *testing.B, databaseURL string, do func(db *sql.DB) error) {
	b.Helper()
	db, err := openDatabase(databaseURL)
	require.NoError(b, err)
	defer db.Close()
	require.NoError(b, do(db))
}

func installationKey(b *testing.B, databaseURL string) (key []byte) {
	b.Helper()
	inDatabase(b, databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(b.Context(), `select hmac_key from binding`).Scan(&key)
	})
	return key
}

// written is how many requests there are, and how long the texts of one are.
type written struct {
	Requests, Events, Notices int
	Texts                     float64
}

func readWritten(b *testing.B, databaseURL string) (w written) {
	b.Helper()
	inDatabase(b, databaseURL, func(db *sql.DB) error {
		var requests, events, notices float64
		for _, count := range []struct {
			rows  *int
			texts *float64
			query string
		}{
			{&w.Requests, &requests, `select count(*), avg(length(id || short_ref || ref || submission || decision)) from requests`},
			{&w.Events, &events, `select count(*), avg(length(request_id || kind || actor || from_state || to_state || detail)) from events where seq = 1`},
			{&w.Notices, &notices, `select count(*), avg(length(request_id || kind || place || response_url)) from notices`},
		} {
			if err := db.QueryRowContext(b.Context(), count.query).Scan(count.rows, count.texts); err != nil {
				return fmt.Errorf("reading what was written: %w", err)
			}
		}
		w.Texts = requests + events + notices
		return nil
	})
	return w
}
