package main

import (
	"sync/atomic"

	"cancel-server/internal/authz"
)

// inForce is the policy that decides now. Another may take its place at any moment; each
// decision is made by one of them as a whole, and names it by its digest.
type inForce struct{ policy atomic.Pointer[authz.Policy] }

func newInForce(p *authz.Policy) *inForce {
	f := &inForce{}
	f.take(p)
	return f
}

// take puts a policy in force.
func (f *inForce) take(p *authz.Policy) { f.policy.Store(p) }

// Decide is authz.Policy's.
func (f *inForce) Decide(who authz.Principal, s authz.Server, c authz.Context) authz.Decision {
	return f.policy.Load().Decide(who, s, c)
}

// MayAskAtAll is authz.Policy's.
func (f *inForce) MayAskAtAll(who authz.Principal, channel, account string) authz.Decision {
	return f.policy.Load().MayAskAtAll(who, channel, account)
}

// MayAskFor is authz.Policy's.
func (f *inForce) MayAskFor(who authz.Principal, s authz.Server, c authz.Context) authz.Decision {
	return f.policy.Load().MayAskFor(who, s, c)
}

// Approve is authz.Policy's.
func (f *inForce) Approve(who, requester authz.Principal, s authz.Server, c authz.Context, approvals int) authz.Decision {
	return f.policy.Load().Approve(who, requester, s, c, approvals)
}

// MayApproveAtAll is authz.Policy's.
func (f *inForce) MayApproveAtAll(who authz.Principal) authz.Decision {
	return f.policy.Load().MayApproveAtAll(who)
}

// MayFreeze is authz.Policy's.
func (f *inForce) MayFreeze(who authz.Principal) authz.Decision {
	return f.policy.Load().MayFreeze(who)
}

// Approvers is authz.Policy's.
func (f *inForce) Approvers() (users, groups []string, anyone bool) {
	return f.policy.Load().Approvers()
}

// GroupIDs is authz.Policy's.
func (f *inForce) GroupIDs() []string { return f.policy.Load().GroupIDs() }

// Digest is authz.Policy's.
func (f *inForce) Digest() string { return f.policy.Load().Digest() }

// approvesAnybody reports whether the policy names anybody who approves.
func (f *inForce) approvesAnybody() bool {
	users, groups, anyone := f.Approvers()
	return anyone || len(users)+len(groups) > 0
}
