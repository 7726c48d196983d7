package words

import (
	"fmt"
	"slices"
	"strings"

	"cancel-server/internal/authz"
)

// DecisionWords is [Writer.Decision] where nobody is named to ask.
func DecisionWords(d authz.Decision) string { return Writer{}.Decision(d) }

// Decision says why a decision is no plain yes, and who can help. It is empty if the decision
// allows. Its text may hold a rule's own words: it is foreign text on one line.
func (w Writer) Decision(d authz.Decision) string {
	switch {
	case d.Reason != "": // the rule's own text, or a sentence that the settings, or an older build, made
		return w.named(d.Reason)
	case d.Effect == authz.Allowed:
		return ""
	case d.Effect == authz.NeedsApproval && d.Approvals == 1:
		return "the policy asks for the approval of one other person."
	case d.Effect == authz.NeedsApproval:
		return fmt.Sprintf("the policy asks for the approval of %d other people.", d.Approvals)
	}
	switch d.Rule {
	case authz.RuleStranger:
		return "you belong to another workspace or company; only people of the workspace that runs this bot may " + actWords(d.Act) + "."
	case authz.RuleDeactivated:
		return "this Slack account is deactivated; somebody with an active account may " + actWords(d.Act) + "."
	case authz.RuleBot:
		return "apps and bots may not " + actWords(d.Act) + "; a person has to."
	case authz.RuleGuest:
		return "guests may not " + actWords(d.Act) + "; a full member of this workspace may."
	case authz.RuleOwnRequest:
		return "nobody may approve their own request; another person has to."
	case authz.RuleUnread:
		return w.unreadWords(d)
	case authz.RuleDefaultDeny:
		return w.noRuleWords(d.Act)
	case authz.RuleEvaluationError:
		return "the policy could not be evaluated for this request, so nothing is allowed; " + w.choose("the people who run this bot have to repair it.", "tell %s.")
	}
	return "rule " + d.Rule + " of the policy forbids it; " + w.choose("the people who run this bot can say why, and who may.", "ask %s why, and who may.")
}

func actWords(act authz.Act) string {
	if act == authz.ToFreeze {
		return "freeze filing"
	}
	return string(act)
}

func (w Writer) noRuleWords(act authz.Act) string {
	what := map[authz.Act]string{
		authz.ToAsk: "ask for this", authz.ToFile: "have this filed without approval", authz.ToApprove: "approve this",
	}[act]
	if act == authz.ToFreeze {
		return "no policy rule lets you freeze filing; anyone who may approve requests can."
	}
	return "no policy rule lets you " + what + "; " + w.choose("the people who run this bot can say who may.", "ask %s who may.")
}

// unreadWords says what a decision needed and nobody could read.
func (w Writer) unreadWords(d authz.Decision) string {
	const onAGuess = " could not be read, and nothing is allowed on a guess. "
	switch {
	case len(d.Groups) > 0:
		who := "you are"
		if d.Act == authz.ToApprove {
			who = "you or the requester are"
		}
		return "whether " + who + " in Slack user group " + strings.Join(d.Groups, " or ") +
			" decides this, and Slack does not list it. Tell " + w.contact() + "."
	case slices.Contains(d.Unread, authz.GapFee):
		return gapWords(authz.GapFee) + onAGuess + "Tell " + w.contact() + "."
	}
	names := make([]string, len(d.Unread))
	for i, gap := range d.Unread {
		names[i] = gapWords(gap)
	}
	return strings.Join(names, ", ") + onAGuess + "Try again in a minute. If that fails too, tell " + w.contact() + "."
}

func gapWords(gap string) string {
	if known, is := gaps[gap]; is {
		return known
	}
	return "the server's " + gap // tags, warnings, and facts by their names
}

// gaps names what a decision needs to people.
var gaps = map[string]string{
	authz.GapPerson:          "who you are",
	authz.GapGroups:          "your Slack user groups",
	authz.GapRequester:       "who the requester is",
	authz.GapRequesterGroups: "the requester's Slack user groups",
	authz.GapServerID:        "the server's id",
	authz.GapServerName:      "the server's name",
	authz.GapDatacenter:      "the server's data center",
	authz.GapFee:             "the server's monthly fee",
	authz.GapAccount:         "the SoftLayer account",
	authz.GapStatedReason:    "the reason of the cancellation",
}
