//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// continues goes on with a list that was closed, by the newest message that offers it.
func (w *world) continues(user string) {
	w.t.Helper()
	offer := w.awaitMessage(user, "that you closed is kept for a day.")
	before := w.hasOpen(user)
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{
		User: user, Message: &fakeslack.MessageRef{Channel: offer.Channel, TS: offer.TS}, BlockID: "request", ActionID: "continue-list",
	})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
	w.eventually("the list opens again", func() bool { return w.hasOpen(user) > before })
}

func TestClosedListGoesOnAfterARestart(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		user := w.cast.Requester
		ids, names := w.some(50)
		review := w.pasted(user, names, 50)
		ack, err := w.slack.Act(t.Context(), fakeslack.Action{User: user, View: review.ID, BlockID: "rows:0", ActionID: "rows", SelectedOptions: w.boxes(review, "rows:0", ids[0])})
		require.NoError(t, err)
		require.Empty(t, ack.Error)
		w.reviewed(user, 49)
		w.close(user)
		offer := w.awaitMessage(user, "The list of 49 servers that you closed is kept for a day.")
		assert.Contains(t, offer.Shown, "Nothing was asked.")
		w.kill()
		w.start()
		w.awaitReady()

		w.continues(user)
		require.Equal(t, "Several servers", w.top(user).Title.Text)
		require.Empty(t, w.submit(user, w.top(user), nil).Error, "what was typed is kept")
		again := w.reviewed(user, 49)
		assert.NotEqual(t, w.countBlock(review), w.countBlock(again), "what was unticked stays so")
		require.Empty(t, w.confirms(user, again, "49 servers").Error)
		require.Equal(t, "Recorded", w.top(user).Title.Text, w.top(user).Raw)
		assert.Equal(t, map[string]int{"pending": 49}, w.recorded())
		assert.Empty(t, w.posts())
		assert.Empty(t, w.broken())
	})
}
