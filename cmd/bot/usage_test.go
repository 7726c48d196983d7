package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUsageListsVerbsAndSettings(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	require.NoError(t, writeUsage(&text, []verb{
		{usage: "serve", meaning: "serves Slack; the default"},
		{usage: "version", meaning: "prints the version"},
	}))
	for _, want := range []string{
		"\n  bot serve\n        serves Slack; the default\n",
		"\n  bot version\n        prints the version\n",
		"\n  SLACK_BOT_TOKEN (required; or SLACK_BOT_TOKEN_FILE)\n        Slack bot token, xoxb-…\n",
		"\n  DATABASE_URL (default sqlite:cancel-server.db; or DATABASE_URL_FILE)\n",
		"\n  LOG_FORMAT (default text on a terminal, json elsewhere)\n",
	} {
		assert.Contains(t, text.String(), want)
	}
}

func TestEachVerbSaysHowItIsUsed(t *testing.T) {
	t.Parallel()
	flags, seen := regexp.MustCompile(`--[a-z-]+`), map[string]bool{}
	for _, v := range verbs() {
		name := strings.Fields(strings.Trim(strings.Fields(v.usage)[0], "[]"))[0]
		seen[name] = true
		for _, ask := range []string{"-h", "--help"} {
			code, text, _ := ran(t, name, ask)
			assert.Equal(t, exitDone, code, name)
			assert.True(t, strings.HasPrefix(text, "bot "+name) || strings.HasPrefix(text, "bot ["+name), "%s: its usage line comes first", name)
			assert.Contains(t, text, "Exit codes: 0 ", name)
			assert.Contains(t, text, "\nExample:\n  bot "+name, name)
			for _, flag := range flags.FindAllString(v.usage, -1) {
				assert.Regexp(t, `(?m)^  `+flag+`\b`, text, "%s: each flag has its line", name)
			}
		}
	}
	for name := range ownUsages {
		assert.True(t, seen[name], "%s is a verb", name)
	}
	for _, args := range [][]string{{"-h"}, {"--help"}} {
		_, text, _ := ran(t, args...)
		assert.Contains(t, text, "Settings, read from the environment:", "without a verb the settings are listed")
	}
}

func TestUsageSaysThatItCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	broken := errors.New("the pipe is closed")
	assert.ErrorIs(t, writeUsage(failingWriter{broken}, nil), broken)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func TestEverySettingIsDescribed(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
		assert.NotEmpty(t, s.meaning, "%s has no meaning", s.name)
	}
	assert.Equal(t, []string{
		"SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL",
		"SOFTLAYER_USERNAME", "SOFTLAYER_API_KEY", "SOFTLAYER_ENDPOINT_URL", "SOFTLAYER_RATE",
		"POLICY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS",
		"DATABASE_URL", "LISTEN_ADDR", "ADMIN_ADDR", "TICKET_URL", "NOTIFY_CHANNEL", "REPORT_CHANNEL", "OPERATOR_CONTACT", "AUDIT_KEY_FILE", "CLOSURE_DEADLINES",
		"MAX_SERVERS_PER_DAY", "MAX_BATCH", "MAX_FILINGS_PER_HOUR", "FOLLOW_EVERY", "UNDO_WINDOW", "APPROVAL_EXPIRY", "SETTLE_TIME", "POST_TIMEOUT", "DRY_RUN", "LOG_LEVEL", "LOG_FORMAT",
	}, names, "settings are a contract: none is renamed")
}
