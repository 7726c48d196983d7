package fakeslack

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"
)

//go:embed page
var pageFiles embed.FS

// contentPolicy lets the page load nothing from elsewhere and run nothing inline.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page serves the workspace as a person sees it: the page itself at /, its assets
// at /page/ and its live stream at /page/events. The page uses Control under
// control/ alongside it. Loopback only.
func (w *Workspace) Page() http.Handler {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // unreachable: the folder is part of the program
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(out http.ResponseWriter, r *http.Request) { http.ServeFileFS(out, r, files, "workspace.html") })
	mux.Handle("GET /page/", http.StripPrefix("/page/", http.FileServerFS(files)))
	mux.HandleFunc("GET /page/events", w.serveEvents)
	return loopbackOnly(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Security-Policy", contentPolicy)
		out.Header().Set("X-Content-Type-Options", "nosniff")
		out.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(out, r)
	}))
}

// The rhythm of the live stream: at most one event in a frame, and a sign of life.
const (
	eventGap  = 30 * time.Millisecond
	eventIdle = 15 * time.Second
)

// serveEvents tells by server-sent events that something changed, the bot's coming
// and going included.
func (w *Workspace) serveEvents(out http.ResponseWriter, r *http.Request) {
	var watch sync.WaitGroup
	ctx, cancel := context.WithCancel(r.Context())
	watch.Go(func() { w.watchBot(ctx) })
	defer watch.Wait()
	defer cancel()
	out.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(out)
	for {
		w.mu.Lock()
		version, changed := w.version, w.changed
		w.mu.Unlock()
		if _, err := fmt.Fprintf(out, "data: %d\n\n", version); err != nil || flush.Flush() != nil {
			return
		}
		select {
		case <-changed:
			w.pause(r, eventGap)
		case <-time.After(eventIdle):
		case <-r.Context().Done():
			return
		case <-w.done:
			return
		}
	}
}
