package cancellation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// mostAsked is how many people are asked by direct message, where a request's card can
// stand in no channel: more where more have to approve.
const mostAsked = 5

// wearOff ends the waiting for approval when its time is over. Until then it sees to it
// that somebody is asked, and owes the one reminder.
func (w *Worker) wearOff(ctx context.Context, h *held) error {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return err
	}
	r := h.request()
	if !now.Before(r.ExpiresAt) {
		return w.expire(ctx, h, now)
	}
	if r.Submission.Place.private() { // no channel shows it
		if err := w.askWithoutCard(ctx, r); err != nil {
			w.Log.Warn("asking for approval: trying again", "ref", r.Ref.Short(), "err", err)
			return w.wait(ctx, h, r, r.Why, backoff(r.Attempts))
		}
	}
	if r.Reminded || now.Before(r.remindAt(r.Since)) {
		return w.putOff(ctx, h, r)
	}
	notices, err := w.Journal.Notices(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("reading where %s is shown: %w", r.Ref.Short(), err)
	}
	next := r
	next.Reminded, next.Due = true, r.ExpiresAt
	owed, kind := reminders(r, notices, now), EventReminded
	if len(owed) == 0 { // nobody is: the history does not say so
		kind = ""
	}
	return w.apply(ctx, h, next, kind, "", false, func(c *Change) { c.Owe = owed })
}

// expire ends the waiting. Where the store may know less than was done, SoftLayer's books
// are read before it is said that nothing was filed; what they do not rule out needs a person.
func (w *Worker) expire(ctx context.Context, h *held, now time.Time) error {
	r := h.request()
	switch {
	case r.Recheck == NoRecheck:
		return w.commit(ctx, h, verdict{to: Expired})
	case r.maybeUnderWay(now):
		r.Due = r.NotAfter.Add(time.Millisecond)
		return w.putBack(ctx, h, r, r.Why)
	}
	found, err := w.reader().read(ctx, r)
	if err != nil {
		return w.again(ctx, h, &w.softlayer, "reading SoftLayer's books", err)
	}
	switch v := found.verdict(); {
	case v == nil || v.to == Duplicate: // somebody else's ticket: none of this request's
		return w.commit(ctx, h, verdict{to: Expired})
	case v.to == Filed:
		return w.commit(ctx, h, *stuck(WhyUnclear, fmt.Sprintf("ticket %d may be this request's", v.ticket.ID)))
	default:
		return w.commit(ctx, h, *v)
	}
}

// putOff gives a request back until there is something to do for it.
func (w *Worker) putOff(ctx context.Context, h *held, r Request) error {
	if r.Due, r.Attempts = r.ExpiresAt, 0; !r.Reminded {
		r.Due = r.remindAt(r.Since)
	}
	return w.putBack(ctx, h, r, r.Why)
}

// approvalCards are the request's card in the operators' channel, where there is one and
// it was not asked for there.
func (r Request) approvalCards(channel string, now time.Time) []Notice {
	if channel == "" || channel == r.Submission.Place.Channel {
		return nil
	}
	return []Notice{{RequestID: r.ID, Kind: ApprovalCard, Place: Place{Channel: channel}, Due: now}}
}

// reminders are owed in the thread of the message that approvers have: the operators'
// channel's, else the one where it was asked for, else that of each who was asked directly.
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

// reply is owed in the thread of a notice's message; a reply is no root of one.
func (n Notice) reply(kind NoticeKind, now time.Time) Notice {
	in := Place{Channel: n.Channel, Thread: cmp.Or(n.Place.Thread, n.TS)}
	return Notice{RequestID: n.RequestID, Kind: kind, Place: in, Due: now}
}

// asks reports whether a notice stands in a channel, where approvers can answer it.
func (n Notice) asks() bool {
	return n.TS != "" && n.Way == ByChannel && (n.Kind == ApprovalCard || n.Kind == Result && !n.Place.private())
}

// private reports whether nobody but the requester sees what is told there.
func (p Place) private() bool { return p.Channel == "" || p.Alone }

// askWithoutCard is askDirectly for a request that only its requester sees. Where a card is
// owed to the operators' channel, that one asks, or is refused and asks directly then.
func (w *Worker) askWithoutCard(ctx context.Context, r Request) error {
	notices, err := w.Journal.Notices(ctx, r.ID)
	if err != nil || slices.ContainsFunc(notices, func(n Notice) bool { return n.Kind == ApprovalCard }) {
		return err
	}
	return w.askDirectly(ctx, r)
}

// askDirectly owes a card by direct message to some who could approve, where no channel
// shows the request to them, and tells the requester where there is nobody.
func (w *Worker) askDirectly(ctx context.Context, r Request) error {
	notices, err := w.Journal.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(notices, Notice.asks) {
		return nil
	}
	asked, err := w.toAsk(ctx, r)
	if err != nil {
		return fmt.Errorf("finding whom to ask about %s: %w", r.Ref.Short(), err)
	}
	if len(asked) == 0 {
		asked = []string{r.Submission.By.ID}
	}
	for _, user := range asked {
		if err := w.owePerson(ctx, r, user); err != nil {
			return err
		}
	}
	return nil
}

func (w *Worker) owePerson(ctx context.Context, r Request, user string) error {
	_, err := w.Journal.Owe(ctx, r.ID, Direct(user), Place{})
	w.notices.Ring()
	return err
}

// toAsk are the users that could approve, without those that Slack says may not at all.
func (w *Worker) toAsk(ctx context.Context, r Request) ([]string, error) {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return nil, err
	}
	requester, err := w.Directory.Principal(ctx, r.Submission.By, MaxPrincipalAge)
	if err != nil {
		return nil, err
	}
	all := approvers{directory: w.Directory, policy: w.Policy}
	who, _, err := all.of(ctx, r, requester, now)
	if err != nil {
		return nil, err
	}
	var users []string
	for _, candidate := range who {
		if len(users) == max(mostAsked, r.Decision.Approvals) {
			break
		}
		p, err := w.Directory.Principal(ctx, Person{Team: candidate.Team, ID: candidate.User}, MaxPrincipalAge)
		if err != nil {
			return nil, err
		}
		if !p.Guest && !p.Bot && !p.Deactivated && !p.Stranger {
			users = append(users, candidate.User)
		}
	}
	return users, nil
}
