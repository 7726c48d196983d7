//go:build linux

package crash

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Only a full round is held to coming to every boundary.
func TestMakeRunsAFullRound(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(module, "Makefile"))
	require.NoError(t, err)
	given := regexp.MustCompile(`-schedules \$\(or \$\(SCHEDULES\),(\d+)\)`).FindSubmatch(text)
	require.NotNil(t, given)
	count, err := strconv.Atoi(string(given[1]))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, count, fullRound)
	assert.Less(t, count, fullRound+10, "and no more")
}
