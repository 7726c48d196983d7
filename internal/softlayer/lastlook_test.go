package softlayer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestPostIsNotWrittenAfterASuspension(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slept time.Duration // by the wall clock, after the call began
		kind  cancellation.OutcomeKind
	}{
		"a machine that slept past the deadline writes nothing": {time.Hour, cancellation.NotMade},
		"a machine that did not sleep files":                    {0, cancellation.Made},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var received atomic.Int32
			vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				received.Add(1)
				_, _ = w.Write([]byte(`{"id":153572280}`)) // the client may have left
			}))
			defer vendor.Close()
			client, err := New(Options{Endpoint: vendor.URL, APIKey: "key"})
			require.NoError(t, err)
			client.now = func() time.Time { return time.Now().Add(c.slept) }
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			outcome := client.File(ctx, cancellation.Order{Server: 1, Reason: "No longer needed", Content: "Replaced."})
			assert.Equal(t, c.kind, outcome.Kind, outcome.Text)
			vendor.Close() // waits for what is being answered
			if c.slept > 0 {
				assert.Zero(t, received.Load(), "SoftLayer got no request")
			}
		})
	}
}
