package cancellation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// expireOrRemind ends the waiting for approval when its time is over. Until then it sees to it
// that somebody is asked, and owes the one reminder.
func (f *Filer) expireOrRemind(ctx context.Context, h *claimedRow) error {
	r, now := h.request(), h.claimed
	if !now.Before(r.ExpiresAt) {
		return f.expire(ctx, h)
	}
	if r.Submission.Place.private() { // no channel shows it
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
	next := r
	next.Reminded, next.Due = true, r.ExpiresAt
	owed, kind := reminders(r, notices, now), EventReminded
	if len(owed) == 0 { // nobody is: the history does not say so
		kind = ""
	}
	return f.apply(ctx, h, next, kind, "", false, func(c *Change) { c.Owe = owed })
}

// expire ends the waiting. Where the store may know less than was done, SoftLayer's books
// are read before it is said that nothing was filed; what they do not rule out needs a person.
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
		return f.again(ctx, h, &f.softlayer, "reading SoftLayer's records", err)
	}
	switch v := found.verdict(); {
	case v == nil || v.to == Duplicate: // somebody else's ticket: none of this request's
		return f.commit(ctx, h, verdict{to: Expired})
	case v.to == Filed:
		return f.commit(ctx, h, *stuck(WhyUnclear, fmt.Sprintf("ticket %d may be this request's", v.ticket.ID)))
	default:
		return f.commit(ctx, h, *v)
	}
}

// putOff gives a request back until there is something to do for it.
func (f *Filer) putOff(ctx context.Context, h *claimedRow, r Request) error {
	if r.Due, r.Attempts = r.ExpiresAt, 0; !r.Reminded {
		r.Due = r.remindAt(r.Since)
	}
	return f.putBack(ctx, h, r, r.Why)
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
