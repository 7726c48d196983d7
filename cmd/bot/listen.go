package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"cancel-server/internal/inbound"
	"cancel-server/internal/slackui/receive"
)

// How many connections the bot keeps on each of its addresses. Slack sends at most as many requests at
// once as the dispatcher takes, and a probe or a scrape needs one.
const (
	slackConnections    = 1024
	operatorConnections = 64
)

// maxHeader bounds a request's headers in bytes: Slack's take less than 2 kB, and a proxy adds some.
const maxHeader = 8 << 10

// listener is an address that the bot listens on, with its handler.
type listener struct {
	net.Listener
	handler     http.Handler
	connections *inbound.Connections
}

// listen opens all addresses, or none.
func (b *bot) listen() ([]listener, error) {
	admin, err := net.Listen("tcp", b.cfg.AdminAddr)
	if err != nil {
		return nil, fmt.Errorf("listening on ADMIN_ADDR: %w", err)
	}
	b.log.Info("listening", "for", "operators", "addr", admin.Addr().String())
	listeners := []listener{{admin, guardHost(b.cfg.AdminAddr, b.admin()), inbound.NewConnections(operatorConnections)}}
	secrets := b.cfg.SlackSigningSecrets.Reveal()
	if len(secrets) == 0 {
		return listeners, nil
	}
	requests, err := net.Listen("tcp", b.cfg.ListenAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening on LISTEN_ADDR: %w", err), admin.Close())
	}
	b.log.Info("listening", "for", "Slack", "addr", requests.Addr().String())
	slack := receive.NewHTTP(receive.HTTPOptions{SigningSecrets: secrets, Dispatcher: b.dispatcher, Log: b.log})
	return append(listeners, listener{requests, slack.Routes(), inbound.NewConnections(slackConnections)}), nil
}

// serveOn serves one address until ctx ends, then lets its requests end.
func (b *bot) serveOn(ctx context.Context, parts *errgroup.Group, l listener) {
	server := &http.Server{
		Handler: l.handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 15 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(b.log.Handler(), slog.LevelWarn),
	}
	l.connections.Guard(server)
	parts.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
		return nil
	})
	parts.Go(func() error {
		<-ctx.Done()
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		return server.Shutdown(draining)
	})
}
