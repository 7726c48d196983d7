//go:build testclock

package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/postgrestest"
)

// The dates at which make check runs are worth something only if the store is at them.
func TestTheShiftedClockDecidesOnBothDatabases(t *testing.T) {
	t.Parallel()
	for _, on := range []struct {
		name string
		open func(t *testing.T) Options
	}{
		{"SQLite", func(t *testing.T) Options { return Options{Path: filepath.Join(t.TempDir(), "a.db")} }},
		{"PostgreSQL", func(t *testing.T) Options { return Options{URL: postgrestest.Database(t)} }},
	} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			now, err := open(t, on.open(t)).Now(t.Context())
			require.NoError(t, err)
			assert.WithinDuration(t, time.Now().Add(clockShift), now, time.Minute)
		})
	}
}
