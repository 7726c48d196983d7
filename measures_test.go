package house

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the code that is not a test stays within. A function's length is its lines from func to its closing brace,
// and its complexity is 1 and one more for each if, for, case, && and ||, those of the literals in it included.
const (
	longFunction    = 30 // 95 of 100 functions are not longer
	complexFunction = 8  // 95 of 100 functions are not more complex
	mostComplex     = 15
	longestFile     = 400
	mostFiles       = 25 // of one package
	mostFields      = 16 // of one struct
	mostWords       = 8  // of a test's name, after Test
)

// wideStructs may have more fields than mostFields, each for its reason.
var wideStructs = map[string]string{
	"internal/cancellation.Request": "a row of the table of requests",
	"internal/cancellation.Server":  "what is read and stored of a server, in one JSON document",
	"internal/softlayer.hardware":   "SoftLayer's own object, as it comes by the wire",
	"internal/slackui.Options":      "one field for each part that the flows call",
	"cmd/bot.bot":                   "one field for each part that runs",
	"cmd/bot.config":                "one field for each setting",
}

// measured is one package's code, without its tests.
type measured struct {
	files, lines int
	code         int // lines that are neither empty nor a comment
	functions    []function
	structs      map[string]int // fields by the struct's name
	longFiles    map[string]int // lines by the file's path
	undocumented []string
}

type function struct {
	name              string
	lines, complexity int
}

func TestFunctionsAreShortAndSimple(t *testing.T) {
	t.Parallel()
	var all []function
	for _, p := range measure(t) {
		all = append(all, p.functions...)
	}
	for _, f := range all {
		assert.LessOrEqual(t, f.complexity, mostComplex, "%s has complexity %d", f.name, f.complexity)
	}
	for name, of := range map[string]struct {
		most int
		size func(function) int
	}{
		"length":     {longFunction, func(f function) int { return f.lines }},
		"complexity": {complexFunction, func(f function) int { return f.complexity }},
	} {
		slices.SortFunc(all, func(a, b function) int { return cmp.Compare(of.size(b), of.size(a)) })
		over := all[:len(all)/20+1]
		last := over[len(over)-1]
		assert.LessOrEqual(t, of.size(last), of.most, "95 of 100 functions have %s %d; these have most: %v", name, of.size(last), over)
	}
}

func TestNoPackageOrFileIsCrowded(t *testing.T) {
	t.Parallel()
	for name, p := range measure(t) {
		assert.LessOrEqual(t, p.files, mostFiles, "%s has %d files", name, p.files)
		for file, lines := range p.longFiles {
			assert.Fail(t, "a file is too long", "%s has %d lines", file, lines)
		}
	}
}

func TestOnlyRowsAndSettingsAreWideStructs(t *testing.T) {
	t.Parallel()
	wide := map[string]bool{}
	for name, p := range measure(t) {
		for typ, fields := range p.structs {
			if fields <= mostFields {
				continue
			}
			wide[name+"."+typ] = true
			assert.Contains(t, wideStructs, name+"."+typ, "%s.%s has %d fields", name, typ, fields)
		}
	}
	for name := range wideStructs {
		assert.True(t, wide[name], "%s is not wide, and needs no excuse", name)
	}
}

func TestEveryExportedNameIsDocumented(t *testing.T) {
	t.Parallel()
	for name, p := range measure(t) {
		assert.Empty(t, p.undocumented, "%s has %d exported names without a comment", name, len(p.undocumented))
	}
}

func TestTestNamesAreShortPromises(t *testing.T) {
	t.Parallel()
	names := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range testName.FindAllSubmatch(text, -1) {
			names++
			words := nameWord.FindAllString(string(found[1]), -1)
			assert.LessOrEqual(t, len(words), mostWords, "%s: Test%s has %d words", path, found[1], len(words))
		}
		return err
	}))
	assert.NotZero(t, names)
}

// The name of a test after Test, and the words in such a name: ID, Slack, 31st.
var (
	testName = regexp.MustCompile(`(?m)^func Test(\w+)\(`)
	nameWord = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+|[0-9]+[a-z]*`)
)

// The table of go test -v: what each package holds.
func TestMeasuresByPackage(t *testing.T) {
	t.Parallel()
	all := measure(t)
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "package\tfiles\tlines\tcode\tfunctions\tlongest\tmost complex")
	row := func(name string, p measured) {
		longest, hardest := 0, 0
		for _, f := range p.functions {
			longest, hardest = max(longest, f.lines), max(hardest, f.complexity)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, p.files, p.lines, p.code, len(p.functions), longest, hardest)
	}
	var bot, total measured
	shipped := append(slices.Clone(table["cmd/bot"].ours), "cmd/bot")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		row(name, *all[name])
		total.add(all[name])
		if slices.Contains(shipped, name) {
			bot.add(all[name])
		}
	}
	row("the bot", bot)
	row("total", total)
	require.NoError(t, w.Flush())
	t.Log("\n" + text.String())
}

func (p *measured) add(other *measured) {
	p.files, p.lines, p.code = p.files+other.files, p.lines+other.lines, p.code+other.code
	p.functions = append(p.functions, other.functions...)
}

func measure(t *testing.T) map[string]*measured {
	t.Helper()
	all, err := measureOnce()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// measureOnce reads the rooms and the fakes: what is under cmd and internal, by package.
var measureOnce = sync.OnceValues(func() (map[string]*measured, error) {
	all := map[string]*measured{}
	read := func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		name := filepath.ToSlash(filepath.Dir(path))
		if all[name] == nil {
			all[name] = &measured{structs: map[string]int{}, longFiles: map[string]int{}}
		}
		return all[name].read(name, path)
	}
	return all, errors.Join(filepath.WalkDir("cmd", read), filepath.WalkDir("internal", read))
})

func (p *measured) read(pkg, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	lines := bytes.Count(text, []byte("\n"))
	p.files++
	p.lines += lines
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !bytes.HasPrefix(line, []byte("//")) {
			p.code++
		}
	}
	if lines > longestFile {
		p.longFiles[path] = lines
	}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			name := nameOf(decl)
			lines := set.Position(decl.End()).Line - set.Position(decl.Pos()).Line + 1
			p.functions = append(p.functions, function{pkg + "." + name, lines, complexity(decl)})
			receiver, _, isMethod := strings.Cut(name, ".")
			if decl.Name.IsExported() && decl.Doc == nil && (!isMethod || ast.IsExported(receiver)) {
				p.undocumented = append(p.undocumented, name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				p.declared(decl, spec)
			}
		}
	}
	return nil
}

// declared notes a type, a constant or a variable. A comment above a group documents what is in it.
func (p *measured) declared(decl *ast.GenDecl, spec ast.Spec) {
	undocumented := func(names []*ast.Ident, docs ...*ast.CommentGroup) {
		for _, name := range names {
			if name.IsExported() && !slices.ContainsFunc(docs, func(doc *ast.CommentGroup) bool { return doc != nil }) {
				p.undocumented = append(p.undocumented, name.Name)
			}
		}
	}
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		undocumented(spec.Names, spec.Doc, spec.Comment, decl.Doc)
	case *ast.TypeSpec:
		undocumented([]*ast.Ident{spec.Name}, spec.Doc, spec.Comment, decl.Doc)
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			p.structs[spec.Name.Name] = typ.Fields.NumFields()
		case *ast.InterfaceType: // the comment on the type is that of its only method
			for _, method := range typ.Methods.List {
				if typ.Methods.NumFields() > 1 && spec.Name.IsExported() {
					undocumented(method.Names, method.Doc, method.Comment)
				}
			}
		}
	}
}

// nameOf is the function's name, and its receiver's type before it.
func nameOf(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return decl.Name.Name
	}
	var typ string
	ast.Inspect(decl.Recv.List[0].Type, func(n ast.Node) bool {
		if ident, is := n.(*ast.Ident); is && typ == "" {
			typ = ident.Name
		}
		return true
	})
	return typ + "." + decl.Name.Name
}

func complexity(decl *ast.FuncDecl) int {
	paths := 1
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			paths++
		case *ast.CaseClause:
			paths += min(len(n.List), 1)
		case *ast.CommClause:
			if n.Comm != nil {
				paths++
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				paths++
			}
		}
		return true
	})
	return paths
}
