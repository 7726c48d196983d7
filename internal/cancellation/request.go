package cancellation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"cancel-server/internal/authz"
)

// Format is the newest version of the stored request row that this build knows. A build claims no row of
// a newer format. Format 2 has approvals: a build that knows only 1 would deny approved requests. Format 3
// is a request of a batch: a build that knows only 2 would post a message for each of them. Format 4 is one
// whose batch gathers what it tells: a build that knows only 3 would post a gathering as a result.
const Format = 4

// WrittenFormat is the version of the row that this build writes for the request.
func (r Request) WrittenFormat() int {
	if r.Batch != "" {
		return 4
	}
	return 2
}

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

// Person is a Slack user, by ids that never change. Team is the enterprise's id if there is one, else
// that of the user's own team.
type Person struct {
	Team string
	ID   string
	Name string // for people to read; no decision depends on it
}

// Place is where a command was typed, and where its result is posted.
type Place struct {
	Channel          string    // Slack channel id; "" if there was none
	ChannelName      string    `json:",omitempty"`
	Alone            bool      `json:",omitempty"` // nobody but the requester and the bot is in that channel
	Thread           string    `json:",omitempty"` // ts of the message whose thread it is in; "" for none
	ResponseURL      string    `json:"-"`          // a secret: kept only in the notice's row, and erased when it expires
	ResponseURLUntil time.Time `json:"-"`
}

// Submission is a form that a person sent, with the card that they saw. It never changes after it is
// recorded.
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
	Count        int64  `json:",omitempty"` // servers in the form; 0 counts as 1
	// Today is how many servers the requester asked for in the day (UTC) in which the form was sent,
	// with those of the form. It is 0 if that is not known.
	Today int64 `json:",omitempty"`
}

// ID returns the request's id. A submission that is delivered twice has one id; a corrected one has
// another.
func (s Submission) ID(installation string) string {
	values, _ := json.Marshal([]any{
		installation, s.Installation, s.By.Team, s.By.ID, s.View, s.Card.Server.ID,
		s.Card.Server.Digest(s.Associated), s.Associated, s.Reason, s.Content, s.Confirmation,
	}) // strings, numbers and bools
	sum := sha256.Sum256(values)
	return hex.EncodeToString(sum[:])
}

// Context returns the request's context for the policy. Its numbers of servers are those of the moment
// in which the form was sent, whenever the policy is asked.
func (s Submission) Context(server Server, now time.Time) authz.Context {
	warnings, known := server.Warnings(now)
	return authz.Context{
		Channel: s.Place.Channel, Account: s.Card.Account.ID, AssociatedItems: s.Associated,
		StatedReason: s.Reason, Warnings: warnings, WarningsKnown: known,
		Count: max(s.Count, 1), Today: s.Today,
	}
}

// Problem is what is wrong with one field of a submission.
type Problem string

// The problems of a submission, each at its field.
const (
	ProblemReason       Problem = "reason"       // not one of the ten
	ProblemContentEmpty Problem = "content"      // nothing but spaces
	ProblemContentLong  Problem = "content-long" // over MaxContent
	ProblemConfirmation Problem = "confirmation" // another name than the server's; in a batch, another number than the list's
	ProblemShortName    Problem = "short-name"   // the short name, and another server has it too
	ProblemAssociated   Problem = "associated"   // associated items are to be cancelled, but the card showed none
)

// TextProblems lists what the person has to correct in the reason and the description.
func (s Submission) TextProblems() []Problem {
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
	return found
}

// Problems lists what the person has to correct before the submission can be recorded.
func (s Submission) Problems() []Problem {
	found := s.TextProblems()
	if b := s.Card.Server.Billing; s.Associated && (b == nil || len(b.Associated) == 0) {
		found = append(found, ProblemAssociated)
	}
	return append(found, s.nameProblems()...)
}

// nameProblems says what is wrong with the name that was typed to confirm.
func (s Submission) nameProblems() (found []Problem) {
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

// PlainName returns a typed host name in lower case, without spaces of any kind, a trailing dot or
// invisible characters, and with every kind of dash as "-".
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
	Version int64  // changes with every committed change; also the fencing token

	Batch string // id of the form with several servers that it came in; "" if it came alone
	Row   int    // its place in that form's list, from 0

	Submission Submission
	Decision   authz.Decision // the latest one

	Approvals []Approval // of other people, in the order given; without those that do not count now
	ExpiresAt time.Time  // Pending: when it expires
	Reminded  bool       // the one reminder was owed
	UndoUntil time.Time  // Scheduled: not filed before this, so that people can undo it; zero for at once
	EndedBy   Person     // Declined, Withdrawn: by whom; zero for an operator

	CreatedAt time.Time
	Since     time.Time // when it came to its state
	UpdatedAt time.Time
	Due       time.Time // when the worker looks at it next

	Attempts     int       // tries in a row that certainly made nothing, for the backoff
	Posts        int       // POSTs ever announced by a filing commit
	LostPosts    int       // POSTs whose outcome was unknown
	PostsAllowed int       // the program makes no POST once LostPosts reaches it
	NotAfter     time.Time // no POST may be written after this; set by the filing commit
	SentAt       time.Time // when the last POST was sent; once filed, when the one that made the ticket was sent, zero if unknown
	CleanSince   time.Time // the first of the clean reads in a row; zero for none
	Evidence     int64     // a ticket that SoftLayer named and that is not judged yet; 0 for none
	Repeats      int       // Denied: how often the same denial was repeated
	Recheck      Recheck   // what to read of SoftLayer's records before the next POST: the store may be old

	Ticket TicketID // known if filed or duplicate
	Shows  string   // the end date that SoftLayer's cancellation shows, as given; "" if it was not read

	StopAsked time.Time // when SoftLayer was asked to stop the cancellation; zero if it was not
}

// Recheck is how SoftLayer's records are read before a request's next POST, if the store may not know
// of an earlier one. The numbers are stored.
type Recheck int

const (
	// NoRecheck: the store knows of every POST.
	NoRecheck Recheck = 0
	// RecheckOnce: one clean read is enough, because no POST can be under way.
	RecheckOnce Recheck = 1
	// RecheckSettled: a whole settle time of clean reads after not-after, as after a lost
	// answer: a POST that the store does not know of may be under way.
	RecheckSettled Recheck = 2
)

// Event is one line of a request's history: appended in the transaction that made
// the change, never altered.
type Event struct {
	Kind   string    // see the Event constants
	At     time.Time // the database's time
	Actor  string    // "TEAM/USER", "worker", or "operator:NAME"
	From   State     // equal to To if the state did not change
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
	EventFollowed   = "followed"    // what became of a filed request that does not end it
	EventTaken      = "taken"       // a person said that they see to a server that is still there
	EventApproved   = "approved"    // one person's yes, with the rule that let them
	EventDeclined   = "declined"    // one person's no, with why
	EventWithdrawn  = "withdrawn"   // stopped before it was sent
	EventReminded   = "reminded"    // the one reminder to approvers is owed
	EventWritten    = "written"     // a person's text for the ticket, or what became of it
	EventRefused    = "refused"     // a click that the policy refused, with its rule
)

// Errors that the store and the desk share.
var (
	// ErrMoved says that the row has changed since it was read. Read it again.
	ErrMoved = errors.New("the request changed meanwhile")
	// ErrRepeated says that the same command or click was carried out before. Nothing was
	// changed.
	ErrRepeated = errors.New("this command or click was carried out before")
	// ErrDayFull says that this person has reached the limit of servers for today.
	ErrDayFull = errors.New("this person has reached today's limit of servers")
	// ErrNoRequest says that there is no such request.
	ErrNoRequest = errors.New("no such request")
	// ErrNoCard says that no card, and no list, is kept under a digest.
	ErrNoCard = errors.New("no such card is kept")
	// ErrUnreadable says that a row's JSON documents cannot be read; its other columns can.
	ErrUnreadable = errors.New("what was asked for cannot be read")
	// ErrUnclear says that nobody knows yet whether the commit happened: it failed, or
	// the caller's time ended while it was under way. After a failed one the store
	// takes no further write until it is opened again.
	ErrUnclear = errors.New("the database cannot tell whether this was recorded")
)

// Reference is what ties a ticket to the request that made it: 128 bits that nobody can
// guess, written as 26 characters of Crockford's base 32 (https://www.crockford.com/base32.html).
type Reference string

// ErrBadReference says that a text is not a short reference like 7F3K-2QXD.
var ErrBadReference = errors.New("not a reference: eight letters or digits like 7F3K-2QXD")

const (
	crockford     = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	referenceName = "cancel-server"
)

var (
	encoding    = base32.NewEncoding(crockford).WithPadding(base32.NoPadding)
	marker      = regexp.MustCompile(`\[` + referenceName + ` [0-9A-Z]{4}-[0-9A-Z]{4} ([0-9A-Z]{26})\]`)
	markerTyped = regexp.MustCompile(`(?i)` + referenceName)
	shortForm   = regexp.MustCompile(`^[` + crockford + `]{4}-[` + crockford + `]{4}$`)
	misread     = strings.NewReplacer("O", "0", "I", "1", "L", "1", " ", "", "-", "", "–", "", "—", "", "\u2011", "")
)

// NewReference returns a random reference.
func NewReference() Reference {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // never returns an error: https://pkg.go.dev/crypto/rand#Read
	return Reference(encoding.EncodeToString(bits[:]))
}

// ReferenceOf derives the reference of a request from its id, with the installation's key. Every
// delivery of one submission has the same reference, so that the one a person was shown is always
// the one on record.
func ReferenceOf(key []byte, id string) Reference {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("reference\n" + id))
	return Reference(encoding.EncodeToString(mac.Sum(nil)[:16]))
}

// Short returns the form that people see and type: the first 40 bits, like 7F3K-2QXD. It is unique
// in the store, but proves nothing about a ticket.
func (r Reference) Short() string {
	if len(r) < 8 {
		return string(r)
	}
	return string(r[:4] + "-" + r[4:8])
}

// Marker returns the first and last line of the ticket's content.
func (r Reference) Marker() string {
	return fmt.Sprintf("[%s %s %s]", referenceName, r.Short(), string(r))
}

// In reports whether a ticket's text carries this very reference, all 128 bits of it.
func (r Reference) In(text string) bool {
	for _, found := range marker.FindAllStringSubmatch(text, -1) {
		if found[1] == string(r) {
			return true
		}
	}
	return false
}

// ParseShort reads a short reference as people type it: any case, with or without
// the dash, O for 0 and I or L for 1.
func ParseShort(typed string) (string, error) {
	plain := misread.Replace(strings.ToUpper(strings.TrimSpace(typed)))
	if len(plain) != 8 {
		return "", fmt.Errorf("%q: %w", typed, ErrBadReference)
	}
	short := plain[:4] + "-" + plain[4:]
	if !shortForm.MatchString(short) {
		return "", fmt.Errorf("%q: %w", typed, ErrBadReference)
	}
	return short, nil
}

// withoutMarkers breaks up every text that could pass for a reference line in what a person typed,
// so that nobody can make one request's ticket look like another's.
func withoutMarkers(typed string) string {
	return markerTyped.ReplaceAllStringFunc(typed, func(found string) string {
		return found[:6] + " " + found[7:]
	})
}
