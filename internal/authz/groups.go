package authz

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
)

// None, as the only entry of Groups.Approve, says that requesters file without approval.
const None = "none"

// Groups is the simple form of a policy: lists of ids instead of rules. Its fields are settings, split
// at the commas.
type Groups struct {
	// Home is the id of the installed enterprise, or of the team if there is none. Bare user ids
	// belong to it. It is required only for those.
	Home string
	// Request is REQUEST_GROUPS: the Slack user groups (S…) and users (U…, W…) who may ask.
	Request []string
	// Approve is APPROVE_GROUPS: those who approve, or only None.
	Approve []string
	// ProtectedTags is PROTECTED_TAGS: tags of servers that nobody may ask for, in upper or lower case.
	ProtectedTags []string
}

// FromGroups writes the lists as Cedar and loads that. Policy.Text returns the Cedar, as a start for a
// policy file. It refuses malformed ids, empty lists of requesters or approvers, and None next to other
// approvers. The error names all problems.
func FromGroups(g Groups) (*Policy, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	return Parse("REQUEST_GROUPS", []byte(g.cedar()))
}

func (g Groups) withoutApproval() bool { return slices.Equal(g.Approve, []string{None}) }

func (g Groups) check() error {
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(g.Request) == 0 {
		complain("REQUEST_GROUPS: empty, so nobody could ask")
	}
	if len(g.Approve) == 0 {
		complain("APPROVE_GROUPS: required with REQUEST_GROUPS; %q, written out, lets requesters file without approval", None)
	}
	problems = append(problems, g.checkMembers("REQUEST_GROUPS", g.Request))
	if !g.withoutApproval() {
		problems = append(problems, g.checkMembers("APPROVE_GROUPS", g.Approve))
	}
	for _, tag := range g.ProtectedTags {
		if strings.TrimSpace(tag) == "" || hasControl(tag) || !utf8.ValidString(tag) {
			complain("PROTECTED_TAGS: %.60q is not a tag", tag)
		}
	}
	return errors.Join(problems...)
}

// The forms of ids in the settings. A bare user id belongs to the installed team or
// enterprise; a qualified one names its own.
var (
	userID      = regexp.MustCompile(`^[UW][A-Z0-9]+$`)
	qualifiedID = regexp.MustCompile(`^[TE][A-Z0-9]+/[UW][A-Z0-9]+$`)
	homeID      = regexp.MustCompile(`^[TE][A-Z0-9]+$`)
)

func (g Groups) checkMembers(setting string, ids []string) error {
	var problems []error
	for _, id := range ids {
		switch {
		case groupID.MatchString(id), qualifiedID.MatchString(id):
		case !userID.MatchString(id):
			problems = append(problems, fmt.Errorf("%s: %.60q is neither a Slack user group's id (S…) nor a user's (U…, W… or TEAM/U…)", setting, id))
		case !homeID.MatchString(g.Home):
			problems = append(problems, fmt.Errorf("%s: user %s needs the installed team, and %.60q is none", setting, id, g.Home))
		}
	}
	return errors.Join(problems...)
}

// cedar writes the policy. Ids were checked; tags are quoted.
func (g Groups) cedar() string {
	var text strings.Builder
	text.WriteString("// From REQUEST_GROUPS, APPROVE_GROUPS and PROTECTED_TAGS.\n")
	g.permit(&text, actionRequest, g.Request)
	if g.withoutApproval() {
		g.permit(&text, actionCancel, g.Request)
	} else {
		g.permit(&text, actionApprove, g.Approve)
	}
	if tags := plainTags(g.ProtectedTags); len(tags) > 0 {
		fmt.Fprintf(&text, "\n@id(\"protected-tags\")\n@reason(%s)\n"+
			"forbid (principal, action == Action::\"request\", resource)\nwhen { resource.tags.containsAny(%s) };\n",
			quote(protectedReason(tags)), quoteAll(tags))
	}
	return text.String()
}

// permit writes one rule for each member, so that a decision names the member that it is based on.
func (g Groups) permit(text *strings.Builder, name string, members []string) {
	for i, id := range members {
		if slices.Contains(members[:i], id) {
			continue
		}
		var scope string
		switch {
		case userID.MatchString(id):
			scope = fmt.Sprintf("principal == User::%s", quote(g.Home+"/"+id))
		case qualifiedID.MatchString(id):
			scope = fmt.Sprintf("principal == User::%s", quote(id))
		default:
			scope = fmt.Sprintf("principal in Group::%s", quote(id))
		}
		fmt.Fprintf(text, "\n@id(\"%s-%s\")\npermit (%s, action == Action::%s, resource);\n", name, id, scope, quote(name))
	}
}

func protectedReason(tags []string) string {
	const end = " are never cancelled here; the people who run this bot can say why."
	reason := "servers tagged " + strings.Join(tags, " or ") + end
	if utf8.RuneCountInString(reason) > MaxReason {
		return "servers with a protected tag" + end
	}
	return reason
}

func quote(text string) string { return string(cedar.String(text).MarshalCedar()) }

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = quote(text)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
