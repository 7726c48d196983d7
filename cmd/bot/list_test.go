//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// pasted opens the list from the form, pastes names into it, and returns the review of so many servers.
func (w *world) pasted(user, names string, count int) modal {
	w.t.Helper()
	w.command(user, "")
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: w.top(user).ID, BlockID: "several", ActionID: "several"})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
	w.eventually("the list opens", func() bool { return w.top(user).Title.Text == "Several servers" })
	require.Empty(w.t, w.submit(user, w.top(user), fakeslack.Values{
		"names":   {"names": {"type": "plain_text_input", "value": names}},
		"reason":  {"reason": {"type": "static_select", "selected_option": option("No longer needed")}},
		"content": {"content": {"type": "plain_text_input", "value": "The rack is emptied."}},
	}).Error)
	return w.reviewed(user, count)
}

// reviewed waits for a review of so many servers.
func (w *world) reviewed(user string, count int) modal {
	w.t.Helper()
	defer func() {
		if w.t.Failed() {
			w.t.Log(w.top(user).Raw)
		}
	}()
	w.eventually(fmt.Sprintf("a review of %d servers", count), func() bool {
		return strings.HasPrefix(w.top(user).Title.Text, fmt.Sprintf("Review: %d of", count))
	})
	return w.top(user)
}

// confirms sends a review with this confirmation.
func (w *world) confirms(user string, review modal, typed string) fakeslack.Ack {
	w.t.Helper()
	return w.submit(user, review, fakeslack.Values{
		w.countBlock(review): {"count": {"type": "plain_text_input", "value": typed}},
	})
}

func (w *world) countBlock(review modal) string {
	w.t.Helper()
	for _, b := range review.Blocks {
		if strings.HasPrefix(b.BlockID, "count:") {
			return b.BlockID
		}
	}
	require.Fail(w.t, "the review asks for no confirmation", "%s", review.Raw)
	return ""
}

// some are the ids of so many servers that can be cancelled.
func (w *world) some(count int) (ids []int64, names string) {
	w.t.Helper()
	var lines []string
	for range count {
		server := w.another()
		ids = append(ids, server)
		lines = append(lines, w.fqdn(server))
	}
	return ids, strings.Join(lines, "\n")
}

func TestFortyServersTakeOneFormAndOneApproval(t *testing.T) {
	const many = 12
	overHTTP(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		ids, names := w.some(many)
		review := w.pasted(w.cast.Requester, names, many)
		assert.Contains(t, review.text(w), fmt.Sprintf("%d can be asked for", many))

		wrong := w.fieldErrors(w.confirms(w.cast.Requester, review, "11 servers"))
		assert.Contains(t, wrong[w.countBlock(review)], "Type 12")
		assert.Empty(t, w.recorded(), "nothing is recorded without the right number")

		require.Empty(t, w.confirms(w.cast.Requester, review, "12 servers").Error)
		require.Equal(t, "Recorded", w.top(w.cast.Requester).Title.Text, w.top(w.cast.Requester).Raw)
		assert.Equal(t, map[string]int{"pending": many}, w.recorded(), "each server is a request of its own")
		waits := w.awaitMessage(w.cast.Channel, "12 waiting for approval")
		assert.Empty(t, w.posts())

		w.press(w.cast.Approver, waits, "batch-approve")
		require.Equal(t, "Approve 12", w.top(w.cast.Approver).Title.Text)
		require.Empty(t, w.says(w.cast.Approver, nil).Error)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 12 servers")
		assert.Equal(t, waits.TS, told.TS, "one root message, edited through its life")
		for _, id := range ids {
			assert.Len(t, w.tickets(id), 1, "server %d has one ticket", id)
		}
		w.awaitMessage(w.cast.Requester, "Cancellation requested for 12 servers")
		assert.Len(t, w.about(w.cast.Channel, "server"), 1, "one message for all of them")
		assert.Empty(t, w.broken())
	})
}
