package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page about reliability is worth what its tests are: each one that it names is there,
// in the room that it names.
func TestTheReliabilityPageNamesTestsThatExist(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/reliability.md")
	require.NoError(t, err)
	named, room := 0, ""
	for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(string(page), -1) {
		switch {
		case strings.HasPrefix(word[1], "internal/"), strings.HasPrefix(word[1], "cmd/"):
			room = word[1]
		case strings.HasPrefix(word[1], "Test"):
			named++
			assert.Contains(t, testsOf(t, room), "\nfunc "+word[1]+"(", "%s has no test of this name", room)
		}
	}
	assert.Greater(t, named, 10, "the page names its tests")
}

// testsOf is the source of a room's tests.
func testsOf(t *testing.T, room string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(room, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(source)
	}
	return all.String()
}
