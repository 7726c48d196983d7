//go:build unix

package main

import (
	"maps"
	"net/http"
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

var (
	shownBlock   = regexp.MustCompile("(?ms)^ *```\n(.*?)^ *```$")
	shownCommand = regexp.MustCompile(`(?m)^ *(bot .*)$`)
	shownVerb    = regexp.MustCompile("`bot ([a-z]+)")
	shellWord    = regexp.MustCompile(`"[^"]*"|\S+`)
)

// pages are README and the documents by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	all := map[string]string{}
	for _, path := range append(paths, "../../README.md", "../../CONTRIBUTING.md", "../../DECISIONS.md", "../../SECURITY.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		all[path] = string(text)
	}
	return all
}

func TestEveryBotCommandOfTheDocumentsWorks(t *testing.T) {
	overSocket(t, patient(), func(t *testing.T, w *world) {
		shown := pages(t)
		delete(shown, "../../docs/install.md") // its commands need its order
		var commands []string
		for _, path := range slices.Sorted(maps.Keys(shown)) {
			commands = append(commands, commandsIn(shown[path])...)
		}
		require.Greater(t, len(commands), 10, "the documents show commands")
		resolves := func(command string) bool { return strings.HasPrefix(command, "bot resolve ") }
		needy := w.stuck(len(slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return !resolves(c) })))
		server, known := w.another(), needy[0].ref
		for _, command := range commands {
			args := w.argumentsOf(command, shown["../../docs/policy.md"], server)
			if strings.HasPrefix(command, "bot show ") {
				args[1] = known
			}
			if resolves(command) {
				args[1] = needy[0].ref
				if args[2] == "filed" {
					args[3] = w.ticketWith(needy[0])
				}
				needy = needy[1:]
			}
			code, said := w.ends(args)
			assert.Equal(t, exitDone, code, "%s: %s", command, said)
		}
	})
}

// commandsIn are the bot's commands in the blocks of a page.
func commandsIn(page string) []string {
	var commands []string
	language := regexp.MustCompile("(?ms)^```[a-z]+\n.*?^```$") // a policy, a table: no commands
	for _, block := range shownBlock.FindAllStringSubmatch(language.ReplaceAllString(page, ""), -1) {
		for _, found := range shownCommand.FindAllStringSubmatch(block[1], -1) {
			commands = append(commands, found[1])
		}
	}
	return commands
}

// argumentsOf are the words of a command behind its name, up to where its output goes, with
// what this world has in place of the examples.
func (w *world) argumentsOf(command, policyPage string, server int64) []string {
	w.t.Helper()
	_, policy, _ := strings.Cut(policyPage, "```cedar\n")
	policy, _, _ = strings.Cut(policy, "```")
	_, table, _ := strings.Cut(policyPage, "```json\n")
	table, _, _ = strings.Cut(table, "```")
	here := map[string]string{
		"policy.cedar": written(w.t, "policy.cedar", policy), "cases.json": written(w.t, "cases.json", table),
		"cancel-server.backup": filepath.Join(w.t.TempDir(), "cancel-server.backup"),
		"audit.key":            filepath.Join(w.t.TempDir(), "audit.key"), "saved.txt": w.savedCheckpoint(command),
		"U0ANA": w.cast.User, "C0123ABCD": w.cast.Channel, "1234567": strconv.FormatInt(server, 10),
	}
	command, _, _ = strings.Cut(command, " > ")
	args := shellWord.FindAllString(command, -1)[1:]
	for i, word := range args {
		args[i] = strings.Trim(word, `"`)
		if mine, is := here[word]; is {
			args[i] = mine
		}
	}
	return args
}

// savedCheckpoint keeps a checkpoint for a command that wants one.
func (w *world) savedCheckpoint(command string) string {
	w.t.Helper()
	if !strings.Contains(command, "saved.txt") {
		return ""
	}
	w.sealed()
	code, text := w.ends([]string{"audit", "checkpoint"})
	require.Equal(w.t, exitDone, code, text)
	return written(w.t, "saved.txt", text)
}

// stuckRequest is one that needs a person.
type stuckRequest struct {
	ref    string
	server int64
}

// stuck makes so many of them.
func (w *world) stuck(count int) []stuckRequest {
	w.t.Helper()
	require.NoError(w.t, w.softlayer.Fault(filing, "error_before", 2*count)) // two lost answers each
	requests := make([]stuckRequest, count)
	for i, server := range w.acceptedAtOnce(count) {
		requests[i].server = server
	}
	for i, r := range requests {
		requests[i].ref = w.ref(w.awaitSettled(w.cast.Channel, "Needs a person", w.fqdn(r.server)).Shown)
	}
	return requests
}

// ticketWith is the id of a ticket that carries a request's reference.
func (w *world) ticketWith(r stuckRequest) string {
	w.t.Helper()
	w.control(http.MethodPost, "/ticket", map[string]any{"server": r.server, "open": true, "entry": w.marker(r.ref)}, nil)
	return w.ticketOf(r.server)
}

func TestDocumentsNameOnlyExistingVerbs(t *testing.T) {
	t.Parallel()
	_, help, _ := ran(t, "-h")
	var known []string
	for _, found := range regexp.MustCompile(`(?m)^  bot \[?([a-z]+)`).FindAllStringSubmatch(help, -1) {
		known = append(known, found[1])
	}
	for path, text := range pages(t) {
		for _, found := range shownVerb.FindAllStringSubmatch(text, -1) {
			assert.Contains(t, known, found[1], path)
		}
	}
}

// fiveSettings are tried by the tests of the configuration.
func TestTheReadmeInstallsWithTheFiveSettings(t *testing.T) {
	t.Parallel()
	var exported []string
	for _, found := range regexp.MustCompile(`(?m)^ *export ([A-Z_]+)=`).FindAllStringSubmatch(pages(t)["../../README.md"], -1) {
		exported = append(exported, found[1])
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(fiveSettings())), exported)
}
