package typeahead

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cancel-server/internal/cancellation"
)

// server makes a server of a name: its host name is what stands before the first dot.
func server(id int64, fqdn string, more ...string) cancellation.Server {
	host, domain, _ := strings.Cut(fqdn, ".")
	s := cancellation.Server{ID: id, FQDN: fqdn, Hostname: host, Domain: domain, Datacenter: "fra02"}
	for n, into := range []*string{&s.PrivateIP, &s.PublicIP} {
		if n < len(more) {
			*into = more[n]
		}
	}
	return s
}

// books are a SoftLayer and a store of one test, in memory, with a hand in what happens
// between two calls.
type books struct {
	mu      sync.Mutex
	servers []cancellation.Server // by id
	tags    map[string][]int64
	calls   []time.Time
	before  func(call int) error // of the n-th call of a pass, from 1; nil: nothing happens
	asked   []string             // of the live search
	live    func(query string) ([]cancellation.Server, error)

	kept    []byte
	version int64
	foundAt time.Time
	owner   string
	until   time.Time
	lost    error // of every call of the keeper
}

func (b *books) call() error {
	b.calls = append(b.calls, time.Now())
	if b.before == nil {
		return nil
	}
	return b.before(len(b.calls))
}

func (b *books) Servers(_ context.Context, offset, limit int) ([]cancellation.Server, int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return nil, 0, err
	}
	page := b.servers[min(offset, len(b.servers)):]
	return slices.Clone(page[:min(limit, len(page))]), len(b.servers), nil
}

func (b *books) names() []string {
	var names []string
	for name := range b.tags {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (b *books) Tags(_ context.Context, offset, limit int) (map[int64]string, int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return nil, 0, err
	}
	page, names := map[int64]string{}, b.names()
	for n := offset; n < min(offset+limit, len(names)); n++ {
		page[int64(n)] = names[n]
	}
	return page, len(names), nil
}

func (b *books) Tagged(_ context.Context, tag int64, offset, limit int) ([]int64, int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.call(); err != nil {
		return nil, 0, err
	}
	carried := b.tags[b.names()[tag]]
	page := carried[min(offset, len(carried)):]
	return page[:min(limit, len(page))], len(carried), nil
}

func (b *books) Search(_ context.Context, query string, _ int) ([]cancellation.Server, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, query)
	if b.live == nil {
		return nil, nil
	}
	return b.live(query)
}

func (b *books) Inventory(_ context.Context, known int64) ([]byte, int64, time.Duration, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.lost != nil || b.version == 0:
		return nil, 0, 0, b.lost
	case b.version == known:
		return nil, known, time.Since(b.foundAt), nil
	}
	return b.kept, b.version, time.Since(b.foundAt), nil
}

func (b *books) ClaimInventory(_ context.Context, owner string, age, lease time.Duration) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != "" && b.owner != owner && time.Now().Before(b.until) || b.version > 0 && time.Since(b.foundAt) < age {
		return false, b.lost
	}
	b.owner, b.until = owner, time.Now().Add(lease)
	return b.lost == nil, b.lost
}

func (b *books) KeepInventory(_ context.Context, owner string, data []byte) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner || b.lost != nil {
		return 0, cmpErr(b.lost, errors.New("not its turn"))
	}
	if data != nil {
		b.kept = data
		b.version++
	}
	b.foundAt, b.owner = time.Now(), ""
	return b.version, nil
}

func cmpErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// change changes the books between two calls.
func (b *books) change(do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	do()
}

func (b *books) made() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls)
}

// remove lets a server go.
func (b *books) remove(id int64) {
	b.servers = slices.DeleteFunc(b.servers, func(s cancellation.Server) bool { return s.ID == id })
}

// inventory is one on these books.
func (b *books) inventory(owner string) *Inventory {
	return New(Options{
		Servers: b, Tags: b, Live: b, Keeper: b, Owner: owner, Rate: 5, Interval: 10 * time.Minute,
		Log: slog.New(slog.DiscardHandler),
	})
}

// running runs an inventory until the test ends.
func (b *books) running(t *testing.T, owner string) *Inventory {
	t.Helper()
	i := b.inventory(owner)
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	all.Go(func() { i.Run(ctx) })
	t.Cleanup(func() { stop(); all.Wait() })
	return i
}

// serversNamed are servers of these names, the first with the id 1.
func serversNamed(fqdns ...string) []cancellation.Server {
	var servers []cancellation.Server
	for n, fqdn := range fqdns {
		servers = append(servers, server(int64(n+1), fqdn))
	}
	return servers
}

// many are so many servers.
func many(n int) []cancellation.Server {
	var servers []cancellation.Server
	for _, r := range account(n).rows {
		servers = append(servers, r.server())
	}
	return servers
}

func ids(servers []cancellation.Server) []int64 {
	var all []int64
	for _, s := range servers {
		all = append(all, s.ID)
	}
	return all
}

func fqdns(servers []cancellation.Server) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.FQDN)
	}
	return all
}
