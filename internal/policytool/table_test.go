package policytool_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
	"cancel-server/internal/cleanroom"
	"cancel-server/internal/policytool"
)

func TestTableReportSaysWhatIsWarnedOf(t *testing.T) {
	t.Parallel()
	policy, err := authz.Parse("tried.cedar", []byte(triedPolicy+`@id("loud") @notify("all") permit (principal in Group::"S0LEADS", action == Action::"approve", resource);`))
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, policytool.Table{}.Report(policy, &out))
	assert.Equal(t, "warning: tried.cedar:20:1: rule loud: @notify(\"all\") notifies nobody; the one value is \"ping\"\nall 0 cases hold\n", out.String())
}

func TestMain(m *testing.M) { cleanroom.Main(m) }

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

// tried tests the policy of one file against the table of another.
func tried(t *testing.T, tablePath, policyPath string) (out string, err error) {
	t.Helper()
	table, err := policytool.ReadTable(tablePath, "")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(policyPath)
	require.NoError(t, err)
	policy, err := authz.Parse(policyPath, text)
	if err != nil {
		return "", err
	}
	var printed strings.Builder
	err = table.Report(policy, &printed)
	return printed.String(), err
}

// triedCases tests the tried policy against a table of cases.
func triedCases(t *testing.T, table string) (out string, err error) {
	t.Helper()
	return tried(t, written(t, "cases.json", table), written(t, "tried.cedar", triedPolicy))
}

func TestCasesThatHold(t *testing.T) {
	t.Parallel()
	out, err := triedCases(t, `{`+triedPeople+`, "cases": [
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
	require.NoError(t, err, out)
	assert.Equal(t, "all 21 cases hold\n", out)
}

func TestCaseWithoutNumbersIsOneServer(t *testing.T) {
	t.Parallel()
	policy := written(t, "counting.cedar", `
@id("first") permit (principal == User::"T01/U0ANA", action, resource) when { context.count == 1 && context.today == 1 };
@id("list") permit (principal == User::"T01/U0ANA", action == Action::"request", resource) when { context.count == 3 && context.today == 3 };
@id("more") @approvals("2") permit (principal == User::"T01/U0ANA", action == Action::"request", resource) when { context.count == 3 && context.today == 7 };`)
	out, err := tried(t, written(t, "cases.json", `{`+triedPeople+`, "cases": [
		{"who": "ana", "server": "db", "expect": "may file", "by": "first"},
		{"who": "ana", "server": "db", "count": 3, "expect": "needs 1 approval", "by": "list"},
		{"who": "ana", "server": "db", "count": 3, "today": 7, "expect": "needs 2 approvals", "by": "more"},
		{"who": "ana", "server": "db", "today": 2, "expect": "refused"},
		{"who": "ana", "requester": "raj", "server": "db", "expect": "may approve", "by": "first"},
		{"who": "ana", "requester": "raj", "server": "db", "today": 2, "expect": "refused"}
	]}`), policy)
	require.NoError(t, err, out)
}

func TestCasesThatFailAreSaidInSentences(t *testing.T) {
	t.Parallel()
	out, err := triedCases(t, `{`+triedPeople+`, "cases": [
		{"says": "one is enough", "who": "raj", "server": "gold", "expect": "needs 1 approval", "by": "ops-ask"},
		{"who": "raj", "server": "db", "expect": "needs 1 approval"},
		{"who": "raj", "server": "db", "expect": "needs 1 approval", "by": "dear-needs-two"},
		{"says": "\u001b[31mred", "who": "lee", "requester": "raj", "server": "db", "expect": "refused"},
		{"who": "raj", "server": "db", "warnings": ["gateway-member"], "expect": "may file"},
		{"who": "ana", "server": "gold", "channel": "C01", "expect": "refused"}
	]}`)
	assert.Equal(t, `case 1 (one is enough): raj asks for gold and is expected to get "needs 1 approval by ops-ask", but got "needs 2 approvals" by ops-ask, dear-needs-two: the policy asks for the approval of 2 other people.
case 3: raj asks for db and is expected to get "needs 1 approval by dear-needs-two", but got "needs 1 approval" by ops-ask: the policy asks for the approval of one other person.
case 4 (?[31mred): lee approves what raj asked for, db, and is expected to get "refused", but got "may approve" by leads-approve
case 5: raj asks for db and is expected to get "may file", but got "refused" by gateways: gateways stay.
case 6: ana asks for gold and is expected to get "refused", but got "may file" by ana-alone-in-c1
`, out)
	assert.EqualError(t, err, "testing the policy: 5 of 6 cases fail")
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
		{"two tables", both(`{"who": "ana", "server": "db", "expect": "refused"}`) + "{}", "there is text after the end"},
		{"an unknown name", `{"servres": {}}`, `unknown field "servres"`},
		{"an unknown name in a person", `{"people": {"ana": {"id": "U1", "group": "S1"}}}`, `"ana": json: unknown field "group"`},
		{"a person who is none", `{"people": {"ana": 7}}`, `"ana": json: cannot unmarshal`},
		{"people who are a list", `{"people": []}`, `cannot unmarshal array`},
		{"an unknown name in a case", both(`{"who": "ana", "server": "db", "expects": "refused"}`), `unknown field "expects"`},
		{"two people of one name", `{"people": {"ana": {"id": "T01/U1"}, "ana": {"id": "T01/U2"}}}`, `"ana" appears twice`},
		{"two lists of cases", both(`{"who": "ana", "server": "db", "expect": "may file"}], "cases": [{"who": "ana", "server": "db", "expect": "refused"}`), `"cases" appears twice`},
		{"two expectations", both(`{"who": "ana", "server": "db", "expect": "may file", "expect": "refused"}`), `"expect" appears twice`},
		{"two expectations but for capitals", both(`{"who": "ana", "server": "db", "expect": "may file", "Expect": "refused"}`), `"Expect" appears twice`},
		{"two lists of groups", `{"people": {"ana": {"id": "T01/U1", "groups": [], "groups": ["S1"]}}}`, `"groups" appears twice`},
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
		{"a form with fewer servers than one", both(`{"who": "ana", "server": "db", "count": -1, "expect": "refused"}`), "count: -1 is below 1"},
		{"a day with fewer servers than one", both(`{"who": "ana", "server": "db", "today": -1, "expect": "refused"}`), "today: -1 is less than the 1 of the form"},
		{"a day with fewer servers than the form", both(`{"who": "ana", "server": "db", "count": 6, "today": 5, "expect": "refused"}`), "today: 5 is less than the 6 of the form"},
		{"no expectation", both(`{"who": "ana", "server": "db"}`), `expect: "" is not one of`},
		{"an expectation in other words", both(`{"who": "ana", "server": "db", "expect": "needs 1 approvals"}`), `expect: "needs 1 approvals"`},
		{"an approval without requester", both(`{"who": "ana", "server": "db", "expect": "may approve"}`), `"may approve" cannot come of this`},
		{"a requester and a filing", both(`{"who": "ana", "requester": "ana", "server": "db", "expect": "may file"}`), `"may file" cannot come of this`},
		{"two things at once", `{"team": "acme", "account": "x"}`, "no cases"},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			out, err := triedCases(t, c.table)
			assert.Empty(t, out)
			assert.ErrorContains(t, err, c.want)
		})
	}
}
