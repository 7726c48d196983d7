package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The domain and its policy return codes and values, and words makes sentences of them. What stays is
// the text of tickets and of policies, what is wrong with a policy's file, SoftLayer's own ten reasons,
// the stored names of facts, errors and log lines.
func TestDomainWritesNoSentence(t *testing.T) {
	t.Parallel()
	files, judged := token.NewFileSet(), 0
	for room, texts := range map[string][]string{
		"internal/cancellation": {"ticket.go"},
		"internal/authz":        {"groups.go", "policy.go", "load.go", "source.go"},
		"internal/following":    nil,
	} {
		folder, err := os.ReadDir(room)
		require.NoError(t, err)
		for _, entry := range folder {
			name := entry.Name()
			if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || slices.Contains(texts, name) {
				continue
			}
			file, err := parser.ParseFile(files, filepath.Join(room, name), nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, literal := range outsideErrorsAndLogs(file) {
				judged++
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				assert.Less(t, wordsIn(text), 3, "%s: return a code; words makes the sentence: %q", files.Position(literal.Pos()), text)
			}
		}
	}
	assert.Greater(t, judged, 100, "the texts are found")
}

// wordsIn counts words of two letters or more; a code of several parts is one.
func wordsIn(text string) (count int) {
	for _, word := range strings.Fields(text) {
		if regexp.MustCompile(`\pL{2}`).MatchString(word) {
			count++
		}
	}
	return count
}

// outsideErrorsAndLogs lists a file's texts but for those of errors, logs and panics, struct tags,
// SoftLayer's reasons and the stored names of facts.
func outsideErrorsAndLogs(file *ast.File) (texts []*ast.BasicLit) {
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				texts = append(texts, n)
			}
		case *ast.FuncDecl:
			return n.Name.Name != "Error" && n.Name.Name != "Reasons"
		case *ast.CallExpr:
			return !isErrorOrLog(n.Fun)
		case *ast.Field:
			return n.Tag == nil
		case *ast.ValueSpec:
			return !strings.HasPrefix(n.Names[0].Name, "Fact")
		case *ast.ImportSpec:
			return false
		}
		return true
	})
	return texts
}

func isErrorOrLog(called ast.Expr) bool {
	if name, is := called.(*ast.Ident); is {
		return name.Name == "panic"
	}
	method, is := called.(*ast.SelectorExpr)
	if !is {
		return false
	}
	_, logs := levels[method.Sel.Name]
	return logs || method.Sel.Name == "Errorf" || types.ExprString(called) == "errors.New"
}

// A code that words does not know would be shown to people as nothing.
func TestEveryReasonCodeHasWords(t *testing.T) {
	t.Parallel()
	states, err := os.ReadFile("internal/cancellation/state.go")
	require.NoError(t, err)
	why, err := os.ReadFile("internal/slackui/words/why.go")
	require.NoError(t, err)
	messages, err := os.ReadFile("internal/slackui/words/messages.go")
	require.NoError(t, err)
	// Of an unknown, a reverted and a reclaimed request people read what the state says.
	byState := []string{"WhyStopped", "WhyItemReplaced", "WhyItemEnded", "WhyTicketClosed", "WhyServerGone"}
	codes := regexp.MustCompile(`(?m)^\t(Why\w+) +ReasonCode = "`).FindAllStringSubmatch(string(states), -1)
	assert.Greater(t, len(codes), 30, "the codes are found")
	for _, code := range codes {
		if !slices.Contains(byState, code[1]) {
			known := regexp.MustCompile(`cancellation\.` + code[1] + `\b`)
			assert.True(t, known.Match(why) || known.Match(messages), "no words for %s", code[1])
		}
	}
}
