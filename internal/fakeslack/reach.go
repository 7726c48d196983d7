package fakeslack

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// watching is how often an open page has the bot asked whether it is there.
const watching = 500 * time.Millisecond

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

// WasReached reports whether the bot could ever be reached.
func (w *Workspace) WasReached() bool { return w.everReached.Load() }

func (w *Workspace) answers(caller context.Context, endpoint string) bool {
	ctx, cancel := w.within(caller, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/slack/commands", http.NoBody)
	if err != nil {
		return false
	}
	response, err := w.client.Do(request)
	if caller.Err() == nil {
		w.noteReached(err == nil)
	}
	if err != nil {
		return false
	}
	return response.Body.Close() == nil
}

// noteReached keeps what became of the last request over HTTP, and shows a change
// on open pages. The lock is not held.
func (w *Workspace) noteReached(answered bool) {
	if answered {
		w.everReached.Store(true)
	}
	if w.reached.Swap(answered) != answered {
		w.Wake()
	}
}

// watchBot asks the bot again and again whether it is there, until ctx ends: over
// HTTP nothing else says when it went.
func (w *Workspace) watchBot(ctx context.Context) {
	if w.opts.Transport != TransportHTTP {
		return
	}
	ticker := time.NewTicker(watching)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.connected(ctx) // notes and shows a change
		case <-ctx.Done():
			return
		}
	}
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
