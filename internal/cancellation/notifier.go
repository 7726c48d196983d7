package cancellation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// callTime bounds one call to Slack. A post whose answer is lost is looked for, or repeated, after
// lostPause: by then Slack has either shown it or never will.
const (
	callTime  = 10 * time.Second
	lostPause = callTime + time.Minute
)

// tellTime bounds the delivery of one notice: a search, a post, and the writes before and after
// them. The lease lasts longer, so that two updates of one message never overlap.
const tellTime = 2*callTime + 5*time.Second

// nowherePause is the wait after Slack refused every way to deliver a notice.
const nowherePause = 10 * time.Minute

// Notifier shows people each request's present state, and reports overdue requests. Its fields are
// set before Run and do not change after that.
type Notifier struct {
	Requests  Requests
	Notices   Notices
	Clock     Clock
	Directory Directory
	Policy    func() Policy // returns the one in force
	Announcer Announcer
	Slack     *Outage // asks Slack; shared with the Filer
	Limits    Limits
	Owner     string // names this process in leases
	Log       *slog.Logger

	// NotifyChannel is the operators' channel, where overdue requests are reported; "" for none.
	NotifyChannel string

	bell bell
	loop atomic.Pointer[loop] // nil before Run
}

// Wake tells the Notifier that there may be something to deliver.
func (n *Notifier) Wake() { n.bell.ring() }

// Run works until ctx ends. It returns when the deliveries that had begun are done.
func (n *Notifier) Run(ctx context.Context) {
	var loops sync.WaitGroup
	loops.Go(func() {
		l := &loop{
			bell: &n.bell, busy: slots(n.Limits.Notices), next: n.take,
			poll: n.Limits.Poll, job: tellTime, log: n.Log,
		}
		n.loop.Store(l)
		l.run(ctx)
	})
	loops.Go(func() { n.watch(ctx) })
	loops.Wait()
}

func (n *Notifier) take(ctx context.Context, most int) (jobs []func(context.Context), pause time.Duration, err error) {
	if away := n.Slack.pause(ctx); away > 0 {
		return nil, away, nil
	}
	c, err := n.Notices.ClaimNotices(ctx, n.Owner, tellTime+n.Limits.Lease, most)
	for _, notice := range c.Rows {
		jobs = append(jobs, func(ctx context.Context) { n.work(ctx, notice, n.tell) })
	}
	return jobs, c.Next, err
}

// reserve takes a slot for a result that this process posts once it is recorded. It returns nil if
// other notices may be due, and if Slack answers nobody.
func (n *Notifier) reserve() *slot {
	if n.Slack.away() {
		return nil
	}
	return n.loop.Load().reserve()
}

// announcement is how the reserved slot's notice is claimed and announced.
func (n *Notifier) announcement() Announcement {
	return Announcement{Owner: n.Owner, Lease: tellTime + n.Limits.Lease, LostIn: lostPause}
}

// begin posts an announced result in the slot that was reserved for it.
func (n *Notifier) begin(ctx context.Context, in *slot, a Announced) {
	in.begin(ctx, func(ctx context.Context) {
		n.work(ctx, a.Result, func(ctx context.Context, notice Notice) error {
			notice.showing = a.Request.Version
			return n.post(ctx, notice, a.Request)
		})
	})
}

// work delivers one claimed notice by what tell does.
func (n *Notifier) work(ctx context.Context, notice Notice, tell func(context.Context, Notice) error) {
	err := n.tellSafely(ctx, notice, tell)
	if err != nil {
		n.bell.ring()
	}
	switch {
	case errors.Is(err, ErrMoved):
		n.Log.Info("another worker has the notice", "request", notice.RequestID)
	case err != nil:
		n.Log.Error("delivering a notice", "request", notice.RequestID, "err", err)
	}
}

// tellSafely recovers from a panic, so that one notice whose words cannot be made does not stop the
// process that files all other requests. The notice stays owed.
func (n *Notifier) tellSafely(ctx context.Context, notice Notice, tell func(context.Context, Notice) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			n.Log.Error("delivering a notice panicked", "request", notice.RequestID, "panic", p, "stack", string(debug.Stack()))
			err = n.owe(ctx, notice, nowherePause)
		}
	}()
	return tell(ctx, notice)
}

// tell makes one notice show the request's present state.
func (n *Notifier) tell(ctx context.Context, notice Notice) error {
	notice, r, err := n.read(ctx, notice)
	if err != nil {
		return err
	}
	lapsed, err := n.lapsed(ctx, notice, r)
	if err != nil {
		return err
	}
	switch {
	case lapsed:
		return n.shown(ctx, notice)
	case notice.TS != "" && (notice.Shown == notice.showing || notice.Kind.Once()):
		return n.shown(ctx, notice)
	case notice.TS != "":
		return n.update(ctx, notice, r)
	case notice.Shown > 0 && notice.rests(r): // sent by response_url: a new one would stand next to the last one
		return n.shown(ctx, notice)
	case notice.Way == ByResponse:
		return n.respond(ctx, notice, r)
	default:
		return n.postMessage(ctx, notice, r)
	}
}

// read reads what a notice shows, and looks for its message if Slack's answer to the post was lost.
func (n *Notifier) read(ctx context.Context, notice Notice) (Notice, Request, error) {
	r, err := n.Requests.Request(ctx, notice.RequestID)
	if err != nil && !errors.Is(err, ErrUnreadable) { // people are told that it cannot be read
		return notice, r, fmt.Errorf("reading the request of a notice: %w", err)
	}
	if notice, err = n.presentState(ctx, notice, r); err == nil && notice.Posting {
		notice, err = n.findLost(ctx, notice, r)
	}
	return notice, r, err
}

// lapsed reports whether a notice reminds people of what is over, or of a date that has moved, or gathers
// nothing that is worth telling.
func (n *Notifier) lapsed(ctx context.Context, notice Notice, r Request) (bool, error) {
	if _, _, gathers := notice.Kind.Gathering(); gathers {
		all, err := n.standing(ctx, notice, r)
		return len(all) == 0, err
	}
	if notice.Kind.Reminds() {
		return r.State != Pending, nil
	}
	l, ok := notice.Kind.Line()
	if !ok || l.What != LineEnds {
		return false, nil
	}
	last, _ := r.LastCall()
	if r.State != Filed || last.Format(time.RFC3339) != l.Now {
		return true, nil
	}
	now, err := n.Clock.Now(ctx)
	return !now.Before(last), err
}

// findLost looks by its metadata for a post that was announced and whose answer is not recorded. If
// the bot may not read the channel's history, it gives that post up, and the next one may leave one
// orphan.
func (n *Notifier) findLost(ctx context.Context, notice Notice, r Request) (Notice, error) {
	notice.Posting = false
	if notice.Way == ByResponse {
		return notice, nil
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, found, known := n.Announcer.Find(calling, notice.target(), notice.Kind, r, r.CreatedAt)
	if found {
		notice.Channel, notice.TS, notice.Shown = at.Channel, at.TS, 0
	}
	n.Log.Warn("Slack's answer to a post was lost", "ref", r.Ref.Short(), "looked_up", known, "found", found)
	return notice, nil
}

// target returns where to post. It has no channel for a direct message.
func (notice Notice) target() Place {
	if notice.Way == ByDirect {
		return Place{}
	}
	return notice.Place
}

// announce records "about to post" before the call. After a crash between the two, the post is known
// as one that may have been made.
func (n *Notifier) announce(ctx context.Context, notice Notice) (Notice, error) {
	notice.Posting, notice.Posts, notice.DueIn = true, notice.Posts+1, lostPause
	stored, err := n.Notices.ApplyNotice(ctx, notice, true)
	stored.showing = notice.showing
	return stored, err
}

func (n *Notifier) postMessage(ctx context.Context, notice Notice, r Request) error {
	if notice.Kind.escalatesHere() {
		if err := n.escalateToPeople(ctx, notice, r); err != nil {
			n.Log.Warn("escalating news of a request: trying again", "ref", r.Ref.Short(), "err", err)
			return n.failed(ctx, notice, r, Undelivered, 0)
		}
		if notice.Place.Channel == "" { // no channel shows the request
			return n.shown(ctx, notice)
		}
	}
	if notice.Way == ByChannel && notice.Place.Channel == "" {
		notice.Way = ByDirect
	}
	notice, err := n.announce(ctx, notice)
	if err != nil {
		return err
	}
	return n.post(ctx, notice, r)
}

// post posts a message that was announced.
func (n *Notifier) post(ctx context.Context, notice Notice, r Request) error {
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, delivery, retry := n.Announcer.Post(calling, notice.target(), notice.Kind, r)
	switch delivery {
	case Delivered:
		notice.Channel, notice.TS = at.Channel, at.TS
		return n.shown(ctx, notice)
	case Refusing:
		return n.nextWay(ctx, notice, r)
	default:
		return n.failed(ctx, notice, r, delivery, retry)
	}
}

func (n *Notifier) respond(ctx context.Context, notice Notice, r Request) error {
	now, err := n.Clock.Now(ctx)
	if err != nil {
		return err
	}
	if notice.Place.ResponseURL == "" || !now.Before(notice.Place.ResponseURLUntil) {
		notice.Way = ByDirect
		return n.postMessage(ctx, notice, r)
	}
	if notice, err = n.announce(ctx, notice); err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	switch delivery, retry := n.Announcer.Respond(calling, notice.Place.ResponseURL, r); delivery {
	case Delivered:
		notice.Way = ByChannel // may take the next change: a token that was refused can work again
		return n.shown(ctx, notice)
	case Refusing:
		notice.Way = ByDirect
		return n.soon(ctx, notice)
	default:
		return n.failed(ctx, notice, r, delivery, retry)
	}
}

// nextWay chooses the next way after Slack refused a place, or the bot's token: the response_url
// while it lives, then a direct message, then the channel again after nowherePause.
func (n *Notifier) nextWay(ctx context.Context, notice Notice, r Request) error {
	n.Log.Warn("Slack refuses to show a message here", "kind", notice.Kind, "ref", r.Ref.Short(), "way", string(notice.Way), "channel", notice.Place.Channel)
	if err := n.askElsewhere(ctx, notice, r); err != nil {
		return err
	}
	if notice.Way == ByChannel && (notice.Kind == Result || notice.Kind == BatchResult) {
		notice.Way = ByResponse
		return n.soon(ctx, notice)
	}
	if _, _, asks, is := notice.Kind.Letter(); is && !asks && notice.Way == ByChannel { // who wrote it has to know
		notice.Way = ByDirect
		return n.soon(ctx, notice)
	}
	asks, err := n.stillAsks(ctx, notice, r)
	if err != nil {
		return err
	}
	if notice.Way = ByChannel; notice.Kind.extra() && !asks {
		return n.shown(ctx, notice)
	}
	notice.Posting = false
	return n.owe(ctx, notice, nowherePause)
}

func (n *Notifier) update(ctx context.Context, notice Notice, r Request) error {
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	switch delivery, retry := n.Announcer.Update(calling, Posted{Channel: notice.Channel, TS: notice.TS}, notice.Kind, r); delivery {
	case Delivered:
		return n.shown(ctx, notice)
	case Refusing: // the message is gone, or not ours to change: post another
		notice.Channel, notice.TS, notice.Shown = "", "", 0
		return n.soon(ctx, notice)
	default:
		return n.failed(ctx, notice, r, Undelivered, retry)
	}
}

// shown records that people see the request as it was when the call was made. The store keeps the
// notice due if the request has changed meanwhile.
func (n *Notifier) shown(ctx context.Context, notice Notice) error {
	notice.Shown = notice.showing
	return n.done(ctx, notice)
}

func (n *Notifier) done(ctx context.Context, notice Notice) error {
	notice.Posting, notice.Attempts, notice.Due = false, 0, time.Time{}
	return n.keep(ctx, notice)
}

// failed keeps the notice owed. After a lost answer it also keeps "about to post".
func (n *Notifier) failed(ctx context.Context, notice Notice, r Request, d Delivery, retry time.Duration) error {
	pause := max(retry, backoff(notice.Attempts))
	notice.Attempts++
	n.Log.Warn("Slack did not take a message", "kind", notice.Kind, "ref", r.Ref.Short(), "attempt", notice.Attempts, "lost", d == Lost)
	if d == Lost {
		return n.owe(ctx, notice, lostPause)
	}
	notice.Posting = false
	if retry == 0 && n.Slack.suspected(ctx) {
		pause, notice.Attempts = 0, 0 // it keeps its place among those that wait
	}
	return n.owe(ctx, notice, pause)
}

func (n *Notifier) soon(ctx context.Context, notice Notice) error {
	notice.Posting = false
	return n.owe(ctx, notice, 0)
}

func (n *Notifier) owe(ctx context.Context, notice Notice, pause time.Duration) error {
	notice.DueIn = max(pause, time.Millisecond) // zero would leave Due as it is
	return n.keep(ctx, notice)
}

func (n *Notifier) keep(ctx context.Context, notice Notice) error {
	stored, err := n.Notices.ApplyNotice(ctx, notice, false)
	if err != nil {
		return fmt.Errorf("recording what was delivered for %s: %w", notice.RequestID, err)
	}
	if !stored.Due.IsZero() {
		n.bell.ring()
	}
	return nil
}
