// Package orders tells people of orders about filing: a freeze, and its end. What is owed stands in the
// database since the order itself, so each order is told whichever process carried it out, and whatever
// dies meanwhile.
package orders

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// Times of a teller.
const (
	lease     = 30 * time.Second
	callTime  = 10 * time.Second       // of one call to Slack
	lostPause = callTime + time.Minute // by then Slack shows a post whose answer was lost, or never will
	longest   = 10 * time.Minute       // of the pauses after failures, and each pause after a refusal
)

// How often one order is tried at one place. With the pauses between, the first is more than three days. The
// second is a day: when a place refuses, others are told meanwhile.
const (
	mostAttempts = 500
	mostRefused  = 144
)

// Notice is one order that is owed to one place.
type Notice struct {
	Order   cancellation.Freeze
	Ends    int64  // number of the freeze that it ends; 0 for none
	Target  string // a channel or a user; "" until it is known who is told
	Version int64  // fencing token

	Posted   cancellation.Posted // where Slack shows it
	Posting  bool                // "about to post" is recorded and no answer is
	PostedAt time.Time           // when that was recorded last
	Attempts int                 // tries in a row that failed
}

// Ledger keeps what is owed. Its clock decides.
type Ledger interface {
	// ClaimOrder leases a notice that is due, the first order first. A target gets no order before those that it
	// is owed since earlier. ok is false if there is nothing to do now.
	ClaimOrder(ctx context.Context, owner string, lease time.Duration) (n Notice, now time.Time, ok bool, err error)
	// SpreadOrder replaces a notice without a target by one for each target; what each was owed before is due at
	// once. cancellation.ErrMoved: another has it.
	SpreadOrder(ctx context.Context, n Notice, targets []string) error
	// ShareOrders owes the targets all that is owed to the target of a notice, which is worked on again after
	// the pause; 0 for never. Nothing is owed to one target twice. cancellation.ErrMoved: another has it.
	ShareOrders(ctx context.Context, n Notice, targets []string, pause time.Duration) error
	// KeepOrder records what became of a notice, and has it worked on again after the pause; 0 for never.
	// announced: it is about to be posted, and its lease stays. cancellation.ErrMoved: another has it.
	KeepOrder(ctx context.Context, n Notice, pause time.Duration, announced bool) (Notice, error)
	// OrderShown returns where an order was told first; zero if that is not on record.
	OrderShown(ctx context.Context, number int64) (cancellation.Posted, error)
}

// Board posts in Slack, and makes each call at most once.
type Board interface {
	// PostOrder tells an order. ends is where the freeze that it ends was told; zero if that is not known.
	PostOrder(ctx context.Context, n Notice, ends cancellation.Posted) (cancellation.Posted, cancellation.Delivery, time.Duration)
	// FindOrder looks for one whose answer was lost. known is false if nobody can tell.
	FindOrder(ctx context.Context, n Notice) (at cancellation.Posted, found, known bool)
}

// Options say what a Teller tells with.
type Options struct {
	Ledger  Ledger
	Board   Board
	People  func(ctx context.Context) ([]string, error) // at most five users who may freeze filing
	Channel string                                      // the escalation channel; "" for none
	Owner   string                                      // names this process
	Poll    time.Duration                               // how often to look when nothing rang
	Log     *slog.Logger
}

// Teller tells people of orders about filing, one replica at a time.
type Teller struct {
	o    Options
	bell chan struct{}
}

// New makes a teller. It makes no call.
func New(o Options) *Teller { return &Teller{o, make(chan struct{}, 1)} }

// Wake tells the Teller that there may be something to tell. It never blocks.
func (t *Teller) Wake() {
	select {
	case t.bell <- struct{}{}:
	default:
	}
}

// Run tells what is owed until ctx ends. Failures are logged, and tried again.
func (t *Teller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if worked, err := t.pass(ctx); err != nil && ctx.Err() == nil {
			t.o.Log.Warn("telling people of an order about filing", "err", err)
		} else if worked {
			continue
		}
		select {
		case <-t.bell:
		case <-time.After(t.o.Poll):
		case <-ctx.Done():
		}
	}
}

// pass works on one notice, if one is due.
func (t *Teller) pass(ctx context.Context) (worked bool, err error) {
	n, now, ok, err := t.o.Ledger.ClaimOrder(ctx, t.o.Owner, lease)
	if err != nil || !ok {
		return false, err
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease)
	defer cancel()
	switch {
	case n.Target == "":
		return true, t.spread(own, n)
	case n.Posting && now.Sub(n.PostedAt) < lostPause && !n.PostedAt.After(now): // its process died
		_, err = t.o.Ledger.KeepOrder(own, n, lostPause-now.Sub(n.PostedAt), false)
		return true, err
	case n.Posting:
		return true, t.find(own, n)
	}
	return true, t.post(own, n)
}

// spread owes an order to the channel or, if there is none, to others.
func (t *Teller) spread(ctx context.Context, n Notice) error {
	if t.o.Channel != "" {
		return t.o.Ledger.SpreadOrder(ctx, n, []string{t.o.Channel})
	}
	targets, err := t.others(ctx, n)
	if err != nil {
		return t.later(ctx, n, 0, mostAttempts)
	}
	return t.o.Ledger.SpreadOrder(ctx, n, targets)
}

// others returns whom to tell of an order if no channel is set or the channel refuses: those who may freeze
// filing, without the one who ordered. If the policy names nobody else, it is the channel where it was ordered.
func (t *Teller) others(ctx context.Context, n Notice) ([]string, error) {
	users, err := t.o.People(ctx)
	if err != nil {
		t.o.Log.Warn("finding whom to tell of an order about filing: trying again", "order", n.Order.Number, "err", err)
		return nil, err
	}
	users = slices.DeleteFunc(slices.Clone(users), func(user string) bool { return n.Order.Actor != "" && hasUser(n.Order.Actor, user) })
	switch place := n.Order.Place.Channel; {
	case len(users) > 0:
		return users, nil
	case isChannel(place):
		return []string{place}, nil
	}
	t.o.Log.Warn("nobody can be told of an order about filing: set REPORT_CHANNEL or NOTIFY_CHANNEL", "order", n.Order.Number)
	return nil, nil
}

func hasUser(actor, user string) bool {
	return actor == user || len(actor) > len(user) && actor[len(actor)-len(user)-1:] == "/"+user
}

// isChannel reports whether an id is that of a channel: no user's, and no direct message's.
func isChannel(id string) bool { return strings.HasPrefix(id, "C") || strings.HasPrefix(id, "G") }

// find looks for a post that was announced and whose answer is not recorded. If nobody can tell, it is
// posted again: a freeze that is told twice does less harm than one that is not told.
func (t *Teller) find(ctx context.Context, n Notice) error {
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, found, known := t.o.Board.FindOrder(calling, n)
	t.o.Log.Warn("Slack's answer to a post was lost", "order", n.Order.Number, "looked_up", known, "found", found)
	n.Posting = false
	if !found {
		return t.post(ctx, n)
	}
	n.Posted = at
	_, err := t.o.Ledger.KeepOrder(ctx, n, 0, false)
	return err
}

// post announces the post in the database, makes it, and records what became of it.
func (t *Teller) post(ctx context.Context, n Notice) error {
	ends, err := t.o.Ledger.OrderShown(ctx, n.Ends)
	if err != nil {
		return err
	}
	n.Posting = true
	if n, err = t.o.Ledger.KeepOrder(ctx, n, lostPause, true); err != nil {
		return err
	}
	calling, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	at, delivery, retry := t.o.Board.PostOrder(calling, n, ends)
	switch n.Posting = false; delivery {
	case cancellation.Delivered:
		n.Posted = at
		_, err = t.o.Ledger.KeepOrder(ctx, n, 0, false)
		return err
	case cancellation.Lost:
		n.Posting = true
		return t.later(ctx, n, lostPause, mostAttempts)
	case cancellation.Refusing:
		return t.refused(ctx, n)
	}
	return t.later(ctx, n, retry, mostAttempts)
}

// refused tells others instead of a channel that Slack refuses: the channel that is set by now, or people. The
// order stays owed to the channel or person too, for a day.
func (t *Teller) refused(ctx context.Context, n Notice) error {
	if n.Attempts == 0 {
		t.o.Log.Error("Slack refuses an order about filing here", "order", n.Order.Number, "channel", n.Target)
	}
	if !isChannel(n.Target) {
		return t.later(ctx, n, longest, mostRefused)
	}
	targets := []string{t.o.Channel}
	if t.o.Channel == "" || t.o.Channel == n.Target {
		var err error
		if targets, err = t.others(ctx, n); err != nil {
			return t.later(ctx, n, 0, mostAttempts)
		}
	}
	n, pause := t.tried(n, longest, mostRefused)
	return t.o.Ledger.ShareOrders(ctx, n, targets, pause)
}

// later has a notice worked on again after the pause at least, unless it was tried as often as it may be.
func (t *Teller) later(ctx context.Context, n Notice, pause time.Duration, most int) error {
	n, pause = t.tried(n, max(pause, backoff(n.Attempts+1)), most)
	_, err := t.o.Ledger.KeepOrder(ctx, n, pause, false)
	return err
}

// tried counts a try that failed. The pause is 0 for a notice that was tried as often as it may be.
func (t *Teller) tried(n Notice, pause time.Duration, most int) (Notice, time.Duration) {
	n.Attempts++
	if n.Attempts >= most {
		t.o.Log.Error("giving up: an order about filing was not told here", "order", n.Order.Number, "channel", n.Target, "attempt", n.Attempts)
		n.Posting, pause = false, 0
	}
	return n, pause
}

func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 10), longest)
}
