package authz

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// MayAskAtAll decides, before a server is chosen, whether to open the form. It refuses only what Decide
// would refuse for every server: by the refusals that no policy lifts, because no permit for request
// can match this person, or because a forbid matches them on every server. Unread memberships refuse
// nothing. An account of "" is unknown.
//
// Allowed means that the form may open. It does not allow filing.
func (p *Policy) MayAskAtAll(who Principal, channel, account string) Decision {
	if d, refused := p.refusePerson(who, ToAsk); refused {
		return d
	}
	return p.mayAtAll(p.remaining(who, envWithoutServer(who, channel, account), actionRequest), ToAsk)
}

// MayApproveAtAll decides whether a person could approve some request for some server, while requester,
// server and context are unknown. It refuses only people whom Approve would refuse in every case.
// Unread memberships refuse nothing.
//
// Allowed does not allow any approval.
func (p *Policy) MayApproveAtAll(who Principal) Decision {
	if d, refused := p.refusePerson(who, ToApprove); refused {
		return d
	}
	return p.mayAtAll(p.remaining(who, envOfPerson(who, actionApprove), actionApprove), ToApprove)
}

// mayAtAll decides by what partial evaluation leaves of the rules for one action.
func (p *Policy) mayAtAll(left remainder, to Act) Decision {
	switch {
	case len(left.certainForbids) > 0:
		return p.refuseByRules(left.certainForbids)
	case len(left.permits) == 0:
		return p.refuse(RuleDefaultDeny, to)
	}
	return Decision{Effect: Allowed, Rule: left.permits[0], Rules: left.permits, PolicyDigest: p.digest}
}

// remainder is what partial evaluation leaves of the rules for one action. permits and forbids can
// still match; the certain ones among them match in every case. fallible rules may fail; failed ones
// fail in every case.
type remainder struct {
	permits, certainPermits, forbids, certainForbids, fallible, failed []string
}

func (p *Policy) remaining(who Principal, env eval.Env, name cedar.String) remainder {
	var left remainder
	known, candidates := p.knowsGroups(who), p.rules
	if person, given := env.Entities.Get(who.uid()); given && known {
		candidates = p.mayMatch(name, who.uid(), person)
	}
	for _, r := range candidates {
		if !r.covers(name) {
			continue
		}
		if rest, kept := r.withoutServer(env, known); kept {
			left.add(*r, rest)
		}
	}
	return left
}

func (left *remainder) add(r rule, rest *ast.Policy) {
	matching, certain := &left.forbids, &left.certainForbids
	if r.permits() {
		matching, certain = &left.permits, &left.certainPermits
	}
	*matching = append(*matching, r.id)
	if alwaysMatches(rest) {
		*certain = append(*certain, r.id)
	}
	if mayFail(rest) {
		left.fallible = append(left.fallible, r.id)
	}
	if r.alwaysFails(rest) {
		left.failed = append(left.failed, r.id)
	}
}

// envOfPerson returns the environment in which only the person and the action are known.
func envOfPerson(who Principal, name cedar.String) eval.Env {
	person := who.entity()
	return eval.Env{
		Principal: person.UID,
		Action:    action(name),
		Resource:  eval.Variable("resource"),
		Context:   eval.Variable("context"),
		Entities:  cedar.EntityMap{person.UID: person},
	}
}

// envWithoutServer returns the environment of the action request before a server is chosen. What a
// person states in the form is open, and so is how many servers they ask for.
func envWithoutServer(who Principal, channel, account string) eval.Env {
	context := cedar.RecordMap{
		"channel":         cedar.String(channel),
		"account":         cedar.String(account),
		"associatedItems": eval.Variable("associatedItems"),
		"statedReason":    eval.Variable("statedReason"),
		"warnings":        eval.Variable("warnings"),
		"count":           eval.Variable("count"),
		"today":           eval.Variable("today"),
	}
	if account == "" {
		context["account"] = eval.Variable("account")
	}
	env := envOfPerson(who, actionRequest)
	env.Context = cedar.NewRecord(context)
	return env
}

// withoutServer evaluates a rule as far as env is known. It returns what is left of the rule, and false
// if the rule cannot match. A rule that compares the whole context gets none of it, because cedar-go
// would compare the open values as if they were known.
func (r rule) withoutServer(env eval.Env, groupsKnown bool) (*ast.Policy, bool) {
	if !groupsKnown && len(r.groups()) > 0 {
		env.Principal = eval.Variable("principal")
	}
	if r.wholeContext {
		env.Context = eval.Variable("context")
	}
	return eval.PartialPolicy(env, r.tree)
}

// alwaysMatches reports whether what partial evaluation left of a rule has no condition.
func alwaysMatches(rest *ast.Policy) bool {
	return len(rest.Conditions) == 0 && anyone(rest.Principal) && anyone(rest.Resource)
}

// alwaysFails reports whether what partial evaluation left of the rule begins with an error. It is false
// for a rule that looks elsewhere: its error may go away once the requester and the server are known.
func (r rule) alwaysFails(rest *ast.Policy) bool {
	if len(rest.Conditions) == 0 || !anyone(rest.Principal) || !anyone(rest.Resource) || anywhere(r.tree, looksElsewhere) {
		return false
	}
	_, failed := eval.ToPartialError(rest.Conditions[0].Body)
	return failed
}

// anyone reports whether a scope includes everybody, or every server.
func anyone(scope ast.IsScopeNode) bool {
	switch scope.(type) {
	case ast.ScopeTypeAll, ast.ScopeTypeIs:
		return true
	}
	return false
}

// unconditional reports whether a rule matches everyone and every server in every context.
func (r rule) unconditional() bool {
	env := eval.Env{
		Principal: eval.Variable("principal"),
		Action:    eval.Variable("action"),
		Resource:  eval.Variable("resource"),
		Context:   eval.Variable("context"),
		Entities:  cedar.EntityMap{},
	}
	rest, kept := eval.PartialPolicy(env, r.tree)
	return kept && alwaysMatches(rest)
}

// actions names the actions of the rule's scope, for people.
func (r rule) actions() string {
	var names []string
	for _, uid := range scopeLiterals(r.tree.Action) {
		names = append(names, string(uid.ID))
	}
	if len(names) == 0 {
		return "everything"
	}
	return strings.Join(slices.Compact(names), ", ")
}
