package fakesoftlayer_test

import (
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"testing"

	"cancel-server/internal/fakesoftlayer"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackageDocNamesEveryMethodAndNoOther(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments|parser.PackageClauseOnly)
	require.NoError(t, err)
	documented := map[string]string{}
	row := regexp.MustCompile(`(?m)^\t(SoftLayer_\w+/\w+) +(faithful|partial)`)
	for _, match := range row.FindAllStringSubmatch(file.Doc.Text(), -1) {
		documented[match[1]] = match[2]
	}
	served := fakesoftlayer.New(fakesoftlayer.Options{Servers: 1}).Methods()
	assert.Equal(t, served, slices.Sorted(maps.Keys(documented)))
}
