package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// ErrServerNotFound says that SoftLayer knows no such server, or that the key may
// not see it: SoftLayer answers the same for both
// (https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/).
var ErrServerNotFound = errors.New("not found, or this key may not see it")

// ErrTicketHidden says that SoftLayer knows no such ticket, or that the key may not see it.
var ErrTicketHidden = errors.New("ticket not found, or this key may not see it")

// ErrTooManyTickets says that more tickets may be a server's than are ever read.
var ErrTooManyTickets = errors.New("there are more tickets than the bot can read")

// ErrReadRefused is SoftLayer's no to a read: the key lacks a right, and asking again
// changes nothing until somebody gives it.
var ErrReadRefused = errors.New("SoftLayer does not let this key read that")

// ServerReader reads servers. Every error other than ErrServerNotFound and ErrReadRefused
// means that nothing was answered.
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
	// TicketsOf reads the tickets attached to a server, open and recently closed ones:
	// all of them, or it is an error. ErrTooManyTickets: asking again changes nothing.
	TicketsOf(ctx context.Context, server int64, since time.Time) ([]Ticket, error)
	// Rights reads what the key may see. A master user may see everything.
	Rights(ctx context.Context) (Rights, error)
	// Account reads the account's id and name.
	Account(ctx context.Context) (Account, error)
	// Cutoff reads until when a cancellation must be in, RFC 3339 with SoftLayer's offset.
	Cutoff(ctx context.Context, account string) (string, error)
}

// Rights is what the API key may do, as far as it matters here.
type Rights struct {
	Cancel      bool // SERVER_CANCEL
	AddTickets  bool // TICKET_ADD
	ViewTickets bool // TICKET_VIEW: without it an absent ticket proves nothing
	AllHardware bool // ACCESS_ALL_HARDWARE or hasFullHardwareAccessFlag
}

// Order is what is sent to createCancelServerTicket.
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

// Outcome is what is known after a POST.
type Outcome struct {
	Kind   OutcomeKind
	Ticket TicketID      // Made: the new one; AlreadyOpen: the one that SoftLayer names
	Text   string        // SoftLayer's own words, or what went wrong; never a secret
	Retry  time.Duration // NotMade: wait at least this long; 0 for the usual back-off
}

// OutcomeKind is the class of an answer to the POST.
type OutcomeKind string

const (
	// Made: a ticket was made; its id is known.
	Made OutcomeKind = "made"
	// Refused: SoftLayer's definite no; nothing was made.
	Refused OutcomeKind = "refused"
	// AlreadyOpen: SoftLayer names a cancellation ticket that exists already.
	AlreadyOpen OutcomeKind = "already-open"
	// NotMade: nothing was made and asking again later may help: rate limit, rights
	// of the key, or nothing was sent.
	NotMade OutcomeKind = "not-made"
	// AnswerLost: everything else. There may be a ticket.
	AnswerLost OutcomeKind = "answer-lost"
)

// Directory knows people.
type Directory interface {
	// Principal reads a person, and in which of these groups they are. The data is no
	// older than maxAge; an error means that it could not be read that fresh.
	Principal(ctx context.Context, person Person, groups []string, maxAge time.Duration) (authz.Principal, error)
	// Members reads who is in these groups, by those alone: it says nothing of guests, or of
	// accounts that were switched off.
	Members(ctx context.Context, groups []string, maxAge time.Duration) ([]authz.Principal, error)
}

// Announcer puts a request's present state before people.
type Announcer interface {
	// Post posts a notice of this kind to a channel or its thread, or by direct message to
	// the kind's recipient, else to the requester, where there is no channel.
	Post(ctx context.Context, to Place, kind NoticeKind, r Request) (Posted, Delivery, time.Duration)
	// Update makes a message of this kind show the request's present state.
	Update(ctx context.Context, at Posted, kind NoticeKind, r Request) (Delivery, time.Duration)
	// Respond posts by response_url, which leaves no message that could be edited.
	Respond(ctx context.Context, responseURL string, r Request) (Delivery, time.Duration)
	// Find looks for the request's message of this kind among those that the bot posted
	// to the channel since then. known is false where the bot may not read the history.
	Find(ctx context.Context, in Place, kind NoticeKind, r Request, since time.Time) (at Posted, found, known bool)
	// Reach asks Slack something that concerns nobody: an error means that it answers
	// nobody now.
	Reach(ctx context.Context) error
}

// Policy is one policy. It never changes: another one that comes into force is another Policy.
// It does no I/O.
type Policy interface {
	// Digest identifies it, as the decisions that it makes do.
	Digest() string
	// GroupIDs are the ids of the user groups that it names: its decisions rest on no others.
	GroupIDs() []string
	// Decide decides whether p may cancel s.
	Decide(p authz.Principal, s authz.Server, c authz.Context) authz.Decision
	// Approve decides whether who may approve what requester asked for, after so many
	// approvals by others.
	Approve(who, requester authz.Principal, s authz.Server, c authz.Context, approvals int) authz.Decision
	// MayFreeze decides whether who may stop all filing, or let it go on.
	MayFreeze(who authz.Principal) authz.Decision
	// Approvers are the users ("TEAM/USER") and groups that the policy names as approvers;
	// anyone reports that it binds approving to nobody in particular.
	Approvers() (users, groups []string, anyone bool)
}

// Change is one committed step of one request: the row, its event and, where people
// are to be told, its notice, in one transaction.
type Change struct {
	From  Request   // as it was read; the step happens only if the row is still at From.Version
	To    Request   // as it shall be; its Version is set by the store
	Event Event     // its At is set by the store
	Tell  time.Time // when the notices that show the present state are due, or at once if that has passed; zero leaves them alone
	Owe   []Notice  // further notices, due as they say, or at once; of a kind that is there already, none
	// DueIn sets To.Due to so long after the commit; zero leaves To.Due as it is.
	DueIn time.Duration
	// Window is how long the POST that a step to Filing announces may take: the store sets
	// To.SentAt and To.NotAfter by the time of the commit.
	Window time.Duration
	// GiveBack takes a filing that surely made nothing out of the count of the hour that ends
	// then ([Queue.TakeFiling]); zero leaves the counts alone.
	GiveBack time.Time
	// Key is that of the command or click that asks for the change ([Press]): it makes one
	// change, whoever delivers it again. Empty for the worker's steps.
	Key  string
	Keep bool // hold the lease on, in a state of [WorkStates]: the same worker takes the next step now
}

// AtOnce is a [Change.Tell] that has passed: the notices are due at the commit.
var AtOnce = time.Unix(0, 0)

// Record is a new request with the event that says how it was decided.
type Record struct {
	Request Request
	Event   Event
	Notices []Notice // none: nothing is owed to a channel (a denial is told in the modal)
	Quota   Quota    // which of its person's requests of the day it is
	Ending  *Change  // an older request for the same server that this one takes the place of
}

// Recorded is the store's answer to a Record.
type Recorded struct {
	Request Request  // the row with this id, whether new or from an earlier delivery
	Fresh   bool     // this call made it
	Held    *Request // another live request holds the server; nothing was recorded
	Full    bool     // the person's day has no place left; nothing was recorded
}

// Quota is a request's slot in one person's day. Two requests at once cannot both take the last
// slot. Denials take none: their Slot is 0.
type Quota struct {
	Requester string // "TEAM/USER"
	Day       int64  // since 1970 UTC
	Slot      int64  // from 1: the next one as far as the caller knows
	Most      int64  // the last one of a day
}

// QuotaDay is the day that counts at a moment.
func QuotaDay(now time.Time) int64 { return now.Unix() / (24 * 60 * 60) }

// Freeze is an order that nothing is filed, or that ends such an order.
type Freeze struct {
	Frozen bool
	Actor  string // "TEAM/USER", or OperatorPrefix and a name
	Why    string
	At     time.Time // set by the journal
	Number int64     // which order it is, from 1; set by the journal

	Ends int64  // of an order that ends a freeze: the number of the one that it ends; 0 for any
	Key  string // of the command or click ([Press]); empty for an operator's
}

// ByOperator reports whether somebody gave the order who runs this bot.
func (f Freeze) ByOperator() bool { return strings.HasPrefix(f.Actor, OperatorPrefix) }

// OperatorPrefix begins the actor of what the people who run this bot did with its verbs:
// nobody in Slack is called so.
const OperatorPrefix = "operator:"

// OperatorsFreezeError says that an operator's freeze stands, and that the order came from
// somebody in Slack: nothing was changed.
type OperatorsFreezeError struct{ Order Freeze }

// Error names who froze filing.
func (e *OperatorsFreezeError) Error() string {
	return fmt.Sprintf("%s froze filing, and only an operator changes that", e.Order.Actor)
}

// OtherFreezeError says that the freeze which an order was to end does not stand any more:
// nothing was changed.
type OtherFreezeError struct{ Order Freeze } // the order that stands now

// Error says what stands.
func (e *OtherFreezeError) Error() string {
	if e.Order.Frozen {
		return "another freeze stands by now: " + e.Order.Actor + "'s"
	}
	return "that freeze is over"
}

// ErrFrozen says that filing is frozen: nothing was changed.
var ErrFrozen = errors.New("filing is frozen")

// The ports to the durable store of requests, events and notices. One store stands behind
// all of them. All times that decide anything are its own: SQLite's host, or the database
// server's clock.
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

	// Record records a new request, once for each id, or says what holds it back.
	Record(ctx context.Context, rec Record) (Recorded, error)
	// Asked is how many places one person has taken of a day.
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
	// Apply commits a change and returns the request as stored. ErrMoved: the request is not
	// at From.Version any more.
	Apply(ctx context.Context, change Change) (Request, error)
	// Note adds an event to a request's history and leaves the request as it is.
	Note(ctx context.Context, requestID string, event Event) error
	// Events reads a request's history, the oldest event first.
	Events(ctx context.Context, requestID string) ([]Event, error)
}

// Claim is what somebody who asked for work got.
type Claim[Row any] struct {
	Found bool // false: nothing is due
	Row   Row
	At    time.Time     // the database's time when Row was leased
	Next  time.Duration // if nothing is due: how long it is until something may be; zero: nothing waits
}

// Queue hands out the requests that are due, one worker each.
type Queue interface {
	// Claim takes one request that is due and leased to nobody, in a state of
	// WorkStates.
	Claim(ctx context.Context, owner string, lease time.Duration) (Claim[Request], error)
	// Renew prolongs the lease of a request at this version. ErrMoved: it is lost.
	Renew(ctx context.Context, r Request, owner string, lease time.Duration) error
	// TakeFiling counts a filing against this hour unless the hour already has most. next is
	// when the next hour begins, and this one ends.
	TakeFiling(ctx context.Context, most int) (took bool, next time.Time, err error)
}

// Freezes keeps the order that nothing is filed.
type Freezes interface {
	// Freeze orders or ends a freeze. Once it has returned, Apply moves no request to Filing,
	// on any replica: ErrFrozen. While an operator's freeze stands nobody else's order
	// changes anything: *OperatorsFreezeError. An order that Ends a freeze which does not
	// stand changes nothing: *OtherFreezeError. ErrRepeated: its Key was used before.
	Freeze(ctx context.Context, f Freeze) error
	// NoteRefusedFreeze records an order about filing that a rule refused.
	NoteRefusedFreeze(ctx context.Context, f Freeze, rule string) error
	// Frozen reads the order about filing that stands; the zero Freeze if there never was one.
	Frozen(ctx context.Context) (Freeze, error)
	// UnderWay lists the requests for which a POST may be under way: those in Filing, and until
	// NotAfter those whose POST got no answer or may be unknown to the database.
	UnderWay(ctx context.Context) ([]Request, error)
}

// Notices keeps what is owed to people, and what they have been shown.
type Notices interface {
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]Notice, error)
	// Owe owes a notice, due at once; first is false where one of its kind is there already.
	Owe(ctx context.Context, requestID string, kind NoticeKind, to Place) (first bool, err error)

	// ClaimNotice takes one notice that is due and leased to nobody.
	ClaimNotice(ctx context.Context, owner string, lease time.Duration) (Claim[Notice], error)
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
