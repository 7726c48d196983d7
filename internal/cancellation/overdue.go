package cancellation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	if told, err := n.toldStuck(ctx, r); told || err != nil {
		return err == nil
	}
	if _, err := n.Notices.Owe(ctx, r.ID, Alarm, Place{Channel: n.NotifyChannel}); err != nil {
		n.Log.Error("raising the alarm", "ref", r.Ref.Short(), "err", err)
		return false
	}
	n.Wake()
	return true
}

// toldStuck reports whether it was told at once that a request needs a person.
func (n *Notifier) toldStuck(ctx context.Context, r Request) (bool, error) {
	if r.State != Stuck {
		return false, nil
	}
	notices, err := n.Notices.Notices(ctx, r.ID)
	if err != nil {
		n.Log.Error("reading what was told of a stuck request", "ref", r.Ref.Short(), "err", err)
	}
	return slices.ContainsFunc(notices, func(notice Notice) bool {
		news, _, escalates := notice.Kind.Escalation()
		return escalates && news.Kind == NewsStuck
	}), err
}

// needsPerson returns the notices that tell at once that the request, which is about to be stuck, needs a
// person.
func (r Request) needsPerson(ctx context.Context, requests Requests, channel string) ([]Notice, error) {
	var notices []Notice
	if channel == "" { // its thread has to be found
		var err error
		if notices, err = requests.Notices(ctx, r.ID); err != nil {
			return nil, fmt.Errorf("reading where %s is shown: %w", r.Ref.Short(), err)
		}
	}
	return []Notice{r.Escalating(channel, News{Kind: NewsStuck, Detail: strconv.FormatInt(r.Version, 10)}, notices)}, nil
}

// StandsAt returns the message that shows a request's result to more people than its requester; zero if
// there is none.
func StandsAt(r Request, notices []Notice) Posted {
	at := slices.IndexFunc(notices, func(n Notice) bool { return n.Kind == Result && n.TS != "" })
	if at < 0 || r.Private(notices) {
		return Posted{}
	}
	return Posted{Channel: notices[at].Channel, TS: notices[at].TS}
}
