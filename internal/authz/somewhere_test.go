package authz_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
)

const byPlace = `
@id("ops-ask")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("leads-approve-outside-fra02")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource)
when { resource.datacenter != "fra02" || resource.tags.contains("staging") };

@id("cheap-alone")
permit (principal in Group::"S0OPS", action == Action::"cancel", resource)
when { resource has monthlyFee && resource.monthlyFee.lessThan(decimal("50.0")) };

@id("no-databases")
forbid (principal, action == Action::"request", resource) when { resource.tags.contains("db") };

@id("dear-needs-a-cost")
forbid (principal, action == Action::"approve", resource)
unless { resource has monthlyFee && resource.monthlyFee.lessThanOrEqual(decimal("500.0")) };

@id("named-servers")
permit (principal in Group::"S0DBA", action == Action::"approve", resource)
when { resource.hostname like "db-*" };

@id("the-one")
permit (principal in Group::"S0ONE", action == Action::"approve", resource == Server::"7");
`

func TestProspectsInLeavesWhatIsUnreadOpen(t *testing.T) {
	t.Parallel()
	p := parse(t, byPlace)
	in := func(datacenter string, tags ...string) authz.Server {
		return authz.Server{ID: 1, Datacenter: datacenter, Tags: tags, TagsKnown: true}
	}
	for name, c := range map[string]struct {
		group                    string
		server                   authz.Server
		request, cancel, approve authz.Certainty
	}{
		"approves, by the cost":        {"S0LEADS", in("dal13"), authz.No, authz.No, authz.Depends},
		"never in that place":          {"S0LEADS", in("fra02"), authz.No, authz.No, authz.No},
		"but with that tag":            {"S0LEADS", in("fra02", "Staging"), authz.No, authz.No, authz.Depends},
		"asks, and alone by the cost":  {"S0OPS", in("fra02"), authz.Yes, authz.Depends, authz.No},
		"a tag forbids in every case":  {"S0OPS", in("dal13", "db"), authz.No, authz.No, authz.No},
		"by its name, which is open":   {"S0DBA", in("fra02"), authz.No, authz.No, authz.Depends},
		"for another server only":      {"S0ONE", in("fra02"), authz.No, authz.No, authz.No},
		"by its tags, which are open":  {"S0LEADS", authz.Server{ID: 1, Datacenter: "fra02"}, authz.No, authz.No, authz.Depends},
		"unless an open tag forbids":   {"S0OPS", authz.Server{ID: 1, Datacenter: "fra02"}, authz.Depends, authz.Depends, authz.No},
		"whatever the open tags are":   {"S0ONE", authz.Server{ID: 1, Datacenter: "fra02"}, authz.No, authz.No, authz.No},
		"for the server that is named": {"S0ONE", authz.Server{ID: 7, Datacenter: "fra02", TagsKnown: true}, authz.No, authz.No, authz.Depends},
	} {
		may := p.ProspectsIn(person("U0A", c.group), c.server)
		assert.Equal(t, c.request, may.Request.May, "%s: request", name)
		assert.Equal(t, c.cancel, may.Cancel.May, "%s: cancel", name)
		assert.Equal(t, c.approve, may.Approve.May, "%s: approve", name)
	}
}

// A server without a visible cost is a case of its own.
func TestProspectsInCountsMissingCosts(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("unpriced") permit (principal in Group::"S0A", action == Action::"approve", resource) when { !(resource has monthlyFee) };
@id("ask") permit (principal, action == Action::"request", resource);`)
	assert.Equal(t, authz.Yes, p.ProspectsIn(person("U0A", "S0A"), authz.Server{ID: 1, Datacenter: "fra02", TagsKnown: true}).Approve.May)
}

func TestComparedNamesTagsAndServers(t *testing.T) {
	t.Parallel()
	tags, servers := parse(t, byPlace).Compared()
	assert.Equal(t, []string{"db", "staging"}, tags)
	assert.Equal(t, []int64{7}, servers)
}

func TestPoliciesSayWhetherTheyReadCosts(t *testing.T) {
	t.Parallel()
	for rule, reads := range map[string]bool{
		`permit (principal, action, resource);`:                                        false,
		`permit (principal, action, resource) when { resource.hostname == "hourly" };`: false,
		`forbid (principal, action, resource) unless { resource has monthlyFee };`:     true,
		`permit (principal, action, resource) when { resource.hourly };`:               true,
	} {
		assert.Equal(t, reads, parse(t, "@id(\"any\") permit (principal, action, resource);\n@id(\"one\") "+rule).ReadsCosts(), rule)
	}
}

func TestPoliciesSayWhetherTheyReadTags(t *testing.T) {
	t.Parallel()
	for rule, reads := range map[string]bool{
		`permit (principal, action, resource);`:                                              false,
		`permit (principal, action, resource) when { resource.hostname == "tags" };`:         false,
		`forbid (principal, action, resource) when { resource.tags.contains("protected") };`: true,
		`permit (principal, action, resource) when { resource.tags == ["a"] };`:              true,
		`forbid (principal, action, resource) unless { resource.tags.isEmpty() };`:           true,
		`permit (principal, action, resource) when { resource["tags"].contains("a") };`:      true,
		`permit (principal, action, resource) when { ["a"].containsAll(resource.tags) };`:    true,
	} {
		assert.Equal(t, reads, parse(t, "@id(\"any\") permit (principal, action, resource);\n@id(\"one\") "+rule).ReadsTags(), rule)
	}
}

// Two servers of one kind must get the same answers by every rule.
func TestRulesTellNameKindsApart(t *testing.T) {
	t.Parallel()
	called := func(hostname, domain string) authz.Server {
		return authz.Server{ID: 1, Hostname: hostname, Domain: domain, FQDN: hostname + "." + domain, Datacenter: "fra02", TagsKnown: true}
	}
	servers := []authz.Server{
		called("web-1", "example.com"), called("web-2", "example.com"), called("db-1", "example.com"), called("db-1", "example.net"),
		called("example.net", "example.net"), called("x", "y"), called("*", "example.org"),
	}
	for condition, kinds := range map[string]int{
		`true`:                           0,
		`resource.datacenter == "fra02"`: 0,
		`resource.hostname like "web-*"`: 2,
		`resource.hostname like "*"`:     1,
		`resource.hostname like "\*"`:    2,
		`resource.hostname == "db-1" || "example.net" != resource.domain`:   4,
		`["web-1", "db-1"].contains(resource.hostname)`:                     2,
		`resource.fqdn like "web-*" && resource.domain like "*.com"`:        3,
		`resource.hostname == resource.domain`:                              7,
		`resource.hostname == context.channel`:                              7,
		`[resource.domain].contains("example.com")`:                         7,
		`if resource.hostname == "x" then true else resource.fqdn == "x.y"`: 2,
	} {
		p := parse(t, fmt.Sprintf(`@id("one") permit (principal, action == Action::"request", resource) when { %s };`, condition))
		kind := p.NameKind()
		if kinds == 0 {
			assert.Nil(t, kind, condition)
			continue
		}
		answers := map[string]authz.Certainty{}
		for _, s := range servers {
			may := p.ProspectsListed(person("U0A", "S0ANY"), s, false).Request.May
			before, known := answers[kind(s)]
			assert.True(t, !known || before == may, "%s: %s", condition, s.FQDN)
			answers[kind(s)] = may
		}
		assert.Len(t, answers, kinds, condition)
	}
}

func TestProspectsOfListedServersKnowTheName(t *testing.T) {
	t.Parallel()
	p := parse(t, byPlace)
	listed := func(name, fee string) authz.Server {
		return authz.Server{ID: 1, Hostname: name, Domain: "example.com", FQDN: name + ".example.com", Datacenter: "dal13", TagsKnown: true, MonthlyFee: fee}
	}
	for name, c := range map[string]struct {
		group           string
		server          authz.Server
		priced          bool
		request, cancel authz.Certainty
		approve         authz.Certainty
	}{
		"the name is known, the cost open":  {"S0DBA", listed("db-1", ""), false, authz.No, authz.No, authz.Depends},
		"by another name, whatever it cost": {"S0DBA", listed("web-1", ""), false, authz.No, authz.No, authz.No},
		"name and a low cost":               {"S0DBA", listed("db-1", "49.00"), true, authz.No, authz.No, authz.Yes},
		"a high cost":                       {"S0DBA", listed("db-1", "501.00"), true, authz.No, authz.No, authz.No},
		"a cost that the key cannot see":    {"S0DBA", listed("db-1", ""), true, authz.No, authz.No, authz.No},
		"alone, for it is cheap":            {"S0OPS", listed("web-1", "49.00"), true, authz.Yes, authz.Yes, authz.No},
		"not alone, for it is dear":         {"S0OPS", listed("web-1", "51.00"), true, authz.Yes, authz.No, authz.No},
		"a fee that is no number":           {"S0OPS", listed("web-1", "dear"), true, authz.No, authz.No, authz.No},
	} {
		may := p.ProspectsListed(person("U0A", c.group), c.server, c.priced)
		assert.Equal(t, c.request, may.Request.May, "%s: request", name)
		assert.Equal(t, c.cancel, may.Cancel.May, "%s: cancel", name)
		assert.Equal(t, c.approve, may.Approve.May, "%s: approve", name)
	}
}
