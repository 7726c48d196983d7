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

	reachTime   = time.Minute      // after this it is looked at whether anybody was asked what they are to send
	failedPause = 10 * time.Minute // the longest pause after a step that failed
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
	var steps sync.WaitGroup
	defer steps.Wait()
	busy := make(chan struct{}, mostAtOnce)
	for ctx.Err() == nil {
		free := mostAtOnce - len(busy) // only this loop takes a place
		var claim cancellation.Claim[Update]
		if free > 0 {
			var err error
			if claim, err = s.o.Ledger.ClaimUpdates(ctx, s.o.Owner, s.o.Lease, free); err != nil && ctx.Err() == nil {
				s.o.Log.Error("claiming texts for tickets", "err", err)
			}
		}
		for _, u := range claim.Rows {
			busy <- struct{}{}
			steps.Go(func() {
				defer func() { <-busy; s.Wake() }()
				own, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime+s.o.PostTimeout)
				defer cancel()
				s.work(own, &claimed{row: u, at: claim.At})
			})
		}
		if free == 0 || len(claim.Rows) < free {
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
	h := &hand{claimed: c}
	err := s.safely(h, func() error { return s.step(ctx, h) })
	if err != nil && !errors.Is(err, cancellation.ErrMoved) {
		err = s.safely(h, func() error { return s.putBack(ctx, h, err) })
	}
	stop()
	keeper.Wait()
	switch {
	case errors.Is(err, cancellation.ErrMoved):
		s.o.Log.Info("another worker has the text", "update", c.update().Number)
	case err != nil: // its lease ends
		s.o.Log.Warn("putting a text for a ticket back", "update", c.update().Number, "err", err)
	}
}

// putBack leaves a text whose step failed for a pause that grows with each failure. The first one in a
// row is logged as an error. What can be sent no more is given up.
func (s *Sender) putBack(ctx context.Context, h *hand, cause error) error {
	u := h.update()
	if h.late() && h.request.ID != "" && slices.Contains([]State{Proposing, Recorded}, u.State) {
		s.o.Log.Error("a text for a ticket is given up", "update", u.Number, "state", u.State, "err", cause)
		return s.move(ctx, h, NotSent, WhyLate, "")
	}
	level := slog.LevelInfo
	if u.Attempts == 0 {
		level = slog.LevelError
	}
	s.o.Log.Log(ctx, level, "working a text for a ticket: trying again", "update", u.Number, "state", u.State, "attempt", u.Attempts+1, "err", cause)
	next := u
	next.CleanSince, next.Attempts = time.Time{}, u.Attempts+1
	stored, err := s.o.Ledger.ApplyUpdate(ctx, Change{From: u, To: next, Request: h.request, Actor: s.o.Owner, DueIn: backoff(next.Attempts, failedPause)})
	if err == nil {
		h.set(stored)
	}
	return err
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

// safely turns a panic into an error, so that one text does not stop the process.
func (s *Sender) safely(h *hand, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if h.update().Attempts == 0 {
				s.o.Log.Error("a step panicked", "update", h.update().Number, "panic", p, "stack", string(debug.Stack()))
			}
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return do()
}

// step does what the text's state requires.
func (s *Sender) step(ctx context.Context, h *hand) error {
	r, err := s.o.Journal.Request(ctx, h.update().RequestID)
	if err != nil && !errors.Is(err, cancellation.ErrUnreadable) { // what is sent is recorded whole
		return fmt.Errorf("reading the request of a text: %w", err)
	}
	h.request = r
	switch h.update().State {
	case Proposing:
		return s.propose(ctx, h)
	case Proposed:
		return s.reached(ctx, h)
	case Sending: // its lease is over: the call was made, or may have been
		return s.move(ctx, h, Unknown, WhyStopped, "")
	case Unknown:
		return s.settle(ctx, h)
	default:
		return s.send(ctx, h)
	}
}

// hand is a claimed text with its request, once that was read.
type hand struct {
	*claimed
	request cancellation.Request
	told    *toldAt // nil until it was read
}

// late reports whether the text may be sent no more.
func (h *hand) late() bool { return h.claimed.at.After(h.update().SendBy) }

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
		at, err := s.tellsAt(ctx, h)
		if err != nil {
			return fmt.Errorf("reading where %s is shown: %w", h.request.Ref.Short(), err)
		}
		change.Tell = telling(at.request, at.first, at.notices)
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

// telling is what shows what became of a text: a message in the request's thread and, if only the requester
// sees that, one to who wrote it.
func telling(r cancellation.Request, u Update, notices []cancellation.Notice) []cancellation.Notice {
	by, requester := u.By.ID, r.Submission.By.ID
	if at := r.Submission.Place; by == requester || at.Channel != "" && !at.Alone {
		return []cancellation.Notice{r.InThread(cancellation.Written(u.Number, by), notices)}
	}
	return []cancellation.Notice{
		r.InThread(cancellation.Written(u.Number, requester), notices),
		{RequestID: r.ID, Kind: cancellation.Written(u.Number, by)},
	}
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

// propose asks those who may send what somebody proposed: once, however many texts its form had.
func (s *Sender) propose(ctx context.Context, h *hand) error {
	users, err := s.o.WhoMayApprove(ctx, h.request)
	if err != nil {
		return s.retry(ctx, h, err)
	}
	if len(users) == 0 {
		return s.move(ctx, h, NotSent, WhyNobody, "")
	}
	at, err := s.tellsAt(ctx, h)
	if err != nil {
		return s.retry(ctx, h, err)
	}
	return s.move(ctx, h, Proposed, "", "", func(c *Change) {
		c.DueIn = reachTime
		for _, user := range users {
			c.Tell = append(c.Tell, cancellation.Notice{RequestID: at.request.ID, Kind: cancellation.Proposed(at.first.Number, user)})
		}
	})
}

// reached finds out whether anybody who may send what somebody proposed was asked to. If Slack refused every
// message that asks them, who wrote it is told.
func (s *Sender) reached(ctx context.Context, h *hand) error {
	at, err := s.tellsAt(ctx, h)
	if err != nil {
		return s.retry(ctx, h, err)
	}
	notices, err := s.o.Journal.Notices(ctx, at.request.ID)
	if err != nil {
		return s.retry(ctx, h, err)
	}
	u := h.update()
	owed, asked := false, true
	if h.request.State == cancellation.Filed { // else nobody has to be
		users, err := s.o.WhoMayApprove(ctx, h.request)
		if err != nil {
			return s.retry(ctx, h, err)
		}
		owed, asked = asking(notices, at.first.Number, users)
	}
	next := u
	switch {
	case asked:
		next.Due, next.Attempts = time.Time{}, 0
		return s.apply(ctx, h, next, "")
	case owed:
		next.Attempts++
		return s.wait(ctx, h, next, max(reachTime, backoff(next.Attempts, failedPause)))
	}
	s.o.Log.Error("Slack refused every message that asks to send a reply. Ask somebody who may approve to press Reply in the request's thread",
		"ref", h.request.Ref.Short(), "update", u.Number)
	return s.move(ctx, h, NotSent, WhyNobody, "")
}

// asking reports whether any of the users was asked to send a text, and whether one is still to be. The notices of a
// form with several texts ask others too, who may send another of them.
func asking(notices []cancellation.Notice, number int64, users []string) (owed, asked bool) {
	for _, n := range notices {
		if of, user, asks, ok := n.Kind.Letter(); ok && asks && of == number && slices.Contains(users, user) {
			owed, asked = owed || !n.Due.IsZero(), asked || n.TS != ""
		}
	}
	return owed, asked
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
