package main

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/checkup"
	"cancel-server/internal/metrics"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/softlayer"
)

// metricsInterval is how often the database is read for the metrics.
const metricsInterval = 15 * time.Second

// newMetrics makes the metrics of this build.
func newMetrics() *metrics.Metrics { return metrics.New(build()) }

// calls are told of each call to a vendor. Its zero value tells nobody.
type calls struct {
	slack     webapi.Called
	softlayer func(method string, err error, took time.Duration)
	waited    func(vendor string, took time.Duration) // for a turn
}

func countedCalls(m *metrics.Metrics) calls {
	return calls{
		slack: func(method string, err error) {
			m.CalledSlack(method, webapi.ResultOf(err))
			if pause, limited := webapi.RetryAfter(err); limited {
				m.Waited("slack", pause)
			}
		},
		waited: m.Waited,
		softlayer: func(method string, err error, took time.Duration) {
			m.CalledSoftLayer(method, softlayer.ResultOf(err), took)
		},
	}
}

// countedTurns has the waits for a turn counted.
type countedTurns struct {
	softlayer.RateLimiter
	waited func(vendor string, took time.Duration) // nil: nobody counts
}

// Wait is the RateLimiter's.
func (t countedTurns) Wait(ctx context.Context) error {
	began := time.Now()
	err := t.RateLimiter.Wait(ctx)
	if t.waited != nil {
		t.waited("softlayer", time.Since(began))
	}
	return err
}

// noteMoves returns what the store tells of requests that changed their state: each change is counted,
// and is one line of the log, the louder the more it needs a person.
func noteMoves(m *metrics.Metrics, log *slog.Logger) func(from cancellation.State, r cancellation.Request) {
	return func(from cancellation.State, r cancellation.Request) {
		was, level, message := cmp.Or(string(from), "new"), slog.LevelInfo, "a request moved"
		switch r.State {
		case cancellation.Stuck:
			level, message = slog.LevelError, "a request needs a person"
		case cancellation.Unknown:
			level = slog.LevelWarn
		}
		m.Moved(was, string(r.State))
		log.Log(context.Background(), level, message,
			"ref", r.Ref.Short(), "from", was, "to", r.State, "server", r.Submission.Card.Server.ID, "ticket", r.Ticket.ID, "why", r.Why)
	}
}

// showLive has the metrics read what this process keeps in memory.
func (b *bot) showLive() {
	live := metrics.Live{Servers: b.inventory.Size, Confirmed: b.inventory.Confirmed, Checks: checkup.Names(), Problems: b.monitor.Counts}
	if b.socket != nil {
		live.Sockets = func() int { return b.socket.Status().Standing }
		live.Heard = func() time.Time { return b.socket.Status().LastHeard }
	}
	b.metrics.Watch(live)
}

// measure reads what the metrics show of the database, until ctx ends.
func (b *bot) measure(ctx context.Context) {
	for ctx.Err() == nil {
		reading, cancel := context.WithTimeout(ctx, metricsInterval)
		if err := b.readMetrics(reading); err != nil && ctx.Err() == nil {
			b.log.Warn("reading the database for the metrics", "err", err)
		}
		cancel()
		select {
		case <-time.After(metricsInterval):
		case <-ctx.Done():
		}
	}
}

func (b *bot) readMetrics(ctx context.Context) error {
	now, err := b.journal.Now(ctx)
	if err != nil {
		return err
	}
	counts, err := b.journal.Counts(ctx)
	if err != nil {
		return err
	}
	order, err := b.journal.Frozen(ctx)
	if err != nil {
		return err
	}
	read := metrics.Snapshot{Requests: map[string]int{}, Frozen: order.Frozen}
	for _, state := range unfinished {
		read.Requests[string(state)] = 0
	}
	for _, c := range counts {
		if _, known := read.Requests[string(c.State)]; !known {
			read.Requests["other"] += c.N
			continue
		}
		read.Requests[string(c.State)] += c.N
		if c.State != cancellation.Pending { // that waits for people, as long as it may
			read.Oldest = max(read.Oldest, now.Sub(c.Since))
		}
	}
	b.metrics.Store(read)
	return nil
}

// unfinished are the states that are not at rest.
var unfinished = []cancellation.State{
	cancellation.Pending, cancellation.Scheduled, cancellation.Filing, cancellation.Unknown, cancellation.Stuck,
}

// guardHost refuses requests for other hosts while addr is on loopback: a web page could otherwise have
// its reader's browser ask for its own host name, resolved to this address.
func guardHost(addr string, next http.Handler) http.Handler {
	configured, _, err := net.SplitHostPort(addr)
	if err != nil || !softlayer.IsLoopback(configured) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if host != configured && host != "localhost" && net.ParseIP(unbracketed(host)) == nil {
			http.Error(w, "this address answers for loopback names and IP addresses alone", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unbracketed is an IPv6 literal without its brackets.
func unbracketed(host string) string {
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		return host[1 : len(host)-1]
	}
	return host
}
