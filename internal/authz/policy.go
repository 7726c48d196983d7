package authz

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// MaxSource is the size of the largest policy that Parse reads, in bytes.
const MaxSource = 64 << 10

// Policy is a loaded policy. It never changes and may be used by any number of goroutines.
type Policy struct {
	text   string
	digest string
	rules  rules
	byID   map[string]rule
	index  index
	schema typeChecker
	groups []string
	// narrowing are the groups in which a membership may forbid something or require more approvals.
	narrowing []string
	warnings  []string

	countsForm, countsToday bool // some rule asks for Context.Count, for Context.Today
}

// Parse loads a policy in Cedar. It refuses, naming all problems at once, each as
// "name:line:column: …" (columns count characters):
//
//   - a syntax error (which hides all other problems), and templates, which cedar-go lacks;
//   - anything that does not fit the schema, a misspelt attribute for example;
//   - a missing, repeated, overlong or "builtin-" @id, and an overlong @reason;
//   - an @approvals that is not one digit from 1 to 9, or that is not on a permit whose scope covers
//     request and not cancel;
//   - a misspelt @approvals or @reason (other annotations are left alone);
//   - a User that is not "TEAM/USER", a Group that is not a Slack user group's id, a Server that is
//     not a hardware id, because a forbid with such an id would never match;
//   - a policy with no permit, and one beyond MaxSource.
func Parse(name string, src []byte) (*Policy, error) {
	file := source{name: name, text: string(src)}
	if len(src) > MaxSource {
		return nil, file.errorAt(position{1, 1}, "%d bytes, which is more than the limit of %d", len(src), MaxSource)
	}
	list, err := file.parse()
	if err != nil {
		return nil, err
	}
	checker, err := newTypeChecker(schemaText)
	if err != nil {
		return nil, err
	}
	loaded, warnings, err := load(file, checker, list)
	if err != nil {
		return nil, err
	}
	p := newPolicy(file, checker, loaded)
	p.warnings = append(p.warnings, warnings...)
	return p, nil
}

func newPolicy(file source, checker typeChecker, loaded rules) *Policy {
	digest := sha256.Sum256([]byte(file.text))
	p := &Policy{
		text:   file.text,
		digest: hex.EncodeToString(digest[:]),
		rules:  loaded,
		byID:   make(map[string]rule, len(loaded)),
		index:  newIndex(loaded),
		schema: checker,
	}
	for _, r := range loaded {
		p.byID[r.id] = *r
		p.groups = append(p.groups, r.groups()...)
		p.narrowing = append(p.narrowing, r.narrowing()...)
		if r.permits() && r.unconditional() {
			at := r.policy.Position()
			p.warnings = append(p.warnings, fmt.Sprintf("%s:%d:%d: rule %s permits %s to everyone, on every server",
				file.name, at.Line, at.Column, r.id, r.actions()))
		}
	}
	p.groups = sorted(p.groups)
	p.countsForm, p.countsToday = loaded.askFor("count"), loaded.askFor("today")
	if !slices.ContainsFunc(loaded, func(r *rule) bool { return r.permits() && r.covers(actionRequest) }) {
		p.warnings = append(p.warnings, file.name+": no rule permits request, so nobody may ask")
	}
	return p
}

// Text returns the policy's Cedar, byte for byte as it was parsed.
func (p *Policy) Text() string { return p.text }

// Digest returns the SHA-256 of Text in hexadecimal digits.
func (p *Policy) Digest() string { return p.digest }

// Warnings returns what is allowed in a policy but should be logged at start: permits without any
// condition, a policy that lets nobody ask, and a @notify that notifies nobody.
func (p *Policy) Warnings() []string { return slices.Clone(p.warnings) }

// CountsToday reports whether a decision may depend on Context.Today.
func (p *Policy) CountsToday() bool { return p.countsToday }

// GroupIDs returns the ids of all Slack user groups that the policy names, sorted. If there are
// none, no decision depends on memberships, and nobody needs to read them.
func (p *Policy) GroupIDs() []string { return slices.Clone(p.groups) }
