//go:build unix

package policytool

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPolicyFileThatIsAPipeBlocksNobody(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	require.NoError(t, os.Remove(w.path))
	require.NoError(t, syscall.Mkfifo(w.path, 0o600))
	looked := make(chan struct{})
	go func() { defer close(looked); w.looks(2) }()
	select {
	case <-looked:
	case <-time.After(time.Minute):
		t.Fatal("it waits for somebody who writes")
	}
	assert.Equal(t, []string{"POLICY_FILE: the file cannot be read: it is a pipe"}, w.watch.Problems())
	assert.Equal(t, []string{"S0A"}, w.decidesBy())
}
