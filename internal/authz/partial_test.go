package authz_test

import (
	"testing"

	"cancel-server/internal/authz"
)

// opens expects that the form may open.
func opens(rule string) expectation { return allow(rule) }

func TestMayAskAtAll(t *testing.T) {
	t.Parallel()
	const (
		group      = `@id("group") permit (principal in Group::"S0OPS", action == Action::"request", resource);`
		user       = `@id("user") permit (principal == User::"T01/U0ANA", action == Action::"request", resource);`
		datacenter = `@id("dc") permit (principal in Group::"S0OPS", action == Action::"request", resource) when { resource.datacenter == "fra02" };`
		channel    = `@id("channel") permit (principal, action == Action::"request", resource) when { context.channel == "C1" };`
		account    = `@id("account") permit (principal, action == Action::"request", resource) when { context.account == "123456" };`
		whole      = `@id("whole") permit (principal, action == Action::"request", resource) when { context == {channel: "C2", account: "123456",
			associatedItems: true, statedReason: "x", warnings: ["a"], count: 1, today: 1} };`
		reason  = `@id("reason") permit (principal, action == Action::"request", resource) when { context.statedReason == "No longer needed" };`
		cancel  = `@id("cancel") permit (principal, action == Action::"cancel", resource);`
		banned  = `@id("banned") @reason("ask your lead.") forbid (principal == User::"T01/U0ANA", action == Action::"request", resource is Server);`
		bannedG = `@id("banned-group") forbid (principal in Group::"S0OUT", action, resource);`
		prod    = `@id("prod") forbid (principal, action, resource) when { resource.tags.contains("prod") };`
		one     = `@id("one") forbid (principal, action, resource == Server::"1");`
		nocncl  = `@id("no-cancel") forbid (principal, action == Action::"cancel", resource);`
		broken  = `@id("broken") forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };`
	)
	ana, raj, eve := person("U0ANA"), person("U0RAJ", "S0OPS"), person("U0EVE")
	unknown := authz.Principal{Team: home, User: "U0EVE"}
	for _, c := range []struct {
		says, policy string
		who          authz.Principal
		want         expectation
	}{
		{"a member opens the form", group, raj, opens("group")},
		{"one in no group is refused at the command", group, eve, deny(authz.RuleDefaultDeny, "no policy rule")},
		{"one whose groups are not yet known opens it", group, unknown, opens("group")},
		{"a named person opens it", user, ana, opens("user")},
		{"another person is refused at the command", user, eve, deny(authz.RuleDefaultDeny)},
		{"another person is refused though groups are unknown, where none is named", user, unknown, deny(authz.RuleDefaultDeny)},
		{"and where only a forbid names one", user + bannedG, unknown, deny(authz.RuleDefaultDeny)},
		{"a rule on the data center opens it for a member", datacenter, raj, opens("dc")},
		{"a rule on the data center refuses one in no group", datacenter, eve, deny(authz.RuleDefaultDeny)},
		{"the right channel opens it", channel, eve, opens("channel")},
		{"the right account opens it", account, eve, opens("account")},
		{"what is only stated in the form opens it", reason, eve, opens("reason")},
		{"a rule that compares the whole context opens it", whole, eve, opens("whole")},
		{"leave to cancel is no leave to ask", cancel, eve, deny(authz.RuleDefaultDeny)},
		{"a forbid on the person refuses at the command, with its reason", channel + banned, ana, deny("banned", "ask your lead.")},
		{"a forbid on another person does not", channel + banned, eve, opens("channel")},
		{"a forbid on a group that she is not in does not", channel + bannedG, eve, opens("channel")},
		{"a forbid on a group that she is in does", channel + bannedG, person("U0EVE", "S0OUT"), deny("banned-group")},
		{"a forbid on a group not yet known does not", channel + bannedG, unknown, opens("channel")},
		{"a forbid on some servers does not", channel + prod, eve, opens("channel")},
		{"a forbid on one server does not", channel + one, eve, opens("channel")},
		{"a forbid on cancel does not", channel + nocncl, eve, opens("channel")},
		{"a broken forbid waits for the decision", channel + broken, eve, opens("channel")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			c.want(t, parse(t, c.policy).MayAskAtAll(c.who, "C1", "123456"))
		})
	}
	t.Run("another channel is refused at the command", func(t *testing.T) {
		t.Parallel()
		deny(authz.RuleDefaultDeny)(t, parse(t, channel).MayAskAtAll(eve, "C2", "123456"))
	})
	t.Run("another channel is refused where the rule looks at the person too", func(t *testing.T) {
		t.Parallel()
		both := `@id("both") permit (principal, action == Action::"request", resource) when { principal in Group::"S0OPS" && context.channel == "C1" };`
		deny(authz.RuleDefaultDeny)(t, parse(t, both).MayAskAtAll(raj, "C2", "123456"))
	})
	t.Run("another account is refused at the command", func(t *testing.T) {
		t.Parallel()
		deny(authz.RuleDefaultDeny)(t, parse(t, account).MayAskAtAll(eve, "C1", "999"))
	})
	t.Run("an account not yet known opens it", func(t *testing.T) {
		t.Parallel()
		opens("account")(t, parse(t, account).MayAskAtAll(eve, "C1", ""))
	})
}
