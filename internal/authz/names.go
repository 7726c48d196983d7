package authz

import (
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// nameTest is a comparison of one of a server's names with what a rule writes out.
type nameTest struct {
	attribute cedar.String
	holds     func(name cedar.String) bool
}

// NameKind returns a function that gives the same text for two servers if no rule tells their names
// apart. It returns nil if no rule reads a name.
func (p *Policy) NameKind() func(Server) string {
	var tests []nameTest
	whole := false // a rule reads a name in another way than by a test
	for _, r := range p.rules {
		for _, condition := range r.tree.Conditions {
			ast.Inspect(ast.NewNode(condition.Body), func(node ast.IsNode) bool {
				if test, is := nameTestOf(node); is {
					tests = append(tests, test)
					return false
				}
				whole = whole || readsAny(names...)(node)
				return true
			})
		}
	}
	if len(tests) == 0 && !whole {
		return nil
	}
	return func(s Server) string {
		of := map[cedar.String]cedar.String{"hostname": cedar.String(s.Hostname), "domain": cedar.String(s.Domain), "fqdn": cedar.String(s.FQDN)}
		if whole {
			return s.Hostname + "\x00" + s.Domain + "\x00" + s.FQDN
		}
		kind := make([]byte, len(tests))
		for i, test := range tests {
			if kind[i] = '0'; test.holds(of[test.attribute]) {
				kind[i] = '1'
			}
		}
		return string(kind)
	}
}

// names are the attributes that hold a server's names.
var names = []cedar.String{"hostname", "domain", "fqdn"}

// nameTestOf returns the test that a node is: a name and a pattern, a name and a text, or a set of texts
// and a name.
func nameTestOf(node ast.IsNode) (test nameTest, is bool) {
	switch n := node.(type) {
	case ast.NodeTypeLike:
		test.attribute, is = nameOf(n.Arg)
		test.holds = n.Value.Match
	case ast.NodeTypeEquals:
		return equalityOf(n.BinaryNode)
	case ast.NodeTypeNotEquals:
		return equalityOf(n.BinaryNode)
	case ast.NodeTypeContains:
		texts, written := writtenTexts(n.Left)
		test.attribute, is = nameOf(n.Right)
		test.holds = func(name cedar.String) bool { return slices.Contains(texts, string(name)) }
		is = is && written
	}
	return test, is
}

func equalityOf(n ast.BinaryNode) (test nameTest, is bool) {
	name, text := n.Left, n.Right
	if _, first := nameOf(name); !first {
		name, text = text, name
	}
	texts, written := writtenTexts(text)
	test.attribute, is = nameOf(name)
	test.holds = func(name cedar.String) bool { return slices.Contains(texts, string(name)) }
	return test, is && written && len(texts) == 1
}

// nameOf returns which name of the server a node reads.
func nameOf(node ast.IsNode) (attribute cedar.String, is bool) {
	access, reads := node.(ast.NodeTypeAccess)
	if !reads || !slices.Contains(names, access.Value) {
		return "", false
	}
	variable, is := access.Arg.(ast.NodeTypeVariable)
	return access.Value, is && variable.Name == "resource"
}

// writtenTexts returns the texts that a node writes out: one, or a set of them.
func writtenTexts(node ast.IsNode) (texts []string, written bool) {
	switch n := node.(type) {
	case ast.NodeValue:
		return textsOf(n.Value), true
	case ast.NodeTypeSet:
		for _, element := range n.Elements {
			more, written := writtenTexts(element)
			if !written {
				return nil, false
			}
			texts = append(texts, more...)
		}
		return texts, true
	}
	return nil, false
}
