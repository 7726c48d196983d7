package policytool

import (
	"sync/atomic"

	"cancel-server/internal/authz"
)

// InForce keeps the policy that decides now. Another may take its place at any moment, so each
// step takes it once and goes by it as a whole.
type InForce struct{ policy atomic.Pointer[authz.Policy] }

// NewInForce puts a first policy in force.
func NewInForce(p *authz.Policy) *InForce {
	f := &InForce{}
	f.Take(p)
	return f
}

// Take puts a policy in force.
func (f *InForce) Take(p *authz.Policy) { f.policy.Store(p) }

// Policy returns the policy in force.
func (f *InForce) Policy() *authz.Policy { return f.policy.Load() }

// NamesApprovers reports whether the policy in force lets anybody approve.
func (f *InForce) NamesApprovers() bool {
	users, groups, anyone := f.Policy().Approvers()
	return anyone || len(users)+len(groups) > 0
}
