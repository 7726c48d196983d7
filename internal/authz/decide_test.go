package authz_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

const teamPolicy = `
@id("ops-may-ask")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("expensive-needs-two")
@approvals("2")
permit (principal in Group::"S0OPS", action == Action::"request", resource)
unless { resource has monthlyFee && resource.monthlyFee.lessThanOrEqual(decimal("500.0")) };

@id("leads-file-alone")
permit (principal in Group::"S0LEADS", action in [Action::"request", Action::"cancel"], resource);

@id("ana-may-ask-in-c1")
permit (principal == User::"T01/U0ANA", action == Action::"request", resource)
when { context.channel == "C1" && context.account == "123456" };

@id("prod-data-team")
@reason("servers tagged prod are cancelled by the data team only.")
forbid (principal, action == Action::"request", resource)
when { resource.tags.contains("prod") }
unless { principal in Group::"S0DATA" };

@id("no-gateways")
forbid (principal, action == Action::"request", resource)
when { context.warnings.contains("gateway-member") };

@id("associated-with-care")
@reason("nobody cancels associated items through this bot.")
forbid (principal, action == Action::"cancel", resource)
when { context.associatedItems };

@id("leads-approve")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource)
when { context.requester != principal && context.approvals < 9 };
`

func TestDecide(t *testing.T) {
	t.Parallel()
	p := parse(t, teamPolicy)
	lead, ops, ana := person("U0LEE", "S0LEADS"), person("U0RAJ", "S0OPS"), person("U0ANA")
	for _, c := range []struct {
		says string
		who  authz.Principal
		what authz.Server
		how  authz.Context
		want expectation
	}{
		{"a lead files alone", lead, server(), context(), allow("leads-file-alone")},
		{"an operator needs one approval", ops, server(), context(), needs(1, "ops-may-ask")},
		{"an operator needs one approval at the limit", ops, server(costing("500")), context(), needs(1, "ops-may-ask")},
		{"an operator needs two above the limit", ops, server(costing("500.00001")), context(), needs(2, "expensive-needs-two")},
		{"an operator needs two where the cost is unknown", ops, server(costing("")), context(), needs(2, "expensive-needs-two")},
		{"one who is in both files alone", person("U0MAX", "S0OPS", "S0LEADS"), server(), context(), allow("leads-file-alone")},
		{"a named person may ask in her channel", ana, server(), context(), needs(1, "ana-may-ask-in-c1")},
		{"a named person may not ask elsewhere", ana, server(), context(func(c *authz.Context) { c.Channel = "" }), deny(authz.RuleDefaultDeny, "no policy rule")},
		{
			"the same user id of another team is another person",
			authz.Principal{Team: "T02", User: "U0ANA", GroupsKnown: true},
			server(), context(), deny(authz.RuleDefaultDeny),
		},
		{"somebody in no group may not ask", person("U0EVE"), server(), context(), deny(authz.RuleDefaultDeny, "the people who run this bot")},
		{"somebody in another group may not ask", person("U0EVE", "S0DATA"), server(), context(), deny(authz.RuleDefaultDeny)},
		{"a lead may not ask for prod, and reads why", lead, server(tagged("prod")), context(), deny("prod-data-team", "by the data team only.")},
		{"a lead in the data team may", person("U0LEE", "S0LEADS", "S0DATA"), server(tagged("prod")), context(), allow("leads-file-alone")},
		{"no tags are not unknown tags", lead, server(tagged()), context(), allow("leads-file-alone")},
		{"a forbid without reason names itself", lead, server(), context(warned("gateway-member")), deny("no-gateways", "rule no-gateways")},
		{"of two forbids the one with a reason is read", lead, server(tagged("prod")), context(warned("gateway-member")), deny("prod-data-team")},
		{
			"a forbid on cancel refuses instead of asking for approval", lead, server(),
			context(func(c *authz.Context) { c.AssociatedItems = true }), deny("associated-with-care", "associated items"),
		},
		{
			"a forbid on cancel refuses one who could only ask", ops, server(),
			context(func(c *authz.Context) { c.AssociatedItems = true }), deny("associated-with-care"),
		},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			d := p.Decide(c.who, c.what, c.how)
			c.want(t, d)
			assert.Equal(t, p.Digest(), d.PolicyDigest, "each decision names its policy")
		})
	}
}

func TestDecideGivesAllDecidingRules(t *testing.T) {
	t.Parallel()
	p := parse(t, teamPolicy)
	both := person("U0MAX", "S0OPS", "S0LEADS")

	assert.Equal(t, []string{"ops-may-ask", "leads-file-alone"}, p.Decide(both, server(), context()).Rules)
	assert.Equal(t, []string{"ops-may-ask", "expensive-needs-two"},
		p.Decide(person("U0RAJ", "S0OPS"), server(costing("")), context()).Rules)
	assert.Equal(t, []string{"prod-data-team", "no-gateways"},
		p.Decide(both, server(tagged("prod")), context(warned("gateway-member"))).Rules)
}

func TestOfSeveralDecidingRulesTheFirstIsNamed(t *testing.T) {
	t.Parallel()
	p := parse(t, `
		@id("first") permit (principal, action == Action::"request", resource);
		@id("second") permit (principal, action == Action::"request", resource);
		@id("staging") @reason("not staging.") forbid (principal, action == Action::"request", resource) when { resource.tags.contains("staging") };
		@id("frankfurt") @reason("not in Frankfurt.") forbid (principal, action == Action::"request", resource) when { resource.tags.contains("staging") && resource.datacenter == "fra02" };`)

	needs(1, "first")(t, p.Decide(person("U0ANA"), server(tagged()), context()))
	deny("staging", "not staging.")(t, p.Decide(person("U0ANA"), server(), context()))
}

func TestCancelWithoutRequestIsNothing(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("only-cancel") permit (principal, action == Action::"cancel", resource);`)

	deny(authz.RuleDefaultDeny)(t, p.Decide(person("U0ANA"), server(), context()))
}

func TestNoPolicyLiftsTheBuiltInRefusals(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("everybody") permit (principal, action, resource);`)
	for _, c := range []struct {
		says   string
		change func(*authz.Principal)
		want   expectation
	}{
		{"a full member may", func(*authz.Principal) {}, allow("everybody")},
		{"a stranger may not", func(who *authz.Principal) { who.Stranger = true }, deny(authz.RuleStranger, "another workspace")},
		{"a guest may not", func(who *authz.Principal) { who.Guest = true }, deny(authz.RuleGuest, "a full member")},
		{"a bot may not", func(who *authz.Principal) { who.Bot = true }, deny(authz.RuleBot, "a person")},
		{"a deactivated account may not", func(who *authz.Principal) { who.Deactivated = true }, deny(authz.RuleDeactivated, "deactivated")},
		{"a stranger is told of that first", func(who *authz.Principal) { who.Stranger, who.Guest, who.Bot = true, true, true }, deny(authz.RuleStranger)},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			who := person("U0ANA")
			c.change(&who)
			c.want(t, p.Decide(who, server(), context()))
			c.want(t, p.MayAskAtAll(who, "C1", "123456"))
		})
	}
}

func TestWhatCouldNotBeReadRefuses(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("everybody") permit (principal, action, resource);
		@id("not-group") forbid (principal in Group::"S0OUT", action, resource);`)
	for _, c := range []struct {
		says   string
		change func(*authz.Principal, *authz.Server, *authz.Context)
		want   expectation
	}{
		{"all is read", func(*authz.Principal, *authz.Server, *authz.Context) {}, allow("everybody")},
		{"groups", func(who *authz.Principal, _ *authz.Server, _ *authz.Context) { who.GroupsKnown = false }, deny(authz.RuleUnread, "user groups")},
		{"user", func(who *authz.Principal, _ *authz.Server, _ *authz.Context) { who.User = "" }, deny(authz.RuleUnread, "who you are")},
		{"team", func(who *authz.Principal, _ *authz.Server, _ *authz.Context) { who.Team = "" }, deny(authz.RuleUnread, "who you are")},
		{"a user id that forges a team", func(who *authz.Principal, _ *authz.Server, _ *authz.Context) { who.User = "U1/U2" }, deny(authz.RuleUnread)},
		{"tags", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.TagsKnown = false }, deny(authz.RuleUnread, "the server's tags")},
		{"server id", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.ID = 0 }, deny(authz.RuleUnread, "id")},
		{"host name", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.Hostname = "" }, deny(authz.RuleUnread, "name")},
		{"data center", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.Datacenter = "" }, deny(authz.RuleUnread, "data center")},
		{"what the caller says", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.Missing = []string{"domain"} }, deny(authz.RuleUnread, "the server's domain could not be read")},
		{"fee that is no number", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.MonthlyFee = "a lot" }, deny(authz.RuleUnread, "monthly fee")},
		{"fee that is negative", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.MonthlyFee = "-1" }, deny(authz.RuleUnread, "monthly fee")},
		{"fee beyond Cedar's range", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.MonthlyFee = "922337203685478" }, deny(authz.RuleUnread, "monthly fee")},
		{"account", func(_ *authz.Principal, _ *authz.Server, c *authz.Context) { c.Account = "" }, deny(authz.RuleUnread, "account")},
		{"account that is no number", func(_ *authz.Principal, _ *authz.Server, c *authz.Context) { c.Account = "acme" }, deny(authz.RuleUnread, "account")},
		{"stated reason", func(_ *authz.Principal, _ *authz.Server, c *authz.Context) { c.StatedReason = "" }, deny(authz.RuleUnread, "reason")},
		{"warnings", func(_ *authz.Principal, _ *authz.Server, c *authz.Context) { c.WarningsKnown = false }, deny(authz.RuleUnread, "warnings")},
		{"an unknown fee is no gap", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.MonthlyFee = "" }, allow("everybody")},
		{"an empty domain is no gap", func(_ *authz.Principal, s *authz.Server, _ *authz.Context) { s.Domain = "" }, allow("everybody")},
		{"no channel is no gap", func(_ *authz.Principal, _ *authz.Server, c *authz.Context) { c.Channel = "" }, allow("everybody")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			who, s, ctx := person("U0ANA"), server(), context()
			c.change(&who, &s, &ctx)
			c.want(t, p.Decide(who, s, ctx))
		})
	}
}

func TestDecideIgnoresMembershipsIfPolicyNamesNoGroup(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("ana") permit (principal == User::"T01/U0ANA", action, resource);`)

	allow("ana")(t, p.Decide(authz.Principal{Team: home, User: "U0ANA"}, server(), context()))
}

func TestAnEvaluationErrorRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, broken string }{
		{"of a forbid on request", `@id("broken") forbid (principal, action == Action::"request", resource)
			when { if resource.hourly then 9223372036854775807 + 1 > 0 else false };`},
		{"of a forbid on cancel", `@id("broken") forbid (principal, action == Action::"cancel", resource)
			when { if resource.hourly then 9223372036854775807 + 1 > 0 else false };`},
		{"of a permit that another permit makes superfluous", `@id("broken") permit (principal, action, resource)
			when { if resource.hourly then 9223372036854775807 + 1 > 0 else true };`},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p := parse(t, `@id("everybody") permit (principal, action, resource);`+c.broken)

			require.Equal(t, authz.Allowed, p.Decide(person("U0ANA"), server(), context()).Effect, "no error, no refusal")
			d := p.Decide(person("U0ANA"), server(func(s *authz.Server) { s.Hourly = true }), context())
			deny(authz.RuleEvaluationError, "could not be evaluated")(t, d)
			assert.Equal(t, []string{"broken"}, d.Rules, "whoever repairs it reads which rule failed")
		})
	}
}

func TestTheZeroDecisionRefuses(t *testing.T) {
	t.Parallel()
	assert.Equal(t, authz.Refused, authz.Decision{}.Effect)
	assert.Equal(t, "refused", authz.Refused.String())
	assert.Equal(t, "needs approval", authz.NeedsApproval.String())
	assert.Equal(t, "allowed", authz.Allowed.String())
}

func TestAPolicyIsSharedByGoroutines(t *testing.T) {
	t.Parallel()
	p := parse(t, teamPolicy)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				assert.Equal(t, authz.Allowed, p.Decide(person("U0LEE", "S0LEADS"), server(), context()).Effect)
				assert.Equal(t, authz.Allowed, p.MayAskAtAll(person("U0LEE", "S0LEADS"), "C1", "").Effect)
			}
		})
	}
	all.Wait()
}

func TestUnlistedGroupThatMightForbidAllowsNothing(t *testing.T) {
	t.Parallel()
	p := parse(t, `
@id("ask") permit (principal in Group::"S0OPS", action in [Action::"request", Action::"cancel"], resource);
@id("ask-too") permit (principal in Group::"S0GONE", action in [Action::"request", Action::"cancel"], resource);
@id("data-only") forbid (principal, action == Action::"request", resource)
when { resource.tags.contains("prod") } unless { principal in Group::"S0DATA" };
@id("flights") forbid (principal in Group::"S0F1", action, resource) when { principal in [Group::"S0F2", Group::"S0F3"] && resource.hourly };
@id("no-contractors") forbid (principal in Group::"S0CONTRACT", action, resource)
when { resource.tags.contains("team-data") };`)
	ops := person("U0RAJ", "S0OPS")
	missing := func(groups ...string) authz.Principal {
		who := ops
		who.GroupsUnlisted = groups
		return who
	}
	for _, c := range []struct {
		says string
		who  authz.Principal
		what authz.Server
		want expectation
	}{
		{"all groups are listed", ops, server(), allow("ask")},
		{"a group that only lets people in", missing("S0GONE"), server(), allow("ask")},
		{"a group that is an exception from a ban", missing("S0DATA"), server(), allow("ask")},
		{"and gives no exception", missing("S0DATA"), server(tagged("prod")), deny("data-only")},
		{"a group that is banned", missing("S0CONTRACT"), server(), deny(authz.RuleUnread, "S0CONTRACT")},
		{"one of several", missing("S0GONE", "S0CONTRACT"), server(), deny(authz.RuleUnread)},
		{"any number that only let people in", missing("S0GONE", "S1", "S2", "S3", "S4", "S5"), server(), allow("ask")},
		{"more that could forbid than can be tried together", missing("S0DATA", "S0CONTRACT", "S0F1", "S0F2", "S0F3"), server(), deny(authz.RuleUnread, "S0F3")},
		{"as many as can be", missing("S0DATA", "S0F1", "S0F2", "S0F3"), server(), allow("ask")},
		{"a group that is banned from other servers", missing("S0CONTRACT"), server(tagged("team-web")), allow("ask")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			c.want(t, p.Decide(c.who, c.what, context()))
		})
	}
	two := parse(t, `@id("ask") permit (principal in Group::"S0OPS", action == Action::"request", resource);
		@id("cancel-staging") permit (principal in Group::"S0GONE", action == Action::"cancel", resource);
		@id("three") @approvals("3") permit (principal in Group::"S0CONTRACT", action == Action::"request", resource) when { resource.tags.contains("staging") };
		@id("two") @approvals("2") permit (principal in Group::"S0CONTRACT", action == Action::"request", resource);`)
	needs(1, "ask")(t, two.Decide(ops, server(), context()))
	needs(3, "three")(t, two.Decide(missing("S0CONTRACT", "S0GONE"), server(), context()))
	needs(2, "two")(t, two.Decide(missing("S0CONTRACT"), server(tagged()), context()))
	deny(authz.RuleDefaultDeny)(t, two.Decide(authz.Principal{Team: home, User: "U0EVE", GroupsKnown: true, GroupsUnlisted: []string{"S0CONTRACT"}}, server(), context()))

	same := parse(t, `@id("as-many") @approvals("2") permit (principal in Group::"S0CONTRACT", action == Action::"request", resource);
		@id("ask") @approvals("2") permit (principal in Group::"S0OPS", action == Action::"request", resource);`)
	needs(2, "ask")(t, same.Decide(missing("S0CONTRACT"), server(), context()))

	stranger := person("U0EVE")
	stranger.GroupsUnlisted = []string{"S0GONE"}
	deny(authz.RuleDefaultDeny)(t, p.Decide(stranger, server(), context()))
}

func TestUnlistedMembershipThatBreaksARuleIsRefused(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{
		`9223372036854775807 + 1 > 0`,
		`-9223372036854775807 - 2 < 0`,
		`9223372036854775807 * 2 > 0`,
		`-(-9223372036854775808) > 0`,
		`datetime("9999-12-31").offset(duration("9223372036854775807ms")) > datetime("2026-11-22")`,
		`User::"T01/U0EVE".team == "T01"`,
		`(if resource.hourly then principal else User::"T01/U0EVE").team == "T01"`,
		`resource.tags.contains("staging") && 9223372036854775807 + 1 > 0`,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			p := parse(t, `@id("ask") permit (principal in Group::"S0OPS", action, resource);
				@id("broken") permit (principal in Group::"S0GONE", action, resource) when { `+condition+` };`)
			ops, other := person("U0RAJ", "S0OPS"), person("U0BEN", "S0OPS")
			allow("ask")(t, p.Decide(ops, server(), context()))
			allow("ask")(t, p.Approve(ops, other, server(), context(), 0))

			member := person("U0RAJ", "S0OPS", "S0GONE")
			deny(authz.RuleEvaluationError)(t, p.Decide(member, server(), context()))
			deny(authz.RuleEvaluationError)(t, p.Approve(member, other, server(), context(), 0))

			ops.GroupsUnlisted = []string{"S0GONE"}
			deny(authz.RuleUnread, "S0GONE")(t, p.Decide(ops, server(), context()))
			deny(authz.RuleUnread, "S0GONE")(t, p.Approve(ops, other, server(), context(), 0))
		})
	}
}

func TestUnlistedGroupsDoNotHinderInfalliblePermits(t *testing.T) {
	t.Parallel()
	for _, condition := range []string{
		`resource has monthlyFee && resource.monthlyFee.lessThan(decimal("100.0"))`,
		`resource has monthlyFee && resource.monthlyFee.lessThanOrEqual(decimal("100.0"))`,
		`resource has monthlyFee && resource.monthlyFee.greaterThan(decimal("900.0"))`,
		`resource has monthlyFee && resource.monthlyFee.greaterThanOrEqual(decimal("900.0"))`,
		`context.requester.team == principal.team && context.approvals > 1`,
		`resource.fqdn like "*.example.org" && context.warnings.isEmpty()`,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			text := `@id("lead") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);`
			lead := person("U0LEE", "S0LEADS")
			for i := range 5 {
				group := fmt.Sprintf("S%d", i)
				text += fmt.Sprintf("@id(%q) permit (principal in Group::%q, action == Action::\"approve\", resource) when { %s };\n", group, group, condition)
				lead.GroupsUnlisted = append(lead.GroupsUnlisted, group)
			}
			allow("lead")(t, parse(t, text).Approve(lead, person("U0BEN"), server(), context(), 0))
		})
	}
}
