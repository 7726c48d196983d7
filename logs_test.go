package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLogsNameEveryErrorTheSame reads each line that this module logs: who looks for what
// went wrong looks under one key.
func TestLogsNameEveryErrorTheSame(t *testing.T) {
	t.Parallel()
	logged := 0
	files := token.NewFileSet()
	listed := exported(t)
	for _, p := range listed {
		if p.Module == nil || !p.Module.Main {
			continue
		}
		info := checked(t, files, p, listed)
		for call, method := range logging(info) {
			logged++
			for i, arg := range call.Args {
				if !isError(info.TypeOf(arg)) {
					continue
				}
				key := ""
				if i > 0 {
					if value := info.Types[call.Args[i-1]].Value; value != nil {
						key = constant.StringVal(value)
					}
				}
				assert.Equal(t, "err", key, "%s: the key of an error in %s", files.Position(arg.Pos()), method)
			}
		}
	}
	assert.Greater(t, logged, 100, "the log's lines are found")
}

type exportedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	Module                  *struct{ Main bool }
}

// exported lists this module's packages and all that they import, compiled.
func exported(t *testing.T) map[string]exportedPackage {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Module", "./internal/...", "./cmd/...")
	var problems bytes.Buffer
	list.Stderr = &problems
	out, err := list.Output()
	require.NoError(t, err, "%s", &problems)
	all := map[string]exportedPackage{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p exportedPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else {
			require.NoError(t, err)
		}
		all[p.ImportPath] = p
	}
}

func checked(t *testing.T, files *token.FileSet, p exportedPackage, all map[string]exportedPackage) *types.Info {
	t.Helper()
	var parsed []*ast.File
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(all[path].Export)
	})}
	_, err := config.Check(p.ImportPath, files, parsed, info)
	require.NoError(t, err)
	return info
}

// logging are the calls of a logger's methods, and what they are called.
func logging(info *types.Info) map[*ast.CallExpr]string {
	calls := map[*ast.CallExpr]string{}
	for expression := range info.Types {
		call, isCall := expression.(*ast.CallExpr)
		if !isCall {
			continue
		}
		method, isMethod := call.Fun.(*ast.SelectorExpr)
		if !isMethod || info.Selections[method] == nil {
			continue
		}
		if info.Selections[method].Recv().String() == "*log/slog.Logger" {
			calls[call] = method.Sel.Name
		}
	}
	return calls
}

func isError(t types.Type) bool {
	return t != nil && types.Implements(t, types.Universe.Lookup("error").Type().Underlying().(*types.Interface))
}
