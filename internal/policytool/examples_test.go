package policytool_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

const examples = "../../examples/policies/"

var ruleID = regexp.MustCompile(`(?m)^@id\("([^"]+)"\)`)

func TestEachExamplePolicyHoldsToItsTable(t *testing.T) {
	t.Parallel()
	policies, err := filepath.Glob(examples + "*.cedar")
	require.NoError(t, err)
	tables, err := filepath.Glob(examples + "*.json")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(policies), 5)
	assert.Len(t, tables, len(policies), "each has its table next to it")
	page, err := os.ReadFile("../../docs/policy.md")
	require.NoError(t, err)
	for _, path := range policies {
		name := strings.TrimSuffix(filepath.Base(path), ".cedar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table := examples + name + ".json"
			out, err := tried(t, table, path)
			assert.NoError(t, err, out)
			assert.Contains(t, string(page), "examples/policies/"+name+".cedar", "docs/policy.md tells of it")

			text, err := os.ReadFile(path)
			require.NoError(t, err)
			policy, err := authz.Parse(path, text)
			require.NoError(t, err)
			assert.Empty(t, policy.Warnings(), "an example has nothing to be warned of")
			cases, err := os.ReadFile(table)
			require.NoError(t, err)
			for _, id := range ruleID.FindAllStringSubmatch(string(text), -1) {
				assert.Contains(t, string(cases), `"by": "`+id[1]+`"`, "no case needs this rule")
			}
		})
	}
}

// A table that holds whatever a policy says would be no use: without any one of its rules,
// each example fails.
func TestEveryRuleOfAnExampleIsNeeded(t *testing.T) {
	t.Parallel()
	policies, err := filepath.Glob(examples + "*.cedar")
	require.NoError(t, err)
	for _, path := range policies {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		at := ruleID.FindAllStringSubmatchIndex(string(text), -1)
		for i, found := range at {
			end := len(text)
			if i+1 < len(at) {
				end = at[i+1][0]
			}
			t.Run(filepath.Base(path)+" without "+string(text[found[2]:found[3]]), func(t *testing.T) {
				t.Parallel()
				less := written(t, "less.cedar", string(text[:found[0]])+string(text[end:]))
				_, err := tried(t, strings.TrimSuffix(path, ".cedar")+".json", less)
				assert.Error(t, err)
			})
		}
	}
}
