package authz_test

import (
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
