package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

const everyHour = time.Hour

func TestFollowedRequestsAreKeptOnBothDatabases(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		keepsFollowed(t, func(t *testing.T) Options { return Options{Path: migratedFile(t)} })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		all := postgrestest.NewSchemas(t, migratedSchema)
		keepsFollowed(t, func(t *testing.T) Options { return Options{URL: all.Take(t)} })
	})
}

func keepsFollowed(t *testing.T, options func(t *testing.T) Options) {
	for says, holds := range map[string]func(t *testing.T, one, other *Store, clock *hands){
		"one replica at a time has the turn":                     oneFollows,
		"the one looked at longest ago comes first":              longestAgoFirst,
		"a look and the step that it leads to are one":           lookAndStep,
		"news is owed once to a person, and what waits is known": newsOnce,
		"an answer is waited for until it is settled":            waitIsSettled,
		"a request that changed meanwhile is left as it is":      movedMeanwhile,
		"without the turn nothing is recorded":                   noTurnNoLook,
		"a card's sighting brings the next look forward":         sightBringsForward,
		"a request that ended otherwise is not looked at":        endedOtherwise,
		"a clock that was ahead keeps no request from its looks": clockWasAhead,
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			clock, o := newHands(), options(t)
			o.Clock = clock.time
			holds(t, open(t, o), open(t, o), clock)
		})
	}
}

// filedOne records a request and files it.
func filedOne(t *testing.T, s *Store, server int64) cancellation.Request {
	t.Helper()
	r := applied(t, s, moved(recorded(t, s, server), cancellation.Filing))
	return applied(t, s, moved(r, cancellation.Filed))
}

func turnOf(t *testing.T, s *Store, owner string) cancellation.FollowTurn {
	t.Helper()
	turn, err := s.FollowTurn(t.Context(), owner, everyHour, turn)
	require.NoError(t, err)
	return turn
}

func dueFor(t *testing.T, s *Store, began time.Time, most int) []cancellation.Followed {
	t.Helper()
	due, err := s.DueLooks(t.Context(), began, most)
	require.NoError(t, err)
	return due
}

func oneFollows(t *testing.T, one, other *Store, clock *hands) {
	first := turnOf(t, one, "one")
	assert.True(t, first.Mine)
	assert.Equal(t, clock.time(), first.Began.UTC())
	assert.False(t, turnOf(t, other, "two").Mine)
	clock.pass(turn + time.Second)
	second := turnOf(t, other, "two")
	assert.True(t, second.Mine, "it is dead")
	assert.Equal(t, first.Began, second.Began, "the same pass goes on")
	clock.pass(everyHour)
	assert.True(t, turnOf(t, other, "two").Began.After(first.Began))
}

func longestAgoFirst(t *testing.T, one, _ *Store, clock *hands) {
	a, b, c := filedOne(t, one, 1), filedOne(t, one, 2), filedOne(t, one, 3)
	pass := turnOf(t, one, "one")
	require.Len(t, dueFor(t, one, pass.Began, 100), 3)
	for _, r := range []cancellation.Request{c, a, b} {
		clock.pass(time.Second)
		require.NoError(t, one.KeepLooks(t.Context(), "one", []string{r.ID}, nil))
	}
	assert.Empty(t, dueFor(t, one, pass.Began, 100), "each was looked at")
	clock.pass(everyHour)
	var order []string
	for _, f := range dueFor(t, one, turnOf(t, one, "one").Began, 2) {
		order = append(order, f.Request.ID)
	}
	assert.Equal(t, []string{c.ID, a.ID}, order)
}

func lookAndStep(t *testing.T, one, other *Store, clock *hands) {
	r := filedOne(t, one, 1)
	pass := turnOf(t, one, "one")
	f := dueFor(t, one, pass.Began, 1)[0]
	again := clock.time().Add(15 * time.Minute)
	line := cancellation.Said(cancellation.Line{What: cancellation.LineStaff, Update: 7})
	first := cancellation.Look{
		Followed: f, Known: []byte(`{"Update":7}`), Again: again, Notes: []cancellation.Event{{Kind: cancellation.EventFollowed, Actor: "follower"}},
		Owe: []cancellation.Notice{{Kind: line, Place: cancellation.Place{Channel: "C1", Thread: "1.1"}}},
	}
	require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{first}))
	require.Error(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{first}), "what is known has another revision")
	clock.pass(16 * time.Minute)
	turnOf(t, one, "one")
	due := dueFor(t, other, pass.Began, 1)
	require.Len(t, due, 1, "it is looked at again")
	assert.JSONEq(t, `{"Update":7}`, string(due[0].Known))
	assert.Equal(t, again, due[0].Again)

	end := moved(due[0].Request, cancellation.Reclaimed)
	require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{{Followed: due[0], Known: due[0].Known, Change: &end}}))
	stored, err := other.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Reclaimed, stored.State)
	clock.pass(2 * everyHour)
	assert.Empty(t, dueFor(t, one, turnOf(t, one, "one").Began, 1))
	notices, err := one.Notices(t.Context(), r.ID)
	require.NoError(t, err)
	lines := 0
	for _, n := range notices {
		if n.Kind == line {
			lines++
			assert.Equal(t, "1.1", n.Place.Thread)
		}
	}
	assert.Equal(t, 1, lines, "a line is owed once")
	events, err := one.Events(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Len(t, events, 5)
}

func movedMeanwhile(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	pass := turnOf(t, one, "one")
	f := dueFor(t, one, pass.Began, 1)[0]
	applied(t, one, moved(r, cancellation.Filed)) // another version
	end := moved(f.Request, cancellation.Reclaimed)
	clock.pass(time.Second)
	require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{
		{Followed: f, Known: []byte(`{"Update":7}`), Change: &end}, {Followed: f, Known: []byte(`{"Update":8}`)},
	}))
	stored, err := one.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Filed, stored.State)
	assert.Empty(t, dueFor(t, one, pass.Began, 1), "it is looked at in its turn")
}

func noTurnNoLook(t *testing.T, one, other *Store, clock *hands) {
	filedOne(t, one, 1)
	pass := turnOf(t, one, "one")
	clock.pass(turn + time.Second)
	turnOf(t, other, "two")
	f := dueFor(t, one, pass.Began, 1)[0]
	end := moved(f.Request, cancellation.Reclaimed)
	require.ErrorIs(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{{Followed: f, Change: &end}}), ErrNotOurTurn)
	assert.Len(t, dueFor(t, one, pass.Began, 1), 1)
}

func sightBringsForward(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	sight := func() {
		require.NoError(t, one.Sight(t.Context(), r.ID, cancellation.ServerGone.Event("card"), cancellation.SightingGap))
	}
	sight()
	pass := turnOf(t, one, "one")
	clock.pass(time.Second)
	require.NoError(t, one.KeepLooks(t.Context(), "one", []string{r.ID}, nil))
	clock.pass(5 * time.Minute)
	sight() // it does not put off what was to come
	assert.Empty(t, dueFor(t, one, pass.Began, 1))
	clock.pass(10 * time.Minute)
	assert.Len(t, dueFor(t, one, pass.Began, 1), 1)
	seen, since := lastOf(t, one, r)
	assert.Equal(t, cancellation.ServerGone, seen)
	assert.Equal(t, clock.time().Add(-15*time.Minute-time.Second), since.UTC())
}

func lastOf(t *testing.T, s *Store, r cancellation.Request) (cancellation.Sighting, time.Time) {
	t.Helper()
	events, err := s.Events(t.Context(), r.ID)
	require.NoError(t, err)
	return cancellation.LastSighting(events)
}

func endedOtherwise(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	pass := turnOf(t, one, "one")
	require.Len(t, dueFor(t, one, pass.Began, 1), 1)
	stuck := applied(t, one, moved(r, cancellation.Stuck))
	assert.Empty(t, dueFor(t, one, pass.Began, 1))
	clock.pass(everyHour)
	turnOf(t, one, "one")
	applied(t, one, moved(stuck, cancellation.Filed))
	clock.pass(everyHour)
	assert.Len(t, dueFor(t, one, turnOf(t, one, "one").Began, 1), 1, "filed again, it is followed again")
}

func clockWasAhead(t *testing.T, one, _ *Store, clock *hands) {
	r := filedOne(t, one, 1)
	clock.pass(24 * time.Hour)
	turnOf(t, one, "one")
	require.NoError(t, one.KeepLooks(t.Context(), "one", []string{r.ID}, nil))
	clock.pass(-23 * time.Hour)
	assert.True(t, turnOf(t, one, "one").Began.Equal(clock.time()), "a new pass begins")
	assert.Len(t, dueFor(t, one, clock.time(), 1), 1)
}

func newsOnce(t *testing.T, one, _ *Store, clock *hands) {
	filedOne(t, one, 1)
	first := turnOf(t, one, "one")
	waits := clock.time().Add(-time.Hour)
	news := []cancellation.News{{To: "U1", Kind: cancellation.NewsWaits, Detail: "50"}, {To: "U2", Kind: cancellation.NewsWaits, Detail: "50"}}
	for range 2 {
		due := dueFor(t, one, first.Began.Add(time.Millisecond), 10)
		require.Len(t, due, 1)
		require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{{Followed: due[0], Known: []byte(`{}`), Waits: waits, News: news}}))
		clock.pass(everyHour)
		first = turnOf(t, one, "one")
	}
	due := dueFor(t, one, first.Began, 10)
	require.Len(t, due, 1)
	assert.Equal(t, waits, due[0].Waits.UTC())
	var told int
	require.NoError(t, one.read.QueryRowContext(t.Context(), `select count(*) from news`).Scan(&told))
	assert.Equal(t, 2, told)
	require.NoError(t, one.KeepLooks(t.Context(), "one", nil, []cancellation.Look{{Followed: due[0], Known: []byte(`{}`)}}))
	clock.pass(everyHour)
	due = dueFor(t, one, turnOf(t, one, "one").Began, 10)
	require.Len(t, due, 1)
	assert.Zero(t, due[0].Waits)
}

// lookThatWaits records a look at the one request, which found that SoftLayer waits for an answer.
func lookThatWaits(t *testing.T, s *Store, clock *hands, asks int64) {
	t.Helper()
	clock.pass(everyHour)
	due := dueFor(t, s, turnOf(t, s, "one").Began.Add(time.Millisecond), 10)
	require.Len(t, due, 1)
	look := cancellation.Look{Followed: due[0], Known: []byte(`{}`), Asks: asks}
	if asks > 0 {
		look.Waits = clock.time()
	}
	require.NoError(t, s.KeepLooks(t.Context(), "one", nil, []cancellation.Look{look}))
}

func dueWait(t *testing.T, s *Store) cancellation.Wait {
	t.Helper()
	due, _, err := s.DueWaits(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, due, 1)
	return due[0]
}

func noWait(t *testing.T, s *Store, why string) {
	t.Helper()
	due, _, err := s.DueWaits(t.Context(), 10)
	require.NoError(t, err)
	assert.Empty(t, due, why)
}

func waitIsSettled(t *testing.T, one, other *Store, clock *hands) {
	r := filedOne(t, one, 1)
	lookThatWaits(t, one, clock, 5)
	first := dueWait(t, other)
	assert.Equal(t, int64(5), first.Asks)
	assert.Zero(t, first.Told)
	assert.Zero(t, first.Next)
	step := cancellation.WaitStep{Wait: first, Told: 5, Next: clock.time().Add(3 * everyHour), News: []cancellation.News{{To: "U1", Kind: cancellation.NewsWaits, Detail: "5"}}}
	require.NoError(t, one.KeepWait(t.Context(), step))
	require.ErrorIs(t, other.KeepWait(t.Context(), step), cancellation.ErrMoved, "another replica told it")
	noWait(t, one, "the reminder is for later")

	lookThatWaits(t, one, clock, 5)
	noWait(t, one, "the same update is told once")
	lookThatWaits(t, one, clock, 7)
	second := dueWait(t, one)
	assert.Equal(t, []any{int64(7), int64(5)}, []any{second.Asks, second.Told})
	assert.Equal(t, step.Next.UTC(), second.Next, "another update does not put off the reminder")

	event := cancellation.Event{Kind: cancellation.EventFollowed, Actor: "T/U1", Detail: "settled"}
	require.NoError(t, one.SettleWait(t.Context(), r.ID, 5, event, "k1"))
	assert.Equal(t, int64(7), dueWait(t, one).Asks, "staff wrote after what was settled")
	require.ErrorIs(t, one.SettleWait(t.Context(), r.ID, 5, event, "k2"), cancellation.ErrMoved)
	require.NoError(t, one.SettleWait(t.Context(), r.ID, 7, event, "k3"))
	require.ErrorIs(t, other.SettleWait(t.Context(), r.ID, 7, event, "k3"), cancellation.ErrRepeated)
	noWait(t, one, "nothing needs an answer")
	lookThatWaits(t, one, clock, 7)
	noWait(t, one, "though the flag stands")
	clock.pass(everyHour)
	due := dueFor(t, one, turnOf(t, one, "one").Began.Add(time.Millisecond), 10)
	require.Len(t, due, 1)
	assert.Equal(t, int64(7), due[0].Settled)
	assert.Zero(t, due[0].Waits)
	lookThatWaits(t, one, clock, 9)
	again := dueWait(t, one)
	assert.Equal(t, []any{int64(9), 0}, []any{again.Asks, again.Reminders})
	assert.Zero(t, again.Next, "the days count anew")
	lookThatWaits(t, one, clock, 0)
	noWait(t, one, "it was answered")
	events, err := one.Events(t.Context(), r.ID)
	require.NoError(t, err)
	settled := 0
	for _, e := range events {
		if e.Detail == "settled" {
			settled++
		}
	}
	assert.Equal(t, 2, settled)
}
