// Package orders tells people of orders about filing: a freeze, and its end. What is owed stands in the
// database since the order itself, so each order is told whichever process carried it out, and whatever
// dies meanwhile.
package orders

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// Times of a teller.
const (
	lease     = 30 * time.Second
	callTime  = 10 * time.Second       // of one call to Slack
	lostPause = callTime + time.Minute // by then Slack shows a post whose answer was lost, or never will
	longest   = time.Minute            // of the pauses after failures
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
	// ClaimOrder leases what is owed of the first order that is owed; ok is false if there is nothing
	// to do now.
	ClaimOrder(ctx context.Context, owner string, lease time.Duration) (n Notice, now time.Time, ok bool, err error)
	// SpreadOrder replaces a notice by one for each target. cancellation.ErrMoved: another has it.
	SpreadOrder(ctx context.Context, n Notice, targets []string) error
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
		return true, t.spread(own, n, t.o.Channel)
	case n.Posting && now.Sub(n.PostedAt) < lostPause && !n.PostedAt.After(now): // its process died
		_, err = t.o.Ledger.KeepOrder(own, n, lostPause-now.Sub(n.PostedAt), false)
		return true, err
	case n.Posting:
		return true, t.find(own, n)
	}
	return true, t.post(own, n)
}

// spread owes an order to the channel or, if there is none, to people who may freeze filing.
func (t *Teller) spread(ctx context.Context, n Notice, channel string) error {
	if channel != "" {
		return t.o.Ledger.SpreadOrder(ctx, n, []string{channel})
	}
	users, err := t.o.People(ctx)
	if err != nil {
		t.o.Log.Warn("finding whom to tell of an order about filing: trying again", "err", err)
		n.Attempts++
		_, err = t.o.Ledger.KeepOrder(ctx, n, backoff(n.Attempts), false)
		return err
	}
	users = slices.DeleteFunc(users, func(user string) bool { return n.Order.Actor != "" && hasUser(n.Order.Actor, user) })
	if len(users) == 0 {
		t.o.Log.Warn("nobody can be told of an order about filing", "order", n.Order.Number)
	}
	return t.o.Ledger.SpreadOrder(ctx, n, users)
}

func hasUser(actor, user string) bool {
	return actor == user || len(actor) > len(user) && actor[len(actor)-len(user)-1:] == "/"+user
}

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
	pause := time.Duration(0)
	switch n.Posting = false; delivery {
	case cancellation.Delivered:
		n.Posted = at
	case cancellation.Lost:
		n.Posting, pause = true, lostPause
	case cancellation.Refusing:
		return t.refused(ctx, n)
	default:
		n.Attempts++
		pause = max(retry, backoff(n.Attempts))
	}
	_, err = t.o.Ledger.KeepOrder(ctx, n, pause, false)
	return err
}

// refused tells people instead of a channel that Slack refuses. A person who cannot be reached is left out.
func (t *Teller) refused(ctx context.Context, n Notice) error {
	t.o.Log.Error("Slack refuses an order about filing here", "order", n.Order.Number, "channel", n.Target)
	if n.Target == t.o.Channel {
		return t.spread(ctx, n, "")
	}
	_, err := t.o.Ledger.KeepOrder(ctx, n, 0, false)
	return err
}

func backoff(attempts int) time.Duration {
	return min(time.Second<<min(attempts, 6), longest)
}
