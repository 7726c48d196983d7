package cancellation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"cancel-server/internal/authz"
)

// Format is the version of the stored request row that this build writes. A build
// claims no row of a newer format. 2 came with approvals: a build that knows only 1
// would deny what was approved.
const Format = 2

// MaxContent is the longest description in UTF-16 units: Slack's limit for a
// plain_text_input (docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element).
const MaxContent = 3000

// Reasons returns the ten reasons of SoftLayer_Ticket::createCancelServerTicket,
// word for word and in its order.
func Reasons() []string {
	return []string{
		"No longer needed",
		"Business closing down",
		"Server / Upgrade Costs",
		"Migrating to larger server",
		"Migrating to smaller server",
		"Migrating to a different SoftLayer datacenter",
		"Network performance / latency",
		"Support response / timing",
		"Sales process / upgrades",
		"Moving to competitor",
	}
}

// Person is a Slack user by immutable ids. Team is the enterprise's id if there is
// one, else the user's own team's.
type Person struct {
	Team string
	ID   string
	Name string // for people to read; decides nothing
}

// Place is where a command was typed and where its result goes.
type Place struct {
	Channel          string    // Slack channel id; "" where there was none
	ChannelName      string    `json:",omitempty"`
	Alone            bool      `json:",omitempty"` // nobody but the requester and the bot is in that channel
	Thread           string    `json:",omitempty"` // ts of the message whose thread it is in; "" for none
	ResponseURL      string    `json:"-"`          // a capability: kept in the notice row only, erased after its life
	ResponseURLUntil time.Time `json:"-"`
}

// Submission is what a person sent, and the card that they saw when they did. It
// never changes once recorded.
type Submission struct {
	Installation string // Slack team that the app is installed in
	View         string // Slack view id
	By           Person
	Place        Place
	Card         Card
	Associated   bool // cancelAssociatedItems
	Reason       string
	Content      string
	Confirmation string // the typed name
}

// ID is the request's id: the same submission delivered twice has the same one, a
// corrected one another.
func (s Submission) ID(installation string) string {
	values, _ := json.Marshal([]any{
		installation, s.Installation, s.By.Team, s.By.ID, s.View, s.Card.Server.ID,
		s.Card.Server.Digest(s.Associated), s.Associated, s.Reason, s.Content, s.Confirmation,
	}) // strings, numbers and bools
	sum := sha256.Sum256(values)
	return hex.EncodeToString(sum[:])
}

// Context is the request's context as the policy sees it.
func (s Submission) Context(server Server, now time.Time) authz.Context {
	warnings, known := server.Warnings(now)
	return authz.Context{
		Channel: s.Place.Channel, Account: s.Card.Account.ID, AssociatedItems: s.Associated,
		StatedReason: s.Reason, Warnings: warnings, WarningsKnown: known,
	}
}

// Problem is what is wrong with one field of a submission.
type Problem string

// The problems of a submission, each at its field.
const (
	ProblemReason       Problem = "reason"       // not one of the ten
	ProblemContentEmpty Problem = "content"      // nothing but spaces
	ProblemContentLong  Problem = "content-long" // over MaxContent
	ProblemConfirmation Problem = "confirmation" // another name than the server's
	ProblemShortName    Problem = "short-name"   // the short name, and another server has it too
	ProblemAssociated   Problem = "associated"   // associated items are to go, and the card showed none
)

// Problems lists what the person has to correct before this can be recorded.
func (s Submission) Problems() []Problem {
	var found []Problem
	if !slices.Contains(Reasons(), s.Reason) {
		found = append(found, ProblemReason)
	}
	if Blank(s.Content) {
		found = append(found, ProblemContentEmpty)
	}
	if TooLong(s.Content) {
		found = append(found, ProblemContentLong)
	}
	if b := s.Card.Server.Billing; s.Associated && (b == nil || len(b.Associated) == 0) {
		found = append(found, ProblemAssociated)
	}
	switch typed := PlainName(s.Confirmation); {
	case typed != "" && typed == PlainName(s.Card.Server.FQDN):
	case typed == "" || typed != PlainName(s.Card.Server.Hostname):
		found = append(found, ProblemConfirmation)
	case !s.Card.ShortNameUnique:
		found = append(found, ProblemShortName)
	}
	return found
}

// Blank reports whether a text shows nothing: only spaces and characters without a glyph.
func Blank(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool {
		return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.Zs, r)
	}) < 0
}

// TooLong reports whether a description is over MaxContent.
func TooLong(content string) bool { return len(utf16.Encode([]rune(content))) > MaxContent }

// PlainName is a typed host name with its accidents removed: case, spaces of every
// kind, a trailing dot, invisible characters, and dashes that an editor made long.
func PlainName(typed string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Pd, r) || r == '\u2212':
			return '-'
		}
		return unicode.ToLower(r)
	}, typed)
	return strings.TrimSuffix(plain, ".")
}

// Request is one stored request.
type Request struct {
	ID      string
	Ref     Reference
	Format  int
	State   State
	Why     Reason // for the state
	Version int64  // changes with every committed change; also the worker's fence

	Submission Submission
	Decision   authz.Decision // the latest one

	Approvals []Approval // of other people, in their order; those that count no more are left out
	ExpiresAt time.Time  // Pending: it ends then
	Reminded  bool       // the one reminder was owed
	UndoUntil time.Time  // Scheduled: it is not filed before, so that people can undo it; zero for at once
	EndedBy   Person     // Declined, Withdrawn: who did; zero where an operator did

	CreatedAt time.Time
	Since     time.Time // when it came to its state
	UpdatedAt time.Time
	Due       time.Time // when the worker looks at it next

	Attempts     int       // tries in a row that surely made nothing, for the back-off
	Posts        int       // POSTs ever announced by a filing commit
	LostPosts    int       // POSTs whose outcome was unknown
	PostsAllowed int       // the program makes no POST once LostPosts reaches it
	NotAfter     time.Time // no POST may be written after this; set by the filing commit
	SentAt       time.Time // when the last POST was sent; once filed, when the one was that made the ticket: zero where nobody can tell
	CleanSince   time.Time // first answered clean read of a row of them; zero for none
	Evidence     int64     // a ticket that was met and is still to be judged; 0 for none
	Repeats      int       // Denied: how often the same person was denied the same again
	Recheck      Recheck   // read SoftLayer's books before the next POST: the store may be old

	Ticket TicketID // known once filed or duplicate
}

// Recheck is how much of SoftLayer's books a request reads before its next POST, where
// the store may know less than was done. The numbers are stored.
type Recheck int

const (
	// NoRecheck: the store is what it was.
	NoRecheck Recheck = 0
	// RecheckOnce: one clean read. Nothing can be under way any more.
	RecheckOnce Recheck = 1
	// RecheckSettled: a whole settle time of clean reads after not-after, as where an
	// answer was lost: a POST that the store knows nothing of may be under way.
	RecheckSettled Recheck = 2
)

// Event is one line of a request's history: appended in the transaction that made
// the change, never altered.
type Event struct {
	Kind   string    // see the Event constants
	At     time.Time // the database's time
	Actor  string    // "TEAM/USER", "worker", or "operator:NAME"
	From   State     // equal to To where the state did not change
	To     State
	Detail string // JSON object or plain text; never a secret
}

// The kinds of events.
const (
	EventSubmitted  = "submitted"   // the decision and what was asked
	EventDenied     = "denied"      // the refusal and its rule
	EventAskedAgain = "asked-again" // somebody else asked for the same server
	EventMoved      = "moved"       // a change of state by the worker
	EventLateAnswer = "late-answer" // the answer of an attempt that had lost its lease
	EventResolved   = "resolved"    // bot resolve, with its --why
	EventEvidence   = "evidence"    // what fresh reads said about a filed request
	EventApproved   = "approved"    // one person's yes, with the rule that let them
	EventDeclined   = "declined"    // one person's no, with why
	EventWithdrawn  = "withdrawn"   // stopped before it was sent
	EventReminded   = "reminded"    // the one reminder to approvers is owed
	EventRefused    = "refused"     // a click that the policy refused, with its rule
)

// Errors that the store and the desk share.
var (
	// ErrMoved says that the row changed since it was read: read it again.
	ErrMoved = errors.New("the request changed meanwhile")
	// ErrRepeated says that the same command or click was carried out before: nothing was
	// changed.
	ErrRepeated = errors.New("this command or click was carried out before")
	// ErrDayFull says that this person has asked for as many servers today as anybody may.
	ErrDayFull = errors.New("as many servers were asked for today as one person may")
	// ErrNoRequest says that there is no such request.
	ErrNoRequest = errors.New("no such request")
	// ErrUnreadable says that a row's JSON documents cannot be read; its other columns can.
	ErrUnreadable = errors.New("what was asked for cannot be read")
	// ErrUnclear says that nobody knows yet whether the commit happened: it failed, or
	// the caller's time ended while it was under way. After a failed one the store
	// takes nothing more until it is opened anew.
	ErrUnclear = errors.New("the database cannot tell whether this was recorded")
)
