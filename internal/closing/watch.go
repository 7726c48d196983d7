package closing

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/pace"
)

// List is a list of all servers in memory.
type List interface {
	// Standing goes through the servers that stand where wanted says so. known is false while the list
	// does not have all servers, and tagged while it does not have their tags.
	Standing(wanted func(datacenter string, routers []int64) bool) (servers iter.Seq[Server], known, tagged bool)
	// Confirmed returns when the list was last found to be complete.
	Confirmed() time.Time
}

// Books read SoftLayer.
type Books interface {
	// Pods reads all pods.
	Pods(ctx context.Context) ([]Pod, error)
	// Costs reads what up to [MostCosts] servers cost. That one is missing proves nothing.
	Costs(ctx context.Context, servers []int64) (map[int64]Cost, error)
}

// Ledger reads what is recorded.
type Ledger interface {
	// Held returns the servers that live requests hold, and whether each waits for approval.
	Held(ctx context.Context) (map[int64]bool, error)
	// Asked returns how many servers a person has asked for in a day.
	Asked(ctx context.Context, requester string, day int64) (int64, error)
	// Now reads the ledger's time.
	Now(ctx context.Context) (time.Time, error)
}

// MostCosts is how many servers' costs are read in one call: SoftLayer fails at more rows with their billing
// (https://github.com/softlayer/softlayer-python/issues/943).
const MostCosts = 10

// Bounds and times of a Watch.
const (
	mostPriced = 20_000 // servers of which the cost is kept
	costLife   = 24 * time.Hour
	poll       = 5 * time.Second // how often to look whether the list is known
	costPoll   = time.Minute     // how often to look for servers whose cost is not known
	retry      = 5 * time.Minute // after a read that failed
	decideTime = time.Second     // for deciding what one person sees
)

// Options say what a Watch is made of. All are required but Deadlines, and Every and Rate are for Run alone.
type Options struct {
	List      List
	Books     Books
	Ledger    Ledger
	Deadlines map[string]time.Time // the days that the operator has set, in UTC, by pod or data center
	InForm    int                  // servers that fit in one form
	InDay     int                  // servers that one person may ask for in a day
	Every     time.Duration        // how often to read the pods
	Rate      float64              // calls a second that Run makes at most
	Log       *slog.Logger
}

// Watch knows which places close. It is safe for concurrent use.
type Watch struct {
	Options

	mu    sync.Mutex
	pods  []Pod // nil until they were read
	costs map[int64]priced
}

// priced is what was read of a server's cost.
type priced struct {
	cost  Cost
	shown bool // SoftLayer's answer had the server
	at    time.Time
}

// New makes a Watch that knows the deadlines alone. [Watch.Run] reads the rest.
func New(o Options) *Watch { return &Watch{Options: o, costs: map[int64]priced{}} }

// Run reads the pods, and what the servers in closing places cost, until ctx ends. Failures are logged
// and tried again.
func (w *Watch) Run(ctx context.Context) {
	apart := pace.Of(w.Rate)
	var pods, costs time.Time // when each is due
	for ctx.Err() == nil {
		if !time.Now().Before(pods) {
			pods = w.dueAfter(w.readPods(ctx, apart.Wait), w.Every)
		}
		if !time.Now().Before(costs) {
			known, err := w.readCosts(ctx, apart.Wait)
			pause := poll
			if known {
				pause = min(costPoll, w.Every)
			}
			costs = w.dueAfter(err, pause)
		}
		pace.Sleep(ctx, poll)
	}
}

// dueAfter returns when a read is due again.
func (w *Watch) dueAfter(err error, pause time.Duration) time.Time {
	if err != nil {
		pause = min(retry, w.Every)
	}
	return time.Now().Add(pause)
}

func (w *Watch) readPods(ctx context.Context, turn func(context.Context) error) error {
	if err := turn(ctx); err != nil {
		return err
	}
	pods, err := w.Books.Pods(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.Log.Warn("reading which pods close", "err", err)
		}
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pods = pods
	return nil
}

// readCosts reads the costs that are not known, or are old, and forgets those of all other servers. It
// returns false while the list of servers is not known.
func (w *Watch) readCosts(ctx context.Context, turn func(context.Context) error) (known bool, err error) {
	all, known := w.dueCosts()
	for due := range slices.Chunk(all, MostCosts) {
		if err := turn(ctx); err != nil {
			return known, err
		}
		found, err := w.Books.Costs(ctx, due)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Warn("reading what servers in closing places cost", "err", err)
			}
			return known, err
		}
		w.keepCosts(due, found)
	}
	return known, nil
}

// dueCosts lists servers in closing places whose cost is to be read. known is false if the list of
// servers is not known.
func (w *Watch) dueCosts() (due []int64, known bool) {
	p, _ := w.places()
	servers, known, _ := w.List.Standing(p.wants)
	if !known {
		return nil, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := map[int64]priced{}
	for s := range servers {
		if len(kept)+len(due) >= mostPriced {
			break
		}
		last, read := w.costs[s.ID]
		if read {
			kept[s.ID] = last
		}
		if !read || time.Since(last.at) > costLife {
			due = append(due, s.ID)
		}
	}
	w.costs = kept
	return due, true
}

func (w *Watch) keepCosts(asked []int64, found map[int64]Cost) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range asked {
		cost, shown := found[id]
		w.costs[id] = priced{cost: cost, shown: shown, at: time.Now()}
	}
}

// places returns the places that close, and whether the pods were read.
func (w *Watch) places() (places, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return closuresOf(w.pods, w.Deadlines), w.pods != nil
}

// Closing returns the pods and data centers that close, by name.
func (w *Watch) Closing() map[string]bool {
	p, _ := w.places()
	all := map[string]bool{}
	for _, c := range p.closures {
		all[c.Place] = true
	}
	return all
}

// PodOf returns the pod in which servers with these backend routers count; "" if it is not known. others are the pods
// that share the routers: nobody can tell whether the servers stand there instead.
func (w *Watch) PodOf(routers []int64) (pod string, others []string) {
	p, _ := w.places()
	pod = p.podOf(routers)
	return pod, p.besides(pod, routers)
}

// wants reports whether servers that stand there are in a closing place, or may be.
func (p places) wants(datacenter string, routers []int64) bool {
	at, podKnown := p.in(datacenter, routers)
	return at >= 0 || !podKnown
}

// For returns what one person sees. Everything that the policy may ask about them was read. It makes no
// call to SoftLayer. Servers whose tags were not read are a gap only if a rule reads tags: one may forbid what would be
// shown as allowed.
func (w *Watch) For(ctx context.Context, policy *authz.Policy, who authz.Principal, now time.Time) (Board, error) {
	deciding, cancel := context.WithTimeout(ctx, decideTime)
	defer cancel()
	b, err := w.board(ctx, now, policy.ReadsTags(), newViewer(deciding, policy, who).sees)
	b.Places = seen(b.Places)
	if err != nil || len(b.Places) == 0 {
		return b, err
	}
	b.LeftToday = -1
	if asked, err := w.Ledger.Asked(ctx, who.ID(), cancellation.QuotaDay(now)); err == nil {
		b.LeftToday = max(0, w.InDay-int(asked))
	} else {
		w.Log.Warn("counting what a person asked for", "user", who.ID(), "err", err)
	}
	return b, nil
}

// Whole reads SoftLayer and returns what the whole account sees, also the places without a server. It
// waits for no rate of its own, and needs no tags. A board with a gap is an error: places would be missing.
func (w *Watch) Whole(ctx context.Context) (Board, error) {
	atOnce := func(ctx context.Context) error { return ctx.Err() }
	if err := w.readPods(ctx, atOnce); err != nil {
		return Board{}, err
	}
	if _, err := w.readCosts(ctx, atOnce); err != nil {
		return Board{}, err
	}
	now, err := w.Ledger.Now(ctx)
	if err != nil {
		return Board{}, err
	}
	b, err := w.board(ctx, now, false, everything)
	if err == nil && b.Gap {
		err = errors.New("SoftLayer's pods, or the bot's list of servers, could not be read: places would be missing; run this again when the bot has read them")
	}
	return b, err
}

// board counts what sees lets somebody see. byTags says that this depends on tags.
func (w *Watch) board(ctx context.Context, now time.Time, byTags bool, sees func(Server, *Cost) sight) (Board, error) {
	p, podsRead := w.places()
	b := Board{AsOf: now, Listed: w.List.Confirmed(), InForm: w.InForm, Gap: !podsRead, Closing: len(p.closures)}
	servers, known, tagged := w.List.Standing(p.wants)
	if !known || byTags && !tagged {
		b.Gap = true
		return b, nil
	}
	held, err := w.Ledger.Held(ctx)
	if err != nil {
		return b, err
	}
	b.Places, b.Undecided = count(p, servers, held, w.costOf(), sees)
	return b, nil
}

// costOf returns what is known of costs now: nil for a server whose cost was not read.
func (w *Watch) costOf() func(int64) *Cost {
	w.mu.Lock()
	known := maps.Clone(w.costs)
	w.mu.Unlock()
	return func(id int64) *Cost {
		last, read := known[id]
		if !read || !last.shown {
			return nil
		}
		return &last.cost
	}
}
