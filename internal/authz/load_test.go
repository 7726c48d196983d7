package authz_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

// rule is a permit for request with the given annotations before and condition after it.
func rule(annotations, condition string) string {
	return annotations + "\npermit (principal, action == Action::\"request\", resource)" + condition + ";\n"
}

func TestLoadingRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says, text string
		want       []string
	}{
		{"a syntax error", rule(`@id("a")`, "\n  when { resource.hourly = true }"), []string{`policy.cedar:3:26: in line 3, at column 26, "=" stands where "}" is expected`}},
		{"a literal without end", rule(`@id("a")`, "\nwhen { resource.fqdn == \"x }"), []string{"policy.cedar:3:25: in line 3, at column 25, the quotes of a text are not closed"}},
		{"a number out of range", rule(`@id("a")`, "\nwhen { 99999999999999999999 == 1 }"), []string{"policy.cedar:3:26: ", "out of range"}},
		{"bytes that are not text", "\xff", []string{"policy.cedar:1:1: in line 1, at column 1: invalid UTF-8"}},
		{"a template", "@id(\"a\")\npermit (principal == ?principal, action, resource);", []string{"policy.cedar:2:"}},
		{"a missing @id", "\n" + rule("", ""), []string{"policy.cedar:3:1: missing @id"}},
		{"an empty @id", rule(`@id(" ")`, ""), []string{"policy.cedar:1:1: @id"}},
		{"an @id of two lines", rule(`@reason("x") @id("a\nb")`, ""), []string{"policy.cedar:1:14: @id"}},
		{"an overlong @id", rule(`@id("`+strings.Repeat("a", 101)+`")`, ""), []string{"policy.cedar:1:1: @id"}},
		{"an @id that is taken", rule(`@id("builtin-guest")`, ""), []string{"policy.cedar:1:1: ", "builtin-"}},
		{"a duplicate @id", rule(`@id("a")`, "") + rule(`@id("a")`, ""), []string{`policy.cedar:3:1: duplicate @id "a", first used in line 1`}},
		{"an overlong @reason", rule(`@id("a") @reason("`+strings.Repeat("é", 301)+`")`, ""), []string{"policy.cedar:1:10: @reason", "300"}},
		{"a @reason of two lines", rule(`@id("a") @reason("x\ny")`, ""), []string{"policy.cedar:1:10: @reason"}},
		{"@approvals of 0", rule(`@id("a") @approvals("0")`, ""), []string{`policy.cedar:1:10: @approvals("0"): a number from 1 to 9`}},
		{"@approvals of 10", rule(`@id("a") @approvals("10")`, ""), []string{"a number from 1 to 9"}},
		{"@approvals of nothing", rule(`@id("a") @approvals`, ""), []string{"a number from 1 to 9"}},
		{"@approvals of a word", rule(`@id("a") @approvals("two")`, ""), []string{"a number from 1 to 9"}},
		{"@approvals on a forbid", `@id("a") @approvals("2") forbid (principal, action == Action::"request", resource);`, []string{"policy.cedar:1:10: @approvals stands on a permit for request"}},
		{"@approvals on cancel", `@id("a") @approvals("2") permit (principal, action == Action::"cancel", resource);`, []string{"stands on a permit for request"}},
		{"@approvals where cancel is permitted too", `@id("a") @approvals("2") permit (principal, action in [Action::"request", Action::"cancel"], resource);`, []string{"permits cancel too"}},
		{"@approvals where everything is permitted", `@id("a") @approvals("2") permit (principal, action, resource);`, []string{"permits cancel too"}},
		{"a misspelt @approvals", rule(`@id("a") @approval("2")`, ""), []string{"policy.cedar:1:10: @approval: did you mean @approvals?"}},
		{"a misspelt @reason", rule(`@id("a") @raeson("2")`, ""), []string{"did you mean @reason?"}},
		{"a @reason with two letters before", rule(`@id("a") @xyreason("2")`, ""), []string{"did you mean @reason?"}},
		{"a capital @Id", rule(`@id("a") @Id("2")`, ""), []string{"did you mean @id?"}},
		{"a user without team", rule(`@id("a")`, "\nwhen { principal == User::\"U0ANA\" }"), []string{`policy.cedar:3:27: User::"U0ANA": a person is "TEAM/USER"`}},
		{"a user without team in the scope", "@id(\"a\")\npermit (principal == User::\"U0ANA\", action, resource);", []string{"policy.cedar:2:28: "}},
		{"a user with team and user exchanged", rule(`@id("a")`, `when { principal == User::"U0ANA/T01" }`), []string{"TEAM/USER"}},
		{"a group by its handle", "@id(\"a\")\npermit (principal in Group::\"ops\", action, resource);", []string{`policy.cedar:2:29: Group::"ops"`}},
		{"a group by a handle in escapes", "@id(\"a\")\npermit (principal in Group::\"\\u{6f}ps\", action, resource);", []string{`policy.cedar:1:1: Group::"ops"`}},
		{"a group by its handle after is", "@id(\"a\")\npermit (principal is User in Group::\"ops\", action, resource);", []string{`Group::"ops"`}},
		{"a server by its name", "@id(\"a\")\npermit (principal, action, resource == Server::\"db-042\");", []string{`policy.cedar:2:48: Server::"db-042"`}},
		{"a misspelt attribute", "\n" + rule(`@id("a")`, "when { resource.hostnam == \"x\" }"), []string{"policy.cedar:2:1: ", "`hostnam`"}},
		{"a misspelt action", `@id("a") permit (principal, action == Action::"cancl", resource);`, []string{`unrecognized action`, "cancl"}},
		{"a fee compared with <", rule(`@id("a")`, "when { resource has monthlyFee && resource.monthlyFee < decimal(\"5.0\") }"), []string{"policy.cedar:1:1: ", "decimal"}},
		{"a number compared with a duration", "@id(\"a\")\npermit (principal, action == Action::\"approve\", resource)\nwhen { context.approvals < duration(\"1h\") };", []string{"policy.cedar:1:1: ", "duration"}},
		{"a duration compared with a moment", rule(`@id("a")`, "when { duration(\"1h\") <= datetime(\"2026-11-22\") }"), []string{"policy.cedar:1:1: ", "duration"}},
		{"an unguarded fee", rule(`@id("a")`, "when { resource.monthlyFee.lessThan(decimal(\"5.0\")) }"), []string{"optional attribute `monthlyFee`"}},
		{"the requester outside approve", rule(`@id("a")`, "when { context.requester == principal }"), []string{"`requester`"}},
		{"a tag with capitals", rule(`@id("a")`, "\nwhen { resource.tags.contains(\"Prod\") }"), []string{`policy.cedar:3:31: rule "a": tags compare in lower case, so "Prod" matches none: write "prod"`}},
		{"one of several tags with capitals", rule(`@id("a")`, "\nunless { [\"x\", \"Prod\"].containsAny(resource.tags) }"), []string{`policy.cedar:3:16: rule "a": tags`}},
		{"all tags, with capitals", rule(`@id("a")`, `when { resource.hourly && ["PROD"] == resource.tags }`), []string{`write "prod"`}},
		{"no permit", `@id("a") forbid (principal, action, resource);`, []string{"policy.cedar:1:1: no permit"}},
		{"nothing at all", " // nothing\n", []string{"policy.cedar:1:1: no permit"}},
		{"more than the largest policy", strings.Repeat("/", authz.MaxSource+1), []string{"policy.cedar:1:1: 65537 bytes"}},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p, err := authz.Parse("policy.cedar", []byte(c.text))
			require.Error(t, err)
			assert.Nil(t, p)
			for _, part := range c.want {
				assert.Contains(t, err.Error(), part)
			}
		})
	}
}

func TestLoadingNamesAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := authz.Parse("policy.cedar", []byte(rule("", "")+
		rule(`@id("b") @approvals("x")`, `when { resource.nope == 1 && principal in Group::"ops" }`)))
	require.Error(t, err)

	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, 4, "%v", err)
	for i, want := range []string{":2:1: missing @id", ":3:10: @approvals", `Group::"ops"`, "`nope`"} {
		assert.Contains(t, lines[i], want)
		assert.True(t, strings.HasPrefix(lines[i], "policy.cedar:"))
	}
}

func TestColumnsCountCharacters(t *testing.T) {
	t.Parallel()
	_, err := authz.Parse("policy.cedar", []byte(rule(`@id("ä€𐍈") @approvals("0")`, "")))

	assert.ErrorContains(t, err, "policy.cedar:1:12: @approvals")
}

func TestLoadingTakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, text string }{
		{"approve with its own context", `@id("a") permit (principal in Group::"S1", action == Action::"approve", resource)
			when { context.requester != principal && context.requester.team == principal.team && context.approvals < 2 };`},
		{"a limit with a guard", rule(`@id("a") @approvals("9")`, `unless { resource has monthlyFee && resource.monthlyFee.lessThanOrEqual(decimal("500.0")) }`)},
		{"annotations of others", rule(`@id("a") @description("why") @advice("x") @see("wiki") @by("ana") @xyzreason("free")`, "")},
		{"people of an enterprise, and W ids", rule(`@id("a")`, `when { principal == User::"E0ACME/W012" }`)},
		{"a reason as long as allowed", rule(`@id("a") @reason("`+strings.Repeat("é", 300)+`")`, "")},
		{"the largest policy", rule(`@id("a")`, "") + strings.Repeat("/", authz.MaxSource-len(rule(`@id("a")`, "")))},
		{"the fewest approvals", rule(`@id("a") @approvals("1")`, "")},
		{"an id as long as allowed", rule(`@id("`+strings.Repeat("é", 100)+`")`, "")},
		{"a server by its id", `@id("a") permit (principal, action, resource == Server::"1234567");`},
		{"capitals in anything but a tag", rule(`@id("a")`, `when { context.statedReason == "No longer needed" && resource.tags.contains("prod") && resource.hostname == "DB" }`)},
		{"all of the vocabulary", rule(`@id("a")`, `when { principal.team == "T01" && resource.hostname == "h" && resource.domain like "*.com"
			&& resource.fqdn != "" && resource.datacenter == "fra02" && resource.tags.isEmpty() && resource.hourly
			&& context.channel == "C1" && context.account == "1" && context.associatedItems
			&& context.statedReason == "No longer needed" && context.warnings.contains("recent-transaction")
			&& context.count == 1 && context.today < 6 }`)},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			p := parse(t, c.text)
			sum := sha256.Sum256([]byte(c.text))
			assert.Equal(t, c.text, p.Text())
			assert.Equal(t, hex.EncodeToString(sum[:]), p.Digest())
		})
	}
}

// approving is a policy with a permit for approve that has such an annotation and principal.
func approving(annotation, principal string) string {
	return `@id("l") ` + annotation + ` permit (` + principal + `, action == Action::"approve", resource);` +
		`@id("q") permit (principal in Group::"S2", action == Action::"request", resource);`
}

func TestWarningsNameRulesThatBindNobody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		says, text string
		want       []string
	}{
		{
			"everything to everyone", `@id("all") permit (principal, action, resource);`,
			[]string{"policy.cedar:1:1: rule all permits everything to everyone, on every server"},
		},
		{
			"two actions to every user", `@id("all") permit (principal is User, action in [Action::"request", Action::"cancel"], resource is Server);`,
			[]string{"policy.cedar:1:1: rule all permits request, cancel to everyone, on every server"},
		},
		{
			"a condition that is always true", rule(`@id("all")`, `when { true || resource.hourly } unless { 1 == 2 }`),
			[]string{"policy.cedar:1:1: rule all permits request to everyone, on every server"},
		},
		{"bound to a group", `@id("g") permit (principal in Group::"S1", action, resource);`, nil},
		{"bound to a server", `@id("s") permit (principal, action, resource == Server::"1");`, nil},
		{"bound by a condition", rule(`@id("c")`, `when { resource.hourly }`), nil},
		{"an unconditional forbid binds", rule(`@id("c")`, `when { resource.hourly }`) + `@id("f") forbid (principal, action == Action::"cancel", resource);`, nil},
		{
			"nobody may ask", `@id("g") permit (principal in Group::"S1", action == Action::"cancel", resource);`,
			[]string{"policy.cedar: no rule permits request, so nobody may ask"},
		},
		{"a ping", approving(`@notify("ping")`, `principal in Group::"S1"`), nil},
		{
			"another @notify", "\n" + approving(`@notify("loud")`, `principal in Group::"S1"`),
			[]string{`policy.cedar:2:1: rule l: @notify("loud") notifies nobody; the one value is "ping"`},
		},
		{
			"a @notify of nothing", approving(`@notify`, `principal in Group::"S1"`),
			[]string{`policy.cedar:1:1: rule l: @notify("") notifies nobody; the one value is "ping"`},
		},
		{
			"a ping of users", approving(`@notify("ping")`, `principal == User::"T01/U1"`),
			[]string{"policy.cedar:1:1: rule l: @notify notifies nobody here; it stands on a permit for approve that names a group"},
		},
		{
			"a ping on request", rule(`@id("r") @notify("ping")`, `when { principal in Group::"S1" }`),
			[]string{"policy.cedar:1:1: rule r: @notify notifies nobody here; it stands on a permit for approve that names a group"},
		},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.want, parse(t, c.text).Warnings())
		})
	}
}

func TestGroupIDs(t *testing.T) {
	t.Parallel()
	p := parse(t, `@id("a") permit (principal in Group::"S3", action, resource);
		@id("b") permit (principal is User in Group::"S1", action, resource);
		@id("c") forbid (principal, action, resource) unless { principal in [Group::"S2", Group::"S3"] };`)
	assert.Equal(t, []string{"S1", "S2", "S3"}, p.GroupIDs())

	users := parse(t, `@id("a") permit (principal == User::"T01/U1", action, resource);`)
	assert.Nil(t, users.GroupIDs(), "with users only nobody is looked up")
}
