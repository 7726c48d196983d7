package receive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/slackui/webapi"
)

// How long a slot waits before it tries again, and when it renews what stands.
const (
	firstPause  = time.Second
	longPause   = time.Minute
	crowdPause  = time.Minute // where the app has too many connections already
	crowdLong   = 5 * time.Minute
	healthyTime = 10 * time.Second // a connection that stood as long is replaced at once
	// quietTime is how long a connection may carry no envelope before it is renewed,
	// though its pings come: it may be deaf (slackapi/python-slack-sdk#1701). A bot that
	// nobody uses renews each connection as often, and apps.connections.open may be called
	// about once a minute by the whole app: ten connections renewed every 15 min call it
	// 40 times an hour.
	quietTime = 15 * time.Minute
)

// Why a connection is replaced.
var (
	errLost    = errors.New("the connection was lost")
	errLeave   = errors.New("asked by Slack to end this connection")
	errCrowded = errors.New("the app has more Socket Mode connections than the ten that Slack allows")
	errQuiet   = errors.New("no envelope came for a long time")
	errSuspect = errors.New("a delivery that was not acknowledged came on another connection")
	errHungUp  = errors.New("the connection is no longer wanted")
	// errBadToken: Slack does not take the app token, so trying again cannot help.
	errBadToken = errors.New("the app token is refused")
)

// slot keeps one connection to Slack. It opens the next before it closes the last, so that there is
// always one.
type slot struct {
	socket *Socket
	hangUp context.CancelFunc // ends keep

	current  atomic.Pointer[connection] // nil where there is none
	letting  sync.WaitGroup             // connections that were let go and answer what they have in hand
	failures int                        // in a row
}

// keep holds a connection until ctx is over or the token is refused.
func (p *slot) keep(ctx context.Context) error {
	defer p.letting.Wait()
	defer p.replace(nil)
	for ctx.Err() == nil {
		why := p.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case refusedToken(why):
			return fmt.Errorf("connecting by Socket Mode: %w: %w", errBadToken, why)
		case errors.Is(why, errCrowded):
			p.replace(nil) // Slack sent it away
		}
		_ = pause(ctx, p.pauseAfter(why)) // the loop sees ctx end
	}
	return nil
}

// connect opens a connection and keeps it. It returns why the connection is to be replaced, or
// did not open.
func (p *slot) connect(ctx context.Context) (why error) {
	last := p.current.Load()
	next, err := p.socket.open(ctx, last)
	if errors.Is(err, errCrowded) && last != nil { // its own connection takes the last one that Slack allows
		p.replace(nil)
		p.letting.Wait()
		next, err = p.reopen(ctx)
	}
	if err != nil {
		return err
	}
	p.replace(next)
	why = p.socket.await(ctx, next)
	if time.Since(next.opened) >= healthyTime {
		p.failures = 0
	}
	return why
}

// reopen replaces a connection that was closed first. Slack may count the closed one for a moment
// longer, and no connection is open meanwhile, so it tries again soon, a few times.
func (p *slot) reopen(ctx context.Context) (next *connection, err error) {
	for _, soon := range []time.Duration{firstPause, 2 * firstPause, 4 * firstPause} {
		if next, err = p.socket.open(ctx, nil); !errors.Is(err, errCrowded) {
			return next, err
		}
		if err := pause(ctx, soon); err != nil {
			return nil, err
		}
	}
	return p.socket.open(ctx, nil)
}

// replace puts a connection in place of the last, which closes in the background.
func (p *slot) replace(next *connection) {
	if last := p.current.Swap(next); last != nil {
		p.socket.end(last, errHungUp)
		p.letting.Go(last.hangUp)
	}
}

// stands reports whether this slot receives deliveries.
func (p *slot) stands() bool {
	c := p.current.Load()
	return c != nil && !c.hasEnded()
}

// pauseAfter returns how long to wait, and logs it: exactly as long as Slack asks, if it does; not
// at all after a connection that worked well.
func (p *slot) pauseAfter(why error) (left time.Duration) {
	asked, limited := webapi.RetryAfter(why)
	switch {
	case limited && asked > 0:
		left = asked
	case errors.Is(why, errCrowded):
		left = backOff(p.failures+1, crowdPause, crowdLong)
		p.failures++
	default:
		left = backOff(p.failures, firstPause, longPause)
		p.failures++
	}
	p.socket.log.Log(context.Background(), weight(why), "reconnecting by Socket Mode", "err", why, "pause", left)
	return left
}

// weight is the level at which a reason is logged.
func weight(why error) slog.Level {
	switch {
	case errors.Is(why, errQuiet): // every few minutes, in a bot that nobody uses
		return slog.LevelDebug
	case errors.Is(why, errLeave): // every few hours
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// backOff returns 0 after no failure, then doubles from first to longest. The second half of it is
// random, so that many processes do not come back together.
func backOff(failures int, first, longest time.Duration) time.Duration {
	if failures < 1 {
		return 0
	}
	whole := longest
	if doubled := first << min(failures-1, 20); doubled < longest {
		whole = doubled
	}
	return whole/2 + rand.N(whole/2+1)
}

// refusedToken recognises the errors of apps.connections.open that waiting cannot cure:
// docs.slack.dev/reference/methods/apps.connections.open.
func refusedToken(err error) bool {
	refused, ok := errors.AsType[*webapi.Error](err)
	return ok && slices.Contains([]string{
		"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type",
	}, refused.Code)
}
