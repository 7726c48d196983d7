package house

import (
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// The app that manifest.yaml creates has just the scopes with which the strict
// workspace lets every test pass: one too few would fail there, one too many is
// a right that nobody needs.
func TestManifestAsksForTheNeededScopes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("manifest.yaml")
	require.NoError(t, err)
	scopes := listed(string(text), "scopes:\n    bot:\n", "      - ")
	require.NotEmpty(t, scopes, "the manifest names the bot's scopes")
	assert.ElementsMatch(t, fakeslack.DefaultScopes(), scopes)
}

// listed returns the entries of the list below a heading.
func listed(text, heading, bullet string) []string {
	entries := []string{}
	_, after, _ := strings.Cut(text, heading)
	for line := range strings.Lines(after) {
		entry, is := strings.CutPrefix(line, bullet)
		if !is {
			break
		}
		entries = append(entries, strings.TrimSpace(entry))
	}
	return entries
}

// The tests' and the sandbox's app is the one that manifest.yaml creates.
func TestTheFakesAppIsTheManifests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("manifest.yaml")
	require.NoError(t, err)
	assert.Equal(t, fakeslack.DefaultManifest(), fakeslack.Manifest{
		HomeTab:   strings.Contains(string(text), "    home_tab_enabled: true\n"),
		BotEvents: listed(string(text), "    bot_events:\n", "      - "),
	})
}

func TestTheManifestIsWithinSlacksLimits(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("manifest.yaml")
	require.NoError(t, err)
	for _, line := range []string{
		"  - command: /cancel-server\n", "  socket_mode_enabled: true\n", "    is_enabled: true\n", "  major_version: 2\n",
	} {
		assert.Contains(t, string(text), line)
	}
	assert.Contains(t, string(text), "  shortcuts:\n")
	// https://raw.githubusercontent.com/slackapi/manifest-schema, app-manifests.v1.features.shortcuts
	for _, field := range []struct {
		key  string
		most int
	}{{"    - name: ", 24}, {"      description: ", 150}} {
		for line := range strings.Lines(string(text)) {
			if value, is := strings.CutPrefix(line, field.key); is {
				assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSpace(value)), field.most, line)
			}
		}
	}
	assert.NotContains(t, string(text), "url:", "in Socket Mode the manifest has no URL")
}

// What docs/install.md changes for HTTP are lines of the manifest, and new URLs.
func TestDocumentedHTTPLinesAreTheManifests(t *testing.T) {
	t.Parallel()
	_, block, found := strings.Cut(read(t, "docs/install.md"), "```yaml\n")
	require.True(t, found, "the page shows the lines")
	block, _, _ = strings.Cut(block, "```")
	manifest := read(t, "manifest.yaml")
	for line := range strings.Lines(block) {
		key, _, _ := strings.Cut(strings.TrimPrefix(line, "   "), ": ")
		if !strings.HasSuffix(key, "url") {
			assert.Contains(t, manifest, strings.TrimRight(key, "\n"), "the manifest has no such line")
		}
	}
}
