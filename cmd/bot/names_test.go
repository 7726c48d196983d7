package main

import (
	"testing"

	"cancel-server/internal/authz"

	"github.com/stretchr/testify/assert"
)

func TestEditDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"TOKEN", "TOKEN", 0},
		{"TOKEN", "TOKN", 1},
		{"TOKEN", "TOKENS", 1},
		{"TOKEN", "TAKEN", 1},
		{"TOKEN", "TOKNE", 2},
		{"TOKEN", "OTKENS", 3},
		{"LISTEN_ADDR", "LISTEN_FDS", 3},
		{"KITTEN", "SITTING", 3},
		{"TOKEN", "TO", 3},
		{"TOKEN", "", 5},
	}
	for _, test := range tests {
		t.Run(test.a+" and "+test.b, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, test.want, authz.EditDistance(test.a, test.b))
			assert.Equal(t, test.want, authz.EditDistance(test.b, test.a), "the distance is the same both ways")
		})
	}
}

func TestNamesThatWereMeantForUs(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, environ, problem string }{
		{"one letter missing", "SLACK_BOT_TOKN=x", "SLACK_BOT_TOKN: not a setting; did you mean SLACK_BOT_TOKEN?"},
		{"one letter too many", "DATABASE_URLS=x", "DATABASE_URLS: not a setting; did you mean DATABASE_URL?"},
		{"two letters swapped", "APPROVE_GRUOPS=x", "APPROVE_GRUOPS: not a setting; did you mean APPROVE_GROUPS?"},
		{"small letters", "slack_bot_token=x", "slack_bot_token: not a setting; did you mean SLACK_BOT_TOKEN?"},
		{"small letters and a slip", "log_levl=x", "log_levl: not a setting; did you mean LOG_LEVEL?"},
		{"a control character", "LOG_LEVEL\x1b=x", "LOG_LEVEL?: not a setting; did you mean LOG_LEVEL?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, []string{test.problem}, checkNames([]string{"PATH=/bin", test.environ}))
		})
	}
}

func TestNamesThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	for _, s := range settings {
		assert.Empty(t, checkNames([]string{s.name + "=x"}), "a setting is no slip of another")
	}
	for _, entry := range []string{
		"SLACK_BOT_TOKN=", "LISTEN_FDS=1", "LISTEN_PID=1", "LOG_FILE=x", "LOG=x", "URL=x", "HOME=x",
		"SLACK_BOT_TOKEN_FILE=x", "SLACK_WEBHOOK_URL=x", "SOFTLAYER_API_URL=x", "DATABASE_HOST=x",
		"SANDBOX_URL=x", "TICKET=x", "=C:=C:\\", "no-equals-sign",
	} {
		assert.Empty(t, checkNames([]string{entry}), "%s", entry)
	}
}

func TestNamesAreReportedInOrder(t *testing.T) {
	t.Parallel()
	environ := []string{"TICKET_URI=x", "LOG_LEVELS=x"}
	assert.Equal(t, []string{
		"LOG_LEVELS: not a setting; did you mean LOG_LEVEL?",
		"TICKET_URI: not a setting; did you mean TICKET_URL?",
	}, checkNames(environ))
	assert.Equal(t, []string{"TICKET_URI=x", "LOG_LEVELS=x"}, environ, "the caller's list is left as it was")
}
