package correspondence

import (
	"time"

	"cancel-server/internal/cancellation"
)

// Update is one text of a person for a request's ticket, as a row of its own.
type Update struct {
	ID        string // a digest of the form that was sent: the same form makes one
	Number    int64  // given by the store
	RequestID string
	Kind      Kind
	State     State
	Why       Why
	Version   int64 // changes with every committed change; also the fencing token

	Ref    cancellation.Reference // ties an update of the ticket to this one; not the request's
	By     cancellation.Person
	Text   string // what the person typed
	Entry  string // what is sent, whole
	Ticket int64

	CreatedAt time.Time
	ChangedAt time.Time // when it came to its state
	Progress
}

// Progress is how far the sending has come.
type Progress struct {
	SendBy     time.Time // it is not sent after this: what it answers may be out of date
	NotAfter   time.Time // the announced call may not be written after this
	CleanSince time.Time // the first of the clean reads in a row; zero for none
	Due        time.Time // when the Sender works on it next; zero for never
	Attempts   int       // tries in a row that failed, for the backoff
}

// State is how far a text has come. The words are stored.
type State string

// The states of a text.
const (
	// Proposing: nobody was asked yet to send it.
	Proposing State = "proposing"
	// Proposed: those who may send it are asked. The program sends nothing.
	Proposed State = "proposed"
	// Recorded: it waits to be sent.
	Recorded State = "recorded"
	// Sending: the call is announced and may be under way.
	Sending State = "sending"
	// Unknown: the call was made, or may have been, and its answer is lost.
	Unknown State = "unknown"
	// Sent: it is in the ticket.
	Sent State = "sent"
	// NotSent: it is not in the ticket, and is not sent any more.
	NotSent State = "not_sent"
	// Refused: SoftLayer refused it for good.
	Refused State = "refused"
)

// steps says which state follows which.
var steps = map[State][]State{
	Proposing: {Proposed, NotSent},
	Proposed:  {NotSent},
	Recorded:  {Sending, Sent, Unknown, NotSent},
	Sending:   {Recorded, Unknown, Sent, Refused},
	Unknown:   {Sent, NotSent},
}

// Why is the reason for a state. The words are stored.
type Why string

// The reasons.
const (
	WhyNobody  Why = "nobody"  // nobody could be asked
	WhyLate    Why = "late"    // SoftLayer took nothing in time
	WhyEnded   Why = "ended"   // the request is not filed any more
	WhyClosed  Why = "closed"  // the ticket is closed, and does not have it
	WhyAbsent  Why = "absent"  // the ticket does not have it
	WhyNoRight Why = "right"   // the key may not write into tickets
	WhyStopped Why = "stopped" // the process that sent it ended, or lost its lease
	WhyLost    Why = "lost"    // SoftLayer's answer was lost
	WhyWaiting Why = "waiting" // SoftLayer took nothing yet
)

// Change is one committed step of a text, with its line in the request's history.
type Change struct {
	From, To Update
	Request  cancellation.Request // as it was read
	Actor    string
	Detail   string        // SoftLayer's own words, for the history; never a secret
	Window   time.Duration // of a step to Sending: NotAfter is set to so long after the commit
	DueIn    time.Duration // sets Due to so long after the commit; zero leaves it as it is
	Keep     bool          // keep the lease: the same worker takes the next step now
	Tell     []cancellation.Notice
}

// Record is a new text.
type Record struct {
	Update  Update
	Request cancellation.Request // as it was read
	Rule    string               // that let the person write it
	Key     string               // the idempotency key of the form
	Replied int64                // of a reply: number of the last one that its writer was shown; 0 for none
}

// Receipt is the store's answer to a Record.
type Receipt struct {
	Update   Update
	Fresh    bool    // this call made it
	Standing *Update // what stands in its way, so that nothing was recorded: another Stop, or a reply that the writer was not shown
	Ended    bool    // the request is not filed any more; nothing was recorded
}
