package cancellation

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what the Filer and the Notifier do.
type Limits struct {
	Terms
	PostTimeout    time.Duration // a POST may be written and answered within this after its commit
	SettleTime     time.Duration // how long reads must be clean before a second POST; at least PostTimeout
	FilingsPerHour int           // of the whole deployment
	Lease          time.Duration // of a claimed row; renewed at a third of it
	Requests       int           // requests worked at once
	Notices        int           // notices delivered at once
	Poll           time.Duration // how often to ask the database when nothing rang: another process may have changed it
	Watch          time.Duration // how often to look for overdue requests
}

// DefaultLimits returns the limits of production, without those that are settings.
func DefaultLimits() Limits {
	return Limits{
		PostTimeout: 90 * time.Second, SettleTime: 5 * time.Minute, FilingsPerHour: 60,
		Lease: 10 * time.Second, Requests: mostWorkers, Notices: 16, Poll: time.Second, Watch: 30 * time.Second,
	}
}

const mostWorkers = 32

// callsEach is how many calls filing a request makes: the read of its server and the POST.
const callsEach = 2

// Workers returns how many requests to work on at once if SoftLayer may be called rate times a second.
// All calls of three replicas stand in one line. So many workers are few enough that no read is older than MaxServerAge
// when its POST is due.
func Workers(rate float64) int {
	const replicas = 3
	inTime := rate * MaxServerAge.Seconds() / callsEach / replicas
	return int(min(max(inTime, 1), mostWorkers))
}

// stepTime bounds one step, on top of the POST's own time.
const stepTime = time.Minute

// bell wakes one loop. Ringing never blocks, and two rings may count as one.
type bell struct {
	once  sync.Once
	ch    chan struct{}
	timed atomic.Bool // a ring is to come
}

func (b *bell) channel() chan struct{} {
	b.once.Do(func() { b.ch = make(chan struct{}, 1) })
	return b.ch
}

// ring wakes the loop, now or when it next waits.
func (b *bell) ring() {
	select {
	case b.channel() <- struct{}{}:
	default:
	}
}

// ringIn wakes the loop after d at the latest, if each ring to come is asked for with the same d.
func (b *bell) ringIn(d time.Duration) {
	if b.timed.CompareAndSwap(false, true) {
		time.AfterFunc(d, func() {
			b.timed.Store(false)
			b.ring()
		})
	}
}

// take claims at most most pieces of work. If it got fewer, pause is how long it is until there may
// be more, zero if nobody knows.
type take func(ctx context.Context, most int) (jobs []func(context.Context), pause time.Duration, err error)

// loop claims as much work as there are free slots: what it claims begins at once. A job that leaves
// work behind rings the bell.
type loop struct {
	bell *bell
	next take
	poll time.Duration
	job  time.Duration // bounds one job
	log  *slog.Logger

	busy chan struct{} // holds what is in each slot that is taken
	jobs sync.WaitGroup

	mu     sync.Mutex
	asleep bool // what was due is claimed, and nobody has rung since
}

// slots returns so many free slots.
func slots(most int) chan struct{} { return make(chan struct{}, most) }

// run works until ctx ends. Jobs outlive ctx: each ends by its own deadline, and run waits for it.
func (l *loop) run(ctx context.Context) {
	defer l.jobs.Wait()
	for {
		free := l.occupy(ctx)
		if ctx.Err() != nil {
			return
		}
		claimed, pause, err := l.next(ctx, free)
		if err != nil && ctx.Err() == nil {
			l.log.Error("claiming work", "err", err)
		}
		for range free - len(claimed) {
			<-l.busy
		}
		for _, job := range claimed {
			l.jobs.Go(func() { l.do(ctx, job) })
		}
		if len(claimed) < free {
			l.sleep(ctx, pause)
		}
	}
}

// do does a job in a slot that is taken.
func (l *loop) do(ctx context.Context, job func(context.Context)) {
	defer func() { <-l.busy }()
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.job)
	defer cancel()
	job(own)
}

// slot is a slot that is taken for a job of which the caller knows. Either begin or release has to
// follow.
type slot struct{ of *loop }

// reserve takes a free slot past the queue. It returns nil if there is none, if something else may
// be due, and if the loop does not run.
func (l *loop) reserve() *slot {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.asleep {
		return nil
	}
	select {
	case l.busy <- struct{}{}:
	default:
		return nil
	}
	l.jobs.Add(1)
	return &slot{l}
}

// begin does the job in a goroutine of its own, which the loop waits for.
func (s *slot) begin(ctx context.Context, job func(context.Context)) {
	go func() {
		defer s.of.jobs.Done()
		s.of.do(ctx, job)
	}()
}

// release gives the slot back.
func (s *slot) release() {
	<-s.of.busy
	s.of.jobs.Done()
}

// occupy waits for a free slot, and takes all that are free.
func (l *loop) occupy(ctx context.Context) (free int) {
	select {
	case <-ctx.Done():
		return 0
	case l.busy <- struct{}{}:
	}
	for free = 1; ; free++ {
		select {
		case l.busy <- struct{}{}:
		default:
			return free
		}
	}
}

// sleep waits for the bell, for the pause, or for the poll interval.
func (l *loop) sleep(ctx context.Context, pause time.Duration) {
	l.rest(true)
	defer l.rest(false)
	if pause <= 0 || pause > l.poll {
		pause = l.poll
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-l.bell.channel():
	case <-timer.C:
	}
}

func (l *loop) rest(asleep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = asleep
}

// queue is what a Filer knows of the requests that wait for a worker.
type queue struct {
	bell   bell
	loop   atomic.Pointer[loop] // nil before Run
	behind atomic.Int64         // nanoseconds
}

func (q *queue) claimed(c Claim[Request], most int) {
	var behind time.Duration
	if len(c.Rows) == most {
		behind = c.At.Sub(c.Rows[0].Due)
	}
	q.behind.Store(int64(behind))
}

// Behind returns how long the oldest request waited for a worker at the last claim, if more waited
// than there were free workers; else 0, also while a vendor answers nobody.
func (f *Filer) Behind() time.Duration { return time.Duration(f.queue.behind.Load()) }

const (
	// maxBehind is how long requests may wait for a worker before submissions are taken more slowly.
	// It is well below patience: what waits longer than that is told twice.
	maxBehind = 2 * time.Second
	// maxYield is the longest wait before a submission is recorded. It leaves the rest of what may
	// pass before the acknowledgement to the commit.
	maxYield   = 750 * time.Millisecond
	commitTime = time.Second
	// mostYielding leaves room among what is handled at once for everything else, a freeze above all.
	mostYielding = 16
)

// Backlog has submissions wait while the Filer is behind, and lets a free worker begin at once.
type Backlog struct {
	Behind   func() time.Duration // how long requests wait for a worker: [Filer.Behind]
	Filer    *Filer               // works at once on what is due at once; nil for none
	yielding atomic.Int32         // submissions that wait
}

// yield waits the longer the more the Filer is behind, so that submissions are not taken faster than
// requests are filed. It leaves commitTime of ctx's time.
func (b *Backlog) yield(ctx context.Context) {
	if b == nil {
		return
	}
	behind := b.Behind()
	pause := min(behind/8, maxYield)
	if end, ok := ctx.Deadline(); ok {
		pause = min(pause, time.Until(end)-commitTime)
	}
	if behind < maxBehind || pause <= 0 {
		return
	}
	defer b.yielding.Add(-1)
	if b.yielding.Add(1) > mostYielding {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// reserve takes a slot of the Filer's for a request that is due at once, and has it recorded with the
// Filer's lease. It returns nil for a request that replaces another: people are told of that at once.
func (b *Backlog) reserve(rec *Record) *slot {
	if b == nil || rec.Ending != nil {
		return nil
	}
	in := b.Filer.reserve(rec.Request)
	if in != nil {
		rec.Lease = Lease{Owner: b.Filer.Owner, For: b.Filer.Limits.Lease}
	}
	return in
}

// Outage tracks whether a vendor answers nobody. While it does not answer, no request is claimed, so
// that each keeps its place and the backlog drains in order afterwards.
type Outage struct {
	ask func(ctx context.Context) error // a call that concerns no request

	mu    sync.Mutex
	tries int       // calls in a row without an answer
	next  time.Time // when to call again, by this process's clock
}

// NewOutage watches a vendor by a call that concerns no request. An error of ask means that the
// vendor answers nobody now.
func NewOutage(ask func(ctx context.Context) error) *Outage { return &Outage{ask: ask} }

// suspected reports whether the vendor answers nobody, after a call for one request got no answer.
func (o *Outage) suspected(ctx context.Context) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tries > 0 || !o.answers(ctx)
}

// away reports whether the vendor answered nobody lately. It calls nobody and waits for nobody.
func (o *Outage) away() bool {
	if !o.mu.TryLock() { // somebody asks just now
		return true
	}
	defer o.mu.Unlock()
	return o.tries > 0
}

// pause returns how long to wait before the next call to the vendor; 0 if it answers. Once the wait
// is over, pause asks the vendor again.
func (o *Outage) pause(ctx context.Context) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tries == 0 {
		return 0
	}
	if left := time.Until(o.next); left > 0 {
		return left
	}
	if o.answers(ctx) {
		return 0
	}
	return time.Until(o.next)
}

// answers asks the vendor. The caller holds the lock.
func (o *Outage) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if o.ask(ctx) == nil {
		o.tries = 0
		return true
	}
	o.next = time.Now().Add(min(backoff(o.tries), maxOutagePause))
	o.tries++
	return false
}

// maxOutagePause bounds how long the backlog waits after the vendor answers again.
const maxOutagePause = 15 * time.Second

func (f *Filer) askSoftLayer(ctx context.Context) error {
	_, err := f.Tickets.Account(ctx)
	return err
}
