package authz_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

const approvalPolicy = `
@id("ops-ask")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("leads-approve")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource);

@id("peers-approve-staging")
permit (principal in Group::"S0OPS", action == Action::"approve", resource)
when { resource.tags.contains("staging") && context.approvals == 0 };

@id("two-pairs-of-eyes")
@reason("a contractor's request is approved by the data team only.")
forbid (principal, action == Action::"approve", resource)
when { context.requester in Group::"S0CONTRACT" }
unless { principal in Group::"S0DATA" };

@id("not-across-teams")
forbid (principal, action == Action::"approve", resource)
when { context.requester.team != principal.team };

@id("no-gateways")
forbid (principal, action == Action::"approve", resource)
when { context.warnings.contains("gateway-member") };
`

func TestApprovalNamesGroupsToNotify(t *testing.T) {
	t.Parallel()
	p := parse(t, `
@id("quiet") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);
@id("loud") @notify("ping") permit (principal in Group::"S0NET", action == Action::"approve", resource);
@id("either") @notify("ping") permit (principal, action == Action::"approve", resource)
when { resource.tags.contains("staging") && (principal in Group::"S0WEB" || principal in Group::"S0DATA") };
`)
	ana := person("U0ANA")
	for _, c := range []struct {
		says   string
		groups []string
		server authz.Server
		want   []string
	}{
		{"a rule without the annotation", []string{"S0LEADS"}, server(tagged()), nil},
		{"a rule with it", []string{"S0NET"}, server(tagged()), []string{"S0NET"}},
		{"one of each", []string{"S0LEADS", "S0NET"}, server(tagged()), []string{"S0NET"}},
		{"a condition that names groups", []string{"S0WEB"}, server(tagged("staging")), []string{"S0DATA", "S0WEB"}},
		{"a rule that does not match", []string{"S0LEADS", "S0WEB"}, server(tagged()), nil},
	} {
		d := p.Approve(person("U0LEE", c.groups...), ana, c.server, context(), 0)
		require.Equal(t, authz.Allowed, d.Effect, c.says)
		assert.Equal(t, c.want, d.Pings, c.says)
	}
	refused := p.Approve(person("U0LEE"), ana, server(tagged()), context(), 0)
	assert.Empty(t, refused.Pings)
}

func TestApprove(t *testing.T) {
	t.Parallel()
	p := parse(t, approvalPolicy)
	lead, ops, ana := person("U0LEE", "S0LEADS"), person("U0RAJ", "S0OPS"), person("U0ANA", "S0OPS")
	contractor := person("U0CAM", "S0OPS", "S0CONTRACT")
	for _, c := range []struct {
		says           string
		who, requester authz.Principal
		what           authz.Server
		how            authz.Context
		before         int
		want           expectation
	}{
		{"a lead approves", lead, ana, server(tagged()), context(), 0, allow("leads-approve")},
		{"a peer approves staging first", ops, ana, server(), context(), 0, allow("peers-approve-staging")},
		{"a peer is not the second to approve staging", ops, ana, server(), context(), 1, deny(authz.RuleDefaultDeny, "lets you approve this")},
		{"a peer does not approve other servers", ops, ana, server(tagged()), context(), 0, deny(authz.RuleDefaultDeny)},
		{"somebody in no group does not approve", person("U0EVE"), ana, server(), context(), 0, deny(authz.RuleDefaultDeny)},
		{"leave to ask is no leave to approve", ops, lead, server(tagged("prod")), context(), 0, deny(authz.RuleDefaultDeny)},
		{"a lead does not approve a contractor's, and reads why", lead, contractor, server(), context(), 0, deny("two-pairs-of-eyes", "by the data team only.")},
		{"a lead of the data team does", person("U0LEE", "S0LEADS", "S0DATA"), contractor, server(), context(), 0, allow("leads-approve")},
		{"what the request warns of forbids", lead, ana, server(), context(warned("gateway-member")), 0, deny("no-gateways", "rule no-gateways")},
		{
			"a requester of another team is another team's to approve", lead,
			authz.Principal{Team: "T02", User: "U0ANA", GroupsKnown: true},
			server(), context(), 0, deny("not-across-teams"),
		},
		{"nobody approves their own", lead, lead, server(), context(), 0, deny(authz.RuleOwnRequest, "their own request")},
		{
			"nor by another name of theirs", lead,
			authz.Principal{Team: home, User: "U0LEE", Name: "Lee"},
			server(), context(), 0, deny(authz.RuleOwnRequest),
		},
		{
			"the same user id of another team is another person",
			lead,
			authz.Principal{Team: "T02", User: "U0LEE", GroupsKnown: true},
			server(), context(), 0, deny("not-across-teams"),
		},
		{
			"their own comes before what could not be read", lead, lead,
			server(func(s *authz.Server) { s.TagsKnown = false }), context(), 0, deny(authz.RuleOwnRequest),
		},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			d := p.Approve(c.who, c.requester, c.what, c.how, c.before)
			c.want(t, d)
			assert.Equal(t, p.Digest(), d.PolicyDigest, "each decision names its policy")
			if d.Effect == authz.Allowed {
				assert.Equal(t, []string{d.Rule}, d.Rules)
			}
		})
	}
}

func TestNoPolicyLiftsBuiltInRefusalsOfApproval(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("everybody") permit (principal, action, resource);`)
	for _, c := range []struct {
		says   string
		change func(*authz.Principal)
		want   expectation
	}{
		{"a full member may", func(*authz.Principal) {}, allow("everybody")},
		{"a stranger may not", func(who *authz.Principal) { who.Stranger = true }, deny(authz.RuleStranger, "this bot may approve.")},
		{"a guest may not", func(who *authz.Principal) { who.Guest = true }, deny(authz.RuleGuest, "guests may not approve; a full member")},
		{"a bot may not", func(who *authz.Principal) { who.Bot = true }, deny(authz.RuleBot, "bots may not approve; a person")},
		{"a deactivated account may not", func(who *authz.Principal) { who.Deactivated = true }, deny(authz.RuleDeactivated, "an active account may approve.")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			who := person("U0LEE")
			c.change(&who)
			c.want(t, p.Approve(who, person("U0ANA"), server(), context(), 0))
			c.want(t, p.MayApproveAtAll(who))
		})
	}
}

func TestWhatCouldNotBeReadIsNotApproved(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("everybody") permit (principal, action, resource);
		@id("not-group") forbid (principal, action == Action::"request", resource) when { principal in Group::"S0OUT" };`)
	for _, c := range []struct {
		says   string
		change func(who, requester *authz.Principal, s *authz.Server, c *authz.Context)
		want   expectation
	}{
		{"all is read", func(_, _ *authz.Principal, _ *authz.Server, _ *authz.Context) {}, allow("everybody")},
		{"the approver's groups", func(who, _ *authz.Principal, _ *authz.Server, _ *authz.Context) { who.GroupsKnown = false }, deny(authz.RuleUnread, "your Slack user groups could not")},
		{"the requester's groups", func(_, r *authz.Principal, _ *authz.Server, _ *authz.Context) { r.GroupsKnown = false }, deny(authz.RuleUnread, "the requester's Slack user groups could not")},
		{"the approver", func(who, _ *authz.Principal, _ *authz.Server, _ *authz.Context) { who.User = "" }, deny(authz.RuleUnread, "who you are")},
		{"the requester", func(_, r *authz.Principal, _ *authz.Server, _ *authz.Context) { r.User = "" }, deny(authz.RuleUnread, "who the requester is could not")},
		{"both", func(who, r *authz.Principal, _ *authz.Server, _ *authz.Context) { who.User, r.User = "", "" }, deny(authz.RuleUnread, "who you are, who the requester is could not")},
		{"a requester's id that forges a team", func(_, r *authz.Principal, _ *authz.Server, _ *authz.Context) { r.User = "U1/U2" }, deny(authz.RuleUnread)},
		{"the server's tags", func(_, _ *authz.Principal, s *authz.Server, _ *authz.Context) { s.TagsKnown = false }, deny(authz.RuleUnread, "tags")},
		{"a fee that is no number", func(_, _ *authz.Principal, s *authz.Server, _ *authz.Context) { s.MonthlyFee = "a lot" }, deny(authz.RuleUnread, "monthly fee")},
		{"the warnings", func(_, _ *authz.Principal, _ *authz.Server, c *authz.Context) { c.WarningsKnown = false }, deny(authz.RuleUnread, "warnings")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			who, requester, s, ctx := person("U0LEE"), person("U0ANA"), server(), context()
			c.change(&who, &requester, &s, &ctx)
			c.want(t, p.Approve(who, requester, s, ctx, 0))
		})
	}
}

func TestApproveIgnoresMembershipsIfPolicyNamesNoGroup(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("lee") permit (principal == User::"T01/U0LEE", action, resource);`)

	d := p.Approve(authz.Principal{Team: home, User: "U0LEE"}, authz.Principal{Team: home, User: "U0ANA"}, server(), context(), 0)
	allow("lee")(t, d)
}

func TestAnEvaluationErrorApprovesNothing(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("everybody") permit (principal, action, resource);
		@id("broken") forbid (principal, action == Action::"approve", resource)
		when { 9223372036854775807 + context.approvals < 0 };`)

	allow("everybody")(t, p.Approve(person("U0LEE"), person("U0ANA"), server(), context(), 0))
	d := p.Approve(person("U0LEE"), person("U0ANA"), server(), context(), 1)
	deny(authz.RuleEvaluationError, "could not be evaluated")(t, d)
	assert.Equal(t, []string{"broken"}, d.Rules, "whoever repairs it reads which rule failed")
}

func TestUnlistedGroupThatMightForbidAllowsNoApproval(t *testing.T) {
	t.Parallel()
	p := parse(t, `
		@id("approve") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);
		@id("peers") permit (principal in Group::"S0GONE", action == Action::"approve", resource);
		@id("banned") forbid (principal in Group::"S0OUT", action == Action::"approve", resource);
		@id("contractors") forbid (principal, action == Action::"approve", resource) when { context.requester in Group::"S0CONTRACT" };
		@id("never") forbid (principal in Group::"S0C", action == Action::"approve", resource) when { resource.hourly };
		@id("both") forbid (principal in Group::"S0A", action == Action::"approve", resource) when { context.requester in Group::"S0B" };`)
	missing := func(user, group string, groups ...string) authz.Principal {
		who := person(user, group)
		who.GroupsUnlisted = groups
		return who
	}
	for _, c := range []struct {
		says           string
		who, requester authz.Principal
		want           expectation
	}{
		{"all groups are listed", missing("U0LEE", "S0LEADS"), missing("U0ANA", "S0OPS"), allow("approve")},
		{"a group that only lets people in", missing("U0LEE", "S0LEADS", "S0GONE"), missing("U0ANA", "S0OPS", "S0GONE"), allow("approve")},
		{"and lets nobody in", missing("U0LEE", "S0X", "S0GONE"), missing("U0ANA", "S0OPS", "S0GONE"), deny(authz.RuleDefaultDeny)},
		{"a group that forbids the approver", missing("U0LEE", "S0LEADS", "S0OUT"), missing("U0ANA", "S0OPS"), deny(authz.RuleUnread, "whether you or the requester are in Slack user group S0OUT")},
		{"a group that forbids the requester's", missing("U0LEE", "S0LEADS"), missing("U0ANA", "S0OPS", "S0CONTRACT"), deny(authz.RuleUnread, "S0CONTRACT")},
		{"a group that forbids on other servers", missing("U0LEE", "S0LEADS", "S0C"), missing("U0ANA", "S0OPS", "S0C"), allow("approve")},
		{"more groups than can be tried together", missing("U0LEE", "S0LEADS", "S0OUT", "S0A", "S0B", "S0CONTRACT", "S0C"), missing("U0ANA", "S0OPS"), deny(authz.RuleUnread, "S0OUT or S0A")},
		{"more of them for who asked", missing("U0LEE", "S0LEADS"), missing("U0ANA", "S0OPS", "S0OUT", "S0A", "S0B", "S0CONTRACT", "S0C"), deny(authz.RuleUnread, "S0OUT or S0A")},
		{"as many as that, and refused anyhow", missing("U0LEE", "S0X", "S0OUT", "S0A", "S0B", "S0CONTRACT", "S0C"), missing("U0ANA", "S0OPS"), deny(authz.RuleDefaultDeny)},
		{"groups that forbid only together", missing("U0LEE", "S0LEADS", "S0A"), missing("U0ANA", "S0OPS", "S0B"), deny(authz.RuleUnread, "S0A or S0B")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			c.want(t, p.Approve(c.who, c.requester, server(), context(), 0))
		})
	}
}

func TestMayApproveAtAll(t *testing.T) {
	t.Parallel()
	const (
		group   = `@id("group") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);`
		prod    = `@id("prod") permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { resource.tags.contains("prod") };`
		other   = `@id("other") permit (principal, action == Action::"approve", resource) when { context.requester in Group::"S0OPS" && context.approvals < 2 && context.requester != principal };`
		ask     = `@id("ask") permit (principal, action == Action::"request", resource);`
		all     = `@id("all") permit (principal, action, resource);`
		banned  = `@id("banned") @reason("ask your lead.") forbid (principal == User::"T01/U0LEE", action == Action::"approve", resource);`
		some    = `@id("some") forbid (principal, action, resource) when { context.warnings.contains("gateway-member") };`
		request = `@id("no-request") forbid (principal, action == Action::"request", resource);`
	)
	lead, eve := person("U0LEE", "S0LEADS"), person("U0EVE")
	unknown := authz.Principal{Team: home, User: "U0EVE"}
	for _, c := range []struct {
		says, policy string
		who          authz.Principal
		want         expectation
	}{
		{"a member of the approvers may", group, lead, allow("group")},
		{"one in no group may not", group, eve, deny(authz.RuleDefaultDeny, "approve this")},
		{"one whose groups are not known may yet", group, unknown, allow("group")},
		{"an approver of some servers may", prod, lead, allow("prod")},
		{"somebody else may not, whatever the server", prod, eve, deny(authz.RuleDefaultDeny)},
		{"an approver of some requesters may", other, eve, allow("other")},
		{"leave to ask is none to approve", ask, lead, deny(authz.RuleDefaultDeny)},
		{"leave to everything is", all, eve, allow("all")},
		{"a forbid on the person refuses, with its reason", all + banned, lead, deny("banned", "ask your lead.")},
		{"a forbid on somebody else does not", all + banned, eve, allow("all")},
		{"a forbid on some requests does not", all + some, eve, allow("all")},
		{"a forbid on asking does not", all + request, eve, allow("all")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			d := parse(t, c.policy).MayApproveAtAll(c.who)
			c.want(t, d)
			assert.NotEmpty(t, d.PolicyDigest)
		})
	}
}

func TestApproversNamesWhomToAsk(t *testing.T) {
	t.Parallel()
	approve := func(principal, conditions string) string {
		return `@id("a") permit (` + principal + `, action == Action::"approve", resource) ` + conditions + `;`
	}
	const other = `@id("b") permit (principal in Group::"S9", action == Action::"approve", resource);`
	for _, c := range []struct {
		says, policy  string
		users, groups []string
		anyone        bool
	}{
		{"a group of the scope", approve(`principal in Group::"S1"`, ""), nil, []string{"S1"}, false},
		{"a group after is", approve(`principal is User in Group::"S1"`, ""), nil, []string{"S1"}, false},
		{"a user of the scope", approve(`principal == User::"T01/U1"`, ""), []string{"T01/U1"}, nil, false},
		{"all rules together, sorted, each once", other + approve(`principal in Group::"S1"`, "") +
			`@id("c") permit (principal in Group::"S9", action in [Action::"request", Action::"approve"], resource);`, nil, []string{"S1", "S9"}, false},
		{"a condition on a group", approve("principal", `when { principal in Group::"S1" }`), nil, []string{"S1"}, false},
		{"a condition on a user", approve("principal", `when { principal == User::"T01/U1" }`), []string{"T01/U1"}, nil, false},
		{"a condition the other way round", approve("principal", `when { User::"T01/U1" == principal }`), []string{"T01/U1"}, nil, false},
		{"a condition on several", approve("principal", `when { principal in [Group::"S2", Group::"S1"] }`), nil, []string{"S1", "S2"}, false},
		{"a set of users", approve("principal", `when { [User::"T01/U1", User::"T01/U2"].contains(principal) }`), []string{"T01/U1", "T01/U2"}, nil, false},
		{"a condition with is", approve("principal", `when { principal is User in Group::"S1" }`), nil, []string{"S1"}, false},
		{"either of two", approve("principal", `when { principal in Group::"S1" || principal in Group::"S2" }`), nil, []string{"S1", "S2"}, false},
		{"a group and something else", approve("principal", `when { resource.hourly && principal in Group::"S1" }`), nil, []string{"S1"}, false},
		{"a group in two conditions", approve("principal", `when { principal in Group::"S1" } when { resource.hourly }`), nil, []string{"S1"}, false},
		{"a scope and a group, of which both count", approve(`principal in Group::"S1"`, `when { principal in Group::"S2" }`), nil, []string{"S1", "S2"}, false},
		{"not outside a group", approve("principal", `unless { !(principal in Group::"S1") }`), nil, []string{"S1"}, false},
		{"unless neither, which is either", approve("principal", `unless { !(principal in Group::"S1") && !(principal in Group::"S2") }`), nil, []string{"S1", "S2"}, false},
		{"unless one is missing, which is both", approve("principal", `unless { principal != User::"T01/U1" || resource.hourly }`), []string{"T01/U1"}, nil, false},
		{"one or the other, by the server", approve("principal", `when { if resource.hourly then principal in Group::"S1" else principal in Group::"S2" }`), nil, []string{"S1", "S2"}, false},
		{"one, by the server, and else nobody", approve("principal", `when { if resource.hourly then principal in Group::"S1" else false }`), nil, []string{"S1"}, false},
		{"everyone", approve("principal", ""), nil, nil, true},
		{"every user", approve("principal is User", ""), nil, nil, true},
		{"everyone, and a group", other + approve("principal", ""), nil, []string{"S9"}, true},
		{"everyone but a group", approve("principal", `unless { principal in Group::"S1" }`), nil, nil, true},
		{"everyone but a user", approve("principal", `when { principal != User::"T01/U1" }`), nil, nil, true},
		{"everyone but some", approve("principal", `unless { [User::"T01/U1"].contains(principal) || principal is User in Group::"S1" }`), nil, nil, true},
		{"everyone on some servers", approve("principal", `when { resource.hourly }`), nil, nil, true},
		{"whoever asked, and nobody knows who will", approve("principal", `when { principal == context.requester }`), nil, nil, true},
		{"everyone on one server", approve("principal", `when { resource == Server::"1" }`), nil, nil, true},
		{"everyone or a group", approve("principal", `when { resource.hourly || principal in Group::"S1" }`), nil, []string{"S1"}, true},
		{"everyone of a team", approve("principal", `when { principal.team == "T01" }`), nil, nil, true},
		{"everyone of several teams", approve("principal", `when { ["T01", "T02"].contains(principal.team) }`), nil, nil, true},
		{"everyone but who asked", approve("principal", `when { principal != context.requester }`), nil, nil, true},
		{"who asked is not whom to ask", approve("principal", `when { context.requester in Group::"S1" }`), nil, nil, true},
		{"who asked, and somebody else", approve("principal", `when { [context.requester, User::"T01/U1"].contains(principal) }`), nil, nil, true},
		{"always", approve("principal", `when { true }`), nil, nil, true},
		{"never", other + approve("principal", `when { false } when { resource.hourly }`), nil, []string{"S9"}, false},
		{"a server is nobody", approve("principal", `when { principal in Group::"S1" && resource in [Server::"1"] }`), nil, []string{"S1"}, false},
		{"a forbid names nobody", other + `@id("c") forbid (principal in Group::"S1", action == Action::"approve", resource);`, nil, []string{"S9"}, false},
		{"leave to ask names nobody", other + `@id("c") permit (principal in Group::"S1", action == Action::"request", resource);`, nil, []string{"S9"}, false},
		{"nobody", `@id("c") permit (principal in Group::"S1", action == Action::"request", resource);`, nil, nil, false},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			users, groups, anyone := parse(t, c.policy).Approvers()
			assert.Equal(t, c.users, users)
			assert.Equal(t, c.groups, groups)
			assert.Equal(t, c.anyone, anyone)
		})
	}
}

func TestUserIDs(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("a") permit (principal == User::"T01/U2", action, resource);
		@id("b") forbid (principal in Group::"S1", action == Action::"approve", resource)
		when { context.requester == User::"T01/U1" } unless { principal == User::"T01/U2" };`)
	assert.Equal(t, []string{"T01/U1", "T01/U2"}, p.UserIDs())
	require.Nil(t, parse(t, `@id("a") permit (principal in Group::"S1", action, resource);`).UserIDs())
}
