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

// Limits bounds what the worker does.
type Limits struct {
	Terms
	PostTimeout    time.Duration // a POST may be written and answered within this after its commit
	SettleTime     time.Duration // of clean reads before a second POST; never under PostTimeout
	FilingsPerHour int           // of the whole deployment
	Lease          time.Duration // of a claimed row; renewed at a third of it
	Requests       int           // requests worked at once
	Notices        int           // notices told at once
	Poll           time.Duration // how often the database is asked when nothing rang: another process may have changed it
	Watch          time.Duration // how often it is looked for what is overdue
}

// DefaultLimits are the production values but for the two durations that are settings.
func DefaultLimits() Limits {
	return Limits{
		PostTimeout: 90 * time.Second, SettleTime: 5 * time.Minute, FilingsPerHour: 60,
		Lease: 10 * time.Second, Requests: 8, Notices: 8, Poll: time.Second, Watch: 30 * time.Second,
	}
}

// stepTime bounds one step, on top of the POST's own time.
const stepTime = time.Minute

// Worker files, settles and announces. Its fields are set before Run and stay.
type Worker struct {
	Journal   Journal
	Servers   ServerReader
	Tickets   TicketReader
	Filer     Filer
	Directory Directory
	Policy    Policy
	Announcer Announcer
	Limits    Limits
	Owner     string // names this process in leases and events
	Log       *slog.Logger

	// NotifyChannel is the operators' channel, which hears of what takes too long; "" for none.
	NotifyChannel string

	requests, notices Bell
	softlayer, slack  outage
}

// Bell wakes one loop. Ringing never blocks, and two rings may count as one.
type Bell struct {
	once sync.Once
	ch   chan struct{}
}

func (b *Bell) channel() chan struct{} {
	b.once.Do(func() { b.ch = make(chan struct{}, 1) })
	return b.ch
}

// Ring wakes the loop, now or when it next waits.
func (b *Bell) Ring() {
	select {
	case b.channel() <- struct{}{}:
	default:
	}
}

// Wake tells the worker that there may be something to do.
func (w *Worker) Wake() {
	w.requests.Ring()
	w.notices.Ring()
}

// Run works until ctx ends, then lets what it began finish and returns.
func (w *Worker) Run(ctx context.Context) {
	w.softlayer.ask, w.slack.ask = w.askSoftLayer, w.Announcer.Reach
	var loops sync.WaitGroup
	loops.Go(func() { w.loop(ctx, &w.requests, w.Limits.Requests, w.takeRequest) })
	loops.Go(func() { w.loop(ctx, &w.notices, w.Limits.Notices, w.takeNotice) })
	loops.Go(func() { w.watch(ctx) })
	loops.Wait()
}

// take claims one piece of work. A nil job means that there is none now; next is
// when there may be.
type take func(ctx context.Context) (job func(context.Context), next time.Time, err error)

// loop claims work while there are free slots. The jobs outlive ctx: a step that
// has begun ends by its own deadline, and loop waits for it.
func (w *Worker) loop(ctx context.Context, bell *Bell, slots int, next take) {
	var jobs sync.WaitGroup
	defer jobs.Wait()
	free := make(chan struct{}, slots)
	for {
		select {
		case <-ctx.Done():
			return
		case free <- struct{}{}:
		}
		job, due, err := next(ctx)
		if err != nil && ctx.Err() == nil {
			w.Log.Error("claiming work", "err", err)
		}
		if job == nil {
			<-free
			w.sleep(ctx, bell, due)
			continue
		}
		jobs.Go(func() {
			defer func() { <-free; bell.Ring() }()
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime+w.Limits.PostTimeout)
			defer cancel()
			job(own)
		})
	}
}

// sleep waits for the bell, for the next due time, or for the poll interval.
func (w *Worker) sleep(ctx context.Context, bell *Bell, due time.Time) {
	pause := w.Limits.Poll
	if now, err := w.Journal.Now(ctx); err == nil && !due.IsZero() {
		pause = max(min(due.Sub(now), w.Limits.Poll), time.Millisecond)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-bell.channel():
	case <-timer.C:
	}
}

func (w *Worker) takeRequest(ctx context.Context) (func(context.Context), time.Time, error) {
	away := max(w.softlayer.pause(ctx), w.slack.pause(ctx))
	if away > 0 {
		return w.later(ctx, away)
	}
	r, found, next, err := w.Journal.Claim(ctx, w.Owner, w.Limits.Lease)
	if err != nil || !found {
		return nil, next, err
	}
	return func(ctx context.Context) { w.work(ctx, r) }, next, nil
}

// later takes nothing for a while.
func (w *Worker) later(ctx context.Context, pause time.Duration) (func(context.Context), time.Time, error) {
	now, err := w.Journal.Now(ctx)
	return nil, now.Add(pause), err
}

// work takes one step of one claimed request, with its lease kept alive meanwhile.
func (w *Worker) work(ctx context.Context, r Request) {
	h := &held{row: r}
	stop := w.keepLease(ctx, h)
	err := w.step(ctx, h)
	stop()
	switch {
	case errors.Is(err, ErrMoved):
		w.Log.Info("another worker has the request", "ref", r.Ref.Short())
	case err != nil:
		w.Log.Error("working a request", "ref", r.Ref.Short(), "state", r.State, "err", err)
	}
}

// step does what the request's state asks for. A panic makes the row stuck instead
// of being tried for ever; in Filing the row is left to become Unknown.
func (w *Worker) step(ctx context.Context, h *held) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error("a step panicked", "ref", h.request().Ref.Short(), "panic", p, "stack", string(debug.Stack()))
			if err = fmt.Errorf("panic: %v", p); h.request().State != Filing {
				err = w.commit(ctx, h, *stuck(WhyPoison, fmt.Sprint(p)))
			}
		}
	}()
	switch r := h.request(); r.State {
	case Filing: // its lease is over: the POST was made, or may have been
		return w.persist(ctx, h, verdict{to: Unknown, why: Reason{Detail: "the program stopped before the answer was recorded"}}, true)
	case Unknown:
		return w.settle(ctx, h)
	case Pending:
		return w.wearOff(ctx, h)
	default:
		return w.file(ctx, h)
	}
}

// held is a claimed row as this worker last knew it.
type held struct {
	mu  sync.Mutex
	row Request

	counted time.Time // the end of the hour that counts this step's filing; zero for none
}

func (h *held) request() Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.row
}

func (h *held) set(r Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.row = r
}

// keepLease renews the lease until stop is called. It ends by itself when the row
// is lost: what is under way then finds ErrMoved when it records.
func (w *Worker) keepLease(ctx context.Context, h *held) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() {
		tick := time.NewTicker(w.Limits.Lease / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := w.Journal.Renew(ctx, h.request(), w.Owner, w.Limits.Lease); err != nil && ctx.Err() == nil {
				w.Log.Warn("renewing a lease", "ref", h.request().Ref.Short(), "err", err)
			}
		}
	})
	return func() { cancel(); keeper.Wait() }
}

// commit records a verdict.
func (w *Worker) commit(ctx context.Context, h *held, v verdict) error {
	return w.persist(ctx, h, v, false)
}

// persist records a verdict; lost says that it comes from a POST without an answer.
func (w *Worker) persist(ctx context.Context, h *held, v verdict, lost bool) error {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return err
	}
	next, err := h.request().Move(v.to, ByWorker, v.why)
	if err != nil {
		return err
	}
	var owed []Notice
	var giveBack time.Time
	next.Due = now.Add(v.retry)
	if v.decision != nil {
		next.Decision = *v.decision
	}
	switch v.to {
	case Filed, Duplicate:
		next = v.ticketOn(next)
	case Scheduled: // surely nothing was made
		next.Attempts++
		giveBack = h.counted
	case Pending:
		next.Approvals, next.Attempts = v.approvals, 0
		next = next.awaiting(now, w.Limits.Terms)
		owed = next.approvalCards(w.NotifyChannel, now) // a request that needed nobody when it was accepted has none
	case Unknown:
		next.Evidence, next.CleanSince, next.Attempts = v.ticket.ID, time.Time{}, 0
		if lost {
			next.LostPosts++
		}
	}
	return w.apply(ctx, h, next, EventMoved, v.detail(), false, func(c *Change) { c.Owe, c.GiveBack = owed, giveBack })
}

// again leaves a request in its state because something could not be read, and
// says so to the operator. It starts the settle time anew. Where the vendor answers
// nobody, the request keeps its place among those that wait.
func (w *Worker) again(ctx context.Context, h *held, from *outage, step string, cause error) error {
	r := h.request()
	r.CleanSince = time.Time{}
	away := from.suspected(ctx)
	w.Log.Warn(step+": trying again", "ref", r.Ref.Short(), "attempt", r.Attempts+1, "answers_nobody", away, "err", cause)
	if away {
		return w.putBack(ctx, h, r, because(WhyWaiting, step))
	}
	return w.wait(ctx, h, r, because(WhyWaiting, step), backoff(r.Attempts))
}

// putBack gives a request back as if it had not been taken, but for the reason why.
func (w *Worker) putBack(ctx context.Context, h *held, next Request, why Reason) error {
	kind := EventMoved
	if next.Why == why {
		kind = ""
	}
	next.Why = why
	return w.apply(ctx, h, next, kind, why.String(), false)
}

// wait puts a request back in the state it has, to be looked at after the pause. Its
// history says so once for each reason, however long that takes.
func (w *Worker) wait(ctx context.Context, h *held, next Request, why Reason, pause time.Duration) error {
	now, err := w.Journal.Now(ctx)
	if err != nil {
		return err
	}
	next.Due = now.Add(pause)
	next.Attempts++
	return w.putBack(ctx, h, next, why)
}

// apply commits one change of the held row. A state that people are told of makes
// the notice due at once; a POST that made nothing does so where they have been told
// already that it is under way.
func (w *Worker) apply(ctx context.Context, h *held, next Request, kind, detail string, keep bool, more ...func(*Change)) error {
	from := h.request()
	change := Change{
		From: from, To: next, Keep: keep,
		Event: Event{Kind: kind, Actor: w.Owner, From: from.State, To: next.State, Detail: detail},
	}
	for _, add := range more {
		add(&change)
	}
	held := kind != "" && next.State == Scheduled && from.Why != next.Why // people see by what
	if from.State != next.State && next.State != Filing || held {
		now, err := w.Journal.Now(ctx)
		if err != nil {
			return err
		}
		change.Tell = now
		if told := from.CreatedAt.Add(patience); !next.State.Told() && now.Before(told) {
			change.Tell = told
		}
	}
	stored, err := w.Journal.Apply(ctx, change)
	if err != nil {
		return fmt.Errorf("recording %s as %s: %w", next.Ref.Short(), next.State, err)
	}
	h.set(stored)
	if from.State != next.State {
		w.Log.Log(ctx, loudness(next.State), heading(next.State), "ref", next.Ref.Short(), "from", from.State, "to", next.State, "why", detail)
	}
	if !change.Tell.IsZero() || len(change.Owe) > 0 {
		w.notices.Ring()
	}
	return nil
}

// loudness is how much an operator should mind that a request came to a state.
func loudness(s State) slog.Level {
	switch s {
	case Stuck:
		return slog.LevelError
	case Unknown:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// heading is what the log says of a request that came to a state.
func heading(s State) string {
	if s == Stuck {
		return "a request needs a person"
	}
	return "a request moved"
}

// backoff is the pause before the next try: a second, doubled with each failure up
// to a minute, with a fifth of jitter either way.
func backoff(attempts int) time.Duration {
	pause := time.Second << min(max(attempts, 0), 6)
	return time.Duration(float64(min(pause, time.Minute)) * (0.8 + 0.4*rand.Float64()))
}
