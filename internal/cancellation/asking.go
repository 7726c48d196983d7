package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// mostAsked limits how many people are asked by direct message about a request whose card can be
// in no channel. If the request needs more approvals than that, as many people are asked.
const mostAsked = 5

// asker asks people for an approval if no channel shows them the request.
type asker struct {
	requests Requests
	notices  Notices
	clock    Clock
	policy   authority
	notify   func() // rings the Notifier
}

func (f *Filer) asker() asker {
	return asker{f.Requests, f.Notices, f.Clock, f.authority(), f.Notifier.Wake}
}

func (n *Notifier) asker() asker {
	return asker{n.Requests, n.Notices, n.Clock, authority{n.Policy(), n.Directory}, n.Wake}
}

// askWithoutCard calls askDirectly for a request that only its requester sees, unless a card is
// owed to the operators' channel. That card asks; if Slack refuses it, people are asked directly.
func (a asker) askWithoutCard(ctx context.Context, r Request) error {
	notices, err := a.notices.Notices(ctx, r.ID)
	if err != nil || slices.ContainsFunc(notices, func(n Notice) bool { return n.Kind == ApprovalCard }) {
		return err
	}
	return a.askDirectly(ctx, r)
}

// askDirectly owes a card by direct message to some people who could approve, unless a channel
// shows them the request. If there is nobody, it tells the requester.
func (a asker) askDirectly(ctx context.Context, r Request) error {
	notices, err := a.notices.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(notices, Notice.asks) {
		return nil
	}
	if r.Batch != "" {
		return a.askAboutBatch(ctx, r)
	}
	asked, err := a.toAsk(ctx, r)
	if err != nil {
		return fmt.Errorf("finding whom to ask about %s: %w", r.Ref.Short(), err)
	}
	if len(asked) == 0 {
		asked = []string{r.Submission.By.ID}
	}
	for _, user := range asked {
		if err := a.owePerson(ctx, r, user); err != nil {
			return err
		}
	}
	return nil
}

func (a asker) owePerson(ctx context.Context, r Request, user string) error {
	_, err := a.notices.Owe(ctx, r.ID, Direct(user), Place{})
	a.notify()
	return err
}

// toAsk returns the users to ask: those who could approve, without guests, bots, strangers and
// deactivated accounts.
func (a asker) toAsk(ctx context.Context, r Request) ([]string, error) {
	return a.people(ctx, r, max(mostAsked, r.Decision.Approvals))
}

// people returns the first of them, up to most.
func (a asker) people(ctx context.Context, r Request, most int) ([]string, error) {
	now, err := a.clock.Now(ctx)
	if err != nil {
		return nil, err
	}
	requester, err := a.policy.person(ctx, r.Submission.By, MaxPrincipalAge)
	if err != nil {
		return nil, err
	}
	who, _, err := a.policy.approvers(ctx, r, requester, now)
	if err != nil {
		return nil, err
	}
	return a.policy.reachable(ctx, who, max(mostAsked, r.Decision.Approvals))
}

// reachable returns the users among these who can be asked: at most most, without guests, bots,
// strangers and deactivated accounts.
func (a authority) reachable(ctx context.Context, who []authz.Principal, most int) ([]string, error) {
	var users []string
	for _, candidate := range who {
		if len(users) == most {
			break
		}
		p, err := a.person(ctx, Person{Team: candidate.Team, ID: candidate.User}, MaxPrincipalAge)
		if err != nil {
			return nil, err
		}
		if !p.Guest && !p.Bot && !p.Deactivated && !p.Stranger {
			users = append(users, candidate.User)
		}
	}
	return users, nil
}

// Powers are what a person may do about a request, by the policy in force. Each decision is the
// policy's on the server as its card showed it, in the request's own context.
type Powers struct {
	Request   Request
	By        Person         // with their id in the whole enterprise
	Requester bool           // the person asked for it
	Alone     authz.Decision // on having the server cancelled
	Approve   authz.Decision // on approving what the requester asked for
}

// Powers reads the request and the people of a press, and asks the policy what the one who pressed may do.
// The error wraps ErrNoRequest, or ErrPeopleUnread.
func (d *Desk) Powers(ctx context.Context, press Press) (Powers, error) {
	r, err := d.Requests.Request(ctx, press.Request)
	if err != nil {
		return Powers{}, fmt.Errorf("reading the request that was clicked on: %w", err)
	}
	all, err := d.PowersOver(ctx, press.By, []Request{r})
	if err != nil {
		return Powers{Request: r}, err
	}
	return all[0], nil
}

// PowersOver asks the policy what a person may do about each of some requests, which one person asked for. It
// reads both people once. The error wraps ErrPeopleUnread.
func (d *Desk) PowersOver(ctx context.Context, by Person, requests []Request) (all []Powers, err error) {
	if len(requests) == 0 {
		return nil, nil
	}
	c, err := d.clicker(ctx, requests[0], by)
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		server := r.Submission.Card.Server
		p := Powers{Request: r, By: c.person(), Requester: c.isRequester()}
		p.Alone = c.policy.Decide(c.principal, server.Resource(), r.Submission.Context(server, c.now))
		_, p.Approve = c.policy.mayGive(c.principal, c.requester, r, 0, c.now)
		all = append(all, p)
	}
	return all, nil
}

// NoteRefusal records that a rule refused what a person wanted to do about a request, once for each
// person and rule.
func (d *Desk) NoteRefusal(ctx context.Context, p Powers, refused authz.Decision) {
	d.noteRefusal(ctx, Click{Kind: ClickRefused, Request: p.Request, Decision: refused}, p.By)
}

// WhoMayApprove returns at most mostAsked users who may approve on a request's server, whether they
// have approved the request or not.
func (d *Desk) WhoMayApprove(ctx context.Context, r Request) ([]string, error) {
	now, err := d.Clock.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the database's time: %w", err)
	}
	policy := d.authority()
	requester, err := policy.person(ctx, r.Submission.By, MaxPrincipalAge)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
	}
	r.Approvals = nil
	who, _, err := policy.approvers(ctx, r, requester, now)
	if err != nil {
		return nil, err
	}
	return policy.reachable(ctx, who, mostAsked)
}

// escalate owes news of a request to some people who may approve it, whether they did or not.
func (a asker) escalate(ctx context.Context, r Request, n News) error {
	anew := r
	anew.Approvals = nil
	users, err := a.people(ctx, anew, mostAsked)
	if err != nil {
		return fmt.Errorf("finding who may approve %s: %w", r.Ref.Short(), err)
	}
	var news []News
	for _, user := range users {
		news = append(news, News{To: user, Kind: n.Kind, Detail: n.Detail})
	}
	return a.notices.OweNews(ctx, r.ID, news)
}

// Quota is a request's slot in one person's day. Two requests at once cannot both take the last
// slot. Denials take none: their Slot is 0.
type Quota struct {
	Requester string // "TEAM/USER"
	Day       int64  // since 1970 UTC
	Slot      int64  // from 1: the next one as far as the caller knows
	Most      int64  // the last one of a day
	Exact     bool   // the decision was made for this slot, so the request takes no other one
}

// SlotTakenError says that another request took the slot for which a request was decided. Nothing was
// recorded.
type SlotTakenError struct {
	Day  int64
	Next int64 // the first slot of that day that is free
}

// Error says which slot is free.
func (e *SlotTakenError) Error() string {
	return fmt.Sprintf("another request took the slot of day %d; the next one is %d", e.Day, e.Next)
}

// nextSlot returns the next slot of a person's day, which may be beyond the last one. If another
// request took a slot of that day since it was read, the next one comes after that.
func (d *Desk) nextSlot(ctx context.Context, who authz.Principal, now time.Time, taken *SlotTakenError) (Quota, error) {
	q := Quota{Requester: who.ID(), Day: QuotaDay(now), Most: int64(d.Terms.ServersPerDay)}
	asked, err := d.Intake.Asked(ctx, q.Requester, q.Day)
	if q.Slot = asked + 1; taken != nil && taken.Day == q.Day {
		q.Slot = max(q.Slot, taken.Next)
	}
	return q, err
}

// whileTaken decides again for as long as another request takes the slot that was decided about. Each
// time the slot is a later one, so it ends.
func whileTaken[Answer any](decide func(taken *SlotTakenError) (Answer, error)) (Answer, error) {
	answer, err := decide(nil)
	for {
		taken, again := errors.AsType[*SlotTakenError](err)
		if !again {
			return answer, err
		}
		answer, err = decide(taken)
	}
}

func (q Quota) full() bool { return q.Slot > q.Most }

// Today returns how many servers a person will have asked for today with the next one.
func (d *Desk) Today(ctx context.Context, who authz.Principal) (int64, error) {
	now, err := d.Clock.Now(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the database's time: %w", err)
	}
	q, err := d.nextSlot(ctx, who, now, nil)
	return q.Slot, err
}

// Full reports whether a person has no slot left today, so that a form would be refused.
func (d *Desk) Full(ctx context.Context, who authz.Principal) (bool, error) {
	next, err := d.Today(ctx, who)
	return err == nil && next > int64(d.Terms.ServersPerDay), err
}

// HourFullError says that this hour already has as many filings as it may have. Nothing was changed.
type HourFullError struct{ Next time.Time } // when the next hour begins

// Error says which limit is reached.
func (e *HourFullError) Error() string {
	return "the limit of filings an hour, for the whole deployment, is reached"
}

// QuotaDay returns the day of a time, as Quota.Day counts days.
func QuotaDay(now time.Time) int64 { return now.Unix() / (24 * 60 * 60) }

// MissingScopeError says that the bot's Slack app lacks a right, so that reading people fails until
// somebody gives the app that right.
type MissingScopeError struct {
	Scope string // in Slack's words, such as "users:read"
	Err   error
}

// Error returns Slack's answer.
func (e *MissingScopeError) Error() string { return e.Err.Error() }

// Unwrap returns the error as it came.
func (e *MissingScopeError) Unwrap() error { return e.Err }

// askElsewhere asks other people for an approval after Slack refused a message that asked. If nobody
// can be asked, it tells the requester.
func (n *Notifier) askElsewhere(ctx context.Context, notice Notice, r Request) error {
	news, here, escalates := notice.Kind.Escalation()
	class, _, gathers := notice.Kind.Gathering()
	switch to := notice.Kind.Recipient(); {
	case gathers && strings.HasPrefix(class, escalated):
		return n.escalateAllHere(ctx, notice, r)
	case escalates && !here:
		return n.escalateHere(ctx, r, news)
	case notice.Kind.OfBatch():
		return n.askElsewhereAboutBatch(ctx, notice, r)
	case r.State != Pending:
	case notice.Way == ByChannel && (notice.Kind == Result || notice.Kind == ApprovalCard):
		return n.asker().askDirectly(ctx, r)
	case to != "" && to != r.Submission.By.ID:
		return n.askedNobody(ctx, notice, r)
	}
	return nil
}

// escalateHere escalates news of a request after Slack refused the escalation channel.
func (n *Notifier) escalateHere(ctx context.Context, r Request, news News) error {
	notices, err := n.Notices.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	next := r.Escalating("", news, notices)
	_, err = n.Notices.Owe(ctx, r.ID, next.Kind, next.Place)
	n.Wake()
	return err
}

// askedNobody tells the requester that nobody could be asked, if this message was refused and no
// other message asks anybody. If another message is still to be tried, it leaves that to it.
func (n *Notifier) askedNobody(ctx context.Context, refused Notice, r Request) error {
	notices, err := n.Notices.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(notices, func(notice Notice) bool {
		to := notice.Kind.Recipient()
		others := to != "" && to != r.Submission.By.ID && notice.Kind != refused.Kind
		untried := notice.Posts == 0 || notice.Posts == 1 && notice.Posting
		return notice.asks() || others && (notice.TS != "" || untried)
	}) {
		return nil
	}
	return n.asker().owePerson(ctx, r, r.Submission.By.ID)
}
