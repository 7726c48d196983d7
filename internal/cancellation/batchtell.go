package cancellation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
)

// The kinds of a batch's messages. They are kept under its lead.
const (
	// BatchResult is the batch's root message in the place where it was asked for. It shows how many of
	// its servers are in which state, and is edited when that changes.
	BatchResult NoticeKind = "batch:result"
	// BatchCard is the batch's message in the operators' channel, where approvers are.
	BatchCard NoticeKind = "batch:card"

	ofBatch     = "batch:"
	batchDirect = "batch:direct:"
	batchEnded  = "batch:ended:"
)

// BatchDirect is the batch's message to one person who may approve, by direct message.
func BatchDirect(user string) NoticeKind { return NoticeKind(batchDirect + user) }

// BatchEnded tells the requester once, by direct message, that nothing of the batch is under way any more.
func BatchEnded(user string) NoticeKind { return NoticeKind(batchEnded + user) }

// EndsBatch reports whether a notice of this kind tells the requester that a batch is over.
func (k NoticeKind) EndsBatch() bool { return strings.HasPrefix(string(k), batchEnded) }

// OfBatch reports whether a notice of this kind is about a whole batch.
func (k NoticeKind) OfBatch() bool { return strings.HasPrefix(string(k), ofBatch) }

// rests reports whether people are not told at once of the state that a notice would show. Of a batch whose
// message cannot be edited, they are told the end.
func (notice Notice) rests(r Request) bool {
	if notice.Kind.OfBatch() {
		return notice.Kind == BatchResult && notice.early
	}
	return !r.State.Told()
}

// presentState sets the version that a message shows once it is delivered now: the request's or, of a
// batch, the number of its last change that people are told of. It owes the last message of a batch.
func (n *Notifier) presentState(ctx context.Context, notice Notice, r Request) (Notice, error) {
	if notice.showing = r.Version; !notice.Kind.OfBatch() {
		return notice, nil
	}
	told, over, err := n.Requests.BatchProgress(ctx, r.Batch)
	if err != nil {
		return notice, fmt.Errorf("reading how far the batch of a notice is: %w", err)
	}
	notice.showing, notice.early = told, !over
	if notice.Kind != BatchResult || notice.early {
		return notice, nil
	}
	return notice, n.oweEnd(ctx, r)
}

// oweEnd owes the last message of a batch that is over.
func (n *Notifier) oweEnd(ctx context.Context, r Request) error {
	b, rows, err := n.Requests.Batch(ctx, r.Batch)
	if err != nil {
		return fmt.Errorf("reading the batch of a notice: %w", err)
	}
	if takenBack(rows) {
		return nil
	}
	if _, err := n.Notices.Owe(ctx, b.Lead, BatchEnded(r.Submission.By.ID), Place{}); err != nil {
		return fmt.Errorf("owing the end of a batch: %w", err)
	}
	n.Wake()
	return nil
}

// BatchOver reports whether nothing of a batch is waiting or under way any more.
func BatchOver(rows []Request) bool {
	return !slices.ContainsFunc(rows, func(r Request) bool { return slices.Contains(WorkStates(), r.State) || r.State == Stuck })
}

// takenBack reports whether the requester withdrew all of a batch, and so knows its end.
func takenBack(rows []Request) bool {
	return !slices.ContainsFunc(rows, func(r Request) bool { return r.State != Withdrawn || !r.EndedBy.same(r.Submission.By) })
}

// stillAsks reports whether people can do something about what a notice shows.
func (n *Notifier) stillAsks(ctx context.Context, notice Notice, r Request) (bool, error) {
	if _, _, gathers := notice.Kind.Gathering(); gathers {
		return false, nil
	}
	if !notice.Kind.OfBatch() {
		return r.State.asks(), nil
	}
	_, rows, err := n.Requests.Batch(ctx, r.Batch)
	return slices.ContainsFunc(rows, func(r Request) bool { return r.State.asks() }), err
}

// firstWaiting reports whether a request is the one of its batch that asks for all that wait: the first of
// those of which approvers have to be reminded first.
func firstWaiting(ctx context.Context, requests Requests, r Request) (bool, error) {
	_, rows, err := requests.Batch(ctx, r.Batch)
	if err != nil {
		return false, fmt.Errorf("reading the batch of %s: %w", r.Ref.Short(), err)
	}
	if rows = waitingOf(rows); len(rows) == 0 {
		return false, nil
	}
	first := slices.MinFunc(rows, func(a, b Request) int { return a.remindAt(a.Since).Compare(b.remindAt(b.Since)) })
	return first.ID == r.ID, nil
}

// askAboutBatch owes the batch's message, by direct message, to people who could approve its servers: for
// each server that waits, somebody who could approve it. If there is nobody for one, it tells the requester too.
func (a asker) askAboutBatch(ctx context.Context, r Request) error {
	_, err := a.askForBatch(ctx, r)
	return err
}

// askForBatch is askAboutBatch. It returns the users who had been asked before.
func (a asker) askForBatch(ctx context.Context, r Request) (before []string, err error) {
	b, rows, err := a.requests.Batch(ctx, r.Batch)
	if err != nil {
		return nil, fmt.Errorf("reading the batch of %s: %w", r.Ref.Short(), err)
	}
	waiting := waitingOf(rows)
	if len(waiting) == 0 {
		return nil, nil
	}
	asked, everywhere, err := a.toAskAbout(ctx, waiting)
	if err != nil {
		return nil, fmt.Errorf("finding whom to ask about the batch of %s: %w", r.Ref.Short(), err)
	}
	if !everywhere {
		asked = append(asked, r.Submission.By.ID)
	}
	for _, user := range asked {
		first, err := a.notices.Owe(ctx, b.Lead, BatchDirect(user), Place{})
		if err != nil {
			return nil, err
		}
		if !first && user != r.Submission.By.ID {
			before = append(before, user)
		}
	}
	a.notify()
	return before, nil
}

// batchReminders returns reminders, each by direct message, to people who were asked so about a batch. It
// asks people who can approve only since then.
func (a asker) batchReminders(ctx context.Context, r Request, now time.Time) (owed []Notice, err error) {
	asked, err := a.askForBatch(ctx, r)
	for _, user := range asked {
		owed = append(owed, Notice{RequestID: r.ID, Kind: DirectReminder(user), Due: now})
	}
	return owed, err
}

// waitingOf returns the requests that wait for approval.
func waitingOf(rows []Request) []Request {
	return slices.DeleteFunc(slices.Clone(rows), func(r Request) bool { return r.State != Pending })
}

// toAskAbout returns users who could approve these requests of one person: for each request, at least one of
// them, if there is one. everywhere is false if there is a request for which there is none.
func (a asker) toAskAbout(ctx context.Context, waiting []Request) (asked []string, everywhere bool, err error) {
	everywhere = true
	err = a.approversOf(ctx, waiting, func(r Request, who []authz.Principal) error {
		if among(asked, who) {
			return nil
		}
		more, err := a.policy.reachable(ctx, who, max(mostAsked, r.Decision.Approvals))
		asked, everywhere = append(asked, more...), everywhere && len(more) > 0
		return err
	})
	return asked, everywhere, err
}

// approversOf calls each with the people who could approve each of these requests of one person.
func (a asker) approversOf(ctx context.Context, waiting []Request, each func(r Request, who []authz.Principal) error) error {
	now, err := a.clock.Now(ctx)
	if err != nil {
		return err
	}
	requester, err := a.policy.person(ctx, waiting[0].Submission.By, MaxPrincipalAge)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		who, _, err := a.policy.approvers(ctx, r, requester, now)
		if err == nil {
			err = each(r, who)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// among reports whether one of these people is one of the users.
func among(users []string, who []authz.Principal) bool {
	return slices.ContainsFunc(who, func(p authz.Principal) bool { return slices.Contains(users, p.User) })
}

// askElsewhereAboutBatch is askElsewhere for a message of a batch.
func (n *Notifier) askElsewhereAboutBatch(ctx context.Context, refused Notice, r Request) error {
	b, rows, err := n.Requests.Batch(ctx, r.Batch)
	if err != nil {
		return fmt.Errorf("reading the batch of a notice: %w", err)
	}
	waiting := waitingOf(rows)
	switch to := refused.Kind.Recipient(); {
	case len(waiting) == 0 || refused.Kind.EndsBatch() || to == r.Submission.By.ID:
	case to != "":
		return n.askedNobodyAbout(ctx, refused, b, waiting)
	case refused.Way == ByChannel:
		return n.asker().askDirectly(ctx, r)
	}
	return nil
}

// askedNobodyAbout tells the requester if there is a request of a batch about which nobody could be asked: this message
// was refused, and no other one asks anybody who could approve it. If another message is still to be tried, it leaves
// that to it.
func (n *Notifier) askedNobodyAbout(ctx context.Context, refused Notice, b Batch, waiting []Request) error {
	notices, err := n.Notices.BatchNotices(ctx, b.Lead)
	if err != nil {
		return err
	}
	var asked []string
	for _, notice := range notices {
		untried := notice.Posts == 0 || notice.Posts == 1 && notice.Posting
		switch {
		case notice.Kind.Recipient() == "" && notice.TS != "" && notice.Way == ByChannel && !notice.Place.private():
			return nil // a channel shows it
		case notice.Kind != refused.Kind && (notice.TS != "" || untried):
			asked = append(asked, notice.Kind.Recipient())
		}
	}
	nobody := false
	err = n.asker().approversOf(ctx, waiting, func(_ Request, who []authz.Principal) error {
		nobody = nobody || !among(asked, who)
		return nil
	})
	if err == nil && nobody {
		_, err = n.Notices.Owe(ctx, b.Lead, BatchDirect(waiting[0].Submission.By.ID), Place{})
		n.Wake()
	}
	return err
}

// notices returns the messages of a new batch: where it was asked for and, if people have to approve
// it, in the operators' channel.
func (b Batch) notices(all []Record, channel string, now time.Time) []Notice {
	lead := all[0].Request
	owed := []Notice{{RequestID: b.Lead, Kind: BatchResult, Place: lead.Submission.Place, Due: now}}
	waits := slices.ContainsFunc(all, func(rec Record) bool { return rec.Request.State == Pending })
	if waits && channel != "" && channel != lead.Submission.Place.Channel {
		owed = append(owed, Notice{RequestID: b.Lead, Kind: BatchCard, Place: Place{Channel: channel}, Due: now})
	}
	return owed
}

// The messages that gather what becomes of a batch's servers once they are filed.
const (
	gathered   = "gathered:"
	moreToday  = " more"
	gatherTime = time.Hour          // the first message of a day waits so long for what the same pass shows
	gatherSoon = 5 * time.Minute    // what needs somebody now waits so long
	morning    = 9                  // o'clock in Dallas: when a message is posted that the day before had no room for
	evening    = 17                 // o'clock in Dallas: when the second message of a day is posted
	gatherMost = 8 * 24 * time.Hour // no message is due later, unless a clock was ahead
)

// Class is what is told together of the servers of a batch, in one place: in one message a day or, if it
// is Urgent, in at most two.
type Class struct {
	Name   string
	Urgent bool
}

// Gathers returns what a notice of this kind is told together with, if its request is one of a batch. ok
// is false for the kinds that are told one by one.
func (k NoticeKind) Gathers() (c Class, ok bool) {
	if l, is := k.Line(); is {
		if c.Name = said + string(l.What); l.What == LineEnds {
			c.Name += " " + l.Was
		}
		return c, l.What != LineTaken
	}
	if n, here, is := k.Escalation(); is {
		if c.Name = escalated + string(n.Kind); here {
			c.Name = escalatedHere + string(n.Kind)
		}
		c.Urgent = n.Kind.AtOnce()
		return c, true
	}
	return Class{Name: string(k), Urgent: true}, k == Alarm
}

// Prefix begins the kinds of the messages that gather this class. The day follows.
func (c Class) Prefix() string { return gathered + c.Name + "|" }

// Gathering returns what a message of this kind gathers, and on which day. ok is false for the other kinds.
func (k NoticeKind) Gathering() (class, day string, ok bool) {
	text, ok := strings.CutPrefix(string(k), gathered)
	at := strings.LastIndex(text, "|")
	if !ok || at < 0 {
		return "", "", false
	}
	return text[:at], text[at+1:], true
}

// InOne begins the Way of a notice that a message tells with others. The kind of that message follows.
const InOne = "in:"

// GatheredIn is the Way of a notice that a message of this kind tells with others.
func GatheredIn(kind NoticeKind) Way { return Way(InOne + string(kind)) }

// More returns when the last message of the class is due if it takes more: not before from, where it has yet to be due
// again. ok is false if it takes nothing more: it stands or may stand, or it came to nothing on an earlier day.
func (c Class) More(last Notice, now, from time.Time) (due time.Time, ok bool) {
	switch {
	case last.Kind == "" || last.TS != "" || last.Posting:
		return time.Time{}, false
	case !last.Due.IsZero():
		return c.Due(last.Due, now), true
	}
	due = c.soonest(now, from)
	return due, due.Format(time.DateOnly) <= last.dayTaken()
}

// soonest returns when a message of the class is due that waits for no other one, in Dallas.
func (c Class) soonest(now, from time.Time) time.Time {
	pause := gatherTime
	if c.Urgent {
		pause = gatherSoon
	}
	due := now.Add(pause)
	if from.After(due) {
		due = from
	}
	return due.In(dallas)
}

// Next returns the kind of the message that tells what the last one of the class does not, and when it is
// due: not before from. last takes nothing more; it is the zero Notice if there is none. There is one
// message a day in Dallas, by the kind and by when Slack posted it; for an Urgent class there may be two. The second one
// waits for the evening only if the first stands.
func (c Class) Next(last Notice, now, from time.Time) (NoticeKind, time.Time) {
	due := c.soonest(now, from)
	day, taken, second := due.Format(time.DateOnly), last.dayTaken(), strings.HasSuffix(string(last.Kind), moreToday)
	switch {
	case day > taken:
		return NoticeKind(c.Prefix() + day), due
	case day == taken && c.Urgent && !second:
		if at := onDay(day, 0, evening); last.TS != "" && at.After(due) { // else Slack may never show the first
			due = at
		}
		return NoticeKind(c.Prefix() + day + moreToday), due
	}
	next := onDay(taken, 1, morning)
	return NoticeKind(c.Prefix() + next.Format(time.DateOnly)), c.Due(next, now)
}

// Due returns when a message of the class is due that was to be due at a time. A clock was ahead when one was made
// that is due more than eight days from now: it is due as if it were the first.
func (c Class) Due(at, now time.Time) time.Time {
	if at.Before(now.Add(gatherMost)) {
		return at
	}
	return now.Add(gatherTime)
}

// dayTaken is the last day that has the message of a gathering; "" for none.
func (notice Notice) dayTaken() string {
	_, day, _ := notice.Kind.Gathering()
	day = strings.TrimSuffix(day, moreToday)
	seconds, _, _ := strings.Cut(notice.TS, ".")
	if at, err := strconv.ParseInt(seconds, 10, 64); err == nil {
		day = max(day, time.Unix(at, 0).In(dallas).Format(time.DateOnly))
	}
	return day
}

// onDay is an hour of the day so many days after one.
func onDay(day string, after, hour int) time.Time {
	at, _ := time.ParseInLocation(time.DateOnly, day, dallas) // one that Next wrote
	return time.Date(at.Year(), at.Month(), at.Day()+after, hour, 0, 0, 0, dallas)
}
