package authz

import (
	"fmt"
	"strings"
)

// Effect is the outcome of a decision. The zero value refuses.
type Effect int

// The three effects.
const (
	// Refused: nothing may be filed, even with approvals.
	Refused Effect = iota
	// NeedsApproval: the person may ask, and it may be filed after Decision.Approvals other people
	// have approved.
	NeedsApproval
	// Allowed: it may be filed without approval. Of Approve: this approval counts.
	Allowed
)

// String returns the effect's name, for logs and audit records.
func (e Effect) String() string {
	switch e {
	case NeedsApproval:
		return "needs approval"
	case Allowed:
		return "allowed"
	default:
		return "refused"
	}
}

// Rules that are in no policy. They appear in Decision.Rule; a policy's @id cannot begin with
// "builtin-".
const (
	// RuleStranger refuses people of another enterprise or team.
	RuleStranger = "builtin-stranger"
	// RuleDeactivated refuses deactivated accounts.
	RuleDeactivated = "builtin-deactivated"
	// RuleBot refuses apps and bots.
	RuleBot = "builtin-bot"
	// RuleGuest refuses guests, single-channel and multi-channel.
	RuleGuest = "builtin-guest"
	// RuleOwnRequest refuses people who try to approve their own request.
	RuleOwnRequest = "builtin-own-request"
	// RuleUnread refuses because something that a decision needs was not read.
	RuleUnread = "builtin-unread"
	// RuleDefaultDeny refuses because no rule permits.
	RuleDefaultDeny = "builtin-default-deny"
	// RuleEvaluationError refuses because the policy failed to evaluate or the request did not
	// fit the schema.
	RuleEvaluationError = "builtin-evaluation-error"
)

const builtinPrefix = "builtin-"

// Decision is an answer and the rule that gave it.
type Decision struct {
	Effect Effect
	// Rule is the @id of the deciding rule, or one of the Rule constants. For NeedsApproval it is
	// the permit that asks for the most approvals.
	Rule string
	// Rules are the ids of all rules that led to the decision, in the policy's order. After an
	// evaluation error they are the rules that failed.
	Rules []string
	// Reason tells a person why, and who can help. It does not say whether anything was filed: the
	// caller does. At most MaxReason characters of it come from the policy's text. It is plain text,
	// to be escaped in Slack's mrkdwn. It is empty if Effect is Allowed.
	Reason string
	// Approvals is how many other people have to approve; 0 unless NeedsApproval.
	Approvals int
	// Unlisted is set on a refusal that a membership of a group which Slack does not list would lift.
	// That group may be disabled for a moment, so this refusal should end no request that waits.
	Unlisted bool `json:",omitempty"`
	// PolicyDigest identifies the policy that decided; see Policy.Digest.
	PolicyDigest string
}

func (p *Policy) refuse(rule, reason string) Decision {
	return Decision{Effect: Refused, Rule: rule, Rules: []string{rule}, Reason: reason, PolicyDigest: p.digest}
}

func (p *Policy) refuseByDefault(to string) Decision {
	what := map[string]string{
		toAsk: "ask for this", toFile: "have this filed without approval", toApprove: "approve this",
	}[to]
	if to == toFreeze {
		return p.refuse(RuleDefaultDeny, "no policy rule lets you freeze filing; anyone who may approve requests can.")
	}
	return p.refuse(RuleDefaultDeny, "no policy rule lets you "+what+"; the people who run this bot can say who may.")
}

func (p *Policy) refuseUnread(gaps []string) Decision {
	return p.refuse(RuleUnread, strings.Join(gaps, ", ")+" could not be read, and nothing is allowed on a guess. "+
		"Try again in a minute. If that fails too, tell the people who run this bot.")
}

func (p *Policy) refuseFee() Decision {
	return p.refuse(RuleUnread, "the server's monthly fee could not be read, and nothing is allowed on a guess. "+
		"Tell the people who run this bot.")
}

// refuseUnlisted refuses because an unknown membership would decide. who is "you are", or names both
// people.
func (p *Policy) refuseUnlisted(who string, groups []string) Decision {
	return p.refuse(RuleUnread, "whether "+who+" in Slack user group "+strings.Join(groups, " or ")+
		" decides this, and Slack does not list it. Tell the people who run this bot.")
}

// refuseByRules refuses by the matching forbids. The person reads the first one that gives a reason.
func (p *Policy) refuseByRules(forbids []string) Decision {
	d := p.refuse(forbids[0], fmt.Sprintf("rule %s of the policy forbids it; "+
		"the people who run this bot can say why, and who may.", forbids[0]))
	d.Rules = forbids
	for _, id := range forbids {
		if reason := p.byID[id].reason; reason != "" {
			d.Rule, d.Reason = id, reason
			break
		}
	}
	return d
}

func (p *Policy) refuseBroken(failed []string) Decision {
	d := p.refuse(RuleEvaluationError, "the policy could not be evaluated for this request, "+
		"so nothing is allowed; the people who run this bot have to repair it.")
	if len(failed) > 0 {
		d.Rules = failed
	}
	return d
}

func approvalReason(n int) string {
	if n == 1 {
		return "the policy asks for the approval of one other person."
	}
	return fmt.Sprintf("the policy asks for the approval of %d other people.", n)
}
