//go:build unix

package main

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAStuckRequestIsSettledByClicks(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		require.NoError(t, w.softlayer.Fault(filing, "error_before", 6)) // two lost answers each
		servers := []int64{w.another(), w.another(), w.another()}
		var stuck []message
		for _, server := range servers {
			w.accepted(w.cast.Channel, w.cast.User, server)
		}
		for _, server := range servers {
			stuck = append(stuck, w.awaitSettled(w.cast.Channel, "Needs a person", w.fqdn(server)))
		}

		w.press(w.cast.User, stuck[0], "found-none")
		w.whispered(w.cast.Channel, w.cast.User, "builtin-own-request")
		w.press(w.cast.Approver, stuck[0], "check-now")
		w.whispered(w.cast.Channel, w.cast.Approver, "still do not show for certain whether there is a ticket")
		w.press(w.cast.Approver, stuck[0], "found-none")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(servers[0]))
		assert.Len(t, w.tickets(servers[0]), 1)

		w.press(w.cast.Approver, stuck[1], "leave")
		require.Empty(t, w.says(w.cast.Approver, why("looked: there is none")).Error)
		w.awaitMessage(w.cast.Channel, "Withdrawn", w.fqdn(servers[1]))
		assert.Empty(t, w.tickets(servers[1]))

		w.control("POST", "/ticket", map[string]any{"server": servers[2], "open": true, "entry": "Please cancel. " + w.marker(w.ref(stuck[2].Shown))}, nil)
		w.press(w.cast.Approver, stuck[2], "found-ticket")
		values := why("searched the cases")
		values["ticket"] = map[string]map[string]any{"ticket": {"type": "plain_text_input", "value": "none of your business"}}
		assert.Contains(t, w.fieldErrors(w.says(w.cast.Approver, values))["ticket"], "a number")
		id, err := strconv.ParseInt(w.ticketOf(servers[2]), 10, 64)
		require.NoError(t, err)
		values["ticket"]["ticket"]["value"] = strconv.FormatInt(id, 10)
		require.Empty(t, w.says(w.cast.Approver, values).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(servers[2]), w.ticketOf(servers[2]))
		assert.Equal(t, map[string]int{"filed": 2, "withdrawn": 1}, w.recorded())
	})
}
