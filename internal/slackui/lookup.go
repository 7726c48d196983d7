package slackui

import (
	"context"
	"errors"
	"sync"
	"time"

	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// errTooSoon: Slack may not be asked again yet, and there is no answer that is new enough.
var errTooSoon = errors.New("asked a moment ago")

// Why a look-up does not start.
var (
	errClosed  = errors.New("the directory is closed")
	errTooMany = errors.New("too many look-ups are under way")
)

// lookup reads one thing from Slack again and again. Callers at the same time share one call; an
// answer is as old as the start of its call.
type lookup[T any] struct {
	read  func(ctx context.Context) (T, error)
	pause time.Duration // least time between the beginnings of two calls
	heard func(T)       // is told each answer, after it counts; nil for nobody

	mu      sync.Mutex
	latest  *reading[T] // the call begun last; nil before the first
	fetched *reading[T] // the last one that was answered
}

// reading is one call; value and err count once done is closed.
type reading[T any] struct {
	begun time.Time
	done  chan struct{}
	value T
	err   error
}

// age is how long ago the call started.
func (r *reading[T]) age(now time.Time) time.Duration { return age(r.begun, now) }

// age is how long ago a moment was: the longer of the monotonic and the wall-clock difference,
// because the monotonic clock stops while a machine is suspended
// (https://pkg.go.dev/time#hdr-Monotonic_Clocks).
func age(then, now time.Time) time.Duration {
	return max(now.Sub(then), now.Round(0).Sub(then.Round(0)))
}

func (r *reading[T]) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// fresh returns what was read by a call that is no older than maxAge. It does not wait.
func (l *lookup[T]) fresh(now time.Time, maxAge time.Duration) (value T, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetched == nil || l.fetched.age(now) > maxAge {
		return value, false
	}
	return l.fetched.value, true
}

// begin joins a call that is no older than maxAge, or starts one that the owner owns. An answer
// that is fresh enough wins over a later call that failed.
func (l *lookup[T]) begin(o *owner, now time.Time, maxAge time.Duration) (*reading[T], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fetched != nil && l.fetched.age(now) <= maxAge {
		return l.fetched, nil
	}
	if l.latest != nil {
		if !l.latest.finished() && l.latest.age(now) <= maxAge {
			return l.latest, nil
		}
		if l.latest.age(now) < l.pause {
			return nil, errors.Join(errTooSoon, l.lastError())
		}
	}
	call := &reading[T]{begun: now, done: make(chan struct{})}
	if err := o.run(func(ctx context.Context) { l.call(ctx, call) }); err != nil {
		return nil, err
	}
	l.latest = call
	return call, nil
}

func (l *lookup[T]) lastError() error {
	if l.latest.finished() {
		return l.latest.err
	}
	return nil
}

func (l *lookup[T]) call(ctx context.Context, call *reading[T]) {
	value, err := l.read(ctx)
	l.finish(call, value, err)
	if err == nil && l.heard != nil {
		l.heard(value)
	}
}

func (l *lookup[T]) finish(call *reading[T], value T, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	call.value, call.err = value, err
	if err == nil && (l.fetched == nil || l.fetched.begun.Before(call.begun)) {
		l.fetched = call
	}
	close(call.done)
}

// wait waits for a call's answer until ctx ends; the call itself continues.
func (r *reading[T]) wait(ctx context.Context) (value T, err error) {
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// owner owns goroutines: it bounds their number and time, and waits for them at the end.
type owner struct {
	limit  time.Duration
	places chan struct{}   // one is held by each goroutine
	open   context.Context // ends when the owner is closed
	shut   context.CancelFunc

	mu      sync.Mutex // between starting one and closing
	running sync.WaitGroup
}

func newOwner(limit time.Duration, most int) *owner {
	o := &owner{limit: limit, places: make(chan struct{}, most)}
	o.open, o.shut = context.WithCancel(context.Background())
	return o
}

// run starts work in a goroutine, unless there are too many or the owner is closed.
func (o *owner) run(work func(ctx context.Context)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open.Err() != nil {
		return errClosed
	}
	select {
	case o.places <- struct{}{}:
	default:
		return errTooMany
	}
	o.running.Go(func() {
		defer func() { <-o.places }()
		ctx, cancel := context.WithTimeout(o.open, o.limit)
		defer cancel()
		work(ctx)
	})
	return nil
}

// close ends what runs and waits for it.
func (o *owner) close() {
	o.mu.Lock()
	o.shut()
	o.mu.Unlock()
	o.running.Wait()
}

// listReading is a reading of a list that this process makes for a view. What underWay changes is read through it.
type listReading struct {
	as   asked
	over context.Context // ends when nobody waits for the reading
	end  context.CancelFunc

	shows *sync.Mutex // held while something is shown for it, so that no answer of Slack's comes after a later one's
	from  time.Time   // when it may show something: Slack has the answer to the submission by then
	alone time.Time   // from when no answer to a submission can change the view

	at       displayedView // the newest choice that it has to show
	meta     metadata      // with what was chosen last
	read, of int           // servers
	closing  bool          // it takes no newer choice
}

// underWay knows, by view, the readings of lists that this process makes.
type underWay struct {
	choices *choices
	mu      sync.Mutex
	views   map[string]*listReading
}

func newUnderWay(c *choices) *underWay {
	return &underWay{choices: c, views: map[string]*listReading{}}
}

// begin has a list read for a view, in the place of what is read for it. It returns nil if that list is being read for
// it already, by a reading that now shows the newer choice, and if a newer choice is known: the list may be edited by
// now. It asks for that while it holds mu, so that a choice that is noted later finds the reading, and may stop it.
func (u *underWay) begin(at displayedView, meta metadata, as asked) *listReading {
	u.mu.Lock()
	defer u.mu.Unlock()
	old := u.views[at.id]
	if !u.choices.isLatest(at) || old != nil && (at.choice < old.at.choice || old.takes(at, meta, as)) {
		return nil
	}
	if old != nil {
		old.end()
	}
	r := &listReading{as: as, at: at, meta: meta, shows: new(sync.Mutex)}
	r.over, r.end = context.WithCancel(context.Background())
	if at.hash == "" { // begun by a submission: Slack takes its answer for three seconds
		r.from, r.alone = time.Now().Add(answerTime), time.Now().Add(3*time.Second)
	}
	u.views[at.id] = r
	return r
}

// takes has a reading show a newer choice, if it reads that list. It takes none from a submission, which changed the
// view and knows no hash of it.
func (r *listReading) takes(at displayedView, meta metadata, as asked) bool {
	if r.closing || at.hash == "" || r.as != as || r.meta.List != meta.List {
		return false
	}
	r.at.choice, r.meta.Ticked, r.meta.Unticked = at.choice, meta.Ticked, meta.Unticked
	return true
}

// stop ends what is read for a view.
func (u *underWay) stop(view string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r := u.views[view]; r != nil {
		r.end()
		delete(u.views, view)
	}
}

// stopOlder ends what is read for a view, unless a newer choice than this one waits for it.
func (u *underWay) stopOlder(at displayedView) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r := u.views[at.id]; r != nil && r.at.choice <= at.choice {
		r.end()
		delete(u.views, at.id)
	}
}

// leave ends a reading, and returns what it has to show.
func (u *underWay) leave(r *listReading) (displayedView, metadata) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.end()
	if u.views[r.at.id] == r {
		delete(u.views, r.at.id)
	}
	return r.at, r.meta
}

// closed returns what a reading has to show at its end. From now on a newer choice is for another reading.
func (u *underWay) closed(r *listReading) (displayedView, metadata) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.closing = true
	return r.at, r.meta
}

// counted notes how far a reading is, and returns what it has to show until it is further.
func (u *underWay) counted(r *listReading, read, of int) (displayedView, metadata) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.read, r.of = read, of
	return r.at, r.meta
}

func (u *underWay) displayed(r *listReading, hash string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.at.hash, r.at.own = hash, hash != "" && time.Now().After(r.alone)
}

// of returns the reading that is made for a view, as it is now.
func (u *underWay) of(view string) (now listReading, is bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if r := u.views[view]; r != nil {
		return *r, true
	}
	return now, false
}

// showRead shows that a list is being read, and how far. gone reports that the view was closed: then the reading ends.
func (a *App) showRead(ctx context.Context, r *listReading, read, of int) (gone bool) {
	r.shows.Lock()
	defer r.shows.Unlock()
	at, meta := a.lists.under.counted(r, read, of)
	sealed, err := a.sealer.seal(ctx, meta)
	var hash string
	var shown bool
	if err == nil {
		hash, shown, err = a.replace(ctx, at, words.ListReading(read, of, sealed))
	}
	switch {
	case errors.Is(err, webapi.ErrViewGone):
		a.lists.under.leave(r)
		return true
	case err != nil:
		a.log.Warn("showing that a list is read", "view", at.id, "err", err)
	case shown:
		a.lists.under.displayed(r, hash)
	}
	return false
}

// showStillRead says that the list of a view is still being read. It replaces nothing but the view that was pressed in.
func (a *App) showStillRead(ctx context.Context, view, hash string) {
	r, is := a.lists.under.of(view)
	sealed, err := a.sealer.seal(ctx, r.meta)
	if !is || hash == "" || err != nil || !r.shows.TryLock() { // what is being shown, or the next progress, answers the press
		return
	}
	defer r.shows.Unlock()
	hash, err = a.web.UpdateView(ctx, view, hash, words.ListStillRead(r.read, r.of, sealed))
	switch {
	case err == nil:
		a.choices.displayed(view, hash)
	case errors.Is(err, webapi.ErrViewGone):
		a.lists.under.stop(view)
	case !errors.Is(err, webapi.ErrHashConflict):
		a.choices.displayed(view, "") // as in replace
		a.log.Warn("showing that a list is still read", "view", view, "err", err)
	}
}

// progress returns a function that shows how many of the servers were read. It is for one goroutine at a time.
func (a *App) progress(ctx context.Context, r *listReading, of int) func(read int) {
	last := time.Now()
	return func(read int) {
		if time.Since(last) < progressTime {
			a.lists.under.counted(r, read, of)
			return
		}
		last = time.Now()
		a.showRead(ctx, r, read, of)
	}
}

// giveUp ends a reading, and says why.
func (a *App) giveUp(r *listReading, why string, err error) {
	r.answered()
	r.shows.Lock()
	defer r.shows.Unlock()
	at, meta := a.lists.under.leave(r)
	a.unread(at, meta, why, err)
}

// readOn reads a list again whose reading was not finished: the process that read it ended, or could not read it. While
// this process reads it, a press shows that.
func (a *App) readOn(i receive.Interaction) receive.After {
	if _, is := a.lists.under.of(i.View.ID); is {
		return func(ctx context.Context) { a.showStillRead(ctx, i.View.ID, i.View.Hash) }
	}
	at := displayedView{id: i.View.ID, hash: i.View.Hash, choice: a.choices.note(i.View.ID, i.Action.TS)}
	if at.choice == 0 {
		return nil
	}
	return func(ctx context.Context) {
		meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
		var d draft
		if err == nil {
			d, err = a.draft(ctx, meta.Unread)
		}
		if err != nil {
			a.unchanged(ctx, at, meta, err)
			return
		}
		a.readAnew(ctx, at, meta, d.asked, "")
	}
}

// forgotten says in a review's place that its list is not kept any more.
func (a *App) forgotten(ctx context.Context, at displayedView, err error) {
	a.log.Warn("reading a list again", "view", at.id, "err", err)
	if err := a.replacePatiently(ctx, at, a.words.ListUnread(words.ListForgotten)); err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("saying that a list is not kept", "view", at.id, "err", err)
	}
}
