package store

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

const lease = 10 * time.Second

func leasePromises() []promise {
	return []promise{
		{"a request is claimed by one of many workers", claimedOnce},
		{"claims come in the order in which requests are due", claimedInOrder},
		{"nothing is claimed before it is due, and the next time is told", claimedWhenDue},
		{"a request that was accepted while the clock was ahead is looked at in its time once that is right", clockAhead},
		{"such a request does not wait for others that are looked at again and again", clockAheadBesideOthers},
		{"what settles, or is somebody's, or is due late for another reason stays where it is", clockAheadSpares},
		{"a claim tells its time by the deciding clock", claimTellsItsTime},
		{"a request at rest or stuck is never claimed", claimedInWorkStates},
		{"a lease that ran out is taken over, and its late owner is fenced off", leaseRunsOut},
		{"a request recorded with a lease is its owner's, and taken over when that is over", recordedWithLease},
		{"a renewed lease holds, and a lost one cannot be renewed", leaseRenewed},
		{"a step gives the lease back, unless it is kept for the next step", leaseGivenBack},
	}
}

func claimedOnce(t *testing.T, j journal, _ *hands) {
	for server := range int64(5) {
		recorded(t, j, server+1)
	}
	var owner atomic.Int32
	answers := atOnce(16, func() (string, error) {
		r, _, _, err := taken(j.Claim(t.Context(), fmt.Sprint("worker-", owner.Add(1)), lease, 1))
		return r.ID, err
	})
	taken := map[string]int{}
	for _, a := range answers {
		require.NoError(t, a.err)
		taken[a.got]++
	}
	assert.Equal(t, 11, taken[""], "workers that found nothing")
	assert.Len(t, taken, 6, "five requests, each once")
}

func claimedInOrder(t *testing.T, j journal, clock *hands) {
	for i, due := range []time.Duration{3, 1, 2} {
		rec := asking(int64(i + 1))
		rec.Request.Due = clock.time().Add(due * time.Second)
		_, err := j.Record(t.Context(), rec)
		require.NoError(t, err)
	}
	clock.pass(time.Minute)
	var servers []int64
	for range 3 {
		servers = append(servers, claimed(t, j, "worker").Submission.Card.Server.ID)
	}
	assert.Equal(t, []int64{2, 3, 1}, servers)
}

func claimedWhenDue(t *testing.T, j journal, clock *hands) {
	_, found, next, err := taken(j.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)
	assert.Zero(t, next, "there is nothing")

	rec := asking(42)
	rec.Request.Due = clock.time().Add(time.Minute)
	_, err = j.Record(t.Context(), rec)
	require.NoError(t, err)
	_, found, next, err = taken(j.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, time.Minute, next)

	clock.pass(time.Minute)
	claimed(t, j, "worker")
	_, found, next, err = taken(j.Claim(t.Context(), "other", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)
	assert.Equal(t, lease, next, "when the lease ends")
}

func clockAhead(t *testing.T, j journal, clock *hands) {
	clock.pass(8 * time.Hour)
	at := recorded(t, j, 1)
	late := asking(2)
	late.Request.Due = clock.time().Add(5 * time.Minute)
	_, err := j.Record(t.Context(), late)
	require.NoError(t, err)
	waits := asking(3)
	waits.Request.State, waits.Request.Due = cancellation.Pending, clock.time().Add(3*time.Minute)
	_, err = j.Record(t.Context(), waits)
	require.NoError(t, err)
	clock.pass(-8 * time.Hour)

	r := claimed(t, j, "worker")
	assert.Equal(t, at.ID, r.ID, "at once, as it was to be")
	assert.Equal(t, clock.time(), r.Due)
	_, found, next, err := taken(j.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	require.False(t, found)
	assert.Equal(t, lease, next, "the others in their time")
	applied(t, j, moved(r, cancellation.Stuck))
	for i, id := range []string{waits.Request.ID, late.Request.ID} {
		_, found, next, err := taken(j.Claim(t.Context(), "worker", lease, 1))
		require.NoError(t, err)
		require.False(t, found)
		clock.pass(next)
		assert.LessOrEqual(t, clock.time().Sub(at.CreatedAt), time.Duration(3+2*i)*time.Minute-8*time.Hour)
		r := claimed(t, j, "worker")
		assert.Equal(t, id, r.ID)
		applied(t, j, moved(r, cancellation.Withdrawn))
	}
}

func clockAheadBesideOthers(t *testing.T, j journal, clock *hands) {
	clock.pass(8 * time.Hour)
	ahead := recorded(t, j, 1)
	clock.pass(-8 * time.Hour)
	often := asking(2)
	often.Request.Due = clock.time().Add(16 * time.Second) // as while filing is frozen
	_, err := j.Record(t.Context(), often)
	require.NoError(t, err)
	assert.Equal(t, ahead.ID, claimed(t, j, "worker").ID)
}

func TestRowsMovedByACorrectedClockAreLogged(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		var log bytes.Buffer
		o.Clock, o.Log = clock.time, slog.New(slog.NewTextHandler(&log, nil)) // whose handler writes one line at a time
		s := open(t, o)
		clock.pass(8 * time.Hour)
		r := recorded(t, s, 1)
		clock.pass(-8 * time.Hour)
		claimed(t, s, "worker")
		require.NoError(t, s.Close())
		assert.Contains(t, log.String(), "the clock was ahead")
		assert.Contains(t, log.String(), "ref="+r.Ref.Short())
	})
}

func clockAheadSpares(t *testing.T, j journal, clock *hands) {
	clock.pass(8 * time.Hour)
	recorded(t, j, 1)
	owned := claimed(t, j, "its owner")
	settles := applied(t, j, moved(recorded(t, j, 2), cancellation.Filing))
	unknown := moved(settles, cancellation.Unknown)
	unknown.To.Due, unknown.To.NotAfter = clock.time().Add(time.Minute), clock.time().Add(time.Minute)
	settles = applied(t, j, unknown)
	filing := moved(recorded(t, j, 3), cancellation.Filing)
	filing.To.Due, filing.Window = clock.time().Add(time.Minute), time.Minute
	posting := applied(t, j, filing)
	clock.pass(-8 * time.Hour)
	waits := asking(4)
	waits.Request.State, waits.Request.Due = cancellation.Pending, clock.time().Add(72*time.Hour)
	_, err := j.Record(t.Context(), waits)
	require.NoError(t, err)

	for range 2 {
		_, found, _, err := taken(j.Claim(t.Context(), "worker", lease, 1))
		require.NoError(t, err)
		require.False(t, found)
	}
	for _, before := range []cancellation.Request{owned, settles, posting} {
		now, err := j.Request(t.Context(), before.ID)
		require.NoError(t, err)
		assert.Equal(t, before, now)
	}
	now, err := j.Request(t.Context(), waits.Request.ID)
	require.NoError(t, err)
	assert.Equal(t, clock.time().Add(72*time.Hour), now.Due)
	require.NoError(t, j.Renew(t.Context(), owned, "its owner", lease))
}

func claimedInWorkStates(t *testing.T, j journal, clock *hands) {
	filed(t, j, 42)
	r := applied(t, j, moved(recorded(t, j, 43), cancellation.Stuck))
	clock.pass(time.Hour)
	_, found, _, err := taken(j.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)

	change := moved(r, cancellation.Scheduled)
	change.To.Due = time.Time{}
	applied(t, j, change)
	assert.Equal(t, r.ID, claimed(t, j, "worker").ID, "a person sent it back to work")
}

func leaseRunsOut(t *testing.T, j journal, clock *hands) {
	recorded(t, j, 42)
	early := claimed(t, j, "early")
	clock.pass(lease)
	late := claimed(t, j, "late")
	assert.Equal(t, early.ID, late.ID)
	assert.Greater(t, late.Version, early.Version)

	_, err := j.Apply(t.Context(), moved(early, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrMoved)
	require.ErrorIs(t, j.Renew(t.Context(), early, "early", lease), cancellation.ErrMoved)
	applied(t, j, moved(late, cancellation.Filing))
	assert.Equal(t, []string{"submitted", "moved"}, kinds(t, j, early.ID))
}

func recordedWithLease(t *testing.T, j journal, clock *hands) {
	rec := asking(42)
	rec.Lease = cancellation.Lease{Owner: "early", For: lease}
	got, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	early := got.Request
	_, found, next, err := taken(j.Claim(t.Context(), "late", lease, 1))
	require.NoError(t, err)
	require.False(t, found)
	assert.Equal(t, lease, next, "others know when to look again")
	require.NoError(t, j.Renew(t.Context(), early, "early", lease))

	clock.pass(lease)
	late := claimed(t, j, "late")
	assert.Equal(t, early.ID, late.ID)
	_, err = j.Apply(t.Context(), moved(early, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrMoved)
	applied(t, j, moved(late, cancellation.Filing))
}

func leaseRenewed(t *testing.T, j journal, clock *hands) {
	recorded(t, j, 42)
	r := claimed(t, j, "worker")
	require.ErrorIs(t, j.Renew(t.Context(), r, "somebody else", lease), cancellation.ErrMoved)
	clock.pass(lease - time.Second)
	require.NoError(t, j.Renew(t.Context(), r, "worker", lease))
	clock.pass(lease - time.Second)
	_, found, _, err := taken(j.Claim(t.Context(), "other", lease, 1))
	require.NoError(t, err)
	assert.False(t, found)
	applied(t, j, moved(r, cancellation.Filing)) // renewing left the version alone
	require.ErrorIs(t, j.Renew(t.Context(), r, "worker", lease), cancellation.ErrMoved)
}

func leaseGivenBack(t *testing.T, j journal, _ *hands) {
	recorded(t, j, 42)
	change := moved(claimed(t, j, "worker"), cancellation.Filing)
	change.Keep = true
	r := applied(t, j, change)
	_, found, _, err := taken(j.Claim(t.Context(), "other", lease, 1))
	require.NoError(t, err)
	require.False(t, found, "the lease was kept")
	require.NoError(t, j.Renew(t.Context(), r, "worker", lease))

	r = applied(t, j, moved(r, cancellation.Unknown))
	require.ErrorIs(t, j.Renew(t.Context(), r, "worker", lease), cancellation.ErrMoved)
	assert.Equal(t, r.ID, claimed(t, j, "other").ID)
}
