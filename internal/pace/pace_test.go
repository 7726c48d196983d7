package pace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/pace"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCallsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := pace.Of(4), time.Now()
		for n := range 3 {
			require.NoError(t, p.Wait(t.Context()))
			assert.Equal(t, time.Duration(n)*250*time.Millisecond, time.Since(began))
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := pace.Of(1), time.Now()
		require.NoError(t, p.Wait(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, p.Wait(ctx), context.DeadlineExceeded)
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
	})
}
