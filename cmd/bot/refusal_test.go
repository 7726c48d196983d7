//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestCommandRefusalIsSeenOnlyByItsSender(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		w.eventually("the policy's groups are read", func() bool { return len(w.calls("usergroups.list")) > 0 })
		who := []struct{ name, user string }{
			{"a guest, though in the groups", w.cast.Guest},
			{"a bot", w.cast.BotUser},
			{"a deactivated user", w.cast.Deactivated},
			{"somebody of another workspace", w.cast.Stranger},
			{"somebody whom no rule lets", w.cast.Outsider},
		}
		for _, person := range who {
			t.Run(person.name, func(t *testing.T) {
				w := w.in(t)
				ack := w.command(person.user, "")
				require.Empty(t, ack.Error)
				assert.Zero(t, w.hasOpen(person.user), "no form opens")
				told := w.ephemeral(w.cast.Channel, person.user)
				require.Len(t, told, 1, "the asker is told")
				assert.Contains(t, told[0].Shown, "Nothing was filed.")
				assert.Contains(t, told[0].Shown, "Rule ")
			})
		}
		assert.Empty(t, w.about(w.cast.Channel), "nobody else sees it")
		assert.Empty(t, w.recorded())
		assert.Empty(t, w.posts())
		assert.Empty(t, w.broken())
	})
}

func TestProtectedServerIsRefusedInTheForm(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		server := w.which("the tag protected", func(h hardware) bool { return h.tagged("protected") })
		m := w.form(w.cast.Channel, w.cast.User, server)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)

		refusal := w.top(w.cast.User)
		assert.Equal(t, "Not allowed", refusal.Title.Text)
		said := refusal.text(w)
		assert.Contains(t, said, "Nothing was filed.")
		assert.Contains(t, said, w.fqdn(server))
		assert.Contains(t, said, "servers tagged protected are cancelled by <!channel> the data team only.")
		assert.Contains(t, said, "Rule protected-tag")
		assert.NotEmpty(t, w.ref(said))
		assert.NotContains(t, markdownIn(t, refusal.Raw), "<!channel>", "the rule's reason mentions nobody")
		assert.Equal(t, map[string]int{"denied": 1}, w.recorded(), "the denial is recorded")
		assert.Contains(t, w.metrics(), `cancel_server_denials_total{rule="policy"} 1`)
		assert.Empty(t, w.posts(), "nothing is filed")
		assert.Empty(t, w.about(w.cast.Channel), "the channel is not told of a denial")

		// The form stays below it: another server, from the same view.
		w.close(w.cast.User)
		other := w.another()
		w.choose(w.cast.User, other)
		corrected := w.awaitCard(w.cast.User, other)
		require.Equal(t, m.ID, corrected.ID, "the same view")
		require.Empty(t, w.submit(w.cast.User, corrected, w.usual(corrected, other)).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(other))
		assert.Len(t, w.tickets(other), 1)
		assert.Empty(t, w.tickets(server))
		assert.Empty(t, w.broken())
	})
}

func TestMissingFactsAreNotVisibleAndAllowNothing(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		server := w.which("a gateway's membership", func(h hardware) bool { return h.Gateway })
		w.control(http.MethodPost, "/server", map[string]any{"id": server, "patch": map[string]any{"networkGatewayMemberFlag": nil}}, nil)
		w.control(http.MethodPost, "/key", map[string]any{"hide_relations": []string{"networkGatewayMember"}}, nil)
		m := w.form(w.cast.Channel, w.cast.User, server)
		assert.Contains(t, m.text(w), "gateway membership: not visible to this key")
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, server)).Error)
		refusal := w.top(w.cast.User)
		assert.Equal(t, "Not allowed", refusal.Title.Text)
		assert.Contains(t, refusal.text(w), "the server's gateway membership")
		assert.Contains(t, refusal.text(w), "could not be read")
		assert.Empty(t, w.posts())
	})
}

func TestDeniedSubmissionCanBeCorrectedAndSentAgain(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "Moving to competitor", "They are cheaper.", w.fqdn(w.server))).Error)
		refusal := w.top(w.cast.User)
		assert.Contains(t, refusal.text(w), "Rule no-competitors")
		w.close(w.cast.User)
		assert.Equal(t, m.ID, w.top(w.cast.User).ID, "the form is still there")

		require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", "They are cheaper.", w.fqdn(w.server))).Error)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
		assert.Equal(t, map[string]int{"denied": 1, "filed": 1}, w.recorded())
	})
}

func TestFormSaysWhenNobodyCouldApprove(t *testing.T) {
	onlyTheRequester := setup{before: func(w *world) {
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Remove: []string{w.cast.Approver}, Add: []string{w.cast.Requester}}))
	}}
	overSocket(t, onlyTheRequester, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.Requester, w.server)
		told := w.fieldErrors(w.submit(w.cast.Requester, m, w.usual(m, w.server)))
		assert.Contains(t, told["server"], "This needs the approval of other people")
		assert.Contains(t, told["server"], "Nothing was filed")
		assert.Empty(t, w.recorded())
		assert.Empty(t, w.posts())

		// Nothing holds the server: a person who may cancel without approval still can.
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestFormerMemberIsRefusedAtSubmission(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		w.stop() // a new process knows of no group that an old one read, and reads the form of an old one
		require.NoError(t, w.slack.PatchGroup(w.cast.RequestGroup, fakeslack.GroupPatch{Remove: []string{w.cast.User}}))
		w.start()
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		assert.Equal(t, "Not allowed", w.top(w.cast.User).Title.Text)
		assert.Equal(t, map[string]int{"denied": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestRequesterWhoLostTheRightIsDenied(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		leaves, guest, gone := w.another(), w.another(), w.another()
		w.freezes(w.cast.Approver)
		w.accepted(w.cast.Channel, w.cast.User, leaves)
		w.press(w.cast.Approver, w.asksFor(guest), "approve")
		w.accepted(w.cast.Channel, w.cast.Hostile, gone)
		w.press(w.cast.Approver, w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(gone)), "approve")
		w.eventually("all wait to be filed", func() bool { return w.recorded()["scheduled"] == 3 })
		w.stop() // what it knew of people and groups is gone
		yes := true
		require.NoError(t, w.slack.PatchGroup(w.cast.RequestGroup, fakeslack.GroupPatch{Remove: []string{w.cast.User}}))
		require.NoError(t, w.slack.PatchUser(w.cast.Requester, fakeslack.UserPatch{IsUltraRestricted: &yes}))
		require.NoError(t, w.slack.PatchUser(w.cast.Hostile, fakeslack.UserPatch{Deleted: &yes}))
		w.start()
		w.awaitReady()
		w.thaws(w.cast.Approver)
		for server, rule := range map[int64]string{leaves: "builtin-default-deny", guest: "builtin-guest", gone: "builtin-deactivated"} {
			w.awaitSoon(w.cast.Channel, "Not allowed", w.fqdn(server), "Nothing was filed", "Rule "+rule)
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1)
		}
		assert.Equal(t, map[string]int{"denied": 3}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestRepeatedDenialsAreCountedNotStored(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		server := w.which("the tag protected", func(h hardware) bool { return h.tagged("protected") })
		denied := func(user, reason string) (ref string) {
			m := w.form(w.cast.Channel, user, server)
			require.Empty(t, w.submit(user, m, w.fill(m, reason, "Replaced by db-060.", w.fqdn(server))).Error)
			require.Equal(t, "Not allowed", w.top(user).Title.Text)
			return w.ref(w.top(user).text(w))
		}
		first := denied(w.cast.User, "No longer needed")
		assert.Equal(t, first, denied(w.cast.User, "No longer needed"))
		assert.Equal(t, first, denied(w.cast.User, "Business closing down"), "by the same rule")
		others := denied(w.cast.Requester, "No longer needed")
		assert.NotEqual(t, first, others, "another person's denial is their own")

		assert.Equal(t, map[string]int{"denied": 2}, w.recorded())
		db := w.openDatabase()
		defer db.Close()
		for ref, want := range map[string]int{first: 2, others: 0} {
			var repeats int
			require.NoError(t, db.QueryRowContext(t.Context(), `select repeats from requests where short_ref = $1`, ref).Scan(&repeats))
			assert.Equal(t, want, repeats)
		}
		code, listed := w.ends([]string{"requests", "--state", "denied"})
		require.Zero(t, code, listed)
		assert.Equal(t, 2, strings.Count(listed, w.fqdn(server)), listed)
		assert.Empty(t, w.posts())
	})
}

func TestAHostileNameMentionsNobodyElse(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.CancelGroup, fakeslack.GroupPatch{Add: []string{w.cast.Hostile}}))
	}}, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.Hostile, w.server)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested")
		assert.Equal(t, []string{w.cast.Hostile}, told.Mentions)
		require.Len(t, w.tickets(w.server), 1)
		assert.Contains(t, w.tickets(w.server)[0].FirstUpdate.Entry, fmt.Sprintf("Asked by: <!channel> & co (Slack user %s", w.cast.Hostile))

		// The second person is told whose request stands, and that is a name too.
		m := w.blockedForm(w.cast.User, w.server)
		assert.Contains(t, m.text(w), "<!channel> & co")
		assert.NotContains(t, markdownIn(t, m.Raw), "<!channel>")
		assert.Empty(t, w.broken())
	})
}

func TestAHostileServerNameMentionsNobody(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		const name = "db <!channel> <https://evil|x>.example.com"
		w.patch(w.server, map[string]any{"fullyQualifiedDomainName": name})
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		assert.Contains(t, m.text(w), name, "it is shown as text")
		assert.NotContains(t, markdownIn(t, m.Raw), "evil")
		require.Empty(t, w.submit(w.cast.User, m, w.fill(m, "No longer needed", "Replaced.", name)).Error)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested")
		assert.Equal(t, []string{w.cast.User}, told.Mentions)
		assert.NotContains(t, told.Text, "<!channel>")
		assert.NotContains(t, told.Text, "<https://evil")
		assert.Empty(t, w.broken())
	})
}

// ephemeral are the messages in a channel that only this person sees.
func (w *world) ephemeral(channel, user string) []message {
	w.t.Helper()
	var found []message
	for _, m := range w.messages(channel) {
		if m.To == user {
			found = append(found, m)
		}
	}
	return found
}

// markdownIn is the text in a view or a message that Slack reads for mentions and links.
func markdownIn(t *testing.T, raw string) string {
	t.Helper()
	var view any
	require.NoError(t, json.Unmarshal([]byte(raw), &view))
	all := ""
	eachObject(view, func(object map[string]any) {
		if object["type"] == "mrkdwn" {
			all += fmt.Sprintln(object["text"])
		}
	})
	return all
}

// The person who runs the bot reads what to do, and nobody is told to try again in vain.
func TestMissingScopeIsNamedToPeople(t *testing.T) {
	scopes := func(without string) setup {
		all := fakeslack.DefaultScopes()
		return setup{slack: fakeslack.Options{Scopes: slices.DeleteFunc(all, func(s string) bool { return s == without })}}
	}
	for _, scope := range []string{"users:read", "usergroups:read"} {
		t.Run(scope, func(t *testing.T) {
			overHTTP(t, scopes(scope), func(t *testing.T, w *world) {
				require.Empty(t, w.command(w.cast.User, w.fqdn(w.server)).Error)
				w.eventually("the form says what is missing", func() bool {
					return strings.Contains(w.top(w.cast.User).text(w), "The bot's Slack app lacks the scope "+scope+", so the bot cannot read who you are.")
				})
				assert.NotContains(t, w.top(w.cast.User).text(w), "in time")
			})
		})
	}
}
