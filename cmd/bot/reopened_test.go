//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestReopenedTicketEndsNothing(t *testing.T) {
	overHTTP(t, follows(), func(t *testing.T, w *world) {
		w.filedAlone(w.server)
		w.looks(1)
		w.ticketDoes(w.server, map[string]any{"do": "close", "text": "Closed by mistake."})
		w.ages("Since", 0)
		w.ticketDoes(w.server, map[string]any{"do": "reopen", "text": "Sorry. Which one?", "waits_for_customer": true})
		w.awaitMessage(w.cast.Channel, "is waiting for an answer", w.fqdn(w.server))
		w.looks(2)
		assert.Equal(t, 1, w.counted(`select count(*) from followed where known not like '%"Since"%'`), "what was read while it was closed counts no more")
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
		assert.Empty(t, w.about(w.cast.Channel, "Not cancelled"))
		assert.Empty(t, w.broken())
	})
}

func TestAnArchivedChannelKeepsNoAnswerFromPeople(t *testing.T) {
	overSocket(t, follows(), func(t *testing.T, w *world) {
		w.filedAlone(w.server)
		w.looks(1)
		archived := true
		require.NoError(t, w.slack.PatchChannel(w.cast.Channel, fakeslack.ChannelPatch{IsArchived: &archived}))
		w.staff(w.server, "answer", "Which contract?", true)
		w.awaitMessage(w.cast.User, "SoftLayer is waiting for your answer about "+w.fqdn(w.server), "Which contract?")
		w.isGone(w.server)
		w.eventually("the end is recorded, whatever the channel says", func() bool { return w.recorded()["reclaimed"] == 1 })
		assert.Empty(t, w.broken())
	})
}
