package authz

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// index finds, for each action, the rules whose scopes may match a person. It leaves out only rules
// that would be evaluated to "does not match": those of other actions, and those for a user or a group
// that the person is not. Cedar evaluates scopes first, so such a rule cannot fail either.
type index map[cedar.String]perPrincipal

// perPrincipal are the places, in the policy's order, of the rules that cover one action.
type perPrincipal struct {
	anyone []int                     // and those of a scope that is not understood here
	only   map[cedar.EntityUID][]int // by the one user or group of the scope
}

func newIndex(all rules) index {
	x := make(index)
	for _, name := range []cedar.String{actionRequest, actionCancel, actionApprove} {
		of := perPrincipal{only: make(map[cedar.EntityUID][]int)}
		for place, r := range all {
			if !r.covers(name) {
				continue
			}
			if uid, one := r.onlyFor(); one {
				of.only[uid] = append(of.only[uid], place)
			} else {
				of.anyone = append(of.anyone, place)
			}
		}
		x[name] = of
	}
	return x
}

// onlyFor returns the user or group without which the rule's scope cannot match, and false if there is
// no such one.
func (r rule) onlyFor() (cedar.EntityUID, bool) {
	switch s := r.tree.Principal.(type) {
	case ast.ScopeTypeEq:
		return s.Entity, true
	case ast.ScopeTypeIn:
		return s.Entity, true
	case ast.ScopeTypeIsIn:
		return s.Entity, true
	}
	return cedar.EntityUID{}, false
}

// mayMatch returns, in the policy's order, the rules whose scopes may match an action of a person. The
// person's parents are all groups that the person is in.
func (p *Policy) mayMatch(name cedar.String, uid cedar.EntityUID, person cedar.Entity) rules {
	of, indexed := p.index[name]
	if !indexed {
		return p.rules
	}
	places := slices.Concat(of.anyone, of.only[uid])
	for group := range person.Parents.All() {
		places = append(places, of.only[group]...)
	}
	slices.Sort(places)
	found := make(rules, len(places))
	for i, place := range places {
		found[i] = p.rules[place]
	}
	return found
}
