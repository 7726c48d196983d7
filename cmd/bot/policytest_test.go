package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const triedPolicy = `
@id("ops-ask")
permit (principal in Group::"S0OPS", action == Action::"request", resource);

@id("dear-needs-two") @approvals("2")
permit (principal in Group::"S0OPS", action == Action::"request", resource)
unless { resource has monthlyFee && resource.monthlyFee.lessThanOrEqual(decimal("500.0")) };

@id("ana-alone-in-c1")
permit (principal == User::"T01/U0ANA", action in [Action::"request", Action::"cancel"], resource)
when { context.channel == "C01" && context.account == "123456" && resource.hourly };

@id("gateways") @reason("gateways stay.")
forbid (principal, action == Action::"request", resource)
when { context.warnings.contains("gateway-member") || context.associatedItems && context.statedReason == "Moving to competitor" };

@id("leads-approve")
permit (principal in Group::"S0LEADS", action == Action::"approve", resource)
when { context.approvals < 2 && context.requester in Group::"S0OPS" && resource.hostname != "gold" };
`

const triedPeople = `"team": "T01", "account": "123456",
	"people": {
		"ana": {"id": "U0ANA"}, "raj": {"id": "U0RAJ", "groups": ["S0OPS"]},
		"lee": {"id": "T01/U0LEE", "groups": ["S0LEADS", "S0OPS"]}, "ben": {"id": "T02/U0BEN", "groups": ["S0OPS"]},
		"gus": {"id": "U0GUS", "groups": ["S0OPS"], "guest": true}, "bob": {"id": "U0BOB", "groups": ["S0OPS"], "bot": true},
		"dora": {"id": "U0DORA", "groups": ["S0OPS"], "deactivated": true}, "sid": {"id": "U0SID", "groups": ["S0OPS"], "stranger": true}
	},
	"servers": {
		"db": {"id": 1234567, "name": "db-042.stg.example.com", "datacenter": "fra02", "tags": ["staging"], "fee": "412.50"},
		"gold": {"id": 1234568, "name": "gold", "datacenter": "fra02", "hourly": true}
	}`

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

// tried holds the tried policy to a table of cases.
func tried(t *testing.T, table string) (code int, stdout, stderr string) {
	t.Helper()
	return ran(t, "policy", "test", written(t, "cases.json", table), "--policy", written(t, "tried.cedar", triedPolicy))
}

func TestCasesThatHold(t *testing.T) {
	t.Parallel()
	code, out, wrong := tried(t, `{`+triedPeople+`, "cases": [
		{"who": "raj", "server": "db", "expect": "needs 1 approval", "by": "ops-ask"},
		{"who": "raj", "server": "gold", "expect": "needs 2 approvals", "by": "dear-needs-two"},
		{"says": "any of the deciding rules will do", "who": "raj", "server": "gold", "expect": "needs 2 approvals", "by": "ops-ask"},
		{"who": "ana", "server": "gold", "channel": "C01", "expect": "may file", "by": "ana-alone-in-c1"},
		{"who": "ana", "server": "gold", "channel": "C02", "expect": "refused", "by": "builtin-default-deny"},
		{"who": "ana", "server": "gold", "expect": "refused"},
		{"who": "raj", "server": "db", "warnings": ["gateway-member", "recent-transaction"], "expect": "refused", "by": "gateways"},
		{"who": "raj", "server": "db", "associated": true, "reason": "Moving to competitor", "expect": "refused", "by": "gateways"},
		{"who": "raj", "server": "db", "associated": true, "expect": "needs 1 approval"},
		{"who": "gus", "server": "db", "expect": "refused", "by": "builtin-guest"},
		{"who": "bob", "server": "db", "expect": "refused", "by": "builtin-bot"},
		{"who": "dora", "server": "db", "expect": "refused", "by": "builtin-deactivated"},
		{"who": "sid", "server": "db", "expect": "refused", "by": "builtin-stranger"},
		{"says": "of another team", "who": "ben", "server": "db", "expect": "refused", "by": "builtin-stranger"},
		{"who": "lee", "requester": "raj", "server": "db", "expect": "may approve", "by": "leads-approve"},
		{"who": "lee", "requester": "raj", "approvals": 1, "server": "db", "expect": "may approve"},
		{"who": "lee", "requester": "raj", "approvals": 2, "server": "db", "expect": "refused"},
		{"who": "lee", "requester": "ana", "server": "db", "expect": "refused"},
		{"who": "lee", "requester": "raj", "server": "gold", "expect": "refused"},
		{"who": "lee", "requester": "lee", "server": "db", "expect": "refused", "by": "builtin-own-request"},
		{"who": "raj", "requester": "lee", "server": "db", "expect": "refused", "by": "builtin-default-deny"}
	]}`)
	assert.Equal(t, exitDone, code, "%s%s", out, wrong)
	assert.Equal(t, "all 21 cases hold\n", out)
	assert.Empty(t, wrong)
}

func TestCasesThatFailAreSaidInSentences(t *testing.T) {
	t.Parallel()
	code, out, wrong := tried(t, `{`+triedPeople+`, "cases": [
		{"says": "one is enough", "who": "raj", "server": "gold", "expect": "needs 1 approval", "by": "ops-ask"},
		{"who": "raj", "server": "db", "expect": "needs 1 approval"},
		{"who": "raj", "server": "db", "expect": "needs 1 approval", "by": "dear-needs-two"},
		{"says": "\u001b[31mred", "who": "lee", "requester": "raj", "server": "db", "expect": "refused"},
		{"who": "raj", "server": "db", "warnings": ["gateway-member"], "expect": "may file"},
		{"who": "ana", "server": "gold", "channel": "C01", "expect": "refused"}
	]}`)
	assert.Equal(t, exitFailed, code)
	assert.Equal(t, `case 1 (one is enough): raj asks for gold and is expected to get "needs 1 approval by ops-ask", but got "needs 2 approvals" by ops-ask, dear-needs-two: the policy asks for the approval of 2 other people.
case 3: raj asks for db and is expected to get "needs 1 approval by dear-needs-two", but got "needs 1 approval" by ops-ask: the policy asks for the approval of one other person.
case 4 (?[31mred): lee approves what raj asked for, db, and is expected to get "refused", but got "may approve" by leads-approve
case 5: raj asks for db and is expected to get "may file", but got "refused" by gateways: gateways stay.
case 6: ana asks for gold and is expected to get "refused", but got "may file" by ana-alone-in-c1
`, out)
	assert.Equal(t, "bot: testing the policy: 5 of 6 cases fail\n", wrong)
}

func TestATableThatMeansNothingIsRefused(t *testing.T) {
	t.Parallel()
	const db = `"servers": {"db": {"id": 1, "name": "db.example.com", "datacenter": "fra02"}}`
	const ana = `"people": {"ana": {"id": "T01/U0ANA"}}`
	both := func(c string) string { return `{` + ana + `, ` + db + `, "cases": [` + c + `]}` }
	for _, c := range []struct{ says, table, want string }{
		{"no JSON", "{\n\"cases\": [\n}", "cases.json:3: invalid character"},
		{"half of it", `{"cases"`, "unexpected EOF"},
		{"a comment", "{ // none\n}", "cases.json:1: invalid character"},
		{"two tables", both(`{"who": "ana", "server": "db", "expect": "refused"}`) + "{}", "something follows the end"},
		{"an unknown name", `{"servres": {}}`, `unknown field "servres"`},
		{"an unknown name in a person", `{"people": {"ana": {"id": "U1", "group": "S1"}}}`, `"ana": json: unknown field "group"`},
		{"a person who is none", `{"people": {"ana": 7}}`, `"ana": json: cannot unmarshal`},
		{"people who are a list", `{"people": []}`, `cannot unmarshal array`},
		{"an unknown name in a case", both(`{"who": "ana", "server": "db", "expects": "refused"}`), `unknown field "expects"`},
		{"two people of one name", `{"people": {"ana": {"id": "T01/U1"}, "ana": {"id": "T01/U2"}}}`, `"ana" stands there twice`},
		{"two lists of cases", both(`{"who": "ana", "server": "db", "expect": "may file"}], "cases": [{"who": "ana", "server": "db", "expect": "refused"}`), `"cases" stands there twice`},
		{"two expectations", both(`{"who": "ana", "server": "db", "expect": "may file", "expect": "refused"}`), `"expect" stands there twice`},
		{"two expectations but for capitals", both(`{"who": "ana", "server": "db", "expect": "may file", "Expect": "refused"}`), `"Expect" stands there twice`},
		{"two lists of groups", `{"people": {"ana": {"id": "T01/U1", "groups": [], "groups": ["S1"]}}}`, `"groups" stands there twice`},
		{"no cases", `{` + ana + `}`, "no cases"},
		{"a team that is none", `{"team": "acme", "cases": []}`, `team: "acme"`},
		{"an account that is none", `{"account": "acme"}`, `account: "acme"`},
		{"a handle for a person", `{"people": {"ana": {"id": "@ana"}}}`, `person "ana": id "@ana" is not a Slack user's`},
		{"a user without a team", `{"people": {"ana": {"id": "U0ANA"}}}`, `person "ana": whose team?`},
		{"a handle for a group", `{"people": {"ana": {"id": "T01/U1", "groups": ["ops"]}}}`, `group "ops" is not a Slack user group's id`},
		{"a server without id", `{"servers": {"db": {"name": "db", "datacenter": "x"}}}`, `server "db": id`},
		{"a server without name", `{"servers": {"db": {"id": 1, "datacenter": "x"}}}`, `server "db": name ""`},
		{"a server without data center", `{"servers": {"db": {"id": 1, "name": "db"}}}`, `server "db": datacenter`},
		{"a fee that is none", `{"servers": {"db": {"id": 1, "name": "db", "datacenter": "x", "fee": "a lot"}}}`, `server "db": fee: `},
		{"nobody", both(`{"who": "eve", "server": "db", "expect": "refused"}`), `case 1: who: there is no person "eve"`},
		{"no server", both(`{"says": "so", "who": "ana", "server": "web", "expect": "refused"}`), `case 1 (so): server: there is no server "web"`},
		{"no requester", both(`{"who": "ana", "server": "db", "requester": "eve", "expect": "refused"}`), `requester: there is no person "eve"`},
		{"approvals of nothing", both(`{"who": "ana", "server": "db", "approvals": 1, "expect": "refused"}`), "approvals: they count for an approval"},
		{"approvals below zero", both(`{"who": "ana", "requester": "ana", "server": "db", "approvals": -1, "expect": "refused"}`), "-1 is below 0"},
		{"a channel by its name", both(`{"who": "ana", "server": "db", "channel": "#ops", "expect": "refused"}`), `channel: "#ops" is not a Slack channel's id`},
		{"a reason of one's own", both(`{"who": "ana", "server": "db", "reason": "old", "expect": "refused"}`), `reason: "old"`},
		{"a warning that there is not", both(`{"who": "ana", "server": "db", "warnings": ["old"], "expect": "refused"}`), `warnings: "old" is not one of gateway-member`},
		{"no expectation", both(`{"who": "ana", "server": "db"}`), `expect: "" is not one of`},
		{"an expectation in other words", both(`{"who": "ana", "server": "db", "expect": "needs 1 approvals"}`), `expect: "needs 1 approvals"`},
		{"an approval without requester", both(`{"who": "ana", "server": "db", "expect": "may approve"}`), `"may approve" cannot come of this`},
		{"a requester and a filing", both(`{"who": "ana", "requester": "ana", "server": "db", "expect": "may file"}`), `"may file" cannot come of this`},
		{"two things at once", `{"team": "acme", "account": "x"}`, "no cases"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			code, out, wrong := tried(t, c.table)
			assert.Equal(t, exitUsage, code, out)
			assert.Empty(t, out)
			assert.Contains(t, wrong, c.want)
		})
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

func TestThePolicyOfTheSettingsIsTestedAndShownWithoutAnyKey(t *testing.T) {
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
		assert.Contains(t, wrong, "name it by --team, or let Slack be asked: reading the settings:\n  SLACK_BOT_TOKEN: required")
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
