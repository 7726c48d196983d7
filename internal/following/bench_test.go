package following_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/following"
	"cancel-server/internal/softlayer"
	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

// BenchmarkFollowing follows 5,000 requests over HTTP. It counts the calls of one pass in which nothing
// changes, at the fake, and the memory in use meanwhile, the fake's included.
func BenchmarkFollowing(b *testing.B) {
	const requests = 5_000
	var calls atomic.Int64
	account := fakesoftlayer.New(fakesoftlayer.Options{Servers: requests + 1_000, Seed: 7, Observe: func(fakesoftlayer.Exchange) { calls.Add(1) }})
	server := httptest.NewServer(account.Handler())
	defer server.Close()
	client, err := softlayer.New(softlayer.Options{Endpoint: server.URL + "/rest/v3.1", Username: account.Username(), APIKey: account.APIKey(), Timeout: time.Minute})
	require.NoError(b, err)
	defer client.Close()
	ledger, clock := fullLedger(b, client, requests)

	pass := func() {
		ctx, stop := context.WithCancel(b.Context())
		following.New(following.Options{
			Ledger: idle{ledger, stop}, Books: client, Wake: func() {}, Owner: "one", Every: time.Hour, Rate: 1e9, Log: slog.New(slog.DiscardHandler),
		}).Run(ctx)
	}
	pass() // the first look learns what there is
	for b.Loop() {
		clock.Add(int64(time.Hour))
		calls.Store(0)
		grew := growth(b, pass)
		b.ReportMetric(float64(calls.Load()), "calls/h")
		b.ReportMetric(float64(grew)/1e6, "MB")
		require.LessOrEqual(b, calls.Load(), int64(120))
		require.LessOrEqual(b, grew, int64(30e6))
	}
}

// idle ends a pass when nothing more is due.
type idle struct {
	*store.Store
	stop func()
}

func (i idle) DueLooks(ctx context.Context, began time.Time, most int) ([]cancellation.Followed, error) {
	due, err := i.Store.DueLooks(ctx, began, most)
	if err != nil || len(due) == 0 {
		i.stop()
	}
	return due, err
}

// growth is how much more memory was in use while something ran than at its start, at most.
func growth(b *testing.B, run func()) int64 {
	b.Helper()
	defer debug.SetGCPercent(debug.SetGCPercent(5)) // so that little of what is counted is garbage
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	over, most := make(chan struct{}), int64(0)
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for {
			runtime.ReadMemStats(&now)
			most = max(most, int64(now.HeapAlloc)-int64(before.HeapAlloc))
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	run()
	close(over)
	sampling.Wait()
	return most
}

// fullLedger holds filed requests, each with its ticket at SoftLayer. The clock adds to the host's.
func fullLedger(b *testing.B, client *softlayer.Client, requests int) (*store.Store, *atomic.Int64) {
	b.Helper()
	var ahead atomic.Int64
	s, err := store.Open(b.Context(), store.Options{Path: storetest.File(b), Mode: store.Serve, Clock: func() time.Time {
		return time.Now().Add(time.Duration(ahead.Load()))
	}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	w := &benchWorld{b, s, client}
	all, _, err := client.Servers(b.Context(), 0, 100)
	for offset := 0; err == nil && len(all) > 0 && requests > 0; {
		offset += len(all)
		for _, found := range all {
			if requests > 0 && w.file(found.ID) {
				requests--
			}
		}
		all, _, err = client.Servers(b.Context(), offset, 100)
	}
	require.NoError(b, err)
	require.Zero(b, requests, "not so many servers can be cancelled")
	return s, &ahead
}

type benchWorld struct {
	*testing.B
	store  *store.Store
	client *softlayer.Client
}

// file files a request. It returns false for a server that SoftLayer does not cancel.
func (w *benchWorld) file(id int64) bool {
	found, err := w.client.Server(w.Context(), id)
	require.NoError(w, err)
	made := softlayer.NewWriter(w.client).RequestCancellation(w.Context(), cancellation.Order{Server: id, Reason: "No longer needed", Content: "gone"})
	if made.Kind != cancellation.Made || found.Billing == nil {
		return false
	}
	r := cancellation.Request{ID: fmt.Sprintf("r%d", id), Ref: cancellation.NewReference(), Format: cancellation.Format, State: cancellation.Scheduled, PostsAllowed: 2}
	r.Submission.Card.Server, r.Submission.Card.Stays = found, &billed.Stays{}
	recorded, err := w.store.Record(w.Context(), cancellation.Record{Request: r, Event: cancellation.Event{Kind: cancellation.EventSubmitted}})
	require.NoError(w, err)
	from := recorded.Request
	for _, to := range []cancellation.State{cancellation.Filing, cancellation.Filed} {
		next, err := from.Move(to, cancellation.ByWorker, cancellation.Reason{})
		require.NoError(w, err)
		next.Ticket = made.Ticket
		from, err = w.store.Apply(w.Context(), cancellation.Change{From: from, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved}})
		require.NoError(w, err)
	}
	return true
}
