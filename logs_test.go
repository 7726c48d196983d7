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
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLogLinesAreWrittenAlike reads each line that this module logs: anyone who searches the
// log finds an error under one key, a message by its words, and a state by its name.
func TestLogLinesAreWrittenAlike(t *testing.T) {
	t.Parallel()
	logged, keys := 0, map[string]string{}
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
				at, key := files.Position(arg.Pos()), ""
				if i > 0 {
					key = text(info, call.Args[i-1])
				}
				if isError(info.TypeOf(arg)) {
					assert.Equal(t, "err", key, "%s: the key of an error in %s", at, method)
				}
				assert.False(t, isNumberedState(info, arg), "%s: a state is logged by its name, not its number", at)
			}
			if said, is := levels[method]; is && text(info, call.Args[said]) != "" {
				judgeLine(t, files.Position(call.Pos()).String(), info, call.Args[said:])
			}
			for _, key := range keysOf(info, method, call.Args) {
				keys[key] = files.Position(call.Pos()).String()
			}
		}
	}
	judgeKeys(t, keys)
	assert.Greater(t, logged, 100, "the log's lines are found")
}

// levels are the methods that write a line, and which of their arguments is its message.
var levels = map[string]int{"Debug": 0, "Info": 0, "Warn": 0, "Error": 0, "Log": 2}

// judgeLine holds a message and its keys to CONTRIBUTING.md's house rule 9: plain words in lower
// case without a full stop, and one word as key, joined by _.
func judgeLine(t *testing.T, at string, info *types.Info, line []ast.Expr) {
	t.Helper()
	assert.Regexp(t, `^(?:[a-z]|SoftLayer|Slack)`, text(info, line[0]), "%s: a message begins in lower case", at)
	assert.NotRegexp(t, `[.!]$|%[a-z]`, text(info, line[0]), "%s: a message is no sentence, and what varies is a field", at)
	for i := 1; i < len(line)-1; i += 2 {
		if key := text(info, line[i]); key != "" {
			assert.Regexp(t, `^[a-z]+(?:_[a-z]+)*$`, key, "%s: a key", at)
		}
	}
}

// keysOf are the constant keys of a call that adds fields to lines.
func keysOf(info *types.Info, method string, args []ast.Expr) (keys []string) {
	first, is := levels[method]
	if !is && method != "With" {
		return nil
	}
	if is {
		first++
	}
	for i := first; i < len(args)-1; i += 2 {
		keys = append(keys, text(info, args[i]))
	}
	return keys
}

// judgeKeys holds the keys of all lines to docs/operate.md, where anyone who searches the log finds what they mean.
func judgeKeys(t *testing.T, keys map[string]string) {
	t.Helper()
	_, section, _ := strings.Cut(read(t, "docs/operate.md"), "\n## The log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := map[string]bool{}
	for row := range strings.Lines(section) {
		if !strings.HasPrefix(row, "| `") {
			continue
		}
		for _, found := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			documented[found[1]] = true
		}
	}
	for key, at := range keys {
		assert.True(t, key == "" || documented[key], "docs/operate.md does not say what %q means, as %s logs it", key, at)
	}
	for key := range documented {
		if !slices.Contains([]string{"time", "level", "msg", "path", "status", "left_out"}, key) { // slog's own, and internal/inbound's
			assert.Contains(t, keys, key, "docs/operate.md explains a key that nothing logs")
		}
	}
}

// text is the value of a constant string; "" for anything else.
func text(info *types.Info, e ast.Expr) string {
	if value := info.Types[e].Value; value != nil && value.Kind() == constant.String {
		return constant.StringVal(value)
	}
	return ""
}

// isNumberedState reports whether an argument makes a number of a type of this module, as of a
// state that is counted from 0.
func isNumberedState(info *types.Info, arg ast.Expr) bool {
	call, is := arg.(*ast.CallExpr)
	if !is || len(call.Args) != 1 || !info.Types[call.Fun].IsType() {
		return false
	}
	to, isBasic := info.TypeOf(call.Fun).(*types.Basic)
	of, isNamed := info.TypeOf(call.Args[0]).(*types.Named)
	return isBasic && isNamed && to.Info()&types.IsInteger != 0 && of.Obj().Pkg() != nil && strings.HasPrefix(of.Obj().Pkg().Path(), "cancel-server/")
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
