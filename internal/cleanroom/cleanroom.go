// Package cleanroom gives the tests of every package the same surroundings, whatever the
// shell they are started from: no setting of the bot, no proxy, no PostgreSQL default, no
// time zone and no language. Only TestMain functions use it.
package cleanroom

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Variable names how many random cases each property test tries. It is empty by default,
// and then each tries [fewChecks]; make check sets the full number.
const Variable = "TEST_RAPID_CHECKS"

// fewChecks is a fifth of rapid's own default.
const fewChecks = "20"

// Main prepares the process and runs its tests.
func Main(m *testing.M) {
	Prepare()
	os.Exit(m.Run())
}

// MainInTurn is Main for a package that starts many processes on PostgreSQL. Of these
// packages one runs at a time, where the system can lock a file. A package that waits for
// its turn takes one of go test's own places, so that only the heaviest do.
func MainInTurn(m *testing.M) {
	Prepare()
	TakeTurn()
	os.Exit(m.Run())
}

// hostZone is the time zone that tests run in: one that is nobody's, so that a date which
// depends on the host's zone is wrong for everybody.
var hostZone = time.FixedZone("host", int((13*time.Hour + 45*time.Minute).Seconds()))

// Prepare clears the environment, parses the flags and sets how much property tests do.
// A TestMain that does more than run its tests calls it first.
func Prepare() {
	time.Local = hostZone
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if Clears(name) {
			_ = os.Unsetenv(name) // fails for malformed names only
		}
	}
	flag.Parse()
	limitChecks()
}

// limitChecks sets rapid.checks, in packages that have that flag, unless the command line does.
func limitChecks() {
	if flag.Lookup("rapid.checks") == nil {
		return
	}
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if chosen {
		return
	}
	checks := os.Getenv(Variable)
	if checks == "" {
		checks = fewChecks
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(Variable + ": " + err.Error())
	}
}

// prefixes of the variables that are cleared: vendors' settings, the sandbox's own,
// libpq's and the language.
var prefixes = []string{"SLACK_", "SOFTLAYER_", "SANDBOX_", "PG", "LC_"}

// names of the variables that are cleared, in capitals: proxies, which Go and curl read in
// both spellings, the zone and the language, and the bot's other settings.
var names = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD", "TZ", "LANG", "LANGUAGE",
	"POLICY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS", "DATABASE_URL", "LISTEN_ADDR", "ADMIN_ADDR",
	"TICKET_URL", "NOTIFY_CHANNEL", "REPORT_CHANNEL", "OPERATOR_CONTACT", "AUDIT_KEY_FILE", "CLOSURE_DEADLINES",
	"MAX_SERVERS_PER_DAY", "MAX_BATCH", "MAX_FILINGS_PER_HOUR", "FOLLOW_EVERY", "UNDO_WINDOW", "APPROVAL_EXPIRY", "SETTLE_TIME", "POST_TIMEOUT", "DRY_RUN", "LOG_LEVEL", "LOG_FORMAT",
}

// Clears reports whether tests run without the variable of this name.
func Clears(name string) bool {
	name = strings.ToUpper(name)
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains(names, name) || slices.Contains(names, strings.TrimSuffix(name, "_FILE"))
}
