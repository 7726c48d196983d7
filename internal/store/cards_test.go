package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestCardIsKeptADayAfterUse(t *testing.T) {
	t.Parallel()
	clock := newHands()
	s := open(t, Options{Path: filepath.Join(t.TempDir(), "bot.db"), Clock: clock.time})
	require.NoError(t, s.KeepCard(t.Context(), "digest", []byte("card")))
	clock.pass(23 * time.Hour)
	require.NoError(t, s.KeepCard(t.Context(), "digest", []byte("card")))
	clock.pass(23 * time.Hour)
	data, err := s.Card(t.Context(), "digest")
	require.NoError(t, err)
	assert.Equal(t, "card", string(data))

	clock.pass(time.Hour)
	_, err = s.Card(t.Context(), "digest")
	require.ErrorIs(t, err, cancellation.ErrNoCard)
	require.NoError(t, s.KeepCard(t.Context(), "other", []byte("card")))
	var left int
	require.NoError(t, s.read.QueryRow(`select count(*) from cards`).Scan(&left))
	assert.Equal(t, 1, left)
}

func TestACardOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	require.ErrorContains(t, s.KeepCard(t.Context(), "digest", make([]byte, maxCard+1)), "limit")
	_, err := s.Card(t.Context(), "digest")
	require.ErrorIs(t, err, cancellation.ErrNoCard)
}
