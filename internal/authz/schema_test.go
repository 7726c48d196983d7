package authz

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A question that does not fit the schema cannot be put through the exported types; here the schema
// is exchanged under a policy instead.
func TestQuestionOutsideTheSchemaIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, schema string }{
		{"an attribute more", `entity Group; entity User in [Group] { team: String, badge: Long }; entity Server;
			action request, cancel appliesTo { principal: User, resource: Server };`},
		{"request alone", `entity Group; entity User in [Group] { team: String }; entity Server {
			hostname: String, domain: String, fqdn: String, datacenter: String, tags: Set<String>, monthlyFee?: decimal, hourly: Bool };
			action request appliesTo { principal: User, resource: Server, context: { channel: String, account: String,
			associatedItems: Bool, statedReason: String, warnings: Set<String> } };`},
		{"cancel alone", `entity Group; entity User in [Group] { team: String }; entity Server {
			hostname: String, domain: String, fqdn: String, datacenter: String, tags: Set<String>, monthlyFee?: decimal, hourly: Bool };
			action cancel appliesTo { principal: User, resource: Server, context: { channel: String, account: String,
			associatedItems: Bool, statedReason: String, warnings: Set<String> } };`},
		{"no such action", `entity Group; entity User in [Group] { team: String }; entity Server;`},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p, err := Parse("p.cedar", []byte(`@id("all") permit (principal, action, resource);`))
			require.NoError(t, err)
			who := Principal{Team: "T01", User: "U01", GroupsKnown: true}
			s := Server{ID: 1, Hostname: "a", FQDN: "a.b", Datacenter: "fra02", TagsKnown: true}
			ctx := Context{Account: "1", StatedReason: "No longer needed", WarningsKnown: true}
			require.Equal(t, Allowed, p.Decide(who, s, ctx).Effect, "by its own schema it is allowed")

			p.schema, err = newTypeChecker([]byte(c.schema))
			require.NoError(t, err)
			d := p.Decide(who, s, ctx)
			assert.Equal(t, Refused, d.Effect)
			assert.Equal(t, RuleEvaluationError, d.Rule)
			assert.Equal(t, []string{RuleEvaluationError}, d.Rules, "no rule of the policy failed")
			d = p.Approve(who, Principal{Team: "T01", User: "U02", GroupsKnown: true}, s, ctx, 0)
			assert.Equal(t, Refused, d.Effect)
			assert.Equal(t, RuleEvaluationError, d.Rule)
		})
	}
}

func TestABrokenSchemaIsAnError(t *testing.T) {
	t.Parallel()
	_, err := newTypeChecker([]byte("entity {"))
	require.ErrorContains(t, err, "reading the policy schema")

	_, err = newTypeChecker([]byte("entity User in [Nobody];"))
	assert.ErrorContains(t, err, "resolving the policy schema")
}

func TestRulesStopWhenTheReaderStops(t *testing.T) {
	t.Parallel()
	p, err := Parse("p.cedar", []byte(`@id("a") permit (principal, action, resource); @id("b") permit (principal, action, resource);`))
	require.NoError(t, err)

	var seen []string
	for id := range p.rules.All() {
		seen = append(seen, string(id))
		break
	}
	assert.Equal(t, []string{"a"}, seen)
}

// Not parallel: while it runs, no other test parses.
func TestABrokenSchemaLoadsNoPolicy(t *testing.T) {
	good := schemaText
	t.Cleanup(func() { schemaText = good })
	schemaText = []byte("entity {")

	p, err := Parse("p.cedar", []byte(`@id("all") permit (principal, action, resource);`))
	require.ErrorContains(t, err, "reading the policy schema")
	assert.Nil(t, p)
}
