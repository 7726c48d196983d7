package cancellation

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// callTime bounds one call to Slack. A post whose answer is lost is looked for, or
// repeated, a minute after this: by then Slack has either shown it or never will.
const (
	callTime  = 10 * time.Second
	lostPause = callTime + time.Minute
)

// tellTime bounds the telling of one notice: a search, a post, and what is written
// before and after them. Its lease outlives it, so that updates follow each other.
const tellTime = 2*callTime + 5*time.Second

// nowherePause is the wait after every way to tell somebody refused.
const nowherePause = 10 * time.Minute

func (w *Worker) takeNotice(ctx context.Context) (func(context.Context), time.Time, error) {
	if away := w.slack.pause(ctx); away > 0 {
		return w.later(ctx, away)
	}
	n, found, next, err := w.Journal.ClaimNotice(ctx, w.Owner, tellTime+w.Limits.Lease)
	if err != nil || !found {
		return nil, next, err
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, tellTime)
		defer cancel()
		switch err := w.tellSafely(ctx, n); {
		case errors.Is(err, ErrMoved):
			w.Log.Info("another worker has the notice", "request", n.RequestID)
		case err != nil:
			w.Log.Error("telling a result", "request", n.RequestID, "err", err)
		}
	}, next, nil
}

// tellSafely keeps a result that cannot be put into words from taking the filing of
// all others down with it. It stays owed.
func (w *Worker) tellSafely(ctx context.Context, n Notice) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("telling a result panicked", "request", n.RequestID, "panic", p, "stack", string(debug.Stack()))
			err = w.owe(ctx, n, nowherePause)
		}
	}()
	return w.tell(ctx, n)
}

// tell brings one notice to where it shows the request's present state.
func (w *Worker) tell(ctx context.Context, n Notice) error {
	r, err := w.Journal.Request(ctx, n.RequestID)
	if err != nil && !errors.Is(err, ErrUnreadable) { // that it cannot be read is told too
		return fmt.Errorf("reading the request to tell of: %w", err)
	}
	if n.Posting {
		if n, err = w.findLost(ctx, n, r); err != nil {
			return err
		}
	}
	switch {
	case n.TS != "" && (n.Shown == r.Version || n.Kind.Once()):
		return w.shown(ctx, n, r)
	case n.Kind.Reminds() && r.State != Pending: // nobody is waited for any more
		return w.shown(ctx, n, r)
	case n.TS != "":
		return w.update(ctx, n, r)
	case n.Shown > 0 && !r.State.Told(): // told by response_url: it would stand beside the last one
		return w.shown(ctx, n, r)
	case n.Way == ByResponse:
		return w.respond(ctx, n, r)
	default:
		return w.postMessage(ctx, n, r)
	}
}

// findLost settles a post that was announced and whose answer is not recorded: it
// is looked up by its metadata. Where the bot may not read the history, it is given
// up: the post that follows may leave one orphan.
func (w *Worker) findLost(ctx context.Context, n Notice, r Request) (Notice, error) {
	n.Posting = false
	if n.Way == ByResponse {
		return n, nil
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, found, known := w.Announcer.Find(calling, n.target(), n.Kind, r, r.CreatedAt)
	if found {
		n.Channel, n.TS, n.Shown = at.Channel, at.TS, 0
	}
	w.Log.Warn("an answer of Slack's was lost", "ref", r.Ref.Short(), "looked_up", known, "found", found)
	return n, nil
}

// target is where to post: no channel for a direct message.
func (n Notice) target() Place {
	if n.Way == ByDirect {
		return Place{}
	}
	return n.Place
}

// announce writes "about to post" before the call, so that a crash in between is
// known as a post that may have been made.
func (w *Worker) announce(ctx context.Context, n Notice) (Notice, error) {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return n, err
	}
	n.Posting, n.Posts, n.Due = true, n.Posts+1, now.Add(lostPause)
	return w.Journal.ApplyNotice(ctx, n, true)
}

func (w *Worker) postMessage(ctx context.Context, n Notice, r Request) error {
	if n.Way == ByChannel && n.Place.Channel == "" {
		n.Way = ByDirect
	}
	n, err := w.announce(ctx, n)
	if err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, delivery, retry := w.Announcer.Post(calling, n.target(), n.Kind, r)
	switch delivery {
	case Delivered:
		n.Channel, n.TS = at.Channel, at.TS
		return w.shown(ctx, n, r)
	case Refusing:
		return w.nextWay(ctx, n, r)
	default:
		return w.failed(ctx, n, r, delivery, retry)
	}
}

func (w *Worker) respond(ctx context.Context, n Notice, r Request) error {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return err
	}
	if n.Place.ResponseURL == "" || !now.Before(n.Place.ResponseURLUntil) {
		n.Way = ByDirect
		return w.postMessage(ctx, n, r)
	}
	if n, err = w.announce(ctx, n); err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	switch delivery, retry := w.Announcer.Respond(calling, n.Place.ResponseURL, r); delivery {
	case Delivered:
		n.Way = ByChannel // may take the next change: a token that was refused can work again
		return w.shown(ctx, n, r)
	case Refusing:
		n.Way = ByDirect
		return w.soon(ctx, n)
	default:
		return w.failed(ctx, n, r, delivery, retry)
	}
}

// nextWay goes on after a place, or the bot's token, was refused: the response_url
// while it lives, then a direct message, then the channel again later.
func (w *Worker) nextWay(ctx context.Context, n Notice, r Request) error {
	w.Log.Warn("Slack refuses to show a message here", "kind", n.Kind, "ref", r.Ref.Short(), "way", string(n.Way), "channel", n.Place.Channel)
	if err := w.askElsewhere(ctx, n, r); err != nil {
		return err
	}
	if n.Way == ByChannel && n.Kind == Result {
		n.Way = ByResponse
		return w.soon(ctx, n)
	}
	if n.Way = ByChannel; n.Kind.beside() && !r.State.asks() {
		return w.shown(ctx, n, r)
	}
	n.Posting = false
	return w.owe(ctx, n, nowherePause)
}

// askElsewhere sees to it that somebody is asked for an approval although a message is
// refused, and that the requester hears of it where nobody can be.
func (w *Worker) askElsewhere(ctx context.Context, n Notice, r Request) error {
	switch to := n.Kind.Recipient(); {
	case r.State != Pending:
	case n.Way == ByChannel && (n.Kind == Result || n.Kind == ApprovalCard):
		return w.askDirectly(ctx, r)
	case to != "" && to != r.Submission.By.ID:
		return w.askedNobody(ctx, n, r)
	}
	return nil
}

// askedNobody tells the requester where no message that asks others could be shown, after
// this one was refused. Where another one is yet to be tried, that one sees to it.
func (w *Worker) askedNobody(ctx context.Context, refused Notice, r Request) error {
	notices, err := w.Journal.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(notices, func(n Notice) bool {
		to := n.Kind.Recipient()
		others := to != "" && to != r.Submission.By.ID && n.Kind != refused.Kind
		untried := n.Posts == 0 || n.Posts == 1 && n.Posting
		return n.asks() || others && (n.TS != "" || untried)
	}) {
		return nil
	}
	return w.owePerson(ctx, r, r.Submission.By.ID)
}

func (w *Worker) update(ctx context.Context, n Notice, r Request) error {
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	switch delivery, retry := w.Announcer.Update(calling, Posted{Channel: n.Channel, TS: n.TS}, n.Kind, r); delivery {
	case Delivered:
		return w.shown(ctx, n, r)
	case Refusing: // the message is gone, or not ours to change: show the state anew
		n.Channel, n.TS, n.Shown = "", "", 0
		return w.soon(ctx, n)
	default:
		return w.failed(ctx, n, r, Undelivered, retry)
	}
}

// shown records that people see the request as it was when the call was made. The
// journal keeps the notice due if the request moved on meanwhile.
func (w *Worker) shown(ctx context.Context, n Notice, r Request) error {
	n.Shown = r.Version
	return w.done(ctx, n)
}

func (w *Worker) done(ctx context.Context, n Notice) error {
	n.Posting, n.Attempts, n.Due = false, 0, time.Time{}
	return w.keep(ctx, n)
}

// failed keeps the notice owed. A lost answer keeps "about to post" too.
func (w *Worker) failed(ctx context.Context, n Notice, r Request, d Delivery, retry time.Duration) error {
	pause := max(retry, backoff(n.Attempts))
	n.Attempts++
	w.Log.Warn("Slack did not take a message", "kind", n.Kind, "ref", r.Ref.Short(), "attempt", n.Attempts, "lost", d == Lost)
	if d == Lost {
		return w.owe(ctx, n, lostPause)
	}
	n.Posting = false
	if retry == 0 && w.slack.suspected(ctx) {
		pause, n.Attempts = 0, 0 // it keeps its place among those that wait
	}
	return w.owe(ctx, n, pause)
}

func (w *Worker) soon(ctx context.Context, n Notice) error {
	n.Posting = false
	return w.owe(ctx, n, 0)
}

func (w *Worker) owe(ctx context.Context, n Notice, pause time.Duration) error {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return err
	}
	n.Due = now.Add(pause)
	return w.keep(ctx, n)
}

func (w *Worker) keep(ctx context.Context, n Notice) error {
	_, err := w.Journal.ApplyNotice(ctx, n, false)
	if err != nil {
		return fmt.Errorf("recording what was told of %s: %w", n.RequestID, err)
	}
	return nil
}
