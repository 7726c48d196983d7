package fakeslack

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Connected reports whether the bot can be reached now: over Socket Mode by a
// live websocket, over HTTP by an endpoint that answers anything within a second.
func (w *Workspace) Connected() bool { return w.connected(context.Background()) }

func (w *Workspace) connected(ctx context.Context) bool {
	w.mu.Lock()
	http, endpoint := w.opts.Transport == TransportHTTP, w.opts.Endpoint
	w.mu.Unlock()
	if !http {
		return w.sockets.live() > 0
	}
	return endpoint != "" && w.answers(ctx, endpoint)
}

// lastReached reports what is known without asking the bot.
func (w *Workspace) lastReached() bool {
	w.mu.Lock()
	http := w.opts.Transport == TransportHTTP
	w.mu.Unlock()
	return http && w.reached.Load() || !http && w.sockets.live() > 0
}

func (w *Workspace) answers(ctx context.Context, endpoint string) bool {
	ctx, cancel := w.within(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/slack/commands", http.NoBody)
	if err != nil {
		return false
	}
	response, err := w.client.Do(request)
	w.reached.Store(err == nil)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

// WaitReachable returns once the bot can be reached, or with ctx's error.
func (w *Workspace) WaitReachable(ctx context.Context) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !w.connected(ctx) {
		select {
		case <-ticker.C:
		case <-w.done:
			return fmt.Errorf("waiting for the bot: %w", errClosed)
		case <-ctx.Done():
			return fmt.Errorf("waiting for the bot: %w", ctx.Err())
		}
	}
	return nil
}
