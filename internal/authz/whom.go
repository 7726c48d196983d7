package authz

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Approvers returns whom to ask for an approval: the ids of the users ("TEAM/USER") and of the groups
// that the permits for approve name as principals, each sorted. Some of them may still be refused.
// anyone reports a permit for approve that names no user or group.
func (p *Policy) Approvers() (users, groups []string, anyone bool) {
	var all whom
	for _, r := range p.rules {
		if r.permits() && r.covers(actionApprove) {
			all = all.or(r.whom())
		}
	}
	return sorted(all.users), sorted(all.groups), all.anyone
}

// pings returns the groups that these permits for approve name and want notified.
func (p *Policy) pings(permits []string) []string {
	var groups []string
	for _, id := range permits {
		if r := p.byID[id]; r.pings {
			groups = append(groups, r.whom().groups...)
		}
	}
	return sorted(groups)
}

// UserIDs returns the ids of all users ("TEAM/USER") that the policy names, sorted.
func (p *Policy) UserIDs() []string {
	var ids []string
	for _, r := range p.rules {
		for _, uid := range r.literals {
			if uid.Type == typeUser {
				ids = append(ids, string(uid.ID))
			}
		}
	}
	return sorted(ids)
}

func sorted(ids []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// whom is the principals that an expression may match: these users and groups, or anyone. It may name
// too many, if both sides of && name some, but never too few.
type whom struct {
	users, groups []string
	anyone        bool
}

func (w whom) or(other whom) whom {
	return whom{
		users:  slices.Concat(w.users, other.users),
		groups: slices.Concat(w.groups, other.groups),
		anyone: w.anyone || other.anyone,
	}
}

func (w whom) and(other whom) whom {
	switch {
	case w.anyone == other.anyone:
		return w.or(other)
	case w.anyone:
		return other
	}
	return w
}

// whom returns the principals that the rule's scope and conditions may match.
func (r rule) whom() whom {
	bound := whom{anyone: anyone(r.tree.Principal)}.or(usersAndGroups(scopeLiterals(r.tree.Principal)))
	for _, condition := range r.tree.Conditions {
		bound = bound.and(whomOf(condition.Body, condition.Condition == ast.ConditionWhen))
	}
	return bound
}

// whomOf returns the principals for which an expression may have the value want.
func whomOf(node ast.IsNode, want bool) whom {
	switch n := node.(type) {
	case ast.NodeTypeAnd:
		return whomOfBoth(n.BinaryNode, want, want)
	case ast.NodeTypeOr:
		return whomOfBoth(n.BinaryNode, want, !want)
	case ast.NodeTypeNot:
		return whomOf(n.Arg, !want)
	case ast.NodeTypeIfThenElse:
		chosen := whomOf(n.If, true).and(whomOf(n.Then, want))
		return chosen.or(whomOf(n.If, false).and(whomOf(n.Else, want)))
	case ast.NodeTypeEquals:
		return whomOfPair(n.BinaryNode, want)
	case ast.NodeTypeNotEquals:
		return whomOfPair(n.BinaryNode, !want)
	case ast.NodeTypeIn:
		return whomOfPair(n.BinaryNode, want)
	case ast.NodeTypeContains:
		return whomOfPair(n.BinaryNode, want)
	case ast.NodeTypeIsIn:
		return whomOfPair(ast.BinaryNode{Left: n.Left, Right: n.Entity}, want)
	case ast.NodeValue:
		return whom{anyone: n.Value == cedar.Boolean(want)}
	}
	return whom{anyone: true}
}

// whomOfBoth joins two sides. If both is set, both must have the value want; otherwise one is enough.
func whomOfBoth(n ast.BinaryNode, want, both bool) whom {
	left, right := whomOf(n.Left, want), whomOf(n.Right, want)
	if both {
		return left.and(right)
	}
	return left.or(right)
}

// whomOfPair is whomOf for a comparison of the principal with entity literals.
func whomOfPair(n ast.BinaryNode, holds bool) whom {
	if holds && isPrincipal(n.Left) && len(writtenOut(n.Right)) > 0 {
		return usersAndGroups(writtenOut(n.Right))
	}
	if holds && isPrincipal(n.Right) && len(writtenOut(n.Left)) > 0 {
		return usersAndGroups(writtenOut(n.Left))
	}
	return whom{anyone: true}
}

func isPrincipal(node ast.IsNode) bool {
	variable, ok := node.(ast.NodeTypeVariable)
	return ok && variable.Name == "principal"
}

// writtenOut returns the entities of an expression that consists only of entity literals.
func writtenOut(node ast.IsNode) []cedar.EntityUID {
	switch n := node.(type) {
	case ast.NodeValue:
		if uid, ok := n.Value.(cedar.EntityUID); ok {
			return []cedar.EntityUID{uid}
		}
	case ast.NodeTypeSet:
		var all []cedar.EntityUID
		for _, element := range n.Elements {
			uids := writtenOut(element)
			if len(uids) == 0 {
				return nil
			}
			all = append(all, uids...)
		}
		return all
	}
	return nil
}

// usersAndGroups sorts entities into users and groups.
func usersAndGroups(uids []cedar.EntityUID) whom {
	var w whom
	for _, uid := range uids {
		switch uid.Type {
		case typeUser:
			w.users = append(w.users, string(uid.ID))
		case typeGroup:
			w.groups = append(w.groups, string(uid.ID))
		}
	}
	return w
}
