//go:build unix

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// onInstallPage are the blocks of docs/install.md with the heading above each.
var onInstallPage = regexp.MustCompile("(?m)^#+ (.+)$|(?ms)^ *```([a-z]*)\n(.*?)\n *```$")

// TestTheInstallPageLeadsToATicket does what the page says, in its order, with the fakes in the vendors'
// place: it exports what the page exports, runs each command, and holds the page to what comes.
func TestTheInstallPageLeadsToATicket(t *testing.T) {
	t.Parallel()
	for transport, other := range map[string]string{bySocket: "With HTTP", byHTTP: "With Socket Mode"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			n := newcomer{world: newWorld(t, transport, setup{fresh: true}), set: map[string]string{}}
			n.slack.SetScopes(append(fakeslack.DefaultScopes(), optional...)...)
			heading := ""
			for _, found := range onInstallPage.FindAllStringSubmatch(pages(t)["../../docs/install.md"], -1) {
				if found[1] != "" {
					heading = found[1]
				}
				switch {
				case found[1] != "" || heading == other || found[2] == "yaml":
				case found[2] == "text":
					n.reads(found[3])
				default:
					for line := range strings.Lines(found[3]) {
						n.types(strings.TrimSpace(line))
					}
				}
			}
			assert.GreaterOrEqual(t, n.commands, 7, "the page shows commands")
			require.Equal(t, map[string]int{"filed": 1}, n.recorded(), "the last request is the real one")
			assert.Len(t, n.posts(), 1)
			assert.Empty(t, n.broken())
		})
	}
}

// newcomer is somebody who does what the page says, in one shell.
type newcomer struct {
	*world
	set  map[string]string // what was exported
	said string            // what the last command printed

	commands int // that were run
}

// types runs one line of the page.
func (n *newcomer) types(line string) {
	n.t.Helper()
	name, value, exported := strings.Cut(strings.TrimPrefix(line, "export "), "=")
	switch {
	case exported:
		n.set[name] = n.own(name, value)
	case line == "bot serve":
		n.commands++
		n.stop() // with Ctrl-C
		n.extra = n.shell()
		n.start()
		n.awaitReady()
		n.asks()
	case strings.HasPrefix(line, "bot "):
		n.commands++
		var code int
		code, n.said = n.ends(strings.Fields(line)[1:], n.shell()...)
		if n.set["NOTIFY_CHANNEL"] != "" { // the last setting
			assert.Equal(n.t, exitDone, code, "no line says FAIL: %s: %s", line, n.said)
		}
	}
}

// asks has a server cancelled that somebody approves.
func (n *newcomer) asks() {
	n.t.Helper()
	ends := "Cancellation requested"
	if n.set["DRY_RUN"] == "true" {
		ends = "would have been filed now"
	}
	server := n.another()
	form := n.form(n.cast.Channel, n.cast.Requester, server)
	require.Empty(n.t, n.submit(n.cast.Requester, form, n.usual(form, server)).Error)
	n.press(n.cast.Approver, n.awaitMessage(n.cast.Channel, "Waiting for approval", n.fqdn(server)), "approve")
	n.awaitMessage(n.cast.Channel, ends, n.fqdn(server))
}

// reads holds the last command to having printed these lines; "…" stands for anything.
func (n *newcomer) reads(lines string) {
	n.t.Helper()
	for line := range strings.Lines(lines) {
		pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(line)), "…", ".*")
		assert.Regexp(n.t, "(?m)^"+pattern+"$", n.said)
	}
}

// own is the fakes' value of a setting that the page exports.
func (n *newcomer) own(name, shown string) string {
	switch name {
	case "SLACK_BOT_TOKEN":
		return n.slack.BotToken()
	case "SLACK_APP_TOKEN":
		return n.slack.AppToken()
	case "SLACK_SIGNING_SECRET":
		return n.slack.SigningSecret()
	case "SOFTLAYER_API_KEY":
		return n.softlayer.APIKey()
	case "REQUEST_GROUPS":
		return n.cast.RequestGroup
	case "APPROVE_GROUPS":
		return n.cast.ApproveGroup
	case "NOTIFY_CHANNEL":
		return n.cast.Channel
	case "DATABASE_URL":
		return "sqlite:" + filepath.Join(n.dir, filepath.Base(shown))
	}
	return strings.Trim(shown, "'")
}

// shell is what the page has exported so far. What the tests set for the bot and the page exports later is
// not set.
func (n *newcomer) shell() []string {
	env := []string{"POLICY_FILE=", "SLACK_BOT_TOKEN=", "SLACK_APP_TOKEN=", "SLACK_SIGNING_SECRET=", "SOFTLAYER_API_KEY=", "DATABASE_URL="}
	for name, value := range n.set {
		env = append(env, name+"="+value)
	}
	return env
}
