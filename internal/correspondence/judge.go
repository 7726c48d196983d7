package correspondence

import (
	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// Kind is what a text is for. The words are stored.
type Kind string

const (
	// Reply answers SoftLayer's staff.
	Reply Kind = "reply"
	// Stop asks SoftLayer to stop the cancellation.
	Stop Kind = "stop"
)

// MaxText is the longest text that a person can write, in UTF-16 units, the strictest way that Slack
// could count.
const MaxText = 3000

// Leave is what a person may do with a text for a ticket. The zero value is nothing.
type Leave int

const (
	// Nothing: the person may not write into this ticket.
	Nothing Leave = iota
	// Propose: the person may ask somebody who may send.
	Propose
	// Send: what the person writes goes into the ticket.
	Send
)

// Judge decides what a person may do with a text of a kind. Who may have the server cancelled alone,
// or may approve that, may send a reply; the requester may propose one. The requester, and who may
// approve, may ask SoftLayer to stop. decision says by which rule; of Nothing, by which not.
func Judge(kind Kind, p cancellation.Powers) (leave Leave, decision authz.Decision) {
	switch {
	case p.Approve.Effect == authz.Allowed:
		return Send, p.Approve
	case kind == Reply && p.Alone.Effect == authz.Allowed:
		return Send, p.Alone
	case !p.Requester || barred(p.Approve.Rule):
		return Nothing, p.Approve
	case kind == Stop:
		return Send, authz.Decision{Effect: authz.Allowed, Rule: RuleRequesterStops}
	default:
		return Propose, authz.Decision{Effect: authz.Allowed, Rule: RuleRequesterProposes}
	}
}

// Rules that are in no policy.
const (
	// RuleRequesterStops lets a requester ask SoftLayer to stop the cancellation.
	RuleRequesterStops = "builtin-requester-stops"
	// RuleRequesterProposes lets a requester ask an approver to reply.
	RuleRequesterProposes = "builtin-requester-proposes"
)

// barred reports whether a rule refuses a person whatever they asked for.
func barred(rule string) bool {
	switch rule {
	case authz.RuleStranger, authz.RuleDeactivated, authz.RuleBot, authz.RuleGuest:
		return true
	}
	return false
}
