package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const triedPolicy = `@id("ops-ask") permit (principal in Group::"S0OPS", action == Action::"request", resource);
`

const triedPeople = `"team": "T01", "people": {"ana": {"id": "U0ANA"}},
	"servers": {"db": {"id": 1234567, "name": "db-042.stg.example.com", "datacenter": "fra02"}}`

// written puts a text into a file of its own.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// ran runs the program in this process.
func ran(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, wrong strings.Builder
	code = run(t.Context(), args, &out, &wrong)
	return code, out.String(), wrong.String()
}

func TestFailingCaseHasItsOwnExitCode(t *testing.T) {
	t.Parallel()
	policy := written(t, "tried.cedar", triedPolicy)
	for expected, exit := range map[string]int{"refused": exitDone, "may file": exitFailed} {
		table := written(t, "cases.json", `{`+triedPeople+`, "cases": [{"who": "ana", "server": "db", "expect": "`+expected+`"}]}`)
		code, out, wrong := ran(t, "policy", "test", table, "--policy", policy)
		assert.Equal(t, exit, code, "%s%s", out, wrong)
		assert.Equal(t, exit == exitFailed, wrong == "bot: testing the policy: 1 of 1 cases fail\n", wrong)
	}
}

func TestPolicyVerbsRefuseWrongUse(t *testing.T) {
	t.Parallel()
	table := written(t, "cases.json", `{`+triedPeople+`, "cases": [{"who": "ana", "server": "db", "expect": "refused"}]}`)
	policy := written(t, "tried.cedar", triedPolicy)
	broken := written(t, "broken.cedar", "permit (principal, action, resource);\nforbid (principal, action, resource);")
	for _, c := range []struct {
		says string
		args []string
		want string
	}{
		{"nothing", nil, "policy test, show, explain or who"},
		{"another verb", []string{"tset"}, `policy "tset" is not a verb`},
		{"test without a table", []string{"test"}, "policy test FILE"},
		{"test with two", []string{"test", table, table}, "policy test FILE"},
		{"test with another flag", []string{"test", table, "--polciy", policy}, "policy test: flag provided but not defined"},
		{"test with a table that is not there", []string{"test", table + "x", "--policy", policy}, "reading the table of cases"},
		{"test with a policy that is not there", []string{"test", table, "--policy", policy + "x"}, "--policy: the file cannot be used: no such file"},
		{"test with a broken policy", []string{"test", table, "--policy", broken}, "--policy: " + broken + ":2:1: missing @id"},
		{"test with a team that is none", []string{"test", table, "--policy", policy, "--team", "acme"}, `--team "acme" is no id`},
		{"test with another team than the table's", []string{"test", table, "--policy", policy, "--team", "T02"}, `it is about team "T01", and --team says T02`},
		{"show with an argument", []string{"show", "x"}, "policy show takes no arguments"},
		{"show with another flag", []string{"show", "--x"}, "policy show: flag provided"},
		{"show with a team that is none", []string{"show", "--policy", policy, "--team", "acme"}, `--team "acme"`},
		{"show with a broken policy", []string{"show", "--policy", broken}, "missing @id"},
		{"who with an argument", []string{"who", "x"}, "policy who takes no arguments"},
		{"who with a team, which Slack knows", []string{"who", "--team", "T01"}, "policy who: flag provided"},
		{"explain without a person", []string{"explain"}, "policy explain USER"},
		{"explain with a third word", []string{"explain", "U1", "2", "3"}, "policy explain USER"},
		{"explain with another flag", []string{"explain", "--x"}, "policy explain: flag provided"},
		{"explain with a handle", []string{"explain", "@ana"}, `"@ana" is not a Slack user's id`},
		{"explain with a server's name", []string{"explain", "U1", "db"}, `"db" is not a server's id`},
		{"explain with a server below 1", []string{"explain", "U1", "0"}, `"0" is not a server's id`},
		{"explain with a channel and no server", []string{"explain", "U1", "--channel", "C01"}, "say for which server"},
		{"explain with a channel by its name", []string{"explain", "U1", "2", "--channel", "#ops"}, "--channel is not a Slack channel's id"},
		{"explain with a number and no server", []string{"explain", "U1", "--today", "6"}, "say for which server"},
		{"explain with a form of none", []string{"explain", "U1", "2", "--count", "-1"}, "--count: -1 is below 1"},
		{"explain with a day of fewer than the form", []string{"explain", "U1", "2", "--count", "6", "--today", "5"}, "--today: 5 is less than the 6 of the form"},
		{"explain with a reason of one's own", []string{"explain", "U1", "2", "--reason", "old"}, "--reason is one of SoftLayer's ten"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			code, out, wrong := ran(t, append([]string{"policy"}, c.args...)...)
			assert.Equal(t, exitUsage, code)
			assert.Empty(t, out)
			assert.Contains(t, wrong, c.want)
		})
	}
}

func TestPolicyOfTheSettingsNeedsNoKey(t *testing.T) {
	const table = `{"people": {"ana": {"id": "U0ANA"}, "lee": {"id": "U0LEE", "groups": ["S0LEADS"]}}, "servers": {"db": {"id": 1, "name": "db.example.com", "datacenter": "fra02"},
		"kept": {"id": 2, "name": "kept.example.com", "datacenter": "fra02", "tags": ["keep"]}}, "cases": [
		{"who": "ana", "server": "db", "expect": "needs 1 approval", "by": "request-U0ANA"},
		{"who": "lee", "requester": "ana", "server": "db", "expect": "may approve"},
		{"who": "ana", "server": "kept", "expect": "refused", "by": "protected-tags"}]}`
	path := written(t, "cases.json", table)
	groups := env{"REQUEST_GROUPS": "U0ANA", "APPROVE_GROUPS": "S0LEADS", "PROTECTED_TAGS": "keep"}

	t.Run("the groups settings", func(t *testing.T) {
		setEnvironment(t, groups)
		code, out, wrong := ran(t, "policy", "test", path, "--team", "T01")
		assert.Equal(t, exitDone, code, "%s%s", out, wrong)

		code, out, wrong = ran(t, "policy", "show", "--team", "T01")
		assert.Equal(t, exitDone, code, wrong)
		assert.Contains(t, out, `permit (principal == User::"T01/U0ANA", action == Action::"request", resource);`)
		assert.Contains(t, out, `"keep"`)

		code, _, wrong = ran(t, "policy", "show")
		assert.Equal(t, exitUsage, code, "whose U0ANA is, only Slack can say")
		assert.Contains(t, wrong, "give it with --team, or let the bot ask Slack: reading the settings:\n  SLACK_BOT_TOKEN: required")
	})
	t.Run("groups alone need no team", func(t *testing.T) {
		setEnvironment(t, env{"REQUEST_GROUPS": "S0OPS", "APPROVE_GROUPS": "none"})
		code, out, wrong := ran(t, "policy", "show")
		assert.Equal(t, exitDone, code, wrong)
		grown := written(t, "grown.cedar", out)
		code, again, _ := ran(t, "policy", "show", "--policy", grown)
		assert.Equal(t, exitDone, code, "a policy file grows from it")
		assert.Equal(t, out, again)
	})
	t.Run("a policy file", func(t *testing.T) {
		setEnvironment(t, env{"POLICY_FILE": written(t, "tried.cedar", triedPolicy)})
		code, out, wrong := ran(t, "policy", "show")
		assert.Equal(t, exitDone, code, wrong)
		assert.Equal(t, triedPolicy, out)
	})
	t.Run("no policy", func(t *testing.T) {
		setEnvironment(t, env{"APPROVE_GROUPS": "none"})
		code, _, wrong := ran(t, "policy", "test", path)
		assert.Equal(t, exitUsage, code)
		assert.Contains(t, wrong, "REQUEST_GROUPS: neither it nor POLICY_FILE is set")
		assert.NotContains(t, wrong, "SLACK_")
	})
	t.Run("a policy file instead of that of the settings", func(t *testing.T) {
		setEnvironment(t, groups)
		code, out, wrong := ran(t, "policy", "show", "--policy", written(t, "tried.cedar", triedPolicy))
		assert.Equal(t, exitDone, code, wrong)
		assert.Equal(t, triedPolicy, out)
	})
}
