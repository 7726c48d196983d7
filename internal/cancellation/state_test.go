package cancellation_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestNothingLeavesAnEnd(t *testing.T) {
	t.Parallel()
	causes := []cancellation.Cause{cancellation.BySubmission, cancellation.ByWorker, cancellation.ByPerson, cancellation.ByCard, cancellation.ByFollower}
	for _, from := range cancellation.States() {
		for _, to := range cancellation.States() {
			for _, by := range causes {
				if !from.Live() {
					assert.False(t, cancellation.May(from, to, by), "%s is an end, yet %s may make it %s", from, by, to)
				}
			}
		}
	}
}

func TestPostIsAnnouncedOnlyWithNoneUnderWay(t *testing.T) {
	t.Parallel()
	for _, from := range cancellation.States() {
		allowed := from == cancellation.Scheduled || from == cancellation.Unknown
		assert.Equal(t, allowed, cancellation.May(from, cancellation.Filing, cancellation.ByWorker), "from %s", from)
		assert.False(t, cancellation.May(from, cancellation.Filing, cancellation.ByPerson), "a person never POSTs: from %s", from)
	}
	assert.False(t, cancellation.May(cancellation.Unknown, cancellation.Scheduled, cancellation.ByWorker), "an unknown outcome never goes back unsettled")
}

func TestLostAnswerNeverEndsAsNothingFiled(t *testing.T) {
	t.Parallel()
	for _, end := range []cancellation.State{cancellation.Rejected, cancellation.Denied, cancellation.Withdrawn} {
		assert.False(t, cancellation.May(cancellation.Unknown, end, cancellation.ByWorker), "unknown to %s", end)
	}
}

func TestMoveRefusesWhatTheTableDoesNotHave(t *testing.T) {
	t.Parallel()
	r := cancellation.Request{State: cancellation.Filed}
	_, err := r.Move(cancellation.Scheduled, cancellation.ByWorker, cancellation.Reason{})
	require.Error(t, err)
	moved, err := r.Move(cancellation.Reverted, cancellation.ByFollower, cancellation.Reason{Detail: "closed"})
	require.NoError(t, err)
	assert.Equal(t, cancellation.Reverted, moved.State)
	assert.Equal(t, "closed", moved.Why.Detail)
}

func TestReasonReadsAsOneLine(t *testing.T) {
	t.Parallel()
	for want, reason := range map[string]cancellation.Reason{
		"":                     {},
		"server-not-found":     {Code: cancellation.WhyNotFound},
		"server-changed: name": {Code: cancellation.WhyChanged, Detail: "name"},
		"filing-frozen: operator:root: an outage": {Code: cancellation.WhyFrozen, Detail: "an outage", By: "operator:root"},
		"ticket-on-a-word: operator:root":         {Code: cancellation.WhyUnseen, By: "operator:root"},
		"waiting: typed by a person":              {Detail: "waiting: typed by a person", By: "T1/U2"},
	} {
		assert.Equal(t, want, reason.String())
		assert.Equal(t, want, reason.LogValue().String(), "in a log of any form")
	}
}
