package following

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/pace"
)

// Times and bounds of a pass.
const (
	pageRows    = 100             // requests that two calls look at
	turnLease   = 5 * time.Minute // a replica that has died leaves its turn so soon
	poll        = 4 * time.Minute // less than cancellation.SightingDelay
	rightsAge   = time.Hour       // how long a key that does not see all hardware is taken for one
	ledgerTime  = 10 * time.Second
	leastPeriod = time.Second
)

// errTurnLost says that another process looks at the requests now.
var errTurnLost = errors.New("another process has taken the turn")

// Ledger keeps requests and what is known of them.
type Ledger interface {
	cancellation.Follows
	// Events reads a request's history, the oldest event first.
	Events(ctx context.Context, requestID string) ([]cancellation.Event, error)
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error)
	// StaysOf reads what is kept of what stays billed of these requests; it leaves out those of
	// which nothing is kept.
	StaysOf(ctx context.Context, requests []string) (map[string]billed.Record, error)
}

// Books are SoftLayer's records. A list holds what was asked for and no more; what it lacks was not
// shown, which proves nothing. Every method may fail with cancellation.ErrReadRefused.
type Books interface {
	// Listed reads which of many servers SoftLayer lists.
	Listed(ctx context.Context, servers []int64) (map[int64]bool, error)
	// Lives reads how far many tickets have come, by the ticket's id.
	Lives(ctx context.Context, tickets []int64) (map[int64]cancellation.TicketLife, error)
	// Server reads one server. ErrServerNotFound: there is none, or the key may not see it.
	Server(ctx context.Context, id int64) (cancellation.Server, error)
	// Updates reads who wrote the updates of a ticket.
	Updates(ctx context.Context, ticket int64) ([]cancellation.TicketUpdate, error)
	// Cancelled reads which billing items the cancellation requests made since then name that
	// stand. It returns an error unless it read all.
	Cancelled(ctx context.Context, since time.Time) (map[int64]bool, error)
	// Rights reads what the key may see.
	Rights(ctx context.Context) (cancellation.Rights, error)
	// Beside reads what stands next to a server and may stay billed without it; wait is called before
	// each call. The facts name what could not be read; the error says why.
	Beside(ctx context.Context, server int64, wait func(context.Context) error) (billed.Facts, error)
	// StillBilled reads which of these billing items are billed now.
	StillBilled(ctx context.Context, items []int64) (billed.Standing, error)
	// UsedElsewhere reads which volumes, by their billing items, something else than these servers may use,
	// with their replicas. What it leaves out is not used, or that was not visible.
	UsedElsewhere(ctx context.Context, items, servers []int64) (map[int64]bool, error)
}

// Options say what a Follower follows with.
type Options struct {
	Ledger  Ledger
	Books   Books
	Wake    func()        // called when people are owed something
	Owner   string        // names this process
	Every   time.Duration // how often each filed request is looked at
	Rate    float64       // calls a second, at most
	Channel string        // the escalation channel; "" for none
	Log     *slog.Logger
}

// Follower looks at all filed requests, one replica at a time.
type Follower struct {
	o         Options
	pace      pace.Pace
	size      int // requests of the next page: fewer after a page that could not be read
	blindFrom time.Time
	spare     time.Time // until when this page reads what stays billed
}

// New makes a follower. It makes no call.
func New(o Options) *Follower {
	return &Follower{o: o, pace: pace.Of(o.Rate), size: pageRows}
}

// Run looks at the requests until ctx ends. Failures are logged, and tried again.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := f.pass(ctx); err != nil && ctx.Err() == nil {
			f.o.Log.Warn("following filed requests", "err", err)
		}
		pace.Sleep(ctx, max(leastPeriod, min(poll, f.o.Every)))
	}
}

// pass looks at all requests that are due, if it is this process's turn.
func (f *Follower) pass(ctx context.Context) error {
	for ctx.Err() == nil {
		turn, err := f.turn(ctx)
		if err != nil || !turn.Mine {
			return err
		}
		due, err := f.due(ctx, turn)
		if err != nil || len(due) == 0 {
			return err
		}
		if err := f.page(ctx, due, turn.Now); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (f *Follower) turn(ctx context.Context) (cancellation.FollowTurn, error) {
	asking, cancel := context.WithTimeout(ctx, ledgerTime)
	defer cancel()
	return f.o.Ledger.FollowTurn(asking, f.o.Owner, f.o.Every, turnLease)
}

func (f *Follower) due(ctx context.Context, turn cancellation.FollowTurn) ([]cancellation.Followed, error) {
	asking, cancel := context.WithTimeout(ctx, ledgerTime)
	defer cancel()
	return f.o.Ledger.DueLooks(asking, turn.Began, f.size)
}

// page looks at some requests and records what it saw. If they cannot be read, the next page has half
// as many, so that one that SoftLayer fails on holds up no others: alone, it is put off.
func (f *Follower) page(ctx context.Context, due []cancellation.Followed, begun time.Time) error {
	all, err := f.read(ctx, due, begun)
	if err != nil {
		alone := len(due) == 1
		f.size = max(1, f.size/2)
		if alone && ctx.Err() == nil {
			return errors.Join(err, f.keep(ctx, []string{due[0].Request.ID}, nil))
		}
		return err
	}
	f.size, f.spare = pageRows, time.Now().Add(spareTime)
	var quiet []string
	var looks []cancellation.Look
	for i, followed := range due {
		look, changed, err := f.judge(ctx, followed, all[i])
		switch {
		case err != nil:
			return err
		case changed:
			looks = append(looks, look)
		default:
			quiet = append(quiet, followed.Request.ID)
		}
	}
	if err := f.leftBehind(ctx, looks); err != nil {
		return err
	}
	return f.keep(ctx, quiet, looks)
}

func (f *Follower) keep(ctx context.Context, quiet []string, looks []cancellation.Look) error {
	keeping, cancel := context.WithTimeout(context.WithoutCancel(ctx), ledgerTime)
	defer cancel()
	if err := f.o.Ledger.KeepLooks(keeping, f.o.Owner, quiet, looks); err != nil {
		return err
	}
	for _, look := range looks {
		if look.Change != nil || len(look.Owe)+len(look.News) > 0 || !look.Waits.Equal(look.Followed.Waits) {
			f.o.Wake()
			break
		}
	}
	return nil
}

// judge returns what the evidence leads to. changed is false if there is nothing new to record.
func (f *Follower) judge(ctx context.Context, followed cancellation.Followed, e Evidence) (look cancellation.Look, changed bool, err error) {
	r := followed.Request
	known, err := knownOf(followed)
	if err != nil {
		f.o.Log.Error("reading what is known of a request", "ref", r.Ref.Short(), "err", err)
		return look, false, nil
	}
	card, since, err := f.cards(ctx, followed, e.seen(r))
	if err != nil {
		return look, false, err
	}
	v := Judge(followed, known, e, card, since)
	if v.Still {
		taken, err := f.taken(ctx, r)
		if err != nil {
			return look, false, err
		}
		v.tellStill(taken, e.Begun)
	}
	stays := f.stays(ctx, followed.Request, e, &v)
	look = cancellation.Look{Followed: followed, Known: v.Known.encode(), Again: v.Again, Notes: v.Notes, Waits: v.Waits, Asks: v.Known.Asks, Stays: stays}
	if look.Change, err = v.change(r); err != nil {
		return look, false, err
	}
	if len(v.Lines)+len(v.News) > 0 {
		notices, err := f.o.Ledger.Notices(ctx, r.ID)
		if err != nil {
			return look, false, fmt.Errorf("reading where %s is shown: %w", r.Ref.Short(), err)
		}
		look.Owe = v.owed(r, notices, f.o.Channel)
		look.News = v.News
	}
	changed = v.Known != known || !v.Waits.Equal(followed.Waits) || !v.Again.Equal(followed.Again) || len(v.Notes) > 0 || look.Change != nil || len(look.Owe)+len(look.News) > 0
	return look, changed, nil
}

// cards returns what a card's read showed of a request after the last look, if that may be the first
// of two reads.
func (f *Follower) cards(ctx context.Context, followed cancellation.Followed, seen cancellation.Sighting) (cancellation.Sighting, time.Time, error) {
	if !seen.Ends() {
		return cancellation.Sighting{}, time.Time{}, nil
	}
	events, err := f.o.Ledger.Events(ctx, followed.Request.ID)
	if err != nil {
		return cancellation.Sighting{}, time.Time{}, fmt.Errorf("reading the history of %s: %w", followed.Request.Ref.Short(), err)
	}
	card, since := cancellation.LastSighting(events)
	if !since.After(followed.LookedAt) {
		return cancellation.Sighting{}, time.Time{}, nil
	}
	return card, since, nil
}

// change is the step of the request; nil if it stays as it is.
func (v Verdict) change(r cancellation.Request) (*cancellation.Change, error) {
	switch {
	case v.Ends.Ends():
		next, err := r.Move(v.Ends.Seen, cancellation.ByFollower, v.Ends.Why)
		event := cancellation.Event{Kind: cancellation.EventEvidence, Actor: Actor, From: r.State, To: next.State, Detail: v.Ends.Why.String()}
		return &cancellation.Change{From: r, To: next, Event: event, Tell: cancellation.AtOnce}, err
	case v.Shows != "":
		next := r
		next.Shows = v.Shows
		event := cancellation.Event{Kind: cancellation.EventFollowed, Actor: Actor, From: r.State, To: r.State, Detail: v.Shows}
		return &cancellation.Change{From: r, To: next, Event: event, Tell: cancellation.AtOnce}, nil
	case v.Retell:
		return &cancellation.Change{From: r, To: r, Tell: cancellation.AtOnce}, nil
	}
	return nil, nil
}

// taken returns when somebody last said that they are on it; zero if nobody did.
func (f *Follower) taken(ctx context.Context, r cancellation.Request) (time.Time, error) {
	events, err := f.o.Ledger.Events(ctx, r.ID)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the history of %s: %w", r.Ref.Short(), err)
	}
	for _, e := range slices.Backward(events) {
		if e.Kind == cancellation.EventTaken {
			return e.At, nil
		}
	}
	return time.Time{}, nil
}
