package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func limitPromises() []promise {
	return []promise{
		{"two requests never have one place of a person's day", placesAreTakenOnce},
		{"nobody has a place beyond the last one of a day", placesEnd},
		{"a request whose place is taken gets the next one", placesMoveUp},
		{"places of another day or person are free", placesBelongToADayAndAPerson},
		{"a request keeps how many servers its form and its day had", numbersStay},
		{"a request that moves up counts the servers before it", numbersMoveUp},
		{"a request that names no numbers has its place of the day", numbersOfOlderBuilds},
		{"a request that was decided for its place gets no other", decidedPlacesAreKept},
		{"of many that were decided for one place one gets it", decidedPlacesAreTakenOnce},
		{"a request that replaces another gets the place it was decided for, or replaces nothing", decidedTakeOvers},
		{"the same denial of a day is counted, not stored again", denialsAreCounted},
		{"no more is filed in an hour than may be, and the next hour is free", hoursAreKept},
		{"a filing is given back to the hour that counted it, and to no other", filingsAreGivenBack},
		{"a step to filing that comes too late is not counted", lateStepsCountNothing},
		{"while filing is frozen nothing enters Filing, and what is there goes on", freezeHolds},
		{"what an operator froze nobody in Slack ends, or takes over", operatorsFreezeStands},
		{"of many in Slack whose orders come while an operator freezes none changes that", operatorsFreezeIsSharp},
		{"what a POST may be under way of is listed until its not-after", underWayUntilNotAfter},
		{"of many who begin a filing while a freeze is ordered none does once it is answered", freezeIsSharp},
	}
}

// inPlace is a submission in a place of a person's day.
func inPlace(server int64, who string, day, slot int64) cancellation.Record {
	rec := asking(server)
	rec.Quota = cancellation.Quota{Requester: who, Day: day, Slot: slot, Most: slot}
	return rec
}

func placesAreTakenOnce(t *testing.T, j journal, _ *hands) {
	answers := make([]cancellation.Recorded, 8)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			var err error
			answers[i], err = j.Record(t.Context(), inPlace(int64(i+1), "T0/U0ANA", 1, 1))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	fresh, full := outcomes(answers)
	assert.Equal(t, []int{1, 7}, []int{fresh, full})
	asked, err := j.Asked(t.Context(), "T0/U0ANA", 1)
	require.NoError(t, err)
	assert.EqualValues(t, 1, asked)
}

func placesEnd(t *testing.T, j journal, _ *hands) {
	beyond := inPlace(1, "T0/U0ANA", 1, 3)
	beyond.Quota.Most = 2
	got, err := j.Record(t.Context(), beyond)
	require.NoError(t, err)
	assert.True(t, got.Full)
	_, err = j.Request(t.Context(), beyond.Request.ID)
	require.ErrorIs(t, err, cancellation.ErrNoRequest)
}

// outcomes counts the requests that were recorded, and those whose day was full.
func outcomes(answers []cancellation.Recorded) (fresh, full int) {
	for _, a := range answers {
		if a.Fresh {
			fresh++
		}
		if a.Full {
			full++
		}
	}
	return fresh, full
}

func placesMoveUp(t *testing.T, j journal, _ *hands) {
	var all sync.WaitGroup
	for i := range int64(8) {
		all.Go(func() {
			rec := inPlace(i+1, "T0/U0ANA", 1, 1)
			rec.Quota.Most = 8
			got, err := j.Record(t.Context(), rec)
			assert.NoError(t, err)
			assert.True(t, got.Fresh)
		})
	}
	all.Wait()
	asked, err := j.Asked(t.Context(), "T0/U0ANA", 1)
	require.NoError(t, err)
	assert.EqualValues(t, 8, asked)
}

func placesBelongToADayAndAPerson(t *testing.T, j journal, _ *hands) {
	for i, rec := range []cancellation.Record{
		inPlace(1, "T0/U0ANA", 1, 1), inPlace(2, "T0/U0ANA", 2, 1), inPlace(3, "T0/U0RAJ", 1, 1), inPlace(4, "T0/U0ANA", 1, 2),
	} {
		got, err := j.Record(t.Context(), rec)
		require.NoError(t, err)
		assert.True(t, got.Fresh, "request %d", i)
	}
	asked, err := j.Asked(t.Context(), "T0/U0ANA", 1)
	require.NoError(t, err)
	assert.EqualValues(t, 2, asked)
}

func denialsAreCounted(t *testing.T, j journal, clock *hands) {
	denied := func(server int64, why string) cancellation.Recorded {
		rec := inPlace(server, "T0/U0EVE", 0, 0)
		rec.Request.State, rec.Request.Why.Detail, rec.Event.Kind, rec.Notices = cancellation.Denied, why, cancellation.EventDenied, nil
		got, err := j.Record(t.Context(), rec)
		require.NoError(t, err)
		return got
	}
	first := denied(1, "prod is for the data team")
	again := denied(1, "prod is for the data team")
	assert.Equal(t, first.Request.ID, again.Request.ID)
	assert.Equal(t, 1, again.Request.Repeats)
	assert.Len(t, kinds(t, j, first.Request.ID), 1)
	assert.NotEqual(t, first.Request.ID, denied(1, "another reason").Request.ID)
	assert.NotEqual(t, first.Request.ID, denied(2, "prod is for the data team").Request.ID)
	clock.pass(25 * time.Hour)
	assert.NotEqual(t, first.Request.ID, denied(1, "prod is for the data team").Request.ID, "a day later it is a new one")
}

// numbersOf are how many servers a request's form and its day had, as a policy sees them.
func numbersOf(t *testing.T, j journal, id string) (count, today int64) {
	t.Helper()
	r, err := j.Request(t.Context(), id)
	require.NoError(t, err)
	about := r.Submission.Context(r.Submission.Card.Server, r.CreatedAt)
	return about.Count, about.Today
}

func numbersStay(t *testing.T, j journal, _ *hands) {
	rec := inPlace(1, "T0/U0ANA", 1, 7)
	rec.Request.Submission.Count, rec.Request.Submission.Today = 40, 46
	got, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	assert.Equal(t, []int64{40, 46}, []int64{got.Request.Submission.Count, got.Request.Submission.Today})
	next := moved(got.Request, cancellation.Scheduled)
	next.To.Attempts = 1
	applied(t, j, next)
	count, today := numbersOf(t, j, rec.Request.ID)
	assert.Equal(t, []int64{40, 46}, []int64{count, today})
}

func numbersMoveUp(t *testing.T, j journal, _ *hands) {
	for i, want := range []int64{5, 6, 7} {
		rec := inPlace(int64(i+1), "T0/U0ANA", 1, 5)
		rec.Quota.Most, rec.Request.Submission.Today = 9, 5
		got, err := j.Record(t.Context(), rec)
		require.NoError(t, err)
		assert.Equal(t, want, got.Request.Submission.Today, "request %d", i+1)
		_, today := numbersOf(t, j, rec.Request.ID)
		assert.Equal(t, want, today, "request %d", i+1)
	}
}

func numbersOfOlderBuilds(t *testing.T, j journal, _ *hands) {
	rec := inPlace(1, "T0/U0ANA", 1, 3)
	_, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	count, today := numbersOf(t, j, rec.Request.ID)
	assert.Equal(t, []int64{1, 3}, []int64{count, today})
}

func decidedFor(server, slot int64) cancellation.Record {
	rec := inPlace(server, "T0/U0ANA", 1, slot)
	rec.Quota.Most, rec.Quota.Exact, rec.Request.Submission.Today = 9, true, slot
	return rec
}

func decidedPlacesAreKept(t *testing.T, j journal, _ *hands) {
	for slot := range int64(2) {
		got, err := j.Record(t.Context(), decidedFor(slot+1, slot+1))
		require.NoError(t, err)
		require.True(t, got.Fresh)
	}
	late := decidedFor(3, 1)
	_, err := j.Record(t.Context(), late)
	taken, is := errors.AsType[*cancellation.SlotTakenError](err)
	require.True(t, is, "%v", err)
	assert.Equal(t, cancellation.SlotTakenError{Day: 1, Next: 3}, *taken)
	_, err = j.Request(t.Context(), late.Request.ID)
	require.ErrorIs(t, err, cancellation.ErrNoRequest, "nothing was recorded")

	again, err := j.Record(t.Context(), decidedFor(1, 3))
	require.NoError(t, err)
	assert.NotNil(t, again.Held, "what holds the server is said first")
}

func decidedPlacesAreTakenOnce(t *testing.T, j journal, _ *hands) {
	results := make([]error, 8)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { _, results[i] = j.Record(t.Context(), decidedFor(int64(i+1), 1)) })
	}
	all.Wait()
	recorded := 0
	for _, err := range results {
		if err == nil {
			recorded++
			continue
		}
		taken, is := errors.AsType[*cancellation.SlotTakenError](err)
		require.True(t, is, "%v", err)
		assert.EqualValues(t, 2, taken.Next)
	}
	assert.Equal(t, 1, recorded)
}

func decidedTakeOvers(t *testing.T, j journal, _ *hands) {
	first, err := j.Record(t.Context(), decidedFor(1, 1))
	require.NoError(t, err)
	instead := decidedFor(1, 1)
	ending := moved(first.Request, cancellation.Withdrawn)
	instead.Ending = &ending
	_, err = j.Record(t.Context(), instead)
	_, is := errors.AsType[*cancellation.SlotTakenError](err)
	require.True(t, is, "%v", err)
	live, err := j.Live(t.Context(), 1)
	require.NoError(t, err)
	assert.Equal(t, first.Request.ID, live.ID, "the older stands")

	instead.Quota.Slot, instead.Request.Submission.Today = 2, 2
	got, err := j.Record(t.Context(), instead)
	require.NoError(t, err)
	assert.True(t, got.Fresh)
}

// begins begins the filing of a new request, unless the hour has so many already.
func begins(t testing.TB, j journal, server int64, most int) (filing cancellation.Request, full *cancellation.HourFullError) {
	t.Helper()
	change := moved(recorded(t, j, server), cancellation.Filing)
	change.HourMost = most
	filing, err := j.Apply(t.Context(), change)
	full, isFull := errors.AsType[*cancellation.HourFullError](err)
	if !isFull {
		require.NoError(t, err)
	}
	return filing, full
}

func hoursAreKept(t *testing.T, j journal, clock *hands) {
	for n := range int64(5) {
		_, full := begins(t, j, n, 3)
		assert.Equal(t, n >= 3, full != nil, "filing %d", n+1)
		if full != nil {
			assert.True(t, full.Next.Equal(clock.time().Truncate(time.Hour).Add(time.Hour)), "the next hour")
			r, err := j.Live(t.Context(), n)
			require.NoError(t, err)
			assert.Equal(t, cancellation.Scheduled, r.State)
			assert.Len(t, kinds(t, j, r.ID), 1, "nothing was written")
		}
	}
	clock.pass(time.Hour)
	_, full := begins(t, j, 5, 3)
	assert.Nil(t, full)
}

func lateStepsCountNothing(t *testing.T, j journal, _ *hands) {
	r := recorded(t, j, 1)
	late := moved(r, cancellation.Filing)
	late.HourMost = 1
	renamed := moved(r, cancellation.Scheduled)
	renamed.To.Attempts = 1
	r = applied(t, j, renamed)
	_, err := j.Apply(t.Context(), late)
	require.ErrorIs(t, err, cancellation.ErrMoved)
	intime := moved(r, cancellation.Filing)
	intime.HourMost = 1
	applied(t, j, intime)
}

func filingsAreGivenBack(t *testing.T, j journal, clock *hands) {
	untaken := func(filing cancellation.Request) {
		back := moved(filing, cancellation.Scheduled)
		back.GiveBack = filing.CreatedAt
		applied(t, j, back)
	}
	clock.pass(time.Hour - time.Second)
	first, _ := begins(t, j, 1, 2)
	untaken(first)
	for n := range int64(3) {
		_, full := begins(t, j, 2+n, 2)
		assert.Equal(t, n == 2, full != nil, "filing %d beside the one that was given back", n+1)
	}
	clock.pass(2 * time.Second) // what was counted before the turn of the hour ends after it
	for n := range int64(2) {
		_, full := begins(t, j, 5+n, 2)
		require.Nil(t, full, "filing %d of the next hour", n+1)
	}
	last, err := j.Live(t.Context(), 2)
	require.NoError(t, err)
	untaken(last)
	_, full := begins(t, j, 7, 2)
	assert.NotNil(t, full, "none was given back to the next hour")
}

func freezeHolds(t *testing.T, j journal, _ *hands) {
	before, after := applied(t, j, moved(recorded(t, j, 1), cancellation.Filing)), recorded(t, j, 2)
	require.NoError(t, j.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "T0/U0RAJ", Why: "an outage"}))
	_, err := j.Apply(t.Context(), moved(after, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrFrozen)
	order, err := j.Frozen(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"T0/U0RAJ", "an outage"}, []string{order.Actor, order.Why})
	underWay, err := j.UnderWay(t.Context())
	require.NoError(t, err)
	require.Len(t, underWay, 1)
	assert.Equal(t, before.ID, underWay[0].ID)
	applied(t, j, moved(before, cancellation.Filed))

	require.NoError(t, j.Freeze(t.Context(), cancellation.Freeze{Actor: "T0/U0RAJ", Why: "over"}))
	read, err := j.Request(t.Context(), after.ID)
	require.NoError(t, err)
	applied(t, j, moved(read, cancellation.Filing))
}

func underWayUntilNotAfter(t *testing.T, j journal, clock *hands) {
	listed := func() (servers []int64) {
		all, err := j.UnderWay(t.Context())
		require.NoError(t, err)
		for _, r := range all {
			servers = append(servers, r.Submission.Card.Server.ID)
		}
		return servers
	}
	announced := func(server int64, ends ...cancellation.State) {
		announce := moved(recorded(t, j, server), cancellation.Filing)
		announce.Window = 90 * time.Second
		r := applied(t, j, announce)
		for _, to := range ends {
			step := moved(r, to)
			if to == cancellation.Unknown {
				step.To.LostPosts++
			}
			r = applied(t, j, step)
		}
		clock.pass(time.Second)
	}
	announced(1)
	announced(2, cancellation.Unknown)
	announced(3, cancellation.Stuck)
	announced(4, cancellation.Unknown, cancellation.Stuck, cancellation.Scheduled) // a person said that there is no ticket
	announced(5, cancellation.Scheduled)                                           // SoftLayer took nothing
	announced(6, cancellation.Rejected)
	lost := recorded(t, j, 7) // in a database that may know less than was done
	restored := lost
	restored.Recheck, restored.NotAfter = cancellation.RecheckSettled, clock.time().Add(90*time.Second)
	applied(t, j, cancellation.Change{From: lost, To: restored})
	assert.Equal(t, []int64{1, 2, 3, 4, 7}, listed())
	clock.pass(91 * time.Second)
	assert.Equal(t, []int64{1}, listed(), "what is still being filed is listed until it is settled")
}

func operatorsFreezeStands(t *testing.T, j journal, _ *hands) {
	orders := func(frozen bool, actor string) error {
		return j.Freeze(t.Context(), cancellation.Freeze{Frozen: frozen, Actor: actor, Why: "by " + actor})
	}
	require.NoError(t, orders(true, "T0/U0RAJ"))
	require.NoError(t, orders(true, "operator:root"), "over somebody's in Slack")
	for _, frozen := range []bool{true, false} {
		refused, is := errors.AsType[*cancellation.OperatorsFreezeError](orders(frozen, "T0/U0RAJ"))
		require.True(t, is)
		stands, err := j.Frozen(t.Context())
		require.NoError(t, err)
		assert.Equal(t, cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "by operator:root", At: stands.At, Number: stands.Number}, stands)
		assert.Equal(t, stands, refused.Order, "it says what stands")
	}
	require.NoError(t, orders(true, "operator:ana"))
	require.NoError(t, orders(false, "operator:root"))
	require.NoError(t, orders(true, "T0/U0RAJ"), "what an operator ended is over")
	require.NoError(t, orders(false, "T0/U0EVE"))
}

func operatorsFreezeIsSharp(t *testing.T, j journal, _ *hands) {
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			err := j.Freeze(t.Context(), cancellation.Freeze{Frozen: n%2 == 0, Actor: "T0/U0RAJ", Why: "over"})
			if _, is := errors.AsType[*cancellation.OperatorsFreezeError](err); !is {
				assert.NoError(t, err)
			}
		})
	}
	require.NoError(t, j.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "now"}))
	all.Wait()
	stands, err := j.Frozen(t.Context())
	require.NoError(t, err)
	assert.Equal(t, cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "now", At: stands.At, Number: stands.Number}, stands)
}

func freezeIsSharp(t *testing.T, j journal, _ *hands) {
	var waiting []cancellation.Request
	for server := range int64(40) {
		waiting = append(waiting, recorded(t, j, server+1))
	}
	var all sync.WaitGroup
	for _, r := range waiting {
		all.Go(func() {
			if _, err := j.Apply(t.Context(), moved(r, cancellation.Filing)); err != nil {
				assert.ErrorIs(t, err, cancellation.ErrFrozen)
			}
		})
	}
	require.NoError(t, j.Freeze(t.Context(), cancellation.Freeze{Frozen: true, Actor: "operator:root", Why: "now"}))
	answered, err := j.UnderWay(t.Context())
	require.NoError(t, err)
	all.Wait()
	later, err := j.UnderWay(t.Context())
	require.NoError(t, err)
	assert.Len(t, later, len(answered), "none entered Filing after the freeze was answered")
}

func TestHoursThatArePastAreForgotten(t *testing.T) {
	t.Parallel()
	clock := newHands()
	s := open(t, Options{Path: t.TempDir() + "/bot.db", Clock: clock.time})
	for n := range int64(60) {
		_, full := begins(t, s, n, 3)
		require.Nil(t, full)
		if n%2 == 1 {
			clock.pass(time.Hour)
		}
	}
	var hours int
	require.NoError(t, s.read.QueryRow(`select count(*) from filings`).Scan(&hours))
	assert.Equal(t, 25, hours, "a day's are kept")
}
