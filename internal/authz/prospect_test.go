package authz_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/words"
)

const reviewed = `
@id("ops-ask")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("staging-alone")
permit (principal in Group::"S0OPS", action == Action::"cancel", resource)
when { resource.tags.contains("staging") };

@id("leads-do-all")
permit (principal in Group::"S0LEADS", action, resource);

@id("web-asks-in-its-channel")
permit (principal in Group::"S0WEB", action == Action::"request", resource)
when { context.channel == "C1" };

@id("web-files-alone")
permit (principal in Group::"S0WEB", action == Action::"cancel", resource);

@id("interns-file-nothing")
@reason("interns ask their lead.")
forbid (principal in Group::"S0INTERNS", action == Action::"cancel", resource);

@id("other-companies")
forbid (principal, action == Action::"request", resource)
when { principal.team == "T09" && principal in [Group::"S0X", Group::"S0Y", Group::"S0Z"] };

@id("fresh-leads")
forbid (principal in Group::"S0FRESH", action == Action::"approve", resource)
when { context.approvals == 0 };
`

func TestProspects(t *testing.T) {
	t.Parallel()
	p := parse(t, reviewed)
	none := authz.RuleDefaultDeny
	guest := person("U0GUS", "S0LEADS")
	guest.Guest = true
	unread := authz.Principal{Team: home, User: "U0EVE"}
	unlisted := func(groups ...string) authz.Principal {
		who := person("U0LEE", "S0LEADS")
		who.GroupsUnlisted = groups
		return who
	}
	for _, c := range []struct {
		says                     string
		who                      authz.Principal
		request, cancel, approve string
	}{
		{"an operator asks, and files alone by the server", person("U0RAJ", "S0OPS"), "yes [ops-ask]", "depends [staging-alone]", "no [" + none + "]"},
		{"a lead does all", person("U0LEE", "S0LEADS"), "yes [leads-do-all]", "yes [leads-do-all]", "yes [leads-do-all]"},
		{"who asks by the channel files by it too", person("U0WIM", "S0WEB"), "depends [web-asks-in-its-channel]", "depends [web-files-alone]", "no [" + none + "]"},
		{
			"whom a forbid on cancel meets may not even ask", person("U0IDA", "S0OPS", "S0INTERNS"),
			"no [interns-file-nothing]", "no [interns-file-nothing]", "no [" + none + "]",
		},
		{"a fresh lead approves second", person("U0LEE", "S0LEADS", "S0FRESH"), "yes [leads-do-all]", "yes [leads-do-all]", "depends [leads-do-all fresh-leads]"},
		{"somebody in no group does nothing", person("U0EVE"), "no [" + none + "]", "no [" + none + "]", "no [" + none + "]"},
		{"a guest does nothing", guest, "no [builtin-guest]", "no [builtin-guest]", "no [builtin-guest]"},
		{
			"of one whose groups are unread nothing is certain", unread,
			"depends [ops-ask leads-do-all web-asks-in-its-channel other-companies interns-file-nothing]",
			"depends [staging-alone leads-do-all web-files-alone interns-file-nothing other-companies]",
			"depends [leads-do-all fresh-leads]",
		},
		{
			"a group that Slack does not list takes away what it would forbid", unlisted("S0INTERNS"),
			"no [builtin-unread]", "no [builtin-unread]", "yes [leads-do-all]",
		},
		{
			"and leaves open what it would leave open", unlisted("S0FRESH"),
			"yes [leads-do-all]", "yes [leads-do-all]", "depends [leads-do-all fresh-leads]",
		},
		{
			"too many such groups take away all", unlisted("S0INTERNS", "S0FRESH", "S0X", "S0Y", "S0Z"),
			"no [builtin-unread]", "no [builtin-unread]", "no [builtin-unread]",
		},
		{"and what it permits stays as it is", unlisted("S0OPS"), "yes [leads-do-all]", "yes [leads-do-all]", "yes [leads-do-all]"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			got := p.Prospects(c.who)
			assert.Equal(t, c.request, said(got.Request), "request")
			assert.Equal(t, c.cancel, said(got.Cancel), "cancel")
			assert.Equal(t, c.approve, said(got.Approve), "approve")
		})
	}
}

func TestProspectsOnAServer(t *testing.T) {
	t.Parallel()
	p := parse(t, reviewed)
	ops, web, fresh := person("U0RAJ", "S0OPS"), person("U0WIM", "S0WEB"), person("U0LEE", "S0LEADS", "S0FRESH")
	elsewhere := context(func(c *authz.Context) { c.Channel = "" })
	for _, c := range []struct {
		says                     string
		who                      authz.Principal
		what                     authz.Server
		how                      authz.Context
		request, cancel, approve string
	}{
		{"an operator files staging alone", ops, server(), context(), "yes [ops-ask]", "yes [staging-alone]", "no [builtin-default-deny]"},
		{"an operator needs somebody elsewhere", ops, server(tagged()), context(), "yes [ops-ask]", "no [builtin-default-deny]", "no [builtin-default-deny]"},
		{"the channel is known", web, server(), context(), "yes [web-asks-in-its-channel]", "yes [web-files-alone]", "no [builtin-default-deny]"},
		{"and decides", web, server(), elsewhere, "no [builtin-default-deny]", "no [builtin-default-deny]", "no [builtin-default-deny]"},
		{"how many approved before is open", fresh, server(), context(), "yes [leads-do-all]", "yes [leads-do-all]", "depends [leads-do-all fresh-leads]"},
		{"what is unread allows nothing", ops, server(func(s *authz.Server) { s.TagsKnown = false }), context(), "no [builtin-unread]", "no [builtin-unread]", "no [builtin-unread]"},
		{"nor does a fee that is none", ops, server(costing("a lot")), context(), "no [builtin-unread]", "no [builtin-unread]", "no [builtin-unread]"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			got := p.ProspectsOn(c.who, c.what, c.how)
			assert.Equal(t, c.request, said(got.Request), "request")
			assert.Equal(t, c.cancel, said(got.Cancel), "cancel")
			assert.Equal(t, c.approve, said(got.Approve), "approve")
		})
	}
	assert.Equal(t, "no policy rule lets you have this filed without approval; the people who run this bot can say who may.",
		words.DecisionWords(p.ProspectsOn(ops, server(tagged()), context()).Cancel.Refusal))
	assert.Equal(t, "interns ask their lead.", words.DecisionWords(p.Prospects(person("U0IDA", "S0INTERNS", "S0OPS")).Request.Refusal))
}

func TestTheContextOfApproveIsItsOwn(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("requested") permit (principal, action == Action::"approve", resource) when { context has requester };
		@id("ask") permit (principal, action == Action::"request", resource);`)

	assert.Equal(t, "yes [requested]", said(p.ProspectsOn(person("U0LEE"), server(), context()).Approve))
}

func TestNoProspectIsYesIfARuleFails(t *testing.T) {
	t.Parallel()
	const (
		all      = `@id("all") permit (principal, action, resource);`
		overflow = `9223372036854775807 + 1 > 0`
	)
	hourly := server(func(s *authz.Server) { s.Hourly = true })
	for _, c := range []struct {
		says, policy     string
		what             authz.Server
		who, on, approve string // of cancel without a server and on it, and of approve on it
	}{
		{"a permit fails", `@id("fails") permit (principal, action, resource) when { ` + overflow + ` };`, server(), "no [fails]", "no [fails]", "no [fails]"},
		{"a forbid fails", `@id("fails") forbid (principal, action, resource is Server) unless { ` + overflow + ` };`, server(), "no [fails]", "no [fails]", "no [fails]"},
		{"a rule for request fails cancel too", `@id("fails") permit (principal, action == Action::"request", resource) when { ` + overflow + ` };`, server(), "no [fails]", "no [fails]", "yes [all]"},
		{"before a forbid refuses", `@id("fails") permit (principal, action, resource) when { ` + overflow + ` }; @id("no") forbid (principal, action, resource);`, server(), "no [fails]", "no [fails]", "no [fails]"},
		{"for another person", `@id("fails") permit (principal == User::"T01/U0BEN", action, resource) when { ` + overflow + ` };`, server(), "yes [all]", "yes [all]", "yes [all]"},
		{"on one server", `@id("fails") permit (principal, action, resource == Server::"1234567") when { ` + overflow + ` };`, server(), "depends [all fails]", "no [fails]", "no [fails]"},
		{"on another server", `@id("fails") permit (principal, action, resource == Server::"1") when { ` + overflow + ` };`, server(), "depends [all fails]", "yes [all]", "yes [all]"},
		{"on some servers", `@id("fails") permit (principal, action == Action::"cancel", resource) when { resource.hourly && ` + overflow + ` };`, hourly, "depends [all fails]", "no [fails]", "yes [all]"},
		{"on others", `@id("fails") permit (principal, action, resource) when { if resource.hourly then ` + overflow + ` else false };`, server(), "depends [all fails]", "yes [all]", "yes [all]"},
		{"after a condition on the server", `@id("fails") permit (principal, action, resource) when { resource.hourly } when { ` + overflow + ` };`, hourly, "depends [all fails]", "no [fails]", "no [fails]"},
		{"by the number of approvals", `@id("fails") permit (principal, action == Action::"approve", resource) when { 9223372036854775806 + context.approvals > 0 };`, server(), "yes [all]", "yes [all]", "depends [all fails]"},
		{
			"by who asked, whose attributes the decision will know", `@id("fails") permit (principal, action, resource) when { User::"T01/U0BEN".team == "T01" };`, server(),
			"depends [all fails]", "depends [all fails]", "depends [all fails]",
		},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p := parse(t, all+c.policy)
			ahead, on := p.Prospects(person("U0ANA")), p.ProspectsOn(person("U0ANA"), c.what, context())
			assert.Equal(t, c.who, said(ahead.Cancel))
			assert.Equal(t, c.who, said(ahead.Request), "what fails cancel fails request")
			assert.Equal(t, c.on, said(on.Cancel))
			assert.Equal(t, c.on, said(on.Request))
			assert.Equal(t, c.approve, said(on.Approve))
		})
	}
	unread := authz.Principal{Team: home, User: "U0ANA"}
	p := parse(t, all+`@id("fails") permit (principal in Group::"S0OPS", action, resource) when { `+overflow+` };`)
	assert.Equal(t, "depends [all fails]", said(p.Prospects(unread).Cancel), "a membership that was not read")
	assert.Equal(t, "the policy could not be evaluated for this request, so nothing is allowed; the people who run this bot have to repair it.",
		words.DecisionWords(p.Prospects(person("U0ANA", "S0OPS")).Cancel.Refusal))
}

func said(p authz.Prospect) string {
	text := p.May.String() + " ["
	for i, rule := range p.Rules {
		if i > 0 {
			text += " "
		}
		text += rule
	}
	return text + "]"
}

func TestACardRefusesWhatNoFormCouldGet(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("ask") permit (principal in Group::"S0OPS", action == Action::"request", resource);
		@id("quiet") forbid (principal, action == Action::"request", resource) when { resource.tags.contains("protected") };
		@id("protected") @reason("never here.") forbid (principal, action == Action::"request", resource) when { resource.tags.contains("protected") };
		@id("no-cancel") forbid (principal, action == Action::"cancel", resource) when { resource.hostname == "gw-1" };
		@id("upgrades") forbid (principal, action, resource) when { context.statedReason == "Sales process / upgrades" };
		@id("alone") forbid (principal, action, resource) when { context.associatedItems };
		@id("warned") forbid (principal, action, resource) when { context.warnings.contains("gateway-member") };
		@id("elsewhere") forbid (principal, action, resource) when { context.channel == "C9" };`)
	ops := person("U0RAJ", "S0OPS")
	guest := ops
	guest.Guest = true
	for _, c := range []struct {
		says string
		who  authz.Principal
		what authz.Server
		how  authz.Context
		want expectation
	}{
		{"what may be asked for", ops, server(), context(), opens("ask")},
		{"what depends on the reason is decided later", ops, server(), context(func(c *authz.Context) { c.StatedReason = "" }), opens("ask")},
		{"what depends on the associated items, too", ops, server(), context(func(c *authz.Context) { c.AssociatedItems = true }), opens("ask")},
		{"a protected server, by the rule that says why", ops, server(tagged("Protected")), context(), deny("protected", "never here.")},
		{"what a forbid on cancel meets", ops, server(func(s *authz.Server) { s.Hostname = "gw-1" }), context(), deny("no-cancel")},
		{"a warning that the card shows", ops, server(), context(warned("gateway-member")), deny("warned")},
		{"the channel", ops, server(), context(func(c *authz.Context) { c.Channel = "C9" }), deny("elsewhere")},
		{"tags that nobody could read", ops, server(func(s *authz.Server) { s.TagsKnown = false }), context(), deny(authz.RuleUnread, "tags")},
		{"a fee that is none", ops, server(costing("a lot")), context(), deny(authz.RuleUnread)},
		{"a guest", guest, server(), context(), deny(authz.RuleGuest)},
		{"whom no rule lets", person("U0EVE"), server(), context(), deny(authz.RuleDefaultDeny)},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			c.want(t, p.MayAskFor(c.who, c.what, c.how))
		})
	}
	unread := authz.Principal{Team: home, User: "U0RAJ"}
	deny(authz.RuleUnread, "your Slack user groups")(t, p.MayAskFor(unread, server(), context()))
}
