package correspondence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"cancel-server/internal/cancellation"
)

// Bounds of the Sender's work.
const (
	mostAtOnce = 4
	stepTime   = time.Minute // one step, on top of the call's own time
)

// SenderOptions say what a Sender sends with.
type SenderOptions struct {
	Ledger  Ledger
	Journal Journal
	Books   Books
	Writer  Writer
	// WhoMayApprove returns whom to ask to send what somebody proposed.
	WhoMayApprove func(ctx context.Context, r cancellation.Request) ([]string, error)
	Notify        func() // called when people are owed something; never blocks
	Refused       func() // called when SoftLayer says that the key may not write; never blocks

	Owner       string        // names this process in leases and events
	PostTimeout time.Duration // the call may be written and answered within this after its announcement
	SettleTime  time.Duration // how long a ticket must lack a text before that was not sent
	Lease       time.Duration // of a claimed row; renewed at a third of it
	Poll        time.Duration // how often to ask the database when nothing rang
	Log         *slog.Logger
}

// Sender sends what is recorded, each text by at most one call, and finds out what became of a call
// whose answer was lost.
type Sender struct {
	o    SenderOptions
	bell chan struct{}
}

// NewSender makes a sender. It makes no call.
func NewSender(o SenderOptions) *Sender { return &Sender{o: o, bell: make(chan struct{}, 1)} }

// Wake tells the Sender that there may be something to send. It never blocks.
func (s *Sender) Wake() {
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// Run works until ctx ends. It returns when the steps that had begun are done.
func (s *Sender) Run(ctx context.Context) {
	for ctx.Err() == nil {
		claim, err := s.o.Ledger.ClaimUpdates(ctx, s.o.Owner, s.o.Lease, mostAtOnce)
		if err != nil && ctx.Err() == nil {
			s.o.Log.Error("claiming texts for tickets", "err", err)
		}
		var steps sync.WaitGroup
		for _, u := range claim.Rows {
			steps.Go(func() {
				own, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime+s.o.PostTimeout)
				defer cancel()
				s.work(own, &claimed{row: u, at: claim.At})
			})
		}
		steps.Wait()
		if len(claim.Rows) < mostAtOnce {
			s.sleep(ctx, claim.Next)
		}
	}
}

// sleep waits for the bell, for the pause, or for the poll interval.
func (s *Sender) sleep(ctx context.Context, pause time.Duration) {
	if pause <= 0 || pause > s.o.Poll {
		pause = s.o.Poll
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-s.bell:
	case <-timer.C:
	}
}

// claimed is a text that this worker has claimed, as last read or written.
type claimed struct {
	mu  sync.Mutex
	row Update
	at  time.Time // the database's time of the claim
}

func (c *claimed) update() Update {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.row
}

func (c *claimed) set(u Update) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.row = u
}

// work takes one step of one text, and renews its lease meanwhile.
func (s *Sender) work(ctx context.Context, c *claimed) {
	renewing, stop := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { s.keepLease(renewing, c) })
	err := s.step(ctx, c)
	stop()
	keeper.Wait()
	u := c.update()
	switch {
	case errors.Is(err, cancellation.ErrMoved):
		s.o.Log.Info("another worker has the text", "update", u.Number)
	case err != nil:
		s.o.Log.Error("working a text for a ticket", "update", u.Number, "state", u.State, "err", err)
	}
}

func (s *Sender) keepLease(ctx context.Context, c *claimed) {
	tick := time.NewTicker(s.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.o.Ledger.RenewUpdate(ctx, c.update(), s.o.Owner, s.o.Lease); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("renewing a lease", "update", c.update().Number, "err", err)
		}
	}
}

// step does what the text's state requires.
func (s *Sender) step(ctx context.Context, c *claimed) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.o.Log.Error("a step panicked", "update", c.update().Number, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	u := c.update()
	r, err := s.o.Journal.Request(ctx, u.RequestID)
	if err != nil {
		return fmt.Errorf("reading the request of a text: %w", err)
	}
	h := &hand{claimed: c, request: r}
	switch u.State {
	case Proposing:
		return s.propose(ctx, h)
	case Sending: // its lease is over: the call was made, or may have been
		return s.move(ctx, h, Unknown, WhyStopped, "")
	case Unknown:
		return s.settle(ctx, h)
	default:
		return s.send(ctx, h)
	}
}

// hand is a claimed text with its request.
type hand struct {
	*claimed
	request cancellation.Request
}

// move commits a step to another state, and owes people what became of the text.
func (s *Sender) move(ctx context.Context, h *hand, to State, why Why, detail string, more ...func(*Change)) error {
	from := h.update()
	if !slices.Contains(steps[from.State], to) {
		return fmt.Errorf("no text goes from %q to %q", from.State, to)
	}
	next := from
	next.State, next.Why, next.CleanSince, next.Due = to, why, time.Time{}, time.Time{}
	if to != Sending {
		next.Attempts = 0
	}
	if steps[to] != nil {
		next.Due = h.at
	}
	return s.apply(ctx, h, next, detail, more...)
}

// wait leaves a text in its state for a pause.
func (s *Sender) wait(ctx context.Context, h *hand, next Update, pause time.Duration, more ...func(*Change)) error {
	return s.apply(ctx, h, next, "", append(more, func(c *Change) { c.DueIn = max(pause, time.Millisecond) })...)
}

func (s *Sender) apply(ctx context.Context, h *hand, next Update, detail string, more ...func(*Change)) error {
	from := h.update()
	change := Change{From: from, To: next, Request: h.request, Actor: s.o.Owner, Detail: detail}
	if tells(from, next) {
		notices, err := s.o.Journal.Notices(ctx, from.RequestID)
		if err != nil {
			return fmt.Errorf("reading where %s is shown: %w", h.request.Ref.Short(), err)
		}
		change.Tell = []cancellation.Notice{h.request.InThread(cancellation.Written(from.Number, from.By.ID), notices)}
	}
	for _, add := range more {
		add(&change)
	}
	stored, err := s.o.Ledger.ApplyUpdate(ctx, change)
	if err != nil {
		return fmt.Errorf("recording a text as %s: %w", next.State, err)
	}
	h.set(stored)
	if from.State != next.State {
		s.o.Log.Info("a text for a ticket moved", "ref", h.request.Ref.Short(), "update", from.Number, "from", from.State, "to", next.State, "why", next.Why, "answer", detail)
	}
	if len(change.Tell) > 0 {
		s.o.Notify()
	}
	return nil
}

// tells reports whether a step is told. That a text waits is told after the first try that failed; that
// it is on its way is not.
func tells(from, to Update) bool {
	switch to.State {
	case Sending, Proposing:
		return false
	case Recorded:
		return to.Attempts == 1
	default:
		return from.State != to.State
	}
}

// propose asks those who may send what somebody proposed.
func (s *Sender) propose(ctx context.Context, h *hand) error {
	users, err := s.o.WhoMayApprove(ctx, h.request)
	if err != nil {
		return s.retry(ctx, h, err)
	}
	if len(users) == 0 {
		return s.move(ctx, h, NotSent, WhyNobody, "")
	}
	return s.move(ctx, h, Proposed, "", "", func(c *Change) {
		for _, user := range users {
			c.Tell = append(c.Tell, cancellation.Notice{RequestID: h.request.ID, Kind: cancellation.Proposed(c.From.Number, user)})
		}
	})
}

// retry leaves a text in its state because something could not be read.
func (s *Sender) retry(ctx context.Context, h *hand, cause error) error {
	next := h.update()
	s.o.Log.Warn("a read failed: trying again", "ref", h.request.Ref.Short(), "update", next.Number, "attempt", next.Attempts+1, "err", cause)
	next.CleanSince = time.Time{}
	next.Attempts++
	most := time.Minute
	if errors.Is(cause, cancellation.ErrReadRefused) || errors.Is(cause, cancellation.ErrTicketHidden) {
		most = time.Hour // until somebody gives the key the right
	}
	return s.wait(ctx, h, next, backoff(next.Attempts, most))
}

// backoff returns the pause before the next try: a second, doubled with each failure up to most, with
// 20 percent of jitter either way.
func backoff(attempts int, most time.Duration) time.Duration {
	pause := min(time.Second<<min(max(attempts-1, 0), 12), most)
	return time.Duration(float64(pause) * (0.8 + 0.4*rand.Float64()))
}
