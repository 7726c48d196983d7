package main

import (
	"cmp"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cancel-server/internal/softlayer"
)

// checkTogether returns which settings are missing next to others, or contradict them. given
// holds the names of those that were set.
func checkTogether(cfg config, given map[string]bool) []string {
	var problems []string
	if !given["SLACK_APP_TOKEN"] && !given["SLACK_SIGNING_SECRET"] {
		problems = append(problems, "SLACK_APP_TOKEN: neither it nor SLACK_SIGNING_SECRET is set; set the first for Socket Mode, the second for HTTP, or both")
	}
	problems = append(problems, checkAuthority(given)...)
	if given["SLACK_SIGNING_SECRET"] && cfg.ListenAddr == cfg.AdminAddr && !strings.HasSuffix(cfg.ListenAddr, ":0") {
		problems = append(problems, "ADMIN_ADDR: the same as LISTEN_ADDR; give one of them another port")
	}
	problems = append(problems, checkTimes(cfg)...)
	if settle, post := cfg.SettleTime, cfg.PostTimeout; settle > 0 && post > 0 && settle < post {
		problems = append(problems, "SETTLE_TIME: shorter than POST_TIMEOUT; make it at least as long")
	}
	return problems
}

// checkAuthority returns what is wrong if the policy comes from both POLICY_FILE and the groups
// settings, or from neither.
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
		problems = append(problems, "APPROVE_GROUPS: required with REQUEST_GROUPS; name who approves, or write none to let requesters file without approval")
	}
	return problems
}

// token returns a check that accepts an empty value or a Slack token of one kind.
func token(prefix string) func(secret) string {
	return func(s secret) string {
		value := s.Reveal()
		if rest, ok := strings.CutPrefix(value, prefix); value != "" && (!ok || rest == "") {
			return "does not begin with " + prefix + "; copy it again from the Slack app's settings"
		}
		return s.check()
	}
}

// check refuses characters that are never part of a token or a key, but that a careless copy may
// add.
func (s secret) check() string {
	if strings.ContainsFunc(s.Reveal(), isSpaceOrControl) {
		return "holds white space or a control character; copy it again"
	}
	return ""
}

func (s secrets) check() string {
	for _, one := range s {
		if problem := one.check(); problem != "" {
			return problem
		}
	}
	return ""
}

func isSpaceOrControl(r rune) bool { return r <= ' ' || r == 0x7f || r == 0xa0 }

// accept returns a check with one condition.
func accept[T any](fine func(T) bool, problem string) func(T) string {
	return func(value T) string {
		if fine(value) {
			return ""
		}
		return problem
	}
}

// oneOf returns a check for a few values.
func oneOf[T comparable](problem string, values ...T) func(T) string {
	return accept(func(value T) bool { return slices.Contains(values, value) }, problem)
}

// positive returns a check for values above zero. The advice says what to write.
func positive[T cmp.Ordered](advice string) func(T) string {
	var zero T
	return accept(func(value T) bool { return value > zero }, "not above 0; write "+advice)
}

// isUserName: HTTP Basic authentication ends a user name at its first colon
// (https://www.rfc-editor.org/rfc/rfc7617#section-2).
func isUserName(name string) bool {
	return !strings.ContainsFunc(name, isSpaceOrControl) && !strings.Contains(name, ":")
}

func isRate(rate float64) bool { return rate > 0 && !math.IsInf(rate, 1) }

// slackGroupOrUser matches the id of a user group, or of a user, also with the team or
// enterprise in front. Users of an enterprise may begin with W
// (https://api.slack.com/enterprise/grid).
var slackGroupOrUser = regexp.MustCompile(`^(S[A-Z0-9]+|([TE][A-Z0-9]+/)?[UW][A-Z0-9]+)$`)

func checkSlackIDs(ids list) string {
	for _, id := range ids {
		if !slackGroupOrUser.MatchString(id) {
			return "holds something other than ids of user groups (S…) and users (U…, W…); copy the ids from Slack"
		}
	}
	return ""
}

// isNone reports whether APPROVE_GROUPS is none: requesters need no second person.
func (l list) isNone() bool { return len(l) == 1 && l[0] == "none" }

func checkApprovers(ids list) string {
	switch {
	case ids.isNone():
		return ""
	case slices.Contains(ids, "none"):
		return "holds none together with ids; write either none or ids"
	default:
		return checkSlackIDs(ids)
	}
}

func checkDatabase(setting secret) string {
	path, url := databaseOf(setting)
	switch {
	case url != "":
		return checkPostgres(url)
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

// checkTimes returns which times are too short for SoftLayer itself. It takes seconds to answer
// a cancellation, and a POST that is cut off sooner has an unknown outcome each time. A new
// ticket needs time to appear before one more is sent. A stand-in on loopback answers at once.
func checkTimes(cfg config) []string {
	at, err := url.Parse(cfg.SoftLayerEndpoint)
	if err == nil && softlayer.IsLoopback(at.Hostname()) {
		return nil
	}
	var problems []string
	const shorter, advice = ": shorter than ", ", too short for SoftLayer; make it at least as long"
	if cfg.SettleTime > 0 && cfg.SettleTime < time.Minute {
		problems = append(problems, "SETTLE_TIME"+shorter+"1m"+advice)
	}
	if cfg.PostTimeout > 0 && cfg.PostTimeout < 10*time.Second {
		problems = append(problems, "POST_TIMEOUT"+shorter+"10s"+advice)
	}
	return problems
}

// longestContact bounds OPERATOR_CONTACT, which appears in messages.
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

func checkSlackAPI(raw string) string {
	if problem := checkBaseURL(raw); problem != "" {
		return problem
	}
	if !strings.HasSuffix(raw, "/") {
		return "has no slash at its end; add it"
	}
	return ""
}

func checkBaseURL(raw string) string {
	if strings.ContainsAny(raw, "?#") {
		return "has a query or a fragment; give the base alone"
	}
	return checkWebAddress(raw)
}

// checkWebAddress accepts https, and http to this machine, since credentials go there.
func checkWebAddress(raw string) string {
	address, err := url.Parse(raw)
	switch {
	case err != nil || address.Hostname() == "" || strings.ContainsFunc(raw, isSpaceOrControl):
		return "not a web address; write it as https://HOST/PATH"
	case address.User != nil:
		return "holds a user name or a password; leave them out"
	case address.Scheme == "https" || address.Scheme == "http" && softlayer.IsLoopback(address.Hostname()):
		return ""
	default:
		return "neither https nor http to loopback; use https"
	}
}

// checkTicketURL also refuses characters that would end a link in Slack's markup.
func checkTicketURL(template string) string {
	if strings.ContainsAny(template, `<>|"`) {
		return `holds one of < > | "; write it percent-encoded`
	}
	if problem := checkWebAddress(template); problem != "" {
		return problem
	}
	rest := strings.NewReplacer("{id}", "", "{number}", "").Replace(template)
	switch {
	case strings.ContainsAny(rest, "{}"):
		return "holds braces other than {id} and {number}; leave them out"
	case rest == template:
		return "holds neither {id} nor {number}; put one where the ticket's goes"
	}
	return ""
}

func checkAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || strings.ContainsFunc(host, isSpaceOrControl) {
		return "not of the form HOST:PORT; write it like 127.0.0.1:3000"
	}
	return ""
}
