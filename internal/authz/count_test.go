package authz_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

func counting(count, today int64) func(*authz.Context) {
	return func(c *authz.Context) { c.Count, c.Today = count, today }
}

const byNumbers = `
@id("ask") permit (principal in Group::"S0OPS", action == Action::"request", resource);
@id("alone-up-to-two") permit (principal in Group::"S0OPS", action == Action::"cancel", resource) when { context.today <= 2 };
@id("above-five") @approvals("2") permit (principal in Group::"S0OPS", action == Action::"request", resource) when { context.today > 5 };
@id("not-by-the-dozen") @reason("no more than twelve at once.")
forbid (principal, action == Action::"request", resource) when { context.count > 12 };
@id("one") permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { context.count == 1 };
@id("several") permit (principal in Group::"S0HEADS", action == Action::"approve", resource) when { context.today > 5 };
`

func TestPolicyCountsServersOfFormAndDay(t *testing.T) {
	t.Parallel()
	p := parse(t, byNumbers)
	ops, lead, head := person("U0RAJ", "S0OPS"), person("U0LEE", "S0LEADS"), person("U0HAN", "S0HEADS")
	for _, c := range []struct {
		says         string
		count, today int64
		want         expectation
		lead, head   expectation
	}{
		{"the second of a day", 1, 2, allow("alone-up-to-two"), allow("one"), deny(authz.RuleDefaultDeny)},
		{"the third", 1, 3, needs(1, "ask"), allow("one"), deny(authz.RuleDefaultDeny)},
		{"the fifth", 1, 5, needs(1, "ask"), allow("one"), deny(authz.RuleDefaultDeny)},
		{"the sixth", 1, 6, needs(2, "above-five"), allow("one"), allow("several")},
		{"six at once", 6, 6, needs(2, "above-five"), deny(authz.RuleDefaultDeny), allow("several")},
		{"thirteen at once", 13, 13, deny("not-by-the-dozen", "no more than twelve"), deny(authz.RuleDefaultDeny), allow("several")},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			about := context(counting(c.count, c.today))
			c.want(t, p.Decide(ops, server(), about))
			c.lead(t, p.Approve(lead, ops, server(), about, 0))
			c.head(t, p.Approve(head, ops, server(), about, 0))
		})
	}
}

// A number that is not known refuses if the policy asks for it, and nothing else changes.
func TestUnknownNumberRefusesOnlyWhereNamed(t *testing.T) {
	t.Parallel()
	const (
		ask     = `@id("ask") permit (principal, action == Action::"request", resource);`
		approve = `@id("approve") permit (principal, action == Action::"approve", resource);`
		warned  = `@id("warned") forbid (principal, action, resource) when { context.warnings.contains("gateway-member") };`
		today   = `@id("day") forbid (principal, action == Action::"request", resource) when { context.today > 50 };`
		count   = `@id("form") forbid (principal, action == Action::"approve", resource) unless { context.count <= 50 };`
		has     = `@id("has") forbid (principal, action == Action::"cancel", resource) when { context has today && context.today > 50 };`
		whole   = `@id("whole") forbid (principal, action, resource) when { [context].isEmpty() };`
	)
	ana, ben := person("U0ANA"), person("U0BEN")
	deny(authz.RuleUnread, "how many servers the requester asked for that day was not recorded", "ask for the server again")(
		t, parse(t, ask+today).Decide(ana, server(), context(counting(1, 0))))
	for _, c := range []struct {
		says, policy string
		today, count []string // what is unread without the number
		counts       bool
	}{
		{"no rule names one", ask + approve + warned, nil, nil, false},
		{"a rule names today", ask + approve + today, []string{authz.GapToday}, nil, true},
		{"a rule names count", ask + approve + count, nil, []string{authz.GapCount}, false},
		{"a rule looks whether there is today", ask + approve + has, []string{authz.GapToday}, nil, true},
		{"a rule compares the whole context", ask + approve + whole, []string{authz.GapToday}, []string{authz.GapCount}, true},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p := parse(t, c.policy)
			assert.Equal(t, c.counts, p.CountsToday())
			for _, of := range []struct {
				unread       []string
				count, today int64
			}{{nil, 1, 1}, {c.count, 0, 1}, {c.today, 1, 0}} {
				about := context(counting(of.count, of.today))
				asked, approved, ahead := p.Decide(ana, server(), about), p.Approve(ben, ana, server(), about, 0), p.ProspectsOn(ben, server(), about).Approve
				assert.Equal(t, of.unread, asked.Unread)
				assert.Equal(t, of.unread, approved.Unread)
				assert.Equal(t, of.unread == nil, asked.Effect == authz.NeedsApproval)
				assert.Equal(t, of.unread == nil, approved.Effect == authz.Allowed)
				assert.Equal(t, of.unread == nil, ahead.May != authz.No)
			}
		})
	}
}

// Before a form is sent, what is not known of its numbers refuses nobody, and what is known does.
func TestNumbersAreOpenUntilFormIsSent(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("ask") permit (principal, action == Action::"request", resource) when { context.today <= 5 && context.count <= 3 };
		@id("approve") permit (principal, action == Action::"approve", resource) when { context.today > 5 };`)
	ana := person("U0ANA")
	opens("ask")(t, p.MayAskAtAll(ana, "C1", "123456"))
	assert.Equal(t, authz.Allowed, p.MayFreeze(ana).Effect, "as anybody who may approve some request")
	may := p.Prospects(ana)
	assert.Equal(t, "depends [ask]", said(may.Request))
	assert.Equal(t, "depends [approve]", said(may.Approve))
	assert.Equal(t, authz.Depends, p.ProspectsIn(ana, server()).Approve.May, "somebody could approve")
	for _, c := range []struct {
		count, today int64
		want         expectation
	}{
		{0, 0, opens("ask")},
		{1, 0, opens("ask")},
		{0, 5, opens("ask")},
		{1, 5, opens("ask")},
		{1, 6, deny(authz.RuleDefaultDeny)},
		{0, 6, deny(authz.RuleDefaultDeny)},
	} {
		c.want(t, p.MayAskFor(ana, server(), context(counting(c.count, c.today))))
	}
}

func TestLoadingRefusesNumbersThatAreNone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`when { context.todays > 5 }`:                       "`todays`",
		`when { context.today > "5" }`:                      "String",
		`when { context.count > decimal("5.0") }`:           "decimal",
		`when { context.today.contains(5) }`:                "policy.cedar:1:1",
		`when { context.count == 1 || resource.count > 1 }`: "`count`",
	} {
		_, err := authz.Parse("policy.cedar", []byte(rule(`@id("a")`, text)))
		require.Error(t, err, text)
		assert.ErrorContains(t, err, want, text)
	}
}
