package closing

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

const policyText = `
@id("staging")
permit (principal in Group::"S0ASK", action == Action::"request", resource) when { resource.tags.contains("staging") };
@id("by-name")
permit (principal in Group::"S0WEB", action == Action::"request", resource) when { resource.hostname like "web-*" };
@id("cheap")
permit (principal in Group::"S0CHEAP", action == Action::"request", resource)
when { resource has monthlyFee && resource.monthlyFee.lessThan(decimal("50.0")) };
@id("leads")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource) when { resource.datacenter == "che01" };
@id("one")
permit (principal in Group::"S0ONE", action == Action::"request", resource == Server::"7");
@id("by-reason")
permit (principal in Group::"S0REASON", action == Action::"request", resource) when { context.statedReason == "No longer needed" };
@id("untagged")
permit (principal in Group::"S0BARE", action == Action::"request", resource) when { resource.tags == ["staging"] };
@id("protected")
forbid (principal, action == Action::"request", resource) when { resource.tags.contains("protected") };
`

func policyOf(t testing.TB, text string) *authz.Policy {
	t.Helper()
	policy, err := authz.Parse("policy.cedar", []byte(text))
	require.NoError(t, err)
	return policy
}

func in(group string) authz.Principal {
	return authz.Principal{Team: "T1", User: "U1", Groups: []string{group}, GroupsKnown: true}
}

func TestPeopleSeeWhatThePolicyMayAllow(t *testing.T) {
	t.Parallel()
	cheap := &Cost{Fee: "49.99"}
	server := func(id int64, name string, tags ...string) Server {
		return Server{ID: id, Hostname: name, FQDN: name + ".example.com", Datacenter: "che01", Tags: tags, Tagset: len(fmt.Sprint(tags))}
	}
	for name, c := range map[string]struct {
		group        string
		server       Server
		cost         *Cost
		ask, approve bool
	}{
		"a tag, in any case":            {"S0ASK", server(1, "db-1", "Staging"), nil, true, false},
		"without the tag":               {"S0ASK", server(1, "db-1", "production"), nil, false, false},
		"a protected one":               {"S0ASK", server(1, "db-1", "protected", "staging"), nil, false, false},
		"a name":                        {"S0WEB", server(1, "web-1"), nil, true, false},
		"another name":                  {"S0WEB", server(1, "db-1"), nil, false, false},
		"a cost that was not read":      {"S0CHEAP", server(1, "db-1"), nil, true, false},
		"a low cost":                    {"S0CHEAP", server(1, "db-1"), cheap, true, false},
		"a high cost":                   {"S0CHEAP", server(1, "db-1"), &Cost{Fee: "50.00"}, false, false},
		"a cost the key cannot see":     {"S0CHEAP", server(1, "db-1"), &Cost{}, false, false},
		"approves in the data center":   {"S0LEADS", server(1, "db-1", "protected"), nil, false, true},
		"the server that a rule names":  {"S0ONE", server(7, "db-7"), nil, true, false},
		"one that it does not name":     {"S0ONE", server(8, "db-8"), nil, false, false},
		"what the form will state":      {"S0REASON", server(1, "db-1"), nil, true, false},
		"exactly these tags":            {"S0BARE", server(1, "db-1", "staging"), nil, true, false},
		"other tags that no rule names": {"S0BARE", server(1, "db-1", "staging", "team-web"), nil, false, false},
		"no rule":                       {"S0NONE", server(1, "db-1"), cheap, false, false},
	} {
		v := newViewer(t.Context(), policyOf(t, policyText), in(c.group))
		for range 2 { // the second answer is remembered
			assert.Equal(t, sight{ask: c.ask, approve: c.approve}, v.sees(c.server, c.cost), name)
		}
	}
}

// The answer for one server must never be given for another that the policy tells from it.
func TestAnswersAreRememberedByKindOnly(t *testing.T) {
	t.Parallel()
	policy := policyOf(t, policyText)
	for _, group := range []string{"S0ASK", "S0WEB", "S0CHEAP", "S0LEADS", "S0ONE", "S0REASON", "S0BARE"} {
		all := newViewer(t.Context(), policy, in(group))
		for n := range 400 {
			s := Server{
				ID: int64(n % 9), Hostname: []string{"web-1", "db-1"}[n%2], Datacenter: []string{"che01", "dal09"}[n/2%2],
				Tags: [][]string{nil, {"staging"}, {"protected"}, {"team-web", "staging"}}[n/4%4], Tagset: n / 4 % 4,
			}
			s.FQDN = s.Hostname + ".example.com"
			cost := []*Cost{nil, {}, {Fee: "10.00"}, {Fee: "100.00"}, {Fee: "10.00", Hourly: true}}[n%5]
			assert.Equal(t, newViewer(t.Context(), policy, in(group)).sees(s, cost), all.sees(s, cost), "%s %+v %+v", group, s, cost)
		}
	}
}

func TestPoliciesAreAskedOncePerKind(t *testing.T) {
	t.Parallel()
	v := newViewer(t.Context(), policyOf(t, `@id("ask") permit (principal in Group::"S0ASK", action == Action::"request", resource) when { resource.tags.contains("staging") };`), in("S0ASK"))
	for n := range 10_000 {
		s := Server{ID: int64(n), Hostname: fmt.Sprint("web-", n), Datacenter: "che01", Tags: []string{fmt.Sprint("owner:", n), []string{"staging", "lab"}[n%2]}, Tagset: n}
		v.sees(s, &Cost{Fee: fmt.Sprint(n)})
	}
	assert.Len(t, v.asked, 2)
	assert.Empty(t, v.askedAgain)
}

func TestWhatCannotBeDecidedInTimeIsSaid(t *testing.T) {
	t.Parallel()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	v := newViewer(over, policyOf(t, policyText), in("S0ASK"))
	assert.Equal(t, sight{undecided: true}, v.sees(Server{ID: 1, Datacenter: "che01"}, nil))
}

// A board over a whole data center of 100,000 servers, by policies that tell few or all of them apart.
func BenchmarkBoardOf100000Servers(b *testing.B) {
	p := closuresOf(nil, map[string]time.Time{"che01": on(2027, time.June, 10)})
	servers := func(yield func(Server) bool) {
		for n := range 100_000 {
			name := fmt.Sprintf("web-%d", n)
			s := Server{ID: int64(n + 1), Hostname: name, FQDN: name + ".example.com", Datacenter: "che01", Tags: []string{"staging"}, Tagset: n % 1000}
			if !yield(s) {
				return
			}
		}
	}
	for name, group := range map[string]string{"by tag": "S0ASK", "by name": "S0WEB"} {
		b.Run(name, func(b *testing.B) {
			policy := policyOf(b, policyText)
			for b.Loop() {
				ctx, cancel := context.WithTimeout(b.Context(), decideTime)
				_, undecided := count(p, servers, nil, costOf(nil), newViewer(ctx, policy, in(group)).sees)
				b.ReportMetric(float64(undecided), "undecided")
				cancel()
			}
		})
	}
}

func TestServersOfListsAreDecidedByTheirTags(t *testing.T) {
	t.Parallel()
	may := Askable(t.Context(), policyOf(t, policyText), in("S0ASK"))
	for tag, want := range map[string]bool{"staging": true, "production": false, "STAGING": true, "protected": false} {
		for range 2 {
			is, decided := may(Server{ID: 1, Hostname: "db-1", FQDN: "db-1.example.com", Datacenter: "che01", Tags: []string{tag}, Tagset: NoTagset})
			assert.True(t, decided)
			assert.Equal(t, want, is, "%s: nobody numbered the tags", tag)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, decided := Askable(over, policyOf(t, policyText), in("S0ASK"))(Server{ID: 1, Tagset: NoTagset})
	assert.False(t, decided, "there is no more time")
}
