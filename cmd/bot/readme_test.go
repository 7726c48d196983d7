package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Documents of settings drift unless a test compares them.
func TestReadmeTableListsTheSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, after, found := strings.Cut(string(text), "| setting | meaning | default |\n|---|---|---|\n")
	require.True(t, found, "the README has a table of settings")
	table, _, _ := strings.Cut(after, "\n\n")
	var want []string
	for _, s := range settings {
		want = append(want, s.readmeRow())
	}
	assert.Equal(t, want, strings.Split(strings.TrimSpace(table), "\n"))
}

func (s setting) readmeRow() string {
	name, standard := "`"+s.name+"`", s.standard
	if s.secret {
		name += " (or `" + s.name + "_FILE`)"
	}
	switch {
	case standard == "":
		standard = "–"
	case standard != required && standard != byOutput:
		standard = "`" + standard + "`"
	}
	return fmt.Sprintf("| %s | %s | %s |", name, s.meaning, standard)
}

func TestTheReadmeShowsItsTwoCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	for _, command := range []string{"go run ./cmd/sandbox", "go test ./..."} {
		assert.Contains(t, string(text), command)
	}
}

// The cases that docs/policy.md shows hold of the policy that it shows.
func TestThePolicyPagesCasesHoldOfItsPolicy(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policy.md")
	require.NoError(t, err)
	_, policy, found := strings.Cut(string(text), "```cedar\n")
	require.True(t, found)
	policy, rest, _ := strings.Cut(policy, "```")
	_, table, found := strings.Cut(rest, "```json\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "```")
	code, out, wrong := ran(t, "policy", "test", written(t, "cases.json", table), "--policy", written(t, "policy.cedar", policy))
	assert.Equal(t, exitDone, code, "%s%s", out, wrong)
}

func TestThePolicyPageTellsOfEachPolicyVerb(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/policy.md")
	require.NoError(t, err)
	for _, verb := range policyVerbs() {
		words := strings.Fields(verb.usage)
		assert.Contains(t, string(text), "bot "+words[0]+" "+words[1])
	}
}

// firstSettings are those of the first build that CHANGELOG.md names.
const firstSettings = "SLACK_BOT_TOKEN SLACK_APP_TOKEN SLACK_SIGNING_SECRET SLACK_API_URL SOFTLAYER_USERNAME SOFTLAYER_API_KEY " +
	"SOFTLAYER_ENDPOINT_URL SOFTLAYER_RATE POLICY_FILE REQUEST_GROUPS APPROVE_GROUPS PROTECTED_TAGS DATABASE_URL LISTEN_ADDR " +
	"ADMIN_ADDR TICKET_URL NOTIFY_CHANNEL MAX_SERVERS_PER_DAY MAX_FILINGS_PER_HOUR UNDO_WINDOW APPROVAL_EXPIRY SETTLE_TIME " +
	"POST_TIMEOUT LOG_LEVEL LOG_FORMAT"

func TestTheChangelogNamesEveryNewSetting(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	for _, s := range settings {
		if !slices.Contains(strings.Fields(firstSettings), s.name) {
			assert.Contains(t, string(text), "`"+s.name+"`")
		}
	}
}
