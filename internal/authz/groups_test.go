package authz_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

func fromGroups(t testing.TB, g authz.Groups) *authz.Policy {
	t.Helper()
	p, err := authz.FromGroups(g)
	require.NoError(t, err)
	return p
}

func TestFromGroupsIsExactlyThisCedar(t *testing.T) {
	t.Parallel()
	p := fromGroups(t, authz.Groups{
		Home: home, Request: []string{"S0OPS", "S0OPS", "U0ANA"}, Approve: []string{"S0LEADS", "W0BOSS"},
		ProtectedTags: []string{"protected", `odd "tag"`},
	})
	assert.Equal(t, `// From REQUEST_GROUPS, APPROVE_GROUPS and PROTECTED_TAGS.

@id("request-S0OPS")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("request-U0ANA")
permit (principal == User::"T01/U0ANA", action == Action::"request", resource);

@id("approve-S0LEADS")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource);

@id("approve-W0BOSS")
permit (principal == User::"T01/W0BOSS", action == Action::"approve", resource);

@id("protected-tags")
@reason("servers tagged protected or odd \"tag\" are never cancelled here; the people who run this bot can say why.")
forbid (principal, action == Action::"request", resource)
when { resource.tags.containsAny(["protected", "odd \"tag\""]) };
`, p.Text())
	assert.Equal(t, []string{"S0LEADS", "S0OPS"}, p.GroupIDs())
	assert.Empty(t, p.Warnings())

	again, err := authz.Parse("grown.cedar", []byte(p.Text()))
	require.NoError(t, err, "a policy file can be grown from it")
	assert.Equal(t, p.Digest(), again.Digest())
}

func TestQualifiedUserIDBelongsToItsOwnTeam(t *testing.T) {
	t.Parallel()
	p := fromGroups(t, authz.Groups{Home: home, Request: []string{"T02/U0BEN"}, Approve: []string{authz.None}})
	assert.Contains(t, p.Text(), `permit (principal == User::"T02/U0BEN", action == Action::"request", resource);`)
}

func TestFromGroupsDecides(t *testing.T) {
	t.Parallel()
	approvers := fromGroups(t, authz.Groups{
		Home: home, Request: []string{"S0OPS", "U0ANA"}, Approve: []string{"S0LEADS"}, ProtectedTags: []string{"protected"},
	})
	alone := fromGroups(t, authz.Groups{Home: "E0ACME", Request: []string{"S0OPS", "W0ANA"}, Approve: []string{authz.None}})
	ofEnterprise := authz.Principal{Team: "E0ACME", User: "W0ANA", GroupsKnown: true}
	for _, c := range []struct {
		says   string
		policy *authz.Policy
		who    authz.Principal
		what   authz.Server
		want   expectation
	}{
		{"a requester needs an approver", approvers, person("U0RAJ", "S0OPS"), server(), needs(1, "request-S0OPS")},
		{"a requester by user id too", approvers, person("U0ANA"), server(), needs(1, "request-U0ANA")},
		{"an approver may not ask", approvers, person("U0LEE", "S0LEADS"), server(), deny(authz.RuleDefaultDeny)},
		{"nobody asks for a protected server", approvers, person("U0ANA"), server(tagged("x", "protected")), deny("protected-tags", "tagged protected")},
		{"with none, requesters file without approval", alone, person("U0RAJ", "S0OPS"), server(), allow("cancel-S0OPS")},
		{"with none, so do people of the enterprise", alone, ofEnterprise, server(), allow("cancel-W0ANA")},
		{"with no protected tags, none is protected", alone, ofEnterprise, server(tagged("protected")), allow("cancel-W0ANA")},
		{"with none, others still may not", alone, person("U0EVE"), server(), deny(authz.RuleDefaultDeny)},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			c.want(t, c.policy.Decide(c.who, c.what, context()))
		})
	}
}

func TestTagsCompareWithoutCase(t *testing.T) {
	t.Parallel()
	groups := authz.Groups{Home: home, Request: []string{"U0ANA"}, Approve: []string{authz.None}}
	file := parse(t, `@id("ask") permit (principal, action in [Action::"request", Action::"cancel"], resource);
		@id("protected-tags") forbid (principal, action == Action::"request", resource) when { resource.tags.containsAny(["donotcancel"]) };`)
	for _, c := range []struct{ says, setting, tag string }{
		{"the setting has capitals, SoftLayer keeps lower case", "DoNotCancel", "donotcancel"},
		{"SoftLayer has capitals, the setting does not", "donotcancel", "DoNotCancel"},
		{"both, each its own", "DONOTCANCEL", "DoNotCancel"},
		{"capitals of other letters", "ÄRGER", "ärger"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			groups := groups
			groups.ProtectedTags = []string{"x", c.setting}
			p := fromGroups(t, groups)
			deny("protected-tags")(t, p.Decide(person("U0ANA"), server(tagged(c.tag)), context()))
			allow("cancel-U0ANA")(t, p.Decide(person("U0ANA"), server(tagged("a"+c.tag)), context()))
		})
	}
	deny("protected-tags")(t, file.Decide(person("U0ANA"), server(tagged("DoNotCancel")), context()))
}

func TestFromGroupsWithUsersOnlyNamesNoGroup(t *testing.T) {
	t.Parallel()
	p := fromGroups(t, authz.Groups{Home: home, Request: []string{"U0ANA"}, Approve: []string{authz.None}})

	assert.Nil(t, p.GroupIDs())
}

func TestFromGroupsShortensALongReason(t *testing.T) {
	t.Parallel()
	p := fromGroups(t, authz.Groups{
		Request: []string{"S0OPS"}, Approve: []string{authz.None},
		ProtectedTags: []string{strings.Repeat("a", 200), strings.Repeat("b", 200)},
	})
	d := p.Decide(person("U1", "S0OPS"), server(tagged(strings.Repeat("b", 200))), context())

	deny("protected-tags", "servers with a protected tag are never cancelled here")(t, d)

	const around = "servers tagged  are never cancelled here; the people who run this bot can say why."
	longest := strings.Repeat("a", authz.MaxReason-len(around))
	p = fromGroups(t, authz.Groups{Request: []string{"S0OPS"}, Approve: []string{authz.None}, ProtectedTags: []string{longest}})
	deny("protected-tags", "servers tagged aaa")(t, p.Decide(person("U1", "S0OPS"), server(tagged(longest)), context()))
}

func TestFromGroupsRefuses(t *testing.T) {
	t.Parallel()
	none := []string{authz.None}
	for _, c := range []struct {
		says string
		g    authz.Groups
		want []string
	}{
		{"nobody who may ask", authz.Groups{Approve: none}, []string{"REQUEST_GROUPS: empty"}},
		{"approvers not said", authz.Groups{Request: []string{"S1"}}, []string{"APPROVE_GROUPS: required", `"none"`}},
		{"none beside a group", authz.Groups{Request: []string{"S1"}, Approve: []string{"none", "S2"}}, []string{`APPROVE_GROUPS: "none"`}},
		{"a handle", authz.Groups{Request: []string{"@ops"}, Approve: none}, []string{`REQUEST_GROUPS: "@ops" is neither`}},
		{"an empty element", authz.Groups{Request: []string{"S1", ""}, Approve: none}, []string{`REQUEST_GROUPS: "" is neither`}},
		{"a channel", authz.Groups{Request: []string{"C0123"}, Approve: none}, []string{"neither"}},
		{"Cedar in an id", authz.Groups{Request: []string{`S1", action, resource); permit (principal in Group::"S2`}, Approve: none}, []string{"neither"}},
		{"a line break in an id", authz.Groups{Request: []string{"S1\n"}, Approve: none}, []string{"neither"}},
		{"a team that is none in a user id", authz.Groups{Home: home, Request: []string{"t02/U1"}, Approve: none}, []string{"neither"}},
		{"a user with no home", authz.Groups{Request: []string{"U1"}, Approve: none}, []string{"user U1 needs the installed team"}},
		{"a home that is none", authz.Groups{Home: `T"`, Request: []string{"U1"}, Approve: none}, []string{"needs the installed team"}},
		{"an empty tag", authz.Groups{Request: []string{"S1"}, Approve: none, ProtectedTags: []string{" "}}, []string{`PROTECTED_TAGS: " "`}},
		{"a tag of two lines", authz.Groups{Request: []string{"S1"}, Approve: none, ProtectedTags: []string{"a\nb"}}, []string{"PROTECTED_TAGS"}},
		{
			"everything at once",
			authz.Groups{Request: []string{"x"}, Approve: []string{"y"}, ProtectedTags: []string{""}},
			[]string{`REQUEST_GROUPS: "x"`, `APPROVE_GROUPS: "y"`, "PROTECTED_TAGS"},
		},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p, err := authz.FromGroups(c.g)
			require.Error(t, err)
			assert.Nil(t, p)
			for _, part := range c.want {
				assert.Contains(t, err.Error(), part)
			}
		})
	}
}

func TestATagCannotBecomeCedar(t *testing.T) {
	t.Parallel()
	for _, tag := range []string{`"]) }; permit (principal, action, resource); //`, `\`, `*`, "\u202e", `\u{22}`} {
		p := fromGroups(t, authz.Groups{Home: home, Request: []string{"U0ANA"}, Approve: []string{authz.None}, ProtectedTags: []string{tag}})

		deny("protected-tags")(t, p.Decide(person("U0ANA"), server(tagged(tag)), context()))
		allow("cancel-U0ANA")(t, p.Decide(person("U0ANA"), server(tagged("x"+tag)), context()))
		deny(authz.RuleDefaultDeny)(t, p.Decide(person("U0EVE"), server(), context()))
	}
}
