package cancellation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"cancel-server/internal/authz"
)

// applicant is the person who asks, with the policy that decides and the time by which it does.
type applicant struct {
	policy    authority
	principal authz.Principal
	now       time.Time
}

// applicant reads the person fresh enough to decide by, and the time.
func (d *Desk) applicant(ctx context.Context, by Person) (applicant, error) {
	a := applicant{policy: d.authority()}
	waiting, cancel := context.WithTimeout(ctx, MaxPrincipalWait)
	defer cancel()
	var err error
	if a.principal, err = a.policy.person(waiting, by, MaxPrincipalAge); err != nil {
		return a, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	if a.now, err = d.Clock.Now(ctx); err != nil {
		return a, fmt.Errorf("reading the database's time: %w", err)
	}
	return a, nil
}

// decide builds the record of a submission: the decision of the policy that is in force when
// it begins, on what the person saw. taken is nil, or says that the slot of an earlier try was taken.
func (d *Desk) decide(ctx context.Context, s Submission, blockers []Blocker, taken *SlotTakenError) (Record, error) {
	by, err := d.applicant(ctx, s.By)
	if err != nil {
		return Record{}, err
	}
	quota, err := d.nextSlot(ctx, by.principal, by.now, taken)
	if err != nil {
		return Record{}, err
	}
	quota.Exact = by.policy.CountsToday()
	s.Count, s.Today = 1, quota.Slot
	rec, err := d.decideFor(ctx, by, s, blockers)
	switch {
	case err != nil || rec.Request.State == Denied:
		return rec, err
	case quota.full():
		return rec, ErrDayFull
	}
	rec.Quota = quota
	return rec, nil
}

// decideFor builds the record of one server's submission, without its slot of the day. It returns
// errBlocked only if the policy lets the person ask: nobody else is told what blocks. With an error, the
// record has the request alone, with the decision.
func (d *Desk) decideFor(ctx context.Context, by applicant, s Submission, blockers []Blocker) (Record, error) {
	decision := by.policy.Decide(by.principal, s.Card.Server.Resource(), s.Context(s.Card.Server, by.now))
	id := s.ID(d.Intake.Installation())
	r := Request{
		ID: id, Ref: ReferenceOf(d.Intake.HMACKey(), id), Format: Format,
		Submission: s, Decision: decision, CreatedAt: by.now, Due: by.now, PostsAllowed: 2,
	}
	r.Submission.By.Name = by.principal.Name
	switch {
	case decision.Effect != authz.Refused && len(blockers) > 0:
		return Record{Request: r}, errBlocked
	case decision.Effect == authz.NeedsApproval && s.Card.Standing.waits(): // only a request that needs no approval replaces another
		return Record{Request: r}, errBlocked
	case decision.Effect == authz.Refused:
		return denied(r, by.principal)
	case decision.Effect == authz.Allowed:
		return d.accepted(ctx, r, by.now)
	}
	rec, err := d.pending(ctx, by.policy, r, by.principal, by.now)
	if err != nil {
		return Record{Request: r}, err
	}
	return rec, nil
}

// accepted returns the record of a request that needs no approval.
func (d *Desk) accepted(ctx context.Context, r Request, now time.Time) (Record, error) {
	r, err := r.Move(Scheduled, BySubmission, Reason{})
	if err != nil {
		return Record{}, err
	}
	tell := now.Add(patience)
	if d.Terms.UndoWindow > 0 { // people have to see that they can undo it
		tell = now
	}
	return d.submitted(ctx, r.scheduled(now, d.Terms), now, tell)
}

// pending returns the record of a request that waits for approval.
func (d *Desk) pending(ctx context.Context, policy authority, r Request, requester authz.Principal, now time.Time) (Record, error) {
	who, anyone, err := policy.approvers(ctx, r, requester, now)
	if err != nil {
		return Record{}, err
	}
	if !anyone && len(who) < r.Decision.Approvals {
		return Record{}, errNobody
	}
	if len(who) == 0 && d.NotifyChannel == "" && r.Submission.Place.private() {
		return Record{}, errUnseen
	}
	if r, err = r.Move(Pending, BySubmission, Reason{}); err != nil {
		return Record{}, err
	}
	r.Decision.Asked = policy.asked(r, requester, now)
	rec, err := d.submitted(ctx, r.awaiting(now, d.Terms), now, now)
	rec.Notices = append(rec.Notices, r.approvalCards(d.NotifyChannel, now)...)
	return rec, err
}

// submitted returns the record of a request that holds its server. tell is when its result message
// is due.
func (d *Desk) submitted(ctx context.Context, r Request, now, tell time.Time) (Record, error) {
	rec := Record{
		Request: r,
		Event:   Event{Kind: EventSubmitted, Actor: actor(r.Submission.By), To: r.State, Detail: ruled(r.Decision)},
		Notices: []Notice{{RequestID: r.ID, Kind: Result, Place: r.Submission.Place, Due: tell}},
	}
	var err error
	if standing := r.Submission.Card.Standing; standing != nil {
		rec.Ending, err = d.ending(ctx, *standing, r.Submission.By, now)
	}
	return rec, err
}

func denied(r Request, who authz.Principal) (Record, error) {
	r, err := r.Move(Denied, BySubmission, Reason{Detail: r.Decision.Ground(), By: ByPolicy})
	if err != nil {
		return Record{}, err
	}
	event := Event{Kind: EventDenied, Actor: actor(r.Submission.By), To: Denied, Detail: ruled(r.Decision)}
	return Record{Request: r, Event: event, Quota: Quota{Requester: who.ID()}}, nil
}

// changed answers a form some of whose servers cannot be asked for. What a form for one of these would leave on record
// is recorded: a denial, or in the history of the request that holds the server that it was asked for again. Losing
// that loses no request, so its failure is only logged.
func (d *BatchDesk) changed(ctx context.Context, form BatchForm, rows []RowVerdict) BatchAnswer {
	var all sync.WaitGroup // together, so that they share a commit
	for i, v := range rows {
		if !v.Fits() {
			all.Go(func() { d.noteRow(ctx, form.row(i), v) })
		}
	}
	all.Wait()
	return BatchAnswer{Kind: BatchChanged, Rows: rows}
}

func (d *BatchDesk) noteRow(ctx context.Context, s Submission, v RowVerdict) {
	var err error
	switch {
	case v.record.Request.State == Denied:
		err = d.noteDenial(ctx, v.record)
	case v.Held != nil:
		d.askedAgain(ctx, s, *v.Held)
	case len(v.Blockers) > 0:
		_, err = d.blocked(ctx, s, v.Blockers)
	}
	if err != nil {
		d.Log.Warn("recording that a server of a list was refused", "server", s.Card.Server.ID, "err", err)
	}
}

// noteDenial records a denial as a request of its own. Its id is not the one that the server's request has if the same
// list is let in later.
func (d *BatchDesk) noteDenial(ctx context.Context, rec Record) error {
	rec.Request.Submission.View += " refused"
	rec.Request.ID = rec.Request.Submission.ID(d.Intake.Installation())
	rec.Request.Ref = ReferenceOf(d.Intake.HMACKey(), rec.Request.ID)
	recorded, err := d.Intake.Record(ctx, rec)
	if recorded.Fresh {
		d.CountDenial(rec.Request.Decision.Rule)
	}
	return err
}
