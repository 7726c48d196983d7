package authz_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/authz"
)

// TestIndexChangesNoAnswer holds that leaving out rules which cannot match changes nothing that a policy
// answers: not the effect, not the rules and their order, not which of them failed.
func TestIndexChangesNoAnswer(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	manyTimes(t, 30, func(t *rapid.T, r *rand.Rand) {
		text := randomScopes(r)
		indexed := parse(t, text)
		whole := indexed.WithoutIndex()
		who, s, c := randomQuestion(r)
		requester, _, _ := randomQuestion(r)
		who, requester = joining(r, who), joining(r, requester)
		got, want := answers(indexed, who, requester, s, c), answers(whole, who, requester, s, c)
		require.Equal(t, want, got, "%s\n%+v\n%+v\n%+v\n%+v", text, who, requester, s, c)
		for _, d := range []string{"Decide", "Approve"} {
			seen[d+" "+want[d].(authz.Decision).Effect.String()]++
		}
		if want["Decide"].(authz.Decision).Rule == authz.RuleEvaluationError {
			seen["failed"]++
		}
	})
	for _, outcome := range []string{"Decide refused", "Decide needs approval", "Decide allowed", "Approve refused", "Approve allowed", "failed"} {
		assert.NotZero(t, seen[outcome], "%s was met: %v", outcome, seen)
	}
}

// randomScopes writes rules with every form of scope for a person and an action.
func randomScopes(r *rand.Rand) string {
	pick := func(parts ...string) string { return parts[r.IntN(len(parts))] }
	var text strings.Builder
	for i := range 1 + r.IntN(12) {
		effect := pick("permit", "permit", "permit", "forbid")
		if i == 0 {
			effect = "permit"
		}
		fmt.Fprintf(&text, "@id(\"rule-%d\")\n%s (%s, %s, %s) %s;\n", i, effect,
			pick("principal", "principal is User", `principal == User::"T01/U1"`, `principal in User::"T01/U2"`,
				`principal in Group::"S1"`, `principal in Group::"S2"`, `principal is User in Group::"S3"`),
			pick("action", `action == Action::"request"`, `action in Action::"cancel"`, `action == Action::"approve"`,
				`action in [Action::"request", Action::"cancel"]`, `action in [Action::"cancel", Action::"approve"]`),
			pick("resource", "resource is Server", `resource == Server::"1234567"`),
			pick(
				"", "", "", `when { resource.datacenter == "fra02" }`, `unless { principal in Group::"S2" || resource.hourly }`,
				`when { context.channel == "C1" }`, `unless { resource.tags.contains("prod") }`,
				`when { if resource.hourly then 9223372036854775807 + 1 > 0 else true }`,
				`when { context has requester && context.requester in Group::"S3" }`,
			))
	}
	return text.String()
}

// joining returns a person who may be in more groups, or whose groups are not known, or not listed.
func joining(r *rand.Rand, who authz.Principal) authz.Principal {
	coin := func() bool { return r.IntN(2) == 0 }
	if coin() {
		who.Groups = append(who.Groups, "S3")
	}
	if coin() {
		who.Groups = append(who.Groups, "S4", "S1")
	}
	if r.IntN(4) == 0 {
		who.GroupsUnlisted = []string{"S2", "S3"}[:1+r.IntN(2)]
	}
	if r.IntN(8) == 0 {
		who.Groups, who.GroupsKnown = nil, false
	}
	return who
}

// answers asks a policy everything that it can be asked about a person.
func answers(p *authz.Policy, who, requester authz.Principal, s authz.Server, c authz.Context) map[string]any {
	return map[string]any{
		"Decide":          p.Decide(who, s, c),
		"Approve":         p.Approve(who, requester, s, c, 1),
		"MayAskAtAll":     p.MayAskAtAll(who, c.Channel, c.Account),
		"MayAskFor":       p.MayAskFor(who, s, c),
		"MayApproveAtAll": p.MayApproveAtAll(who),
		"MayFreeze":       p.MayFreeze(who),
		"Prospects":       p.Prospects(who),
		"ProspectsOn":     p.ProspectsOn(who, s, c),
	}
}
