package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/inquiry"
)

// sharedPromises are about what a whole deployment shares.
func sharedPromises() []promise {
	return []promise{
		{"calls to a vendor keep an even pace behind a burst of a second", pace},
		{"a turn that would come too late is refused and takes no place", crowded},
		{"calls that went without waiting are paid for by the next", spent},
		{"replicas count each other, and forget the silent and the leaving", counted},
		{"requests are found by state, server, person and time, the newest first", found},
		{"the text of a policy is kept once, and never changed", policiesKept},
		{"what takes long is overdue by its state or by its owed result, and alarms once", overdueOnce},
		{"a notice that cannot be read holds up nobody behind it, and is overdue", noticeAside},
		{"a request whose submission cannot be read is found by its reference and its server", unreadableFound},
	}
}

func pace(t *testing.T, j journal, clock *hands) {
	s := j.(*Store)
	var waits []time.Duration
	for range 13 {
		wait, err := s.reserve(t.Context(), "softlayer", 1, 10, 0)
		require.NoError(t, err)
		waits = append(waits, wait)
	}
	assert.Equal(t, make([]time.Duration, 10), waits[:10], "a second's calls go at once")
	assert.Equal(t, []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}, waits[10:])
	clock.pass(time.Hour)
	wait, err := s.reserve(t.Context(), "softlayer", 10, 10, 0)
	require.NoError(t, err)
	assert.Zero(t, wait, "an idle hour saves up a second's calls")
	wait, err = s.reserve(t.Context(), "softlayer", 1, 10, 0)
	require.NoError(t, err)
	assert.Equal(t, 100*time.Millisecond, wait, "and no more than that")
	wait, err = s.reserve(t.Context(), "slack", 1, 10, 0)
	require.NoError(t, err)
	assert.Zero(t, wait, "another vendor has a pace of its own")
}

func crowded(t *testing.T, j journal, _ *hands) {
	s := j.(*Store)
	_, err := s.reserve(t.Context(), "softlayer", 10, 10, time.Second)
	require.NoError(t, err)
	_, err = s.reserve(t.Context(), "softlayer", 20, 10, time.Second)
	require.ErrorIs(t, err, ErrCrowded)
	wait, err := s.reserve(t.Context(), "softlayer", 1, 10, time.Second)
	require.NoError(t, err)
	assert.Equal(t, 100*time.Millisecond, wait)
}

func spent(t *testing.T, j journal, _ *hands) {
	turns := j.(*Store).RateLimiter("softlayer", 5)
	for range 25 {
		turns.Spend()
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.ErrorIs(t, turns.Wait(ctx), ErrCrowded, "four seconds too many")
	require.NoError(t, j.(*Store).RateLimiter("another", 5).Wait(ctx))
}

func counted(t *testing.T, j journal, clock *hands) {
	s := j.(*Store)
	beats := func(owner string) int {
		n, err := s.Heartbeat(t.Context(), owner, 20*time.Second)
		require.NoError(t, err)
		seen, err := s.Replicas(t.Context(), 20*time.Second)
		require.NoError(t, err)
		require.Equal(t, n, seen, "who only looks sees as many")
		return n
	}
	assert.Equal(t, 1, beats("one"))
	assert.Equal(t, 2, beats("two"))
	assert.Equal(t, 2, beats("one"))
	clock.pass(15 * time.Second)
	assert.Equal(t, 2, beats("two"))
	clock.pass(10 * time.Second)
	assert.Equal(t, 1, beats("two"), "one has been silent for too long")
	assert.Equal(t, 2, beats("one"))
	require.NoError(t, s.Unregister(t.Context(), "one"))
	assert.Equal(t, 1, beats("two"))
	require.NoError(t, s.Unregister(t.Context(), "two"))
	left, err := s.Replicas(t.Context(), 20*time.Second)
	require.NoError(t, err)
	assert.Zero(t, left)
}

func found(t *testing.T, j journal, clock *hands) {
	s := j.(*Store)
	began := clock.time()
	for server := range int64(3) {
		clock.pass(time.Second)
		rec := asking(server + 1)
		rec.Quota = cancellation.Quota{Requester: "T0/U0ANA", Day: 1, Slot: server + 1, Most: 9}
		_, err := j.Record(t.Context(), rec)
		require.NoError(t, err)
	}
	stuck, err := j.Live(t.Context(), 2)
	require.NoError(t, err)
	applied(t, j, moved(stuck, cancellation.Stuck))
	servers := func(most int, f inquiry.Filter) (ids []int64) {
		more, err := s.Find(t.Context(), f, most, func(r cancellation.Request) error {
			ids = append(ids, r.Submission.Card.Server.ID)
			return nil
		})
		require.NoError(t, err)
		assert.Equal(t, more, most > 0 && len(ids) == most && most < 3)
		return ids
	}
	in := func(states ...cancellation.State) inquiry.Filter { return inquiry.Filter{States: states} }
	assert.Equal(t, []int64{3, 2, 1}, servers(0, inquiry.Filter{}))
	assert.Equal(t, []int64{3, 2}, servers(2, inquiry.Filter{}))
	assert.Equal(t, []int64{2}, servers(10, in(cancellation.Stuck)))
	assert.Equal(t, []int64{3, 2, 1}, servers(10, in(cancellation.Stuck, cancellation.Scheduled)))
	assert.Equal(t, []int64{2}, servers(10, in(cancellation.Stuck, cancellation.Filed)))
	assert.Empty(t, servers(10, in(cancellation.Filed)))
	assert.Equal(t, []int64{3, 1}, servers(0, inquiry.Filter{Servers: []int64{1, 3, 9}}))
	assert.Equal(t, []int64{3, 2, 1}, servers(0, inquiry.Filter{Requesters: []string{"T0/U0ANA"}}))
	assert.Empty(t, servers(0, inquiry.Filter{Requesters: []string{"T0/U0RAJ"}}))
	between := inquiry.Filter{Since: began.Add(2 * time.Second), Until: began.Add(3 * time.Second)}
	assert.Equal(t, []int64{2}, servers(0, between), "its end is not in it")
	between.States, between.Servers = []cancellation.State{cancellation.Stuck}, []int64{2, 3}
	assert.Equal(t, []int64{2}, servers(0, between))

	named, err := s.ServersNamed(t.Context(), "db-2")
	require.NoError(t, err)
	assert.Equal(t, []int64{2}, named, "by its host name in any domain")
	named, err = s.ServersNamed(t.Context(), "db-2.example.com")
	require.NoError(t, err)
	assert.Equal(t, []int64{2}, named)
	people, err := s.People(t.Context())
	require.NoError(t, err)
	require.Len(t, people, 1)
	assert.Equal(t, []string{"T0", "U0ANA"}, []string{people[0].Team, people[0].ID})
	assert.NotEmpty(t, people[0].Name)
}

func policiesKept(t *testing.T, j journal, clock *hands) {
	s := j.(*Store)
	first := clock.time()
	require.NoError(t, s.KeepPolicy(t.Context(), "d1", "permit"))
	clock.pass(time.Hour)
	require.NoError(t, s.KeepPolicy(t.Context(), "d1", "another text"))
	require.NoError(t, s.KeepPolicy(t.Context(), "d2", "forbid"))
	all, err := s.Policies(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]inquiry.Policy{
		"d1": {Digest: "d1", Text: "permit", Since: first}, "d2": {Digest: "d2", Text: "forbid", Since: first.Add(time.Hour)},
	}, all, "each once, as it was first")
	some, err := s.Policies(t.Context(), "d2", "d3")
	require.NoError(t, err)
	assert.Len(t, some, 1)
	for _, text := range []string{`update policies set text = 'x'`, `delete from policies`} {
		_, err := s.write.ExecContext(t.Context(), text)
		assert.ErrorContains(t, err, "policies are never", text)
	}
	if s.dialect.folder == sqliteDialect.folder { // PostgreSQL has no such statement
		_, err = s.write.ExecContext(t.Context(), `insert or replace into policies (digest, text, first_at) values ('d1', 'x', 1)`)
		require.NoError(t, err)
		all, err = s.Policies(t.Context(), "d1")
		require.NoError(t, err)
		assert.Equal(t, "permit", all["d1"].Text, "nor is it replaced")
	}
}

func overdueOnce(t *testing.T, j journal, clock *hands) {
	overdue := func() (states []cancellation.State) {
		all, err := j.Overdue(t.Context(), 10*time.Minute, cancellation.Request{}, 10)
		require.NoError(t, err)
		for _, o := range all {
			states = append(states, o.Request.State)
		}
		return states
	}
	recorded(t, j, 1) // waits for its time, and owes nobody anything yet
	r := recorded(t, j, 2)
	clock.pass(time.Hour)
	stuck := applied(t, j, moved(r, cancellation.Stuck))
	assert.Empty(t, overdue(), "it came to its state just now")
	owing := recorded(t, j, 3)
	change := moved(owing, cancellation.Filing)
	change.Tell = clock.time()
	applied(t, j, change)
	clock.pass(5 * time.Minute)
	again := moved(stuck, cancellation.Stuck)
	again.To.Why.Detail = "still"
	applied(t, j, again)
	clock.pass(5 * time.Minute)
	assert.Equal(t, []cancellation.State{cancellation.Stuck, cancellation.Filing}, overdue(), "a change within the state does not restart it")
	all, err := j.Overdue(t.Context(), 10*time.Minute, cancellation.Request{}, 1)
	require.NoError(t, err)
	require.Len(t, all, 1, "the oldest")
	assert.Zero(t, all[0].Owed)

	for _, first := range []bool{true, false} {
		got, err := j.Owe(t.Context(), r.ID, cancellation.Alarm, cancellation.Place{Channel: "COPS"})
		require.NoError(t, err)
		assert.Equal(t, first, got)
	}
	for range 2 {
		n, found, _, err := taken(j.ClaimNotices(t.Context(), "teller", lease, 1))
		require.NoError(t, err)
		require.True(t, found)
		if n.Kind == cancellation.Alarm {
			assert.Equal(t, cancellation.Place{Channel: "COPS"}, n.Place)
			assert.Equal(t, r.ID, n.RequestID)
			continue
		}
		assert.Equal(t, cancellation.Result, n.Kind)
		n.Shown, n.Due = 2, time.Time{}
		_, err = j.ApplyNotice(t.Context(), n, false)
		require.NoError(t, err)
	}
	assert.Equal(t, []cancellation.State{cancellation.Stuck, cancellation.Filing}, overdue(), "filing is overdue for its state as well")
}

func noticeAside(t *testing.T, j journal, clock *hands) {
	bad := told(t, j, clock, 1)
	clock.pass(time.Second)
	good := told(t, j, clock, 2)
	alter(t, j.(*Store), `update notices set place = 'not JSON' where request_id = '`+bad.ID+`'`)
	n, found, _, err := taken(j.ClaimNotices(t.Context(), "teller", lease, 1))
	require.NoError(t, err)
	require.True(t, found)
	assert.Equal(t, good.ID, n.RequestID)
	clock.pass(time.Hour)
	all, err := j.Overdue(t.Context(), 10*time.Minute, cancellation.Request{}, 10)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	assert.Equal(t, bad.ID, all[0].Request.ID)
}

func unreadableFound(t *testing.T, j journal, _ *hands) {
	r := recorded(t, j, 1)
	alter(t, j.(*Store), `update requests set submission = 'not JSON' where id = '`+r.ID+`'`)
	claimedNothing(t, j)
	byRef, err := j.ByRef(t.Context(), r.Ref.Short())
	require.ErrorIs(t, err, cancellation.ErrUnreadable)
	assert.Equal(t, cancellation.Stuck, byRef.State)
	assert.Equal(t, cancellation.WhyPoison, byRef.Why.Code)
	assert.Equal(t, r.ID, noticeOf(t, j).RequestID, "people are told that it needs one of them")
	live, err := j.Live(t.Context(), 1)
	require.ErrorIs(t, err, cancellation.ErrUnreadable)
	assert.Equal(t, byRef, live)
	dropped := applied(t, j, moved(byRef, cancellation.Withdrawn))
	assert.Equal(t, cancellation.Withdrawn, dropped.State)
}

func claimedNothing(t *testing.T, j journal) {
	t.Helper()
	_, found, _, err := taken(j.Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	require.False(t, found)
}
