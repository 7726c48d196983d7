package authz

import (
	"slices"
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

// Act is what a person wants to do.
type Act string

// The four acts.
const (
	ToAsk     Act = "ask"
	ToFile    Act = "file" // without approval
	ToApprove Act = "approve"
	ToFreeze  Act = "freeze"
)

// What a decision needs and may be unread, apart from Server.Missing.
const (
	GapPerson          = "person"
	GapGroups          = "groups" // of the person
	GapRequester       = "requester"
	GapRequesterGroups = "requester-groups"
	GapServerID        = "server-id"
	GapServerName      = "server-name"
	GapDatacenter      = "datacenter"
	GapTags            = "tags"
	GapFee             = "fee" // it cannot be understood; reading it again does not help
	GapAccount         = "account"
	GapStatedReason    = "stated-reason"
	GapWarnings        = "warnings"
	GapCount           = "count" // the request's row does not have it; reading it again does not help
	GapToday           = "today" // likewise
)

// Decision is an answer and the rule that gave it, in codes and values. Words makes sentences of it.
type Decision struct {
	Effect Effect
	// Rule is the @id of the deciding rule, or one of the Rule constants. For NeedsApproval it is
	// the permit that asks for the most approvals.
	Rule string
	// Rules are the ids of all rules that led to the decision, in the policy's order. After an
	// evaluation error they are the rules that failed.
	Rules []string
	// Reason is the deciding rule's own text, of its @reason: foreign text of at most MaxReason
	// characters. It is empty if that rule has none. Older builds stored the program's own sentences
	// here too.
	Reason string
	// Act is what the person may not do, of a refusal by one of the Rule constants that depends on it.
	Act Act `json:",omitempty"`
	// Unread names what a decision needs and was not read: the Gap constants, and Server.Missing.
	Unread []string `json:",omitempty"`
	// Groups are the Slack user groups that Slack does not list and whose members decide this. If Act
	// is ToApprove, a membership of the requester decides it as well.
	Groups []string `json:",omitempty"`
	// Pings are the groups to notify, of an Allowed approval: those that a deciding rule with
	// @notify("ping") names.
	Pings []string `json:",omitempty"`
	// Asked are the groups whose members may approve, of NeedsApproval. Whoever decided that a request
	// needs approval adds them.
	Asked []AskedGroup `json:",omitempty"`
	// Approvals is how many other people have to approve; 0 unless NeedsApproval.
	Approvals int
	// Unlisted is set on a refusal that a membership of a group which Slack does not list would lift.
	// That group may be disabled for a moment, so this refusal should end no request that waits.
	Unlisted bool `json:",omitempty"`
	// PolicyDigest identifies the policy that decided; see Policy.Digest.
	PolicyDigest string
}

// AskedGroup is a Slack user group whose members may approve a request.
type AskedGroup struct {
	ID   string
	Ping bool `json:",omitempty"` // a rule wants its members notified
}

func (p *Policy) refuse(rule string, to Act) Decision {
	return Decision{Effect: Refused, Rule: rule, Rules: []string{rule}, Act: to, PolicyDigest: p.digest}
}

func (p *Policy) refuseUnread(gaps ...string) Decision {
	d := p.refuse(RuleUnread, "")
	d.Unread = gaps
	return d
}

// refuseUnlisted refuses because an unknown membership would decide.
func (p *Policy) refuseUnlisted(to Act, groups []string) Decision {
	d := p.refuse(RuleUnread, to)
	d.Groups = groups
	return d
}

// refuseByRules refuses by the matching forbids. The person reads the first one that gives a reason.
func (p *Policy) refuseByRules(forbids []string) Decision {
	d := p.refuse(forbids[0], "")
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
	d := p.refuse(RuleEvaluationError, "")
	if len(failed) > 0 {
		d.Rules = failed
	}
	return d
}

// Ground returns on one line what a refusal rests on: the rule's own text, or else the rule with what
// was not read. Refusals with the same ground are the same for the person.
func (d Decision) Ground() string {
	if d.Reason != "" {
		return d.Reason
	}
	return strings.Join(append([]string{d.Rule}, slices.Concat(d.Unread, d.Groups)...), " ")
}
