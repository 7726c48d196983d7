//go:build unix

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCancelAnotherKeepsReasonAndText counts what a person does for one server, from nothing, and for the next one.
func TestCancelAnotherKeepsReasonAndText(t *testing.T) {
	overBothWith(t, setup{}, func(t *testing.T, w *world) {
		const reason, text = "Migrating to larger server", "Replaced by db-060, says Ana."
		w.command(w.cast.User, "")
		w.choose(w.cast.User, w.server)
		m := w.awaitCard(w.cast.User, w.server)
		values := w.fill(m, reason, text, w.fqdn(w.server))
		require.Empty(t, w.submit(w.cast.User, m, values).Error)
		assert.Equal(t, 6, 1+1+len(values)+1, "the command, the server, each field, the submission: %v", values)
		result := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		w.close(w.cast.User)

		w.press(w.cast.Requester, result, "ask-another")
		w.whispered(w.cast.Channel, w.cast.Requester, "only they can go on from here")
		assert.Zero(t, w.hasOpen(w.cast.Requester), "nobody else gets the text")
		assert.Zero(t, w.opensWith(text))

		w.press(w.cast.User, result, "ask-another")
		again := w.asking(w.cast.User)
		assert.NotEqual(t, m.ID, again.ID, "a form of its own")
		assert.Equal(t, 1, w.opensWith(text), "it opens filled in")
		state := again.State.Values
		assert.Equal(t, reason, state["reason"]["reason"].Selected.Value)
		assert.Equal(t, text, state["content"]["content"].Value)
		assert.Empty(t, state["server"]["choose"].Selected.Value, "no server is chosen")
		_, _, confirms := again.field("confirm:")
		assert.False(t, confirms, "nothing is confirmed")

		next := w.another()
		w.choose(w.cast.User, next)
		card := w.awaitCard(w.cast.User, next)
		block, _, _ := card.field("confirm:")
		require.Empty(t, card.State.Values[block]["confirm"].Value)
		values = w.fill(card, reason, text, w.fqdn(next))
		require.Empty(t, w.submit(w.cast.User, card, map[string]map[string]map[string]any{block: values[block]}).Error)
		require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(next))
		assert.Len(t, w.tickets(w.server), 1)
		require.Len(t, w.tickets(next), 1, "a request of its own")
		assert.Equal(t, map[string]int{"filed": 2}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

// opensWith counts the forms that opened with a text in them.
func (w *world) opensWith(text string) (count int) {
	for _, e := range w.calls("views.open") {
		request, err := json.Marshal(e.Request)
		require.NoError(w.t, err)
		if strings.Contains(string(request), text) {
			count++
		}
	}
	return count
}
