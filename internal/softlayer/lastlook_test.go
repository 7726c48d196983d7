package softlayer

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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
		sleeps  int // before this look at the clock the machine sleeps for an hour; 0 for never
		content string
		kind    cancellation.OutcomeKind
	}{
		"a machine that did not sleep files":                {0, "Replaced.", cancellation.Made},
		"one that slept before the first byte sent nothing": {1, "Replaced.", cancellation.NotMade},
		"one that slept amidst the request cannot tell":     {2, strings.Repeat("Replaced. ", 100_000), cancellation.AnswerLost},
		"a request of usual length is written in one piece": {2, strings.Repeat("Replaced. ", 200), cancellation.Made},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var answered atomic.Int32
			vendor := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if _, err := io.Copy(io.Discard, r.Body); err != nil {
					return // half a request is no request
				}
				answered.Add(1)
				_, _ = w.Write([]byte(`{"id":153572280}`)) // the client may have left
			}))
			defer vendor.Close()
			client, err := New(Options{Endpoint: vendor.URL, APIKey: "key"})
			require.NoError(t, err)
			var looks atomic.Int32
			client.now = func() time.Time {
				if n := int(looks.Add(1)); c.sleeps > 0 && n >= c.sleeps {
					return time.Now().Add(time.Hour)
				}
				return time.Now()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			outcome := NewWriter(client).RequestCancellation(ctx, cancellation.Order{Server: 1, Reason: "No longer needed", Content: c.content})
			assert.Equal(t, c.kind, outcome.Kind, outcome.Text)
			vendor.Close() // waits for what is being answered
			if c.kind == cancellation.NotMade {
				assert.Zero(t, answered.Load(), "SoftLayer got no request")
			}
		})
	}
}
