package cancellation

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
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

// The kinds of news that only a message about several servers tells.
const (
	NewsStands  NewsKind = "stands"  // the cancellation stands, although SoftLayer was asked to stop it
	NewsOverdue NewsKind = "overdue" // the request takes too long
)

// Gathered is what a message tells of one server among several of a batch.
type Gathered struct {
	Request Request
	Kind    NoticeKind // of the notice that tells it alone, where there is no batch
	Waits   time.Time  // since when SoftLayer waits for an answer; zero if it does not
	Late    bool       // its result has been owed for longer than OverdueAge
}

// newsOfLines is what lines say, but for LineEnded, which depends on the state.
var newsOfLines = map[LineKind]NewsKind{
	LineStaff: NewsStaff, LineMoved: NewsMoved, LineUnclear: NewsUnclear, LineStands: NewsStands, LineWaits: NewsWaits, LineEnds: NewsEnds, LineStill: NewsStill,
}

// News is what it tells, as news.
func (g Gathered) News() News {
	if n, _, ok := g.Kind.Escalation(); ok {
		return n
	}
	l, ok := g.Kind.Line()
	switch {
	case !ok:
		return News{Kind: NewsOverdue}
	case l.What == LineMoved:
		return News{Kind: NewsMoved, Detail: l.Detail()}
	case l.What == LineEnds:
		return News{Kind: NewsEnds, Detail: l.EndsDetail()}
	case l.What != LineEnded:
		return News{Kind: newsOfLines[l.What]}
	case g.Request.State != Reverted:
		return News{Kind: NewsEnded}
	case g.Request.StopAsked.IsZero():
		return News{Kind: NewsNotCancelled}
	}
	return News{Kind: NewsStopped}
}

// Awaits reports whether news of this kind says that SoftLayer waits for an answer.
func (k NewsKind) Awaits() bool { return k == NewsWaits || k == NewsStillWaits || k == NewsUnanswered }

// saidWhile is the state in which a request stands while news of these kinds is true.
var saidWhile = map[NewsKind]State{NewsNotCancelled: Reverted, NewsStopped: Reverted, NewsStuck: Stuck, NewsEnded: Reclaimed}

// stands reports whether it is still worth telling. A zero now leaves out whether it is too late.
func (g Gathered) stands(now time.Time) bool {
	n, r := g.News(), g.Request
	if state, ok := saidWhile[n.Kind]; ok {
		return r.State == state
	}
	filed := r.State == Filed
	if n.Kind.Awaits() {
		return filed && !g.Waits.IsZero()
	}
	switch n.Kind {
	case NewsEnds:
		last, _ := r.LastCall()
		return filed && last.Format(time.RFC3339) == n.EndsAt() && (now.IsZero() || now.Before(last))
	case NewsMoved:
		return filed && n.Line().Now == r.Shows
	case NewsBilled:
		return true
	case NewsOverdue:
		return g.Late || slices.Contains(OverdueStates(), r.State)
	}
	return filed
}

// StillTrue returns what of a gathering is still worth telling, once for each request. Two moves of a date
// are one. A zero now leaves out whether it is too late.
func StillTrue(all []Gathered, now time.Time) []Gathered {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Gathered) int {
		first, _ := a.Kind.Line()
		second, _ := b.Kind.Line()
		return cmp.Or(cmp.Compare(a.Request.Row, b.Request.Row), cmp.Compare(first.Update, second.Update))
	})
	was := map[string]string{} // by request: the date named before its first move
	var standing []Gathered
	for _, g := range all {
		if l := g.News().Line(); l.What == LineMoved {
			if was[g.Request.ID] == "" {
				was[g.Request.ID] = l.Was
			}
			l.Was = was[g.Request.ID]
			g.Kind = Said(l)
		}
		if last := len(standing) - 1; last >= 0 && standing[last].Request.ID == g.Request.ID {
			standing = standing[:last]
		}
		if g.stands(now) {
			standing = append(standing, g)
		}
	}
	return slices.DeleteFunc(standing, func(g Gathered) bool {
		l := g.News().Line()
		was, err := ParseMoment(l.Was)
		now, err2 := ParseMoment(l.Now)
		return l.What == LineMoved && err == nil && err2 == nil && was.Equal(now)
	})
}

// standing reads what a message gathers and is still worth telling; none for the other kinds.
func (n *Notifier) standing(ctx context.Context, notice Notice, r Request) ([]Gathered, error) {
	if _, _, gathers := notice.Kind.Gathering(); !gathers {
		return nil, nil
	}
	all, err := n.Notices.Gathered(ctx, r.Batch, notice.Kind)
	if err != nil {
		return nil, fmt.Errorf("reading what a message gathers: %w", err)
	}
	now, err := n.Clock.Now(ctx)
	return StillTrue(all, now), err
}

// escalatesHere reports whether a notice of this kind is told to people who may approve, too: there is no
// escalation channel, or Slack refuses it.
func (k NoticeKind) escalatesHere() bool {
	_, here, _ := k.Escalation()
	class, _, _ := k.Gathering()
	return here || strings.HasPrefix(class, escalatedHere)
}

// escalateToPeople owes what a notice tells to some people who may approve.
func (n *Notifier) escalateToPeople(ctx context.Context, notice Notice, r Request) error {
	if news, _, alone := notice.Kind.Escalation(); alone {
		return n.asker().escalate(ctx, r, news)
	}
	all, err := n.standing(ctx, notice, r)
	for _, g := range all {
		if err == nil {
			err = n.asker().escalate(ctx, g.Request, g.News())
		}
	}
	return err
}

// escalateAllHere escalates what a message gathers after Slack refused the escalation channel.
func (n *Notifier) escalateAllHere(ctx context.Context, notice Notice, r Request) error {
	all, err := n.standing(ctx, notice, r)
	for _, g := range all {
		if err == nil {
			err = n.escalateHere(ctx, g.Request, g.News())
		}
	}
	return err
}

// Wait is SoftLayer's wait for an answer in the ticket of a filed request.
type Wait struct {
	Request   Request
	Since     time.Time // zero: SoftLayer does not wait any more
	Asks      int64     // the update of the ticket that asks
	Told      int64     // the last such update that people were told of
	Reminders int       // that went out since it waits
	Next      time.Time // when the next one is due; zero before people were told
	Act       time.Time // when people are to be told something
}

// WaitStep is what people are told of a wait, and when they are told more.
type WaitStep struct {
	Wait      Wait // as it was read
	Told      int64
	Reminders int
	Next      time.Time // when the next reminder is due
	Act       time.Time // when people are to be told something; zero: nothing more
	News      []News
	Owe       []Notice // due at once; a kind that exists already is left out
}

// Detail is the detail of the reminders of a wait: the update that asks, since when it waits, and how
// many reminders went out before.
func (w Wait) Detail() string {
	return fmt.Sprintf("%d|%s|%d", w.Asks, w.Since.UTC().Format(time.RFC3339), w.Reminders)
}

// WaitingSince is since when SoftLayer waits, by the detail of a reminder; zero if that does not say it.
func WaitingSince(detail string) time.Time {
	parts := strings.Split(detail, "|")
	if len(parts) != 3 {
		return time.Time{}
	}
	since, _ := time.Parse(time.RFC3339, parts[1])
	return since
}

// Waits keeps for which answers SoftLayer waits.
type Waits interface {
	// DueWaits lists up to most waits of which people are to be told something, and the time.
	DueWaits(ctx context.Context, most int) (due []Wait, now time.Time, err error)
	// KeepWait records a step and what it owes in one transaction. ErrMoved: the wait has changed.
	KeepWait(ctx context.Context, step WaitStep) error
	// Asks returns the update of a request's ticket for whose answer SoftLayer waits; 0 for none.
	Asks(ctx context.Context, requestID string) (int64, error)
	// SettleWait records that the update of a request's ticket which asks, and those before it, need no
	// answer any more. ErrMoved: SoftLayer waits for none of them. ErrRepeated: key was used before.
	SettleWait(ctx context.Context, requestID string, asks int64, event Event, key string) error
}
