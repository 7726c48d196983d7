package cleanroom_test

import (
	"cmp"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cleanroom"
)

var checks = flag.Int("rapid.checks", 100, "stands in for rapid's flag")

// stray is what a developer's shell may hold.
var stray = []string{
	"HTTP_PROXY", "https_proxy", "SLACK_BOT_TOKEN", "SLACK_ANYTHING", "SOFTLAYER_API_KEY_FILE", "PGHOST", "PGSSLMODE",
	"TZ", "LANG", "LC_ALL", "DATABASE_URL", "DATABASE_URL_FILE", "POLICY_FILE", "SANDBOX_URL",
}

func TestMain(m *testing.M) {
	for _, name := range stray {
		if err := os.Setenv(name, "stray"); err != nil {
			panic(err)
		}
	}
	cleanroom.Main(m)
}

func TestNoStrayVariableReachesTests(t *testing.T) {
	t.Parallel()
	for _, name := range stray {
		_, set := os.LookupEnv(name)
		assert.False(t, set, name)
	}
	assert.NotEmpty(t, os.Getenv("PATH"), "what is not the bot's stays")
}

func TestEachSettingOfTheBotIsCleared(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(page)) {
		name, is := strings.CutPrefix(line, "| `")
		name, _, closed := strings.Cut(name, "`")
		if !is || !closed || name != strings.ToUpper(name) {
			continue
		}
		rows++
		assert.True(t, cleanroom.Clears(name), "a stray %s would reach the tests", name)
	}
	assert.Greater(t, rows, 20, "the README has a table of settings")
}

func TestTheZoneIsNobodys(t *testing.T) {
	t.Parallel()
	_, offset := time.Now().Zone()
	assert.Equal(t, 13*3600+45*60, offset)
}

func TestPropertiesTryAFifthUnlessTold(t *testing.T) {
	t.Parallel()
	assert.Equal(t, cmp.Or(os.Getenv(cleanroom.Variable), "20"), strconv.Itoa(*checks))
}
