package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/checkup"
)

func TestInspectLeavesADatabaseAsItIs(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		made := open(t, Options{Path: o.Path, URL: o.URL, Clock: newHands().time, Mode: Serve})
		d, err := Inspect(t.Context(), o)
		require.NoError(t, err)
		assert.Nil(t, d.Bound, "it is not bound by looking")
		assert.Equal(t, d.Wanted, d.Version)
		assert.NoError(t, d.Unwritable)
		assert.False(t, d.TooNew)

		require.NoError(t, made.Bind(t.Context(), sandbox))
		d, err = Inspect(t.Context(), o)
		require.NoError(t, err)
		assert.Equal(t, &checkup.Binding{App: sandbox.App, Team: sandbox.Team, Account: sandbox.Account, Endpoint: sandbox.Endpoint}, d.Bound)
		var rows int
		require.NoError(t, made.read.QueryRowContext(t.Context(), `select count(*) from rates`).Scan(&rows))
		assert.Zero(t, rows, "the write was rolled back")

		_, err = made.write.ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (9999, true)`)
		require.NoError(t, err)
		d, err = Inspect(t.Context(), o)
		require.NoError(t, err)
		assert.False(t, d.TooNew, "a newer build may allow this one")
		_, err = made.write.ExecContext(t.Context(), `update schema_support set oldest = 9999`)
		require.NoError(t, err)
		d, err = Inspect(t.Context(), o)
		require.NoError(t, err)
		assert.True(t, d.TooNew)
	})
}

func TestReadingChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		o.Clock = newHands().time
		serving := open(t, Options{Path: o.Path, URL: o.URL, Clock: o.Clock, Mode: Serve})
		require.NoError(t, serving.Bind(t.Context(), sandbox))
		r := recorded(t, serving, 1)

		o.Mode = Read
		s := open(t, o)
		found, err := s.ByRef(t.Context(), r.Ref.Short())
		require.NoError(t, err)
		assert.Equal(t, r.ID, found.ID, "while a bot serves")
		assert.Error(t, s.KeepPolicy(t.Context(), "d", "text"), "a write is refused")
		_, err = s.read.ExecContext(t.Context(), `delete from cards`)
		assert.Error(t, err)
		require.NoError(t, s.Close())

		_, err = serving.write.ExecContext(t.Context(), `delete from goose_db_version where version_id = (select max(version_id) from goose_db_version)`)
		require.NoError(t, err)
		_, err = Open(t.Context(), o)
		require.ErrorIs(t, err, ErrOlder, "nothing is migrated")
		_, err = serving.write.ExecContext(t.Context(), `insert into goose_db_version (version_id, is_applied) values (9999, true)`)
		require.NoError(t, err)
		assert.NoError(t, open(t, o).Ready(), "a newer build may allow this one")
	})
}

func TestInspectMakesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "absent.db")
	d, err := Inspect(t.Context(), Options{Path: path})
	require.NoError(t, err)
	assert.True(t, d.Absent)
	assert.NoError(t, d.Unwritable)
	assert.Positive(t, d.Free)
	assert.NoFileExists(t, path)

	d, err = Inspect(t.Context(), Options{Path: filepath.Join(path, "deeper.db")})
	require.NoError(t, err)
	assert.Error(t, d.Unwritable, "its folder is not there")
}

func TestInspectNamesWhatItCannotOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "text.db")
	require.NoError(t, os.WriteFile(path, make([]byte, 4096), 0o600))
	require.NoError(t, os.WriteFile(path, []byte("not a database, but longer than the header of one is, by some words"), 0o600))
	_, err := Inspect(t.Context(), Options{Path: path})
	require.ErrorContains(t, err, "not a database")
	_, err = Inspect(t.Context(), Options{URL: "postgres://nobody:secret@127.0.0.1:1/none"})
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}

func TestTheLastWordIsSaidOnceADay(t *testing.T) {
	onBoth(t, func(t *testing.T, o Options) {
		one, two := open(t, o), open(t, o)
		say := func(word string) bool {
			t.Helper()
			// What was said before was said a second ago: a key's time is a millisecond's.
			_, err := one.write.ExecContext(t.Context(), `update used_keys set at = at - 1000`)
			require.NoError(t, err)
			said, err := two.Say(t.Context(), "checks said", word)
			require.NoError(t, err)
			return said
		}
		assert.False(t, say(""), "nothing was said that could be over")
		stores := make(chan *Store, 2)
		stores <- one
		stores <- two
		said := 0
		for _, a := range atOnce(2, func() (bool, error) { s := <-stores; return s.Say(t.Context(), "checks said", "broken") }) {
			require.NoError(t, a.err)
			if a.got {
				said++
			}
		}
		assert.Equal(t, 1, said, "by one of several")
		assert.False(t, say("broken"), "it is the last word")
		assert.True(t, say(""), "it is over")
		assert.False(t, say("broken"), "not twice a day")
		assert.False(t, say(""), "which is the last word still")
		_, err := one.write.ExecContext(t.Context(), `update used_keys set key = replace(key, substr(key, 13, 10), '2001-01-01')`)
		require.NoError(t, err)
		assert.True(t, say("broken"), "the next day, as it is not the last word")
		assert.False(t, say("broken"))
		assert.True(t, say("worse"))
		assert.True(t, say(""))
	})
}
