//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// alert is a message of another app's that names a server.
func (w *world) alert(channel, text, thread string) fakeslack.Message {
	w.t.Helper()
	m, err := w.slack.Say(w.t.Context(), fakeslack.Said{User: w.cast.Requester, Channel: channel, Text: text, ThreadTS: thread})
	require.NoError(w.t, err)
	return m
}

// onMessage uses the shortcut in a message's menu.
func (w *world) onMessage(user string, m fakeslack.Message) fakeslack.Ack {
	w.t.Helper()
	ack, err := w.slack.Shortcut(w.t.Context(), fakeslack.Shortcut{
		User: user, CallbackID: "cancel-server-message", Message: &fakeslack.MessageRef{Channel: m.Channel, TS: m.TS},
	})
	require.NoError(w.t, err)
	return ack
}

func TestServerIsCancelledFromAnAlertsMenu(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		for _, place := range []struct{ name, channel string }{
			{"a channel with the bot", w.cast.Channel},
			{"a private channel without the bot", w.cast.PrivateChannel},
		} {
			t.Run(place.name, func(t *testing.T) {
				w, server := w.in(t), w.another()
				h := w.hardware(server)
				alert := w.alert(place.channel, "CRITICAL: no ping from "+h.FullyQualifiedDomainName+" ("+h.PrimaryBackendIPAddress+") for 10m", "")
				require.Empty(t, w.onMessage(w.cast.User, alert).Error)
				m := w.awaitCard(w.cast.User, server)
				require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
				told := w.awaitMessage(place.channel, "Cancellation requested", w.fqdn(server))
				assert.Equal(t, alert.TS, told.ThreadTS, "it stands in the alert's thread")
				assert.NotContains(t, told.Shown, h.PrimaryBackendIPAddress, "no address in a channel")
				assert.Len(t, w.tickets(server), 1)
			})
		}
		t.Run("an alert in a thread, in an attachment", func(t *testing.T) {
			w, server := w.in(t), w.another()
			root := w.alert(w.cast.Channel, "Alerts of today", "")
			alert, err := w.slack.Say(t.Context(), fakeslack.Said{
				User: w.cast.Requester, Channel: w.cast.Channel, ThreadTS: root.TS,
				Attachments: []any{map[string]any{"color": "danger", "fields": []any{map[string]any{"title": "Host", "value": w.hardware(server).PrimaryBackendIPAddress}}}},
			})
			require.NoError(t, err)
			require.Empty(t, w.onMessage(w.cast.User, alert).Error)
			m := w.awaitCard(w.cast.User, server)
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
			assert.Equal(t, root.TS, w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server)).ThreadTS)
		})
	})
}

func TestAlertWithSeveralServersLeavesTheChoice(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		one, other := w.another(), w.another()
		require.Empty(t, w.onMessage(w.cast.User, w.alert(w.cast.Channel, w.fqdn(one)+" and "+w.fqdn(other), "")).Error)
		w.eventually("both are named", func() bool {
			shown := w.top(w.cast.User).text(w)
			_, _, card := w.top(w.cast.User).field("confirm:")
			return !card && strings.Contains(shown, "This message names 2 servers: "+w.fqdn(one)+", "+w.fqdn(other))
		})
		w.choose(w.cast.User, other)
		m := w.awaitCard(w.cast.User, other)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, other)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(other))
		assert.Empty(t, w.postsFor(one))
	})
}

func TestAGlobalShortcutIsAnsweredByDirectMessage(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		ack, err := w.slack.Shortcut(t.Context(), fakeslack.Shortcut{User: w.cast.User, CallbackID: "cancel-server"})
		require.NoError(t, err)
		require.Empty(t, ack.Error)
		w.choose(w.cast.User, w.server)
		m := w.awaitCard(w.cast.User, w.server)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.awaitMessage(w.cast.User, "Cancellation requested", w.fqdn(w.server))
		assert.Empty(t, w.messages(w.cast.Channel), "no channel hears of it")
		assert.Contains(t, w.tickets(w.server)[0].FirstUpdate.Entry, "In: no channel")
	})
}

func TestShortcutRequestWaitsWhereApproversSeeIt(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		asks := func(w *world, server int64) {
			m := w.awaitCard(w.cast.Requester, server)
			require.Empty(w.t, w.submit(w.cast.Requester, m, w.usual(m, server)).Error)
			require.Equal(w.t, "Recorded", w.top(w.cast.Requester).Title.Text)
		}
		t.Run("in the alert's thread", func(t *testing.T) {
			w, server := w.in(t), w.another()
			alert := w.alert(w.cast.Channel, w.fqdn(server)+" is down", "")
			require.Empty(t, w.onMessage(w.cast.Requester, alert).Error)
			asks(w, server)
			waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(server))
			assert.Equal(t, alert.TS, waits.ThreadTS)
			w.press(w.cast.Approver, waits, "approve")
			told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
			assert.Equal(t, waits.TS, told.TS, "the same message")
			assert.Len(t, w.tickets(server), 1)
		})
		t.Run("by direct message, where the alert's channel does not have the bot", func(t *testing.T) {
			w, server := w.in(t), w.another()
			alert := w.alert(w.cast.PrivateChannel, w.fqdn(server)+" is down", "")
			require.Empty(t, w.onMessage(w.cast.Requester, alert).Error)
			asks(w, server)
			w.press(w.cast.Approver, w.awaitMessage(w.cast.Approver, "Approve a cancellation?", w.fqdn(server)), "approve")
			w.awaitMessage(w.cast.Approver, "Cancellation requested", w.fqdn(server))
			assert.Len(t, w.tickets(server), 1)
		})
		t.Run("by direct message, where there is no channel", func(t *testing.T) {
			w, server := w.in(t), w.another()
			ack, err := w.slack.Shortcut(t.Context(), fakeslack.Shortcut{User: w.cast.Requester, CallbackID: "cancel-server"})
			require.NoError(t, err)
			require.Empty(t, ack.Error)
			w.choose(w.cast.Requester, server)
			asks(w, server)
			w.press(w.cast.Approver, w.awaitMessage(w.cast.Approver, "Approve a cancellation?", w.fqdn(server)), "approve")
			for _, person := range []string{w.cast.Approver, w.cast.Requester} {
				w.awaitMessage(person, "Cancellation requested", w.fqdn(server))
			}
			assert.Len(t, w.tickets(server), 1)
		})
		assert.Len(t, w.posts(), 3)
	})
}

func TestShortcutsRefuseThoseWhoMayNotAsk(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		w.eventually("the policy's groups are read", func() bool { return len(w.calls("usergroups.list")) > 0 })
		alert := w.alert(w.cast.Channel, w.fqdn(w.server)+" is down", "")
		for _, person := range []struct {
			name, user, rule string
			reached          bool // by direct message
		}{
			{"a guest, though in the groups", w.cast.Guest, "builtin-guest", true},
			{"a bot", w.cast.BotUser, "builtin-bot", false},
			{"a deactivated user", w.cast.Deactivated, "builtin-deactivated", false},
			{"somebody of another workspace", w.cast.Stranger, "builtin-stranger", false},
			{"somebody whom no rule lets", w.cast.Outsider, "builtin-default-deny", true},
		} {
			t.Run(person.name, func(t *testing.T) {
				w := w.in(t)
				require.Empty(t, w.onMessage(person.user, alert).Error)
				w.whispered(w.cast.Channel, person.user, "You may not ask for cancellations here", "Rule "+person.rule)
				ack, err := w.slack.Shortcut(t.Context(), fakeslack.Shortcut{User: person.user, CallbackID: "cancel-server"})
				require.NoError(t, err)
				require.Empty(t, ack.Error)
				if person.reached {
					w.awaitMessage(person.user, "You may not ask for cancellations here", "Rule "+person.rule)
				}
				assert.Zero(t, w.hasOpen(person.user), "no form opens")
			})
		}
		assert.Len(t, w.about(w.cast.Channel), 1, "nobody else sees it: the alert stands alone")
		assert.Empty(t, w.recorded())
		assert.Empty(t, w.posts())
	})
}
