package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBothVendorsAreAskedAtOnce has each vendor answer only once the other was asked too.
func TestBothVendorsAreAskedAtOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ slack, wants string }{
		"both refuse":       {`{"ok":false,"error":"invalid_auth"}`, "asking Slack who the bot is: calling auth.test: invalid_auth"},
		"SoftLayer refuses": {`{"ok":true,"team_id":"T1","bot_id":"B1"}`, "asking SoftLayer whose key this is: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slackAsked, softLayerAsked := make(chan struct{}), make(chan struct{})
			var once, other sync.Once
			vendors := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/auth.test") {
					once.Do(func() { close(slackAsked) })
					wait(r, softLayerAsked)
					_, _ = w.Write([]byte(c.slack))
					return
				}
				other.Do(func() { close(softLayerAsked) })
				wait(r, slackAsked)
				w.WriteHeader(http.StatusUnauthorized)
			}))
			defer vendors.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			key := "fake-key"
			_, err := connect(ctx, config{
				SlackAPIURL: vendors.URL + "/api/", SoftLayerEndpoint: vendors.URL + "/rest/v3.1", SoftLayerUsername: "u", SoftLayerAPIKey: secret{&key},
			}, calls{})
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), c.wants), err)
		})
	}
}

func wait(r *http.Request, asked <-chan struct{}) {
	select {
	case <-asked:
	case <-r.Context().Done():
	}
}
