package closing

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// vendor is a list, SoftLayer and a ledger of one test.
type vendor struct {
	mu      sync.Mutex
	servers []Server
	unknown bool // the list is not complete yet
	notags  bool // its tags were not read
	pods    []Pod
	costs   map[int64]Cost
	wrong   error // of each call to SoftLayer
	unheld  error // of the ledger
	asked   int64
	calls   []string
	sizes   []int // of the calls for costs
}

func (v *vendor) Standing(wanted func(string, []int64) bool) (iter.Seq[Server], bool, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var some []Server
	for _, s := range v.servers {
		if wanted(s.Datacenter, s.Routers) {
			some = append(some, s)
		}
	}
	return slices.Values(some), !v.unknown, !v.notags
}

func (v *vendor) Confirmed() time.Time { return on(2026, time.November, 29) }

func (v *vendor) Pods(context.Context) ([]Pod, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls = append(v.calls, "pods")
	return v.pods, v.wrong
}

func (v *vendor) Costs(_ context.Context, servers []int64) (map[int64]Cost, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.calls, v.sizes = append(v.calls, "costs"), append(v.sizes, len(servers))
	found := map[int64]Cost{}
	for _, id := range servers {
		if cost, there := v.costs[id]; there {
			found[id] = cost
		}
	}
	return found, v.wrong
}

func (v *vendor) Held(context.Context) (map[int64]bool, error) {
	return map[int64]bool{1: true}, v.unheld
}

func (v *vendor) Asked(context.Context, string, int64) (int64, error) { return v.asked, v.unheld }

func (v *vendor) Now(context.Context) (time.Time, error) { return on(2026, time.November, 29), nil }

// asks are the calls to SoftLayer, and for how many servers each asked what they cost.
func (v *vendor) asks() (calls []string, sizes []int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.calls), slices.Clone(v.sizes)
}

func (v *vendor) made(kind string) (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, call := range v.calls {
		if call == kind {
			n++
		}
	}
	return n
}

// standing are so many servers in an announced pod, and one in a pod that stays.
func standing(servers int) *vendor {
	v := &vendor{pods: pods("dal09.pod03"), costs: map[int64]Cost{}}
	for n := range servers {
		id := int64(n + 1)
		v.servers = append(v.servers, Server{ID: id, Hostname: "web", FQDN: "web.example.com", Datacenter: "dal09", Routers: []int64{23}})
		v.costs[id] = Cost{Fee: "10.00"}
	}
	v.servers = append(v.servers, Server{ID: 999, Hostname: "db", FQDN: "db.example.com", Datacenter: "dal09", Routers: []int64{24}})
	return v
}

func (v *vendor) watch() *Watch {
	return New(Options{
		List: v, Books: v, Ledger: v, InForm: 50, InDay: 50, Every: time.Hour, Rate: 1, Log: slog.New(slog.DiscardHandler),
	})
}

// running runs a watch in virtual time until the test ends.
func running(t *testing.T, v *vendor, test func(w *Watch)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := v.watch()
		var all sync.WaitGroup
		all.Go(func() { w.Run(ctx) })
		test(w)
		cancel()
		all.Wait()
	})
}

func whole(t *testing.T, w *Watch) Board {
	t.Helper()
	b, err := w.board(t.Context(), on(2026, time.November, 29), false, everything)
	require.NoError(t, err)
	return b
}

func TestReadsKeepTheirPaceAndAge(t *testing.T) {
	t.Parallel()
	v := standing(25)
	running(t, v, func(w *Watch) {
		time.Sleep(2500 * time.Millisecond)
		calls, _ := v.asks()
		assert.Equal(t, []string{"pods", "costs", "costs"}, calls, "one call a second")
		assert.Equal(t, 5, whole(t, w).Places[0].Unread, "ten at a time; the one that waits for approval is no rest")
		time.Sleep(time.Minute)
		_, sizes := v.asks()
		assert.Equal(t, []int{10, 10, 5}, sizes, "and never one of a pod that stays")
		assert.Equal(t, "240.00", whole(t, w).Places[0].Fee)
		time.Sleep(23 * time.Hour)
		assert.Equal(t, 3, v.made("costs"), "they are kept for a day")
		assert.InDelta(t, 24, v.made("pods"), 1)
		time.Sleep(2 * time.Hour)
		assert.Equal(t, 6, v.made("costs"))
	})
}

func TestFailedReadsAreTriedAgain(t *testing.T) {
	t.Parallel()
	v := standing(1)
	v.wrong = errors.New("SoftLayer is away")
	running(t, v, func(w *Watch) {
		time.Sleep(4 * time.Minute)
		assert.Equal(t, 1, v.made("pods"), "it is left alone for a while")
		b := whole(t, w)
		assert.True(t, b.Gap)
		assert.Empty(t, b.Places)
		v.mu.Lock()
		v.wrong = nil
		v.mu.Unlock()
		time.Sleep(2 * time.Minute)
		assert.False(t, whole(t, w).Gap)
		assert.Len(t, whole(t, w).Places, 1)
	})
}

func TestMissingCostIsNotReadAtOnceAgain(t *testing.T) {
	t.Parallel()
	v := standing(3)
	delete(v.costs, 2)
	running(t, v, func(w *Watch) {
		time.Sleep(time.Hour)
		assert.Equal(t, 1, v.made("costs"))
		assert.Equal(t, 1, whole(t, w).Places[0].Unread, "that SoftLayer left it out proves nothing")
	})
}

func TestBoardOfOnePersonSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	v := standing(12)
	v.asked = 45
	w := v.watch()
	require.NoError(t, w.readPods(t.Context(), func(context.Context) error { return nil }))
	policy := policyOf(t, `@id("ask") permit (principal in Group::"S0ASK", action == Action::"request", resource);`)
	b, err := w.For(t.Context(), policy, in("S0ASK"), on(2026, time.November, 29))
	require.NoError(t, err)
	assert.Equal(t, 5, b.LeftToday)
	require.Len(t, b.Places, 1)
	assert.Equal(t, []int{12, 0, 1, 11, 11}, []int{b.Places[0].Servers, b.Places[0].Asked, b.Places[0].Waiting, b.Places[0].Rest, b.Places[0].Askable})
	assert.Equal(t, 1, v.made("pods"), "a person's look makes no call to SoftLayer")
	assert.Zero(t, v.made("costs"))

	none, err := w.For(t.Context(), policy, in("S0NONE"), on(2026, time.November, 29))
	require.NoError(t, err)
	assert.Empty(t, none.Places)
	assert.False(t, none.Gap)

	v.unheld = errors.New("the database is away")
	_, err = w.For(t.Context(), policy, in("S0ASK"), on(2026, time.November, 29))
	require.Error(t, err, "servers that are asked for would count as not asked for")
}

func TestListsOfServersLearnPodsAndClosures(t *testing.T) {
	t.Parallel()
	w := standing(1).watch()
	w.Deadlines = map[string]time.Time{"che01": on(2027, time.June, 10)}
	assert.Equal(t, map[string]bool{"che01": true}, w.Closing(), "what the operator has set is known at once")
	pod, others := w.PodOf([]int64{23})
	assert.Empty(t, pod)
	assert.Empty(t, others)
	require.NoError(t, w.readPods(t.Context(), func(context.Context) error { return nil }))
	assert.Equal(t, map[string]bool{"che01": true, "dal09.pod03": true}, w.Closing())
	pod, others = w.PodOf([]int64{7, 24})
	assert.Equal(t, "dal09.pod04", pod)
	assert.Empty(t, others, "its router is its own")
	pod, _ = w.PodOf(nil)
	assert.Empty(t, pod)
}

func TestListsLearnWhichPodsShareARouter(t *testing.T) {
	t.Parallel()
	w := standing(1).watch()
	w.pods = []Pod{
		{Name: "dal09.pod03", Datacenter: "dal09", Router: 23},
		{Name: "dal09.pod02", Datacenter: "dal09", Router: 23},
		{Name: "dal09.pod01", Datacenter: "dal09", Router: 21},
		{Name: "dal09.pod04", Datacenter: "dal09", Router: 23, Closing: true},
	}
	pod, others := w.PodOf([]int64{7, 23})
	assert.Equal(t, "dal09.pod04", pod, "the one that closes")
	assert.Equal(t, []string{"dal09.pod02", "dal09.pod03"}, others)
	pod, others = w.PodOf([]int64{23, 23, 21})
	assert.Equal(t, "dal09.pod04", pod)
	assert.Equal(t, []string{"dal09.pod01", "dal09.pod02", "dal09.pod03"}, others, "each once")
}

func TestIncompleteListShowsNothing(t *testing.T) {
	t.Parallel()
	v := standing(12)
	v.unknown = true
	w := v.watch()
	require.NoError(t, w.readPods(t.Context(), func(context.Context) error { return nil }))
	b := whole(t, w)
	assert.True(t, b.Gap)
	assert.Empty(t, b.Places)
	_, err := w.Whole(t.Context())
	require.ErrorContains(t, err, "places would be missing")
}

func TestWholeBoardReadsAllCostsFirst(t *testing.T) {
	t.Parallel()
	v := standing(12)
	b, err := v.watch().Whole(t.Context())
	require.NoError(t, err)
	require.Len(t, b.Places, 1)
	assert.Equal(t, "110.00", b.Places[0].Fee)
	assert.Zero(t, b.Places[0].Unread)
	v.wrong = errors.New("SoftLayer is away")
	_, err = v.watch().Whole(t.Context())
	require.Error(t, err)
}

func TestUnreadTagsMatterWhereRulesReadThem(t *testing.T) {
	t.Parallel()
	v := standing(12)
	v.notags = true
	b, err := v.watch().Whole(t.Context())
	require.NoError(t, err)
	assert.False(t, b.Gap)
	assert.Len(t, b.Places, 1, "the whole account needs no tags")

	w := v.watch()
	require.NoError(t, w.readPods(t.Context(), func(context.Context) error { return nil }))
	const ask = `@id("ask") permit (principal in Group::"S0ASK", action == Action::"request", resource);`
	for text, gap := range map[string]bool{
		ask: false,
		ask + ` @id("not") forbid (principal, action, resource) when { resource.tags.contains("protected") };`: true,
	} {
		b, err := w.For(t.Context(), policyOf(t, text), in("S0ASK"), on(2026, time.November, 29))
		require.NoError(t, err)
		assert.Equal(t, gap, b.Gap, text)
		assert.Equal(t, gap, len(b.Places) == 0, text)
	}
}
