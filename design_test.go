package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	ruleHeading = regexp.MustCompile(`(?m)^\*\*([0-9]+\.[0-9]+) `)
	ruleNumber  = regexp.MustCompile(`[0-9]+\.[0-9]+`)
	// citation is the page with the numbers after it, if there are any: 4.1, 4.3 to 4.5 and 5.1.
	citation = regexp.MustCompile(`docs/design\.md((?: (?:[0-9]+\.[0-9]+(?:, | and | to )?)+)?)(.?)`)
	// bare is a citation of what stands in no file of this tree.
	bare = regexp.MustCompile(`\b[Rr]ules? [0-9]+\.[0-9]|\b[Dd]esign ([0-9]+\.[0-9]|rule\b|next\b)|[Dd]esign-next|[( ]facts: |of fact[s]:|facts/[a-z]`)
)

func TestEveryCitedRuleExists(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("docs/design.md")
	require.NoError(t, err)
	var rules []string
	for _, found := range ruleHeading.FindAllStringSubmatch(string(page), -1) {
		assert.NotContains(t, rules, found[1], "two rules have this number")
		rules = append(rules, found[1])
	}
	require.Greater(t, len(rules), 30, "the page numbers its rules")
	cited := 0
	for path, text := range sources(t) {
		for _, found := range citation.FindAllStringSubmatch(text, -1) {
			for _, number := range ruleNumber.FindAllString(found[1], -1) {
				cited++
				assert.Contains(t, rules, number, "%s cites a rule that the page does not have", path)
			}
			named := found[1] != "" || strings.HasSuffix(path, ".md") || strings.Contains("\"`", found[2])
			assert.True(t, named, "%s cites the page and no rule of it", path)
		}
	}
	assert.Greater(t, cited, 10, "comments cite rules")
}

func TestNoRuleIsCitedWithoutItsPage(t *testing.T) {
	t.Parallel()
	for path, text := range sources(t) {
		if !strings.Contains(text, "facts") && !strings.Contains(text, "ule") && !strings.Contains(text, "esign") {
			continue
		}
		assert.Empty(t, bare.FindAllString(text, -1), "%s cites what stands in no file here", path)
	}
}

// sources are the texts of this tree by path: Go, SQL, documents and scripts.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		script := filepath.Base(filepath.Dir(path)) == ".ci" || entry.Name() == "Makefile"
		if !script && !slices.Contains([]string{".go", ".sql", ".md", ".yaml", ".js"}, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		all[filepath.ToSlash(path)] = string(text)
		return err
	}))
	require.Greater(t, len(all), 300)
	return all
}
