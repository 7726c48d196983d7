package authz

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// The annotations that this package reads.
const (
	annotationID        = "id"
	annotationReason    = "reason"
	annotationApprovals = "approvals"
	annotationNotify    = "notify"
)

// notifyPing is the one value of @notify.
const notifyPing = "ping"

// MaxReason is the longest @reason, in characters; a refusal has to fit a Slack message.
const MaxReason = 300

// maxID is the longest @id, in characters.
const maxID = 100

// loader checks the rules of one source and collects all problems.
type loader struct {
	file     source
	checker  typeChecker
	problems []error
	warnings []string
	firstUse map[string]position // of each @id
	start    int                 // where the rule being checked begins
	end      int                 // where the next one begins
}

// load checks the rules of a source. It returns them, what should be logged about them, and all problems.
func load(file source, checker typeChecker, list cedar.PolicyList) (rules, []string, error) {
	l := &loader{file: file, checker: checker, firstUse: make(map[string]position)}
	var loaded rules
	anyPermit := false
	for i, policy := range list {
		l.start, l.end = policy.Position().Offset, len(file.text)
		if i+1 < len(list) {
			l.end = list[i+1].Position().Offset
		}
		r := l.rule(policy)
		anyPermit = anyPermit || r.permits()
		loaded = append(loaded, &r)
	}
	if !anyPermit {
		l.problems = append(l.problems, file.errorAt(position{1, 1}, "no permit: this policy lets nobody do anything"))
	}
	return loaded, l.warnings, errors.Join(l.problems...)
}

func (l *loader) rule(policy *cedar.Policy) rule {
	r := newRule(policy)
	notes := policy.Annotations()
	r.id = l.id(notes)
	r.reason = l.reason(notes)
	r.approvals = l.approvals(notes, r)
	r.pings = l.pings(notes, r)
	for key := range notes {
		l.spelling(string(key))
	}
	for _, uid := range r.literals {
		l.entity(uid)
	}
	for _, tag := range comparedTags(r.tree) {
		if plain := plainTag(tag); plain != tag {
			l.problem(quote(tag), "rule %q: tags compare in lower case, so %.60q matches none: write %.60q", r.id, tag, plain)
		}
	}
	for _, problem := range l.checker.checkRule(r.tree) {
		l.problem("", "rule %q: %s", r.id, problem)
	}
	return r
}

// problem records a problem at needle, or at the start of the rule if needle is not in it.
func (l *loader) problem(needle, format string, args ...any) {
	at := l.file.find(needle, l.start, l.end)
	l.problems = append(l.problems, l.file.errorAt(at, format, args...))
}

func (l *loader) id(notes cedar.Annotations) string {
	value, given := notes[annotationID]
	id := string(value)
	switch {
	case !given:
		l.problem("", "missing @id: every rule has a name")
	case strings.TrimSpace(id) == "" || hasControl(id) || utf8.RuneCountInString(id) > maxID:
		l.problem("@id", "@id %.120q: a name has 1 to %d printable characters", id, maxID)
	case strings.HasPrefix(id, builtinPrefix):
		l.problem("@id", "@id %q: names that begin with %s are taken", id, builtinPrefix)
	default:
		if first, taken := l.firstUse[id]; taken {
			l.problem("@id", "duplicate @id %q, first used in line %d", id, first.line)
			return id
		}
		l.firstUse[id] = l.file.find("@id", l.start, l.end)
	}
	return id
}

func (l *loader) reason(notes cedar.Annotations) string {
	reason := string(notes[annotationReason])
	if utf8.RuneCountInString(reason) > MaxReason || hasControl(reason) {
		l.problem("@reason", "@reason: at most %d characters, in one line", MaxReason)
	}
	return reason
}

func hasControl(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }

// approvals returns how many approvals a permit for request requires: 1 unless @approvals says more.
func (l *loader) approvals(notes cedar.Annotations, r rule) int {
	value, given := notes[annotationApprovals]
	if !given {
		return 1
	}
	switch {
	case !r.permits() || !r.covers(actionRequest):
		l.problem("@approvals", "@approvals stands on a permit for request, nowhere else")
	case r.covers(actionCancel):
		l.problem("@approvals", "@approvals without effect: this rule permits cancel too, which needs no approval; "+
			`narrow its scope to action == Action::"request"`)
	case len(value) != 1 || value[0] < '1' || value[0] > '9':
		l.problem("@approvals", "@approvals(%.20q): a number from 1 to 9", string(value))
	default:
		return int(value[0] - '0')
	}
	return 1
}

// pings reports whether a permit for approve wants its groups notified of what waits for them. Anything
// else that @notify could mean is warned of, and notifies nobody.
func (l *loader) pings(notes cedar.Annotations, r rule) bool {
	value, given := notes[annotationNotify]
	switch {
	case !given:
		return false
	case value != notifyPing:
		l.warn(r, "@notify(%.40q) notifies nobody; the one value is %q", string(value), notifyPing)
	case !r.permits() || !r.covers(actionApprove) || len(r.whom().groups) == 0:
		l.warn(r, "@notify notifies nobody here; it stands on a permit for approve that names a group")
	default:
		return true
	}
	return false
}

// warn records what does not keep a policy from loading.
func (l *loader) warn(r rule, format string, args ...any) {
	at := r.policy.Position()
	l.warnings = append(l.warnings, fmt.Sprintf("%s:%d:%d: rule %s: %s", l.file.name, at.Line, at.Column, r.id, fmt.Sprintf(format, args...)))
}

// spelling refuses annotations that look like a misspelt one of ours: a misspelt @approvals would
// silently require one approval. Other annotations are allowed, as everywhere in Cedar.
func (l *loader) spelling(key string) {
	for _, known := range []string{annotationID, annotationReason, annotationApprovals} {
		if key != known && (strings.EqualFold(key, known) || len(known) > len("id") && EditDistance(key, known) <= 2) {
			l.problem("@"+key, "@%s: did you mean @%s?", key, known)
		}
	}
}

// EditDistance counts the insertions, deletions and replacements between two words.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// The forms of the ids that a policy may name. Slack user ids begin with U or W:
// https://api.slack.com/enterprise/grid
var (
	userEntity  = regexp.MustCompile(`^[TE][A-Z0-9]+/[UW][A-Z0-9]+$`)
	groupID     = regexp.MustCompile(`^S[A-Z0-9]+$`)
	hardwareID  = regexp.MustCompile(`^[1-9][0-9]*$`)
	entityForms = map[cedar.EntityType]struct {
		form *regexp.Regexp
		want string
	}{
		typeUser:   {userEntity, `a person is "TEAM/USER", like "T0123/U0456"`},
		typeGroup:  {groupID, `a group is the id of a Slack user group, like "S0123"`},
		typeServer: {hardwareID, `a server is a SoftLayer hardware id, like "1234567"`},
	}
)

// entity refuses ids that can match nothing: a forbid with such an id would silently forbid nothing.
func (l *loader) entity(uid cedar.EntityUID) {
	want, checked := entityForms[uid.Type]
	if checked && !want.form.MatchString(string(uid.ID)) {
		l.problem(string(cedar.String(uid.ID).MarshalCedar()), "%.120s: %s", uid.String(), want.want)
	}
}
