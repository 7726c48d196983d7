package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/billed"
)

// ErrServerNotFound says that SoftLayer knows no such server, or that the key may
// not see it: SoftLayer answers the same for both
// (https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/).
var ErrServerNotFound = errors.New("not found, or this key may not see it")

// ErrTicketHidden says that SoftLayer knows no such ticket, or that the key may not see it.
var ErrTicketHidden = errors.New("ticket not found, or this key may not see it")

// ErrTooManyTickets says that a server may have more tickets than the bot ever reads.
var ErrTooManyTickets = errors.New("there are more tickets than the bot can read")

// ErrReadRefused says that SoftLayer refused a read because the key lacks a right. Trying again
// changes nothing until somebody gives it that right.
var ErrReadRefused = errors.New("SoftLayer does not let this key read that")

// ErrKeyRefused says that SoftLayer does not take the bot's key. The key may have been replaced.
var ErrKeyRefused = errors.New("the credentials were refused")

// ServerReader reads servers. Every error other than ErrServerNotFound and ErrReadRefused means that
// SoftLayer gave no answer.
type ServerReader interface {
	// Server reads one server by id with everything that a card shows.
	Server(ctx context.Context, id int64) (Server, error)
	// Namesakes counts the servers that carry this host name, whatever their domain.
	Namesakes(ctx context.Context, hostname string) (int, error)
}

// TicketReader reads what SoftLayer has on record about cancellations. Every method may fail
// with ErrReadRefused.
type TicketReader interface {
	// Ticket reads one ticket with its first update and the hardware attached.
	// ErrTicketHidden: the key may not see it.
	Ticket(ctx context.Context, id int64) (Ticket, error)
	// TicketsOf reads all tickets attached to a server: the open ones, and those closed after
	// since. It returns an error unless it read all. ErrTooManyTickets: trying again changes
	// nothing.
	TicketsOf(ctx context.Context, server int64, since time.Time) ([]Ticket, error)
	// Rights reads what the key may see. A master user may see everything.
	Rights(ctx context.Context) (Rights, error)
	// Account reads the account's id and name.
	Account(ctx context.Context) (Account, error)
	// Cutoff reads the deadline for cancellations, in RFC 3339 with SoftLayer's offset.
	Cutoff(ctx context.Context, account string) (string, error)
}

// Order is what is sent to createCancelServerTicket. Its JSON form stands in a request's history.
type Order struct {
	Server     int64
	Reason     string
	Content    string
	Associated bool
}

// TicketWriter makes the one call that cannot be undone.
type TicketWriter interface {
	// RequestCancellation POSTs once, on one fresh connection, and classifies the answer by
	// docs/design.md 4.1. It makes no call once ctx is over, and never calls twice.
	RequestCancellation(ctx context.Context, order Order) Outcome
}

// Outcome is the classified answer to a POST.
type Outcome struct {
	Kind   OutcomeKind
	Ticket TicketID      // Made: the new one; AlreadyOpen: the one that SoftLayer names
	Text   string        // SoftLayer's own words, or what went wrong; never a secret
	Raw    string        // the answer as it came, its status and body, on one line and of bounded length; "" if there was none; never a secret
	Retry  time.Duration // NotMade: wait at least this long; 0 for the usual back-off
}

// OutcomeKind is the class of an answer to the POST.
type OutcomeKind string

const (
	// Made: a ticket was made; its id is known.
	Made OutcomeKind = "made"
	// Refused: SoftLayer refused for good. Nothing was made.
	Refused OutcomeKind = "refused"
	// AlreadyOpen: SoftLayer names a cancellation ticket that exists already.
	AlreadyOpen OutcomeKind = "already-open"
	// NotMade: nothing was made, and trying again later may help: a rate limit, a missing
	// right of the key, or nothing was sent.
	NotMade OutcomeKind = "not-made"
	// AnswerLost: everything else. There may be a ticket.
	AnswerLost OutcomeKind = "answer-lost"
)

// Directory knows people.
type Directory interface {
	// Principal reads a person, and which of these groups they are in. The data is at most
	// maxAge old. An error means that no data that fresh could be read.
	Principal(ctx context.Context, person Person, groups []string, maxAge time.Duration) (authz.Principal, error)
	// Members reads who is in these groups. It does not tell guests or deactivated accounts
	// apart from others.
	Members(ctx context.Context, groups []string, maxAge time.Duration) ([]authz.Principal, error)
}

// Announcer shows people a request's present state.
type Announcer interface {
	// Post posts a notice of this kind to a channel or its thread. Without a channel it sends a
	// direct message to the kind's recipient, else to the requester.
	Post(ctx context.Context, to Place, kind NoticeKind, r Request) (Posted, Delivery, time.Duration)
	// Update makes a message of this kind show the request's present state.
	Update(ctx context.Context, at Posted, kind NoticeKind, r Request) (Delivery, time.Duration)
	// Respond posts by response_url, which leaves no message that could be edited.
	Respond(ctx context.Context, responseURL string, r Request) (Delivery, time.Duration)
	// Find looks for the request's message of this kind among those that the bot has posted to
	// the channel since then. known is false if the bot may not read the channel's history.
	Find(ctx context.Context, in Place, kind NoticeKind, r Request, since time.Time) (at Posted, found, known bool)
	// Reach makes a call to Slack that concerns nobody. An error means that Slack answers
	// nobody now.
	Reach(ctx context.Context) error
}

// Policy is one policy. It never changes: when another policy comes into force, that is another
// Policy. It does no I/O.
type Policy interface {
	// Digest identifies the policy. Its decisions carry the same digest.
	Digest() string
	// GroupIDs returns the ids of the user groups that it names. Its decisions depend on no others.
	GroupIDs() []string
	// Decide decides whether p may cancel s.
	Decide(p authz.Principal, s authz.Server, c authz.Context) authz.Decision
	// Approve decides whether who may approve what requester asked for, after so many
	// approvals by others.
	Approve(who, requester authz.Principal, s authz.Server, c authz.Context, approvals int) authz.Decision
	// CountsToday reports whether a decision may depend on how many servers the requester asked for
	// in the day.
	CountsToday() bool
	// MayFreeze decides whether who may freeze filing, and end a freeze.
	MayFreeze(who authz.Principal) authz.Decision
	// Approvers returns the users ("TEAM/USER") and groups that the policy names as approvers.
	// anyone reports that some rule lets people approve without naming a user or group.
	Approvers() (users, groups []string, anyone bool)
}

// Change is one committed step of one request: the row, its event and, where people
// are to be told, its notice, in one transaction.
type Change struct {
	From  Request   // the request as it was read; nothing happens if the row has left From.Version
	To    Request   // the request after the step; the store sets its Version
	Event Event     // the store sets its At
	Tell  time.Time // when the notices that show the present state are due, or at once if that has passed; zero leaves them alone
	Owe   []Notice  // further notices, due as they say, or at once; a kind that exists already is left out
	// DueIn sets To.Due to this long after the commit; zero leaves To.Due as it is.
	DueIn time.Duration
	// Window is how long the POST that a step to Filing announces may take: the store sets
	// To.SentAt and To.NotAfter by the time of the commit.
	Window time.Duration
	// HourMost counts a step to Filing in the hour of the commit, which takes so many at most: else
	// the change is an *HourFullError and nothing is written. Zero counts nothing.
	HourMost int
	// GiveBack takes a filing that certainly made nothing out of the count of this time's hour; zero
	// leaves the counts unchanged.
	GiveBack time.Time
	// Key is the idempotency key of the command or click that asks for the change ([Press]): it
	// makes one change, however often it is delivered. Empty for the worker's steps.
	Key  string
	Keep bool // keep the lease, in a state of [WorkStates]: the same worker takes the next step now
}

// AtOnce is a [Change.Tell] in the past: the notices are due at the commit.
var AtOnce = time.Unix(0, 0)

// Record is a new request with the event that says how it was decided.
type Record struct {
	Request Request
	Event   Event
	Notices []Notice // empty if nothing is owed to a channel (a denial is shown in the modal)
	Quota   Quota    // its slot in the person's day
	Ending  *Change  // ends the older request for the same server that this one replaces
	Lease   Lease    // on the request, if this process works on it at once; zero for none
}

// Lease is a lease that begins at the commit.
type Lease struct {
	Owner string
	For   time.Duration
}

// Recorded is the store's answer to a Record.
type Recorded struct {
	Request Request  // the row with this id, new or from an earlier delivery
	Fresh   bool     // this call made it
	Held    *Request // another live request holds the server; nothing was recorded
	Full    bool     // the person's day has no slot left; nothing was recorded
}

// Freeze is an order that nothing is filed, or an order that ends such a freeze.
type Freeze struct {
	Frozen bool
	Actor  string // "TEAM/USER", or OperatorPrefix and a name
	Why    string
	At     time.Time // set by the store
	Number int64     // which order it is, from 1; set by the store

	Place Place  // where it was ordered in Slack; zero for a verb. [Freezes.Frozen] leaves it out
	Ends  int64  // the number of the freeze that this order ends; 0 for any
	Key   string // of the command or click ([Press]); empty for an operator's
}

// ByOperator reports whether the order came from somebody who runs this bot.
func (f Freeze) ByOperator() bool { return strings.HasPrefix(f.Actor, OperatorPrefix) }

// OperatorPrefix begins the name of an actor who ran one of the bot's verbs. No actor in Slack has a
// name that begins so.
const OperatorPrefix = "operator:"

// RestoreActor is who freezes filing in a restored database: the bot itself. Only an operator ends that.
const RestoreActor = OperatorPrefix + "bot"

// OperatorsFreezeError says that an operator's freeze is in force, so that an order from Slack changed
// nothing.
type OperatorsFreezeError struct{ Order Freeze }

// Error names who froze filing.
func (e *OperatorsFreezeError) Error() string {
	return fmt.Sprintf("%s froze filing, and only an operator changes that", e.Order.Actor)
}

// OtherFreezeError says that the freeze which an order would end is over, or is another. The order changed nothing.
type OtherFreezeError struct{ Order Freeze } // the order that is in force now

// Error says what is in force.
func (e *OtherFreezeError) Error() string {
	if e.Order.Frozen {
		return "another freeze stands by now: " + e.Order.Actor + "'s"
	}
	return "that freeze is over"
}

// ErrFrozen says that filing is frozen: nothing was changed.
var ErrFrozen = errors.New("filing is frozen")

// The ports to the durable store of requests, events and notices. One store implements all of them.
// Its clock gives every time that decides: that of SQLite's host, or of the database server.
//
// A method that returns ErrUnclear did or did not commit, and nobody knows. Any other error
// of a writing method means that nothing was written.

// Clock reads the store's time.
type Clock interface {
	Now(ctx context.Context) (time.Time, error)
}

// Intake records new requests.
type Intake interface {
	Installation() string // id of this installation, made once
	HMACKey() []byte      // its secret, made once

	// Record records a new request, once for each id. Recorded says if something stopped it.
	// *SlotTakenError: the slot is taken, and Quota.Exact is set. Nothing was recorded.
	Record(ctx context.Context, rec Record) (Recorded, error)
	// Asked returns the last slot of a day that one person has taken.
	Asked(ctx context.Context, requester string, day int64) (int64, error)
}

// Requests reads and changes what is recorded.
type Requests interface {
	// Request reads a request by its id. ErrNoRequest: there is none.
	Request(ctx context.Context, id string) (Request, error)
	// ByRef reads a request by the short form of its reference. ErrNoRequest: there is none.
	ByRef(ctx context.Context, short string) (Request, error)
	// Live reads the request that holds a server. ErrNoRequest: there is none.
	Live(ctx context.Context, server int64) (Request, error)
	// Batch reads a batch with its requests, in the order of the list. ErrNoRequest: there is none.
	Batch(ctx context.Context, id string) (Batch, []Request, error)
	// BatchProgress reads Batch.Told, and whether [BatchOver], without the requests. ErrNoRequest: as in Batch.
	BatchProgress(ctx context.Context, id string) (told int64, over bool, err error)
	// Apply commits a change and returns the request as stored. ErrMoved: the request is not
	// at From.Version any more. ErrFrozen and *HourFullError: it may not go to Filing now.
	Apply(ctx context.Context, change Change) (Request, error)
	// Note adds an event to a request's history and leaves the request as it is.
	Note(ctx context.Context, requestID string, event Event) error
	// Sight notes what a read showed of a filed request, and has it looked at again after the gap.
	Sight(ctx context.Context, requestID string, seen Event, gap time.Duration) error
	// Events reads a request's history, the oldest event first.
	Events(ctx context.Context, requestID string) ([]Event, error)
	// Notices lists a request's notices, delivered or not, with its batch's as Result and ApprovalCard.
	Notices(ctx context.Context, requestID string) ([]Notice, error)
}

// Claim is the answer to a worker that asked for work.
type Claim[Row any] struct {
	Rows []Row         // what has been due the longest first; empty: nothing is due
	At   time.Time     // the database's time when Rows were leased
	Next time.Duration // if fewer than asked for are due: how long until something may be; zero if nothing waits
}

// Queue hands out the requests that are due, one worker each.
type Queue interface {
	// Claim takes at most most requests that are due and leased to nobody, each in a state of
	// WorkStates and with a lease and a version of its own.
	Claim(ctx context.Context, owner string, lease time.Duration, most int) (Claim[Request], error)
	// Renew renews the lease of a request at this version. ErrMoved: the lease is lost.
	Renew(ctx context.Context, r Request, owner string, lease time.Duration) error
}

// Freezes keeps the orders that freeze filing or end a freeze.
type Freezes interface {
	// Freeze orders or ends a freeze. Once it has returned, Apply moves no request to Filing,
	// on any replica: it returns ErrFrozen. *OperatorsFreezeError: an operator's freeze is in
	// force, and only an operator changes it. *OtherFreezeError: the freeze that the order Ends is
	// over, or the database was restored and just froze filing itself, which nobody has seen.
	// ErrRepeated: the order's Key was used before.
	Freeze(ctx context.Context, f Freeze) error
	// NoteRefusedFreeze records an order about filing that a rule refused.
	NoteRefusedFreeze(ctx context.Context, f Freeze, rule string) error
	// Frozen reads the order about filing that is in force; the zero Freeze if there never was one.
	Frozen(ctx context.Context) (Freeze, error)
	// UnderWay lists the requests for which a POST may be under way: those in Filing, and until
	// NotAfter those whose POST got no answer or may be unknown to the database.
	UnderWay(ctx context.Context) ([]Request, error)
}

// Followed is a filed request with what is known of it.
type Followed struct {
	Request  Request
	Revision int64     // of what is known, not of the request
	LookedAt time.Time // when it was last looked at
	Again    time.Time // when it is looked at once more before its turn; zero for not
	Waits    time.Time // since when SoftLayer waits for an answer; zero: it does not
	Settled  int64     // the last update of its ticket that needs no answer any more
	Known    []byte    // what is known, as the follower wrote it; nil before the first look
}

// Look is what one look at a followed request leads to.
type Look struct {
	Followed Followed       // as it was read
	Known    []byte         // what is known now
	Again    time.Time      // when to look again before its turn; zero for not
	Notes    []Event        // for the request's history
	Change   *Change        // nil if the request stays as it is
	Owe      []Notice       // due at once; a kind that exists already is left out
	Waits    time.Time      // since when SoftLayer waits for an answer; zero: it does not
	Asks     int64          // the update of the ticket that asks for it, if Waits is not zero
	News     []News         // what people read by direct message; what one was told already is left out
	Stays    *billed.Record // what stays billed, to be kept; nil leaves it as it is
}

// FollowTurn is the answer to a process that asked to look at the filed requests.
type FollowTurn struct {
	Mine  bool      // false: it is another process's turn
	Began time.Time // since when each filed request is to be looked at once
	Now   time.Time // the database's time
}

// Notices keeps what is owed to people, and what they have been shown.
type Notices interface {
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]Notice, error)
	// BatchNotices lists the notices of a batch, delivered or not, by the id of its lead.
	BatchNotices(ctx context.Context, lead string) ([]Notice, error)
	// Owe owes a notice, due at once. first is false if one of its kind exists already, unless nobody was or will be told.
	Owe(ctx context.Context, requestID string, kind NoticeKind, to Place) (first bool, err error)
	// Gathered lists what a message of this kind gathers of a batch's servers.
	Gathered(ctx context.Context, batch string, kind NoticeKind) ([]Gathered, error)
	// OweNews owes news of a request; what one was told already is left out.
	OweNews(ctx context.Context, requestID string, news []News) error

	// ClaimNotices takes at most most notices that are due and leased to nobody, each with a lease
	// and a version of its own.
	ClaimNotices(ctx context.Context, owner string, lease time.Duration, most int) (Claim[Notice], error)
	// ApplyAnnounced is Apply of a change whose result is posted next. It announces the result if
	// no message was ever posted or sent for it, and if nobody has its notice.
	ApplyAnnounced(ctx context.Context, change Change, a Announcement) (Announced, error)
	// ApplyNotice stores the notice if its row is still at n.Version, and gives back the lease.
	// With keep it keeps the lease of a due notice, because the announced call comes next. A
	// notice whose Due is zero stays due while the message shows an older state than the last
	// one that people were to be told (Change.Tell).
	ApplyNotice(ctx context.Context, n Notice, keep bool) (Notice, error)

	// Overdue lists requests that have been filing, unknown or stuck, or have owed their result,
	// for at least age, the oldest first. It returns up to most of those that follow after, or of
	// all if after is the zero Request.
	Overdue(ctx context.Context, age time.Duration, after Request, most int) ([]Overdue, error)
}
