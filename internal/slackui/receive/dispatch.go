package receive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// Handler decides what the bot does. It is asked at least once for everything that
// Slack delivers, so each call must be idempotent.
type Handler interface {
	// Command answers a slash command within ctx's deadline with the body of the
	// acknowledgement, and with what is to be done after it (nil for nothing).
	Command(ctx context.Context, c Command) (Reply, After)
	// Interaction answers a submission, a click or an option look-up likewise.
	Interaction(ctx context.Context, i Interaction) (Reply, After)
	// HomeOpened returns what follows when a person opens the app's Home tab. The event is
	// acknowledged before that.
	HomeOpened(e Event) After
}

// After is work that follows an acknowledgement. It is owned by the dispatcher and
// has a deadline of its own.
type After func(ctx context.Context)

// The dispatcher's bounds if its options do not set them.
const (
	replyTime   = 2500 * time.Millisecond // of Slack's 3 s, counted from receipt
	afterTime   = 30 * time.Second
	maxHandling = 64
	maxAdmitted = 256
)

var (
	errBusy     = errors.New("too many requests are in progress")
	errStopping = errors.New("the bot is stopping")
	errPanicked = errors.New("the handler panicked")
)

// DispatcherOptions is what a Dispatcher is made of.
type DispatcherOptions struct {
	Handler  Handler
	Log      *slog.Logger
	Handling int           // requests in the handler at once; 0 for 64
	Admitted int           // requests in the bot at once: waiting, in the handler, or in their After; 0 for 256
	Within   time.Duration // in which a request is answered, counted from its receipt; 0 for 2.5 s

	// Acknowledged is called after each answer: to a "command", an "interaction" or an "event", and how
	// long after its receipt. May be nil.
	Acknowledged func(kind string, took time.Duration)
}

// Dispatcher connects both transports with the handler. It bounds how many requests are handled at
// once, sets deadlines, survives panics, and owns every goroutine that works for a request. A
// request over the bound is refused at once, before anything is done for it. An admitted one counts
// until its After has ended.
type Dispatcher struct {
	handler  Handler
	log      *slog.Logger
	admitted chan struct{}
	handling chan struct{}
	within   time.Duration
	presses  *replays[string] // by trigger_id: of commands, submissions and shortcuts
	events   *replays[string] // by event_id

	acknowledged func(kind string, took time.Duration)

	mu       sync.Mutex
	stopping bool
	running  sync.WaitGroup // the admitted requests; added to under mu
}

// work is what one request asks for.
type work func(ctx context.Context) (Reply, After, error)

// NewDispatcher makes a dispatcher; Shutdown ends it.
func NewDispatcher(o DispatcherOptions) *Dispatcher {
	if o.Acknowledged == nil {
		o.Acknowledged = func(string, time.Duration) {}
	}
	return &Dispatcher{
		handler:  o.Handler,
		log:      o.Log,
		admitted: make(chan struct{}, cmp.Or(o.Admitted, maxAdmitted)),
		handling: make(chan struct{}, cmp.Or(o.Handling, maxHandling)),
		within:   cmp.Or(o.Within, replyTime),
		presses:  newReplays[string](),
		events:   newReplays[string](),

		acknowledged: o.Acknowledged,
	}
}

// Shutdown takes nothing more, and waits until all work in hand has ended, at most
// until ctx is over.
func (d *Dispatcher) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	ended := make(chan struct{})
	go func() { // ends with the last request, whose deadlines bound it
		d.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %d requests to end: %w", len(d.admitted), ctx.Err())
	}
}

// enter admits a request or refuses it. It does not wait.
func (d *Dispatcher) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return errStopping
	}
	select {
	case d.admitted <- struct{}{}:
		d.running.Add(1)
		return nil
	default:
		return errBusy
	}
}

func (d *Dispatcher) leave() {
	<-d.admitted
	d.running.Done()
}

// The kinds of requests whose acknowledgements are timed.
const (
	kindCommand     = "command"
	kindInteraction = "interaction"
	kindEvent       = "event"
)

// timed has an answer to a request counted once it is given.
func (d *Dispatcher) timed(kind string, received time.Time, ack func(Reply)) func(Reply) {
	return func(reply Reply) {
		ack(reply)
		d.acknowledged(kind, time.Since(received))
	}
}

// serve handles a request in the caller's goroutine and gives its answer to ack. If it returns an
// error, ack was not called and nothing is acknowledged. The request continues when ctx ends: Slack
// hanging up must not undo a submission half way.
func (d *Dispatcher) serve(ctx context.Context, received time.Time, w work, ack func(Reply)) error {
	if err := d.enter(); err != nil {
		return err
	}
	reply, after, err := d.handle(context.WithoutCancel(ctx), received, w)
	if err != nil {
		d.leave()
		return err
	}
	ack(reply)
	if after == nil {
		d.leave()
		return nil
	}
	go func() {
		defer d.leave()
		d.follow(context.WithoutCancel(ctx), after)
	}()
	return nil
}

// serveAside is serve in a goroutine of the dispatcher's, for a transport that must
// not wait. done gets what serve would return.
func (d *Dispatcher) serveAside(ctx context.Context, received time.Time, w work, ack func(Reply), done func(error)) {
	if err := d.enter(); err != nil {
		done(err)
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer d.leave()
		reply, after, err := d.handle(ctx, received, w)
		if err == nil {
			ack(reply)
		}
		done(err)
		if err == nil && after != nil {
			d.follow(ctx, after)
		}
	}()
}

// handle waits for one of the handling slots and does the work, all within the time
// that Slack waits for an acknowledgement.
func (d *Dispatcher) handle(ctx context.Context, received time.Time, w work) (reply Reply, after After, err error) {
	ctx, cancel := context.WithDeadline(ctx, received.Add(d.within))
	defer cancel()
	if err := d.takeSlot(ctx, received); err != nil {
		return nil, nil, err
	}
	defer func() { <-d.handling }()
	defer func() {
		if what := recover(); what != nil {
			d.logPanic("handling a request from Slack", what)
			reply, after, err = nil, nil, errPanicked
		}
	}()
	return w(ctx)
}

// takeSlot waits for a handling slot for four fifths of the time. Who gets one later could not do its work
// in what is left.
func (d *Dispatcher) takeSlot(ctx context.Context, received time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, received.Add(d.within*4/5))
	defer cancel()
	select {
	case d.handling <- struct{}{}:
	case <-ctx.Done():
		return errBusy
	}
	if ctx.Err() != nil { // a slot and the deadline at once
		<-d.handling
		return errBusy
	}
	return nil
}

func (d *Dispatcher) follow(ctx context.Context, after After) {
	ctx, cancel := context.WithTimeout(ctx, afterTime)
	defer cancel()
	defer func() {
		if what := recover(); what != nil {
			d.logPanic("working after an acknowledgement", what)
		}
	}()
	after(ctx)
}

func (d *Dispatcher) logPanic(doing string, what any) {
	d.log.Error("panic while "+doing, "panic", fmt.Sprint(what), "stack", string(debug.Stack()))
}

// commandWork handles a command once, however often Slack delivers it: its trigger_id opens one
// form, and a second try would be refused (docs.slack.dev/interactivity/handling-user-interaction).
func (d *Dispatcher) commandWork(c Command) work {
	return func(ctx context.Context) (Reply, After, error) {
		return d.presses.once(ctx, c.TriggerID, time.Now(), func(ctx context.Context) (Reply, After, error) {
			reply, after := d.handler.Command(ctx, c)
			return reply, after, nil
		})
	}
}

// interactionWork also handles a submission once: a repeat that had less time must not answer that
// it could not be recorded while the first records it. Across processes the database decides. A
// shortcut opens one form, as a command does.
func (d *Dispatcher) interactionWork(i Interaction) work {
	once := func(ctx context.Context) (Reply, After, error) {
		reply, after := d.handler.Interaction(ctx, i)
		return reply, after, nil
	}
	pressed := i.Kind == ViewSubmission || i.Kind == Shortcut || i.Kind == MessageAction
	if !pressed || i.TriggerID == "" {
		return once
	}
	return func(ctx context.Context) (Reply, After, error) {
		return d.presses.once(ctx, i.TriggerID, time.Now(), once)
	}
}
