//go:build unix

package main

import (
	"fmt"
	"slices"
	"strconv"
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
	w.sendsList(user, names)
	return w.reviewed(user, count)
}

// sendsList opens the list from the form, and sends it with names in it.
func (w *world) sendsList(user, names string) {
	w.t.Helper()
	w.command(user, "")
	w.eventually("the form opens", func() bool { return w.hasOpen(user) > 0 })
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: w.top(user).ID, BlockID: "several", ActionID: "several"})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
	w.eventually("the list opens", func() bool { return w.top(user).Title.Text == "Several servers" })
	require.Empty(w.t, w.submit(user, w.top(user), fakeslack.Values{
		"names":   {"names": {"type": "plain_text_input", "value": names}},
		"reason":  {"reason": {"type": "static_select", "selected_option": option("No longer needed")}},
		"content": {"content": {"type": "plain_text_input", "value": "The rack is emptied."}},
	}).Error)
}

// readsOn presses the button of a review whose reading was not finished.
func (w *world) readsOn(user string) {
	w.t.Helper()
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: w.top(user).ID, BlockID: "read-on", ActionID: "read-on"})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
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

func TestReviewNamesWhatCannotBeAskedFor(t *testing.T) {
	overSocket(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		ids, _ := w.some(3)
		taken := w.another()
		w.accepted(w.cast.Channel, w.cast.User, taken)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(taken))
		typed := strings.Join([]string{
			"hostname;id", // a heading
			w.fqdn(ids[0]) + ";" + strconv.FormatInt(ids[0], 10),
			w.fqdn(ids[1]) + ";" + strconv.FormatInt(ids[1], 10),
			w.fqdn(ids[2]) + ";" + strconv.FormatInt(ids[2], 10),
			strings.ToUpper(w.fqdn(ids[0])) + ";" + strconv.FormatInt(ids[0], 10),
			w.fqdn(taken) + ";" + strconv.FormatInt(taken, 10),
			"no-such-server.example.com;1",
		}, "\r\n")
		review := w.pasted(w.cast.Requester, typed, 3)
		shown := review.text(w)
		assert.Contains(t, shown, "2 cannot be asked for and are left out:")
		assert.Contains(t, shown, "is already open", "with its ticket")
		assert.Contains(t, shown, "not found, or this key may not see it")
		assert.Contains(t, shown, "Named more than once, and counted once: 1.")

		first := ids[0]
		ack, err := w.slack.Act(t.Context(), fakeslack.Action{User: w.cast.Requester, View: review.ID, BlockID: "rows:0", ActionID: "rows", SelectedOptions: w.boxes(review, "rows:0", first)})
		require.NoError(t, err)
		require.Empty(t, ack.Error)
		fewer := w.reviewed(w.cast.Requester, 2)
		assert.NotEqual(t, w.countBlock(review), w.countBlock(fewer), "who changes the list types its number again")
		ack, err = w.slack.Act(t.Context(), fakeslack.Action{User: w.cast.Requester, View: fewer.ID, BlockID: "edit", ActionID: "edit-list"})
		require.NoError(t, err)
		require.Empty(t, ack.Error)
		w.eventually("the list opens again", func() bool { return w.top(w.cast.Requester).Title.Text == "Several servers" })
		require.Empty(t, w.submit(w.cast.Requester, w.top(w.cast.Requester), nil).Error, "what was typed is kept")
		fewer = w.reviewed(w.cast.Requester, 2) // what was unticked stays so
		require.Empty(t, w.confirms(w.cast.Requester, fewer, "2").Error)
		require.Equal(t, "Recorded", w.top(w.cast.Requester).Title.Text, w.top(w.cast.Requester).Raw)
		assert.Equal(t, 2, w.recorded()["pending"])
		assert.NotContains(t, w.awaitMessage(w.cast.Channel, "2 waiting for approval").Shown, w.fqdn(first), "what was unticked is not asked for")

		waits := w.awaitMessage(w.cast.Channel, "2 waiting for approval")
		w.press(w.cast.Approver, waits, "batch-decline")
		require.Empty(t, w.says(w.cast.Approver, why("still in use")).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 0 of 2 servers")
		assert.Len(t, w.posts(), 1, "nothing was sent for the list")
		assert.Empty(t, w.broken())
	})
}

// boxes are the options of a block of boxes, without this server's.
func (w *world) boxes(m modal, block string, without int64) (ticked []map[string]any) {
	w.t.Helper()
	for _, b := range m.Blocks {
		if b.BlockID != block {
			continue
		}
		for _, e := range b.Elements {
			for _, o := range e.Options {
				if o.Value != strconv.FormatInt(without, 10) {
					ticked = append(ticked, map[string]any{"value": o.Value})
				}
			}
		}
	}
	return ticked
}

func TestApproverLeavesServersOfAListOut(t *testing.T) {
	overHTTP(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		ids, names := w.some(3)
		review := w.pasted(w.cast.Requester, names, 3)
		require.Empty(t, w.confirms(w.cast.Requester, review, "3").Error)
		waits := w.awaitMessage(w.cast.Channel, "3 waiting for approval")
		w.press(w.cast.Approver, waits, "batch-approve")
		form := w.top(w.cast.Approver)
		out := ""
		for _, b := range form.Blocks {
			for _, o := range b.Element.Options {
				if o.Text.Text == w.fqdn(ids[1]) {
					out = o.Value
				}
			}
		}
		require.NotEmpty(t, out, form.Raw)
		leave := fakeslack.Values{"leave-out:0": {"leave-out": {"type": "checkboxes", "selected_options": []any{map[string]any{"value": out}}}}}
		assert.NotEmpty(t, w.fieldErrors(w.says(w.cast.Approver, leave))["why"], "the reason is asked for")
		leave["why"] = why("still in use")["why"]
		require.Empty(t, w.says(w.cast.Approver, leave).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 2 of 3 servers")
		assert.Empty(t, w.tickets(ids[1]), "what was left out is not filed")
		assert.Len(t, w.tickets(ids[0]), 1)
		assert.Len(t, w.tickets(ids[2]), 1)
		assert.Empty(t, w.broken())
	})
}

func TestListOfADeadBotIsReadAgain(t *testing.T) {
	t.Parallel()
	for how, ends := range map[string]struct {
		transport, shows string
		end              func(w *world)
	}{
		"killed":  {bySocket, "Nothing has been asked yet.", (*world).kill},
		"stopped": {byHTTP, "The bot was stopped while it read the list.", (*world).stop},
	} {
		t.Run(how, func(t *testing.T) {
			over(t, ends.transport, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
				ids, names := w.some(3)
				require.NoError(t, w.softlayer.Fault(reading, "hang", 1000))
				w.sendsList(w.cast.Requester, names)
				w.readsOn(w.cast.Requester) // while it is read, a press changes nothing
				half := w.top(w.cast.Requester)
				assert.Contains(t, half.text(w), "Nothing has been asked yet.")
				assert.Contains(t, half.Raw, `"submit":null`, "nothing can be sent from a half-read list")

				ends.end(w)
				assert.Contains(t, w.top(w.cast.Requester).text(w), ends.shows)
				w.softlayer.ClearFaults("")
				w.start()
				assert.Empty(t, w.recorded())
				w.readsOn(w.cast.Requester)
				review := w.reviewed(w.cast.Requester, 3)
				require.Empty(t, w.confirms(w.cast.Requester, review, "3").Error)
				w.awaitMessage(w.cast.Channel, "3 waiting for approval")
				assert.Equal(t, map[string]int{"pending": 3}, w.recorded())
				assert.Len(t, ids, 3)
				assert.Empty(t, w.broken())
			})
		})
	}
}

func TestClosedListThatIsReadIsOfferedAgain(t *testing.T) {
	overHTTP(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		_, names := w.some(2)
		require.NoError(t, w.softlayer.Fault(reading, "hang", 1000))
		w.sendsList(w.cast.Requester, names)
		w.close(w.cast.Requester)
		kept := w.awaitMessage(w.cast.Requester, "Nothing was asked.", "is kept for a day")
		w.softlayer.ClearFaults("")
		w.press(w.cast.Requester, kept, "continue-list")
		require.Equal(t, "Several servers", w.top(w.cast.Requester).Title.Text)
		require.Empty(t, w.submit(w.cast.Requester, w.top(w.cast.Requester), nil).Error, "what was typed is kept")
		w.reviewed(w.cast.Requester, 2)
		assert.Empty(t, w.broken())
	})
}

func TestQueryListsWhatThePersonMayAskFor(t *testing.T) {
	s := setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}, extra: []string{"MAX_BATCH=5"}}
	overHTTP(t, s, func(t *testing.T, w *world) {
		all, mine := 0, []hardware(nil)
		for at, h := range w.servers("") {
			if all++; !inCenter("fra02")(at, h) || !unprotected(at, h) {
				continue
			}
			mine = append(mine, h)
		}
		require.Less(t, len(mine), all)
		slices.SortFunc(mine, func(a, b hardware) int {
			return strings.Compare(a.FullyQualifiedDomainName, b.FullyQualifiedDomainName)
		})
		var first []hardware // that have a date, the same for all
		for _, h := range mine {
			if h.BillingItem != nil && !h.BillingItem.Pending {
				first = append(first, h)
			}
		}
		for _, h := range first[:3] {
			w.patch(h.ID, map[string]any{"billingItem": map[string]any{"nextBillDate": "2099-01-01T00:00:00-06:00"}})
		}
		w.eventually("the servers' tags are known", func() bool {
			w.sendsList(w.cast.Requester, "dc:fra02")
			w.eventually("a review", func() bool { return strings.HasPrefix(w.top(w.cast.Requester).Title.Text, "Review: ") })
			if strings.Contains(w.top(w.cast.Requester).text(w), fmt.Sprintf("finds %d servers that you may ask for.", len(mine))) {
				return true
			}
			w.close(w.cast.Requester)
			return false
		})
		shown := w.top(w.cast.Requester).text(w)
		assert.Contains(t, shown, fmt.Sprintf("Showing 5 of %d: those that are due to end first.", len(mine)))
		for n, h := range first[:8] {
			assert.Equal(t, n >= 3, strings.Contains(shown, h.FullyQualifiedDomainName), "%s: the first three end later", h.FullyQualifiedDomainName)
		}
		assert.Empty(t, w.broken())
	})
}

func TestListIsWithdrawnInTimeAfterARestart(t *testing.T) {
	overHTTP(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		_, names := w.some(3)
		require.Empty(t, w.confirms(w.cast.Requester, w.pasted(w.cast.Requester, names, 3), "3").Error)
		waits := w.awaitMessage(w.cast.Channel, "3 waiting for approval")
		w.kill() // the file may be an older copy: what was sent has to be read
		w.start()
		require.NoError(t, w.softlayer.Fault("*", "slow", 1000))
		w.press(w.cast.Requester, waits, "batch-withdraw")
		w.whispered(w.cast.Channel, w.cast.Requester, "For 3 servers the bot has to read SoftLayer's records first")
		assert.Equal(t, map[string]int{"pending": 3}, w.recorded(), "nothing is ended before it is certain")
		w.softlayer.ClearFaults("")
		w.whispered(w.cast.Channel, w.cast.Requester, "SoftLayer's records were read: recorded for 3 servers.")
		assert.Equal(t, map[string]int{"withdrawn": 3}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

// leavesOut ticks the box of one server in an approver's form.
func (w *world) leavesOut(form modal, server int64) fakeslack.Values {
	w.t.Helper()
	for _, b := range form.Blocks {
		for _, o := range b.Element.Options {
			if o.Text.Text == w.fqdn(server) {
				return fakeslack.Values{
					b.BlockID: {"leave-out": {"type": "checkboxes", "selected_options": []any{map[string]any{"value": o.Value}}}},
					"why":     why("still in use")["why"],
				}
			}
		}
	}
	require.Fail(w.t, "the form has no such box", form.Raw)
	return nil
}

// An approver may have the form open twice, on two devices.
func TestSecondFormSaysWhatIsTooLate(t *testing.T) {
	overSocket(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		ids, names := w.some(2)
		review := w.pasted(w.cast.Requester, names, 2)
		require.Empty(t, w.confirms(w.cast.Requester, review, "2").Error)
		waits := w.awaitMessage(w.cast.Channel, "2 waiting for approval")
		w.press(w.cast.Approver, waits, "batch-approve")
		second := w.top(w.cast.Approver)
		w.press(w.cast.Approver, waits, "batch-approve")
		require.NotEqual(t, second.ID, w.top(w.cast.Approver).ID)
		require.Empty(t, w.says(w.cast.Approver, nil).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 2 servers")
		require.Empty(t, w.submit(w.cast.Approver, second, w.leavesOut(second, ids[0])).Error)
		assert.Contains(t, w.top(w.cast.Approver).text(w), "1 that you left out cannot be stopped here any more")
	})
}
