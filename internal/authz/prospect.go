package authz

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// Certainty says how certain it is that a person may do something, while facts that decide it are open.
type Certainty int

// The three certainties.
const (
	// No: in every case.
	No Certainty = iota
	// Depends: on what is open.
	Depends
	// Yes: in every case, if everything can be read.
	Yes
)

// String returns "no", "depends" or "yes".
func (c Certainty) String() string {
	switch c {
	case Yes:
		return "yes"
	case Depends:
		return "depends"
	default:
		return "no"
	}
}

// Prospect is the answer for one action, and what it is based on.
type Prospect struct {
	May Certainty
	// Rules are the ids of the rules that decide or may decide: first permits, last those that may
	// fail. Or it is one of the Rule constants.
	Rules []string
	// Refusal is the decision that the person would get, if May is No.
	Refusal Decision
}

// Prospects are a person's answers for the three actions. As in Decide, Cancel depends on Request, and
// what refuses cancel also refuses Request.
type Prospects struct {
	Request, Cancel, Approve Prospect
}

// Prospects answers what a person may do while server and context are open. An unread membership is
// open too. It is for people who review a policy; it decides nothing.
func (p *Policy) Prospects(who Principal) Prospects {
	return p.everyMembership(who, func(who Principal) Prospects {
		return p.prospects(who, func(name cedar.String) eval.Env { return envOfPerson(who, name) })
	})
}

// ProspectsOn answers for one server and context. For approve, the requester and the number of earlier
// approvals are open.
func (p *Policy) ProspectsOn(who Principal, s Server, c Context) Prospects {
	if gaps := p.unread(who, s, c); len(gaps) > 0 {
		return p.none(p.refuseUnread(gaps...))
	}
	server, err := s.entity()
	if err != nil {
		return p.none(p.refuseUnread(GapFee))
	}
	return p.everyMembership(who, func(who Principal) Prospects {
		return p.prospects(who, func(name cedar.String) eval.Env {
			env := envOn(server, who, name)
			env.Context = c.record()
			if name == actionApprove {
				env.Context = c.approvable()
			}
			return env
		})
	})
}

// envOn returns the environment in which the server is known too.
func envOn(server cedar.Entity, who Principal, name cedar.String) eval.Env {
	env := envOfPerson(who, name)
	env.Resource, env.Entities = server.UID, cedar.EntityMap{server.UID: server, who.uid(): who.entity()}
	return env
}

func (p *Policy) none(d Decision) Prospects {
	no := prospectOf(d)
	return Prospects{Request: no, Cancel: no, Approve: no}
}

func prospectOf(refused Decision) Prospect {
	return Prospect{May: No, Rules: refused.Rules, Refusal: refused}
}

// everyMembership answers for a person as Slack lists them, and takes away what a membership of a group
// that Slack does not list would forbid.
func (p *Policy) everyMembership(who Principal, answer func(Principal) Prospects) Prospects {
	all := answer(who)
	unlisted := prospectOf(p.refuseUnlisted("", p.uncertain(who)))
	maybe, countable := p.perhaps(who)
	if !countable {
		none := Prospects{Request: unlisted, Cancel: unlisted, Approve: unlisted}
		return all.less(none, unlisted)
	}
	for _, more := range maybe[1:] {
		all = all.less(answer(more), unlisted)
	}
	return all
}

func (all Prospects) less(other Prospects, unlisted Prospect) Prospects {
	return Prospects{
		Request: all.Request.less(other.Request, unlisted),
		Cancel:  all.Cancel.less(other.Cancel, unlisted),
		Approve: all.Approve.less(other.Approve, unlisted),
	}
}

// less returns the lower of two answers. If only the unknown membership refuses, it returns unlisted.
func (a Prospect) less(b, unlisted Prospect) Prospect {
	switch {
	case b.May >= a.May:
		return a
	case b.May == No:
		return unlisted
	}
	return Prospect{May: Depends, Rules: union(a.Rules, b.Rules)}
}

// prospects answers by what partial evaluation leaves of the rules for each action.
func (p *Policy) prospects(who Principal, env func(name cedar.String) eval.Env) Prospects {
	var all Prospects
	request, cancel := p.remaining(who, env(actionRequest), actionRequest), p.remaining(who, env(actionCancel), actionCancel)
	all.Request = p.asking(who, request, cancel)
	all.Cancel = all.Request
	if all.Request.May != No {
		all.Cancel = p.prospect(cancel.refusedBy(request), ToFile)
		all.Cancel.May = min(all.Cancel.May, all.Request.May)
	}
	if d, refused := p.refusePerson(who, ToApprove); refused {
		all.Approve = prospectOf(d)
	} else {
		all.Approve = p.prospect(p.remaining(who, env(actionApprove), actionApprove), ToApprove)
	}
	return all
}

// asking answers for request, by what is left of its rules and of those of cancel.
func (p *Policy) asking(who Principal, request, cancel remainder) Prospect {
	if d, refused := p.refusePerson(who, ToAsk); refused {
		return prospectOf(d)
	}
	return p.prospect(request.refusedBy(cancel), ToAsk)
}

// MayAskFor decides, after a server is chosen, whether to show the form. It refuses only what Decide
// would refuse whatever the person states in the form: the reason and the associated items are open.
// So are Count and Today if they are 0.
//
// Allowed does not allow filing.
func (p *Policy) MayAskFor(who Principal, s Server, c Context) Decision {
	if d, refused := p.refusePerson(who, ToAsk); refused {
		return d
	}
	given := c
	given.StatedReason, given.Count, given.Today = "open", max(c.Count, 1), max(c.Today, 1)
	if gaps := p.unread(who, s, given); len(gaps) > 0 {
		return p.refuseUnread(gaps...)
	}
	server, err := s.entity()
	if err != nil {
		return p.refuseUnread(GapFee)
	}
	asking := p.everyMembership(who, func(who Principal) Prospects {
		env := func(name cedar.String) eval.Env {
			env := envOn(server, who, name)
			env.Context = c.unstated()
			return env
		}
		left := func(name cedar.String) remainder { return p.remaining(who, env(name), name) }
		return Prospects{Request: p.asking(who, left(actionRequest), left(actionCancel))}
	}).Request
	if asking.May == No {
		return asking.Refusal
	}
	return Decision{Effect: Allowed, Rule: asking.Rules[0], Rules: asking.Rules, PolicyDigest: p.digest}
}

// refusedBy adds the forbids on another action, and its rules that may fail, because they refuse this
// action too.
func (left remainder) refusedBy(other remainder) remainder {
	left.forbids = union(left.forbids, other.forbids)
	left.certainForbids = union(left.certainForbids, other.certainForbids)
	left.fallible = union(left.fallible, other.fallible)
	left.failed = union(left.failed, other.failed)
	return left
}

func (p *Policy) prospect(left remainder, to Act) Prospect {
	switch {
	case len(left.failed) > 0:
		return prospectOf(p.refuseBroken(left.failed))
	case len(left.certainForbids) > 0:
		return prospectOf(p.refuseByRules(left.certainForbids))
	case len(left.permits) == 0:
		return prospectOf(p.refuse(RuleDefaultDeny, to))
	case len(left.forbids) == 0 && len(left.fallible) == 0 && len(left.certainPermits) > 0:
		return Prospect{May: Yes, Rules: left.certainPermits}
	}
	return Prospect{May: Depends, Rules: union(slices.Concat(left.permits, left.forbids), left.fallible)}
}
