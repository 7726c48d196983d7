package authz_test

import (
	"fmt"
	"strings"
	"testing"

	"cancel-server/internal/authz"
)

func BenchmarkDecide(b *testing.B) {
	p := parse(b, teamPolicy)
	who, s, c := person("U0RAJ", "S0OPS"), server(), context()
	b.ReportAllocs()
	for b.Loop() {
		if p.Decide(who, s, c).Effect != authz.NeedsApproval {
			b.Fatal("decided otherwise")
		}
	}
}

// BenchmarkManyRules asks policies of many rules, each for one group, about people in few groups and in
// many.
func BenchmarkManyRules(b *testing.B) {
	s, c := server(), context()
	for _, size := range []struct{ rules, groups int }{{10, 1}, {100, 1}, {700, 1}, {700, 100}} {
		p, who := parse(b, oneGroupEach(size.rules)), person("U0RAJ", groupIDs(size.groups)...)
		of := fmt.Sprintf("%d/groups=%d", size.rules, size.groups)
		b.Run("Decide/rules="+of, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.Decide(who, s, c).Effect != authz.NeedsApproval {
					b.Fatal("decided otherwise")
				}
			}
		})
		b.Run("MayAskAtAll/rules="+of, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p.MayAskAtAll(who, "C1", "123456").Effect != authz.Allowed {
					b.Fatal("decided otherwise")
				}
			}
		})
	}
}

// oneGroupEach writes a policy of so many rules, each for a group of its own. In turn they permit
// request, approve, and request of some servers.
func oneGroupEach(rules int) string {
	var text strings.Builder
	forms := []string{
		`@id("%d")permit(principal in Group::"%s",action==Action::"request",resource);`,
		`@id("%d")permit(principal in Group::"%s",action==Action::"approve",resource);`,
		`@id("%d")permit(principal in Group::"%s",action==Action::"request",resource)when{resource.hourly};`,
	}
	for i, id := range groupIDs(rules) {
		fmt.Fprintf(&text, forms[i%len(forms)], i, id)
	}
	return text.String()
}

func groupIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("S%d", i)
	}
	return ids
}

func BenchmarkMayAskAtAll(b *testing.B) {
	p := parse(b, teamPolicy)
	who := person("U0RAJ", "S0OPS")
	b.ReportAllocs()
	for b.Loop() {
		if p.MayAskAtAll(who, "C1", "123456").Effect != authz.Allowed {
			b.Fatal("decided otherwise")
		}
	}
}
