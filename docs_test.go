package house

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The pages about reliability and security are worth what their tests are: each one that they name is there,
// in the room that they name.
func TestThePagesNameTestsThatExist(t *testing.T) {
	t.Parallel()
	for _, page := range []string{"docs/reliability.md", "docs/security.md"} {
		named, room := 0, ""
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(read(t, page), -1) {
			switch {
			case strings.HasPrefix(word[1], "internal/"), strings.HasPrefix(word[1], "cmd/"), strings.HasPrefix(word[1], "deploy/"):
				room = word[1]
			case strings.HasPrefix(word[1], "Test"):
				named++
				assert.Contains(t, testsOf(t, room), "\nfunc "+word[1]+"(", "%s: %s has no test of this name", page, room)
			}
		}
		assert.Greater(t, named, 10, "%s names its tests", page)
	}
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

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	fence   = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$") // its language, and what it holds
	inline  = regexp.MustCompile("`((?:go|make|bot) [^`]+|\\.ci/[a-z-]+)`")
)

func TestEveryLinkOfADocumentLeadsSomewhere(t *testing.T) {
	t.Parallel()
	for page, text := range documents(t) {
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			file, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(file, "://") {
				continue
			}
			target := filepath.Join(filepath.Dir(page), file)
			if file == "" {
				target = page
			}
			there, err := os.ReadFile(target)
			assert.NoError(t, err, "%s links to %s", page, found[1])
			assert.Contains(t, append(anchors(string(there)), ""), anchor, "%s links to %s", page, found[1])
		}
	}
}

// anchors are the names that GitHub gives to a page's headings.
func anchors(page string) []string {
	var all []string
	for _, found := range heading.FindAllStringSubmatch(page, -1) {
		name := strings.ReplaceAll(strings.ToLower(found[1]), " ", "-")
		all = append(all, regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(name, ""))
	}
	return all
}

// runBy is where a command of a document is run, and by which words there.
var runBy = map[string][2]string{
	"go run ./cmd/sandbox": {".ci/run", "\ngo run ./cmd/sandbox "},
	"go test ./...":        {".ci/as-nobody", " go test ./...\n"},
	"go build ./cmd/bot":   {"cmd/sandbox/build.go", `"./cmd/bot"`},
	"go run ./cmd/bot":     {"cmd/sandbox/build.go", `"./cmd/bot"`},

	`pg_dump --format=custom --file=cancel-server.dump "$DATABASE_URL"`:                 {"cmd/bot/restore_test.go", `"pg_dump"`},
	`pg_restore --exit-on-error --no-owner --dbname="$DATABASE_URL" cancel-server.dump`: {"cmd/bot/restore_test.go", `"pg_restore"`},
	"rm -f cancel-server.db cancel-server.db-wal cancel-server.db-shm":                  {"cmd/bot/restore_test.go", `"rm"`},
	"cp cancel-server.backup cancel-server.db":                                          {"cmd/bot/restore_test.go", `"cp"`},
}

// Commands of the program itself are run by the tests of cmd/bot.
func TestEveryCommandOfADocumentIsRunSomewhere(t *testing.T) {
	t.Parallel()
	commands := 0
	for page, text := range documents(t) {
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[2]) {
				command := strings.TrimSpace(line)
				if block[1] != "" || command == "" || strings.HasPrefix(command, "bot ") || strings.HasPrefix(command, "export ") {
					continue
				}
				commands++
				if target, is := strings.CutPrefix(command, "make "); is {
					target, _, _ = strings.Cut(target, " ")
					assert.Contains(t, read(t, "Makefile"), "\n"+target+": ", "%s: %s", page, command)
					continue
				}
				by, known := runBy[command]
				if assert.True(t, known, "%s: nothing runs %q", page, command) {
					assert.Contains(t, read(t, by[0]), by[1], "%s: %s does not run %q", page, by[0], command)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, commands, 5, "the documents show commands")
}

// What a sentence or a table names is there: a target, a script, a package, a test.
func TestWhatTheDocumentsSayToRunExists(t *testing.T) {
	t.Parallel()
	for page, text := range documents(t) {
		for _, found := range inline.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(found[1])
			if words[0] == "make" {
				assert.Contains(t, read(t, "Makefile"), "\n"+words[1]+": ", "%s: %s", page, found[1])
			}
			if strings.HasPrefix(words[0], ".ci/") {
				assert.FileExists(t, words[0], page)
			}
			room := ""
			for i, word := range words {
				switch {
				case strings.HasPrefix(word, "./") && word != "./..." && word != "./PACKAGE":
					room = word
					assert.DirExists(t, word, "%s: %s", page, found[1])
				case word == "-tags":
					assert.Contains(t, strings.Split(allTags, ","), words[i+1], "%s: %s", page, found[1])
				case word == "-run" && room != "":
					assert.Regexp(t, `\nfunc Test\w*`+words[i+1], testsOf(t, room), "%s: %s", page, found[1])
				}
			}
		}
	}
}

func TestTheReadmeIsShort(t *testing.T) {
	t.Parallel()
	assert.LessOrEqual(t, strings.Count(read(t, "README.md"), "\n"), 150)
}

func TestContributingListsTheRoomsOfTheHouse(t *testing.T) {
	t.Parallel()
	rows := strings.Split(read(t, "CONTRIBUTING.md"), "\n")
	for _, name := range slices.Sorted(maps.Keys(table)) {
		at := slices.IndexFunc(rows, func(row string) bool { return strings.HasPrefix(row, "| `") && strings.Contains(row, "`"+name+"`") })
		if !assert.GreaterOrEqual(t, at, 0, "CONTRIBUTING.md does not say what %s is for", name) {
			continue
		}
		for _, other := range table[name].ours {
			named := strings.Contains(rows[at], "`"+path.Base(other)+"`") || strings.Contains(rows[at], "all but the fakes")
			assert.True(t, named, "CONTRIBUTING.md does not say that %s may import %s", name, other)
		}
	}
}

// documents are the Markdown pages of this tree by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := sources(t)
	maps.DeleteFunc(all, func(path, _ string) bool { return filepath.Ext(path) != ".md" })
	require.GreaterOrEqual(t, len(all), 7)
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
