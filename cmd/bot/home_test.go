//go:build unix

package main

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// homeTab is what a person sees in the app's Home tab.
type homeTab struct {
	id    string
	shown string
	// blocks are the ids of the blocks that have a button, by its action id and the request it is about.
	blocks map[[2]string]string
}

// opens has somebody open the Home tab, and gives what the bot publishes.
func (w *world) opens(user string) homeTab {
	w.t.Helper()
	ack, err := w.slack.OpenHome(w.t.Context(), fakeslack.Opening{User: user})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error, "the event is acknowledged")
	return w.home(user)
}

// home is what was published last. Just after it was opened or clicked in, that is the answer.
func (w *world) home(user string) homeTab {
	w.t.Helper()
	seen, err := w.slack.Home(w.t.Context(), user, 0)
	require.NoError(w.t, err)
	var view any
	require.NoError(w.t, json.Unmarshal(seen.View, &view))
	tab := homeTab{id: seen.ID, shown: shownIn(view), blocks: map[[2]string]string{}}
	eachObject(view, func(block map[string]any) {
		id, _ := block["block_id"].(string)
		eachObject(block["elements"], func(button map[string]any) {
			value, _ := button["value"].(string)
			if action, is := button["action_id"].(string); is {
				tab.blocks[[2]string{action, value}] = id
			}
		})
	})
	return tab
}

// offers are the buttons of a tab for a request, "" for the tab itself.
func (h homeTab) offers(request string) (actions []string) {
	for of := range h.blocks {
		if of[1] == request {
			actions = append(actions, of[0])
		}
	}
	return actions
}

// pressesAt is a click in the Home tab as it stands.
func (w *world) pressesAt(user, action, request string) {
	w.t.Helper()
	h := w.home(user)
	block := h.blocks[[2]string{action, request}]
	require.NotEmpty(w.t, block, "there is a button %s in\n%s", action, h.shown)
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{User: user, View: h.id, BlockID: block, ActionID: action})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
}

// awaitHome waits until a person's Home tab has these words.
func (w *world) awaitHome(user string, words ...string) (h homeTab) {
	w.t.Helper()
	w.eventually("a Home tab with "+strings.Join(words, ", "), func() bool {
		h = w.home(user)
		return hasAll(h.shown, words)
	})
	return h
}

// requestFor is the id of the request for a server.
func (w *world) requestFor(server int64) (id string) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	require.NoError(w.t, db.QueryRowContext(w.t.Context(), `select id from requests where server_id = $1`, server).Scan(&id))
	return id
}

func TestHomeShowsWhatNeedsItsReader(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		w.asksFor(w.server)
		name, request := w.fqdn(w.server), w.requestFor(w.server)

		h := w.opens(w.cast.Approver)
		assert.Contains(t, h.shown, "Waiting for your approval")
		assert.Contains(t, h.shown, name)
		assert.Contains(t, h.shown, "You can approve this: rule leads-approve.")
		assert.NotContains(t, h.shown, "Your requests", "what is empty is left out")
		assert.ElementsMatch(t, []string{"approve", "decline", "details"}, h.offers(request))
		assert.ElementsMatch(t, []string{"home-refresh"}, h.offers(""))

		h = w.opens(w.cast.Requester)
		assert.Contains(t, h.shown, "Your requests")
		assert.Contains(t, h.shown, name)
		assert.NotContains(t, h.shown, "Waiting for your approval")
		assert.ElementsMatch(t, []string{"details", "withdraw"}, h.offers(request))

		h = w.opens(w.cast.User) // may ask for it too, and has nothing to do with this request
		assert.Contains(t, h.shown, "Nothing needs you now. As of ")
		assert.NotContains(t, h.shown, name)

		w.pressesAt(w.cast.Approver, "approve", request)
		assert.NotContains(t, w.home(w.cast.Approver).shown, "Waiting for your approval", "it was published again after the click")
		h = w.refreshed(w.cast.Approver, "Ending next", name, "The server is due to end on ")
		assert.NotContains(t, h.shown, "Waiting for your approval")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", name)
		require.Len(t, w.posts(), 1)
		assert.Empty(t, w.broken())
	})
}

// refreshed presses Refresh until a tab has these words: the worker files meanwhile.
func (w *world) refreshed(user string, words ...string) (h homeTab) {
	w.t.Helper()
	w.eventually("a refreshed Home tab with "+strings.Join(words, ", "), func() bool {
		w.pressesAt(user, "home-refresh", "")
		h = w.home(user)
		return hasAll(h.shown, words)
	})
	return h
}

func TestClickOnAnOldRowReadsThePresent(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		name, request := w.fqdn(w.server), w.requestFor(w.server)
		w.opens(w.cast.Requester)
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", name)

		before := w.hasOpen(w.cast.Requester)
		w.pressesAt(w.cast.Requester, "withdraw", request)
		w.eventually("a small view", func() bool { return w.hasOpen(w.cast.Requester) > before })
		small := w.top(w.cast.Requester).text(w)
		assert.Contains(t, small, "Too late: Cancellation requested.")
		assert.Contains(t, small, name)
		h := w.awaitHome(w.cast.Requester, "Cancellation requested", w.ticketOf(w.server), "Ending next")
		assert.NotContains(t, h.offers(request), "withdraw", "the tab was published again")
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
	})
}

func TestDeclineInTheHomeTabChangesTheTab(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		w.asksFor(w.server)
		request := w.requestFor(w.server)
		w.opens(w.cast.Approver)
		w.pressesAt(w.cast.Approver, "decline", request)
		w.eventually("the form", func() bool { return w.hasOpen(w.cast.Approver) == 1 })
		require.Empty(t, w.says(w.cast.Approver, why("we still need it")).Error)
		w.awaitHome(w.cast.Approver, "Nothing needs you now. As of ")
		assert.Equal(t, map[string]int{"declined": 1}, w.recorded())
	})
}

func TestHomeOfPeopleWhoMayNothingShowsNothing(t *testing.T) {
	overHTTP(t, setup{extra: []string{"OPERATOR_CONTACT=#infra-help"}}, func(t *testing.T, w *world) {
		w.asksFor(w.server)
		name := w.fqdn(w.server)
		before := len(w.calls("views.publish"))
		h := w.opens(w.cast.Outsider)
		assert.Contains(t, h.shown, "You cannot ask for or approve cancellations here. #infra-help can tell you more.")
		h = w.opens(w.cast.Guest)
		assert.Equal(t, "Nothing needs you now.", strings.TrimSpace(h.shown))
		for _, user := range []string{w.cast.Stranger, w.cast.Deactivated, w.cast.BotUser} { // Slack publishes nothing for them
			_, err := w.slack.OpenHome(t.Context(), fakeslack.Opening{User: user})
			require.NoError(t, err)
		}
		w.eventually("the last page", func() bool { return len(w.calls("views.publish")) >= before+5 })
		for _, call := range w.calls("views.publish") {
			assert.NotContains(t, string(call.Request), name)
		}
	})
}

func TestFreezeStandsOnTopOfTheHomeTab(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		w.freezes(w.cast.Approver)
		h := w.opens(w.cast.Requester)
		assert.Contains(t, h.shown, "Filing is frozen by ")
		assert.Contains(t, h.shown, "nothing is filed until the freeze is lifted")
		w.thaws(w.cast.Approver)
		w.pressesAt(w.cast.Requester, "home-refresh", "")
		assert.NotContains(t, w.home(w.cast.Requester).shown, "frozen")
	})
}

func TestListsAreForTheirReaderAlone(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		w.asksFor(w.server)
		name, request := w.fqdn(w.server), w.requestFor(w.server)
		for _, c := range []struct {
			user, command string
			reads, not    []string
		}{
			{w.cast.Requester, "mine", []string{"Your requests", name, "Waiting for approval, approvals 0 of 1"}, nil},
			{w.cast.Requester, "pending", []string{"Nothing waits for your approval."}, []string{name}},
			{w.cast.Approver, "pending", []string{"Waiting for your approval", name, "rule leads-approve", "Reason: "}, nil},
			{w.cast.Approver, "", []string{"Waiting for your approval", name}, []string{"may not ask"}},
			{w.cast.Approver, "mine", []string{"You have asked for no server."}, []string{name}},
			{w.cast.Approver, "status " + name, []string{name, "You can approve this: rule leads-approve.", "Reason: "}, nil},
			{w.cast.Requester, "status " + strconv.FormatInt(w.server, 10), []string{name, "You asked for this.", "USD"}, nil},
			{w.cast.User, "status " + strings.ToUpper(name), []string{name, "Waiting for approval"}, []string{"Reason: ", "USD", w.cast.Requester}},
			{w.cast.Outsider, "status " + name, []string{"No request you may see matches " + name + ". Check the name, or ask the people who run this bot."}, []string{"Waiting"}},
			{w.cast.Guest, "status " + name, []string{"No request you may see matches " + name + ". Check the name, or ask the people who run this bot."}, []string{"Waiting"}},
			{w.cast.Approver, "status no-such", []string{"No request you may see matches no-such. Check the name, or ask the people who run this bot."}, nil},
			{w.cast.Approver, "status", []string{"Type /cancel-server status NAME"}, nil},
		} {
			before := len(w.ephemeral(w.cast.Channel, c.user))
			require.Empty(t, w.command(c.user, c.command).Error)
			w.eventually("an answer to "+c.command, func() bool { return len(w.ephemeral(w.cast.Channel, c.user)) > before })
			answers := w.ephemeral(w.cast.Channel, c.user)
			shown := answers[len(answers)-1].Shown
			for _, word := range c.reads {
				assert.Contains(t, shown, word, "%s: %s", c.user, c.command)
			}
			for _, word := range c.not {
				assert.NotContains(t, shown, word, "%s: %s", c.user, c.command)
			}
		}
		assert.Len(t, w.about(w.cast.Channel, name), 1, "for everybody there is the request's message alone")

		seen := w.ephemeral(w.cast.Channel, w.cast.Approver)
		for _, m := range seen {
			if strings.Contains(m.Shown, "rule leads-approve") {
				ack, err := w.slack.Act(t.Context(), fakeslack.Action{
					User: w.cast.Approver, Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS},
					BlockID: "row:approve:" + request, ActionID: "approve",
				})
				require.NoError(t, err)
				require.Empty(t, ack.Error)
				break
			}
		}
		w.whispered(w.cast.Channel, w.cast.Approver, "Recorded. "+name+" is now: ")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", name)
		assert.Empty(t, w.broken())
	})
}

// An app of the older manifest has no Home tab and hears of no events.
func TestAppOfTheOlderManifestWorksAsBefore(t *testing.T) {
	overBothWith(t, setup{slack: fakeslack.Options{Manifest: &fakeslack.Manifest{}}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.declines(w.cast.Approver, waits, "we still need it")
		w.awaitMessage(w.cast.Channel, "Declined by", w.fqdn(w.server)+" stays")
		w.command(w.cast.Requester, "mine")
		w.whispered(w.cast.Channel, w.cast.Requester, "Your requests", w.fqdn(w.server), "Declined")
		assert.Empty(t, w.calls("views.publish"))
		assert.Empty(t, w.broken())
	})
}

func TestHomeShowsWhatSoftLayerWaitsFor(t *testing.T) {
	overSocket(t, setup{extra: []string{"FOLLOW_EVERY=1s"}}, func(t *testing.T, w *world) {
		w.press(w.cast.Approver, w.asksFor(w.server), "approve")
		name, request := w.fqdn(w.server), w.requestFor(w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", name)
		w.ticketDoes(w.server, map[string]any{"do": "answer", "text": "Please call us.", "waits_for_customer": true})
		for _, user := range []string{w.cast.Requester, w.cast.Approver} {
			w.opens(user)
			h := w.refreshed(user, "Waiting for your answer", name, "SoftLayer has waited for an answer since ")
			assert.Contains(t, h.offers(request), "reply")
			assert.NotContains(t, h.shown, "Please call us.", "staff's words are for modals and direct messages")
		}
		assert.Contains(t, w.opens(w.cast.User).shown, "Nothing needs you now.")

		w.opens(w.cast.Approver)
		w.pressesAt(w.cast.Approver, "reply", request)
		w.eventually("the form of a reply opens over the tab", func() bool {
			return w.hasOpen(w.cast.Approver) > 0 && strings.Contains(w.top(w.cast.Approver).text(w), "Please call us.")
		})
		published := w.published(w.cast.Approver)
		require.Empty(t, w.says(w.cast.Approver, typed("Call 555-0100.")).Error)
		w.eventually("the tab is published again", func() bool { return w.published(w.cast.Approver) > published })
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket", w.ticketOf(w.server))
	})
}

// published is how often the bot published a person's Home tab.
func (w *world) published(user string) (times int) {
	for _, call := range w.calls("views.publish") {
		if strings.Contains(string(call.Request), user) {
			times++
		}
	}
	return times
}

func TestAnswersAreSettledFromTheHomeTab(t *testing.T) {
	overHTTP(t, quick(), func(t *testing.T, w *world) {
		w.filedAlone(w.server)
		name, request, user := w.fqdn(w.server), w.requestFor(w.server), w.cast.User
		w.opens(user)
		assert.NotContains(t, w.home(user).offers(request), "read-answer", "staff wrote nothing yet")
		w.staffAnswer(w.server, "Which contract?")
		h := w.refreshed(user, "Waiting for your answer", name)
		assert.Contains(t, h.offers(request), "read-answer")
		assert.NotContains(t, h.shown, "Which contract?")

		w.pressesAt(user, "read-answer", request)
		answer := w.sees(user, "Which contract?")
		ack, err := w.slack.Act(t.Context(), fakeslack.Action{User: user, View: answer.ID, BlockID: "request", ActionID: "no-answer"})
		require.NoError(t, err)
		require.Empty(t, ack.Error)
		w.sees(user, "Why is no answer needed?")
		require.Empty(t, w.says(user, why("the contract has ended")).Error)
		h = w.awaitHome(user, "Your requests", name)
		w.eventually("the tab is published again", func() bool {
			h = w.home(user)
			return !strings.Contains(h.shown, "Waiting for your answer")
		})
		assert.Contains(t, h.offers(request), "read-answer", "it can still be read")
		assert.Empty(t, w.broken())
	})
}
