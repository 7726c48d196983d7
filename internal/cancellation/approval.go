package cancellation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// Approval is one person's yes to somebody else's request.
type Approval struct {
	By   Person // with their id in the whole enterprise, so that one person counts once
	Here string `json:",omitempty"` // their id in the workspace where they pressed; Slack is asked about them by it
	At   time.Time
	Rule string // the policy rule that allowed it
	// Policy is the digest of the policy that allowed it; "" if an older build recorded it.
	Policy string `json:",omitempty"`
}

// here is the approver as Slack knows them in this workspace.
func (a Approval) here() Person {
	return Person{Team: a.By.Team, ID: cmp.Or(a.Here, a.By.ID), Name: a.By.Name}
}

// User is the approver's Slack user id in the workspace where they pressed.
func (a Approval) User() string { return a.here().ID }

// Terms are how long people may take, and how much they may ask for.
type Terms struct {
	ApprovalExpiry time.Duration // how long a request waits for approval
	UndoWindow     time.Duration // an accepted request is not filed before this is over; 0 for at once
	ServersPerDay  int           // how many servers one person may ask for in a day (UTC)
	Turn           time.Duration // of one request of a batch: [Turn]
}

// reminderLead is how long before the deadline approvers are reminded.
const reminderLead = 4 * time.Hour

// awaiting returns the request as it begins to wait for approval. If it waits again and its
// approvers were reminded before, they are not reminded again.
func (r Request) awaiting(now time.Time, t Terms) Request {
	r.ExpiresAt, r.UndoUntil = now.Add(t.ApprovalExpiry), time.Time{}
	if r.Due = r.remindAt(now); r.Submission.Place.private() {
		r.Due = now // nobody is asked yet
	}
	return r
}

// AnswerBy returns the time by which approvers should answer: when the request expires, or, if
// it comes first, the cut-off that decides on which date the server goes. dear is true then.
func (r Request) AnswerBy() (at time.Time, dear bool) {
	cutoff := r.Submission.Card.End().Cutoff
	if cutoff.After(r.Since) && cutoff.Before(r.ExpiresAt) {
		return cutoff, true
	}
	return r.ExpiresAt, false
}

// remindAt returns when to remind approvers: reminderLead before [Request.AnswerBy], but not before
// half of the time is over.
func (r Request) remindAt(since time.Time) time.Time {
	r.Since = since
	end, _ := r.AnswerBy()
	return end.Add(-min(reminderLead, end.Sub(since)/2))
}

// authority is the policy that makes a decision (docs/design.md 2.11). It reads people with
// their memberships of the groups that this policy names.
type authority struct {
	Policy
	directory Directory
}

// errGroupsUnread says that a directory answered without the memberships that the policy needs.
var errGroupsUnread = errors.New("the user groups that the policy names were not read")

// person reads a person. It returns an error if their memberships were not read: it never returns
// them as a member of no group.
func (a authority) person(ctx context.Context, p Person, maxAge time.Duration) (authz.Principal, error) {
	groups := a.GroupIDs()
	who, err := a.directory.Principal(ctx, p, groups, maxAge)
	if err == nil && len(groups) > 0 && !who.GroupsKnown {
		err = errGroupsUnread
	}
	return who, err
}

// approvers finds who could approve a request, as far as the groups tell. It leaves out the
// requester and everyone who has approved already. People who could give the next approval come
// first, because a policy may want later approvals from other people. anyone reports that the
// policy lets people approve without naming any user or group.
func (a authority) approvers(ctx context.Context, r Request, requester authz.Principal, now time.Time) (who []authz.Principal, anyone bool, err error) {
	users, groups, anyone := a.Approvers()
	var members []authz.Principal
	if len(groups) > 0 {
		if members, err = a.directory.Members(ctx, a.GroupIDs(), MaxPrincipalAge); err != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrPeopleUnread, err)
		}
	}
	var later []authz.Principal
	for _, candidate := range candidates(users, members, requester) {
		switch earlier, d := a.mayGive(candidate, requester, r, len(r.Approvals), now); {
		case d.Effect != authz.Allowed || r.ApprovedBy(Person{Team: candidate.Team, ID: candidate.User}):
		case earlier == len(r.Approvals):
			who = append(who, candidate)
		default:
			later = append(later, candidate)
		}
	}
	_, stranger := a.mayGive(inNoGroup(requester.Team, "U", requester), requester, r, len(r.Approvals), now)
	return append(who, later...), anyone && stranger.Effect == authz.Allowed, nil
}

// asked returns the groups whose members may give one of the missing approvals, as the policy decides
// about somebody who is in that group alone.
func (a authority) asked(r Request, requester authz.Principal, now time.Time) []authz.AskedGroup {
	_, groups, _ := a.Approvers()
	var asked []authz.AskedGroup
	for _, id := range groups {
		if slices.Contains(requester.GroupsUnlisted, id) { // nobody knows who is in it
			continue
		}
		member := inNoGroup(requester.Team, "U", requester)
		member.Groups = []string{id}
		if _, d := a.mayGive(member, requester, r, len(r.Approvals), now); d.Effect == authz.Allowed {
			asked = append(asked, authz.AskedGroup{ID: id, Ping: slices.Contains(d.Pings, id)})
		}
	}
	return asked
}

// candidates returns the members of the policy's groups, and the users ("TEAM/USER") that it names.
func candidates(users []string, members []authz.Principal, requester authz.Principal) []authz.Principal {
	all := slices.Clone(members)
	for _, id := range users {
		if !slices.ContainsFunc(members, func(m authz.Principal) bool { return m.ID() == id }) {
			team, user, _ := strings.Cut(id, "/")
			all = append(all, inNoGroup(team, user, requester))
		}
	}
	return all
}

// inNoGroup returns a person who is in none of the groups that were read with the requester.
// Like anybody, they may still be in a group that Slack does not list.
func inNoGroup(team, user string, requester authz.Principal) authz.Principal {
	return authz.Principal{Team: team, User: user, GroupsKnown: true, GroupsUnlisted: requester.GroupsUnlisted}
}

// mayGive decides whether somebody could give one of the missing approvals, of which the first
// comes after given ones. earlier is how many approvals come before the one that they could give.
// If they could give none, the decision is the one on the first.
func (a authority) mayGive(who, requester authz.Principal, r Request, given int, now time.Time) (earlier int, d authz.Decision) {
	first := a.may(who, requester, r, given, now)
	if first.Effect == authz.Allowed {
		return given, first
	}
	for earlier = given + 1; earlier < r.Decision.Approvals; earlier++ {
		if d = a.may(who, requester, r, earlier, now); d.Effect == authz.Allowed {
			return earlier, d
		}
	}
	return given, first
}

// may asks the policy about the approval that comes after earlier ones, for the server as the
// requester's card showed it.
func (a authority) may(who, requester authz.Principal, r Request, earlier int, now time.Time) authz.Decision {
	server := r.Submission.Card.Server
	return a.Approve(who, requester, server.Resource(), r.Submission.Context(server, now), earlier)
}

// expireOrRemind ends a request that was not approved in time. Before that it makes sure that somebody
// is asked, and owes the one reminder.
func (f *Filer) expireOrRemind(ctx context.Context, h *claimedRow) error {
	r, now := h.request(), h.claimed
	if !now.Before(r.ExpiresAt) {
		return f.expire(ctx, h)
	}
	if r.Batch != "" { // the first of them that waits asks, and reminds, for all
		first, err := firstWaiting(ctx, f.Requests, r)
		if err != nil || !first {
			return errors.Join(err, f.standBehind(ctx, h, r))
		}
	}
	if r.Submission.Place.private() { // its channel shows it to nobody else
		if err := f.asker().askWithoutCard(ctx, r); err != nil {
			f.Log.Warn("asking for approval: trying again", "ref", r.Ref.Short(), "err", err)
			return f.wait(ctx, h, r, r.Why, backoff(r.Attempts))
		}
	}
	if r.Reminded || now.Before(r.remindAt(r.Since)) {
		return f.putOff(ctx, h, r)
	}
	notices, err := f.Notices.Notices(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading where %s is shown: %w", r.Ref.Short(), err)
	}
	owed := reminders(r, notices, now)
	if len(owed) == 0 && r.Batch != "" {
		if owed, err = f.asker().batchReminders(ctx, r, now); err != nil {
			f.Log.Warn("reminding people of a batch: trying again", "ref", r.Ref.Short(), "err", err)
			return f.wait(ctx, h, r, r.Why, backoff(r.Attempts))
		}
	}
	next, kind := r, EventReminded
	next.Reminded, next.Due = true, r.ExpiresAt
	if len(owed) == 0 { // nobody is reminded, so the history says nothing
		kind = ""
	}
	return f.apply(ctx, h, next, kind, "", false, func(c *Change) { c.Owe = owed })
}

// standBehind puts back a request of a batch of which another one asks for an approval and reminds people.
func (f *Filer) standBehind(ctx context.Context, h *claimedRow, r Request) error {
	if !h.claimed.Before(r.remindAt(r.Since)) {
		r.Reminded = true
	}
	return f.putOff(ctx, h, r)
}

// expire ends a request that was not approved in time. If the store may not know of a POST, it first
// reads SoftLayer's records, because expiring says that nothing was filed. If they do not prove that,
// the request is stuck.
func (f *Filer) expire(ctx context.Context, h *claimedRow) error {
	r := h.request()
	switch {
	case r.Recheck == NoRecheck:
		return f.commit(ctx, h, verdict{to: Expired})
	case r.maybeUnderWay(h.claimed):
		r.Due = r.NotAfter.Add(time.Millisecond)
		return f.putBack(ctx, h, r, r.Why)
	}
	found, err := f.reader().read(ctx, r)
	if err != nil {
		return f.again(ctx, h, &f.softlayer, Reason{Code: WhyRecordsUnread}, err)
	}
	switch v := found.verdict(); {
	case v == nil || v.to == Duplicate: // the ticket is somebody else's
		return f.commit(ctx, h, verdict{to: Expired})
	case v.to == Filed:
		return f.commit(ctx, h, *stuck(WhyMaybeOurs, strconv.FormatInt(v.ticket.ID, 10)))
	default:
		return f.commit(ctx, h, *v)
	}
}

// putOff puts a request back until its reminder is due or it expires.
func (f *Filer) putOff(ctx context.Context, h *claimedRow, r Request) error {
	if r.Due, r.Attempts = r.ExpiresAt, 0; !r.Reminded {
		r.Due = r.remindAt(r.Since)
	}
	return f.putBack(ctx, h, r, r.Why)
}

// approvalCards returns the request's card for the operators' channel. There is none without that
// channel, or if the request was asked for there.
func (r Request) approvalCards(channel string, now time.Time) []Notice {
	if channel == "" || channel == r.Submission.Place.Channel {
		return nil
	}
	return []Notice{{RequestID: r.ID, Kind: ApprovalCard, Place: Place{Channel: channel}, Due: now}}
}

// cardsAgain returns the card of a request that waits for approval after it was accepted: if it needed no
// approval then, it has none yet. A batch has one card for all of its requests: it is owed here, and none is returned.
func (f *Filer) cardsAgain(ctx context.Context, r Request, now time.Time) ([]Notice, error) {
	cards := r.approvalCards(f.NotifyChannel, now)
	if r.Batch == "" || len(cards) == 0 {
		return cards, nil
	}
	b, _, err := f.Requests.Batch(ctx, r.Batch)
	if err == nil {
		_, err = f.Notices.Owe(ctx, b.Lead, BatchCard, cards[0].Place)
	}
	if err != nil {
		return nil, fmt.Errorf("owing the card of a batch: %w", err)
	}
	return nil, nil
}

// reminders returns the reminders to owe, each in the thread of a message that approvers have: the
// card in the operators' channel, else the result message, else each direct message.
func reminders(r Request, notices []Notice, now time.Time) []Notice {
	for _, kind := range []NoticeKind{ApprovalCard, Result} {
		at := slices.IndexFunc(notices, func(n Notice) bool { return n.Kind == kind && n.asks() })
		if at >= 0 {
			return []Notice{notices[at].reply(Reminder, now)}
		}
	}
	var owed []Notice
	for _, n := range notices {
		if to := n.Kind.Recipient(); to != "" && to != r.Submission.By.ID && n.TS != "" {
			owed = append(owed, n.reply(DirectReminder(to), now))
		}
	}
	return owed
}

// reply returns a notice to owe in the thread of this notice's message.
func (n Notice) reply(kind NoticeKind, now time.Time) Notice {
	in := Place{Channel: n.Channel, Thread: cmp.Or(n.Place.Thread, n.TS)}
	return Notice{RequestID: n.RequestID, Kind: kind, Place: in, Due: now}
}

// asks reports whether a notice is a message in a channel, where approvers can answer it.
func (n Notice) asks() bool {
	return n.TS != "" && n.Way == ByChannel && (n.Kind == ApprovalCard || n.Kind == Result && !n.Place.private())
}

// private reports whether only the requester sees what is posted there.
func (p Place) private() bool { return p.Channel == "" || p.Alone }
