//go:build unix

package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/fakeslack"
)

// reviewedBy is a world with no bot in it, and a policy about its people.
func reviewedBy(t *testing.T, policy func(c fakeslack.Cast, team string) string) *world {
	t.Helper()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	w.policy = policy(w.cast, w.slack.TeamID())
	return w
}

func TestPolicyWhoPrintsATableForReview(t *testing.T) {
	t.Parallel()
	w := reviewedBy(t, func(c fakeslack.Cast, team string) string {
		return fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("staging-alone") permit (principal in Group::%q, action == Action::"cancel", resource) when { resource.tags.contains("staging") };
@id("leads") permit (principal in Group::%q, action == Action::"approve", resource);
@id("gone") permit (principal == User::%q, action, resource);
@id("elsewhere") permit (principal == User::%q, action, resource);
@id("stranger") permit (principal == User::%q, action, resource);
@id("nobody") permit (principal == User::%q, action, resource);
`, c.RequestGroup, c.CancelGroup, c.ApproveGroup, team+"/"+c.Deactivated, "T0ELSE/"+c.Outsider, team+"/"+c.Stranger, team+"/U0NOBODY")
	})
	name := `=HYPERLINK("https://evil.example","ana")`
	require.NoError(t, w.slack.PatchUser(w.cast.User, fakeslack.UserPatch{DisplayName: &name}))
	require.NoError(t, w.slack.Fault("users.info", fakeslack.FaultRateLimited, 1))
	code, said := w.ends([]string{"policy", "who"})
	require.Equal(t, exitDone, code, said)
	rows, err := csv.NewReader(strings.NewReader(said)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"team", "user", "name", "flags", "request", "cancel", "approve", "rules"}, rows[0])
	got := map[string]string{}
	for _, row := range rows[1:] {
		got[row[0]+"/"+row[1]] = strings.Join(row[2:], "|")
	}
	team, deny := w.slack.TeamID()+"/", authz.RuleDefaultDeny
	all := func(rule string) string {
		return fmt.Sprintf("request: %s; cancel: %s; approve: %s", rule, rule, rule)
	}
	assert.Equal(t, map[string]string{
		team + w.cast.User:          "'" + name + "||yes|depends|no|request: ask; cancel: staging-alone; approve: " + deny,
		team + w.cast.Requester:     "ben||yes|no|no|request: ask; cancel: " + deny + "; approve: " + deny,
		team + w.cast.Hostile:       "<!channel> & co||yes|no|no|request: ask; cancel: " + deny + "; approve: " + deny,
		team + w.cast.Approver:      "raj||no|no|yes|request: " + deny + "; cancel: " + deny + "; approve: leads",
		team + w.cast.Guest:         "gus|guest|no|no|no|" + all(authz.RuleGuest),
		team + w.cast.Deactivated:   "dora|deactivated|no|no|no|" + all(authz.RuleDeactivated),
		"T0ELSE/" + w.cast.Outsider: "|stranger|no|no|no|" + all(authz.RuleStranger),
		team + w.cast.Stranger:      "|stranger|no|no|no|" + all(authz.RuleStranger),
		team + "U0NOBODY":           "|stranger|no|no|no|" + all(authz.RuleStranger),
	}, got)
	assert.Len(t, w.calls("usergroups.list"), 1)
	assert.Empty(t, w.sl, "SoftLayer is asked nothing")
}

func TestWhoSaysWhereEverybodyElseMay(t *testing.T) {
	t.Parallel()
	w := reviewedBy(t, func(c fakeslack.Cast, team string) string {
		return `@id("channel") permit (principal, action == Action::"request", resource) when { context.channel == "C01" };`
	})
	code, said := w.ends([]string{"policy", "who"})
	require.Equal(t, exitDone, code, said)
	assert.Equal(t, "team,user,name,flags,request,cancel,approve,rules\n"+
		w.slack.TeamID()+",anyone,everybody else,,depends,no,no,request: channel; cancel: builtin-default-deny; approve: builtin-default-deny\n", said)
	assert.Empty(t, w.calls("usergroups.list"), "the policy names no group, and none is read")
}

func TestUnlistedGroupThatForbidsRefusesEverybodyElse(t *testing.T) {
	t.Parallel()
	w := reviewedBy(t, func(c fakeslack.Cast, team string) string {
		return fmt.Sprintf(`
@id("all") permit (principal, action == Action::"request", resource);
@id("approve") permit (principal, action == Action::"approve", resource);
@id("not-these") forbid (principal in Group::%q, action == Action::"request", resource);
`, c.DisabledGroup)
	})
	code, said := w.ends([]string{"policy", "explain", w.cast.User})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "request  no       by builtin-unread: ", "so the bot decides of everybody")
	code, said = w.ends([]string{"policy", "who"})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, ",anyone,everybody else,,no,no,yes,request: builtin-unread; cancel: builtin-default-deny; approve: approve\n")
}

func TestWhoFailsWhereSlackDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	require.NoError(t, w.slack.Fault("usergroups.list", "internal_error", 1))
	code, said := w.ends([]string{"policy", "who"})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "bot: reading the user groups: calling usergroups.list")
}

func TestAPersonReadsWhatTheyMayAndWhy(t *testing.T) {
	t.Parallel()
	w := reviewedBy(t, func(c fakeslack.Cast, team string) string {
		return fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("in-channel-alone") permit (principal in Group::%q, action == Action::"cancel", resource) when { context.channel == %q };
@id("no-associated") @reason("associated items stay.") forbid (principal, action == Action::"request", resource)
when { context.associatedItems || context.statedReason == "Moving to competitor" };
@id("first-only") permit (principal in Group::%q, action == Action::"approve", resource) when { context.approvals == 0 };
@id("switched-off") permit (principal in Group::%q, action == Action::"request", resource);
`, c.RequestGroup, c.RequestGroup, c.Channel, c.RequestGroup, c.DisabledGroup)
	})
	server, id := strconv.FormatInt(w.server, 10), w.slack.TeamID()+"/"+w.cast.Requester
	about := id + " (ben), in " + w.cast.RequestGroup + ", and perhaps in " + w.cast.DisabledGroup + ", which Slack does not list\n"

	code, said := w.ends([]string{"policy", "explain", w.cast.Requester})
	require.Equal(t, exitDone, code, said)
	assert.Equal(t, about+
		"request  depends  by ask, no-associated\n"+
		"cancel   depends  by in-channel-alone, no-associated\n"+
		"approve  depends  by first-only\n", said)
	assert.Empty(t, w.sl, "without a server SoftLayer is asked nothing")

	code, said = w.ends([]string{"policy", "explain", w.cast.Requester, server})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, about+"server "+server+" "+w.fqdn(w.server)+", ")
	assert.Contains(t, said, "request  yes      by ask\n"+
		"cancel   no       by builtin-default-deny: no policy rule lets you have this filed without approval; the people who run this bot can say who may.\n"+
		"approve  depends  by first-only\n"+
		"decision: needs 1 approval, by ask: the policy asks for the approval of one other person.\n")

	code, said = w.ends([]string{"policy", "explain", w.cast.Requester, server, "--channel", w.cast.Channel})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "cancel   yes      by in-channel-alone\n")
	assert.Contains(t, said, "decision: may file, by ask, in-channel-alone\n")

	code, said = w.ends([]string{"policy", "explain", w.cast.Requester, server, "--associated"})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "decision: refused, by no-associated: associated items stay.\n")

	code, said = w.ends([]string{"policy", "explain", "--reason", "Moving to competitor", w.cast.Requester, server})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "decision: refused, by no-associated")

	code, said = w.ends([]string{"policy", "explain", w.cast.Guest})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, ", guest\nrequest  no       by builtin-guest: guests may not ask;")
	assert.Contains(t, said, "approve  no       by builtin-guest: guests may not approve;")

	code, said = w.ends([]string{"policy", "explain", w.cast.Outsider})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, " (olga), in no group that the policy names, and perhaps in "+w.cast.DisabledGroup)

	code, said = w.ends([]string{"policy", "explain", w.cast.Requester, "1"})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "bot: reading server 1: ")
}

func TestExplainDecidesAboutTheNumbersGiven(t *testing.T) {
	t.Parallel()
	w := reviewedBy(t, func(c fakeslack.Cast, _ string) string {
		return fmt.Sprintf(`
@id("ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("many") @approvals("2") permit (principal in Group::%q, action == Action::"request", resource) when { context.today > 5 };
@id("no-lists") forbid (principal, action == Action::"request", resource) when { context.count > 10 };
`, c.RequestGroup, c.RequestGroup)
	})
	server := strconv.FormatInt(w.server, 10)
	for numbers, want := range map[string]string{
		"":                        "needs 1 approval, by ask: ",
		"--today 5":               "needs 1 approval, by ask: ",
		"--today 6":               "needs 2 approvals, by ask, many: ",
		"--count 6":               "needs 2 approvals, by ask, many: ",
		"--count 2 --today 6":     "needs 2 approvals, by ask, many: ",
		"--count 11 --today 2000": "refused, by no-lists: ",
	} {
		code, said := w.ends(append([]string{"policy", "explain", w.cast.Requester, server}, strings.Fields(numbers)...))
		require.Equal(t, exitDone, code, said)
		assert.Contains(t, said, "decision: "+want, numbers)
	}
	code, said := w.ends([]string{"policy", "explain", w.cast.Requester})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "request  depends  by ask, many, no-lists\n", "without a server the numbers are open")
}

func TestWhatSoftLayerLeavesOutIsExplained(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	w.control(http.MethodPost, "/server", map[string]any{"id": w.server, "patch": map[string]any{"domain": nil}}, nil)
	code, said := w.ends([]string{"policy", "explain", w.cast.User, strconv.FormatInt(w.server, 10)})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, ", unread: domain\nrequest  no       by builtin-unread: the server's domain could not be read,")
	assert.Contains(t, said, "decision: refused, by builtin-unread")
}

func TestTeamOfBareUsersComesFromSlack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	w.extra = []string{"POLICY_FILE=", "REQUEST_GROUPS=" + w.cast.User, "APPROVE_GROUPS=none", "SOFTLAYER_API_KEY="}
	code, said := w.ends([]string{"policy", "show"})
	require.Equal(t, exitDone, code, said)
	assert.Contains(t, said, `User::"`+w.slack.TeamID()+"/"+w.cast.User+`"`)
	assert.Len(t, w.calls("auth.test"), 1)

	w.extra = append(w.extra, "SLACK_BOT_TOKEN=xoxb-wrong")
	code, said = w.ends([]string{"policy", "show"})
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, said, "bot: asking Slack who the bot is")
}
