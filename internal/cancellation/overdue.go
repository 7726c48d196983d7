package cancellation

import (
	"context"
	"maps"
	"time"
)

// OverdueAge is how long a request may be under way, be stuck, or owe its result before that is
// reported.
const OverdueAge = 10 * time.Minute

// overduePage is how many overdue requests are read at a time. All pages are read, so that requests
// which were reported before do not hide new ones.
const overduePage = 100

// Overdue is a request that takes too long.
type Overdue struct {
	Request Request
	Owed    time.Time // since when its result is owed; zero if it is overdue for another reason
}

// watch reports each overdue request once: in this process's log, and in the operators' channel if
// there is one.
func (n *Notifier) watch(ctx context.Context) {
	said := map[string]bool{}
	for {
		said = n.sayOverdue(ctx, said)
		pause := time.NewTimer(n.Limits.Watch)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}

// sayOverdue reports the overdue requests that are not in said, and returns the ids of all that have
// been reported. If not all could be read, the ids in said stay.
func (n *Notifier) sayOverdue(ctx context.Context, said map[string]bool) map[string]bool {
	now := map[string]bool{}
	var last Request
	for {
		page, err := n.Notices.Overdue(ctx, OverdueAge, last, overduePage)
		if err != nil {
			if ctx.Err() == nil {
				n.Log.Error("looking for overdue requests", "err", err)
			}
			maps.Copy(said, now)
			return said
		}
		for _, o := range page {
			now[o.Request.ID] = said[o.Request.ID] || n.alarm(ctx, o)
		}
		if len(page) < overduePage {
			return now
		}
		last = page[len(page)-1].Request
	}
}

// alarm logs an overdue request and owes the operators' channel a notice. It returns false if that
// notice could not be recorded.
func (n *Notifier) alarm(ctx context.Context, o Overdue) bool {
	r := o.Request
	n.Log.Error("a request takes too long", "ref", r.Ref.Short(), "state", r.State, "since", r.Since, "why", r.Why, "result_owed_since", o.Owed)
	if n.NotifyChannel == "" {
		return true
	}
	if _, err := n.Notices.Owe(ctx, r.ID, Alarm, Place{Channel: n.NotifyChannel}); err != nil {
		n.Log.Error("raising the alarm", "ref", r.Ref.Short(), "err", err)
		return false
	}
	n.Wake()
	return true
}
