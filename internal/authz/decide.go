package authz

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
)

// Decide answers for request and cancel together: may this person ask for this server's cancellation,
// and may it be filed without approval?
//
// First come the refusals that no policy lifts. Then everything that a decision needs must have been
// read. Then person, server and context must fit the schema. Only then the policy is asked. An error of
// any rule refuses, even if another rule would have decided.
func (p *Policy) Decide(who Principal, s Server, c Context) Decision {
	if d, refused := p.refusePerson(who, ToAsk); refused {
		return d
	}
	if gaps := p.unread(who, s, c); len(gaps) > 0 {
		return p.refuseUnread(gaps...)
	}
	server, err := s.entity()
	if err != nil {
		return p.refuseUnread(GapFee)
	}
	d := p.decide(who, server, c)
	if d.Effect == Refused {
		return p.markUnlisted(d, who, func(who Principal) Decision { return p.decide(who, server, c) })
	}
	maybe, countable := p.perhaps(who)
	if !countable {
		return p.refuseUnlisted("", p.uncertain(who))
	}
	for _, more := range maybe[1:] {
		other := p.decide(more, server, c)
		switch {
		case d.Effect > other.Effect:
			return p.refuseUnlisted("", p.uncertain(who))
		case d.Effect == other.Effect && d.Approvals < other.Approvals:
			d = other
		}
	}
	return d
}

func (p *Policy) decide(who Principal, server cedar.Entity, c Context) Decision {
	person := who.entity()
	entities := cedar.EntityMap{person.UID: person, server.UID: server}
	question := cedar.Request{Principal: person.UID, Resource: server.UID, Context: c.record()}
	return p.combine(p.ask(actionRequest, question, entities), p.ask(actionCancel, question, entities))
}

// maxUncertain bounds in how many groups a person's membership may be uncertain, because each group
// doubles the number of cases.
const maxUncertain = 4

// uncertain returns the groups that Slack does not list and in which a membership could forbid
// something, or require more approvals. A group that is only in the scopes of permits that cannot fail
// is not among them: it could only let the person do more, and for that nobody counts as a member.
func (p *Policy) uncertain(who Principal) []string {
	var groups []string
	for _, id := range who.GroupsUnlisted {
		if slices.Contains(p.narrowing, id) {
			groups = append(groups, id)
		}
	}
	return groups
}

// perhaps returns the person with each possible set of memberships: first as Slack lists them, then as
// a member of each combination of uncertain groups. If there are too many such groups, countable is
// false and only the first is returned.
func (p *Policy) perhaps(who Principal) (all []Principal, countable bool) {
	return who.perhapsIn(p.uncertain(who))
}

func (who Principal) perhapsIn(groups []string) (all []Principal, countable bool) {
	all = []Principal{who}
	if len(groups) > maxUncertain {
		return all, false
	}
	for i := range groups {
		for _, already := range all {
			all = append(all, already.joining(groups[i:i+1]))
		}
	}
	return all, true
}

func (who Principal) joining(groups []string) Principal {
	who.Groups = slices.Concat(who.Groups, groups)
	return who
}

// refusePerson makes the refusals that depend only on the person, and that no policy can lift.
func (p *Policy) refusePerson(who Principal, to Act) (Decision, bool) {
	switch {
	case who.Stranger:
		return p.refuse(RuleStranger, to), true
	case who.Deactivated:
		return p.refuse(RuleDeactivated, to), true
	case who.Bot:
		return p.refuse(RuleBot, to), true
	case who.Guest:
		return p.refuse(RuleGuest, to), true
	}
	return Decision{}, false
}

// evaluation is what the policy's rules say about one action. If it is broken, or a rule failed, it
// allows nothing.
type evaluation struct {
	broken  bool     // the question does not fit the schema
	failed  []string // rules whose evaluation failed
	permits []string // deciding permits; empty if a forbid decided
	forbids []string // deciding forbids
}

func (p *Policy) ask(name cedar.String, question cedar.Request, entities cedar.EntityMap) evaluation {
	question.Action = action(name)
	if err := p.schema.checkQuestion(question, entities); err != nil {
		return evaluation{broken: true}
	}
	answer, diagnostic := cedar.Authorize(p.mayMatch(name, question.Principal, entities[question.Principal]), entities, question)
	var v evaluation
	for _, failure := range diagnostic.Errors {
		v.failed = append(v.failed, string(failure.PolicyID))
	}
	for _, reason := range diagnostic.Reasons {
		if answer == cedar.Allow {
			v.permits = append(v.permits, string(reason.PolicyID))
		} else {
			v.forbids = append(v.forbids, string(reason.PolicyID))
		}
	}
	return v
}

func (p *Policy) combine(request, cancel evaluation) Decision {
	if failed := union(request.failed, cancel.failed); len(failed) > 0 || request.broken || cancel.broken {
		return p.refuseBroken(failed)
	}
	switch {
	case len(request.forbids) > 0:
		return p.refuseByRules(request.forbids)
	case len(request.permits) == 0:
		return p.refuse(RuleDefaultDeny, ToAsk)
	case len(cancel.forbids) > 0:
		return p.refuseByRules(cancel.forbids)
	case len(cancel.permits) == 0:
		return p.needApproval(request.permits)
	}
	return Decision{
		Effect:       Allowed,
		Rule:         cancel.permits[0],
		Rules:        union(request.permits, cancel.permits),
		PolicyDigest: p.digest,
	}
}

// needApproval requires as many approvals as the strictest of the permits.
func (p *Policy) needApproval(permits []string) Decision {
	d := Decision{Effect: NeedsApproval, Rules: permits, PolicyDigest: p.digest}
	for _, id := range permits {
		if n := p.byID[id].approvals; n > d.Approvals {
			d.Rule, d.Approvals = id, n
		}
	}
	return d
}

// union returns the ids of both lists without repeating one.
func union(a, b []string) []string {
	all := append([]string{}, a...)
	for _, id := range b {
		if !slices.Contains(a, id) {
			all = append(all, id)
		}
	}
	return all
}
