package cancellation

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// expireOrRemind ends a request that was not approved in time. Before that it makes sure that somebody
// is asked, and owes the one reminder.
func (f *Filer) expireOrRemind(ctx context.Context, h *claimedRow) error {
	r, now := h.request(), h.claimed
	if !now.Before(r.ExpiresAt) {
		return f.expire(ctx, h)
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
	next := r
	next.Reminded, next.Due = true, r.ExpiresAt
	owed, kind := reminders(r, notices, now), EventReminded
	if len(owed) == 0 { // nobody is reminded, so the history says nothing
		kind = ""
	}
	return f.apply(ctx, h, next, kind, "", false, func(c *Change) { c.Owe = owed })
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
