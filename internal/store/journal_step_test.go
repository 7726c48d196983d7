package store

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func stepPromises() []promise {
	return []promise{
		{"a step changes the row and writes its event, and nothing that was submitted", stepWritesBoth},
		{"a step to filing keeps when its POST is sent, and until when it may be", filingKeepsItsMoment},
		{"of two steps from one version one is taken", oneStep},
		{"a step that the state table does not have is refused", noSuchStep},
		{"a step from nothing, or of another request, is refused", stepOfAnother},
		{"a step of a request that is not there says so", stepOfNone},
		{"a note adds to the history and moves nothing", noteMovesNothing},
		{"notes from many writers are all kept, in one order", notesInOrder},
		{"a step may say how long after it the next is due", dueAfterTheStep},
		{"a wait with no event leaves the history as it is", waitWithoutEvent},
	}
}

func dueAfterTheStep(t *testing.T, j journal, clock *hands) {
	r := recorded(t, j, 42)
	clock.pass(time.Hour)
	change := moved(r, cancellation.Unknown)
	change.From, change.To.State, change.DueIn = r, r.State, time.Minute
	assert.Equal(t, clock.time().Add(time.Minute), applied(t, j, change).Due)
}

func stepWritesBoth(t *testing.T, j journal, clock *hands) {
	r := recorded(t, j, 42)
	clock.pass(time.Second)
	change := moved(r, cancellation.Filing)
	change.To.Posts, change.To.NotAfter = 1, clock.time().Add(90*time.Second)
	change.To.SentAt = clock.time().Add(-time.Hour)
	change.To.CleanSince, change.To.Evidence, change.To.Recheck = clock.time(), 77, cancellation.RecheckSettled
	change.To.Why, change.To.Attempts, change.To.LostPosts, change.To.PostsAllowed = cancellation.Reason{Code: cancellation.WhyFrozen, Detail: "because", By: "T1/U2"}, 3, 1, 5
	change.To.Decision.Rule, change.To.Ticket = "another-rule", cancellation.TicketID{ID: 9, Number: "CS9"}
	change.To.Submission.Content = "something else"
	stored := applied(t, j, change)

	want := change.To
	want.Submission.Content = r.Submission.Content
	want.Version, want.Since, want.UpdatedAt = r.Version+1, clock.time(), clock.time()
	assert.Equal(t, want, stored)
	read, err := j.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, want, read)

	events, err := j.Events(t.Context(), r.ID)
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.Equal(t, cancellation.Event{
		Kind: cancellation.EventMoved, At: clock.time(), Actor: "worker",
		From: cancellation.Scheduled, To: cancellation.Filing, Detail: "to filing",
	}, events[1])
}

func filingKeepsItsMoment(t *testing.T, j journal, clock *hands) {
	change := moved(recorded(t, j, 42), cancellation.Filing)
	clock.pass(time.Second)
	sent := clock.time()
	change.Window = 90 * time.Second
	r := applied(t, j, change)
	clock.pass(time.Hour)
	r = applied(t, j, moved(r, cancellation.Filed))
	read, err := j.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, sent, read.SentAt)
	assert.Equal(t, sent.Add(90*time.Second), read.NotAfter)
}

func oneStep(t *testing.T, j journal, _ *hands) {
	r := recorded(t, j, 42)
	answers := atOnce(16, func() (cancellation.Request, error) { return j.Apply(t.Context(), moved(r, cancellation.Filing)) })
	var taken int
	for _, a := range answers {
		if a.err == nil {
			taken++
			continue
		}
		assert.ErrorIs(t, a.err, cancellation.ErrMoved)
	}
	assert.Equal(t, 1, taken)
	assert.Equal(t, []string{"submitted", "moved"}, kinds(t, j, r.ID))
}

func noSuchStep(t *testing.T, j journal, _ *hands) {
	r := filed(t, j, 42)
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Scheduled, cancellation.New, "made-up"} {
		_, err := j.Apply(t.Context(), moved(r, to))
		require.ErrorContains(t, err, "the state table has no step", "to %q", to)
	}
	read, err := j.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, read)
}

func stepOfAnother(t *testing.T, j journal, _ *hands) {
	one, other := recorded(t, j, 42), recorded(t, j, 43)
	change := moved(one, cancellation.Filing)
	change.To.ID = other.ID
	_, err := j.Apply(t.Context(), change)
	require.ErrorContains(t, err, "another request")
	change = moved(one, cancellation.Denied)
	change.From.State = cancellation.New
	_, err = j.Apply(t.Context(), change)
	require.ErrorContains(t, err, "not recorded yet")
}

func stepOfNone(t *testing.T, j journal, _ *hands) {
	r := asking(42).Request
	r.Version = 1
	_, err := j.Apply(t.Context(), moved(r, cancellation.Filing))
	require.ErrorIs(t, err, cancellation.ErrNoRequest)
	require.ErrorIs(t, j.Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventAskedAgain}), cancellation.ErrNoRequest)
}

func noteMovesNothing(t *testing.T, j journal, clock *hands) {
	r := recorded(t, j, 42)
	clock.pass(time.Minute)
	event := cancellation.Event{Kind: cancellation.EventAskedAgain, Actor: "T0/U0RAJ", Detail: "No longer needed"}
	require.NoError(t, j.Note(t.Context(), r.ID, event))
	read, err := j.Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, read)
	events, err := j.Events(t.Context(), r.ID)
	require.NoError(t, err)
	event.At, event.From, event.To = clock.time(), cancellation.Scheduled, cancellation.Scheduled
	assert.Equal(t, event, events[1])
}

func notesInOrder(t *testing.T, j journal, _ *hands) {
	r := recorded(t, j, 42)
	answers := atOnce(20, func() (struct{}, error) {
		return struct{}{}, j.Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventLateAnswer})
	})
	for _, a := range answers {
		require.NoError(t, a.err)
	}
	want := append([]string{"submitted"}, slices.Repeat([]string{"late-answer"}, 20)...)
	assert.Equal(t, want, kinds(t, j, r.ID))
}

func waitWithoutEvent(t *testing.T, j journal, clock *hands) {
	r := recorded(t, j, 42)
	change := moved(r, cancellation.Scheduled)
	change.Event, change.To.Due = cancellation.Event{}, clock.time().Add(time.Minute)
	assert.Equal(t, change.To.Due, applied(t, j, change).Due)
	assert.Equal(t, []string{"submitted"}, kinds(t, j, r.ID))

	change = moved(r, cancellation.Filing)
	change.Event = cancellation.Event{}
	_, err := j.Apply(t.Context(), change)
	require.ErrorContains(t, err, "needs an event")
}
