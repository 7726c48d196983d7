package typeahead

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/pace"
)

// Options say what an Inventory is made of. Every field without a default is required.
type Options struct {
	Servers Lister
	Tags    Tagger
	Live    Searcher // asked for what is not known yet
	Keeper  Keeper
	Owner   string  // names this process to the Keeper
	Rate    float64 // calls a second that a pass makes at most, in addition to those that people wait for
	// Interval is how old what is known grows before the next pass; 10 minutes if not positive.
	Interval time.Duration
	// Grow is called before work that leaves more garbage than it keeps, and what it returns after it;
	// if nil, debug.FreeOSMemory is.
	Grow func() (settled func())
	// PodOf names the pod that servers with these backend routers count in, and the others in which they may stand
	// instead; "" if it is not known. If nil, no pod is known.
	PodOf func(routers []int64) (pod string, others []string)
	Log   *slog.Logger
}

// Inventory knows all servers, lightly. It is safe for concurrent use.
type Inventory struct {
	servers  Lister
	tags     Tagger
	live     Searcher
	keeper   Keeper
	owner    string
	interval time.Duration
	grow     func() (settled func())
	podOf    func(routers []int64) (pod string, others []string)
	log      *slog.Logger

	index     atomic.Pointer[index]     // nil until something is known
	confirmed atomic.Pointer[time.Time] // when that was last found to be all; nil: never
	misses    misses

	// Of the goroutine that runs.
	version int64       // of what is kept, as far as it is known here
	kept    fingerprint // of what is kept, as far as it can be read here
	claimed time.Time   // when the turn to make a pass was last prolonged
	pace    pace.Pace
}

// New makes an Inventory that knows nothing and asks for everything. [Inventory.Run] fills it.
func New(o Options) *Inventory {
	if o.Grow == nil {
		o.Grow = func() func() { return debug.FreeOSMemory }
	}
	if o.PodOf == nil {
		o.PodOf = func([]int64) (string, []string) { return "", nil }
	}
	return &Inventory{
		servers: o.Servers, tags: o.Tags, live: o.Live, keeper: o.Keeper, owner: o.Owner,
		interval: cmp.Or(max(o.Interval, 0), 10*time.Minute), grow: o.Grow, podOf: o.PodOf, log: o.Log, pace: pace.Of(o.Rate),
	}
}

// Size returns how many servers are known.
func (i *Inventory) Size() int {
	if known := i.index.Load(); known != nil {
		return known.size()
	}
	return 0
}

// Confirmed returns when what is known was last found to be all; the zero time if it never was.
func (i *Inventory) Confirmed() time.Time {
	if at := i.confirmed.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// few is how many servers are too few where what is known may be old: the one that is meant
// may be new.
const few = 5

// Search finds at most limit servers whose host name, full name, address, id or tag has the
// query within, the best match first; capitals do not matter. What is in memory answers at
// once. Where it has nothing, or little and that may be old, SoftLayer is asked as well, as
// long as ctx lets it; it is an error only if that fails where nothing was found at all.
func (i *Inventory) Search(ctx context.Context, query string, limit int) ([]cancellation.Server, error) {
	known := i.Known(query, limit)
	if len(known) >= i.enough(limit) || i.misses.cover(query, time.Now()) {
		return known, nil
	}
	asked := time.Now()
	found, err := i.live.Search(ctx, query, limit)
	switch {
	case err != nil && len(found) == 0 && len(known) == 0:
		return nil, err
	case err != nil:
		i.log.Warn("asking SoftLayer for servers that the typeahead does not have", "err", err)
	case len(found) == 0:
		i.misses.note(query, asked)
	}
	return merged(query, known, found, limit), nil
}

// Known finds what Search finds in memory. It asks nobody.
func (i *Inventory) Known(query string, limit int) []cancellation.Server {
	if x := i.index.Load(); x != nil {
		return x.search(query, limit)
	}
	return nil
}

// enough is how many servers are answered without asking SoftLayer.
func (i *Inventory) enough(limit int) int {
	at := i.confirmed.Load()
	switch {
	case i.index.Load() == nil:
		return limit
	case at == nil || time.Since(*at) > 3*i.interval:
		return min(few, limit)
	}
	return 1
}

// merged puts what SoftLayer has found to what is known, and takes its word where both
// speak of one server.
func merged(query string, known, found []cancellation.Server, limit int) []cancellation.Server {
	all := slices.Clone(found)
	for _, s := range known {
		if !slices.ContainsFunc(found, func(f cancellation.Server) bool { return f.ID == s.ID }) {
			all = append(all, s)
		}
	}
	query = lowerASCII(query)
	slices.SortStableFunc(all, func(x, y cancellation.Server) int {
		return cmp.Or(cmp.Compare(rank(query, x), rank(query, y)), cmp.Compare(x.FQDN, y.FQDN), cmp.Compare(x.ID, y.ID))
	})
	return all[:min(len(all), limit)]
}

// rank says how well a server matches a query, the best first.
func rank(query string, s cancellation.Server) int {
	best := 3
	for _, text := range []string{s.Hostname, s.FQDN, s.PublicIP, s.PrivateIP, strconv.FormatInt(s.ID, 10)} {
		switch text = lowerASCII(text); {
		case text == query:
			best = 0
		case strings.HasPrefix(text, query):
			best = min(best, 1)
		case strings.Contains(text, query):
			best = min(best, 2)
		}
	}
	return best
}
