package authz_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/words"
)

const home = "T01"

// person is a full member of the home team whose groups are known.
func person(user string, groups ...string) authz.Principal {
	return authz.Principal{Team: home, User: user, Groups: groups, GroupsKnown: true}
}

// server is a monthly server of which everything could be read.
func server(change ...func(*authz.Server)) authz.Server {
	s := authz.Server{
		ID: 1234567, Hostname: "db-042", Domain: "stg.example.com", FQDN: "db-042.stg.example.com",
		Datacenter: "fra02", Tags: []string{"staging", "team-data"}, TagsKnown: true, MonthlyFee: "412.5",
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

func tagged(tags ...string) func(*authz.Server) { return func(s *authz.Server) { s.Tags = tags } }
func in(datacenter string) func(*authz.Server) {
	return func(s *authz.Server) { s.Datacenter = datacenter }
}

func costing(monthly string) func(*authz.Server) {
	return func(s *authz.Server) { s.MonthlyFee = monthly }
}

// context is a submission whose warnings could be read.
func context(change ...func(*authz.Context)) authz.Context {
	c := authz.Context{Channel: "C1", Account: "123456", StatedReason: "No longer needed", WarningsKnown: true}
	for _, f := range change {
		f(&c)
	}
	return c
}

func warned(warnings ...string) func(*authz.Context) {
	return func(c *authz.Context) { c.Warnings = warnings }
}

func parse(t rapid.TB, text string) *authz.Policy {
	t.Helper()
	p, err := authz.Parse("policy.cedar", []byte(text))
	require.NoError(t, err)
	return p
}

// expectation is how a case's decision has to look.
type expectation func(t *testing.T, d authz.Decision)

// allow expects leave to file without approval, by the given rule.
func allow(rule string) expectation {
	return func(t *testing.T, d authz.Decision) {
		t.Helper()
		require.Equal(t, authz.Allowed, d.Effect, "must be allowed, but rule %s: %s", d.Rule, words.DecisionWords(d))
		assert.Equal(t, rule, d.Rule)
		assert.Zero(t, d.Approvals)
	}
}

// needs expects that n others have to approve.
func needs(n int, rule string) expectation {
	return func(t *testing.T, d authz.Decision) {
		t.Helper()
		require.Equal(t, authz.NeedsApproval, d.Effect, "must need approval, but rule %s: %s", d.Rule, words.DecisionWords(d))
		assert.Equal(t, n, d.Approvals)
		assert.Equal(t, rule, d.Rule)
		assert.Contains(t, words.DecisionWords(d), "approval")
	}
}

// deny expects a refusal by the given rule; its reason holds every one of the texts.
func deny(rule string, reason ...string) expectation {
	return func(t *testing.T, d authz.Decision) {
		t.Helper()
		require.Equal(t, authz.Refused, d.Effect, "must be refused")
		assert.Equal(t, rule, d.Rule)
		assert.True(t, len(d.Rules) > 0 && (slices.Contains(d.Rules, rule) || rule == authz.RuleEvaluationError))
		assert.NotEmpty(t, words.DecisionWords(d), "a person is told why")
		assert.Zero(t, d.Approvals)
		for _, part := range reason {
			assert.Contains(t, words.DecisionWords(d), part)
		}
	}
}

// A repeated refusal is counted on the one before it if both have the same ground.
func TestDifferentRefusalsHaveDifferentGrounds(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("all") permit (principal, action, resource);
		@id("why") @reason("not today.") forbid (principal, action, resource) when { resource.tags.contains("why") };
		@id("mute") forbid (principal, action, resource) when { resource.tags.contains("mute") };`)
	ana, guest, bot := person("U0ANA"), person("U0ANA"), person("U0ANA")
	guest.Guest, bot.Bot = true, true
	untagged := server(func(s *authz.Server) { s.TagsKnown = false })
	undomained := server(func(s *authz.Server) { s.Missing = []string{"domain"} })
	seen := map[string]bool{}
	for _, d := range []authz.Decision{
		p.Decide(guest, server(), context()), p.Decide(bot, server(), context()),
		p.Decide(ana, untagged, context()), p.Decide(ana, undomained, context()),
		p.Decide(ana, server(tagged("why")), context()), p.Decide(ana, server(tagged("mute")), context()),
	} {
		require.Equal(t, authz.Refused, d.Effect)
		assert.False(t, seen[d.Ground()], "two refusals have the ground %q", d.Ground())
		seen[d.Ground()] = true
	}
	assert.True(t, seen["not today."], "a rule's own reason is its ground")
}
