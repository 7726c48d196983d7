package authz

import (
	"iter"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// rule is one permit or forbid, with its annotations.
type rule struct {
	id           string
	reason       string
	approvals    int  // of a permit for request
	pings        bool // of a permit for approve: its groups want to be notified
	policy       *cedar.Policy
	tree         *ast.Policy       // what policy was compiled from
	literals     []cedar.EntityUID // those of its scope first
	inScope      int               // how many those are
	context      []string          // the attributes of the context that it asks for
	wholeContext bool              // uses the context as a whole, and not only its attributes
}

func newRule(policy *cedar.Policy) rule {
	r := rule{policy: policy, tree: (*ast.Policy)(policy.AST())}
	r.literals = append(r.literals, scopeLiterals(r.tree.Principal)...)
	r.literals = append(r.literals, scopeLiterals(r.tree.Action)...)
	r.literals = append(r.literals, scopeLiterals(r.tree.Resource)...)
	r.inScope = len(r.literals)
	for _, condition := range r.tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), r.visit)
	}
	return r
}

func (r *rule) visit(node ast.IsNode) bool {
	switch n := node.(type) {
	case ast.NodeTypeAccess:
		return !r.visitContext(n.Arg, string(n.Value))
	case ast.NodeTypeHas:
		return !r.visitContext(n.Arg, string(n.Value))
	case ast.NodeTypeVariable:
		r.wholeContext = r.wholeContext || isContext(n)
	case ast.NodeValue:
		if uid, ok := n.Value.(cedar.EntityUID); ok {
			r.literals = append(r.literals, uid)
		}
	}
	return true
}

// visitContext notes an attribute, if it is one of the context.
func (r *rule) visitContext(of ast.IsNode, attribute string) bool {
	if !isContext(of) {
		return false
	}
	r.context = append(r.context, attribute)
	return true
}

func isContext(node ast.IsNode) bool {
	variable, ok := node.(ast.NodeTypeVariable)
	return ok && variable.Name == "context"
}

func scopeLiterals(scope ast.IsScopeNode) []cedar.EntityUID {
	switch s := scope.(type) {
	case ast.ScopeTypeEq:
		return []cedar.EntityUID{s.Entity}
	case ast.ScopeTypeIn:
		return []cedar.EntityUID{s.Entity}
	case ast.ScopeTypeIsIn:
		return []cedar.EntityUID{s.Entity}
	case ast.ScopeTypeInSet:
		return s.Entities
	}
	return nil
}

func (r rule) permits() bool { return r.policy.Effect() == cedar.Permit }

// covers reports whether the rule's scope includes an action.
func (r rule) covers(name cedar.String) bool {
	switch scope := r.tree.Action.(type) {
	case ast.ScopeTypeEq, ast.ScopeTypeIn, ast.ScopeTypeInSet:
		return slices.Contains(scopeLiterals(scope), action(name))
	}
	return true
}

// groups returns the ids of the groups that the rule names.
func (r rule) groups() []string { return usersAndGroups(r.literals).groups }

// narrowing returns the groups in which a membership may let a person do less. For a permit those are
// the groups in its conditions. They are all of the rule's groups for a forbid, for a permit that
// requires several approvals, and for a permit that may fail, which refuses everyone in its scope.
func (r rule) narrowing() []string {
	if r.permits() && r.approvals == 1 && !mayFail(r.tree) {
		return usersAndGroups(r.literals[r.inScope:]).groups
	}
	return r.groups()
}

// mayFail reports whether evaluating a rule may fail although it fits the schema.
func mayFail(tree *ast.Policy) bool {
	return anywhere(tree, computes) || anywhere(tree, looksElsewhere)
}

// anywhere reports whether a rule's conditions contain such a node.
func anywhere(tree *ast.Policy, such func(ast.IsNode) bool) bool {
	found := false
	for _, condition := range tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(node ast.IsNode) bool {
			found = found || such(node)
			return true
		})
	}
	return found
}

// decimals are the calls that cannot fail: loading has checked the texts that they read.
var decimals = []types.Path{"decimal", "lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"}

// computes reports whether the value of a node may be out of range, or whether the node is what partial
// evaluation left of one whose value was.
func computes(node ast.IsNode) bool {
	switch n := node.(type) {
	case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate:
		return true
	case ast.NodeTypeExtensionCall:
		return !slices.Contains(decimals, n.Name)
	}
	return false
}

// looksElsewhere reports whether a node reads an attribute of an entity that the question does not
// name. A decision may not have that entity.
func looksElsewhere(node ast.IsNode) bool {
	access, ok := node.(ast.NodeTypeAccess)
	if !ok {
		return false
	}
	switch access.Arg.(type) {
	case ast.NodeTypeVariable, ast.NodeTypeAccess: // principal, or context.requester
		return false
	}
	return true
}

// rules are a policy's rules in their order. cedar-go's own policy set has no order.
type rules []*rule

// askFor reports whether a decision may depend on an attribute of the context.
func (rs rules) askFor(attribute string) bool {
	return slices.ContainsFunc(rs, func(r *rule) bool { return r.wholeContext || slices.Contains(r.context, attribute) })
}

// All implements cedar.PolicyIterator.
func (rs rules) All() iter.Seq2[cedar.PolicyID, *cedar.Policy] {
	return func(yield func(cedar.PolicyID, *cedar.Policy) bool) {
		for _, r := range rs {
			if !yield(cedar.PolicyID(r.id), r.policy) {
				return
			}
		}
	}
}
