package authz

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// plainTag returns a tag as tags are compared: in lower case, because SoftLayer may store another case
// than people type.
func plainTag(tag string) string { return strings.ToLower(tag) }

func plainTags(tags []string) []string {
	plain := make([]string, len(tags))
	for i, tag := range tags {
		plain[i] = plainTag(tag)
	}
	return plain
}

// comparedTags returns the texts that a rule compares with the server's tags, each once.
func comparedTags(tree *ast.Policy) []string {
	var tags []string
	for _, condition := range tree.Conditions {
		ast.Inspect(ast.NewNode(condition.Body), func(node ast.IsNode) bool {
			switch node.(type) {
			case ast.NodeTypeContains, ast.NodeTypeContainsAll, ast.NodeTypeContainsAny, ast.NodeTypeEquals, ast.NodeTypeNotEquals:
				if readsTags, texts := textsBelow(node); readsTags {
					tags = append(tags, texts...)
				}
			}
			return true
		})
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// textsBelow returns the text literals below a node, and whether the tags are read there too.
func textsBelow(node ast.IsNode) (readsTags bool, texts []string) {
	ast.Inspect(ast.NewNode(node), func(below ast.IsNode) bool {
		switch n := below.(type) {
		case ast.NodeTypeAccess:
			readsTags = readsTags || n.Value == "tags"
		case ast.NodeValue:
			texts = append(texts, textsOf(n.Value)...)
		}
		return true
	})
	return readsTags, texts
}

func textsOf(value cedar.Value) []string {
	switch v := value.(type) {
	case cedar.String:
		return []string{string(v)}
	case cedar.Set:
		var texts []string
		for element := range v.All() {
			texts = append(texts, textsOf(element)...)
		}
		return texts
	}
	return nil
}
