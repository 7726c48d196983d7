package authz_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
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
			))
	}
	return text.String()
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
	return who, s, c
}

// byCedar asks Cedar itself, with entities written independently of the package under test.
func byCedar(t *testing.T, text, action string, who authz.Principal, s authz.Server, c authz.Context) (bool, cedar.Diagnostic) {
	t.Helper()
	set, err := cedar.NewPolicySetFromBytes("", []byte(text))
	require.NoError(t, err)
	var entities cedar.EntityMap
	set2 := func(values []string) string { return `["` + strings.Join(values, `","`) + `"]` }
	groups, tags, warnings, fee := "[]", "[]", "[]", ""
	if len(who.Groups) > 0 {
		groups = `[{"type":"Group","id":"` + strings.Join(who.Groups, `"},{"type":"Group","id":"`) + `"}]`
	}
	if len(s.Tags) > 0 {
		tags = set2(s.Tags)
	}
	if len(c.Warnings) > 0 {
		warnings = set2(c.Warnings)
	}
	if s.MonthlyFee != "" {
		fee = `,"monthlyFee":{"__extn":{"fn":"decimal","arg":"` + s.MonthlyFee + `"}}`
	}
	require.NoError(t, entities.UnmarshalJSON(fmt.Appendf(nil, `[
		{"uid":{"type":"User","id":"%s"},"attrs":{"team":"%s"},"parents":%s},
		{"uid":{"type":"Server","id":"%d"},"attrs":{"hostname":"%s","domain":"%s","fqdn":"%s","datacenter":"%s","tags":%s,"hourly":%t%s},"parents":[]}]`,
		who.ID(), who.Team, groups, s.ID, s.Hostname, s.Domain, s.FQDN, s.Datacenter, tags, s.Hourly, fee)))
	var record cedar.Record
	require.NoError(t, record.UnmarshalJSON(fmt.Appendf(nil,
		`{"channel":"%s","account":"%s","associatedItems":%t,"statedReason":"%s","warnings":%s}`,
		c.Channel, c.Account, c.AssociatedItems, c.StatedReason, warnings)))
	decision, diagnostic := cedar.Authorize(set, entities, cedar.Request{
		Principal: cedar.NewEntityUID("User", cedar.String(who.ID())),
		Action:    cedar.NewEntityUID("Action", cedar.String(action)),
		Resource:  cedar.NewEntityUID("Server", cedar.String(fmt.Sprint(s.ID))),
		Context:   record,
	})
	return decision == cedar.Allow, diagnostic
}

func TestDecisionsKeepTheirPromisesUnderRandomPolicies(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	seen := map[string]int{}
	for range 3000 {
		text := randomPolicy(r)
		p := parse(t, text)
		who, s, c := randomQuestion(r)
		d := p.Decide(who, s, c)
		mayRequest, request := byCedar(t, text, "request", who, s, c)
		mayCancel, cancel := byCedar(t, text, "cancel", who, s, c)
		failed := len(request.Errors)+len(cancel.Errors) > 0
		about := fmt.Sprintf("seed %d\n%s\n%+v\n%+v\n%+v\n%+v", seed, text, who, s, c, d)

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

		if d.Effect != authz.Refused {
			require.NotEqual(t, authz.Refused, p.MayAskAtAll(who, c.Channel, c.Account).Effect,
				"the command must not refuse what a submission would get: %s", about)
			who.GroupsKnown, who.Groups = false, nil
			require.NotEqual(t, authz.Refused, p.MayAskAtAll(who, c.Channel, "").Effect,
				"nor where less is known: %s", about)
		}
	}
	assert.Len(t, seen, 4, "all outcomes were met: %v", seen)
}
