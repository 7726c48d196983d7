package checkup

import (
	"context"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
)

// settings says what is wrong with the settings, but for the policy: that has a check of its own.
func (r *round) settings(context.Context) []Finding {
	var all []Finding
	for _, problem := range r.Settings {
		found, do := cut(problem)
		all = append(all, fail(do, "Settings: %s", found))
	}
	if len(all) == 0 {
		all = append(all, ok("Settings: nothing is missing, malformed or contradicting."))
	}
	return append(all, r.practice()...)
}

// practice says that nothing is filed. A running bot says so by all that it shows, and not as a problem.
func (r *round) practice() []Finding {
	const found = "Practice: DRY_RUN is true, so nothing is filed."
	switch {
	case !r.Practice:
		return nil
	case r.Serving:
		return []Finding{ok(found)}
	}
	return []Finding{warn("To file, leave DRY_RUN out and name a new database in DATABASE_URL.", found)}
}

// cut makes two sentences of "NAME: what is wrong; what to do".
func cut(problem string) (found, do string) {
	name, _, _ := strings.Cut(problem, ":")
	do = "Correct " + name + "."
	if at := strings.LastIndex(problem, "; "); at > 0 {
		problem, do = problem[:at], "Correct "+name+": "+problem[at+2:]+"."
	}
	return problem + ".", do
}

// tokenRefusals are Slack's refusals of a token: docs.slack.dev/reference/methods/auth.test.
var tokenRefusals = []string{
	"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type", "no_permission",
}

func (r *round) slackToken(context.Context) []Finding {
	if r.self == nil {
		return []Finding{skip("Slack token: not tried, because a setting of Slack's is wrong.")}
	}
	self, err := r.self()
	switch code := codeOf(err); {
	case code == "account_inactive", code == "token_revoked":
		return []Finding{fail("Install the app in the workspace again, and copy the new SLACK_BOT_TOKEN from OAuth & Permissions.", "Slack token: SLACK_BOT_TOKEN was refused (%s).", code)}
	case slices.Contains(tokenRefusals, code):
		return []Finding{fail("Copy SLACK_BOT_TOKEN again from OAuth & Permissions.", "Slack token: SLACK_BOT_TOKEN was refused (%s).", code)}
	case err != nil:
		return []Finding{unreachable("Slack token", "Slack", err)}
	case self.Bot == "":
		return []Finding{fail("Copy the Bot User OAuth Token from OAuth & Permissions to SLACK_BOT_TOKEN.", "Slack token: SLACK_BOT_TOKEN is not a bot's.")}
	}
	return []Finding{ok("Slack token: SLACK_BOT_TOKEN is that of @%s in %s.", self.Name, self.home())}
}

// unreachable says that a vendor could not be asked. A clock that is far off looks like a bad certificate.
func unreachable(what, whom string, err error) Finding {
	if bad, is := errors.AsType[x509.CertificateInvalidError](err); is && bad.Reason == x509.Expired {
		return fail("Set the clock of this host (NTP), then try again.", "%s: %s's certificate is out of date by this host's clock, which may be wrong.", what, whom)
	}
	return fail("Check the way to "+whom+" (HTTPS_PROXY, firewall), then try again.", "%s: %s could not be asked: %v.", what, whom, because(err))
}

// because is an error within a sentence.
func because(err error) string { return strings.TrimRight(err.Error(), ".") }

// codeOf returns Slack's word for a refusal, "" for any other error.
func codeOf(err error) string {
	if refused, is := errors.AsType[*Refusal](err); is {
		return refused.Code
	}
	return ""
}

// scope is a right of the bot token.
type scope struct {
	name  string
	level Level
	cost  string // what does not work without it
}

// neededScopes are those that manifest.yaml asks for.
var neededScopes = []scope{
	{"commands", Fail, "nobody can type /cancel-server"},
	{"chat:write", Fail, "no result, question or alarm is posted"},
	{"users:read", Fail, "nobody can be told from a guest or a stranger, so everybody is refused"},
	{"usergroups:read", Fail, "nobody's user groups can be read, so nobody may do anything by a group"},
	{"im:write", Warn, "no direct messages"},
}

// optionalScopes are those that an administrator may leave out.
var optionalScopes = []scope{
	{"channels:history", OK, "after a lost answer a message may be posted twice"},
	{"groups:history", OK, "the same in private channels"},
	{"im:history", OK, "the same in direct messages"},
	{"channels:read", OK, "nobody can tell from here whether the bot is in a public channel"},
	{"groups:read", OK, "the same for private channels"},
}

func (r *round) scopes(context.Context) []Finding {
	if r.self == nil {
		return []Finding{skip("Scopes: cannot tell without SLACK_BOT_TOKEN.")}
	}
	self, err := r.self()
	switch {
	case err != nil:
		return []Finding{skip("Scopes: cannot tell while Slack does not take the token.")}
	case len(self.Scopes) == 0:
		return []Finding{skip("Scopes: Slack did not name them.")}
	}
	var all []Finding
	for _, s := range neededScopes {
		if !slices.Contains(self.Scopes, s.name) && (s.name != "usergroups:read" || r.namesGroups()) {
			all = append(all, Finding{
				Level: s.level, Found: "Scope " + s.name + " is missing: " + s.cost + ".",
				Do: "Add " + s.name + " under OAuth & Permissions and reinstall the app.",
			})
		}
	}
	if len(all) > 0 {
		return all
	}
	var left []string
	for _, s := range optionalScopes {
		if !slices.Contains(self.Scopes, s.name) {
			left = append(left, s.name+" ("+s.cost+")")
		}
	}
	if len(left) > 0 {
		return []Finding{ok("Scopes: all that are needed. Optional and not there: %s.", strings.Join(left, ", "))}
	}
	return []Finding{ok("Scopes: all, the optional ones too.")}
}

// namesGroups reports whether the policy names user groups. If the policy is not known, it may.
func (r *round) namesGroups() bool {
	if r.policy == nil {
		return true
	}
	policy, err := r.policy()
	return err != nil || len(policy.GroupIDs()) > 0
}

// transport says whether Slack can reach the bot. It asks for a websocket's address once and leaves it
// unopened: Slack would deliver real commands to it.
func (r *round) transport(ctx context.Context) []Finding {
	var all []Finding
	t := r.Transport
	if t.Sockets != nil {
		all = append(all, sockets(t.Sockets()))
	}
	if t.Connect != nil {
		all = append(all, connected(t.Connect(ctx)))
	}
	if t.Signed {
		all = append(all, ok("HTTP: SLACK_SIGNING_SECRET is set. Only a request of Slack's shows whether it is the right one."))
	}
	if len(all) == 0 {
		return []Finding{skip("Transport: neither SLACK_APP_TOKEN nor SLACK_SIGNING_SECRET can be used.")}
	}
	return all
}

func sockets(standing, wanted int) Finding {
	if standing == 0 {
		return fail("Check SLACK_APP_TOKEN and the way to Slack; the bot keeps trying.", "Socket Mode: no connection stands.")
	}
	return ok("Socket Mode: %d of %d connections stand.", standing, wanted)
}

func connected(err error) Finding {
	const copyAgain = "Make an app-level token with connections:write under Basic Information and put it in SLACK_APP_TOKEN."
	switch code := codeOf(err); {
	case err == nil:
		return ok("Socket Mode: SLACK_APP_TOKEN is accepted. No connection was opened.")
	case errors.Is(err, ErrTooEarly):
		return skip("Socket Mode: Slack asks to wait before SLACK_APP_TOKEN is tried again.")
	case code == "missing_scope":
		return fail(copyAgain, "Socket Mode: SLACK_APP_TOKEN lacks connections:write.")
	case slices.Contains(tokenRefusals, code):
		return fail(copyAgain, "Socket Mode: SLACK_APP_TOKEN was refused (%s).", code)
	case code != "":
		return fail("Turn Socket Mode on in the app's settings.", "Socket Mode: Slack gives no connection (%s).", code)
	}
	return unreachable("Socket Mode", "Slack", err)
}
