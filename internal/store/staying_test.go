package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
)

func staysKept(t *testing.T, one, other *Store, clock *hands) {
	r := filedOne(t, one, 1)
	before := billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 7, Name: "SL02SEL1-5", Fee: "98.00"}}}
	left := billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 7, Name: "SL02SEL1-5", Fee: "99.10"}}}
	for _, step := range []struct{ keep, want *billed.Record }{
		{nil, &billed.Record{}},
		{&billed.Record{Stays: &before}, &billed.Record{Stays: &before}},
		{nil, &billed.Record{Stays: &before}},
		{&billed.Record{Stays: &before, Left: &left}, &billed.Record{Stays: &before, Left: &left}},
	} {
		clock.pass(everyHour)
		due := dueFor(t, one, turnOf(t, one, "one").Began, 1)
		require.Len(t, due, 1)
		require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{{Followed: due[0], Known: []byte(`{}`), Stays: step.keep}}))
		all, err := other.StaysOf(t.Context(), []string{r.ID, "another"})
		require.NoError(t, err)
		assert.Equal(t, *step.want, all[r.ID])
		assert.NotContains(t, all, "another")
	}
	require.ErrorIs(t, other.KeepLooks(t.Context(), "two", nil, []cancellation.Look{{Stays: &billed.Record{}}}), ErrNotOurTurn)
}

func TestManyRequestsAreReadInPages(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	ids := make([]string, 2*staysPage+1)
	for i := range ids {
		ids[i] = "r"
	}
	all, err := s.StaysOf(t.Context(), ids)
	require.NoError(t, err)
	assert.Empty(t, all)
}
