package letters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"cancel-server/internal/cancellation"
)

// Times and bounds of a letter.
const (
	callTime     = 10 * time.Second
	lostPause    = callTime + time.Minute // by then Slack shows a post whose answer was lost, or never will
	jobTime      = 25 * time.Second       // of one mailbox: a look-up, a post, and what is written before and after
	leaseTime    = jobTime + 10*time.Second
	together     = 10 * time.Minute // what is told at once and follows so soon goes into the same message
	collectTime  = time.Hour        // a digest waits so long for what the same pass of the follower shows
	nextLook     = 24 * time.Hour   // what is owed is looked at so often at least
	refusedPause = 10 * time.Minute
	refusedMost  = 3    // after so many refusals, or panics, in a row others are told instead
	atATime      = 8    // mailboxes
	mostNews     = 200  // of one letter
	mostRead     = 1000 // for one letter, if some of that must wait
)

// Ledger keeps what people are owed.
type Ledger interface {
	// Now reads the database's time.
	Now(ctx context.Context) (time.Time, error)
	// ClaimMailboxes takes at most most mailboxes that are due, each with a lease and a version of its own.
	ClaimMailboxes(ctx context.Context, owner string, lease time.Duration, most int) (cancellation.Claim[cancellation.Mailbox], error)
	// KeepMailbox stores a mailbox, and settles news. It gives back the lease unless keep is set.
	// ErrMoved: the lease was lost, and nothing is stored.
	KeepMailbox(ctx context.Context, m cancellation.Mailbox, keep bool, settled []int64) (cancellation.Mailbox, error)
	// NewsFor lists what a person is owed, the oldest first.
	NewsFor(ctx context.Context, person string, most int) ([]cancellation.OwedNews, error)
	// NewsNumbered lists news of a person, told or not.
	NewsNumbered(ctx context.Context, person string, numbers []int64) ([]cancellation.OwedNews, error)
	// OweNews owes people news of a request, each of a kind and detail once.
	OweNews(ctx context.Context, requestID string, news []cancellation.News) error
	// Request reads a request by its id.
	Request(ctx context.Context, id string) (cancellation.Request, error)
	// Notices lists a request's notices, delivered or not.
	Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error)
	// Owe owes a notice, due at once. first is false if one of its kind exists already, unless nobody was or will be told.
	Owe(ctx context.Context, requestID string, kind cancellation.NoticeKind, to cancellation.Place) (first bool, err error)
	// WaitsSince returns since when SoftLayer waits for an answer about a request; zero if it does not.
	WaitsSince(ctx context.Context, requestID string) (time.Time, error)
}

// People knows who reads letters. zone is the name of the person's time zone; gone says that they have
// left. An error means that it could not be read.
type People interface {
	Whereabouts(ctx context.Context, user string) (zone string, gone bool, err error)
}

// Mail carries letters.
type Mail interface {
	// PostLetter posts a direct message. id marks it, so that FindLetter finds it.
	PostLetter(ctx context.Context, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Posted, cancellation.Delivery, time.Duration)
	// UpdateLetter replaces one. It may be repeated.
	UpdateLetter(ctx context.Context, at cancellation.Posted, to, id string, items []cancellation.Item, atOnce bool) (cancellation.Delivery, time.Duration)
	// FindLetter looks for a letter that was posted since then. known is false if the bot may not look.
	FindLetter(ctx context.Context, to, id string, since time.Time) (at cancellation.Posted, found, known bool)
}

// Options say what a Sender sends with.
type Options struct {
	Ledger Ledger
	People People
	Mail   Mail
	// RemindAt returns when somebody in a zone is reminded that a request's server is due to end.
	RemindAt func(r cancellation.Request, zone *time.Location) time.Time
	Channel  string // the escalation channel; "" for none
	Wake     func() // called when a channel is owed something
	Owner    string // names this process
	Poll     time.Duration
	Log      *slog.Logger
}

// Sender sends letters. Any number of replicas may run one.
type Sender struct {
	o    Options
	bell chan struct{}
}

// New makes a sender. It makes no call.
func New(o Options) *Sender { return &Sender{o: o, bell: make(chan struct{}, 1)} }

// Wake tells the sender that there may be something to send.
func (s *Sender) Wake() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Run sends letters until ctx ends. It returns when the letters that were begun are done.
func (s *Sender) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := s.round(ctx)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-s.bell:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// round works on all mailboxes that are due, and returns how long to wait for the next.
func (s *Sender) round(ctx context.Context) time.Duration {
	for ctx.Err() == nil {
		claimed, err := s.o.Ledger.ClaimMailboxes(ctx, s.o.Owner, leaseTime, atATime)
		if err != nil && ctx.Err() == nil {
			s.o.Log.Error("claiming mailboxes", "err", err)
		}
		if len(claimed.Rows) == 0 {
			if err == nil && claimed.Next > 0 {
				return min(claimed.Next, s.o.Poll)
			}
			return s.o.Poll
		}
		var jobs sync.WaitGroup
		for _, m := range claimed.Rows {
			jobs.Go(func() { s.work(ctx, m) })
		}
		jobs.Wait()
	}
	return 0
}

// work does what one mailbox needs now. It outlives ctx, until its own deadline.
func (s *Sender) work(ctx context.Context, m cancellation.Mailbox) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), jobTime)
	defer cancel()
	b := &box{s: s, m: m}
	defer func() { // one letter whose words cannot be made does not stop the process
		if p := recover(); p != nil {
			if b.state.Refused++; b.state.Refused <= refusedMost {
				s.o.Log.Error("writing a letter panicked", "refusals", b.state.Refused, "panic", p, "stack", string(debug.Stack()))
			}
			b.keepFor(ctx, refusedPause)
		}
	}()
	switch err := b.work(ctx); {
	case errors.Is(err, cancellation.ErrMoved):
		s.o.Log.Info("another worker has the mailbox")
	case err != nil:
		s.o.Log.Warn("sending a letter: trying again", "err", err)
		b.keepFor(ctx, b.backoff())
	}
}

// backoff returns how long to wait after tries in a row that failed.
func (b *box) backoff() time.Duration {
	pause := time.Second << min(b.state.Attempts, 9)
	b.state.Attempts++
	return min(pause, refusedPause)
}

// keepFor puts the mailbox back for a time. If that fails, its lease ends.
func (b *box) keepFor(ctx context.Context, pause time.Duration) {
	if b.now.IsZero() {
		return
	}
	if err := b.keep(ctx, b.now.Add(max(pause, time.Second)), nil); err != nil {
		b.s.o.Log.Warn("putting a mailbox back", "err", err)
	}
}

func (b *box) keep(ctx context.Context, due time.Time, settled []int64) error {
	return b.store(ctx, due, false, settled)
}

func (b *box) store(ctx context.Context, due time.Time, hold bool, settled []int64) (err error) {
	b.m.Letters, b.m.Due = b.state.encode(), due
	if b.m, err = b.s.o.Ledger.KeepMailbox(ctx, b.m, hold, settled); err != nil {
		return fmt.Errorf("recording a letter: %w", err)
	}
	return nil
}
