//go:build linux

package crash

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

// mutantBound is how many schedules the harness may need to find a broken program.
const mutantBound = 120

// mutants are the program, broken on purpose.
var mutants = []struct {
	name    string
	patches []patch
}{
	{"the fence is dropped", []patch{{
		"internal/store/apply.go", "where id = $19 and version = $20 and state = $21",
		"where id = $19 and $20 = $20 and $21 = $21",
	}}},
	{"it POSTs from filing after a restart", []patch{
		{
			"internal/cancellation/worker.go",
			`return w.persist(ctx, h, verdict{to: Unknown, why: "the program stopped before the answer was recorded"}, true)`,
			"return w.checkAndPost(ctx, h)",
		},
		{"internal/cancellation/state.go", "{Filing, Filed, ByWorker},", "{Filing, Filing, ByWorker},\n\t{Filing, Filed, ByWorker},"},
	}},
	{"it acknowledges before it commits", []patch{{
		"internal/cancellation/desk.go", "recorded, err := d.Journal.Record(ctx, record)",
		`recorded, err := Recorded{Request: record.Request, Fresh: true}, error(nil)
	go func() { _, _ = d.Journal.Record(context.WithoutCancel(ctx), record) }()`,
	}}},
	{"it skips the clean reads", []patch{
		{"internal/cancellation/settle.go", "case !over:", "case false && !over:"},
		{"internal/cancellation/settle.go", "case r.CleanSince.IsZero():", "case false && r.CleanSince.IsZero():"},
		{"internal/cancellation/settle.go", "case began.Sub(r.CleanSince) <", "case false && began.Sub(r.CleanSince) <"},
	}},
}

func TestMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("a broken program is looked for without -short")
	}
	for i, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			broken := &binary{name: fmt.Sprintf("mutant-%d", i), patches: slices.Concat(swift.patches, m.patches), added: swift.added}
			_, err := broken.built()
			if !assert.NoError(t, err) {
				return
			}
			found, tried := hunt(t.Context(), broken)
			if !assert.NotNil(t, found, "the harness finds nothing in %d schedules of a program of which it is true that %s", tried, m.name) {
				return
			}
			fmt.Fprintf(os.Stderr, "found, after %d schedules, that %s: seed %d, %s: %.300s\n",
				tried, m.name, found.schedule.seed, found.found[0].figure, found.found[0].shown)
		})
	}
}

// hunt runs schedules with a broken program until one finds something.
func hunt(ctx context.Context, broken *binary) (found *outcome, tried int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var over atomic.Bool
	var seeds []uint64
	for i := range mutantBound {
		seeds = append(seeds, *firstSeed+uint64(i))
	}
	runAll(ctx, seeds, func(seed uint64) (outcome, error) {
		if over.Load() {
			return outcome{}, nil
		}
		s := draw(seed)
		s.binary = broken
		return run(ctx, s)
	}, func(o outcome, err error) {
		if over.Load() || err != nil {
			return
		}
		tried++
		if len(o.found) > 0 && o.found[0].figure != harness {
			found = &o
			over.Store(true)
			cancel()
		}
	})
	return found, tried
}
