package main

import (
	_ "embed"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"cancel-server/internal/fakeslack"
)

//go:embed policy.cedar
var policyText string

// settingNames are the bot's settings; those of the parent's environment never
// reach the child. Slack's and SoftLayer's go by their prefix.
func settingNames() []string {
	return []string{
		"POLICY_FILE", "REQUEST_GROUPS", "APPROVE_GROUPS", "PROTECTED_TAGS",
		"DATABASE_URL", "LISTEN_ADDR", "ADMIN_ADDR", "TICKET_URL", "NOTIFY_CHANNEL", "REPORT_CHANNEL", "OPERATOR_CONTACT", "AUDIT_KEY_FILE", "CLOSURE_DEADLINES",
		"FOLLOW_EVERY", "UNDO_WINDOW", "APPROVAL_EXPIRY", "MAX_SERVERS_PER_DAY", "MAX_BATCH", "MAX_FILINGS_PER_HOUR", "SETTLE_TIME", "POST_TIMEOUT", "DRY_RUN", "LOG_LEVEL", "LOG_FORMAT",
	}
}

// isSetting reports whether a name, or the name before _FILE, belongs to the bot or to the sandbox
// itself. It ignores case, because the bot refuses to start if a name is nearly one of its own.
func isSetting(name string) bool {
	name = strings.ToUpper(name)
	for _, prefix := range []string{"SLACK_", "SOFTLAYER_", "SANDBOX_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains(settingNames(), name) || slices.Contains(settingNames(), strings.TrimSuffix(name, "_FILE"))
}

// cleaned returns an environment without the settings of the bot.
func cleaned(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return isSetting(name)
	})
}

// environment returns what the child sees. In HTTP mode it also tells Slack where the child will
// listen. folder is the sandbox's own.
func (w *world) environment(parent []string, folder string) ([]string, error) {
	policy, err := w.writePolicy(folder)
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	environ := append(cleaned(parent),
		"SLACK_BOT_TOKEN="+w.slack.BotToken(),
		"SLACK_API_URL="+w.url+"/slack/api/",
		"SOFTLAYER_USERNAME="+w.softlayer.Username(),
		"SOFTLAYER_API_KEY="+w.softlayer.APIKey(),
		"SOFTLAYER_ENDPOINT_URL="+w.url+"/softlayer/rest/v3.1",
		"TICKET_URL="+w.url+"/softlayer/tickets/{id}",
		"POLICY_FILE="+policy,
		"DATABASE_URL=sqlite:"+filepath.Join(folder, "cancel-server.db"),
		"ADMIN_ADDR="+addresses[0],
		"FOLLOW_EVERY=5s", // nobody who tries it waits an hour for what staff answered
	)
	if w.transport == fakeslack.TransportHTTP {
		w.slack.SetEndpoint("http://" + addresses[1])
		environ = append(environ, "SLACK_SIGNING_SECRET="+w.slack.SigningSecret(), "LISTEN_ADDR="+addresses[1])
	} else {
		environ = append(environ, "SLACK_APP_TOKEN="+w.slack.AppToken())
	}
	return append(environ, w.names()...), nil
}

// names are the SANDBOX_ variables: people and things to play with.
func (w *world) names() []string {
	cast := w.slack.Cast()
	return []string{
		"SANDBOX_URL=" + w.url,
		"SANDBOX_CHANNEL=" + cast.Channel,
		"SANDBOX_USER=" + cast.User,
		"SANDBOX_REQUESTER=" + cast.Requester,
		"SANDBOX_APPROVER=" + cast.Approver,
		"SANDBOX_GUEST=" + cast.Guest,
		"SANDBOX_SERVER=" + strconv.FormatInt(w.server, 10),
	}
}

// writePolicy writes the policy for the groups of this workspace and returns its path.
func (w *world) writePolicy(folder string) (string, error) {
	parsed, err := template.New("policy.cedar").Parse(policyText)
	if err != nil {
		return "", fmt.Errorf("reading the sandbox's policy: %w", err)
	}
	var text strings.Builder
	if err := parsed.Execute(&text, w.slack.Cast()); err != nil {
		return "", fmt.Errorf("naming the groups in the sandbox's policy: %w", err)
	}
	path := filepath.Join(folder, "policy.cedar")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return "", fmt.Errorf("writing the sandbox's policy: %w", err)
	}
	return path, nil
}

// Where to look for free addresses: below the range from which systems choose ports themselves, so
// that nothing takes one before the child does.
const (
	firstPort = 20_000
	portCount = 12_000
)

// freeAddresses returns n different addresses on which nothing listened a moment ago.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range 1_000 {
		if len(addresses) == n {
			return addresses, nil
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(portCount)))
		if err != nil {
			continue // taken
		}
		defer listener.Close() // at the end: each must differ from the others
		addresses = append(addresses, listener.Addr().String())
	}
	return nil, errors.New("looking for a free address: found none")
}
