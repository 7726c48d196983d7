package policytool

import (
	"sync/atomic"

	"cancel-server/internal/authz"
)

// InForce is the policy that decides now. Another may take its place at any moment. One policy
// makes each decision as a whole, and the decision names its digest.
type InForce struct{ policy atomic.Pointer[authz.Policy] }

// NewInForce puts a first policy in force.
func NewInForce(p *authz.Policy) *InForce {
	f := &InForce{}
	f.Take(p)
	return f
}

// Take puts a policy in force.
func (f *InForce) Take(p *authz.Policy) { f.policy.Store(p) }

// Decide is authz.Policy's.
func (f *InForce) Decide(who authz.Principal, s authz.Server, c authz.Context) authz.Decision {
	return f.policy.Load().Decide(who, s, c)
}

// MayAskAtAll is authz.Policy's.
func (f *InForce) MayAskAtAll(who authz.Principal, channel, account string) authz.Decision {
	return f.policy.Load().MayAskAtAll(who, channel, account)
}

// MayAskFor is authz.Policy's.
func (f *InForce) MayAskFor(who authz.Principal, s authz.Server, c authz.Context) authz.Decision {
	return f.policy.Load().MayAskFor(who, s, c)
}

// Approve is authz.Policy's.
func (f *InForce) Approve(who, requester authz.Principal, s authz.Server, c authz.Context, approvals int) authz.Decision {
	return f.policy.Load().Approve(who, requester, s, c, approvals)
}

// MayApproveAtAll is authz.Policy's.
func (f *InForce) MayApproveAtAll(who authz.Principal) authz.Decision {
	return f.policy.Load().MayApproveAtAll(who)
}

// MayFreeze is authz.Policy's.
func (f *InForce) MayFreeze(who authz.Principal) authz.Decision {
	return f.policy.Load().MayFreeze(who)
}

// Approvers is authz.Policy's.
func (f *InForce) Approvers() (users, groups []string, anyone bool) {
	return f.policy.Load().Approvers()
}

// GroupIDs is authz.Policy's.
func (f *InForce) GroupIDs() []string { return f.policy.Load().GroupIDs() }

// Digest is authz.Policy's.
func (f *InForce) Digest() string { return f.policy.Load().Digest() }

// NamesApprovers reports whether the policy lets anybody approve.
func (f *InForce) NamesApprovers() bool {
	users, groups, anyone := f.Approvers()
	return anyone || len(users)+len(groups) > 0
}
