package fakeslack_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
)

// newVirtualStage is a stage in virtual time; its workspace has the clock of that.
func newVirtualStage(t *testing.T, opts fakeslack.Options) *stage {
	t.Helper()
	s := &stage{t: t, url: "http://slack.test"}
	opts.Seed, opts.Observe, opts.URL = 7, s.observe, s.url
	s.Workspace = fakeslack.New(opts)
	n := slacktest.NewNetwork()
	s.dialer.NetDialContext = n.Dial
	carrier := n.Transport()
	s.http = &http.Client{Transport: carrier}
	server := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: time.Minute}
	var serving sync.WaitGroup
	serving.Go(func() { assert.ErrorIs(t, server.Serve(n), http.ErrServerClosed) })
	t.Cleanup(func() {
		s.Close()
		carrier.CloseIdleConnections()
		assert.NoError(t, server.Close())
		serving.Wait()
	})
	return s
}
