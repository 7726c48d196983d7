package cancellation

import (
	"fmt"
	"log/slog"
	"slices"
)

// State is the state of a request. The words are part of the database's format and are never
// renamed.
type State string

const (
	// Pending waits for other people's approval.
	Pending State = "pending"
	// Scheduled is an accepted request that waits to be filed.
	Scheduled State = "scheduled"
	// Filing says that the POST may be under way. It is recorded before the POST.
	Filing State = "filing"
	// Unknown says that the POST was made, or may have been, and its answer is lost.
	Unknown State = "unknown"
	// Stuck needs a person; Request.Why says what for.
	Stuck State = "stuck"
	// Filed says that the ticket's id is known.
	Filed State = "filed"

	// Denied ends a request that the policy refused.
	Denied State = "denied"
	// Declined ends a request that an approver refused, before or after it was approved.
	Declined State = "declined"
	// Expired ends a request that did not get its approvals in time.
	Expired State = "expired"
	// Withdrawn ends a request that a person took back. Nothing was sent.
	Withdrawn State = "withdrawn"
	// Rejected ends a request that SoftLayer refused for good, or that was not sent because the
	// server had changed, was blocked or was not found.
	Rejected State = "rejected"
	// Duplicate ends a request because somebody else's cancellation ticket stands.
	Duplicate State = "duplicate"
	// Reverted ends a filed request whose ticket was closed with no cancellation pending.
	Reverted State = "reverted"
	// Reclaimed ends a filed request whose server is gone.
	Reclaimed State = "reclaimed"
)

// Cause is who makes a change of state.
type Cause string

const (
	// BySubmission is a person's submission, decided at the choke point.
	BySubmission Cause = "submission"
	// ByWorker is the worker that holds the request's lease.
	ByWorker Cause = "worker"
	// ByPerson is a person's click, or an operator's bot resolve.
	ByPerson Cause = "person"
	// ByCard is fresh evidence read for the card of the same server.
	ByCard Cause = "card"
	// ByFollower is evidence that was read twice, the second time by the follower.
	ByFollower Cause = "follower"
)

// New is the state of a request that is not recorded yet.
const New State = ""

type step struct {
	from, to State
	by       Cause
}

// steps is the whole state table. A step that is not in it cannot happen.
var steps = []step{
	{New, Pending, BySubmission},
	{New, Scheduled, BySubmission},
	{New, Denied, BySubmission},

	{Pending, Scheduled, ByPerson}, // the last approval
	{Pending, Declined, ByPerson},
	{Pending, Withdrawn, ByPerson},
	{Pending, Withdrawn, BySubmission}, // replaced by somebody who may cancel without approval
	{Pending, Expired, ByWorker},
	{Pending, Stuck, ByWorker},

	{Scheduled, Filing, ByWorker},
	{Scheduled, Filed, ByWorker}, // our own ticket was found before a POST
	{Scheduled, Duplicate, ByWorker},
	{Scheduled, Rejected, ByWorker},
	{Scheduled, Denied, ByWorker},
	{Scheduled, Stuck, ByWorker},
	{Scheduled, Pending, ByWorker}, // more approvals are needed now, or fewer count
	{Scheduled, Withdrawn, ByPerson},
	{Scheduled, Declined, ByPerson}, // an approver's no before it is filed

	{Filing, Filed, ByWorker},
	{Filing, Duplicate, ByWorker},
	{Filing, Rejected, ByWorker},
	{Filing, Scheduled, ByWorker}, // certainly nothing was made: docs/design.md 4.1
	{Filing, Unknown, ByWorker},
	{Filing, Stuck, ByWorker},

	{Unknown, Filed, ByWorker},
	{Unknown, Duplicate, ByWorker},
	{Unknown, Filing, ByWorker}, // after a whole clean settle time: docs/design.md 4.4
	{Unknown, Stuck, ByWorker},

	{Stuck, Filed, ByPerson},
	{Stuck, Duplicate, ByPerson},
	{Stuck, Scheduled, ByPerson},
	{Stuck, Withdrawn, ByPerson},

	{Filed, Reverted, ByFollower},
	{Filed, Reclaimed, ByFollower},
	{Filed, Stuck, ByCard}, // the key cannot read the ticket
}

// States lists every state a stored request can be in.
func States() []State {
	return []State{
		Pending, Scheduled, Filing, Unknown, Stuck, Filed,
		Denied, Declined, Expired, Withdrawn, Rejected, Duplicate, Reverted, Reclaimed,
	}
}

// LiveStates returns the states in which a request holds its server. At most one request of a server
// is in one of them. The database's partial unique index lists the same words.
func LiveStates() []State { return []State{Pending, Scheduled, Filing, Unknown, Stuck, Filed} }

// WorkStates returns the states in which the worker has something to do.
func WorkStates() []State { return []State{Pending, Scheduled, Filing, Unknown} }

// OverdueStates returns the states in which a request can take too long: it is being sent, or needs a person.
func OverdueStates() []State { return []State{Filing, Unknown, Stuck} }

// Live reports whether a request in this state holds its server.
func (s State) Live() bool { return slices.Contains(LiveStates(), s) }

// Told reports whether people are told at once that a request is in this state. Of a scheduled or
// filing one they are told only if it takes long.
func (s State) Told() bool { return s != Scheduled && s != Filing }

// asks reports whether people can do something about a request in this state.
func (s State) asks() bool { return s == Pending || s == Scheduled || s == Stuck }

// May reports whether the table has this step.
func May(from, to State, by Cause) bool {
	return slices.Contains(steps, step{from, to, by})
}

// Move returns the request in another state, with the reason. A step that is not in the table is a bug
// in the caller: Move returns an error, and the request unchanged.
func (r Request) Move(to State, by Cause, why Reason) (Request, error) {
	if !May(r.State, to, by) {
		return r, fmt.Errorf("moving request %s from %q to %q by %s: not in the state table", r.Ref.Short(), r.State, to, by)
	}
	r.State, r.Why = to, why
	return r, nil
}

// Reason says why a request is in its state. The zero Reason says nothing.
type Reason struct {
	// Code is the program's own reason. It is empty if somebody else's words are the whole reason:
	// SoftLayer's answer, what a person typed, or what the policy says.
	Code   ReasonCode `json:",omitempty"`
	Detail string     `json:",omitempty"` // what the code is about, or those words; foreign text
	// By says whose words Detail is: a person's ("TEAM/USER"), an operator's ([OperatorPrefix] and
	// a name), [BySoftLayer] or [ByPolicy]. It is empty for the program's own.
	By string `json:",omitempty"`
}

// LogValue makes every log handler write a reason as String does.
func (r Reason) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Values of Reason.By that are no person.
const (
	BySoftLayer = "SoftLayer"
	ByPolicy    = "policy"
)

// ReasonCode is a reason of the program's own. The words are stored.
type ReasonCode string

// The reason codes, each with what Detail holds, if anything. If a request lost an answer, a reason
// that would have ended it makes it stuck instead.
const (
	WhyChanged      ReasonCode = "server-changed"       // the facts that changed
	WhyBlocked      ReasonCode = "server-blocked"       // the blockers
	WhyWarned       ReasonCode = "new-warning"          // the warnings that the card did not show
	WhyNotFound     ReasonCode = "server-not-found"     // or not visible to the key
	WhyTwoLost      ReasonCode = "answers-lost"         // how many POSTs lost their answer; no more are allowed
	WhyTicketHidden ReasonCode = "ticket-unreadable"    // the ticket's id
	WhyClosedBlocks ReasonCode = "closed-ticket-blocks" // the ticket's id
	WhyPoison       ReasonCode = "cannot-be-worked"     // the error
	WhyUnseen       ReasonCode = "ticket-on-a-word"     // By named the ticket, which the key cannot read
	WhyTakenOver    ReasonCode = "taken-over"           // by somebody who may cancel without approval
	WhyTooFew       ReasonCode = "approvals-missing"    // fewer approvals count now, or more are needed
	WhyStopped      ReasonCode = "bot-stopped"          // before the answer to the POST was recorded
	WhyPractice     ReasonCode = "practice"             // it would have been filed; this bot only practises
)

// What a request waits for before it is filed.
const (
	WhyWaiting         ReasonCode = "waiting"          // what kept SoftLayer from taking the POST; in rows of older builds, what the bot waits for
	WhyFrozen          ReasonCode = "filing-frozen"    // why; By froze filing
	WhyHourFull        ReasonCode = "hour-full"        // how many filings an hour may have
	WhyTooLate         ReasonCode = "too-late-to-send" // the POST was announced and not made
	WhyPolicyChanged   ReasonCode = "policy-changed"   // the POST was announced and not made
	WhyGroupUnlisted   ReasonCode = "group-unlisted"   // Slack does not list a user group whose members decide
	WhyRequesterUnread ReasonCode = "requester-unread"
	WhyApproverUnread  ReasonCode = "approver-unread"
	WhyServerUnread    ReasonCode = "server-unread" // the facts that the answer left out; empty if there was no answer
	WhyKeyRefused      ReasonCode = "key-refused"   // SoftLayer does not take the bot's key
	WhyTicketUnread    ReasonCode = "ticket-unread" // of the server's open ticket
	WhyRecordsUnread   ReasonCode = "records-unread"
)

// Why SoftLayer's records do not show whether a request has a ticket.
const (
	WhyUnclear        ReasonCode = "books-unclear"    // in rows of older builds: the reason in words
	WhyServerHidden   ReasonCode = "server-hidden"    // not found, or not visible to the key
	WhyReadRefused    ReasonCode = "read-refused"     // the key lacks a right
	WhyTooManyTickets ReasonCode = "too-many-tickets" // more than the bot reads
	WhyTicketsHidden  ReasonCode = "tickets-hidden"   // the key has no right to view tickets
	WhyOneUnreadable  ReasonCode = "one-unreadable"   // the id of a ticket that may be the request's
	WhyMaybeOurs      ReasonCode = "maybe-ours"       // the id of a ticket that may be the request's
	WhyBillingHidden  ReasonCode = "billing-hidden"   // the billing item is missing, or not visible to the key
	WhyPendingHidden  ReasonCode = "pending-hidden"   // the key may not see whether a cancellation is pending
	WhyPendingUnnamed ReasonCode = "pending-unnamed"  // a cancellation is pending, and no ticket shows whose
)

// What became of a filed request, by fresh reads.
const (
	WhyItemReplaced ReasonCode = "billing-item-replaced" // the billing item's id
	WhyItemEnded    ReasonCode = "billing-item-ended"    // the date
	WhyTicketClosed ReasonCode = "ticket-closed"         // the ticket's id; no cancellation is pending
	WhyServerGone   ReasonCode = "server-gone"           // not found by a key that sees all hardware
)

// because returns a reason of the program's own.
func because(code ReasonCode, detail string) Reason { return Reason{Code: code, Detail: detail} }

// String returns the reason on one line, for the history and the log: the code, By and Detail, as far
// as they are set, with ": " between them.
func (r Reason) String() string {
	if r.Code == "" {
		return r.Detail
	}
	text := string(r.Code)
	for _, part := range []string{r.By, r.Detail} {
		if part != "" {
			text += ": " + part
		}
	}
	return text
}
