package authz

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"
)

// MayAskAtAll decides, before a server is chosen, whether it is worth opening the form. It refuses
// only what Decide would refuse for every server: the refusals that no policy lifts, a person for
// whom no permit for request can still match, and one whom a forbid meets whatever the server.
// Memberships that are not yet known open the form. An account of "" is not known yet.
//
// Allowed means that the form may open. It is no leave to file anything.
func (p *Policy) MayAskAtAll(who Principal, channel, account string) Decision {
	if d, refused := p.refusePerson(who, toAsk); refused {
		return d
	}
	return p.mayAtAll(who, envWithoutServer(who, channel, account), actionRequest, toAsk)
}

// MayApproveAtAll decides whether somebody could approve some request for some server, with
// requester, server and context unknown. It refuses only whom Approve would refuse for all of them;
// memberships that are not yet known are no reason to.
//
// Allowed is no leave to approve anything.
func (p *Policy) MayApproveAtAll(who Principal) Decision {
	if d, refused := p.refusePerson(who, toApprove); refused {
		return d
	}
	return p.mayAtAll(who, envOfPerson(who, actionApprove), actionApprove, toApprove)
}

// mayAtAll asks what is left of the rules for one action.
func (p *Policy) mayAtAll(who Principal, env eval.Env, name cedar.String, to string) Decision {
	left := p.remaining(who, env, name)
	switch {
	case len(left.certainForbids) > 0:
		return p.refuseByRules(left.certainForbids)
	case len(left.permits) == 0:
		return p.refuseByDefault(to)
	}
	return Decision{Effect: Allowed, Rule: left.permits[0], Rules: left.permits, PolicyDigest: p.digest}
}

// remainder is what partial evaluation leaves of the rules for one action: those that can still
// match, and of them those that match whatever becomes known; those that may still fail, and of them
// those that fail whatever becomes known.
type remainder struct {
	permits, certainPermits, forbids, certainForbids, fallible, failed []string
}

func (p *Policy) remaining(who Principal, env eval.Env, name cedar.String) remainder {
	var left remainder
	known := p.knowsGroups(who)
	for _, r := range p.rules {
		if !r.covers(name) {
			continue
		}
		if rest, kept := r.withoutServer(env, known); kept {
			left.add(r, rest)
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

// envOfPerson is what is known of an action where only the person is.
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

// envWithoutServer is what is known of the action request before a server is chosen. What a person
// states in the form is left open.
func envWithoutServer(who Principal, channel, account string) eval.Env {
	context := cedar.RecordMap{
		"channel":         cedar.String(channel),
		"account":         cedar.String(account),
		"associatedItems": eval.Variable("associatedItems"),
		"statedReason":    eval.Variable("statedReason"),
		"warnings":        eval.Variable("warnings"),
	}
	if account == "" {
		context["account"] = eval.Variable("account")
	}
	env := envOfPerson(who, actionRequest)
	env.Context = cedar.NewRecord(context)
	return env
}

// withoutServer evaluates a rule as far as the person and the place allow. It returns what is left of
// it, and false if it can no longer match. A rule that compares the whole context gets none of it:
// cedar-go would compare the open values as if they were known.
func (r rule) withoutServer(env eval.Env, groupsKnown bool) (*ast.Policy, bool) {
	if !groupsKnown && len(r.groups()) > 0 {
		env.Principal = eval.Variable("principal")
	}
	if r.wholeContext {
		env.Context = eval.Variable("context")
	}
	return eval.PartialPolicy(env, r.tree)
}

// alwaysMatches says whether what partial evaluation left of a rule binds it to nothing more.
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

// anyone says whether a scope takes in everybody, or every server.
func anyone(scope ast.IsScopeNode) bool {
	switch scope.(type) {
	case ast.ScopeTypeAll, ast.ScopeTypeIs:
		return true
	}
	return false
}

// unconditional says whether a rule matches everyone and every server, whatever the context.
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
