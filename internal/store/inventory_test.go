package store

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

const (
	often = 10 * time.Minute // how old an inventory grows
	turn  = 30 * time.Second
)

func TestAnInventoryIsKeptOnBothDatabases(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		keepsAnInventory(t, func(t *testing.T) Options { return Options{Path: migratedFile(t)} })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		all := postgrestest.NewSchemas(t, migratedSchema)
		keepsAnInventory(t, func(t *testing.T) Options { return Options{URL: all.Take(t)} })
	})
}

func keepsAnInventory(t *testing.T, options func(t *testing.T) Options) {
	for says, holds := range map[string]func(t *testing.T, one, other *Store, clock *hands){
		"nothing is kept at first":                                  nothingIsKept,
		"what one has kept the other reads, with its age":           whatOneHasKeptTheOtherReads,
		"what is known already is not read again":                   whatIsKnownIsNotRead,
		"one at a time has the turn, and none before it is due":     oneHasTheTurn,
		"a turn that was lost keeps nothing":                        aLostTurnKeepsNothing,
		"what a pass has found again is as young as the pass":       foundAgainIsYoung,
		"what an interrupted pass has left behind does no harm":     leftBehind,
		"an inventory of many parts is kept as one, the last alone": manyParts,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			clock, o := newHands(), options(t)
			o.Clock = clock.time
			holds(t, open(t, o), open(t, o), clock)
		})
	}
}

func nothingIsKept(t *testing.T, one, _ *Store, _ *hands) {
	data, version, age, err := one.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Empty(t, data)
	assert.Zero(t, version)
	assert.Zero(t, age)
}

func whatOneHasKeptTheOtherReads(t *testing.T, one, other *Store, clock *hands) {
	version := keptBy(t, one, "one", "servers")
	clock.pass(time.Minute)
	data, read, age, err := other.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, "servers", string(data))
	assert.Equal(t, version, read)
	assert.Equal(t, time.Minute, age)
}

func whatIsKnownIsNotRead(t *testing.T, one, other *Store, clock *hands) {
	version := keptBy(t, one, "one", "servers")
	data, read, _, err := other.Inventory(t.Context(), version)
	require.NoError(t, err)
	assert.Nil(t, data)
	assert.Equal(t, version, read)
	clock.pass(often)
	assert.Greater(t, keptBy(t, one, "one", "more servers"), version)
	data, _, _, err = other.Inventory(t.Context(), version)
	require.NoError(t, err)
	assert.Equal(t, "more servers", string(data))
}

func oneHasTheTurn(t *testing.T, one, other *Store, clock *hands) {
	assert.True(t, claims(t, one, "one"))
	assert.True(t, claims(t, one, "one"), "a turn can be prolonged")
	assert.False(t, claims(t, other, "other"), "the turn is another's")
	clock.pass(turn)
	assert.True(t, claims(t, other, "other"), "a turn ends with whoever has died")
	assert.False(t, claims(t, one, "one"))
	_, err := other.KeepInventory(t.Context(), "other", []byte("servers"))
	require.NoError(t, err)
	clock.pass(often - time.Millisecond)
	assert.False(t, claims(t, one, "one"), "what is kept is young enough")
	clock.pass(time.Millisecond)
	assert.True(t, claims(t, one, "one"))
}

func aLostTurnKeepsNothing(t *testing.T, one, other *Store, clock *hands) {
	assert.True(t, claims(t, one, "one"))
	clock.pass(turn)
	assert.True(t, claims(t, other, "other"))
	_, err := one.KeepInventory(t.Context(), "one", []byte("old"))
	require.ErrorIs(t, err, ErrNotOurTurn)
	_, err = one.KeepInventory(t.Context(), "one", nil)
	require.ErrorIs(t, err, ErrNotOurTurn)
	_, err = other.KeepInventory(t.Context(), "other", []byte("new"))
	require.NoError(t, err)
	data, _, _, err := one.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, "new", string(data))
}

func foundAgainIsYoung(t *testing.T, one, other *Store, clock *hands) {
	version := keptBy(t, one, "one", "servers")
	clock.pass(often)
	assert.True(t, claims(t, other, "other"))
	again, err := other.KeepInventory(t.Context(), "other", nil)
	require.NoError(t, err)
	assert.Equal(t, version, again)
	data, _, age, err := one.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, "servers", string(data))
	assert.Zero(t, age)
}

func leftBehind(t *testing.T, one, other *Store, clock *hands) {
	assert.True(t, claims(t, one, "one"))
	require.NoError(t, one.keepParts(t.Context(), "one", 1, bytes.Repeat([]byte("x"), 3*inventoryPart)))
	data, version, _, err := other.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Empty(t, data, "half an inventory is none")
	assert.Zero(t, version)
	clock.pass(turn)
	keptBy(t, other, "other", "servers")
	data, _, _, err = one.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.Equal(t, "servers", string(data), "nothing of it comes into another one")
}

func manyParts(t *testing.T, one, other *Store, clock *hands) {
	keptBy(t, one, "one", string(bytes.Repeat([]byte("first"), inventoryPart)))
	clock.pass(often)
	want := string(bytes.Repeat([]byte("abc"), inventoryPart))
	keptBy(t, one, "one", want)
	data, _, _, err := other.Inventory(t.Context(), 0)
	require.NoError(t, err)
	assert.True(t, want == string(data), "%d bytes were kept, and %d read", len(want), len(data))
	var parts int
	require.NoError(t, one.read.QueryRowContext(t.Context(), `select count(*) from inventory_parts`).Scan(&parts))
	assert.Equal(t, 3, parts)
}

func claims(t *testing.T, s *Store, owner string) bool {
	t.Helper()
	mine, err := s.ClaimInventory(t.Context(), owner, often, turn)
	require.NoError(t, err)
	return mine
}

// keptBy keeps an inventory in a turn of its own.
func keptBy(t *testing.T, s *Store, owner, data string) (version int64) {
	t.Helper()
	require.True(t, claims(t, s, owner))
	version, err := s.KeepInventory(t.Context(), owner, []byte(data))
	require.NoError(t, err)
	return version
}
