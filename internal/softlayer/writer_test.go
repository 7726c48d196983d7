package softlayer_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

// A program that makes no Writer changes nothing at SoftLayer: this is what practice rests on.
func TestOnlyAWriterMakesCallsThatChange(t *testing.T) {
	t.Parallel()
	_, files := any((*softlayer.Client)(nil)).(cancellation.TicketWriter)
	assert.False(t, files)
	_, writes := any((*softlayer.Client)(nil)).(interface {
		AddUpdate(ctx context.Context, ticket int64, entry string) cancellation.Outcome
	})
	assert.False(t, writes)

	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	changing := map[string]bool{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			made, is := decl.(*ast.FuncDecl)
			if !is {
				continue
			}
			for _, method := range methodsCalled(made) {
				if strings.HasPrefix(method, "get") || method == "advancedSearch" {
					continue
				}
				changing[method] = true
				assert.Equal(t, "Writer", receiverOf(made), "%s calls %s", made.Name.Name, method)
			}
		}
	}
	assert.Equal(t, map[string]bool{"createCancelServerTicket": true, "addUpdate": true}, changing)
}

// methodsCalled are SoftLayer's methods that a function names: the texts of the fields called method.
func methodsCalled(in *ast.FuncDecl) (names []string) {
	ast.Inspect(in, func(n ast.Node) bool {
		field, is := n.(*ast.KeyValueExpr)
		if !is {
			return true
		}
		key, isName := field.Key.(*ast.Ident)
		text, isText := field.Value.(*ast.BasicLit)
		if isName && isText && key.Name == "method" {
			names = append(names, strings.Trim(text.Value, `"`))
		}
		return true
	})
	return names
}

func receiverOf(made *ast.FuncDecl) string {
	if made.Recv == nil {
		return ""
	}
	pointer, is := made.Recv.List[0].Type.(*ast.StarExpr)
	if !is {
		return ""
	}
	return pointer.X.(*ast.Ident).Name
}
