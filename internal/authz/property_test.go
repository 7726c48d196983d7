package authz_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/words"
)

// randomPolicy writes a few rules from parts that hit each other often; one condition fails to
// evaluate for hourly servers.
func randomPolicy(r *rand.Rand) string {
	pick := func(parts ...string) string { return parts[r.IntN(len(parts))] }
	var text strings.Builder
	for i := range 1 + r.IntN(5) {
		effect := pick("permit", "permit", "forbid")
		if i == 0 {
			effect = "permit"
		}
		fmt.Fprintf(&text, "@id(\"rule-%d\")\n%s (%s, %s, %s) %s;\n", i, effect,
			pick("principal", `principal in Group::"S1"`, `principal == User::"T01/U1"`, `principal is User in Group::"S2"`),
			pick("action", `action == Action::"request"`, `action == Action::"cancel"`, `action in [Action::"request", Action::"cancel"]`),
			pick("resource", "resource", "resource is Server", `resource == Server::"1234567"`),
			pick(
				"", "", `when { resource.datacenter == "fra02" }`, `unless { resource.tags.contains("prod") }`,
				`when { context.channel == "C1" }`, `unless { principal in Group::"S2" || resource.hourly }`,
				`when { if resource.hourly then 9223372036854775807 + 1 > 0 else context.associatedItems }`,
				`when { resource has monthlyFee && resource.monthlyFee.lessThan(decimal("500.0")) }`,
				`when { context has warnings && context.warnings.isEmpty() }`,
				`when { [context.channel, context.account].contains("C1") } unless { context.associatedItems }`,
				`when { context.today > 5 }`, `unless { context.count == 1 || context has today && context.today <= 5 }`,
			))
	}
	return text.String()
}

// randomApprovalPolicy writes rules for approve, and one that is for other actions too.
func randomApprovalPolicy(r *rand.Rand) string {
	pick := func(parts ...string) string { return parts[r.IntN(len(parts))] }
	var text strings.Builder
	for i := range 1 + r.IntN(5) {
		effect := pick("permit", "permit", "forbid")
		if i == 0 {
			effect = "permit"
		}
		fmt.Fprintf(&text, "@id(\"rule-%d\")\n%s (%s, action == Action::\"approve\", %s) %s;\n", i, effect,
			pick("principal", `principal in Group::"S1"`, `principal == User::"T01/U1"`, `principal is User in Group::"S2"`),
			pick("resource", "resource", "resource is Server", `resource == Server::"1234567"`),
			pick(
				"", "", `when { resource.datacenter == "fra02" }`, `unless { resource.tags.contains("prod") }`,
				`when { context.approvals < 1 }`, `unless { principal in Group::"S2" || resource.hourly }`,
				`when { context.requester in Group::"S1" }`, `unless { context.requester in [Group::"S1", Group::"S2"] }`,
				`when { context.requester == User::"T01/U2" && context.requester.team == principal.team }`,
				`when { 9223372036854775806 + context.approvals > 0 }`,
				`when { principal != context.requester } unless { context.associatedItems }`,
			))
	}
	return text.String() + pick("", `@id("more") forbid (principal in Group::"S2", action, resource) when { context.associatedItems };`)
}

func randomQuestion(r *rand.Rand) (authz.Principal, authz.Server, authz.Context) {
	coin := func() bool { return r.IntN(2) == 0 }
	who := person([]string{"U1", "U2"}[r.IntN(2)])
	for _, group := range []string{"S1", "S2"} {
		if coin() {
			who.Groups = append(who.Groups, group)
		}
	}
	s := server(in([]string{"fra02", "dal10"}[r.IntN(2)]), costing([]string{"", "412.5", "500.00"}[r.IntN(3)]))
	s.Hourly = coin()
	if coin() {
		s.Tags = []string{"prod"}
	}
	c := context()
	c.Channel, c.AssociatedItems = []string{"C1", ""}[r.IntN(2)], coin()
	if coin() {
		c.Warnings = []string{"gateway-member"}
	}
	c.Count = []int64{1, 6}[r.IntN(2)]
	c.Today = c.Count + r.Int64N(3)
	return who, s, c
}

// byCedar asks Cedar itself, with entities written independently of the package under test. extra
// goes into the context, and those of more among the entities.
func byCedar(t rapid.TB, text, action string, who authz.Principal, s authz.Server, c authz.Context, extra string, more ...authz.Principal) (bool, cedar.Diagnostic) {
	t.Helper()
	set, err := cedar.NewPolicySetFromBytes("", []byte(text))
	require.NoError(t, err)
	var entities cedar.EntityMap
	list := func(values []string) string { return `["` + strings.Join(values, `","`) + `"]` }
	tags, warnings, fee := "[]", "[]", ""
	if len(s.Tags) > 0 {
		tags = list(s.Tags)
	}
	if len(c.Warnings) > 0 {
		warnings = list(c.Warnings)
	}
	if s.MonthlyFee != "" {
		fee = `,"monthlyFee":{"__extn":{"fn":"decimal","arg":"` + s.MonthlyFee + `"}}`
	}
	var people strings.Builder
	for _, person := range append(more, who) {
		groups := "[]"
		if len(person.Groups) > 0 {
			groups = `[{"type":"Group","id":"` + strings.Join(person.Groups, `"},{"type":"Group","id":"`) + `"}]`
		}
		fmt.Fprintf(&people, `{"uid":{"type":"User","id":"%s"},"attrs":{"team":"%s"},"parents":%s},`, person.ID(), person.Team, groups)
	}
	require.NoError(t, entities.UnmarshalJSON(fmt.Appendf(nil, `[%s
		{"uid":{"type":"Server","id":"%d"},"attrs":{"hostname":"%s","domain":"%s","fqdn":"%s","datacenter":"%s","tags":%s,"hourly":%t%s},"parents":[]}]`,
		people.String(), s.ID, s.Hostname, s.Domain, s.FQDN, s.Datacenter, tags, s.Hourly, fee)))
	var record cedar.Record
	require.NoError(t, record.UnmarshalJSON(fmt.Appendf(nil,
		`{"channel":"%s","account":"%s","associatedItems":%t,"statedReason":"%s","warnings":%s,"count":%d,"today":%d%s}`,
		c.Channel, c.Account, c.AssociatedItems, c.StatedReason, warnings, c.Count, c.Today, extra)))
	decision, diagnostic := cedar.Authorize(set, entities, cedar.Request{
		Principal: cedar.NewEntityUID("User", cedar.String(who.ID())),
		Action:    cedar.NewEntityUID("Action", cedar.String(action)),
		Resource:  cedar.NewEntityUID("Server", cedar.String(fmt.Sprint(s.ID))),
		Context:   record,
	})
	return decision == cedar.Allow, diagnostic
}

// manyTimes tries a property so many times for each of rapid's checks. A failure names
// the flags that repeat it.
func manyTimes(t *testing.T, times int, property func(t *rapid.T, r *rand.Rand)) {
	t.Helper()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 0))
		for range times {
			property(rt, r)
		}
	})
}

func TestDecisionsKeepTheirPromisesUnderRandomPolicies(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	manyTimes(t, 30, func(t *rapid.T, r *rand.Rand) {
		text := randomPolicy(r)
		p := parse(t, text)
		who, s, c := randomQuestion(r)
		d := p.Decide(who, s, c)
		mayRequest, request := byCedar(t, text, "request", who, s, c, "")
		mayCancel, cancel := byCedar(t, text, "cancel", who, s, c, "")
		failed := len(request.Errors)+len(cancel.Errors) > 0
		about := fmt.Sprintf("%s\n%+v\n%+v\n%+v\n%+v", text, who, s, c, d)

		switch {
		case failed:
			require.Equal(t, authz.Refused, d.Effect, "an evaluation error refuses: %s", about)
			require.Equal(t, authz.RuleEvaluationError, d.Rule, about)
		case !mayRequest:
			require.Equal(t, authz.Refused, d.Effect, "nothing without request: %s", about)
		case mayCancel:
			require.Equal(t, authz.Allowed, d.Effect, about)
		case len(cancel.Reasons) > 0:
			require.Equal(t, authz.Refused, d.Effect, "a forbid on cancel refuses: %s", about)
		default:
			require.Equal(t, authz.NeedsApproval, d.Effect, about)
		}
		seen[fmt.Sprint(failed, d.Effect)]++
		requireForeseen(t, p, who, s, c, d, about)
		requireForetold(t, p, who, s, c, d, about)
		if d.Effect != authz.Refused {
			require.NotEqual(t, authz.Refused, p.MayAskAtAll(who, c.Channel, c.Account).Effect,
				"the command must not refuse what a submission would get: %s", about)
			who.GroupsKnown, who.Groups = false, nil
			require.NotEqual(t, authz.Refused, p.MayAskAtAll(who, c.Channel, "").Effect,
				"nor where less is known: %s", about)
		}
	})
	assert.Len(t, seen, 4, "all outcomes were met: %v", seen)
}

// requireForetold holds what is said of a server once it is chosen to what is decided, whatever the
// person then states in the form.
func requireForetold(t *rapid.T, p *authz.Policy, who authz.Principal, s authz.Server, c authz.Context, d authz.Decision, about string) {
	t.Helper()
	ahead := p.MayAskFor(who, s, c)
	if d.Effect != authz.Refused {
		require.NotEqual(t, authz.Refused, ahead.Effect, "the card must not refuse what a submission would get: %s", about)
	}
	require.Equal(t, ahead.Effect == authz.Refused, words.DecisionWords(ahead) != "", about)
	c.StatedReason, c.AssociatedItems = "something else", !c.AssociatedItems
	require.Equal(t, ahead, p.MayAskFor(who, s, c), "it rests on nothing that the form asks for: %s", about)
	c.Count, c.Today = 0, 0
	if ahead.Effect != authz.Refused {
		require.NotEqual(t, authz.Refused, p.MayAskFor(who, s, c).Effect, "nor what is not known yet: %s", about)
	}
}

// requireForeseen holds what is said of a person without a server, and with one, to what is decided.
func requireForeseen(t *rapid.T, p *authz.Policy, who authz.Principal, s authz.Server, c authz.Context, d authz.Decision, about string) {
	t.Helper()
	may := map[bool]authz.Certainty{true: authz.Yes, false: authz.No}
	ahead, on := p.Prospects(who), p.ProspectsOn(who, s, c)
	require.Equal(t, may[d.Effect != authz.Refused], on.Request.May, "%+v\n%s", on, about)
	require.Equal(t, may[d.Effect == authz.Allowed], on.Cancel.May, "%+v\n%s", on, about)
	for _, pair := range [][2]authz.Prospect{{ahead.Request, on.Request}, {ahead.Cancel, on.Cancel}, {ahead.Approve, on.Approve}} {
		if pair[0].May != authz.Depends {
			require.Equal(t, pair[0].May, pair[1].May, "what was certain has to come true: %+v\n%+v\n%s", ahead, on, about)
		}
		require.NotEmpty(t, pair[0].Rules, about)
		require.Equal(t, pair[1].May == authz.No, pair[1].Refusal.Rule != "" && words.DecisionWords(pair[1].Refusal) != "", about)
	}
}

func TestApprovalsKeepTheirPromisesUnderRandomPolicies(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	manyTimes(t, 30, func(t *rapid.T, r *rand.Rand) {
		text := randomApprovalPolicy(r)
		p := parse(t, text)
		who, s, c := randomQuestion(r)
		requester, _, _ := randomQuestion(r)
		before := r.IntN(3)
		d := p.Approve(who, requester, s, c, before)
		about := fmt.Sprintf("%s\n%+v\n%+v\n%+v\n%+v\n%+v", text, who, requester, s, c, d)
		require.NotEqual(t, authz.NeedsApproval, d.Effect, about)
		if who.ID() == requester.ID() {
			require.Equal(t, authz.RuleOwnRequest, d.Rule, "nobody approves their own: %s", about)
			require.Equal(t, authz.Refused, d.Effect, about)
			return
		}
		may, diagnostic := byCedar(t, text, "approve", who, s, c,
			fmt.Sprintf(`,"approvals":%d,"requester":{"__entity":{"type":"User","id":"%s"}}`, before, requester.ID()), requester)
		failed := len(diagnostic.Errors) > 0
		require.Equal(t, may && !failed, d.Effect == authz.Allowed, about)
		require.Equal(t, failed, d.Rule == authz.RuleEvaluationError, "an evaluation error refuses: %s", about)
		seen[fmt.Sprint(failed, d.Effect)]++
		if on := p.ProspectsOn(who, s, c).Approve; on.May != authz.Depends {
			require.Equal(t, on.May == authz.Yes, d.Effect == authz.Allowed, "what was certain has to come true: %+v\n%s", on, about)
		}
		if d.Effect == authz.Allowed {
			require.Equal(t, authz.Allowed, p.MayApproveAtAll(who).Effect, "a button must not refuse what the click would get: %s", about)
			requireNamed(t, p, who, about)
			who.GroupsKnown, who.Groups = false, nil
			require.Equal(t, authz.Allowed, p.MayApproveAtAll(who).Effect, "nor where less is known: %s", about)
		}
	})
	assert.Len(t, seen, 3, "all outcomes were met: %v", seen)
}

// requireNamed holds that somebody who may approve is among those whom the policy says to ask.
func requireNamed(t *rapid.T, p *authz.Policy, who authz.Principal, about string) {
	t.Helper()
	users, groups, anyone := p.Approvers()
	in := func(group string) bool { return slices.Contains(groups, group) }
	require.True(t, anyone || slices.Contains(users, who.ID()) || slices.ContainsFunc(who.Groups, in), "whom to ask: %s", about)
}

// However many groups Slack does not list, nothing is allowed that some memberships would forbid, and
// nothing is refused for their sake that none of them would.
func TestUnlistedGroupsAreTriedInEveryCombination(t *testing.T) {
	t.Parallel()
	unlisted := []string{"S1", "S2", "S3"}
	refused := 0
	manyTimes(t, 15, func(t *rapid.T, r *rand.Rand) {
		text := strings.ReplaceAll(randomPolicy(r), `in Group::"S2" ||`, `in Group::"S2" && principal in Group::"S3" ||`)
		if r.IntN(2) == 0 {
			text += `@id("pair") forbid (principal in Group::"S1", action, resource) when { principal in Group::"S2" } unless { principal in Group::"S3" };`
		}
		p := parse(t, text)
		who, s, c := randomQuestion(r)
		who.Groups, who.GroupsUnlisted = nil, nil
		plain := p.Decide(who, s, c)
		want := plain.Effect
		for subset := range 1 << len(unlisted) {
			member := who
			for i, id := range unlisted {
				if subset&(1<<i) != 0 {
					member.Groups = append(member.Groups, id)
				}
			}
			if p.Decide(member, s, c).Effect < plain.Effect {
				want = authz.Refused
			}
		}
		who.GroupsUnlisted = unlisted
		d := p.Decide(who, s, c)
		about := fmt.Sprintf("%s\n%+v\n%+v\n%+v\n%+v", text, who, s, c, d)
		require.Equal(t, want, d.Effect, about)
		if d.Rule == authz.RuleUnread {
			refused++
			require.NotEqual(t, authz.Refused, plain.Effect, about)
		}
		on := p.ProspectsOn(who, s, c)
		require.False(t, on.Request.May == authz.No && d.Effect != authz.Refused, "%+v\n%s", on, about)
		require.False(t, on.Cancel.May == authz.Yes && d.Effect != authz.Allowed, "%+v\n%s", on, about)
	})
	assert.NotZero(t, refused)
}
