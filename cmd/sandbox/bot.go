package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// What POST bot can do.
const (
	doKill  = "kill"  // end it at once, with all that it started
	doStop  = "stop"  // ask it to end, and kill it after the grace
	doStart = "start" // run it again, with the same settings
)

// bot is the child over the whole life of the sandbox: it runs, ends, and can be
// killed, stopped and started again. State is read at any time; orders are taken
// one at a time, by live.
type bot struct {
	begun   chan struct{} // closed when the child runs for the first time
	orders  chan botOrder
	closed  chan struct{} // closed when no order is taken any more
	changed func()        // called after each start and end

	mu    sync.Mutex
	state botState
	down  chan struct{} // closed while the child has ended
}

// botState is the answer of GET bot.
type botState struct {
	PID   int        `json:"pid"` // of the last run; 0 before the first
	Up    bool       `json:"up"`
	Since *time.Time `json:"since"` // when it came up or ended
	Exit  *int       `json:"exit"`  // how the last run ended; null while up
	Last  string     `json:"last"`  // the last lines that it wrote to stderr; "" while up
}

// steered is the answer of POST bot.
type steered struct {
	PID int  `json:"pid"`
	Up  bool `json:"up"`
}

type botOrder struct {
	do     string
	answer chan error // takes one
}

// life is one run of the child.
type life struct {
	process *os.Process
	end     context.CancelFunc // asks the child to end
	over    chan ending        // takes one: how it ended
}

func newBot(changed func()) *bot {
	return &bot{
		begun: make(chan struct{}), orders: make(chan botOrder), closed: make(chan struct{}),
		changed: changed, down: make(chan struct{}),
	}
}

// begin starts the child, and returns once it runs. When ctx ends, the child is
// asked to end. The error says why it could not be started.
func (b *bot) begin(ctx context.Context, c child) (*life, error) {
	ctx, end := context.WithCancel(ctx)
	l := &life{end: end, over: make(chan ending, 1)}
	started, failed := make(chan *os.Process, 1), make(chan error, 1)
	go func() {
		defer end()
		e, err := c.run(ctx, func(p *os.Process) { b.cameUp(p.Pid); started <- p })
		close(started)
		if err != nil {
			e.code = 1 // nobody saw how it ended
			failed <- err
		}
		b.ended(e)
		l.over <- e
	}()
	p, ok := <-started
	if !ok {
		return nil, <-failed
	}
	l.process = p
	return l, nil
}

func (b *bot) cameUp(pid int) {
	b.mu.Lock()
	if b.state.PID == 0 {
		close(b.begun)
	} else {
		b.down = make(chan struct{})
	}
	now := time.Now()
	b.state = botState{PID: pid, Up: true, Since: &now}
	b.mu.Unlock()
	b.changed()
}

func (b *bot) ended(e ending) {
	b.mu.Lock()
	if b.state.Up {
		now := time.Now()
		b.state.Up, b.state.Since, b.state.Exit, b.state.Last = false, &now, &e.code, e.last
		close(b.down)
	}
	b.mu.Unlock()
	b.changed()
}

// live runs the child and carries out orders. It ends when ctx ends, or when the child ends by
// itself and goOn, which also learns whether there was an order before, returns false. It returns
// how the child ended, when nothing of it is left. The error says why the child could not be
// started.
func (b *bot) live(ctx context.Context, c child, goOn func(e ending, ordered bool) bool) (ending, error) {
	defer b.retire()
	up, err := b.begin(ctx, c)
	if err != nil {
		return ending{}, err
	}
	ordered, code := false, 0 // code: of the last end that nobody ordered
	for {
		select {
		case e := <-up.ending():
			up, code = nil, e.code
			if e.asked || !goOn(e, ordered) {
				return e, nil
			}
		case o := <-b.orders:
			ordered, code = true, 0
			up, err = b.obey(ctx, o.do, up, c)
			o.answer <- err
		case <-ctx.Done():
			if up != nil {
				return <-up.over, nil
			}
			return ending{code: code, asked: true}, nil
		}
	}
}

// ending returns the channel that gives how the run ended; nil for no run.
func (l *life) ending() <-chan ending {
	if l == nil {
		return nil
	}
	return l.over
}

// obey carries out an order and returns the run that is up afterwards, nil for none.
func (b *bot) obey(ctx context.Context, do string, up *life, c child) (*life, error) {
	switch {
	case do == doStart && up == nil:
		return b.begin(ctx, c)
	case do == doStart || up == nil:
		return up, nil // it is so already
	case do == doKill:
		kill(up.process)
	default:
		up.end()
	}
	<-up.over
	return nil, nil
}

// retire accepts no more orders.
func (b *bot) retire() { close(b.closed) }

// now returns the state.
func (b *bot) now() botState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// isDown returns a channel that is closed once the child that was started last has ended.
func (b *bot) isDown() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.down
}

// botBody is the body of POST bot.
type botBody struct {
	Do string `json:"do"`
}

// steer carries out one order of POST bot, and answers when it is done.
func (b *bot) steer(ctx context.Context, body botBody) (any, error) {
	if body.Do != doKill && body.Do != doStop && body.Do != doStart {
		return nil, fmt.Errorf("steering the bot: do is %q, not kill, stop or start", body.Do)
	}
	o := botOrder{do: body.Do, answer: make(chan error, 1)}
	select {
	case b.orders <- o:
	case <-b.closed:
		return nil, errors.New("steering the bot: the sandbox ends, or runs the demo")
	case <-ctx.Done():
		return nil, fmt.Errorf("steering the bot: %w", ctx.Err())
	}
	if err := <-o.answer; err != nil {
		return nil, fmt.Errorf("steering the bot: %w", err)
	}
	state := b.now()
	return steered{state.PID, state.Up}, nil
}

func (b *bot) show(out http.ResponseWriter, _ *http.Request) {
	writeJSON(out, http.StatusOK, b.now())
}
