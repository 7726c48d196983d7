//go:build linux && crash

package crash

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

func TestSchedules(t *testing.T) {
	t.Parallel()
	table := newTable()
	all := seeds(*schedules)
	if *failovers {
		clusters = postgrestest.NewClusters(t)
	}
	t.Cleanup(func() {
		table.print(os.Stderr)
		if missing := table.unreached(); len(all) >= fullRound && len(missing) > 0 {
			t.Errorf("a full round comes to every boundary, and not to %s", strings.Join(missing, ", "))
		}
	})
	for _, seed := range all {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := draw(seed)
			table.began()
			o := run(t.Context(), t, s)
			table.add(o)
			switch {
			case len(o.found) > 0:
				t.Error(o.report())
			case *onlySeed != 0:
				t.Log(o.report())
			default:
				t.Logf("%s: %v, %s", s, o.took.Round(100*time.Millisecond), o.reached())
			}
		})
	}
}

func TestMutants(t *testing.T) {
	for i, m := range mutants {
		if i > 0 && !*allMutants {
			return
		}
		if m.failover && !*failovers {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			broken := &binary{name: fmt.Sprintf("mutant-%d", i), patches: slices.Concat(swift.patches, m.patches), added: swift.added}
			_, err := broken.built()
			require.NoError(t, err)
			h := hunt{broken: broken, shows: m.shows, failover: m.failover}
			if m.failover {
				clusters = postgrestest.NewClusters(t)
			}
			h.ctx, h.stop = context.WithCancel(t.Context())
			defer h.stop()
			t.Run("schedules", func(t *testing.T) {
				for _, seed := range seeds(mutantBound) {
					t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
						t.Parallel()
						h.try(t, seed)
					})
				}
			})
			require.NotEmpty(t, h.found, "the harness finds nothing in %d schedules of a program of which it is true that %s", h.tried, m.name)
			fmt.Fprintf(os.Stderr, "found, after %d schedules, that %s: %s\n", h.tried, m.name, h.found)
		})
	}
}
