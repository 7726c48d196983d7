package authz

import (
	"github.com/cedar-policy/cedar-go"
)

// Approve decides whether who may approve the request that requester made for s, in the request's own
// context c. approvals is how many valid approvals come before this one. The decision is Allowed or
// Refused.
//
// The order is that of Decide: first the refusals that no policy lifts, including that of one's own
// request. Then everything that the decision needs must have been read, also the requester's groups.
// Then the schema, and only then the policy. An error of any rule refuses.
func (p *Policy) Approve(who, requester Principal, s Server, c Context, approvals int) Decision {
	if d, refused := p.refusePerson(who, ToApprove); refused {
		return d
	}
	if who.hasID() && who.ID() == requester.ID() {
		return p.refuse(RuleOwnRequest, ToApprove)
	}
	if gaps := append(p.unread(who, s, c), p.unreadRequester(requester)...); len(gaps) > 0 {
		return p.refuseUnread(gaps...)
	}
	server, err := s.entity()
	if err != nil {
		return p.refuseUnread(GapFee)
	}
	return p.approveForAllMemberships(who, requester, func(who, requester Principal) Decision {
		return p.approve(who, requester, server, c, approvals)
	})
}

// approveForAllMemberships allows only what is allowed for every combination of memberships that the
// two people may have in groups that Slack does not list.
func (p *Policy) approveForAllMemberships(who, requester Principal, decide func(who, requester Principal) Decision) Decision {
	d := decide(who, requester)
	if d.Effect == Refused {
		return p.markEitherUnlisted(d, who, requester, decide)
	}
	approvers, countable := p.perhaps(who)
	askers, alsoCountable := p.perhaps(requester)
	certain := countable && alsoCountable
	for i, approver := range approvers {
		for j, asker := range askers {
			if i+j > 0 && d.Effect > decide(approver, asker).Effect {
				certain = false
			}
		}
	}
	if !certain {
		return p.refuseUnlisted(ToApprove, union(p.uncertain(who), p.uncertain(requester)))
	}
	return d
}

func (p *Policy) approve(who, requester Principal, server cedar.Entity, c Context, approvals int) Decision {
	person, asker := who.entity(), requester.entity()
	entities := cedar.EntityMap{person.UID: person, asker.UID: asker, server.UID: server}
	question := cedar.Request{Principal: person.UID, Resource: server.UID, Context: c.approving(requester, approvals)}
	switch v := p.ask(actionApprove, question, entities); {
	case v.broken, len(v.failed) > 0:
		return p.refuseBroken(v.failed)
	case len(v.forbids) > 0:
		return p.refuseByRules(v.forbids)
	case len(v.permits) == 0:
		return p.refuse(RuleDefaultDeny, ToApprove)
	default:
		return Decision{Effect: Allowed, Rule: v.permits[0], Rules: v.permits, Pings: p.pings(v.permits), PolicyDigest: p.digest}
	}
}

// unreadRequester lists what a policy may ask about the requester and was not read.
func (p *Policy) unreadRequester(requester Principal) []string {
	var gaps []string
	if !requester.hasID() {
		gaps = append(gaps, GapRequester)
	}
	if !p.knowsGroups(requester) {
		gaps = append(gaps, GapRequesterGroups)
	}
	return gaps
}
