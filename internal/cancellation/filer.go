package cancellation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"
)

// Filer files accepted requests and finds out what became of their POSTs. Its fields are set before
// Run and do not change after that.
type Filer struct {
	Requests Requests
	Queue    Queue
	Freezes  Freezes
	Notices  Notices
	Clock    Clock
	SoftLayer
	Directory Directory
	Policy    func() Policy // returns the one in force
	Slack     *Outage       // asks Slack; shared with the Notifier
	Notifier  *Notifier     // shows what changed
	Limits    Limits
	Owner     string // names this process in leases and events
	Log       *slog.Logger

	Channels

	queue     queue
	softlayer Outage
}

// Channels are where people are told who did not ask for it.
type Channels struct {
	// NotifyChannel is the operators' channel, where approvers are asked; "" for none.
	NotifyChannel string
	// Escalation is where it is told that a request needs a person; "" for its thread, and people who
	// may approve.
	Escalation string
}

// SoftLayer is what the Filer needs of SoftLayer: to read servers and tickets, and to file.
type SoftLayer struct {
	Servers ServerReader
	Tickets TicketReader
	Writer  TicketWriter // nil if this bot only practises: every request ends before its POST
}

// Wake tells the Filer that there may be something to do.
func (f *Filer) Wake() { f.queue.bell.ring() }

// Run works until ctx ends. It returns when the steps that had begun are done.
func (f *Filer) Run(ctx context.Context) {
	f.softlayer.ask = f.askSoftLayer
	l := &loop{
		bell: &f.queue.bell, busy: slots(f.Limits.Requests), next: f.take,
		poll: f.Limits.Poll, job: stepTime + f.Limits.PostTimeout, log: f.Log,
	}
	f.queue.loop.Store(l)
	l.run(ctx)
}

// reserve takes a slot for a request that is worked on once it is recorded. It returns nil if the
// request is not due at once, if others may be due before it, and if a vendor answers nobody.
func (f *Filer) reserve(r Request) *slot {
	if f == nil || r.State != Scheduled || !r.UndoUntil.IsZero() || f.softlayer.away() || f.Slack.away() {
		return nil
	}
	return f.queue.loop.Load().reserve()
}

// begin works on a request in the slot that was reserved for it. The request was recorded with this
// process's lease.
func (f *Filer) begin(ctx context.Context, in *slot, r Request) {
	in.begin(ctx, func(ctx context.Context) { f.work(ctx, &claimedRow{row: r, claimed: r.CreatedAt}) })
	f.Notifier.bell.ringIn(patience)
}

func (f *Filer) take(ctx context.Context, most int) (jobs []func(context.Context), pause time.Duration, err error) {
	if away := max(f.softlayer.pause(ctx), f.Slack.pause(ctx)); away > 0 {
		f.queue.behind.Store(0)
		return nil, away, nil
	}
	c, err := f.Queue.Claim(ctx, f.Owner, f.Limits.Lease, most)
	f.queue.claimed(c, most)
	for _, r := range c.Rows {
		jobs = append(jobs, func(ctx context.Context) { f.work(ctx, &claimedRow{row: r, claimed: c.At}) })
	}
	return jobs, c.Next, err
}

// work takes one step of one claimed request, and renews its lease meanwhile.
func (f *Filer) work(ctx context.Context, h *claimedRow) {
	r := h.request()
	stop := f.keepLease(ctx, h)
	err := f.step(ctx, h)
	stop()
	if err != nil || !h.request().Due.IsZero() { // there is more to do, now or later
		f.queue.bell.ring()
	}
	switch {
	case errors.Is(err, ErrMoved):
		f.Log.Info("another worker has the request", "ref", r.Ref.Short())
	case err != nil:
		f.Log.Error("working a request", "ref", r.Ref.Short(), "state", r.State, "err", err)
	}
}

// step does what the request's state requires. After a panic the request is stuck, so that it is not
// tried for ever; in Filing it stays, and becomes Unknown when the lease is over.
func (f *Filer) step(ctx context.Context, h *claimedRow) (err error) {
	defer func() {
		if p := recover(); p != nil {
			f.Log.Error("a step panicked", "ref", h.request().Ref.Short(), "panic", p, "stack", string(debug.Stack()))
			if err = fmt.Errorf("panic: %v", p); h.request().State != Filing {
				err = f.commit(ctx, h, *stuck(WhyPoison, fmt.Sprint(p)))
			}
		}
	}()
	switch r := h.request(); r.State {
	case Filing: // its lease is over: the POST was made, or may have been
		return f.persist(ctx, h, verdict{to: Unknown, why: Reason{Code: WhyStopped}}, true)
	case Unknown:
		return f.settle(ctx, h)
	case Pending:
		return f.expireOrRemind(ctx, h)
	default:
		return f.file(ctx, h)
	}
}

// claimedRow is a request that this worker has claimed, as last read or written.
type claimedRow struct {
	mu  sync.Mutex
	row Request

	// claimed is the database's time of the claim (docs/design.md 4.6). The step judges by it what
	// must not come too early: even if this machine slept since, it is not ahead.
	claimed time.Time
	counted time.Time // when this step's filing was counted in its hour; zero for none
}

func (h *claimedRow) request() Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.row
}

func (h *claimedRow) set(r Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.row = r
}

// keepLease renews the lease until stop is called. If the row is lost, the step finds out by ErrMoved
// when it records.
func (f *Filer) keepLease(ctx context.Context, h *claimedRow) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(f.Limits.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := f.Queue.Renew(ctx, h.request(), f.Owner, f.Limits.Lease); err != nil && ctx.Err() == nil {
				f.Log.Warn("renewing a lease", "ref", h.request().Ref.Short(), "err", err)
			}
		}
	})
	return func() { cancel(); keeper.Wait() }
}

// commit records a verdict.
func (f *Filer) commit(ctx context.Context, h *claimedRow, v verdict) error {
	return f.persist(ctx, h, v, false)
}

// persist records a verdict. lost says that a POST got no answer.
func (f *Filer) persist(ctx context.Context, h *claimedRow, v verdict, lost bool) error {
	next, err := h.request().Move(v.to, ByWorker, v.why)
	if err != nil {
		return err
	}
	var owed []Notice
	var giveBack time.Time
	next.Due = time.Time{}
	if v.decision != nil {
		next.Decision = *v.decision
	}
	switch v.to {
	case Filed, Duplicate:
		next = v.ticketOn(next)
	case Scheduled: // certainly nothing was made
		next.Attempts++
		giveBack = h.counted
	case Pending:
		now, err := f.Clock.Now(ctx) // people get the whole time, counted from now and not from the claim
		if err != nil {
			return err
		}
		next.Approvals, next.Attempts = v.approvals, 0
		next = next.awaiting(now, f.Limits.Terms)
		if owed, err = f.cardsAgain(ctx, next, now); err != nil {
			return err
		}
	case Stuck:
		if owed, err = h.request().needsPerson(ctx, f.Requests, f.Escalation); err != nil {
			return err
		}
	case Unknown:
		next.Evidence, next.CleanSince, next.Attempts = v.ticket.ID, time.Time{}, 0
		if lost {
			next.LostPosts++
		}
	}
	return f.apply(ctx, h, next, EventMoved, v.detail(), false, func(c *Change) {
		c.DueIn, c.Owe, c.GiveBack, c.Event.Detail = v.retry, owed, giveBack, v.stored()
	})
}

// again leaves a request in its state because something could not be read, logs that, and restarts
// the settle time. If the vendor answers nobody, the request keeps its place among those that wait.
func (f *Filer) again(ctx context.Context, h *claimedRow, from *Outage, why Reason, cause error) error {
	r := h.request()
	r.CleanSince = time.Time{}
	away := from.suspected(ctx)
	f.Log.Warn("a read failed: trying again", "ref", r.Ref.Short(), "why", why, "attempt", r.Attempts+1, "answers_nobody", away, "err", cause)
	if away {
		return f.putBack(ctx, h, r, why)
	}
	return f.wait(ctx, h, r, why, backoff(r.Attempts))
}

// putBack gives a request back in its state. Only the reason and what the caller set change.
func (f *Filer) putBack(ctx context.Context, h *claimedRow, next Request, why Reason, more ...func(*Change)) error {
	kind := EventMoved
	if next.Why == why {
		kind = ""
	}
	next.Why = why
	return f.apply(ctx, h, next, kind, why.String(), false, more...)
}

// wait puts a request back in its state for the pause. Its history records each reason once,
// however long the request waits.
func (f *Filer) wait(ctx context.Context, h *claimedRow, next Request, why Reason, pause time.Duration) error {
	next.Attempts++
	return f.putBack(ctx, h, next, why, func(c *Change) { c.DueIn = pause })
}

// apply commits one change of the claimed row. The notices are due at once if people are told of the
// new state, or else patience after the submission.
func (f *Filer) apply(ctx context.Context, h *claimedRow, next Request, kind, detail string, keep bool, more ...func(*Change)) error {
	from := h.request()
	change := Change{
		From: from, To: next, Keep: keep,
		Event: Event{Kind: kind, Actor: f.Owner, From: from.State, To: next.State, Detail: detail},
	}
	for _, add := range more {
		add(&change)
	}
	waiting := kind != "" && next.State == Scheduled && from.Why != next.Why // people see what the request waits for
	if from.State != next.State && next.State != Filing || waiting {
		change.Tell = AtOnce
		if !next.State.Told() {
			change.Tell = from.CreatedAt.Add(patience)
		}
	}
	stored, err := f.applyAndTell(ctx, change)
	if err != nil {
		return fmt.Errorf("recording %s as %s: %w", next.Ref.Short(), next.State, err)
	}
	h.set(stored)
	return nil
}

// applyAndTell commits a change, and has people told of it: at once if the Notifier has a free slot
// for a first result, or else when the Notifier claims what is due.
func (f *Filer) applyAndTell(ctx context.Context, c Change) (Request, error) {
	var in *slot
	if c.Tell == AtOnce && c.To.Submission.Place.Channel != "" && c.To.Batch == "" {
		in = f.Notifier.reserve()
	}
	if in == nil {
		stored, err := f.Requests.Apply(ctx, c)
		if err == nil && (!c.Tell.IsZero() || len(c.Owe) > 0) {
			f.Notifier.Wake()
		}
		return stored, err
	}
	done, err := f.Notices.ApplyAnnounced(ctx, c, f.Notifier.announcement())
	if err != nil || done.Result.RequestID == "" {
		in.release()
	} else {
		f.Notifier.begin(ctx, in, done)
	}
	if done.Rest {
		f.Notifier.Wake()
	}
	return done.Request, err
}

// backoff returns the pause before the next try: a second, doubled with each failure up to a minute,
// with 20 percent of jitter either way.
func backoff(attempts int) time.Duration {
	pause := time.Second << min(max(attempts, 0), 6)
	return time.Duration(float64(min(pause, time.Minute)) * (0.8 + 0.4*rand.Float64()))
}
