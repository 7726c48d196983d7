package policytool_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/policytool"
)

// FuzzTable holds that no table of cases makes reading or trying it panic, that one which is read tests something, and
// that an error names the file.
func FuzzTable(f *testing.F) {
	policy, err := authz.Parse("tried.cedar", []byte(triedPolicy))
	require.NoError(f, err)
	for _, text := range []string{
		`{` + triedPeople + `, "cases": [{"who": "raj", "server": "db", "expect": "needs 1 approval", "by": "ops-ask"}, {"who": "lee", "requester": "raj", "server": "db", "expect": "may approve"}]}`,
		`{"people": {"ana": {"id": "T01/U1", "groups": [], "groups": ["S1"]}}}`, `{"cases": [{"count": -1, "today": 9223372036854775807}]}`, `{"a": [{"b": {}}, {"B": {}}]} {}`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "cases.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		table, err := policytool.ReadTable(path, "T01")
		if err != nil {
			assert.Contains(t, err.Error(), "cases.json")
			return
		}
		assert.NotEmpty(t, table.Cases)
		_ = table.Report(policy, io.Discard) // most cases fail
	})
}
