package authz_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
)

func TestMayFreezeFailsClosed(t *testing.T) {
	t.Parallel()
	const (
		leads   = `@id("leads") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);`
		all     = `@id("all") permit (principal, action == Action::"approve", resource);`
		banned  = `@id("banned") @reason("ask your lead.") forbid (principal in Group::"S0OUT", action == Action::"approve", resource);`
		outside = `@id("outside") permit (principal, action == Action::"approve", resource) unless { principal in Group::"S0OUT" };`
		some    = `@id("some") forbid (principal, action == Action::"approve", resource) when { context.approvals > 0 };`
		fails   = `@id("fails") forbid (principal, action == Action::"approve", resource) when { 9223372036854775807 + 1 > 0 };`
		ask     = `@id("ask") permit (principal, action == Action::"request", resource);`
	)
	unlisted := func(who authz.Principal, groups ...string) authz.Principal {
		who.GroupsUnlisted = groups
		return who
	}
	guest, unread := person("U0LEE", "S0LEADS"), person("U0LEE")
	guest.Guest, unread.GroupsKnown = true, false
	lead, eve := person("U0LEE", "S0LEADS"), person("U0EVE")
	for _, c := range []struct {
		says, policy string
		who          authz.Principal
		want         expectation
	}{
		{says: "an approver may", policy: leads, who: lead, want: allow("leads")},
		{says: "an approver of some requests may", policy: all + some, who: eve, want: allow("all")},
		{says: "anyone else reads who can", policy: leads, who: eve, want: deny(authz.RuleDefaultDeny, "no policy rule lets you freeze filing; anyone who may approve requests can.")},
		{says: "a requester may not", policy: ask, who: eve, want: deny(authz.RuleDefaultDeny, "freeze filing")},
		{says: "a guest may not", policy: leads, who: guest, want: deny(authz.RuleGuest, "may not freeze filing")},
		{says: "groups that were not read refuse", policy: leads, who: unread, want: deny(authz.RuleUnread, "your Slack user groups")},
		{says: "a forbidden group refuses", policy: all + banned, who: person("U0EVE", "S0OUT"), want: deny("banned", "ask your lead.")},
		{says: "a forbidden group that Slack does not list refuses", policy: all + banned, who: unlisted(eve, "S0OUT"), want: deny(authz.RuleUnread, "S0OUT", "Slack does not list it")},
		{says: "so does one that a permit excludes", policy: outside, who: unlisted(eve, "S0OUT"), want: deny(authz.RuleUnread, "S0OUT")},
		{says: "a group that would let them and that Slack does not list is named", policy: leads, who: unlisted(eve, "S0LEADS"), want: deny(authz.RuleUnread, "S0LEADS")},
		{says: "too many unlisted groups refuse", policy: all + `@id("out") forbid (principal, action, resource) when { principal in [Group::"S1", Group::"S2", Group::"S3", Group::"S4", Group::"S5"] };`, who: unlisted(eve, "S1", "S2", "S3", "S4", "S5"), want: deny(authz.RuleUnread, "S5")},
		{says: "a rule that fails refuses", policy: all + fails, who: eve, want: deny(authz.RuleEvaluationError)},
		{says: "somebody without a team may not", policy: all, who: authz.Principal{User: "U0EVE", GroupsKnown: true}, want: deny(authz.RuleUnread)},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.policy).MayFreeze(c.who)
			c.want(t, d)
			assert.NotEmpty(t, d.PolicyDigest)
		})
	}
}

func TestRefusalForUnlistedGroupIsMarked(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("ask") permit (principal in Group::"S0OPS", action == Action::"request", resource);
		@id("leads") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);
		@id("prod") forbid (principal, action == Action::"request", resource) when { resource.tags.contains("prod") };`)
	ana, lee := person("U0ANA"), person("U0LEE")
	ana.GroupsUnlisted, lee.GroupsUnlisted = []string{"S0OPS"}, []string{"S0LEADS"}
	marked := func(d authz.Decision) bool {
		assert.Equal(t, authz.Refused, d.Effect)
		return d.Unlisted
	}
	assert.True(t, marked(p.Decide(ana, server(), context())), "the group may be switched off for a moment")
	assert.True(t, marked(p.Approve(lee, person("U0ANA", "S0OPS"), server(), context(), 0)))
	assert.False(t, marked(p.Decide(person("U0EVE"), server(), context())), "all groups are listed")
	assert.False(t, marked(p.Approve(person("U0EVE"), ana, server(), context(), 0)), "whoever asked, Eve may not")
	prod := server()
	prod.Tags = []string{"prod"}
	assert.False(t, marked(p.Decide(ana, prod, context())), "a member is refused as well")
	eve := person("U0EVE")
	eve.GroupsUnlisted = []string{"S0ELSE"}
	assert.False(t, marked(p.Decide(eve, server(), context())), "the policy does not name that group")
}
