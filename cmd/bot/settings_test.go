//go:build unix

package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestFiveSettingsWithoutAFileFileATicket(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		w.extra = []string{"POLICY_FILE=", "REQUEST_GROUPS=" + w.cast.RequestGroup, "APPROVE_GROUPS=none"}
	}}, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.Requester, w.server)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)

		server := w.which("the tag protected", func(h hardware) bool { return h.tagged("protected") })
		m := w.form(w.cast.Channel, w.cast.Requester, server)
		w.submit(w.cast.Requester, m, w.usual(m, server))
		assert.Equal(t, "Not allowed", w.top(w.cast.Requester).Title.Text, "the default of PROTECTED_TAGS holds")
		assert.Empty(t, w.postsFor(server))

		require.Empty(t, w.command(w.cast.Outsider, "").Error)
		assert.Zero(t, w.hasOpen(w.cast.Outsider), "nobody else may ask")
	})
}

func TestPeopleInsteadOfGroupsNeedNoGroupCall(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		w.extra = []string{"POLICY_FILE=", "REQUEST_GROUPS=" + w.cast.User, "APPROVE_GROUPS=" + w.cast.Approver, "PROTECTED_TAGS=prod"}
	}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		w.submit(w.cast.User, m, w.usual(m, w.server))
		assert.Contains(t, w.top(w.cast.User).text(w), "Waiting for the approval of one other person")
		require.Empty(t, w.command(w.cast.Requester, "").Error)
		assert.Zero(t, w.hasOpen(w.cast.Requester), "who is not named may not ask")
		assert.Empty(t, w.calls("usergroups.list"), "no group is named, none is read")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Empty(t, w.posts())
		waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(w.server))
		w.press(w.cast.User, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.User, "Nothing was recorded", "builtin-own-request")
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
		assert.Empty(t, w.calls("usergroups.list"), "none is read for an approval")
	})
}

func TestGroupsInTheSettingsNeedNoPolicyFile(t *testing.T) {
	overHTTP(t, setup{before: func(w *world) {
		w.extra = []string{"POLICY_FILE=", "REQUEST_GROUPS=" + w.cast.RequestGroup, "APPROVE_GROUPS=" + w.cast.ApproveGroup}
	}}, func(t *testing.T, w *world) {
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		waits := w.awaitMessage(w.cast.Channel, "Waiting for approval", w.fqdn(w.server))
		w.press(w.cast.Requester, waits, "approve") // who may ask only
		w.whispered(w.cast.Channel, w.cast.Requester, "Nothing was recorded", "builtin-default-deny")
		assert.Empty(t, w.posts())
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
		assert.Len(t, w.posts(), 1)
	})
}

func TestBothTransportsServeWhileASecretIsRotated(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{before: func(w *world) {
		w.extra = []string{"SLACK_APP_TOKEN=" + w.slack.AppToken(), "SLACK_SIGNING_SECRET=the-coming-secret, " + w.slack.SigningSecret()}
	}})
	w.eventually("the bot is ready", func() bool { status, _ := w.ready(); return status == http.StatusOK })
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	assert.NotEmpty(t, w.calls("apps.connections.open"), "Socket Mode is open as well")
}

func TestReadyzTellsWhetherTheBotTakesCommands(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportSocket, setup{})
	alive, err := http.Get("http://" + w.admin + "/livez")
	require.NoError(t, err)
	require.NoError(t, alive.Body.Close())
	assert.Equal(t, http.StatusOK, alive.StatusCode)
	w.eventually("the bot is ready", func() bool { status, _ := w.ready(); return status == http.StatusOK })
	_, said := w.readyz()
	socket := said.Socket
	require.NotNil(t, socket)
	assert.Equal(t, 2, socket.Wanted)
	assert.Equal(t, 1, socket.Standing, "the second connection comes later, and its absence is no problem")
	heard, err := time.Parse(time.RFC3339, socket.LastHeard)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), heard, time.Minute)

	require.NoError(t, w.slack.Fault("apps.connections.open", fakeslack.FaultError500, 2))
	require.NoError(t, w.slack.Socket(fakeslack.SocketDisconnect))
	w.eventually("the bot says that Slack cannot reach it", func() bool {
		status, problems := w.ready()
		return status == http.StatusServiceUnavailable && strings.Contains(problems, "no Socket Mode connection")
	})
	w.eventually("the bot is ready again", func() bool { status, _ := w.ready(); return status == http.StatusOK })
}

func TestWhatIsWronglyConfiguredDoesNotStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	poisoned := filepath.Join(w.dir, "poisoned.cedar")
	require.NoError(t, os.WriteFile(poisoned, []byte("permit (principal, action, resource)\n@@"), 0o600))
	nobody := filepath.Join(w.dir, "nobody.cedar")
	require.NoError(t, os.WriteFile(nobody, []byte(`@id("never") forbid (principal, action, resource);`), 0o600))
	for _, wrong := range []struct {
		name string
		args []string
		env  string
		code int
		said string
	}{
		{"a policy that is no Cedar", nil, "POLICY_FILE=" + poisoned, 2, "poisoned.cedar:"},
		{"a policy that permits nothing", nil, "POLICY_FILE=" + nobody, 2, "nobody.cedar"},
		{"a policy that is not there", nil, "POLICY_FILE=" + filepath.Join(w.dir, "absent.cedar"), 2, "POLICY_FILE"},
		{"a channel by its name", nil, "NOTIFY_CHANNEL=ops", 2, "NOTIFY_CHANNEL: not a Slack channel's id"},
		{"an undo window without a unit", nil, "UNDO_WINDOW=10", 2, "UNDO_WINDOW: not a duration"},
		{"a misspelt setting", nil, "POLICY_FILES=x", 2, "did you mean POLICY_FILE?"},
		{"a setting that contradicts another", nil, "REQUEST_GROUPS=S0123ABC", 2, "REQUEST_GROUPS: contradicts POLICY_FILE"},
		{"an unknown verb", []string{"telemetry"}, "", 2, `"telemetry" is not a verb`},
		{"a freeze without a reason", []string{"freeze"}, "", 2, "say why"},
		{"serve with an argument", []string{"serve", "now"}, "", 2, "serve takes no arguments"},
		{"version with an argument", []string{"version", "x"}, "", 2, "version takes no arguments"},
		{"version with a flag", []string{"version", "--short"}, "", 2, "version takes no arguments"},
		{"a Slack token that Slack refuses", nil, "SLACK_BOT_TOKEN=xoxb-wrong", 1, "invalid_auth"},
		{"a SoftLayer key that SoftLayer refuses", nil, "SOFTLAYER_API_KEY=wrong", 1, "SoftLayer"},
		{"an address that is taken", nil, "ADMIN_ADDR=" + strings.TrimPrefix(w.url, "http://"), 1, "ADMIN_ADDR"},
	} {
		code, said := w.ends(wrong.args, wrong.env)
		assert.Equal(t, wrong.code, code, "%s: %s", wrong.name, said)
		assert.Contains(t, said, wrong.said, wrong.name)
		assert.NotContains(t, said, w.softlayer.APIKey(), wrong.name)
	}
}

func TestUnusablePolicyIsReportedWithEveryOtherProblem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	poisoned := filepath.Join(w.dir, "poisoned.cedar")
	require.NoError(t, os.WriteFile(poisoned, []byte("permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource) when { resource.tag };"), 0o600))
	for path, said := range map[string][]string{
		poisoned:                              {"POLICY_FILE: " + poisoned + ":1:1: missing @id", "POLICY_FILE: " + poisoned + ":2:1: "},
		filepath.Join(w.dir, "absent.cedar"):  {"POLICY_FILE: the file cannot be used: no such file or directory"},
		filepath.Join(w.dir, "requests.db/x"): {"POLICY_FILE: the file cannot be used: "},
	} {
		code, all := w.ends(nil, "POLICY_FILE="+path, "SETTLE_TIME=soon")
		assert.Equal(t, 2, code)
		for _, problem := range append(said, "SETTLE_TIME: not a duration") {
			assert.Contains(t, all, problem)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	assert.Empty(t, w.slk, "Slack was asked nothing")
	assert.Empty(t, w.sl, "SoftLayer was asked nothing")
}

func TestVersionAndHelpNeedNoConfiguration(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportSocket, setup{})
	const nothing = "SLACK_BOT_TOKEN="
	code, said := w.ends([]string{"version"}, nothing)
	assert.Zero(t, code)
	assert.Contains(t, said, "cancel-server ")
	for _, args := range [][]string{{"-h"}, {"--help"}} {
		code, said := w.ends(args, nothing)
		assert.Zero(t, code, "%q", args)
		assert.Contains(t, said, "bot resolve REF none --why TEXT", "%q", args)
	}
}

// ready is the status and the problems of /readyz.
func (w *world) ready() (status int, problems string) {
	w.t.Helper()
	status, said := w.readyz()
	return status, strings.Join(said.Problems, "; ")
}

// readyz is its whole answer.
func (w *world) readyz() (status int, said readiness) {
	w.t.Helper()
	answer, err := http.Get("http://" + w.admin + "/readyz")
	require.NoError(w.t, err)
	defer answer.Body.Close()
	require.NoError(w.t, json.NewDecoder(answer.Body).Decode(&said))
	return answer.StatusCode, said
}

func TestTakenAddressEndsTheBot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, name := range []string{"ADMIN_ADDR", "LISTEN_ADDR"} {
		code, said := w.ends(nil, name+"="+taken.Addr().String())
		assert.Equal(t, 1, code, name)
		assert.Contains(t, said, "listening on "+name)
	}
}
