package cancellation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// MaxServerAge is how old the read of a server may be when the POST is written.
const MaxServerAge = 5 * time.Second

// checkTime is how long the reads and checks before a POST may take. People are read that much
// fresher than MaxPrincipalAge, so that they are not too old when the POST is written.
const checkTime = 20 * time.Second

// errUnread says that SoftLayer's answer left out a fact that the card had. That is unread, which
// is not the same as changed.
var errUnread = errors.New("SoftLayer's answer left that out")

// verdict is where a step leads: the next state, and why.
type verdict struct {
	to       State
	why      Reason
	ticket   TicketID
	found    *Ticket         // the request's own, if a read found it and not the answer to the last POST
	retry    time.Duration   // how long the request waits at least before its next step
	decision *authz.Decision // nil if the policy was not asked

	approvals []Approval // of a request that goes back to Pending: those that still count
	afterLost bool       // a check refused, and an answer was lost before
	answer    *Answered  // SoftLayer's answer that leads there; nil if it was not asked to file
}

// detail is what the log says: the rule if one decided, then the reason.
func (v verdict) detail() string {
	if v.afterLost {
		v.afterLost = false
		return "checks-failed-after-it: " + v.detail()
	}
	switch {
	case v.decision == nil:
		return v.why.String()
	case v.why == Reason{}:
		return v.decision.Rule
	case v.why.By == ByPolicy && v.decision.Reason == "": // it begins with the rule
		return v.why.Detail
	}
	return v.decision.Rule + ": " + v.why.String()
}

func stuck(code ReasonCode, detail string) *verdict {
	return &verdict{to: Stuck, why: because(code, detail)}
}

// filed is the verdict of a POST that made a ticket.
func filed(t TicketID) *verdict { return &verdict{to: Filed, ticket: t} }

// found is the verdict of a ticket of the request's own, whichever POST made it.
func found(t Ticket) *verdict { return &verdict{to: Filed, ticket: t.TicketID, found: &t} }

// ticketOn puts the verdict's ticket on the request.
func (v verdict) ticketOn(r Request) Request {
	if v.found != nil {
		return r.filedWith(*v.found)
	}
	r.Ticket = v.ticket
	return r
}

// file moves a scheduled request to its POST, or to the state that says why there is none.
func (f *Filer) file(ctx context.Context, h *claimedRow) error {
	r := h.request()
	if h.claimed.Before(r.UndoUntil) { // people may still undo it
		r.Due = r.UndoUntil
		return f.putBack(ctx, h, r, r.Why)
	}
	if r.Recheck == RecheckSettled {
		return f.settle(ctx, h)
	}
	if r.Recheck == RecheckOnce || r.LostPosts > 0 {
		found, err := f.reader().read(ctx, r)
		if err != nil {
			return f.again(ctx, h, &f.softlayer, unreadBecause(err, WhyRecordsUnread), err)
		}
		if v := found.verdict(); v != nil {
			return f.commit(ctx, h, *v)
		}
	}
	return f.checkAndPost(ctx, h)
}

// checkAndPost makes the last checks on fresh data, and POSTs at most once.
func (f *Filer) checkAndPost(ctx context.Context, h *claimedRow) error {
	r := h.request()
	if handled, err := f.frozen(ctx, h); handled {
		return err
	}
	policy := f.authority()
	began := moments{person: time.Now()}
	principal, err := policy.person(ctx, r.Submission.By, MaxPrincipalAge-checkTime)
	if err != nil {
		return f.again(ctx, h, f.Slack, Reason{Code: WhyRequesterUnread}, err)
	}
	approvers, err := readApprovers(ctx, policy, r)
	if err != nil {
		return f.again(ctx, h, f.Slack, Reason{Code: WhyApproverUnread}, err)
	}
	began.server = time.Now()
	server, err := f.Servers.Server(ctx, r.Submission.Card.Server.ID)
	gone := errors.Is(err, ErrServerNotFound)
	if err != nil && !gone {
		return f.again(ctx, h, &f.softlayer, unreadBecause(err, WhyServerUnread), err)
	}
	if unread := server.unreadOnlyHere(r.Submission.Card.Server, r.Submission.Associated); !gone && len(unread) > 0 {
		return f.again(ctx, h, &f.softlayer, because(WhyServerUnread, listed(unread)), errUnread)
	}
	v, err := f.check(ctx, h, people{policy: policy, requester: principal, approvers: approvers}, server, gone)
	switch unlisted, is := errors.AsType[*unlistedError](err); {
	case is:
		f.Log.Warn("a request waits for a user group that Slack does not list", "ref", r.Ref.Short(), "rule", unlisted.refused.Rule)
		return f.wait(ctx, h, r, Reason{Code: WhyGroupUnlisted}, backoff(unlistedPause))
	case err != nil:
		return f.again(ctx, h, &f.softlayer, unreadBecause(err, WhyTicketUnread), err)
	}
	if v.to != Filing {
		return f.commit(ctx, h, afterLost(r, *v))
	}
	return f.post(ctx, h, *v, began)
}

// unlistedError says that a refusal depends on who is in a user group that Slack does not list. The
// group may be disabled for a moment, so the refusal ends no request.
type unlistedError struct{ refused authz.Decision }

func (e *unlistedError) Error() string {
	return "Slack does not list a user group that the policy names, and its members decide this"
}

// unlistedPause is how long a request waits before the group is looked for again.
const unlistedPause = 6 // of backoff's doublings: about a minute

// moments are the times at which the reads and the commit before a POST began.
type moments struct{ person, server, commit time.Time }

// check returns where a request goes: to Filing, or to the state that says why it must not be filed.
// It judges by the time of the claim, which is never ahead, so that no warning seems older than it is.
func (f *Filer) check(ctx context.Context, h *claimedRow, by people, now Server, gone bool) (*verdict, error) {
	r, at := h.request(), h.claimed
	shown, associated := r.Submission.Card.Server, r.Submission.Associated
	switch {
	case gone:
		return &verdict{to: Rejected, why: Reason{Code: WhyNotFound}}, nil
	case now.OpenTicket != nil:
		return f.reader().judgeNamed(ctx, r, now.OpenTicket.ID, now)
	}
	if changed := Changed(shown, now, associated); len(changed) > 0 {
		return &verdict{to: Rejected, why: because(WhyChanged, listed(changed))}, nil
	}
	if blockers := now.Blockers(); len(blockers) > 0 {
		return &verdict{to: Rejected, why: because(WhyBlocked, listed(blockers))}, nil
	}
	if warned := r.Submission.Card.NewWarnings(now, at); len(warned) > 0 {
		return &verdict{to: Rejected, why: because(WhyWarned, listed(warned))}, nil
	}
	d := by.policy.Decide(by.requester, now.Resource(), r.Submission.Context(now, at))
	switch {
	case d.Effect == authz.Allowed:
		return &verdict{to: Filing, decision: &d, approvals: r.Approvals}, nil
	case d.Effect == authz.NeedsApproval:
		return countApprovals(r, by, now, at, d)
	case d.Unlisted:
		return nil, &unlistedError{d}
	default:
		return &verdict{to: Denied, why: Reason{Detail: d.Ground(), By: ByPolicy}, decision: &d}, nil
	}
}

// people are those on whom a request depends, as Slack knows them now, and the policy that decides
// about them.
type people struct {
	policy    Policy
	requester authz.Principal
	approvers []authz.Principal // one for each of Request.Approvals
}

func (f *Filer) authority() authority { return authority{f.Policy(), f.Directory} }

func readApprovers(ctx context.Context, policy authority, r Request) ([]authz.Principal, error) {
	var all []authz.Principal
	for _, a := range r.Approvals {
		p, err := policy.person(ctx, a.here(), MaxPrincipalAge-checkTime)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// countApprovals asks the policy about every approval again. Each counts only if it would be allowed
// now, after the earlier ones that count.
func countApprovals(r Request, by people, now Server, at time.Time, d authz.Decision) (*verdict, error) {
	var valid []Approval
	var unlisted *unlistedError
	counted := map[string]bool{} // two ids that pressed may be one person by now
	for i, a := range r.Approvals {
		if counted[by.approvers[i].ID()] {
			continue
		}
		decision := by.policy.Approve(by.approvers[i], by.requester, now.Resource(), r.Submission.Context(now, at), len(valid))
		switch {
		case decision.Effect == authz.Allowed:
			valid = append(valid, a)
			counted[by.approvers[i].ID()] = true
		case decision.Unlisted:
			unlisted = &unlistedError{decision}
		}
	}
	switch missing := len(valid) < max(d.Approvals, 1); {
	case missing && unlisted != nil:
		return nil, unlisted
	case missing:
		r.Approvals = valid
		d.Asked = authority{Policy: by.policy}.asked(r, by.requester, at)
		return &verdict{to: Pending, why: Reason{Code: WhyTooFew}, decision: &d, approvals: valid}, nil
	}
	return &verdict{to: Filing, decision: &d, approvals: valid}, nil
}

// afterLost turns an end that says "nothing was filed" into Stuck if the request lost an answer
// before, because then nobody can say that.
func afterLost(r Request, v verdict) verdict {
	if r.LostPosts == 0 || (v.to != Rejected && v.to != Denied && v.to != Pending) {
		return v
	}
	v.to, v.afterLost = Stuck, true
	return v
}

// listed returns several codes as the detail of one reason.
func listed[Code ~string](codes []Code) string {
	all := make([]string, len(codes))
	for i, code := range codes {
		all[i] = string(code)
	}
	return strings.Join(all, ", ")
}

// post announces the POST by committing Filing, makes it once, and records its outcome. If this bot only
// practises, the request ends here, with nothing announced, counted or sent.
func (f *Filer) post(ctx context.Context, h *claimedRow, v verdict, began moments) error {
	if f.Writer == nil {
		return f.commit(ctx, h, afterLost(h.request(), verdict{to: Rejected, why: Reason{Code: WhyPractice}, decision: v.decision}))
	}
	began.commit = time.Now()
	next, err := h.request().Move(Filing, ByWorker, Reason{})
	if err != nil {
		return err
	}
	next.Posts++
	next.Recheck, next.CleanSince, next.Decision, next.Approvals = NoRecheck, time.Time{}, *v.decision, v.approvals
	order := next.order()
	begins := func(c *Change) {
		c.Window, c.HourMost = f.Limits.PostTimeout, f.Limits.FilingsPerHour
		c.Event.Detail = announced(v, order, began, c.From.CleanSince)
	}
	err = f.apply(ctx, h, next, EventMoved, v.detail(), true, begins)
	full, isFull := errors.AsType[*HourFullError](err)
	switch {
	case errors.Is(err, ErrFrozen):
		order, unread := f.Freezes.Frozen(ctx)
		return errors.Join(unread, f.waitFrozen(ctx, h, order))
	case isFull:
		return f.waitForHour(ctx, h, full)
	case err != nil:
		return err
	}
	h.counted = h.request().SentAt
	until, ok := f.mayPost(ctx, h.request(), began)
	switch {
	case !ok:
		return f.commit(ctx, h, unsent(WhyTooLate))
	case f.Policy().Digest() != v.decision.PolicyDigest: // docs/design.md 2.11
		return f.commit(ctx, h, unsent(WhyPolicyChanged))
	}
	posting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return f.record(ctx, h, f.Writer.RequestCancellation(posting, order))
}

// unsent is the verdict of an announced POST that was not made.
func unsent(why ReasonCode) verdict {
	return verdict{to: Scheduled, why: Reason{Code: why}, retry: time.Second}
}

// mayPost checks the clocks for the last time before the POST. The database's time must be
// before not-after. By the monotonic and by the wall clock this process must have asked for the
// commit less than PostTimeout ago: a suspended machine stops the monotonic clock, a stopped
// process stops neither. until is not-after by this process's clocks. It is counted from before
// the database was asked, so that neither a slow answer nor a sleep after it extends it.
func (f *Filer) mayPost(ctx context.Context, r Request, began moments) (until time.Time, ok bool) {
	asked := time.Now()
	at, err := f.Clock.Now(ctx)
	if err != nil {
		return time.Time{}, false
	}
	left := r.NotAfter.Sub(at)
	now := time.Now()
	return asked.Add(left), left > 0 && passed(began.commit, now) < f.Limits.PostTimeout &&
		passed(began.server, now) <= MaxServerAge && passed(began.person, now) <= checkTime
}

// passed is the longer of the monotonic and the wall-clock difference.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// record stores the outcome of a POST. Nobody else knows it, so if the database refuses it, record
// tries again until the step's time is over.
func (f *Filer) record(ctx context.Context, h *claimedRow, o Outcome) error {
	for try := 0; ; try++ {
		err := f.recordOnce(ctx, h, o)
		if err == nil {
			return nil
		}
		err = fmt.Errorf("recording the answer %q, ticket %d: %w", o.Kind, o.Ticket.ID, err)
		if errors.Is(err, ErrUnclear) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff(try)):
		}
	}
}

// recordOnce stores the outcome. If the lease was lost meanwhile, it keeps the answer in the history
// as evidence for the worker that settles the request.
func (f *Filer) recordOnce(ctx context.Context, h *claimedRow, o Outcome) error {
	v, err := f.meaning(ctx, h.request(), o)
	if err != nil {
		v = verdict{to: Unknown, why: Reason{Detail: o.Text}, ticket: o.Ticket}
	}
	answer := o.answered()
	v.answer = &answer
	err = f.persist(ctx, h, v, o.Kind == AnswerLost)
	if errors.Is(err, ErrMoved) {
		return f.Requests.Note(ctx, h.request().ID, lateAnswer(f.Owner, o))
	}
	return err
}

// meaning returns the verdict of an answer. An error means that a ticket which SoftLayer named could
// not be read now.
func (f *Filer) meaning(ctx context.Context, r Request, o Outcome) (verdict, error) {
	switch o.Kind {
	case Made:
		return *filed(o.Ticket), nil
	case Refused:
		return afterLost(r, verdict{to: Rejected, why: Reason{Detail: o.Text, By: BySoftLayer}}), nil
	case NotMade:
		f.Log.Error("SoftLayer took no request; trying again", "ref", r.Ref.Short(), "answer", o.Text)
		return verdict{to: Scheduled, why: because(WhyWaiting, o.Text), retry: max(o.Retry, backoff(r.Attempts))}, nil
	case AlreadyOpen:
		server, err := f.Servers.Server(ctx, r.Submission.Card.Server.ID)
		if err != nil {
			return verdict{}, err
		}
		v, err := f.reader().judgeNamed(ctx, r, o.Ticket.ID, server)
		if err != nil {
			return verdict{}, err
		}
		return *v, nil
	default:
		return verdict{to: Unknown, why: Reason{Detail: o.Text}}, nil
	}
}

// judgeNamed judges a ticket that SoftLayer named as the one that stands.
func (b recordReader) judgeNamed(ctx context.Context, r Request, id int64, server Server) (*verdict, error) {
	ticket, err := b.tickets.Ticket(ctx, id)
	if errors.Is(err, ErrTicketHidden) {
		return ruling(r, Ticket{TicketID: TicketID{ID: id}}, server), nil
	}
	if err != nil {
		return nil, err
	}
	return ruling(r, ticket, server), nil
}
