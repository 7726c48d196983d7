//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// typedCount is the confirmation of a review.
func (w *world) typedCount(review modal, typed string) fakeslack.Values {
	w.t.Helper()
	return fakeslack.Values{w.countBlock(review): {"count": {"type": "plain_text_input", "value": typed}}}
}

// approved has the approver approve all of a list that waits in the channel, by words of its message.
func (w *world) approved(words ...string) message {
	w.t.Helper()
	waits := w.awaitMessage(w.cast.Channel, words...)
	w.press(w.cast.Approver, waits, "batch-approve")
	require.Empty(w.t, w.says(w.cast.Approver, nil).Error)
	return waits
}

func TestListSubmittedTwiceIsOneBatch(t *testing.T) {
	atOneAndAtThree(t, bySocket, byHTTP, lists(), func(t *testing.T, w *world) {
		const many = 8
		ids, names := w.some(many)
		review := w.pasted(w.cast.Requester, names, many)
		before := len(w.calls("view_submission"))
		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultTwiceAtOnce, 1))
		require.Empty(t, w.confirms(w.cast.Requester, review, "8").Error)
		sent := func() []fakeslack.Exchange { return w.calls("view_submission")[before:] }
		require.Len(t, sent(), 2)
		assert.Equal(t, map[string]int{"pending": many}, w.recorded())
		waits := w.awaitMessage(w.cast.Channel, "8 waiting for approval")
		w.eventually("where it stands is recorded", func() bool { return w.counted("select count(*) from notices where ts <> ''") == 1 })

		w.kill()
		w.start() // it remembers no delivery
		w.awaitReady()
		for _, sameBytes := range []bool{true, false} {
			_, err := w.slack.Replay(t.Context(), sent()[0].Delivery, sameBytes)
			require.NoError(t, err)
		}
		require.Len(t, sent(), 4)
		for _, e := range sent() {
			assert.Contains(t, string(e.Response), "Asked for 8 servers")
			assert.JSONEq(t, string(sent()[0].Response), string(e.Response), "each delivery gets the same answer")
		}
		assert.Equal(t, map[string]int{"pending": many}, w.recorded())
		assert.Len(t, w.roots(w.cast.Channel), 1)

		w.press(w.cast.Approver, waits, "batch-approve")
		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultTwiceAtOnce, 1))
		require.Empty(t, w.says(w.cast.Approver, nil).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 8 servers.")
		_, err := w.slack.Replay(t.Context(), sent()[0].Delivery, false)
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"filed": many}, w.recorded())
		assert.Len(t, w.roots(w.cast.Channel), 1)
		w.filedOnce(ids...)
		assert.Len(t, w.posts(), many)
		assert.Empty(t, w.broken())
	})
}

func TestOverlappingListsFileNoServerTwice(t *testing.T) {
	atOneAndAtThree(t, byHTTP, bySocket, lists(), func(t *testing.T, w *world) {
		shared, sharedNames := w.some(3)
		people := []string{w.cast.Requester, w.cast.Hostile}
		called := map[string]string{w.cast.Requester: "ben", w.cast.Hostile: "<!channel> & co"}
		var all []int64
		reviews := map[string]modal{}
		for _, user := range people {
			own, names := w.some(2)
			all = append(all, own...)
			reviews[user] = w.pasted(user, names+"\n"+sharedNames, 5)
		}
		atOnce(
			func() { w.sends(people[0], reviews[people[0]], w.typedCount(reviews[people[0]], "5")) },
			func() { w.sends(people[1], reviews[people[1]], w.typedCount(reviews[people[1]], "5")) },
		)
		first, second := people[0], people[1]
		if w.top(first).Title.Text != "Recorded" {
			first, second = second, first
		}
		require.Equal(t, "Recorded", w.top(first).Title.Text, w.top(first).Raw)
		assert.Equal(t, map[string]int{"pending": 5}, w.recorded(), "all of one list, and nothing of the other")

		left := w.reviewed(second, 2)
		shown := left.text(w)
		assert.Contains(t, shown, "Nothing has been asked.")
		assert.Contains(t, shown, "3 cannot be asked for and are left out:")
		for _, server := range shared {
			assert.Regexp(t, fmt.Sprintf(`%s: .{0,60}asked`, w.fqdn(server)), shown, "which one, and why")
		}
		assert.Contains(t, shown, called[first], "whose request has them")
		require.Empty(t, w.confirms(second, left, "2").Error)
		require.Equal(t, "Recorded", w.top(second).Title.Text, w.top(second).Raw)

		w.approved("5 waiting for approval")
		w.approved("2 waiting for approval")
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 5 servers.")
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 2 servers.")
		w.filedOnce(append(all, shared...)...)
		assert.Len(t, w.posts(), 7)
		for _, m := range w.messages(w.cast.Channel) {
			assert.NotContains(t, strings.Join(m.Mentions, " "), "channel")
		}
		assert.Empty(t, w.broken())
	})
}
