package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/authz"
)

// ClickKind is the outcome of a person's click on a request.
type ClickKind int

const (
	// ClickDone: it is recorded. Click.Request is the row after it.
	ClickDone ClickKind = iota
	// ClickRefused: this person may not; Click.Decision says by which rule.
	ClickRefused
	// ClickRepeated: this person did the same before, or Slack delivered the click again.
	// Nothing was changed.
	ClickRepeated
	// ClickLate: the request is in another state now. Nothing was changed.
	ClickLate
)

// Click is the answer to a click.
type Click struct {
	Kind     ClickKind
	Request  Request
	Decision authz.Decision // of ClickRefused, and of an approval that was recorded
}

// Press is one press of a button under a request, or one form that such a button opened and
// somebody sent.
type Press struct {
	Request string // the request's id
	By      Person
	// Key is the press's idempotency key: Slack's trigger_id with the action. However often, and to
	// whichever process, Slack delivers the press, it makes one change.
	Key string
}

// clickTries bounds how often a click is tried again because the request changed meanwhile.
const clickTries = 5

// clicker is the person who clicked, with the requester and the policy that decides.
type clicker struct {
	policy    authority // the one in force when the people were read
	principal authz.Principal
	requester authz.Principal
	here      string // the clicker's id where they pressed
	now       time.Time
}

func (c clicker) isRequester() bool { return c.principal.ID() == c.requester.ID() }

// person returns the clicker as recorded: with their id in the whole enterprise, so that nobody
// counts twice.
func (c clicker) person() Person {
	return Person{Team: c.principal.Team, ID: c.principal.User, Name: c.principal.Name}
}

// Approve records a person's approval. After the last one that is needed, the request is accepted
// and waits to be filed.
func (d *Desk) Approve(ctx context.Context, press Press) (Click, error) {
	return d.click(ctx, press, d.approve)
}

func (d *Desk) approve(_ context.Context, r Request, c clicker) (Click, *Change, error) {
	over := r.State == Pending && !c.now.Before(r.ExpiresAt) // the worker will end it
	switch {
	case !over && r.ApprovedBy(c.person()):
		return Click{Kind: ClickRepeated}, nil, nil
	case over || r.State != Pending:
		return Click{Kind: ClickLate}, nil, nil
	}
	decision := c.policy.may(c.principal, c.requester, r, len(r.Approvals), c.now)
	if decision.Effect != authz.Allowed {
		return Click{Kind: ClickRefused, Decision: decision}, nil, nil
	}
	change, err := d.approved(r, c, decision)
	return Click{Decision: decision}, change, err
}

// approved returns the change that one more approval makes.
func (d *Desk) approved(r Request, c clicker, decision authz.Decision) (*Change, error) {
	next := r
	next.Approvals = append(slices.Clone(r.Approvals), Approval{By: c.person(), Here: c.here, At: c.now, Rule: decision.Rule, Policy: decision.PolicyDigest})
	change := &Change{From: r, Tell: c.now, Event: Event{Kind: EventApproved, Actor: actor(c.person()), Detail: ruled(decision)}}
	if len(next.Approvals) >= max(r.Decision.Approvals, 1) {
		var err error
		if next, err = next.Move(Scheduled, ByPerson, Reason{}); err != nil {
			return nil, err
		}
		next = next.scheduled(c.now, d.Terms)
		change.Owe = directWords(next, c)
	} else if next.Submission.Place.private() {
		next.Due = c.now // other people may have to give the next approval
	}
	change.To = next
	return change, nil
}

// scheduled returns an accepted request, due after the undo window.
func (r Request) scheduled(now time.Time, t Terms) Request {
	r.Due, r.UndoUntil, r.ExpiresAt = now, time.Time{}, time.Time{}
	if t.UndoWindow > 0 {
		r.UndoUntil = now.Add(t.UndoWindow)
		r.Due = r.UndoUntil
	}
	return r.inTurn(t)
}

// directWords returns the direct messages to the requester and the approvers of an approved request,
// but not to the one who clicked. They say that it will be filed, and can be stopped until then. The
// message of a batch says so for all of its requests.
func directWords(r Request, c clicker) []Notice {
	if r.Batch != "" {
		return nil
	}
	owed := []Notice{{RequestID: r.ID, Kind: Direct(r.Submission.By.ID), Due: c.now}}
	for _, a := range r.Approvals {
		if !a.By.same(c.person()) {
			owed = append(owed, Notice{RequestID: r.ID, Kind: Direct(a.here().ID), Due: c.now})
		}
	}
	return owed
}

// Decline ends a request that was not sent, because a person who may approve it, or has approved it,
// says no. Its requester withdraws it instead.
func (d *Desk) Decline(ctx context.Context, press Press, why string) (Click, error) {
	if Blank(why) {
		return Click{}, ErrWhyMissing
	}
	return d.click(ctx, press, declining(why, d.certainlyUnsent))
}

// unsentProof makes certain that nothing was sent for a request, which may end as not filed only then. It returns
// errReadFirst if that is to be found out later.
type unsentProof func(ctx context.Context, r Request, now time.Time) error

// errReadFirst says that SoftLayer's records have to be read before a request may end as not filed.
var errReadFirst = errors.New("SoftLayer's records have to be read first")

// unlessRead reads nothing.
func unlessRead(_ context.Context, r Request, _ time.Time) error {
	if r.Recheck == NoRecheck {
		return nil
	}
	return errReadFirst
}

// declining ends requests as declined for this reason.
func declining(why string, prove unsentProof) act {
	return func(ctx context.Context, r Request, c clicker) (Click, *Change, error) {
		if !r.Stoppable() {
			return Click{Kind: r.lateOrRepeated(c, Declined)}, nil, nil
		}
		decision := mayDecline(r, c)
		if decision.Effect != authz.Allowed {
			return Click{Kind: ClickRefused, Decision: decision}, nil, nil
		}
		if err := prove(ctx, r, c.now); err != nil {
			return Click{}, nil, err
		}
		change, err := end(r, Declined, EventDeclined, c, why)
		return Click{Decision: decision}, change, err
	}
}

// mayDecline allows people whose approval would count, and those who approved it, even if they may
// not approve it now.
func mayDecline(r Request, c clicker) authz.Decision {
	if r.ApprovedBy(c.person()) && !c.isRequester() {
		return authz.Decision{Effect: authz.Allowed, Rule: ruleApprover}
	}
	_, decision := c.policy.mayGive(c.principal, c.requester, r, 0, c.now)
	return decision
}

// TakenFor is how long nobody is told of a server that is still there, after somebody said that they are
// on it.
const TakenFor = 14 * 24 * time.Hour

// TakeOn records that a person sees to a server which is still there after its date. The requester may,
// and whoever may approve on that server or did.
func (d *Desk) TakeOn(ctx context.Context, press Press) (Click, error) {
	return d.click(ctx, press, func(ctx context.Context, r Request, c clicker) (Click, *Change, error) {
		if r.State != Filed {
			return Click{Kind: ClickLate}, nil, nil
		}
		if decision := mayDecline(r, c); !c.isRequester() && decision.Effect != authz.Allowed {
			return Click{Kind: ClickRefused, Decision: decision}, nil, nil
		}
		notices, err := d.Requests.Notices(ctx, r.ID)
		if err != nil {
			return Click{}, nil, fmt.Errorf("reading where %s is shown: %w", r.Ref.Short(), err)
		}
		change := &Change{From: r, To: r, Event: Event{Kind: EventTaken, Actor: actor(c.person())}}
		if !r.Private(notices) {
			change.Owe = r.Telling([]Line{{What: LineTaken, Was: c.here, Now: c.now.Add(TakenFor).Format(time.RFC3339)}}, notices)
		}
		return Click{}, change, nil
	})
}

// Rules of clicks that are in no policy. Their decisions have no Reason.
const (
	ruleApprover = "builtin-approved-it"
	// RuleRequesterWithdraws refuses a withdrawal by anyone but the requester.
	RuleRequesterWithdraws = "builtin-requester-withdraws"
	// RuleOperatorsFreeze refuses an order from Slack while an operator's freeze is in force.
	RuleOperatorsFreeze = "builtin-operators-freeze"
)

// Withdraw ends a request that was not sent, because its requester wants that.
func (d *Desk) Withdraw(ctx context.Context, press Press) (Click, error) {
	return d.click(ctx, press, withdrawing(d.certainlyUnsent))
}

// withdrawing ends requests as withdrawn.
func withdrawing(prove unsentProof) act {
	return func(ctx context.Context, r Request, c clicker) (Click, *Change, error) {
		switch {
		case !r.Stoppable():
			return Click{Kind: r.lateOrRepeated(c, Withdrawn)}, nil, nil
		case !c.isRequester():
			return Click{Kind: ClickRefused, Decision: authz.Decision{Rule: RuleRequesterWithdraws}}, nil, nil
		}
		if err := prove(ctx, r, c.now); err != nil {
			return Click{}, nil, err
		}
		change, err := end(r, Withdrawn, EventWithdrawn, c, "")
		return Click{}, change, err
	}
}

// ApprovedBy reports whether a person's approval is on record and counts.
func (r Request) ApprovedBy(p Person) bool {
	return slices.ContainsFunc(r.Approvals, func(a Approval) bool { return a.By.same(p) })
}

// lateOrRepeated classifies a click that can no longer end the request in the given state. It is
// ClickRepeated if the same person already ended it that way, since Slack may deliver that click
// again; otherwise it is ClickLate.
func (r Request) lateOrRepeated(c clicker, in State) ClickKind {
	if r.State == in && r.EndedBy.same(c.person()) {
		return ClickRepeated
	}
	return ClickLate
}

// Stoppable reports whether a request can be withdrawn or declined: as far as the store knows, nothing
// was sent for it.
func (r Request) Stoppable() bool {
	return r.State == Pending || r.State == Scheduled && r.LostPosts == 0
}

func end(r Request, to State, kind string, c clicker, why string) (*Change, error) {
	var reason Reason
	if why != "" {
		reason = Reason{Detail: why, By: actor(c.person())}
	}
	next, err := r.Move(to, ByPerson, reason)
	if err != nil {
		return nil, err
	}
	next.EndedBy = c.person()
	change := &Change{From: r, To: next, Tell: c.now, Event: Event{Kind: kind, Actor: actor(c.person()), Detail: why}}
	if !c.isRequester() {
		change.Owe = r.toldEnd()
	}
	return change, nil
}

// same reports whether two are one person. Names do not count.
func (p Person) same(other Person) bool { return p.Team == other.Team && p.ID == other.ID }

func (d *Desk) authority() authority { return authority{d.Policy(), d.Directory} }

// act decides the outcome of a click on this row. If it returns no change, nothing is recorded but a
// refusal.
type act func(ctx context.Context, r Request, c clicker) (Click, *Change, error)

// click reads the row and the people, and makes the change. It starts again if the row changed
// meanwhile. After an *UnclearError nobody can tell; any other error means that nothing was recorded.
func (d *Desk) click(ctx context.Context, press Press, act act) (Click, error) {
	for range clickTries {
		r, err := d.Requests.Request(ctx, press.Request)
		if err != nil {
			return Click{}, fmt.Errorf("reading the request that was clicked on: %w", err)
		}
		c, err := d.clicker(ctx, r, press.By)
		if err != nil {
			return Click{Request: r}, err
		}
		click, change, err := act(ctx, r, c)
		click.Request = r
		if err != nil || change == nil {
			d.noteRefusal(ctx, click, c.person())
			return click, err
		}
		change.Key = press.Key
		click.Request, err = d.Requests.Apply(ctx, *change)
		switch {
		case errors.Is(err, ErrMoved):
			continue
		case errors.Is(err, ErrRepeated):
			return Click{Kind: ClickRepeated, Request: d.asItIs(ctx, r)}, nil
		case errors.Is(err, ErrUnclear):
			return click, &UnclearError{Ref: r.Ref, Err: err}
		case err == nil:
			d.Wake()
		}
		return click, err
	}
	return Click{}, fmt.Errorf("recording a click: %w", ErrMoved)
}

// asItIs reads a request again after its change. If that fails it returns the given one.
func (d *Desk) asItIs(ctx context.Context, r Request) Request {
	if now, err := d.Requests.Request(ctx, r.ID); err == nil {
		return now
	}
	return r
}

// clicker reads the two people, fresh enough to decide by, and the time.
func (d *Desk) clicker(ctx context.Context, r Request, by Person) (clicker, error) {
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	c := clicker{policy: d.authority(), here: by.ID}
	var err error
	if c.principal, err = c.policy.person(waiting, by, MaxPrincipalAge); err != nil {
		return c, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	if c.requester, err = c.policy.person(waiting, r.Submission.By, MaxPrincipalAge); err != nil {
		return c, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	if c.now, err = d.Clock.Now(ctx); err != nil {
		return c, fmt.Errorf("reading the database's time: %w", err)
	}
	return c, nil
}

// noteRefusal records a refused click in the request's history, once for each person, rule and policy.
// Losing that record changes nothing, so its failure is only logged.
func (d *Desk) noteRefusal(ctx context.Context, click Click, by Person) {
	if click.Kind != ClickRefused {
		return
	}
	d.CountDenial(click.Decision.Rule)
	refusal := Event{Kind: EventRefused, Actor: actor(by), Detail: ruled(click.Decision)}
	events, err := d.Requests.Events(ctx, click.Request.ID)
	if err == nil && slices.ContainsFunc(events, func(e Event) bool {
		return e.Kind == refusal.Kind && e.Actor == refusal.Actor && e.Detail == refusal.Detail
	}) {
		return
	}
	if err == nil {
		err = d.Requests.Note(ctx, click.Request.ID, refusal)
	}
	if err != nil {
		d.Log.Warn("noting a refused click", "ref", click.Request.Ref.Short(), "err", err)
	}
}

// Sees reports whether a person sees all of a request: they asked for it, voted on it, or may approve on
// its server. People whom no policy lets do anything see nothing.
func (p Powers) Sees() bool {
	if p.Approve.Effect == authz.Allowed {
		return true
	}
	outside := slices.Contains([]string{authz.RuleStranger, authz.RuleDeactivated, authz.RuleBot, authz.RuleGuest}, p.Approve.Rule)
	return !outside && (p.Requester || p.Request.ApprovedBy(p.By))
}
