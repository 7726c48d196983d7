package authz

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

//go:embed schema.cedarschema
var schemaText []byte

// typeChecker checks rules and questions against the schema. It is the only user of cedar-go's
// experimental validator, whose interface may change with any version.
type typeChecker struct {
	validator *validate.Validator
}

func newTypeChecker(text []byte) (typeChecker, error) {
	var s schema.Schema
	s.SetFilename("schema.cedarschema")
	if err := s.UnmarshalCedar(text); err != nil {
		return typeChecker{}, fmt.Errorf("reading the policy schema: %w", err)
	}
	resolved, err := s.Resolve()
	if err != nil {
		return typeChecker{}, fmt.Errorf("resolving the policy schema: %w", err)
	}
	return typeChecker{validator: validate.New(resolved)}, nil
}

// checkRule returns the problems of one rule in a stable order, and nothing if it fits the schema.
func (t typeChecker) checkRule(tree *ast.Policy) []string {
	var problems []string
	for _, err := range flatten(t.validator.Policy("", tree)) {
		problems = append(problems, err.Error())
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// checkQuestion checks one request and its entities.
func (t typeChecker) checkQuestion(question cedar.Request, entities cedar.EntityMap) error {
	return errors.Join(t.validator.Request(question), t.validator.Entities(entities))
}

// flatten returns the errors that errors.Join has joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, part := range joined.Unwrap() {
		all = append(all, flatten(part)...)
	}
	return all
}
