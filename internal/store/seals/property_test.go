package seals_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cancel-server/internal/store"
	"cancel-server/internal/storetest"
)

var discard = slog.New(slog.DiscardHandler)

func TestRandomTamperingIsFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		t.Run("", func(t *testing.T) {
			w := newWorld(t, store.Options{Path: storetest.File(t)})
			for range rapid.IntRange(1, 6).Draw(r, "requests") {
				w.asked(rapid.IntRange(1, 4).Draw(r, "events"))
				if rapid.Bool().Draw(r, "sealed") {
					w.seals()
				}
			}
			w.seals()
			saved := w.head()
			result, said := verified(t, w.reading(), &saved)
			require.True(t, result.Good(), said)
			w.unguarded()
			at := rapid.Int64Range(2, saved.Size).Draw(r, "position")
			other := rapid.Int64Range(2, saved.Size).Filter(func(n int64) bool { return n != at || saved.Size == 2 }).Draw(r, "other")
			w.tampers(r, at, other)
			result, said = verified(t, w.reading(), &saved)
			assert.False(t, result.Good(), said)
		})
	})
}

// tampers does one thing that a person with the database could do.
func (w *world) tampers(r *rapid.T, at, other int64) {
	w.t.Helper()
	column := rapid.SampledFrom([]string{"kind", "actor", "from_state", "to_state", "detail"}).Draw(r, "column")
	switch rapid.IntRange(0, 5).Draw(r, "how") {
	case 0:
		w.does(fmt.Sprintf(`update events set %s = %s || 'x' where position = %d`, column, column, at))
	case 1:
		w.does(fmt.Sprintf(`update events set %s = %s || 'x' where position = %d`, column, column, at))
		w.rehashed(at)
	case 2:
		w.does(fmt.Sprintf(`delete from events where position = %d`, at))
	case 3:
		if at == other {
			other++
		}
		w.does(fmt.Sprintf(`update events set position = -1 where position = %d`, at), fmt.Sprintf(`update events set position = %d where position = %d`, at, other),
			fmt.Sprintf(`update events set position = %d where position = -1`, other))
	case 4:
		w.does(fmt.Sprintf(`update events set at = at + 1000 where position = %d`, at))
		w.rehashed(at)
	default:
		w.does(fmt.Sprintf(`update events set position = null, hash = null, salt = null where position >= %d`, at),
			fmt.Sprintf(`update audit_log set size = size - 0, version = version + %d`, other))
	}
}
