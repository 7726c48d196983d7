package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// Undo windows, expiry and settle times are judged by the time of the claim.

// claimedAt claims a request and a notice, and returns both times.
func claimedAt(t *testing.T, j journal) (request, notice time.Time) {
	t.Helper()
	r := recorded(t, j, 7)
	_, err := j.Owe(t.Context(), r.ID, cancellation.Alarm, cancellation.Place{Channel: "C1"})
	require.NoError(t, err)
	claim, err := j.Claim(t.Context(), "worker", lease, 1)
	require.NoError(t, err)
	require.Len(t, claim.Rows, 1)
	note, err := j.ClaimNotices(t.Context(), "worker", lease, 1)
	require.NoError(t, err)
	require.Len(t, note.Rows, 1)
	return claim.At, note.At
}

func claimTellsItsTime(t *testing.T, j journal, clock *hands) {
	clock.pass(time.Hour)
	request, notice := claimedAt(t, j)
	assert.Equal(t, clock.time(), request.UTC())
	assert.Equal(t, clock.time(), notice.UTC())
}

func TestClaimTellsTheDatabasesOwnTime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		o.Mode = Serve
		s := open(t, o)
		before, err := s.Now(t.Context())
		require.NoError(t, err)
		request, notice := claimedAt(t, s)
		after, err := s.Now(t.Context())
		require.NoError(t, err)
		for _, at := range []time.Time{request, notice} {
			assert.False(t, at.Before(before) || at.After(after), "%v is between %v and %v", at, before, after)
		}
	})
}
