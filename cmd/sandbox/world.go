package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// world is both fakes behind one listener on loopback.
type world struct {
	url       string // of the listener, without a slash at its end
	transport string
	server    int64 // the hardware id of SANDBOX_SERVER
	slack     *fakeslack.Workspace
	softlayer *fakesoftlayer.Account
	journal   *journal
	bot       *bot          // the child
	reach     time.Duration // how long a command waits for a bot that runs and cannot be reached
	http      *http.Server
	serving   sync.WaitGroup
}

// openWorld makes the fakes and serves them until close. What goes wrong while
// serving is written to errs.
func openWorld(o options, reach time.Duration, errs io.Writer) (*world, error) {
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", o.listen, err)
	}
	if err := checkLoopback(listener.Addr().String()); err != nil { // localhost may be anything
		return nil, errors.Join(err, listener.Close())
	}
	w := &world{
		url: "http://" + listener.Addr().String(), transport: o.transport,
		journal: &journal{}, reach: reach,
	}
	w.softlayer = fakesoftlayer.New(fakesoftlayer.Options{
		Servers: o.servers, Seed: o.seed, Observe: w.journal.observeSoftLayer,
		Unproven: fakesoftlayer.Unproven{LateApprovalMoves: true}, // so that people can see a date move
	})
	if w.server = w.softlayer.Cancelable(); w.server == 0 {
		return nil, errors.Join(
			fmt.Errorf("making an account of %d servers from seed %d: none of them can be cancelled; give more --servers", o.servers, o.seed),
			listener.Close(),
		)
	}
	w.slack = fakeslack.New(fakeslack.Options{
		Seed: o.seed, URL: w.url + "/slack", Transport: o.transport, AckTimeout: o.ackTimeout, Observe: w.journal.observeSlack,
	})
	w.bot = newBot(w.slack.Wake)
	w.serve(listener, errs)
	return w, nil
}

// serve answers requests until close. Nothing limits the time of an answer:
// people watch the page, and faults are slow on purpose.
func (w *world) serve(listener net.Listener, errs io.Writer) {
	w.http = &http.Server{
		Handler:           w.routes(newGuard(listener.Addr())),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          log.New(errs, "sandbox: ", 0),
	}
	w.serving.Go(func() {
		if err := w.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(errs, "sandbox: serving: %v\n", err)
		}
	})
}

// close ends the fakes and the listener.
func (w *world) close() {
	w.slack.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if w.http.Shutdown(ctx) != nil {
		_ = w.http.Close() // somebody still reads; the process ends anyway
	}
	w.serving.Wait()
}

// routes puts everything behind one listener. The imitated APIs are open to any
// client, as the vendors' are; pages and steering are guarded.
func (w *world) routes(g guard) http.Handler {
	softlayer := http.StripPrefix("/softlayer", w.softlayer.Handler())
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", w.slack.Handler()))
	mux.Handle("/softlayer/rest/", softlayer)
	mux.Handle("/softlayer/", g.wrap(softlayer))
	mux.Handle("/control/", g.wrap(http.StripPrefix("/control", w.control())))
	mux.Handle("/", g.wrap(w.slack.Page()))
	return mux
}

// whenReachable holds a command back until the bot can be reached. If the bot has ended or cannot
// be reached in time, the command goes out all the same: Slack then shows what it shows for a bot
// that is away. next refuses at once what is not a command.
func (w *world) whenReachable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err == nil && (isCommand(body) || isShortcut(body)) {
			w.awaitBot(r.Context())
		}
		if r.Context().Err() == nil {
			next.ServeHTTP(out, r)
		}
	})
}

func isCommand(body []byte) bool {
	typed, err := strictly[fakeslack.Command](body)
	return err == nil && typed.User != "" && typed.Command != ""
}

func isShortcut(body []byte) bool {
	used, err := strictly[fakeslack.Shortcut](body)
	return err == nil && used.User != "" && used.CallbackID != ""
}

// strictly decodes JSON without any field that T does not have.
func strictly[T any](body []byte) (value T, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&value)
	return value, err
}

// awaitBot returns once the bot can be reached or has ended, or when its time or ctx is over.
func (w *world) awaitBot(ctx context.Context) {
	select {
	case <-w.bot.begun:
	case <-ctx.Done():
		return
	}
	ctx, cancel := context.WithTimeout(ctx, w.reach)
	defer cancel()
	down := w.bot.isDown()
	go func() {
		select {
		case <-down:
			cancel()
		case <-ctx.Done():
		}
	}()
	_ = w.slack.WaitReachable(ctx) // an error says only that it cannot
}
