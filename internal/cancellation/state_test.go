package cancellation_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestNothingLeavesAnEnd(t *testing.T) {
	t.Parallel()
	causes := []cancellation.Cause{cancellation.BySubmission, cancellation.ByWorker, cancellation.ByPerson, cancellation.ByCard}
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

func TestAPostIsOnlyAnnouncedFromWhereNoneCanBeUnderWay(t *testing.T) {
	t.Parallel()
	for _, from := range cancellation.States() {
		allowed := from == cancellation.Scheduled || from == cancellation.Unknown
		assert.Equal(t, allowed, cancellation.May(from, cancellation.Filing, cancellation.ByWorker), "from %s", from)
		assert.False(t, cancellation.May(from, cancellation.Filing, cancellation.ByPerson), "a person never POSTs: from %s", from)
	}
	assert.False(t, cancellation.May(cancellation.Unknown, cancellation.Scheduled, cancellation.ByWorker), "an unknown outcome never goes back unsettled")
}

func TestALostAnswerNeverEndsInAWordThatNothingWasFiled(t *testing.T) {
	t.Parallel()
	for _, end := range []cancellation.State{cancellation.Rejected, cancellation.Denied, cancellation.Withdrawn} {
		assert.False(t, cancellation.May(cancellation.Unknown, end, cancellation.ByWorker), "unknown to %s", end)
	}
}

func TestMoveRefusesWhatTheTableDoesNotHave(t *testing.T) {
	t.Parallel()
	r := cancellation.Request{State: cancellation.Filed}
	_, err := r.Move(cancellation.Scheduled, cancellation.ByWorker, "")
	require.Error(t, err)
	moved, err := r.Move(cancellation.Reverted, cancellation.ByCard, "closed")
	require.NoError(t, err)
	assert.Equal(t, cancellation.Reverted, moved.State)
	assert.Equal(t, "closed", moved.Why)
}

func TestWhyWordsAreToldFromSoftLayersOwn(t *testing.T) {
	t.Parallel()
	for why, want := range map[string][2]string{
		cancellation.Because(cancellation.WhyChanged, "name"): {cancellation.WhyChanged, "name"},
		cancellation.Because(cancellation.WhyWarned, "x"):     {cancellation.WhyWarned, "x"},
		cancellation.WhyNotFound:                              {cancellation.WhyNotFound, ""},
		"You do not have permission to this service.":         {"", "You do not have permission to this service."},
		"Hardware: cannot be cancelled: contract term":        {"", "Hardware: cannot be cancelled: contract term"},
		cancellation.Because(cancellation.WhyBlocked, "a: b"): {cancellation.WhyBlocked, "a: b"},
		"": {"", ""},
	} {
		word, detail := cancellation.SplitWhy(why)
		assert.Equal(t, want, [2]string{word, detail}, "why %q", why)
	}
}

func TestWhatAPersonTypesIsNeverReadAsAWordOfTheProgram(t *testing.T) {
	t.Parallel()
	for _, word := range []string{
		cancellation.WhyChanged, cancellation.WhyBlocked, cancellation.WhyWarned, cancellation.WhyNotFound, cancellation.WhyTwoLost,
		cancellation.WhyUnclear, cancellation.WhyTicketHidden, cancellation.WhyClosedBlocks, cancellation.WhyCheckFailed, cancellation.WhyPoison,
		cancellation.WhyNeedsApproval, cancellation.WhyWaiting, cancellation.WhyTakenOver, cancellation.WhyTooFew,
	} {
		for _, typed := range []string{word, cancellation.Because(word, "x")} {
			for from, to := range map[cancellation.State]cancellation.State{
				cancellation.Stuck: cancellation.Withdrawn, cancellation.Pending: cancellation.Declined,
			} {
				said, err := cancellation.Request{State: from}.Move(to, cancellation.ByPerson, typed)
				require.NoError(t, err)
				read, detail := cancellation.SplitWhy(said.Why)
				assert.Empty(t, read, typed)
				assert.Equal(t, typed, strings.TrimSpace(detail))
			}
		}
	}
	own, err := cancellation.Request{State: cancellation.Pending}.Move(cancellation.Withdrawn, cancellation.BySubmission, cancellation.WhyTakenOver)
	require.NoError(t, err)
	assert.Equal(t, cancellation.WhyTakenOver, own.Why)
	said, err := cancellation.Request{State: cancellation.Stuck}.Move(cancellation.Withdrawn, cancellation.ByPerson, "we looked: none")
	require.NoError(t, err)
	assert.Equal(t, "we looked: none", said.Why, "as it was typed")
}
