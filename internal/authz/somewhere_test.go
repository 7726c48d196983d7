package authz_test

import (
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

func TestProspectsInLeavesNameAndCostOpen(t *testing.T) {
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
