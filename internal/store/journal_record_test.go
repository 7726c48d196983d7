package store

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func recordPromises() []promise {
	return []promise{
		{"what was recorded reads back whole, by id, by reference and by server", readsBack},
		{"a scheduled request with no due time is due now", dueNow},
		{"the response_url stays out of the request", noCapability},
		{"of 64 people asking for one server at once one holds it and the others learn whose it is", oneServer},
		{"one submission delivered many times at once is one request", oneSubmission},
		{"a denial holds no server and blocks no correction", denialBlocksNothing},
		{"a reference whose short form is taken is drawn again", referenceTaken},
		{"ending the old request and recording the new one is one step", takingOver},
		{"a new request that would end one that moved is not recorded", takingOverMoved},
		{"a take-over delivered twice is one request", takingOverTwice},
		{"a request that no submission leads to is refused", onlyFirstStates},
	}
}

func readsBack(t *testing.T, j journal, clock *hands) {
	rec := asking(42)
	rec.Request.Due = clock.time().Add(time.Minute)
	got, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	require.True(t, got.Fresh)
	assert.Nil(t, got.Held)

	want := rec.Request
	want.Format, want.Version = want.WrittenFormat(), 1
	want.CreatedAt, want.Since, want.UpdatedAt = clock.time(), clock.time(), clock.time()
	want.Submission.Place.ResponseURL, want.Submission.Place.ResponseURLUntil = "", time.Time{}
	byID, err := j.Request(t.Context(), want.ID)
	require.NoError(t, err)
	byRef, err := j.ByRef(t.Context(), want.Ref.Short())
	require.NoError(t, err)
	live, err := j.Live(t.Context(), 42)
	require.NoError(t, err)
	for _, read := range []cancellation.Request{got.Request, byID, byRef, live} {
		assert.Equal(t, want, read)
	}

	events, err := j.Events(t.Context(), want.ID)
	require.NoError(t, err)
	assert.Equal(t, []cancellation.Event{{
		Kind: cancellation.EventSubmitted, At: clock.time(), Actor: "T0/U0ANA",
		From: cancellation.New, To: cancellation.Scheduled, Detail: "ops-cancel",
	}}, events)
	_, err = j.Request(t.Context(), "no such id")
	assert.ErrorIs(t, err, cancellation.ErrNoRequest)
	_, err = j.ByRef(t.Context(), "0000-0000")
	assert.ErrorIs(t, err, cancellation.ErrNoRequest)
	_, err = j.Live(t.Context(), 43)
	assert.ErrorIs(t, err, cancellation.ErrNoRequest)
}

func dueNow(t *testing.T, j journal, clock *hands) {
	assert.Equal(t, clock.time(), recorded(t, j, 42).Due)
}

func noCapability(t *testing.T, j journal, _ *hands) {
	r := recorded(t, j, 42)
	assert.Empty(t, r.Submission.Place.ResponseURL)
}

func oneServer(t *testing.T, j journal, _ *hands) {
	answers := atOnce(64, func() (cancellation.Recorded, error) { return j.Record(t.Context(), asking(42)) })
	live, err := j.Live(t.Context(), 42)
	require.NoError(t, err)
	var fresh int
	for _, a := range answers {
		require.NoError(t, a.err)
		if a.got.Fresh {
			fresh++
			assert.Equal(t, live, a.got.Request)
			continue
		}
		require.NotNil(t, a.got.Held)
		assert.Equal(t, live, *a.got.Held)
	}
	assert.Equal(t, 1, fresh)
}

func oneSubmission(t *testing.T, j journal, _ *hands) {
	rec := asking(42)
	answers := atOnce(16, func() (cancellation.Recorded, error) { return j.Record(t.Context(), rec) })
	var fresh int
	for _, a := range answers {
		require.NoError(t, a.err)
		assert.Nil(t, a.got.Held)
		assert.Equal(t, rec.Request.Ref, a.got.Request.Ref)
		if a.got.Fresh {
			fresh++
		}
	}
	assert.Equal(t, 1, fresh)
	assert.Len(t, kinds(t, j, rec.Request.ID), 1, "one event for one request")
}

func denialBlocksNothing(t *testing.T, j journal, _ *hands) {
	denied := asking(42)
	denied.Request.State, denied.Request.Why.Detail = cancellation.Denied, "not yours"
	denied.Event.Kind, denied.Notices = cancellation.EventDenied, nil
	got, err := j.Record(t.Context(), denied)
	require.NoError(t, err)
	require.True(t, got.Fresh)
	_, err = j.Live(t.Context(), 42)
	require.ErrorIs(t, err, cancellation.ErrNoRequest)

	recorded(t, j, 42)
	second := asking(42)
	second.Request.State = cancellation.Denied
	got, err = j.Record(t.Context(), second)
	require.NoError(t, err)
	assert.True(t, got.Fresh, "a denial is recorded beside a live request")
}

func referenceTaken(t *testing.T, j journal, _ *hands) {
	first := recorded(t, j, 42)
	rec := asking(43)
	rec.Request.Ref = first.Ref[:8] + "ZZZZZZZZZZZZZZZZZZ"
	got, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	require.True(t, got.Fresh)
	assert.NotEqual(t, first.Ref.Short(), got.Request.Ref.Short())
	byRef, err := j.ByRef(t.Context(), got.Request.Ref.Short())
	require.NoError(t, err)
	assert.Equal(t, got.Request, byRef)
}

// succeeding is a submission that ends an older request for its server.
func succeeding(old cancellation.Request) cancellation.Record {
	rec := asking(old.Submission.Card.Server.ID)
	ending := moved(old, cancellation.Reverted)
	ending.Event.Kind = cancellation.EventEvidence
	rec.Ending = &ending
	return rec
}

func takingOver(t *testing.T, j journal, _ *hands) {
	old := filed(t, j, 42)
	rec := succeeding(old)
	got, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	require.True(t, got.Fresh)
	ended, err := j.Request(t.Context(), old.ID)
	require.NoError(t, err)
	assert.Equal(t, cancellation.Reverted, ended.State)
	assert.Equal(t, "evidence", kinds(t, j, old.ID)[3])
	live, err := j.Live(t.Context(), 42)
	require.NoError(t, err)
	assert.Equal(t, rec.Request.ID, live.ID)
}

func takingOverMoved(t *testing.T, j journal, _ *hands) {
	old := filed(t, j, 42)
	rec := succeeding(old)
	standing := applied(t, j, moved(old, cancellation.Stuck))
	_, err := j.Record(t.Context(), rec)
	require.ErrorIs(t, err, cancellation.ErrMoved)
	_, err = j.Request(t.Context(), rec.Request.ID)
	require.ErrorIs(t, err, cancellation.ErrNoRequest)
	live, err := j.Live(t.Context(), 42)
	require.NoError(t, err)
	assert.Equal(t, standing, live)
}

func takingOverTwice(t *testing.T, j journal, _ *hands) {
	rec := succeeding(filed(t, j, 42))
	answers := atOnce(8, func() (cancellation.Recorded, error) { return j.Record(t.Context(), rec) })
	var fresh int
	for _, a := range answers {
		require.NoError(t, a.err)
		assert.Equal(t, rec.Request.ID, a.got.Request.ID)
		if a.got.Fresh {
			fresh++
		}
	}
	assert.Equal(t, 1, fresh)
}

func onlyFirstStates(t *testing.T, j journal, _ *hands) {
	rec := asking(42)
	rec.Request.State = cancellation.Filed
	_, err := j.Record(t.Context(), rec)
	require.ErrorContains(t, err, "no submission leads to")
	_, err = j.Request(t.Context(), rec.Request.ID)
	assert.ErrorIs(t, err, cancellation.ErrNoRequest)
}

type result[T any] struct {
	got T
	err error
}

// atOnce calls from many goroutines that start together.
func atOnce[T any](callers int, call func() (T, error)) []result[T] {
	answers := make([]result[T], callers)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			<-start
			answers[i].got, answers[i].err = call()
		})
	}
	close(start)
	all.Wait()
	return answers
}
