package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The tests that call setEnvironment cannot run in parallel: envconfig reads
// the environment of the process.

type env map[string]string

// fiveSettings is the smallest setup that the README promises.
func fiveSettings() env {
	return env{
		"SLACK_BOT_TOKEN":   "xoxb-fake-bot",
		"SLACK_APP_TOKEN":   "xapp-fake-app",
		"SOFTLAYER_API_KEY": "fake-key",
		"REQUEST_GROUPS":    "S0123ABC",
		"APPROVE_GROUPS":    "none",
	}
}

// with returns e with changes; an empty value takes a setting away.
func (e env) with(changes env) env {
	for name, value := range changes {
		e[name] = value
	}
	return e
}

func setEnvironment(t *testing.T, values env) {
	t.Helper()
	names, files := knownNames()
	for _, name := range append(names, files...) {
		t.Setenv(name, "")
	}
	for name, value := range values {
		t.Setenv(name, value)
	}
}

// problemsOf returns all problems that loadConfig has with the settings.
func problemsOf(t *testing.T, values env) []string {
	t.Helper()
	setEnvironment(t, values)
	cfg, err := loadConfig()
	if err == nil {
		return nil
	}
	assert.Equal(t, config{}, cfg, "a refused configuration must not be usable")
	var refused *configError
	require.ErrorAs(t, err, &refused)
	for _, problem := range refused.Problems {
		assert.Contains(t, err.Error(), problem, "all problems are named at once")
	}
	return refused.Problems
}

func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// policyFile is a policy that can be loaded.
func policyFile(t *testing.T) string {
	t.Helper()
	return secretFile(t, `@id("ask") permit (principal in Group::"S0123ABC", action == Action::"request", resource);`)
}

func TestFiveSettingsAndNoFileAreEnough(t *testing.T) {
	setEnvironment(t, fiveSettings())
	cfg, err := loadConfig()
	require.NoError(t, err)

	assert.Equal(t, "xoxb-fake-bot", cfg.SlackBotToken.Reveal())
	assert.Equal(t, "xapp-fake-app", cfg.SlackAppToken.Reveal())
	assert.Empty(t, cfg.SlackSigningSecrets.Reveal())
	assert.Equal(t, "https://slack.com/api/", cfg.SlackAPIURL)
	assert.Equal(t, "apikey", cfg.SoftLayerUsername)
	assert.Equal(t, "fake-key", cfg.SoftLayerAPIKey.Reveal())
	assert.Equal(t, "https://api.softlayer.com/rest/v3.1", cfg.SoftLayerEndpoint)
	assert.InDelta(t, 10, cfg.SoftLayerRate, 0)
	assert.Equal(t, list{"S0123ABC"}, cfg.RequestGroups)
	assert.True(t, cfg.ApproveGroups.isNone())
	assert.Equal(t, list{"protected"}, cfg.ProtectedTags)
	assert.Equal(t, "cancel-server.db", pathOf(cfg))
	assert.Equal(t, "127.0.0.1:3000", cfg.ListenAddr)
	assert.Equal(t, "127.0.0.1:9091", cfg.AdminAddr)
	assert.Equal(t, "https://cloud.ibm.com/unifiedsupport/cases?number={number}", cfg.TicketURL)
	assert.Equal(t, 5*time.Minute, cfg.SettleTime)
	assert.Equal(t, 90*time.Second, cfg.PostTimeout)
	assert.Equal(t, slog.LevelInfo, cfg.LogLevel)
	assert.Empty(t, cfg.PolicyFile+cfg.LogFormat)
}

func TestEverySettingIsTakenOver(t *testing.T) {
	setEnvironment(t, fiveSettings().with(env{
		"SLACK_SIGNING_SECRET":   " fake-new , fake-old ",
		"SLACK_API_URL":          "http://127.0.0.1:4000/slack/api/",
		"SOFTLAYER_USERNAME":     "123456_ana@example.com",
		"SOFTLAYER_ENDPOINT_URL": "http://[::1]:4000/rest/v3.1/",
		"SOFTLAYER_RATE":         "2.5",
		"REQUEST_GROUPS":         "S0123ABC, U0123ABC ,W0123ABC,T0123ABC/U0123ABC",
		"APPROVE_GROUPS":         "S0456DEF",
		"PROTECTED_TAGS":         "prod, keep me",
		"DATABASE_URL":           "sqlite:/var/lib/bot/requests.db",
		"LISTEN_ADDR":            ":0",
		"ADMIN_ADDR":             "[::1]:9999",
		"TICKET_URL":             "http://localhost:4000/tickets/{id}?case={number}",
		"SETTLE_TIME":            "90s",
		"POST_TIMEOUT":           "1m30s",
		"LOG_LEVEL":              "DEBUG",
		"LOG_FORMAT":             "text",
	}))
	cfg, err := loadConfig()
	require.NoError(t, err)

	assert.Equal(t, []string{"fake-new", "fake-old"}, cfg.SlackSigningSecrets.Reveal())
	assert.Equal(t, "http://127.0.0.1:4000/slack/api/", cfg.SlackAPIURL)
	assert.Equal(t, "123456_ana@example.com", cfg.SoftLayerUsername)
	assert.Equal(t, "http://[::1]:4000/rest/v3.1", cfg.SoftLayerEndpoint, "one endpoint has one spelling")
	assert.InDelta(t, 2.5, cfg.SoftLayerRate, 0)
	assert.Equal(t, list{"S0123ABC", "U0123ABC", "W0123ABC", "T0123ABC/U0123ABC"}, cfg.RequestGroups)
	assert.Equal(t, list{"S0456DEF"}, cfg.ApproveGroups)
	assert.False(t, cfg.ApproveGroups.isNone())
	assert.Equal(t, list{"prod", "keep me"}, cfg.ProtectedTags)
	assert.Equal(t, "/var/lib/bot/requests.db", pathOf(cfg))
	assert.Equal(t, ":0", cfg.ListenAddr)
	assert.Equal(t, "[::1]:9999", cfg.AdminAddr)
	assert.Equal(t, "http://localhost:4000/tickets/{id}?case={number}", cfg.TicketURL)
	assert.Equal(t, 90*time.Second, cfg.SettleTime)
	assert.Equal(t, 90*time.Second, cfg.PostTimeout)
	assert.Equal(t, slog.LevelDebug, cfg.LogLevel)
	assert.Equal(t, "text", cfg.LogFormat)
}

func TestAPolicyFileStandsAlone(t *testing.T) {
	setEnvironment(t, fiveSettings().with(env{"POLICY_FILE": policyFile(t), "REQUEST_GROUPS": "", "APPROVE_GROUPS": ""}))
	cfg, err := loadConfig()
	require.NoError(t, err)
	require.NotNil(t, cfg.Policy)
	assert.Equal(t, []string{"S0123ABC"}, cfg.Policy.GroupIDs())
	assert.Empty(t, cfg.ProtectedTags, "the default protected tag belongs to REQUEST_GROUPS")
	assert.False(t, cfg.ApproveGroups.isNone())
}

func TestWhatRefusesToStart(t *testing.T) {
	const (
		noToken      = "does not begin with xoxb-; copy it again from the Slack app's settings"
		notAWeb      = "not a web address; write it as https://HOST/PATH"
		plainHTTP    = "neither https nor http to loopback; use https"
		notIDs       = "holds something other than ids of user groups (S…) and users (U…, W…); copy the ids from Slack"
		notAList     = "not a comma-separated list without empty elements; correct it"
		notSQLite    = "neither sqlite:PATH nor postgres://…; write the file's path right after the colon"
		notAddr      = "not of the form HOST:PORT; write it like 127.0.0.1:3000"
		notLevel     = "not one of debug, info, warn and error; correct it"
		notRate      = "not a number above 0, such as 10; correct it"
		notDeadlines = "CLOSURE_DEADLINES: not a comma-separated list of data centers and pods, each once and with its day, such as dal09.pod03=2027-03-04,che01=2027-06-10; correct it"
		oneLine      = "holds white space or a control character; copy it again"
	)
	noGroups := func(policy string) env {
		return env{"POLICY_FILE": policy, "REQUEST_GROUPS": "", "APPROVE_GROUPS": ""}
	}
	tests := []struct {
		name    string
		set     env
		problem string
	}{
		{"a policy that is not there", noGroups("/no/such/file"), "POLICY_FILE: the file cannot be used: no such file or directory; name a file that holds a Cedar policy"},
		{"a policy that is a folder", noGroups(t.TempDir()), "POLICY_FILE: the file cannot be used: is a directory; name a file that holds a Cedar policy"},
		{"no bot token", env{"SLACK_BOT_TOKEN": ""}, "SLACK_BOT_TOKEN: required and not set; set it or SLACK_BOT_TOKEN_FILE: Slack bot token, xoxb-…"},
		{"no SoftLayer key", env{"SOFTLAYER_API_KEY": ""}, "SOFTLAYER_API_KEY: required and not set; set it or SOFTLAYER_API_KEY_FILE: the key of SOFTLAYER_USERNAME"},
		{"an app token as bot token", env{"SLACK_BOT_TOKEN": "xapp-fake"}, "SLACK_BOT_TOKEN: " + noToken},
		{"a bot token that is only its prefix", env{"SLACK_BOT_TOKEN": "xoxb-"}, "SLACK_BOT_TOKEN: " + noToken},
		{"a bot token with a line end", env{"SLACK_BOT_TOKEN": "xoxb-fake\n"}, "SLACK_BOT_TOKEN: " + oneLine},
		{"a bot token as app token", env{"SLACK_APP_TOKEN": "xoxb-fake"}, "SLACK_APP_TOKEN: does not begin with xapp-; copy it again from the Slack app's settings"},
		{"no transport", env{"SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN: neither it nor SLACK_SIGNING_SECRET is set; set the first for Socket Mode, the second for HTTP, or both"},
		{"an empty signing secret in the list", env{"SLACK_SIGNING_SECRET": "new,,old"}, "SLACK_SIGNING_SECRET: " + notAList},
		{"a signing secret list that ends in a comma", env{"SLACK_SIGNING_SECRET": "new, "}, "SLACK_SIGNING_SECRET: " + notAList},
		{"a signing secret of white space", env{"SLACK_SIGNING_SECRET": "  "}, "SLACK_SIGNING_SECRET: " + notAList},
		{"two signing secrets with no comma between", env{"SLACK_SIGNING_SECRET": "new old"}, "SLACK_SIGNING_SECRET: " + oneLine},
		{"a SoftLayer key with a no-break space", env{"SOFTLAYER_API_KEY": "fake\u00a0key"}, "SOFTLAYER_API_KEY: " + oneLine},
		{"Slack without its slash", env{"SLACK_API_URL": "https://slack.com/api"}, "SLACK_API_URL: has no slash at its end; add it"},
		{"Slack over plain http", env{"SLACK_API_URL": "http://slack.com/api/"}, "SLACK_API_URL: " + plainHTTP},
		{"Slack at a host that only begins like loopback", env{"SLACK_API_URL": "http://127.0.0.1.example.com/"}, "SLACK_API_URL: " + plainHTTP},
		{"Slack at no address", env{"SLACK_API_URL": "slack.com/api/"}, "SLACK_API_URL: " + notAWeb},
		{"SoftLayer over plain http", env{"SOFTLAYER_ENDPOINT_URL": "http://api.softlayer.com/rest/v3.1"}, "SOFTLAYER_ENDPOINT_URL: " + plainHTTP},
		{"SoftLayer with a password in the address", env{"SOFTLAYER_ENDPOINT_URL": "https://ana:fake@api.softlayer.com/"}, "SOFTLAYER_ENDPOINT_URL: holds a user name or a password; leave them out"},
		{"SoftLayer with a query", env{"SOFTLAYER_ENDPOINT_URL": "https://api.softlayer.com/?x=1"}, "SOFTLAYER_ENDPOINT_URL: has a query or a fragment; give the base alone"},
		{"SoftLayer over another protocol", env{"SOFTLAYER_ENDPOINT_URL": "ftp://127.0.0.1/"}, "SOFTLAYER_ENDPOINT_URL: " + plainHTTP},
		{"a user with a colon", env{"SOFTLAYER_USERNAME": "ana:fake"}, "SOFTLAYER_USERNAME: holds white space or a colon; give the user's name alone"},
		{"a rate of nothing", env{"SOFTLAYER_RATE": "0"}, "SOFTLAYER_RATE: not a number above 0; correct it"},
		{"a rate below nothing", env{"SOFTLAYER_RATE": "-1"}, "SOFTLAYER_RATE: not a number above 0; correct it"},
		{"a rate that is no number", env{"SOFTLAYER_RATE": "ten"}, "SOFTLAYER_RATE: " + notRate},
		{"a rate that is NaN", env{"SOFTLAYER_RATE": "NaN"}, "SOFTLAYER_RATE: not a number above 0; correct it"},
		{"a rate without end", env{"SOFTLAYER_RATE": "+Inf"}, "SOFTLAYER_RATE: not a number above 0; correct it"},
		{"neither a policy nor groups", env{"REQUEST_GROUPS": "", "APPROVE_GROUPS": ""}, "REQUEST_GROUPS: neither it nor POLICY_FILE is set; say with one of them who may ask"},
		{"approvers but nobody who asks", env{"REQUEST_GROUPS": ""}, "REQUEST_GROUPS: neither it nor POLICY_FILE is set; say with one of them who may ask"},
		{"nobody who approves", env{"APPROVE_GROUPS": ""}, "APPROVE_GROUPS: required with REQUEST_GROUPS; name who approves, or write none to let requesters file without approval"},
		{"none together with approvers", env{"APPROVE_GROUPS": "none,S0123ABC"}, "APPROVE_GROUPS: holds none together with ids; write either none or ids"},
		{"None with a capital", env{"APPROVE_GROUPS": "None"}, "APPROVE_GROUPS: " + notIDs},
		{"a group by its handle", env{"REQUEST_GROUPS": "@infra-leads"}, "REQUEST_GROUPS: " + notIDs},
		{"an id with Cedar in it", env{"REQUEST_GROUPS": `S0123" || true`}, "REQUEST_GROUPS: " + notIDs},
		{"an empty group", env{"REQUEST_GROUPS": "S0123ABC,"}, "REQUEST_GROUPS: " + notAList},
		{"an empty tag", env{"PROTECTED_TAGS": "prod,,keep"}, "PROTECTED_TAGS: " + notAList},
		{"a policy and who approves", env{"POLICY_FILE": policyFile(t), "REQUEST_GROUPS": ""}, "APPROVE_GROUPS: contradicts POLICY_FILE; keep one of them"},
		{"a policy and who asks", env{"POLICY_FILE": policyFile(t), "APPROVE_GROUPS": ""}, "REQUEST_GROUPS: contradicts POLICY_FILE; keep one of them"},
		{"a policy and protected tags", env{"POLICY_FILE": policyFile(t), "REQUEST_GROUPS": "", "APPROVE_GROUPS": "", "PROTECTED_TAGS": "prod"}, "PROTECTED_TAGS: contradicts POLICY_FILE; keep one of them"},
		{"a PostgreSQL URL without a database", env{"DATABASE_URL": "postgres://bot:fake@db"}, "DATABASE_URL: not of the form postgres://USER@HOST/DATABASE; correct it"},
		{"a database of another kind", env{"DATABASE_URL": "mysql://db/bot"}, "DATABASE_URL: " + notSQLite},
		{"SQLite without a path", env{"DATABASE_URL": "sqlite:"}, "DATABASE_URL: " + notSQLite},
		{"SQLite with a host's slashes", env{"DATABASE_URL": "sqlite://bot.db"}, "DATABASE_URL: " + notSQLite},
		{"SQLite in memory", env{"DATABASE_URL": "sqlite::memory:"}, "DATABASE_URL: a database in memory, which forgets accepted requests; name a file"},
		{"a listener without a port", env{"LISTEN_ADDR": "127.0.0.1"}, "LISTEN_ADDR: " + notAddr},
		{"a listener with a port out of range", env{"LISTEN_ADDR": "127.0.0.1:65536"}, "LISTEN_ADDR: " + notAddr},
		{"an admin address that is a web address", env{"ADMIN_ADDR": "http://127.0.0.1:9091"}, "ADMIN_ADDR: " + notAddr},
		{"both listeners at one address", env{"SLACK_SIGNING_SECRET": "fake", "LISTEN_ADDR": ":80", "ADMIN_ADDR": ":80"}, "ADMIN_ADDR: the same as LISTEN_ADDR; give one of them another port"},
		{"a ticket link without a place for the ticket", env{"TICKET_URL": "https://example.com/tickets"}, "TICKET_URL: holds neither {id} nor {number}; put one where the ticket's goes"},
		{"a ticket link with an unknown place", env{"TICKET_URL": "https://example.com/{id}/{account}"}, "TICKET_URL: holds braces other than {id} and {number}; leave them out"},
		{"a ticket link whose host is the ticket's", env{"TICKET_URL": "https://{id}.example.com/"}, "TICKET_URL: " + notAWeb},
		{"a ticket link over plain http", env{"TICKET_URL": "http://example.com/{id}"}, "TICKET_URL: " + plainHTTP},
		{"a ticket link that runs a script", env{"TICKET_URL": "javascript://x/{id}"}, "TICKET_URL: " + plainHTTP},
		{"a ticket link that ends Slack's markup", env{"TICKET_URL": "https://example.com/{id}|<!channel>"}, `TICKET_URL: holds one of < > | "; write it percent-encoded`},
		{"settling before the POST may end", env{"SETTLE_TIME": "89s"}, "SETTLE_TIME: shorter than POST_TIMEOUT; make it at least as long"},
		{"a settle time of nothing", env{"SETTLE_TIME": "0s"}, "SETTLE_TIME: not above 0; write a duration, such as 90s"},
		{"a POST timeout below nothing", env{"POST_TIMEOUT": "-1s"}, "POST_TIMEOUT: not above 0; write a duration, such as 90s"},
		{"a settle time too short for SoftLayer", env{"SETTLE_TIME": "59s", "POST_TIMEOUT": "30s"}, "SETTLE_TIME: shorter than 1m, too short for SoftLayer; make it at least as long"},
		{"a POST timeout too short for SoftLayer", env{"POST_TIMEOUT": "9999ms"}, "POST_TIMEOUT: shorter than 10s, too short for SoftLayer; make it at least as long"},
		{"a contact of two lines", env{"OPERATOR_CONTACT": "#infra\nhelp"}, "OPERATOR_CONTACT: longer than 100 characters or more than one line; write a channel or a name, such as #infra-help"},
		{"a contact in Slack's markup", env{"OPERATOR_CONTACT": "<#C0123>"}, "OPERATOR_CONTACT: holds one of < > { }; write a channel or a name as people read it, such as #infra-help"},
		{"a duration without a unit", env{"POST_TIMEOUT": "90"}, "POST_TIMEOUT: not a duration, such as 90s; correct it"},
		{"an unknown level", env{"LOG_LEVEL": "verbose"}, "LOG_LEVEL: " + notLevel},
		{"a level of slog's arithmetic", env{"LOG_LEVEL": "info+2"}, "LOG_LEVEL: " + notLevel},
		{"an unknown log format", env{"LOG_FORMAT": "xml"}, "LOG_FORMAT: neither text nor json; correct it"},
		{"a misspelt name", env{"TICKET_URI": "x"}, "TICKET_URI: not a setting; did you mean TICKET_URL?"},
		{"looks that never end", env{"FOLLOW_EVERY": "0s"}, "FOLLOW_EVERY: below 1s; write a duration, such as 1h"},
		{"an undo window below nothing", env{"UNDO_WINDOW": "-1s"}, "UNDO_WINDOW: below 0; write a duration, such as 10m, or 0s for none"},
		{"practice that is neither true nor false", env{"DRY_RUN": "yes"}, "DRY_RUN: not true or false; correct it"},
		{"an undo window without a unit", env{"UNDO_WINDOW": "10"}, "UNDO_WINDOW: not a duration, such as 10m; correct it"},
		{"a channel's name instead of its id", env{"NOTIFY_CHANNEL": "#ops"}, "NOTIFY_CHANNEL: not a Slack channel's id, such as C0123ABCD; copy it from the channel's details"},
		{"a batch of none", env{"MAX_BATCH": "0"}, "MAX_BATCH: not a whole number from 1 to 50; correct it"},
		{"a batch of more than fifty", env{"MAX_BATCH": "51"}, "MAX_BATCH: not a whole number from 1 to 50; correct it"},
		{"a batch that is no number", env{"MAX_BATCH": "many"}, "MAX_BATCH: not a whole number from 1 to 50; correct it"},
		{"a closure without its day", env{"CLOSURE_DEADLINES": "che01"}, notDeadlines},
		{"a closure on no day", env{"CLOSURE_DEADLINES": "che01=2027-02-30"}, notDeadlines},
		{"a closure with a day of another form", env{"CLOSURE_DEADLINES": "che01=10.06.2027"}, notDeadlines},
		{"a closure at a time", env{"CLOSURE_DEADLINES": "che01=2027-06-10T00:00:00Z"}, notDeadlines},
		{"a closure of no place", env{"CLOSURE_DEADLINES": "=2027-06-10"}, notDeadlines},
		{"a closure of a city", env{"CLOSURE_DEADLINES": "Chennai=2027-06-10"}, notDeadlines},
		{"a closure of a pod without its data center", env{"CLOSURE_DEADLINES": "pod03=2027-06-10"}, notDeadlines},
		{"a closure named again", env{"CLOSURE_DEADLINES": "che01=2027-06-10,CHE01=2027-06-11"}, notDeadlines},
		{"an empty closure", env{"CLOSURE_DEADLINES": "che01=2027-06-10,"}, notDeadlines},
		{"closures with no comma between", env{"CLOSURE_DEADLINES": "che01=2027-06-10 dal09=2027-06-10"}, notDeadlines},
		{"an approval that expires at once", env{"APPROVAL_EXPIRY": "0s"}, "APPROVAL_EXPIRY: not above 0; write a duration, such as 90s"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, []string{test.problem}, problemsOf(t, fiveSettings().with(test.set)))
		})
	}
}

func TestWhatStarts(t *testing.T) {
	tests := []struct {
		name string
		set  env
	}{
		{"HTTP alone", env{"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "fake"}},
		{"both transports", env{"SLACK_SIGNING_SECRET": "fake"}},
		{"approvers", env{"APPROVE_GROUPS": "S0456DEF,U0456DEF"}},
		{"settling exactly as long as the POST", env{"SETTLE_TIME": "2m", "POST_TIMEOUT": "120s"}},
		{"the shortest times with SoftLayer", env{"SETTLE_TIME": "1m", "POST_TIMEOUT": "10s"}},
		{"shorter ones with a stand-in on loopback", env{"SETTLE_TIME": "1s", "POST_TIMEOUT": "1s", "SOFTLAYER_ENDPOINT_URL": "http://127.0.0.1:4000/rest/v3.1"}},
		{"the smallest batch", env{"MAX_BATCH": "1"}},
		{"a closure that has passed", env{"CLOSURE_DEADLINES": "mex01=2022-03-04"}},
		{"a contact", env{"OPERATOR_CONTACT": "#infra-help"}},
		{"two listeners on whatever ports are free", env{"SLACK_SIGNING_SECRET": "fake", "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0"}},
		{"one address for both in Socket Mode, where one listens", env{"LISTEN_ADDR": ":80", "ADMIN_ADDR": ":80"}},
		{"other programs' names", env{"LISTEN_FDS": "1", "LOG_FILE": "x", "DATABASE": "x", "SLACK_TOKEN": "x", "PORT": "1"}},
		{"a misspelt name that is empty", env{"TICKET_URI": ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			assert.Empty(t, problemsOf(t, fiveSettings().with(test.set)))
		})
	}
}

func TestClosureDeadlinesAreDaysByPlace(t *testing.T) {
	setEnvironment(t, fiveSettings().with(env{"CLOSURE_DEADLINES": " dal09.pod03=2027-03-04, CHE01 = 2027-06-10"}))
	cfg, err := loadConfig()
	require.NoError(t, err)
	day := func(year int, month time.Month, day int) time.Time {
		return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	}
	assert.Equal(t, deadlines{"che01": day(2027, time.June, 10), "dal09.pod03": day(2027, time.March, 4)}, cfg.ClosureDeadlines)
	assert.Contains(t, startOf(cfg, "").Detail, `"CLOSURE_DEADLINES":"che01=2027-06-10,dal09.pod03=2027-03-04"`, "the audit log has them as they are written")
	assert.Contains(t, startOf(cfg, "").Detail, `"MAX_BATCH":"50"`)
}

func TestAllProblemsAreNamedAtOnce(t *testing.T) {
	assert.Equal(t, []string{
		"SLACK_BOT_TOKEN: required and not set; set it or SLACK_BOT_TOKEN_FILE: Slack bot token, xoxb-…",
		"SOFTLAYER_RATE: not a number above 0, such as 10; correct it",
		"UNDO_WINDOW: not a duration, such as 10m; correct it",
		"POST_TIMEOUT: not a duration, such as 90s; correct it",
		"SLACK_APP_TOKEN: neither it nor SLACK_SIGNING_SECRET is set; set the first for Socket Mode, the second for HTTP, or both",
		"APPROVE_GROUPS: required with REQUEST_GROUPS; name who approves, or write none to let requesters file without approval",
		"SLACK_BOT_TOKN: not a setting; did you mean SLACK_BOT_TOKEN?",
	}, problemsOf(t, env{
		"SLACK_BOT_TOKN":    "xoxb-fake",
		"SOFTLAYER_API_KEY": "fake-key",
		"SOFTLAYER_RATE":    "fast",
		"REQUEST_GROUPS":    "S0123ABC",
		"POST_TIMEOUT":      "soon",
		"UNDO_WINDOW":       "5",
	}))
}

func TestNameFile(t *testing.T) {
	held := env{
		"SLACK_BOT_TOKEN":      "xoxb-fake-filed",
		"SLACK_APP_TOKEN":      "xapp-fake-filed",
		"SLACK_SIGNING_SECRET": "fake-new, fake-old",
		"SOFTLAYER_API_KEY":    "fake-filed",
		"DATABASE_URL":         "sqlite:filed.db",
	}
	values := fiveSettings()
	for name, value := range held {
		values[name], values[name+"_FILE"] = "", secretFile(t, value+"\n")
	}
	setEnvironment(t, values)
	cfg, err := loadConfig()
	require.NoError(t, err)
	assert.Equal(t, "xoxb-fake-filed", cfg.SlackBotToken.Reveal())
	assert.Equal(t, "xapp-fake-filed", cfg.SlackAppToken.Reveal())
	assert.Equal(t, []string{"fake-new", "fake-old"}, cfg.SlackSigningSecrets.Reveal())
	assert.Equal(t, "fake-filed", cfg.SoftLayerAPIKey.Reveal())
	assert.Equal(t, "filed.db", pathOf(cfg))
	for name := range held {
		assert.Empty(t, os.Getenv(name), "a secret from a file is not put into the environment")
	}
	_, files := knownNames()
	assert.Len(t, held, len(files), "exactly these settings have a NAME_FILE")
}

func TestWhatANameFileRefuses(t *testing.T) {
	const advice = "; name a file that holds the value of SOFTLAYER_API_KEY"
	tests := []struct {
		name    string
		set     env
		problem string
	}{
		{"the value together with the file", env{"SOFTLAYER_API_KEY": "fake-key"}, "SOFTLAYER_API_KEY: set together with SOFTLAYER_API_KEY_FILE; unset one of them"},
		{"a file that is not there", env{"SOFTLAYER_API_KEY_FILE": "/no/such/file"}, "SOFTLAYER_API_KEY_FILE: the file cannot be used: no such file or directory" + advice},
		{"a database's file that is not there, named once", env{"DATABASE_URL_FILE": "/no/such/file"}, "DATABASE_URL_FILE: the file cannot be used: no such file or directory; name a file that holds the value of DATABASE_URL"},
		{"a folder", env{"SOFTLAYER_API_KEY_FILE": t.TempDir()}, "SOFTLAYER_API_KEY_FILE: the file cannot be used: is a directory" + advice},
		{"an empty file", env{"SOFTLAYER_API_KEY_FILE": secretFile(t, "\n")}, "SOFTLAYER_API_KEY_FILE: the file cannot be used: it is empty" + advice},
		{"a file that is too large", env{"SOFTLAYER_API_KEY_FILE": secretFile(t, strings.Repeat("k", 64<<10+1))}, "SOFTLAYER_API_KEY_FILE: the file cannot be used: it is larger than 65536 bytes" + advice},
		{"a file of two lines", env{"SOFTLAYER_API_KEY_FILE": secretFile(t, "fake\nkey\n")}, "SOFTLAYER_API_KEY: holds white space or a control character; copy it again"},
		{"an empty element in a filed list", env{"SLACK_SIGNING_SECRET_FILE": secretFile(t, "new,")}, "SLACK_SIGNING_SECRET: the file does not hold a comma-separated list without empty elements; correct it"},
		{"a file for a setting that has none", env{"SOFTLAYER_USERNAME_FILE": "user"}, "SOFTLAYER_USERNAME_FILE: SOFTLAYER_USERNAME is not read from a file; set SOFTLAYER_USERNAME itself (a file is read for SLACK_BOT_TOKEN_FILE, SLACK_APP_TOKEN_FILE, SLACK_SIGNING_SECRET_FILE, SOFTLAYER_API_KEY_FILE, DATABASE_URL_FILE)"},
		{"a misspelt name of a file", env{"SLACK_BOT_TOKN_FILE": "token"}, "SLACK_BOT_TOKN_FILE: not a setting; did you mean SLACK_BOT_TOKEN_FILE?"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			values := fiveSettings().with(env{"SOFTLAYER_API_KEY": "", "SOFTLAYER_API_KEY_FILE": secretFile(t, "fake-key\r\n")})
			assert.Equal(t, []string{test.problem}, problemsOf(t, values.with(test.set)))
		})
	}
}

// Whatever line a secret is pasted on, no error shows it.
func TestNoErrorShowsAValue(t *testing.T) {
	const pasted = "xoxp-hunter2 ,,{"
	names, files := knownNames()
	for _, name := range append(names, files...) {
		t.Run(name, func(t *testing.T) {
			setEnvironment(t, fiveSettings().with(env{strings.TrimSuffix(name, "_FILE"): "", name: pasted}))
			_, err := loadConfig()
			require.Error(t, err, "the value has the wrong form for this setting")
			for e := err; e != nil; e = errors.Unwrap(e) {
				assert.NotContains(t, e.Error(), "hunter2")
			}
		})
	}
}

func pathOf(cfg config) string {
	path, _ := databaseOf(cfg.DatabaseURL)
	return path
}
