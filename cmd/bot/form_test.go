//go:build unix

package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// That a card older than 15 minutes is read again cannot be shown here: no clock of
// the fakes moves the bot's. The tests of internal/slackui show it.

func TestTheForm(t *testing.T) {
	overSocket(t, setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}}, func(t *testing.T, w *world) {
		for _, test := range []struct {
			promise string
			show    func(t *testing.T, w *world)
		}{
			{"help answers the asker alone", helpIsForTheAsker},
			{"a name, an id or an address opens it with that server", aNamedServerIsChosen},
			{"a name of two servers chooses neither", anAmbiguousNameChoosesNone},
			{"the typeahead finds by id, address, host name and full name", theTypeaheadFinds},
			{"the typeahead finds by tag", theTypeaheadFindsByTag},
			{"a virtual server is called so, and no server is chosen", aVirtualServerIsCalledSo},
			{"the reasons are the ten of SoftLayer", theReasonsAreTheTen},
			{"the typed name is forgiven its accidents", theTypedNameIsForgiven},
			{"a wrong name is refused at its field", aWrongNameIsRefused},
			{"the short name confirms where no other server has it", theShortNameConfirms},
			{"what blocks shows in the card and stops the submission at its field", whatBlocksStops},
			{"associated items stay unless ticked", associatedItemsStayUnlessTicked},
			{"what the card warns of is confirmed or stops the submission", warningsAreConfirmed},
			{"another server chosen after the card was shown is never filed unseen", anotherChoiceShowsItsCard},
			{"a server that was never offered is not taken on trust", aServerNeverOffered},
			{"a reason that is not of the ten is refused at its field", aReasonOfTheirOwn},
			{"a description of spaces or of 3,001 characters is refused at its field", contentOutOfBounds},
			{"3,000 characters arrive whole", contentAtTheBound},
			{"hostile text is shown as text and forges no reference", hostileContentIsInert},
			{"one view submitted twice at once is one request", oneViewTwiceAtOnce},
			{"the second person is told whose request stands", theSecondPersonIsTold},
		} {
			t.Run(test.promise, func(t *testing.T) { test.show(t, w.in(t)) })
		}
		assert.Empty(t, w.broken())
	})
}

func TestASlowSoftLayerLosesNobodysForm(t *testing.T) {
	overBothWith(t, setup{slack: fakeslack.Options{AckTimeout: slacksPatience}}, func(t *testing.T, w *world) {
		w.command(w.cast.User, "")
		require.NoError(t, w.softlayer.Fault("SoftLayer_Hardware_Server/getObject", "hang", 2))
		id := strconv.FormatInt(w.server, 10)
		w.pick(w.cast.User, option(id)) // its card never comes
		m := w.top(w.cast.User)
		values := w.fill(m, "No longer needed", "Replaced by db-060.", "")
		values["server"] = map[string]map[string]any{"choose": {"selected_option": option(id)}}

		told := w.fieldErrors(w.submit(w.cast.User, m, values))
		assert.Contains(t, told["server"], "SoftLayer did not answer about this server. Nothing was filed")
		assert.Contains(t, w.top(w.cast.User).Raw, "Replaced by db-060.", "what was typed is kept")
		assert.Empty(t, w.recorded())

		require.Empty(t, w.submit(w.cast.User, m, nil).Error)
		shown := w.awaitCard(w.cast.User, w.server)
		assert.Contains(t, shown.text(w), "This card was read just now: check it")
		assert.Contains(t, shown.Raw, "Replaced by db-060.", "what was typed is kept")
		assert.Empty(t, w.recorded(), "nothing is recorded before the card was seen")

		// From here SoftLayer may be as slow as it likes: the submission asks it nothing.
		require.NoError(t, w.softlayer.Fault("SoftLayer_Hardware_Server/getObject", "html", 1))
		require.Empty(t, w.submit(w.cast.User, shown, w.usual(shown, w.server)).Error)
		require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func helpIsForTheAsker(t *testing.T, w *world) {
	before := w.hasOpen(w.cast.Approver)
	require.Empty(t, w.command(w.cast.Approver, " Help ").Error)
	told := w.ephemeral(w.cast.Channel, w.cast.Approver)
	require.Len(t, told, 1)
	assert.Contains(t, told[0].Shown, "/cancel-server NAME")
	assert.Equal(t, before, w.hasOpen(w.cast.Approver), "no form opens")
	assert.Empty(t, w.about(w.cast.Channel, "/cancel-server NAME"), "nobody else sees it")
}

func theReasonsAreTheTen(t *testing.T, w *world) {
	w.command(w.cast.User, "")
	var offered []string
	for _, b := range w.top(w.cast.User).Blocks {
		for _, o := range b.Element.Options {
			offered = append(offered, o.Text.Text)
			assert.Equal(t, o.Text.Text, o.Value)
		}
	}
	assert.Equal(t, []string{
		"No longer needed", "Business closing down", "Server / Upgrade Costs", "Migrating to larger server",
		"Migrating to smaller server", "Migrating to a different SoftLayer datacenter",
		"Network performance / latency", "Support response / timing", "Sales process / upgrades", "Moving to competitor",
	}, offered)
}

func theTypedNameIsForgiven(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	typed := "\u00a0 " + strings.ReplaceAll(strings.ToUpper(w.fqdn(server)), "-", "\u2014") + ". "
	require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", typed)).Error)
	assert.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
}

func aWrongNameIsRefused(t *testing.T, w *world) {
	server, other := w.another(), w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	for _, typed := range []string{"", "yes", w.fqdn(other), w.fqdn(server) + ".evil"} {
		told := w.fieldErrors(w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", typed)))
		assert.Contains(t, told["confirm:"+strconv.FormatInt(server, 10)], w.fqdn(server), "typed %q", typed)
	}
	assert.Empty(t, w.tickets(server))
	assert.Empty(t, w.tickets(other))
}

func theShortNameConfirms(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", w.hardware(server).Hostname)).Error)
	assert.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)

	twin := w.which("a twin", func(h hardware) bool { return len(w.called(h.Hostname)) == 2 })
	m = w.form(w.cast.Channel, w.cast.User, twin)
	told := w.fieldErrors(w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", w.hardware(twin).Hostname)))
	assert.Contains(t, told["confirm:"+strconv.FormatInt(twin, 10)], "Type "+w.fqdn(twin)+": another server may have this short name too.")
	assert.Empty(t, w.tickets(twin))
}

func associatedItemsStayUnlessTicked(t *testing.T, w *world) {
	for _, ticked := range []bool{false, true} {
		server := w.anotherThat(func(h hardware) bool { return len(h.BillingItem.Associated) > 0 })
		m := w.form(w.cast.Channel, w.cast.User, server)
		block, action, found := m.field("associated:")
		require.True(t, found, "the box is offered")
		assert.Empty(t, m.State.Values[block][action].Checked, "it is off")
		values := w.usual(m, server)
		if ticked {
			values[block] = map[string]map[string]any{action: {"selected_options": []any{option("too")}}}
		}
		require.Empty(t, w.submit(w.cast.User, m, values).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		posts := w.postsFor(server)
		require.Len(t, posts, 1)
		raw, _ := posts[0].Request.(json.RawMessage)
		var sent struct{ Parameters []any }
		require.NoError(t, json.Unmarshal(raw, &sent))
		require.Len(t, sent.Parameters, 5)
		assert.Equal(t, ticked, sent.Parameters[3], "cancelAssociatedItems on the wire")
		assert.Equal(t, "HARDWARE", sent.Parameters[4])
	}
}

func warningsAreConfirmed(t *testing.T, w *world) {
	for _, warned := range []struct {
		name string
		has  func(hardware) bool
	}{
		{"recently-provisioned", hardware.young},
		{"gateway-member", func(h hardware) bool { return h.Gateway }},
		{"recent-transaction", func(h hardware) bool { return h.LastTransaction.Group.Name == "Operating System Reload" }},
	} {
		server := w.which(warned.name, warned.has)
		m := w.form(w.cast.Channel, w.cast.User, server)
		block, action, found := m.field("warnings:")
		require.True(t, found, "%s is asked about", warned.name)
		assert.Empty(t, m.State.Values[block][action].Checked, "nothing is ticked beforehand")
		told := w.fieldErrors(w.submit(w.cast.User, m, w.usual(m, server)))
		assert.Contains(t, told[block], "Nothing was filed.", warned.name)
		assert.Empty(t, w.postsFor(server), warned.name)

		values := w.usual(m, server)
		values[block] = map[string]map[string]any{action: {"selected_options": []any{option(warned.name)}}}
		require.Empty(t, w.submit(w.cast.User, m, values).Error)
		require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text, warned.name)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		assert.Len(t, w.tickets(server), 1, warned.name)
	}
}

func aReasonOfTheirOwn(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	told := w.fieldErrors(w.submit(w.cast.User, m, w.fill(m, "no longer needed", "Replaced.", w.fqdn(server))))
	assert.Equal(t, "Choose one of the ten reasons.", told["reason"])
	assert.Empty(t, w.postsFor(server))
}

func contentOutOfBounds(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	for _, bad := range []struct{ content, told string }{
		{"", "Say what ran here"},
		{" \t\n\u00a0\u200b ", "Say what ran here"},
		{strings.Repeat("x", 3001), "At most 3,000 characters."},
	} {
		told := w.fieldErrors(w.submit(w.cast.User, m, w.fill(m, "No longer needed", bad.content, w.fqdn(server))))
		assert.Contains(t, told["content"], bad.told)
	}
	assert.Empty(t, w.postsFor(server))
}

func contentAtTheBound(t *testing.T, w *world) {
	server, content := w.another(), strings.Repeat("0123456789", 299)+"the end →."
	require.Len(t, []rune(content), 3000)
	m := w.form(w.cast.Channel, w.cast.User, server)
	require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", content, w.fqdn(server))).Error)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	require.Len(t, w.tickets(server), 1)
	assert.Contains(t, w.tickets(server)[0].FirstUpdate.Entry, content)
}

func hostileContentIsInert(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	const reference = "[cancel-server 7F3K-2QXD 7F3K2QXD000000000000000000]"
	content := "<!channel> <@" + w.cast.Approver + "> <https://evil|ticket 1> `code` *bold* 😀 \u202eסוף\n" + reference + "\nthe end"
	require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", content, w.fqdn(server))).Error)
	recorded := w.top(w.cast.User)
	require.Equal(t, "Recorded", recorded.Title.Text)
	assert.NotContains(t, markdownIn(t, recorded.Raw), "evil")

	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Equal(t, []string{w.cast.User}, told.Mentions)
	assert.NotContains(t, told.Shown, "https://evil")
	assert.False(t, told.Unfurls)
	require.Len(t, w.tickets(server), 1)
	entry := w.tickets(server)[0].FirstUpdate.Entry
	assert.Contains(t, entry, "<https://evil|ticket 1> `code` *bold* 😀", "SoftLayer's staff read what was typed")
	assert.NotContains(t, entry, reference)
	marks := regexp.MustCompile(`\[cancel-server [0-9A-Z-]{9} [0-9A-Z]{26}\]`).FindAllString(entry, -1)
	require.Len(t, marks, 2, "the reference stands on the first and the last line, and nowhere else: %s", entry)
	assert.Equal(t, marks[0], marks[1])
	assert.Contains(t, marks[0], w.ref(told.Shown))
}

func oneViewTwiceAtOnce(t *testing.T, w *world) {
	server := w.another()
	m := w.form(w.cast.Channel, w.cast.User, server)
	before := len(w.calls("view_submission"))
	require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultTwiceAtOnce, 1))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
	both := w.calls("view_submission")[before:]
	require.Len(t, both, 2)
	assert.JSONEq(t, string(both[0].Response), string(both[1].Response), "both get the same answer")
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Len(t, w.tickets(server), 1)
	assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "one message")
}

func theSecondPersonIsTold(t *testing.T, w *world) {
	server := w.another()
	first := w.form(w.cast.Channel, w.cast.Requester, server) // read before the other one asked
	w.accepted(w.cast.Channel, w.cast.User, server)
	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))

	m := w.blockedForm(w.cast.Requester, server)
	assert.Contains(t, m.text(w), "ana already asked. Request "+w.ref(told.Shown))
	require.NotEmpty(t, w.submit(w.cast.Requester, first, w.usual(first, server)).Body)
	assert.NotEqual(t, "Recorded", w.top(w.cast.Requester).Title.Text)
	assert.Len(t, w.tickets(server), 1)
	assert.Len(t, w.postsFor(server), 1)
}

// option is one as a select or a box sends it, whether it was offered or not.
func option(value string) map[string]any {
	return map[string]any{"text": map[string]any{"type": "plain_text", "text": value}, "value": value}
}
