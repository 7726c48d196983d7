package main

import (
	"log/slog"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cancel-server/internal/policytool"
)

// checkForms says which settings have a value of the wrong form, but for those
// that are broken: they were refused before.
func checkForms(cfg Config, broken map[string]bool) []string {
	checks := []struct{ name, problem string }{
		{"SLACK_BOT_TOKEN", checkToken(cfg.SlackBotToken, "xoxb-")},
		{"SLACK_APP_TOKEN", checkToken(cfg.SlackAppToken, "xapp-")},
		{"SLACK_SIGNING_SECRET", checkOneLine(cfg.SlackSigningSecrets...)},
		{"SLACK_API_URL", checkSlackAPI(cfg.SlackAPIURL)},
		{"SOFTLAYER_USERNAME", checkUsername(cfg.SoftLayerUsername)},
		{"SOFTLAYER_API_KEY", checkOneLine(cfg.SoftLayerAPIKey)},
		{"SOFTLAYER_ENDPOINT_URL", checkBaseURL(cfg.SoftLayerEndpoint)},
		{"SOFTLAYER_RATE", checkRate(cfg.SoftLayerRate)},
		{"REQUEST_GROUPS", checkSlackIDs(cfg.RequestGroups)},
		{"APPROVE_GROUPS", checkApprovers(cfg)},
		{"DATABASE_URL", checkDatabase(cfg)},
		{"LISTEN_ADDR", checkAddr(cfg.ListenAddr)},
		{"ADMIN_ADDR", checkAddr(cfg.AdminAddr)},
		{"TICKET_URL", checkTicketURL(cfg.TicketURL)},
		{"NOTIFY_CHANNEL", policytool.CheckChannel(cfg.NotifyChannel)},
		{"OPERATOR_CONTACT", checkContact(cfg.OperatorContact)},
		{"MAX_SERVERS_PER_DAY", checkLimit(cfg.ServersPerDay)},
		{"MAX_FILINGS_PER_HOUR", checkLimit(cfg.FilingsPerHour)},
		{"UNDO_WINDOW", checkWindow(cfg.UndoWindow)},
		{"APPROVAL_EXPIRY", checkPositive(cfg.ApprovalExpiry)},
		{"SETTLE_TIME", checkFloor(cfg, cfg.SettleTime, leastSettleTime)},
		{"POST_TIMEOUT", checkFloor(cfg, cfg.PostTimeout, leastPostTimeout)},
		{"LOG_LEVEL", checkLevel(cfg.LogLevel)},
		{"LOG_FORMAT", checkLogFormat(cfg.LogFormat)},
	}
	var problems []string
	for _, check := range checks {
		if check.problem != "" && !broken[check.name] {
			problems = append(problems, check.name+": "+check.problem)
		}
	}
	return problems
}

// checkTogether says which settings are missing beside others or contradict
// them; given names those that were set.
func checkTogether(cfg Config, given map[string]bool) []string {
	var problems []string
	if !given["SLACK_APP_TOKEN"] && !given["SLACK_SIGNING_SECRET"] {
		problems = append(problems, "SLACK_APP_TOKEN: neither it nor SLACK_SIGNING_SECRET is set; set the first for Socket Mode, the second for HTTP, or both")
	}
	problems = append(problems, checkAuthority(given)...)
	if given["SLACK_SIGNING_SECRET"] && cfg.ListenAddr == cfg.AdminAddr && !strings.HasSuffix(cfg.ListenAddr, ":0") {
		problems = append(problems, "ADMIN_ADDR: the same as LISTEN_ADDR; give one of them another port")
	}
	if settle, post := cfg.SettleTime, cfg.PostTimeout; settle > 0 && post > 0 && settle < post {
		problems = append(problems, "SETTLE_TIME: shorter than POST_TIMEOUT; make it at least as long")
	}
	return problems
}

// checkAuthority: who may do what comes from POLICY_FILE or from the three
// group settings, never from both and never from nowhere.
func checkAuthority(given map[string]bool) []string {
	var problems []string
	switch {
	case given["POLICY_FILE"]:
		for _, name := range []string{"REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS"} {
			if given[name] {
				problems = append(problems, name+": contradicts POLICY_FILE; keep one of them")
			}
		}
	case !given["REQUEST_GROUPS"]:
		problems = append(problems, "REQUEST_GROUPS: neither it nor POLICY_FILE is set; say with one of them who may ask")
	case !given["APPROVE_GROUPS"]:
		problems = append(problems, "APPROVE_GROUPS: required with REQUEST_GROUPS; name who approves, or write none to let requesters file alone")
	}
	return problems
}

func checkToken(token Secret, prefix string) string {
	value := token.Reveal()
	if value == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(value, prefix); !ok || rest == "" {
		return "does not begin with " + prefix + "; copy it again from the Slack app's settings"
	}
	return checkOneLine(token)
}

// checkOneLine refuses what is never part of a token or a key and comes with a
// careless copy.
func checkOneLine(secrets ...Secret) string {
	for _, secret := range secrets {
		if strings.ContainsFunc(secret.Reveal(), isSpaceOrControl) {
			return "holds white space or a control character; copy it again"
		}
	}
	return ""
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }

// checkUsername: HTTP Basic authentication ends a user name at its first colon
// (https://www.rfc-editor.org/rfc/rfc7617#section-2).
func checkUsername(name string) string {
	if strings.ContainsFunc(name, isSpaceOrControl) || strings.Contains(name, ":") {
		return "holds white space or a colon; give the user's name alone"
	}
	return ""
}

func checkRate(rate float64) string {
	if rate > 0 && !math.IsInf(rate, 1) {
		return ""
	}
	return "not a number above 0; correct it"
}

// slackGroupOrUser is the id of a user group or of a user, a user's also with
// the team or enterprise in front. Users of an enterprise may begin with W
// (https://api.slack.com/enterprise/grid).
var slackGroupOrUser = regexp.MustCompile(`^(S[A-Z0-9]+|([TE][A-Z0-9]+/)?[UW][A-Z0-9]+)$`)

func checkSlackIDs(ids []string) string {
	for _, id := range ids {
		if !slackGroupOrUser.MatchString(id) {
			return "holds something other than ids of user groups (S…) and users (U…, W…); copy the ids from Slack"
		}
	}
	return ""
}

func checkApprovers(cfg Config) string {
	switch {
	case cfg.FilesAlone():
		return ""
	case slices.Contains(cfg.ApproveGroups, "none"):
		return "holds none beside ids; write none alone, or only ids"
	default:
		return checkSlackIDs(cfg.ApproveGroups)
	}
}

func checkDatabase(cfg Config) string {
	path := cfg.SQLitePath()
	switch {
	case cfg.PostgresURL() != "":
		return checkPostgres(cfg.PostgresURL())
	case path == "" || strings.HasPrefix(path, "//"):
		return "neither sqlite:PATH nor postgres://…; write the file's path right after the colon"
	case strings.HasPrefix(path, ":memory:"):
		return "a database in memory, which forgets accepted requests; name a file"
	}
	return ""
}

func checkPostgres(text string) string {
	if at, err := url.Parse(text); err != nil || at.Host == "" || len(at.Path) < 2 {
		return "not of the form postgres://USER@HOST/DATABASE; correct it"
	}
	return ""
}

func checkPositive(d time.Duration) string {
	if d > 0 {
		return ""
	}
	return "not above 0; write a duration, such as 90s"
}

// The shortest times that are safe beside SoftLayer itself. It takes seconds to answer a
// cancellation, and a POST that is cut off sooner leaves its outcome unknown each time;
// a ticket that was made must have had time to show in its books before one more is sent.
const (
	leastPostTimeout = 10 * time.Second
	leastSettleTime  = time.Minute
)

// checkFloor is checkPositive, and beside SoftLayer itself refuses what is shorter than the
// least. On loopback, a stand-in answers at once.
func checkFloor(cfg Config, d, least time.Duration) string {
	at, err := url.Parse(cfg.SoftLayerEndpoint)
	if standIn := err == nil && isLoopback(at.Hostname()); d <= 0 || d >= least || standIn {
		return checkPositive(d)
	}
	return "shorter than " + shortly(least) + ", too short for SoftLayer; make it at least as long"
}

// shortly is a whole number of minutes or seconds as people write it.
func shortly(d time.Duration) string {
	if d%time.Minute == 0 {
		return strconv.Itoa(int(d.Minutes())) + "m"
	}
	return strconv.Itoa(int(d.Seconds())) + "s"
}

// longestContact bounds OPERATOR_CONTACT, which stands in messages.
const longestContact = 100

func checkContact(contact string) string {
	switch {
	case strings.ContainsFunc(contact, unicode.IsControl) || utf8.RuneCountInString(contact) > longestContact:
		return "longer than 100 characters or more than one line; write a channel or a name, such as #infra-help"
	case strings.ContainsAny(contact, "<>{}"): // Slack's markup, or a template's
		return "holds one of < > { }; write a channel or a name as people read it, such as #infra-help"
	}
	return ""
}

// checkLimit refuses a limit that lets nothing through: bot freeze is for that.
func checkLimit(n int) string {
	if n > 0 {
		return ""
	}
	return "not above 0; write a whole number, such as 50"
}

// checkWindow refuses a length of time below nothing.
func checkWindow(d time.Duration) string {
	if d >= 0 {
		return ""
	}
	return "below 0; write a duration, such as 10m, or 0s for none"
}

// checkLevel refuses slog's arithmetic, such as info+2.
func checkLevel(level slog.Level) string {
	switch level {
	case slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError:
		return ""
	}
	return "not one of debug, info, warn and error; correct it"
}

func checkLogFormat(format string) string {
	switch format {
	case "", "text", "json":
		return ""
	}
	return "neither text nor json; correct it"
}
