package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

const pageSize = 4096 // https://www.sqlite.org/pragma.html#pragma_page_size

// A page that was lost is found out where it is read: SQLite knows the forms of its pages.
// A single bit that was changed inside one it may not know, since pages have no checksum.
func TestFileWithoutAPageGivesNoWrongAnswer(t *testing.T) {
	t.Parallel()
	sound, requests := written(t)
	dir := t.TempDir()
	refused, broken := 0, 0
	for page := range len(sound) / pageSize {
		damaged := append([]byte{}, sound...)
		clear(damaged[page*pageSize : (page+1)*pageSize])
		path := filepath.Join(dir, fmt.Sprint(page, ".db"))
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		s, err := Open(t.Context(), Options{Path: path, Mode: Serve})
		if err != nil {
			require.ErrorContains(t, err, path)
			refused++
			continue
		}
		if !tellsTheTruth(t, s, requests) {
			broken++
		}
		require.NoError(t, s.Close(), "page %d", page)
	}
	assert.Positive(t, refused, "pages without which it does not start")
	assert.Positive(t, broken, "pages whose loss is met later")
}

func TestTruncatedFileGivesNoWrongAnswer(t *testing.T) {
	t.Parallel()
	sound, requests := written(t)
	for _, left := range []int{len(sound) / 2, len(sound) - pageSize, len(sound) - pageSize/2} {
		path := filepath.Join(t.TempDir(), "bot.db")
		require.NoError(t, os.WriteFile(path, sound[:left], 0o600))
		s, err := Open(t.Context(), Options{Path: path, Mode: Serve})
		if err != nil {
			require.ErrorContains(t, err, path)
			continue
		}
		tellsTheTruth(t, s, requests)
		require.NoError(t, s.Close())
	}
}

// written is the database file of a few requests.
func written(t *testing.T) (file []byte, requests []cancellation.Request) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bot.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	for server := range int64(12) {
		requests = append(requests, recorded(t, s, server+1))
	}
	require.NoError(t, s.Close())
	file, err = os.ReadFile(path)
	require.NoError(t, err)
	return file, requests
}

// tellsTheTruth holds a store on a damaged file to right answers or none. It reports
// whether it goes on; where it does not, nothing more is taken.
func tellsTheTruth(t *testing.T, s *Store, requests []cancellation.Request) (goesOn bool) {
	t.Helper()
	for _, r := range requests {
		got, err := s.Request(t.Context(), r.ID)
		if err != nil {
			require.NotErrorIs(t, err, cancellation.ErrNoRequest, "it is there")
			continue
		}
		r.Version, r.Recheck = r.Version+1, cancellation.RecheckOnce // by the start
		require.Equal(t, r, got)
	}
	rec := asking(int64(len(requests) + 1))
	if err := record(t.Context(), s, rec)(); err == nil {
		requirePresent(t, s, rec.Request.ID)
		return true
	} else {
		require.ErrorIs(t, err, cancellation.ErrUnclear)
	}
	require.ErrorIs(t, s.Ready(), cancellation.ErrUnclear)
	_, err := s.Request(t.Context(), rec.Request.ID)
	require.True(t, errors.Is(err, cancellation.ErrUnclear) || !errors.Is(err, cancellation.ErrNoRequest), "absence proves nothing: %v", err)
	_, found, _, err := taken(s.Claim(t.Context(), "worker", lease, 1))
	require.Error(t, err)
	require.False(t, found)
	_, err = s.Apply(t.Context(), moved(requests[0], cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrUnclear)
	return false
}
