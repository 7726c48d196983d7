package cancellation

// Reason says why a request is in its state. The zero Reason says nothing.
type Reason struct {
	// Code is the program's own reason. It is empty where somebody else's words are the
	// whole reason: SoftLayer's answer, what a person typed, or what the policy says.
	Code   ReasonCode `json:",omitempty"`
	Detail string     `json:",omitempty"` // what the code is about, or those words; foreign text
	// By is whose words Detail is: a person ("TEAM/USER"), an operator ([OperatorPrefix] and a
	// name), [BySoftLayer] or [ByPolicy]. It is empty for the program's own.
	By string `json:",omitempty"`
}

// Those of Reason.By that are no person.
const (
	BySoftLayer = "SoftLayer"
	ByPolicy    = "policy"
)

// ReasonCode is a reason of the program's own. The words are stored.
type ReasonCode string

// The reason codes. What Detail holds, where it holds anything, stands next to each. A
// request that lost an answer is stuck, instead of ended, by what would have ended it.
const (
	WhyChanged       ReasonCode = "server-changed"       // what changed
	WhyBlocked       ReasonCode = "server-blocked"       // the blockers
	WhyWarned        ReasonCode = "new-warning"          // the warnings that the card did not show
	WhyNotFound      ReasonCode = "server-not-found"     // or not visible to the key
	WhyTwoLost       ReasonCode = "answers-lost"         // how many POSTs; no more are allowed
	WhyUnclear       ReasonCode = "books-unclear"        // what SoftLayer's records leave open
	WhyTicketHidden  ReasonCode = "ticket-unreadable"    // the ticket's id
	WhyClosedBlocks  ReasonCode = "closed-ticket-blocks" // the ticket's id
	WhyPoison        ReasonCode = "cannot-be-worked"     // the error
	WhyNeedsApproval ReasonCode = "needs-approval"       // the policy asks for a second person
	WhyWaiting       ReasonCode = "waiting"              // what for
	WhyFrozen        ReasonCode = "filing-frozen"        // why; By froze filing
	WhyUnseen        ReasonCode = "ticket-on-a-word"     // By named the ticket, and nobody can read it
	WhyTakenOver     ReasonCode = "taken-over"           // by somebody who may cancel alone
	WhyTooFew        ReasonCode = "approvals-missing"    // approvals do not count any more, or more are needed
)

// because is a reason of the program's own.
func because(code ReasonCode, detail string) Reason { return Reason{Code: code, Detail: detail} }

// String is the reason on one line, for the history and the log: the code, who, and the
// detail, as far as there are any, with ": " between them.
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
