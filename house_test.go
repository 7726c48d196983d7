// Package house holds the rules that no single room can: who may import whom.
package house

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "cancel-server/"

// room is what one folder may import in addition to the standard library.
type room struct {
	ours   []string // rooms of this module
	others []string // modules of others, by prefix
	why    string
}

// table is the house's plan: design by import. What is not in it is not allowed.
var table = map[string]room{
	"internal/authz": {
		others: []string{"github.com/cedar-policy/cedar-go"},
		why:    "a decision rests on its arguments alone, so it can be tested as a table and repeated",
	},
	"internal/billed": {
		why: "what stays billed is judged from its arguments; who reads it, keeps it and tells people is not its affair",
	},
	"internal/cancellation": {
		ours: []string{"internal/authz", "internal/billed"},
		why:  "the domain owns the words and the order of steps; it knows no Slack, HTTP, SQL or environment",
	},
	"internal/inquiry": {
		ours: []string{"internal/billed", "internal/cancellation", "internal/correspondence"},
		why:  "what is on record is put together from what it is handed; who keeps it is not its affair",
	},
	"internal/skew": {
		why: "both clients read a Date alike; what a wrong clock means is not its affair",
	},
	"internal/checkup": {
		ours: []string{"internal/authz", "internal/cancellation"},
		why:  "what is right and wrong with a bot is judged from answers; who asks the vendors, opens the database and posts is not its affair",
	},
	"internal/audit": {
		others: []string{"golang.org/x/mod", "golang.org/x/sync"},
		why:    "what is sealed, and what is not as it was sealed, is worked out from its arguments; who keeps and reads the rows is not its affair",
	},
	"internal/store/seals": {
		ours:   []string{"internal/audit"},
		others: []string{"golang.org/x/mod"},
		why:    "the SQL of the sealed log; it opens no database, and what a tree is stands elsewhere",
	},
	"internal/store/prepared": {
		why: "it wraps a driver's connections, whatever is done on them",
	},
	"internal/store/host": {
		others: []string{"golang.org/x/sys"},
		why:    "what differs between operating systems; it knows nothing of databases",
	},
	"internal/overview": {
		ours: []string{"internal/authz", "internal/cancellation", "internal/closing"},
		why:  "who sees what is decided from the policy and the rows; how it is shown and kept is not its affair",
	},
	"internal/store": {
		ours: []string{
			"internal/audit",
			"internal/authz",
			"internal/billed",
			"internal/cancellation",
			"internal/checkup",
			"internal/correspondence",
			"internal/inquiry",
			"internal/orders",
			"internal/report",
			"internal/store/host",
			"internal/store/prepared",
			"internal/store/seals",
		},
		others: []string{"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"},
		why:    "it keeps what the domain says and speaks to nobody else",
	},
	"internal/slackui": {
		ours: []string{
			"internal/authz",
			"internal/billed",
			"internal/cancellation",
			"internal/correspondence",
			"internal/orders",
			"internal/overview",
			"internal/waiting",
			"internal/reconcile",
			"internal/report",
			"internal/review",
			"internal/serverlist",
			"internal/slackui/receive",
			"internal/slackui/webapi",
			"internal/slackui/words",
		},
		why: "the flows between people and the domain; Slack's wire and every sentence belong to its three rooms",
	},
	"internal/slackui/receive": {
		ours:   []string{"internal/inbound", "internal/slackui/webapi"},
		others: []string{"github.com/slack-go/slack", "github.com/gorilla/websocket"},
		why:    "deliveries are verified and decoded here; what they ask for is decided behind the handler that it calls",
	},
	"internal/slackui/webapi": {
		ours:   []string{"internal/skew"},
		others: []string{"github.com/slack-go/slack"},
		why:    "Slack's Web API and its errors; what a call is for is known to who makes it",
	},
	"internal/slackui/words": {
		ours: []string{
			"internal/authz",
			"internal/billed",
			"internal/cancellation",
			"internal/closing",
			"internal/correspondence",
			"internal/overview",
			"internal/reconcile",
			"internal/report",
			"internal/review",
			"internal/serverlist",
		},
		others: []string{"github.com/slack-go/slack"},
		why:    "sentences and blocks made of values; it calls nobody and decides nothing",
	},
	"internal/softlayer": {
		ours: []string{"internal/billed", "internal/cancellation", "internal/checkup", "internal/closing", "internal/reconcile", "internal/skew"},
		why:  "one vendor's wire; no word for people and no storage",
	},
	"internal/review": {
		ours: []string{"internal/authz", "internal/billed", "internal/cancellation", "internal/serverlist"},
		why:  "what people read before asking for several servers follows from what was read; who reads it and shows it is not its affair",
	},
	"internal/serverlist": {
		ours: []string{"internal/cancellation", "internal/spelling"},
		why:  "what a pasted list means follows from its text and a copy of the servers; who reads SoftLayer and shows it is not its affair",
	},
	"internal/spelling": {
		why: "how far names are apart is the same for the typeahead and for lists",
	},
	"internal/closing": {
		ours: []string{"internal/authz", "internal/billed", "internal/cancellation", "internal/pace"},
		why:  "which places close and how far they have come is counted from its arguments; who lists the servers, reads SoftLayer and words it is not its affair",
	},
	"internal/typeahead": {
		ours: []string{"internal/cancellation", "internal/closing", "internal/pace", "internal/serverlist", "internal/spelling"},
		why:  "it suggests from memory; who lists the servers and who keeps what was listed is not its affair",
	},
	"internal/following": {
		ours: []string{"internal/billed", "internal/cancellation", "internal/pace", "internal/workday"},
		why:  "what became of a request is judged from its arguments; who reads SoftLayer, keeps it and tells people is not its affair",
	},
	"internal/reconcile": {
		ours: []string{"internal/cancellation"},
		why:  "what SoftLayer shows and what is recorded are compared from arguments; who reads either is not its affair",
	},
	"internal/bulletin": {
		ours: []string{"internal/cancellation", "internal/pace", "internal/report", "internal/reconcile"},
		why:  "when the report channel gets what; who keeps that, reads SoftLayer and posts is not its affair",
	},
	"internal/correspondence": {
		ours: []string{"internal/cancellation", "internal/authz"},
		why:  "who may write into a ticket, what is sent and what became of it are judged from arguments; who sends it, keeps it and tells people is not its affair",
	},
	"internal/orders": {
		ours: []string{"internal/cancellation"},
		why:  "who is told of an order about filing, and when; who words it, posts it and keeps it is not its affair",
	},
	"internal/letters": {
		ours: []string{"internal/cancellation", "internal/workday"},
		why:  "when a person is told what; who words it, carries it and keeps it is not its affair",
	},
	"internal/report": {
		ours: []string{"internal/billed", "internal/cancellation"},
		why:  "sums over rows that are handed to it; who keeps the rows and who reads the sums is not its affair",
	},
	"internal/metrics": {
		others: []string{"github.com/prometheus/client_golang"},
		why:    "it counts what it is told; who tells it is not its affair",
	},
	"internal/inbound": {
		others: []string{"golang.org/x/time/rate"},
		why:    "both addresses that the bot listens on bound their callers alike; what a caller asks and proves is not its affair",
	},
	"internal/pace": {
		why: "the typeahead's pass and the follower keep their calls apart alike; it knows nothing of the calls",
	},
	"internal/waiting": {
		ours: []string{"internal/cancellation", "internal/workday"},
		why:  "who is told of a wait, and when, follows from its arguments; who keeps it and posts it is not its affair",
	},
	"internal/workday": {
		why: "when people work follows from a time and a zone; who is told what then is not its affair",
	},
	"internal/policytool": {
		ours: []string{"internal/cancellation", "internal/authz", "internal/slackui/words"},
		why:  "it answers questions about a policy from its arguments; who reads settings and asks vendors is not its affair",
	},
	"internal/fakeslack": {
		others: []string{"github.com/gorilla/websocket"},
		why:    "a fake that shares a type with its client can never contradict it",
	},
	"internal/fakesoftlayer": {
		why: "a fake that shares a type with its client can never contradict it",
	},
	"internal/cleanroom": {
		why: "every package's TestMain calls it; no room imports it but in tests",
	},
	"internal/postgrestest": {
		others: []string{"github.com/jackc/pgx/v5"},
		why:    "tests of several rooms need a database of their own; no room imports it but in tests",
	},
	"internal/slackui/slacktest": {
		ours:   []string{"internal/cancellation", "internal/authz", "internal/fakeslack"},
		others: []string{"github.com/slack-go/slack", "github.com/stretchr/testify", "pgregory.net/rapid"},
		why:    "the tests of slackui's rooms share it, so it imports none of them; no room imports it but in tests",
	},
	"internal/storetest": {
		ours: []string{"internal/store"},
		why:  "tests of several rooms need a database file that is up to date; no room imports it but in tests",
	},
	"deploy/release": {
		why: "it builds what is released, from the same sources to the same bytes, and is no part of it",
	},
	"cmd/sandbox": {
		ours: []string{"internal/fakeslack", "internal/fakesoftlayer"},
		why:  "it runs any bot as a child and must not know this one's insides",
	},
	"cmd/bot": {
		ours: []string{
			"internal/audit",
			"internal/authz",
			"internal/bulletin",
			"internal/cancellation",
			"internal/checkup",
			"internal/closing",
			"internal/correspondence",
			"internal/following",
			"internal/inbound",
			"internal/inquiry",
			"internal/letters",
			"internal/metrics",
			"internal/orders",
			"internal/overview",
			"internal/pace",
			"internal/policytool",
			"internal/reconcile",
			"internal/report",
			"internal/serverlist",
			"internal/slackui",
			"internal/slackui/receive",
			"internal/slackui/webapi",
			"internal/slackui/words",
			"internal/softlayer",
			"internal/store",
			"internal/typeahead",
			"internal/waiting",
		},
		others: []string{"github.com/kelseyhightower/envconfig", "golang.org/x/sync/errgroup"},
		why:    "wiring; a shipped bot holds no fake",
	},
}

// inTests is what test files may import everywhere, in addition to what their room may.
var inTests = []string{
	"github.com/stretchr/testify", "go.uber.org/goleak", module + "internal/fakeslack", module + "internal/fakesoftlayer",
	module + "internal/postgrestest", module + "internal/storetest", module + "internal/cleanroom", module + "internal/slackui/slacktest",
}

// inTestsOf is what the tests of one room may import beyond that.
var inTestsOf = map[string][]string{
	// Random policies and questions; what a person reads of a refusal.
	"internal/authz": {"pgregory.net/rapid", module + "internal/slackui/words"},
	// The real store, in a real file; random clicks.
	"internal/cancellation": {module + "internal/store", "pgregory.net/rapid"},
	"internal/slackui":      {module + "internal/store", "pgregory.net/rapid", "github.com/slack-go/slack"},
	// The real store, in a real file.
	"internal/overview": {module + "internal/store"},
	// Golden screens, many in one file.
	"internal/slackui/words": {"golang.org/x/tools/txtar"},
	// The real client of the fake account, and the real store; random deeds of staff.
	"internal/following": {module + "internal/softlayer", module + "internal/store", "pgregory.net/rapid"},
	// Everything between a fake Slack and the real store, in virtual time.
	"internal/letters": {
		module + "internal/store", module + "internal/following", module + "internal/authz", module + "internal/billed", module + "internal/slackui", module + "internal/slackui/webapi",
		module + "internal/slackui/words", module + "internal/waiting",
	},
	// The real store, and the databases from outside.
	"internal/store/seals": {
		module + "internal/store", module + "internal/cancellation", "golang.org/x/mod", "modernc.org/sqlite", "github.com/jackc/pgx/v5", "pgregory.net/rapid",
	},
	// The real store.
	"internal/waiting": {module + "internal/store"},
	// The real store, and how foreign text is made printable.
	"internal/inquiry": {module + "internal/authz", module + "internal/policytool", module + "internal/store"},
	// The client and the store.
	"internal/typeahead": {module + "internal/softlayer", module + "internal/store"},
	// The real store.
	"internal/orders":         {module + "internal/store"},
	"internal/bulletin":       {module + "internal/store"},
	"internal/correspondence": {module + "internal/store"},
	// The vendor's own client as a witness; a browser for its page.
	"internal/fakeslack": {"github.com/slack-go/slack", "github.com/chromedp"},
	// Random operations, held against a model and made small when they fail.
	"internal/store": {"pgregory.net/rapid"},
	// The page, by a browser.
	"cmd/sandbox": {"github.com/chromedp", "github.com/gorilla/websocket"},
	// The databases from outside, a disk that fails, when people work, and a report to print.
	"cmd/bot": {
		module + "internal/billed", module + "internal/workday",
		"github.com/gorilla/websocket", "modernc.org/sqlite", "github.com/jackc/pgx/v5", "golang.org/x/sys/unix",
	},
	// The manifest for Kubernetes.
	"cancel-server": {"go.yaml.in/yaml/v3"},
	// The floors, and the rows of both databases.
	"bench": {"github.com/slack-go/slack", module + "internal/slackui", "modernc.org/sqlite", "github.com/jackc/pgx/v5"},
	// The databases from outside.
	"crash": {"github.com/jackc/pgx/v5", "modernc.org/sqlite"},
}

// allTags are the build tags of tests that go test ./... leaves to make.
const allTags = "bench,crash,testclock,clusters,oldbuild,twice"

type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func TestEveryPackageTestsInACleanRoom(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		files := slices.Concat(p.TestGoFiles, p.XTestGoFiles)
		clean := slices.ContainsFunc(files, func(name string) bool {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			return strings.Contains(string(text), "func TestMain(") && strings.Contains(string(text), "cleanroom.")
		})
		assert.True(t, clean || len(files) == 0, "%s: its TestMain does not call cleanroom", p.ImportPath)
	}
}

func TestEachRoomImportsOnlyWhatThePlanLets(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		plan, known := table[name]
		testsOnly := len(p.Imports) == 0
		if !assert.True(t, known || testsOnly, "%s is a room that the plan does not have", name) {
			continue
		}
		for _, path := range p.Imports {
			assert.True(t, standard(path) || allowed(path, plan), "%s imports %s, and must not: %s", name, path, plan.why)
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			fine := standard(path) || allowed(path, plan) || path == p.ImportPath ||
				hasPrefix(path, inTests) || hasPrefix(path, inTestsOf[name])
			assert.True(t, fine, "the tests of %s import %s", name, path)
		}
	}
}

// The same values must give the same sentences, whenever and wherever they are written.
func TestWordsHaveNoClockAndDoNoIO(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if strings.TrimPrefix(p.ImportPath, module) != "internal/slackui/words" {
			continue
		}
		for _, path := range p.Imports {
			assert.False(t, hasPrefix(path, []string{"context", "io", "log", "net", "os", "sync"}), "words import %s", path)
		}
		for _, name := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			require.NoError(t, err)
			assert.NotRegexp(t, `time\.(Now|Since|Until)\(`, string(text), "%s reads a clock", name)
		}
	}
}

// What decides must give the same answer to the same question, and its tests must need nothing.
func TestDecidingRoomsDoNoIO(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name != "internal/cancellation" && name != "internal/authz" {
			continue
		}
		for _, path := range p.Imports {
			assert.False(t, hasPrefix(path, []string{"database", "net", "os", "syscall"}), "%s imports %s", name, path)
		}
	}
}

// A call that webapi does not make counts against no rate limit and is classified by nobody.
func TestOnlyWebapiCallsSlack(t *testing.T) {
	t.Parallel()
	callers := 0
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name != "cmd/bot" && !strings.HasPrefix(name, "internal/slackui") || name == "internal/slackui/slacktest" {
			continue
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			require.NoError(t, err)
			if name == "internal/slackui/webapi" {
				callers += strings.Count(string(text), "slack.New(")
				continue
			}
			assert.NotRegexp(t, `slack\.New\(|socketmode\.|http\.(NewRequest|Client\b|Default|Get\(|Post)`, string(text), "%s/%s makes a call of its own", name, file)
		}
	}
	assert.Positive(t, callers, "webapi makes the calls")
}

func TestCommandsExportNothing(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("cmd/*/*.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.HasSuffix(file, "_test.go") {
			assert.NotRegexp(t, `(?m)^(func|type|var|const) [A-Z]`, string(text), file)
		}
	}
}

// The tests run at dates of their choice; a release must not.
func TestAReleaseHasNoShiftedClock(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-f", `{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "./cmd/bot", "./internal/...").Output()
	require.NoError(t, err)
	files := slices.Collect(strings.SplitSeq(strings.TrimSpace(string(out)), "\n"))
	require.Greater(t, len(files), 100)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "TEST_CLOCK_SHIFT", "%s is part of a release", file)
	}
}

func allowed(path string, plan room) bool {
	ours, is := strings.CutPrefix(path, module)
	if is {
		return slices.Contains(plan.ours, ours)
	}
	return hasPrefix(path, plan.others)
}

func hasPrefix(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		return path == prefix || strings.HasPrefix(path, prefix+"/")
	})
}

func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".") && first != strings.TrimSuffix(module, "/")
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", allTags, "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports,TestGoFiles,XTestGoFiles", "./...").Output()
	require.NoError(t, err)
	var found []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else {
			require.NoError(t, err)
		}
		found = append(found, p)
	}
}
