package cancellation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// Desk answers people: it reads cards, and decides and records submissions.
type Desk struct {
	Requests  Requests
	Intake    Intake
	Freezes   Freezes
	Clock     Clock
	Servers   ServerReader
	Tickets   TicketReader
	Directory Directory
	Policy    func() Policy // returns the one in force
	Account   Account
	Terms     Terms
	Wake      func()   // tells the Filer and the Notifier that there is something to do; never blocks
	Backlog   *Backlog // of the Filer; nil for none
	Log       *slog.Logger

	Channels
	Denied func(rule string) // is told which rule refused somebody something; may be nil

	rights keyRights
}

// Request reads one request. ErrNoRequest: there is none.
func (d *Desk) Request(ctx context.Context, id string) (Request, error) {
	return d.Requests.Request(ctx, id)
}

// CountDenial counts that a rule refused somebody something.
func (d *Desk) CountDenial(rule string) {
	if d.Denied != nil {
		d.Denied(rule)
	}
}

// Now reads the store's time.
func (d *Desk) Now(ctx context.Context) (time.Time, error) { return d.Clock.Now(ctx) }

// Frozen reads the order about filing that is in force.
func (d *Desk) Frozen(ctx context.Context) (Freeze, error) { return d.Freezes.Frozen(ctx) }

// Freshness bounds of what decides: how old the data about a person may be, and
// how long a submission waits for it.
const (
	MaxPrincipalAge  = 60 * time.Second
	MaxPrincipalWait = 1500 * time.Millisecond
)

// patience is how long an accepted request may take before its channel hears that it is under
// way. Most are filed sooner, so that the channel hears only the result.
const patience = 5 * time.Second

// AnswerKind is how a submission ended.
type AnswerKind int

const (
	// AnswerAccepted: the request is on disk, and will be filed or waits for approval.
	// Answer.Request is the row.
	AnswerAccepted AnswerKind = iota
	// AnswerDenied: the policy refused it, which is recorded. Answer.Request is the row.
	AnswerDenied
	// AnswerHeld: another live request holds the server. Answer.Held is that request.
	AnswerHeld
	// AnswerBlocked: the card itself says that the server cannot be cancelled.
	AnswerBlocked
	// AnswerWrong: the person has to correct Answer.Problems. Nothing was recorded.
	AnswerWrong
	// AnswerTooMany: this person has reached the limit of servers for today. Nothing was
	// recorded.
	AnswerTooMany
	// AnswerNobody: it needs approval, and nobody else could give it. Nothing was recorded.
	AnswerNobody
	// AnswerUnseen: it needs approval, the policy names no approvers, and no channel would
	// show it to anybody. Nothing was recorded.
	AnswerUnseen
)

// Answer is the answer to a submission.
type Answer struct {
	Kind     AnswerKind
	Request  Request
	Held     Request
	Blockers []Blocker
	Problems []Problem
}

// ErrPeopleUnread says that Slack's data about a person could not be read in time. Nothing was
// recorded.
var ErrPeopleUnread = errors.New("a person and their groups could not be read from Slack in time")

// UnclearError says that nobody can tell whether a submission was recorded.
type UnclearError struct {
	Ref Reference // the request's reference, if it was recorded
	Err error
}

// Error says that the outcome is unclear, and why.
func (e *UnclearError) Error() string {
	return fmt.Sprintf("recording request %s: %v", e.Ref.Short(), e.Err)
}

// Unwrap returns what went wrong.
func (e *UnclearError) Unwrap() error { return e.Err }

// Submit decides and records a submission. It is the one choke point: only after it returned no
// error may the person be told that the request is recorded or was denied. After an *UnclearError
// nobody can tell. Any other error means that nothing was recorded.
func (d *Desk) Submit(ctx context.Context, s Submission) (Answer, error) {
	blockers := s.Card.Blockers()
	if len(blockers) == 0 { // a blocked card asks for no confirmation
		if problems := s.Problems(); len(problems) > 0 {
			return Answer{Kind: AnswerWrong, Problems: problems}, nil
		}
	}
	recorded, err := d.record(ctx, s, blockers)
	for try := 0; try < recordTries && errors.Is(err, ErrMoved); try++ {
		recorded, err = d.record(ctx, s, blockers) // the standing request has changed: it may have ended
	}
	if turnedAway(err) {
		if before, looked := d.Recorded(ctx, s); !errors.Is(looked, ErrNoRequest) || errors.Is(looked, ErrUnclear) {
			return before, looked // an earlier delivery was let in, or nobody can tell
		}
	}
	switch {
	case errors.Is(err, ErrDayFull) || recorded.Full:
		return Answer{Kind: AnswerTooMany}, nil
	case errors.Is(err, errBlocked):
		return d.blocked(ctx, s, blockers)
	case errors.Is(err, errNobody):
		return Answer{Kind: AnswerNobody}, nil
	case errors.Is(err, errUnseen):
		return Answer{Kind: AnswerUnseen}, nil
	case errors.Is(err, ErrMoved):
		return d.blocked(ctx, s, []Blocker{BlockedByRequest})
	case err != nil:
		return Answer{}, err
	}
	return d.answerRecorded(ctx, s, recorded)
}

// errBlocked says that the policy would let this person ask, but the card blocks everybody.
var errBlocked = errors.New("the server cannot be cancelled now")

// turnedAway reports whether the reason for a refusal may be new since an earlier delivery of the
// same submission. For example, that delivery may have taken the last slot of the day.
func turnedAway(err error) bool {
	return slices.ContainsFunc([]error{ErrDayFull, errNobody, errUnseen, errBlocked, ErrMoved}, func(why error) bool { return errors.Is(err, why) })
}

// recordTries bounds how often a submission is decided again because the standing request changed.
const recordTries = 5

// errNobody says that the policy requires an approval that nobody could give. errUnseen says that
// the people who could give it would not hear of the request.
var (
	errNobody = errors.New("nobody else could approve this")
	errUnseen = errors.New("nobody who could approve this would be shown it")
)

// record decides and records a submission. It returns ErrMoved if the standing request that this one
// would replace is live and has changed since the card was read. If the policy counts the servers of
// the day, and another request took the slot that was decided about, it decides about the next one.
func (d *Desk) record(ctx context.Context, s Submission, blockers []Blocker) (Recorded, error) {
	return whileTaken(func(taken *SlotTakenError) (Recorded, error) { return d.recordOnce(ctx, s, blockers, taken) })
}

func (d *Desk) recordOnce(ctx context.Context, s Submission, blockers []Blocker, taken *SlotTakenError) (Recorded, error) {
	record, err := d.decide(ctx, s, blockers, taken)
	if err != nil {
		return Recorded{}, err
	}
	if record.Request.State == Scheduled {
		d.Backlog.yield(ctx)
	}
	in := d.Backlog.reserve(&record)
	recorded, err := d.Intake.Record(ctx, record)
	if recorded.Fresh && recorded.Request.State == Denied {
		d.CountDenial(recorded.Request.Decision.Rule)
	}
	d.begin(ctx, in, recorded)
	if errors.Is(err, ErrUnclear) {
		return d.lookAgain(ctx, record.Request, err)
	}
	return recorded, err
}

// begin has a new request worked on: at once in the slot that was reserved for it, or when the Filer
// claims it. If the commit is unclear, the row may be leased; it is claimed when the lease is over.
func (d *Desk) begin(ctx context.Context, in *slot, recorded Recorded) {
	switch {
	case in != nil && recorded.Fresh:
		d.Backlog.Filer.begin(ctx, in, recorded.Request)
	case in != nil:
		in.release()
	case recorded.Fresh && recorded.Request.State.Live():
		d.Wake()
	}
}

// Recorded returns the answer that an earlier delivery of the same submission got. It returns
// ErrNoRequest alone if there certainly was none. With any other error, or if the error is also
// ErrUnclear, nobody can tell.
func (d *Desk) Recorded(ctx context.Context, s Submission) (Answer, error) {
	r, err := d.Requests.Request(ctx, s.ID(d.Intake.Installation()))
	if err != nil {
		return Answer{}, fmt.Errorf("looking for the same submission: %w", err)
	}
	return answerOf(r), nil
}

// lookAgain reads a row whose commit is unclear, on another connection. Only finding the row is an
// answer: after a failed COMMIT its absence proves nothing.
func (d *Desk) lookAgain(ctx context.Context, r Request, unclear error) (Recorded, error) {
	found, err := d.Requests.Request(ctx, r.ID)
	if err != nil {
		return Recorded{}, &UnclearError{Ref: r.Ref, Err: unclear}
	}
	return Recorded{Request: found}, nil
}

func (d *Desk) answerRecorded(ctx context.Context, s Submission, recorded Recorded) (Answer, error) {
	if recorded.Held != nil {
		d.askedAgain(ctx, s, *recorded.Held)
		return Answer{Kind: AnswerHeld, Held: *recorded.Held}, nil
	}
	return answerOf(recorded.Request), nil
}

func answerOf(r Request) Answer {
	if r.State == Denied && r.Posts == 0 && r.Version <= 1 {
		return Answer{Kind: AnswerDenied, Request: r}
	}
	return Answer{Kind: AnswerAccepted, Request: r}
}

// blocked answers a submission whose card blocks it. If a request of this installation holds the
// server, the submission is noted in that request's history.
func (d *Desk) blocked(ctx context.Context, s Submission, blockers []Blocker) (Answer, error) {
	standing := s.Card.Standing
	if standing == nil {
		return Answer{Kind: AnswerBlocked, Blockers: blockers}, nil
	}
	held, err := d.Requests.Request(ctx, standing.RequestID)
	if err != nil {
		return Answer{}, fmt.Errorf("reading the standing request %s: %w", standing.Ref, err)
	}
	if standing.Ending == Stuck && held.State == Filed && held.Version == standing.Version {
		held = d.markStuck(ctx, held)
	}
	d.askedAgain(ctx, s, held)
	return Answer{Kind: AnswerHeld, Held: held, Blockers: blockers}, nil
}

// askedAgain notes in the history of the request that holds the server that somebody else asked.
// Losing that note loses no request, so its failure is only logged.
func (d *Desk) askedAgain(ctx context.Context, s Submission, held Request) {
	event := Event{Kind: EventAskedAgain, Actor: actor(s.By), From: held.State, To: held.State, Detail: s.Reason}
	if err := d.Requests.Note(ctx, held.ID, event); err != nil {
		d.Log.Warn("noting that a server was asked for again", "ref", held.Ref.Short(), "err", err)
	}
}

func actor(p Person) string { return p.Team + "/" + p.ID }
