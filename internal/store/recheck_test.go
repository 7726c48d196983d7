package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/inquiry"
	"cancel-server/internal/postgrestest"
)

// rechecked begins a recheck, as a start on SQLite and a change of PostgreSQL's server do.
func rechecked(t *testing.T, s *Store, how cancellation.Recheck, notAfter time.Time) {
	t.Helper()
	tx, err := s.write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = recheck(t.Context(), tx, how, notAfter)
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
}

// behind counts the requests whose rows lack a recheck.
func behind(t *testing.T, s *Store) (count int) {
	t.Helper()
	require.NoError(t, s.read.QueryRow(`select count(*) from requests where epoch < (select epoch from rechecks) and `+isUnfinished).Scan(&count))
	return count
}

func TestRecheckIsWrittenByStepsAlone(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		const waiting = 20
		s := open(t, o)
		var all []cancellation.Request
		for server := range int64(waiting) {
			all = append(all, recorded(t, s, server+1))
		}
		rechecked(t, s, readOnce, time.Time{})
		assert.Equal(t, waiting, behind(t, s), "a recheck writes no request")
		_, err := s.Find(t.Context(), inquiry.Filter{}, waiting, func(r cancellation.Request) error {
			assert.Equal(t, cancellation.RecheckOnce, r.Recheck, "and is read with each")
			assert.EqualValues(t, 2, r.Version)
			return nil
		})
		require.NoError(t, err)
		c, err := s.Claim(t.Context(), "worker", lease, 3)
		require.NoError(t, err)
		require.Len(t, c.Rows, 3)
		for _, r := range c.Rows {
			assert.Equal(t, cancellation.RecheckOnce, r.Recheck)
			assert.EqualValues(t, 3, r.Version)
		}
		require.NoError(t, s.Renew(t.Context(), c.Rows[0], "worker", lease))
		applied(t, s, moved(c.Rows[1], cancellation.Filing))
		assert.Equal(t, waiting-2, behind(t, s), "who works on a request writes it there")
		recorded(t, s, waiting+1)
		assert.Equal(t, waiting-2, behind(t, s), "what is recorded after it has nothing to read")

		last := all[waiting-1]
		_, err = s.Apply(t.Context(), moved(last, cancellation.Stuck))
		require.ErrorIs(t, err, cancellation.ErrMoved, "who read before it decides again")
		read, err := s.Request(t.Context(), last.ID)
		require.NoError(t, err)
		read = applied(t, s, moved(read, cancellation.Stuck))
		assert.Equal(t, cancellation.RecheckOnce, read.Recheck, "a step keeps it")
		assert.Equal(t, waiting-3, behind(t, s))
	})
}

func TestRechecksAddUp(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		end := time.Date(2026, 11, 22, 15, 0, 0, 0, time.UTC)
		first := recorded(t, s, 1)
		rechecked(t, s, readSettled, end)
		second := recorded(t, s, 2)
		rechecked(t, s, readOnce, time.Time{})
		third := recorded(t, s, 3)
		for i, want := range []struct {
			cancellation.Request
			recheck  cancellation.Recheck
			notAfter time.Time
			version  int64
		}{{first, cancellation.RecheckSettled, end, 3}, {second, cancellation.RecheckOnce, time.Time{}, 2}, {third, cancellation.NoRecheck, time.Time{}, 1}} {
			got, err := s.Request(t.Context(), want.ID)
			require.NoError(t, err)
			assert.Equal(t, want.recheck, got.Recheck, "request %d", i+1)
			assert.Equal(t, want.notAfter, got.NotAfter, "request %d", i+1)
			assert.Equal(t, want.version, got.Version, "request %d", i+1)
		}
	})
}

func TestLeaseFromBeforeARecheckIsNotRenewed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		recorded(t, s, 1)
		r := claimed(t, s, "worker")
		require.NoError(t, s.Renew(t.Context(), r, "worker", lease))
		rechecked(t, s, readOnce, time.Time{})
		require.ErrorIs(t, s.Renew(t.Context(), r, "worker", lease), cancellation.ErrMoved)
	})
}

func TestFreezeListsWhatAFailoverMayHaveLost(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := open(t, o)
		r := recorded(t, s, 1)
		rechecked(t, s, readSettled, clock.time().Add(time.Minute))
		recorded(t, s, 2)
		for _, of := range []string{"a row that lacks the recheck", "one that has it"} {
			under, err := s.UnderWay(t.Context())
			require.NoError(t, err)
			require.Len(t, under, 1, of)
			assert.Equal(t, r.ID, under[0].ID)
			claimed(t, s, "worker")
		}
		clock.pass(2 * time.Minute)
		under, err := s.UnderWay(t.Context())
		require.NoError(t, err)
		assert.Empty(t, under, "no POST can be under way any more")
	})
}

func TestOlderBuildFilesNothingBeforeItsRecheck(t *testing.T) {
	t.Parallel()
	s := open(t, Options{URL: postgrestest.Schema(t)}) // only there may one still run
	r := recorded(t, s, 1)
	rechecked(t, s, readOnce, time.Time{})
	_, err := s.write.Exec(`update requests set state = 'filing', version = version + 1 where id = $1`, r.ID)
	require.ErrorContains(t, err, "has to be read again")
	applied(t, s, moved(claimed(t, s, "worker"), cancellation.Filing))
}
