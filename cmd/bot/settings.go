package main

import (
	"log/slog"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/policytool"
)

// config holds the values of the settings. loadConfig fills it once, at start.
type config struct {
	SlackBotToken       secret
	SlackAppToken       secret
	SlackSigningSecrets secrets
	SlackAPIURL         string
	SoftLayerUsername   string
	SoftLayerAPIKey     secret
	SoftLayerEndpoint   string
	SoftLayerRate       float64
	PolicyFile          string
	RequestGroups       list
	ApproveGroups       list
	ProtectedTags       list
	DatabaseURL         secret
	ListenAddr          string
	AdminAddr           string
	TicketURL           string
	NotifyChannel       string
	ReportChannel       string
	OperatorContact     string
	AuditKeyFile        string
	ClosureDeadlines    deadlines
	ServersPerDay       int
	MaxBatch            int
	FilingsPerHour      int
	FollowEvery         time.Duration
	UndoWindow          time.Duration
	ApprovalExpiry      time.Duration
	SettleTime          time.Duration
	PostTimeout         time.Duration
	DryRun              bool
	LogLevel            slog.Level
	LogFormat           string

	// Policy is what PolicyFile holds; nil without one.
	Policy *authz.Policy
}

// setting is a row of the table of settings. The table drives how settings are read and
// checked, what -h shows, and the table in the README.
type setting struct {
	name     string // of the environment variable
	form     string // what a value has to be to be parsed, in words
	standard string // the default, "" for none; or required, or byOutput
	meaning  string
	secret   bool // NAME_FILE may name a file that holds the value
	field    func(*config) any
	check    func(*config) string // what is wrong with a parsed value, "" if nothing is
}

const (
	anyText  = ""
	aList    = "a comma-separated list without empty elements"
	required = "required"
	byOutput = "text on a terminal, json elsewhere"
)

// settings are all settings, in the order in which -h and the README list them.
var settings = []setting{
	row("SLACK_BOT_TOKEN", anyText, required, token("xoxb-"),
		func(c *config) *secret { return &c.SlackBotToken }, "Slack bot token, xoxb-…"),
	row("SLACK_APP_TOKEN", anyText, "", token("xapp-"),
		func(c *config) *secret { return &c.SlackAppToken }, "Slack app-level token, xapp-…; turns Socket Mode on"),
	row("SLACK_SIGNING_SECRET", aList, "", secrets.check,
		func(c *config) *secrets { return &c.SlackSigningSecrets }, "Slack signing secret; turns HTTP on; a comma-separated list while a secret is rotated"),
	row("SLACK_API_URL", anyText, "https://slack.com/api/", checkSlackAPI,
		func(c *config) *string { return &c.SlackAPIURL }, "Slack Web API, with trailing slash; https, or http to loopback"),
	row("SOFTLAYER_USERNAME", anyText, "apikey", accept(isUserName, "holds white space or a colon; give the user's name alone"),
		func(c *config) *string { return &c.SoftLayerUsername }, "classic SoftLayer user, or apikey with an IBM Cloud API key"),
	row("SOFTLAYER_API_KEY", anyText, required, secret.check,
		func(c *config) *secret { return &c.SoftLayerAPIKey }, "the key of SOFTLAYER_USERNAME"),
	row("SOFTLAYER_ENDPOINT_URL", anyText, "https://api.softlayer.com/rest/v3.1", checkBaseURL,
		func(c *config) *string { return &c.SoftLayerEndpoint }, "SoftLayer REST base; https, or http to loopback"),
	row("SOFTLAYER_RATE", "a number above 0, such as 10", "10", accept(isRate, "not a number above 0; correct it"),
		func(c *config) *float64 { return &c.SoftLayerRate }, "SoftLayer calls a second, for the whole deployment"),
	row("POLICY_FILE", anyText, "", nil,
		func(c *config) *string { return &c.PolicyFile }, "path of a Cedar policy; set this, or REQUEST_GROUPS and APPROVE_GROUPS"),
	row("REQUEST_GROUPS", aList, "", checkSlackIDs,
		func(c *config) *list { return &c.RequestGroups }, "Slack user-group or user ids that may ask, comma-separated"),
	row("APPROVE_GROUPS", aList, "", checkApprovers,
		func(c *config) *list { return &c.ApproveGroups }, "Slack user-group or user ids that approve, comma-separated; none: requesters need no approval; required with REQUEST_GROUPS"),
	row("PROTECTED_TAGS", aList, "protected", nil,
		func(c *config) *list { return &c.ProtectedTags }, "tags of servers that nobody cancels here, comma-separated; case does not matter; not with POLICY_FILE"),
	row("DATABASE_URL", anyText, "sqlite:cancel-server.db", checkDatabase,
		func(c *config) *secret { return &c.DatabaseURL }, "where requests are kept: sqlite:PATH for one process, postgres://… for any number"),
	row("LISTEN_ADDR", anyText, "127.0.0.1:3000", checkAddr,
		func(c *config) *string { return &c.ListenAddr }, "host:port for Slack's requests, in HTTP mode"),
	row("ADMIN_ADDR", anyText, "127.0.0.1:9091", checkAddr,
		func(c *config) *string { return &c.AdminAddr }, "host:port for /livez, /readyz and /metrics"),
	row("TICKET_URL", anyText, "https://cloud.ibm.com/unifiedsupport/cases?number={number}", checkTicketURL,
		func(c *config) *string { return &c.TicketURL }, "link to a ticket: a template with {id}, {number} or both; https, or http to loopback"),
	row("NOTIFY_CHANNEL", anyText, "", policytool.CheckChannel,
		func(c *config) *string { return &c.NotifyChannel }, "id of the Slack channel where approvers are asked, and where the bot reports requests that take too long and policy files that it refuses; the bot must be a member"),
	row("REPORT_CHANNEL", anyText, "", policytool.CheckChannel,
		func(c *config) *string { return &c.ReportChannel }, "id of the Slack channel for what the whole account should know: at most one bulletin a day, freezes, and what needs a person; it holds sums of money, and checkpoints of the audit log; the bot must be a member"),
	row("OPERATOR_CONTACT", anyText, "", checkContact,
		func(c *config) *string { return &c.OperatorContact }, "who runs this bot, such as #infra-help; people who need help are told to ask there"),
	row("AUDIT_KEY_FILE", anyText, "", checkKeyFile,
		func(c *config) *string { return &c.AuditKeyFile }, "path of the key that signs checkpoints of the audit log; bot audit keygen makes it; without it they are not signed"),
	row("CLOSURE_DEADLINES", "a comma-separated list of data centers and pods, each once and with its day, such as dal09.pod03=2027-03-04,che01=2027-06-10", "", nil,
		func(c *config) *deadlines { return &c.ClosureDeadlines }, "the day by which each closing data center or pod must be empty, such as dal09.pod03=2027-03-04,che01=2027-06-10; SoftLayer's API does not say it"),
	row("MAX_SERVERS_PER_DAY", "a whole number above 0, such as 50", "50", positive[int]("a whole number, such as 50"),
		func(c *config) *int { return &c.ServersPerDay }, "how many servers one person may ask for in a day (UTC)"),
	row("MAX_BATCH", "a whole number from 1 to 50", "50", accept(func(n int) bool { return n >= 1 && n <= cancellation.MostRows }, "not a whole number from 1 to 50; correct it"),
		func(c *config) *int { return &c.MaxBatch }, "how many servers one form may ask for, 1 to 50"),
	row("MAX_FILINGS_PER_HOUR", "a whole number above 0, such as 60", "60", positive[int]("a whole number, such as 60"),
		func(c *config) *int { return &c.FilingsPerHour }, "how many tickets the whole deployment files in an hour; further requests wait"),
	row("FOLLOW_EVERY", "a duration, such as 1h", "1h", accept(func(d time.Duration) bool { return d >= time.Second }, "below 1s; write a duration, such as 1h"),
		func(c *config) *time.Duration { return &c.FollowEvery }, "how often filed requests are looked at, until the server is gone, and which pods close; at least 1s"),
	row("UNDO_WINDOW", "a duration, such as 10m", "0s", accept(func(d time.Duration) bool { return d >= 0 }, "below 0; write a duration, such as 10m, or 0s for none"),
		func(c *config) *time.Duration { return &c.UndoWindow }, "how long an accepted request can be undone before it is filed"),
	row("APPROVAL_EXPIRY", "a duration, such as 72h", "72h", positive[time.Duration]("a duration, such as 90s"),
		func(c *config) *time.Duration { return &c.ApprovalExpiry }, "how long a request waits for approval"),
	row("SETTLE_TIME", "a duration, such as 5m", "5m", positive[time.Duration]("a duration, such as 90s"),
		func(c *config) *time.Duration { return &c.SettleTime }, "how long SoftLayer's records must show no ticket before a request whose answer was lost is sent once more; at least POST_TIMEOUT and 1m"),
	row("POST_TIMEOUT", "a duration, such as 90s", "90s", positive[time.Duration]("a duration, such as 90s"),
		func(c *config) *time.Duration { return &c.PostTimeout }, "how long SoftLayer may take to answer a cancellation; at least 10s"),
	row("DRY_RUN", "true or false", "false", nil,
		func(c *config) *bool { return &c.DryRun }, "true for practice: everything but the calls that change SoftLayer; needs a database of its own"),
	row("LOG_LEVEL", "one of debug, info, warn and error", "info", oneOf("not one of debug, info, warn and error; correct it", slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError),
		func(c *config) *slog.Level { return &c.LogLevel }, "debug, info, warn or error"),
	row("LOG_FORMAT", anyText, byOutput, oneOf("neither text nor json; correct it", "", "text", "json"),
		func(c *config) *string { return &c.LogFormat }, "text or json"),
}

// row makes a setting. A nil check accepts every value that can be parsed.
func row[T any](name, form, standard string, check func(T) string, field func(*config) *T, meaning string) setting {
	s := setting{name: name, form: form, standard: standard, meaning: meaning}
	s.field = func(c *config) any { return field(c) }
	s.check = func(c *config) string {
		if check == nil {
			return ""
		}
		return check(*field(c))
	}
	switch s.field(&config{}).(type) {
	case *secret, *secrets:
		s.secret = true
	}
	return s
}
