//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/checkup"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/storetest"
)

// wrongSetup is a way to set the bot up wrongly, and what people read of it.
type wrongSetup struct {
	name  string
	apply func(w *world) []string // changes the vendors, and returns further settings
	says  []string                // lines of bot check, or how they begin or end
	code  int
	// runs says that a bot which is set up so serves, and that /readyz then has the first line.
	runs bool
}

// optional are the scopes that the manifest has as bot_optional and the checks use.
var optional = []string{"channels:read", "groups:read"}

// rightly is a world in which nothing is wrong but where its database is.
func rightly(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, fakeslack.TransportSocket, setup{})
	w.slack.SetScopes(append(fakeslack.DefaultScopes(), optional...)...)
	w.extra = []string{"NOTIFY_CHANNEL=" + w.cast.Channel}
	return w
}

func (w *world) withoutScope(scope string) {
	scopes := append(fakeslack.DefaultScopes(), optional...)
	w.slack.SetScopes(slices.DeleteFunc(scopes, func(s string) bool { return s == scope })...)
}

func (w *world) revoke(right string) {
	w.control(http.MethodPost, "/key", map[string]any{"revoke": []string{right}}, nil)
}

func yes() *bool { is := true; return &is }

// policyText is the usual policy with another rule about who approves.
func (w *world) policyText(group, when string) string {
	return fmt.Sprintf(`
@id("requesters-ask") permit (principal in Group::%q, action == Action::"request", resource);
@id("leads-approve") permit (principal in Group::%q, action == Action::"approve", resource) %s;`, w.cast.RequestGroup, group, when)
}

var wrongSetups = []wrongSetup{
	{"a token that Slack refuses", func(*world) []string { return []string{"SLACK_BOT_TOKEN=xoxb-wrong"} }, []string{
		"FAIL  Slack token: SLACK_BOT_TOKEN was refused (invalid_auth). Copy SLACK_BOT_TOKEN again from OAuth & Permissions.",
		"SKIP  Scopes: cannot tell while Slack does not take the token.",
		"Next: Copy SLACK_BOT_TOKEN again from OAuth & Permissions.",
	}, exitFailed, false},
	{"tokens in each other's place", func(w *world) []string {
		return []string{"SLACK_BOT_TOKEN=" + w.slack.AppToken(), "SLACK_APP_TOKEN=" + w.slack.BotToken()}
	}, []string{
		"FAIL  Settings: SLACK_BOT_TOKEN: does not begin with xoxb-. Correct SLACK_BOT_TOKEN: copy it again from the Slack app's settings.",
		"FAIL  Settings: SLACK_APP_TOKEN: does not begin with xapp-.",
		"SKIP  Slack token: not tried, because a setting of Slack's is wrong.",
		"OK    SoftLayer key: ",
	}, exitUsage, false},
	{"a malformed time", func(*world) []string { return []string{"SETTLE_TIME=soon"} }, []string{
		"FAIL  Settings: SETTLE_TIME: not a duration, such as 5m. Correct SETTLE_TIME: correct it.", "OK    Slack token: ",
	}, exitUsage, false},
	{"no chat:write", func(w *world) []string { w.withoutScope("chat:write"); return nil }, []string{
		"FAIL  Scope chat:write is missing: no result, question or alarm is posted. Add chat:write under OAuth & Permissions and reinstall the app.",
	}, exitFailed, true},
	{"no im:write", func(w *world) []string { w.withoutScope("im:write"); return nil }, []string{
		"WARN  Scope im:write is missing: no direct messages. Add im:write under OAuth & Permissions and reinstall the app.",
	}, exitDone, false},
	{"no users:read", func(w *world) []string { w.withoutScope("users:read"); return nil }, []string{
		"FAIL  Scope users:read is missing: nobody can be told from a guest or a stranger, so everybody is refused.",
	}, exitFailed, false},
	{"no usergroups:read", func(w *world) []string { w.withoutScope("usergroups:read"); return nil }, []string{
		"FAIL  Scope usergroups:read is missing: ", "SKIP  Groups: cannot tell without usergroups:read.", "SKIP  Approvers: cannot tell who is in the policy's groups.",
	}, exitFailed, false},
	{"an app token that Slack refuses", func(*world) []string { return []string{"SLACK_APP_TOKEN=xapp-wrong"} }, []string{
		"FAIL  Socket Mode: SLACK_APP_TOKEN was refused (invalid_auth). Make an app-level token with connections:write",
	}, exitFailed, false},
	{"an app token that was tried too often", func(w *world) []string {
		_ = w.slack.Fault("apps.connections.open", fakeslack.FaultRateLimited, 1)
		return nil
	}, []string{"SKIP  Socket Mode: Slack asks to wait before SLACK_APP_TOKEN is tried again."}, exitDone, false},
	{"a clock ahead of Slack's, over HTTP", func(w *world) []string {
		_ = w.slack.Fault("auth.test", fakeslack.FaultWrongDate, 1)
		_ = w.slack.Fault("usergroups.list", fakeslack.FaultWrongDate, 1)
		_ = w.slack.Fault("users.info", fakeslack.FaultWrongDate, 100)
		_ = w.slack.Fault("conversations.info", fakeslack.FaultWrongDate, 1)
		return []string{"SLACK_SIGNING_SECRET=" + w.slack.SigningSecret()}
	}, []string{
		"ahead of Slack, within a second of SoftLayer. Slack's requests are refused for their time; the signing secret may be right. Set the clock of this host (NTP).",
		"OK    HTTP: SLACK_SIGNING_SECRET is set. Only a request of Slack's shows whether it is the right one.",
	}, exitFailed, false},
	{"a clock ahead of SoftLayer's", func(w *world) []string {
		_ = w.softlayer.Fault("*", "wrong_date", 1000)
		return nil
	}, []string{"ahead of SoftLayer. Set the clock of this host (NTP)."}, exitDone, false},
	{"a key that SoftLayer refuses", func(*world) []string { return []string{"SOFTLAYER_API_KEY=wrong"} }, []string{
		"FAIL  SoftLayer key: SOFTLAYER_API_KEY was refused. Copy SOFTLAYER_API_KEY again,",
		"OK    Clock: within a second of Slack, within a second of SoftLayer.", "SKIP  Rights: ", "SKIP  Approvers: ", "SKIP  Cut-off: ",
	}, exitFailed, false},
	{"a key without SERVER_CANCEL", func(w *world) []string { w.revoke("SERVER_CANCEL"); return nil }, []string{
		"FAIL  The SoftLayer key lacks SERVER_CANCEL: nothing can be filed. Give the SoftLayer key's user SERVER_CANCEL in IBM Cloud",
		"OK    Rights: the key has TICKET_ADD, TICKET_VIEW, HARDWARE_VIEW, TICKET_EDIT, ACCOUNT_SUMMARY_VIEW, NAS_MANAGE.",
	}, exitFailed, true},
	{"a key without TICKET_EDIT", func(w *world) []string { w.revoke("TICKET_EDIT"); return nil }, []string{
		"WARN  The SoftLayer key lacks TICKET_EDIT: no replies and no requests to stop.",
	}, exitDone, true},
	{"a key that sees some servers", func(w *world) []string {
		w.control(http.MethodPost, "/key", map[string]any{"hide_servers": []int64{w.server}}, nil)
		return nil
	}, []string{"WARN  Servers: the key sees only some, 47."}, exitDone, true},
	{"a master user's key", func(w *world) []string {
		w.control(http.MethodPost, "/key", map[string]any{"master": true}, nil)
		return nil
	}, []string{"WARN  Rights: the key is a master user's, and may do everything."}, exitDone, false},
	{"no cut-off", func(w *world) []string {
		_ = w.softlayer.Fault("SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate", "no_permission", 9)
		return nil
	}, []string{"WARN  Cut-off: the key may not ask for it, so that messages name both dates on which a server may go. Give the SoftLayer key's user ACCOUNT_SUMMARY_VIEW."}, exitDone, true},
	{"a SoftLayer that hangs", func(w *world) []string {
		_ = w.softlayer.Fault("*", "hang", 100)
		return nil
	}, []string{"FAIL  SoftLayer key: SoftLayer could not be asked: ", "OK    Slack token: "}, exitFailed, false},
	{"a group that Slack does not list", func(w *world) []string {
		w.policy = w.policyText("S0NOBODY", "")
		return nil
	}, []string{
		"FAIL  Slack lists no user group S0NOBODY: whatever it allows nobody gets,", "FAIL  Nobody could approve servers in ",
	}, exitFailed, false},
	{"a group that is switched off", func(w *world) []string {
		_ = w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Disabled: yes()})
		return nil
	}, []string{"FAIL  @infra-leads (", "is switched off, so that nobody knows who is in it. Switch the group on in Slack,"}, exitFailed, false},
	{"a group that nobody is in", func(w *world) []string {
		_ = w.slack.PatchGroup(w.cast.CancelGroup, fakeslack.GroupPatch{Remove: []string{w.cast.User, w.cast.Guest}})
		return nil
	}, []string{") has no member. Add people to @server-cancellers in Slack."}, exitDone, false},
	{"approvers whom any member may change", func(w *world) []string {
		_ = w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Editable: yes(), Add: []string{w.cast.Deactivated}})
		return nil
	}, []string{"2 members, 1 deactivated; any member may edit it and so become an approver. Restrict who may edit user groups in Slack"}, exitDone, true},
	{"approvers who have all left", func(w *world) []string {
		_ = w.slack.PatchUser(w.cast.Approver, fakeslack.UserPatch{Deleted: yes()})
		return nil
	}, []string{"1 member, 1 deactivated.", "FAIL  Nobody could approve servers in "}, exitFailed, false},
	{"a place that nobody approves for", func(w *world) []string {
		w.policy = w.policyText(w.cast.ApproveGroup, `when { resource.datacenter != "fra02" || resource.tags.contains("staging") }`)
		return nil
	}, []string{"FAIL  Nobody could approve servers in fra02 (", "by data center and tags; a server's name and cost are left open). Run: bot policy who"}, exitFailed, true},
	{"a policy that is no Cedar", func(w *world) []string {
		w.policy = "permit (principal, action, resource);\n@@"
		return nil
	}, []string{"FAIL  Policy: POLICY_FILE: ", "policy.cedar:", "SKIP  Groups: cannot tell without a valid policy.", "Next: Correct the policy."}, exitUsage, false},
	{"a policy that permits everything to everyone", func(w *world) []string {
		w.policy = `@id("all") permit (principal, action, resource);`
		return nil
	}, []string{"WARN  Policy: ", "rule all permits everything to everyone, on every server. Change that rule"}, exitDone, false},
	{"no channel", func(*world) []string { return []string{"NOTIFY_CHANNEL="} }, []string{
		"WARN  Channels: neither REPORT_CHANNEL nor NOTIFY_CHANNEL is set, so what needs somebody is told in the request's thread",
	}, exitDone, false},
	{"no channel and no approver by name", func(w *world) []string {
		w.policy = `@id("all") permit (principal, action, resource);`
		return []string{"NOTIFY_CHANNEL="}
	}, []string{
		"WARN  Policy: it names no approver, and no channel is set: a freeze is told only in the channel where it was ordered, and bot freeze tells nobody. Set REPORT_CHANNEL or",
	}, exitDone, false},
	{"a channel that there is not", func(*world) []string { return []string{"NOTIFY_CHANNEL=C0NOWHERE"} }, []string{
		"FAIL  NOTIFY_CHANNEL: there is no channel C0NOWHERE, or it is private and the bot is not in it.",
	}, exitFailed, false},
	{"a channel without the scopes for it", func(w *world) []string { w.slack.SetScopes(fakeslack.DefaultScopes()...); return nil }, []string{
		"SKIP  NOTIFY_CHANNEL: cannot tell whether the bot is a member without channels:read,",
	}, exitDone, false},
	{"channels that the bot is not in, or that are shared", func(w *world) []string {
		_ = w.slack.PatchChannel(w.cast.Channel, fakeslack.ChannelPatch{IsShared: yes()})
		return []string{"REPORT_CHANNEL=" + w.cast.OtherChannel}
	}, []string{
		"FAIL  REPORT_CHANNEL: the bot is not in #random (", "Next: Invite the bot to #random with /invite @cancel-server.",
		"WARN  NOTIFY_CHANNEL: #infra-changes (", "is shared with another company, whose people read what is posted there.",
	}, exitFailed, true},
	{"a channel that is archived", func(w *world) []string {
		_ = w.slack.PatchChannel(w.cast.Channel, fakeslack.ChannelPatch{IsArchived: yes()})
		return nil
	}, []string{"is archived, so nothing can be posted there. Name another channel in NOTIFY_CHANNEL, or restore it in Slack."}, exitFailed, false},
	{"a database in no folder", func(w *world) []string { return []string{"DATABASE_URL=sqlite:" + w.dir + "/absent/x.db"} }, []string{
		"FAIL  Database: SQLite file ", "absent/x.db does not exist and cannot be made: ",
	}, exitFailed, false},
	{"a file that is no database", func(w *world) []string {
		return []string{"DATABASE_URL=sqlite:" + written(w.t, "text.db", strings.Repeat("no database ", 100))}
	}, []string{"FAIL  Database: ", "file is not a database"}, exitFailed, false},
	{"a server that does not answer", func(*world) []string { return []string{"DATABASE_URL=postgres://nobody@127.0.0.1:1/none"} }, []string{
		"FAIL  Database: ", "Check DATABASE_URL and the database.",
	}, exitFailed, false},
}

func TestWrongSetupsAreNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	for _, wrong := range wrongSetups {
		t.Run(wrong.name, func(t *testing.T) {
			t.Parallel()
			w := rightly(t)
			began := time.Now()
			code, said := w.ends([]string{"check"}, wrong.apply(w)...)
			assert.Less(t, time.Since(began), 15*time.Second, "ten seconds at most, on a machine that is not busy")
			assert.Equal(t, wrong.code, code, said)
			for _, line := range wrong.says {
				assert.Contains(t, said, line)
			}
			lines := strings.Split(strings.TrimSpace(said), "\n")
			assert.True(t, strings.HasPrefix(lines[len(lines)-1], "Next: "), "the last line is the next thing to do: %s", said)
		})
	}
}

func TestCheckFindsNothingWrongAndChangesNothing(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	files := func() (names []string) {
		entries, err := os.ReadDir(w.dir)
		require.NoError(t, err)
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	w.policyFile()
	before := files()
	code, said := w.ends([]string{"check"})
	assert.Equal(t, exitDone, code, said)
	assert.NotContains(t, said, "FAIL")
	assert.Equal(t, before, files(), "no file is made where there is none")

	storetest.NewFile(t, w.database())
	content, err := os.ReadFile(w.database())
	require.NoError(t, err)
	before = files()
	code, said = w.ends([]string{"check", "--json"})
	assert.Equal(t, exitDone, code, said)
	assert.Equal(t, before, files(), "nothing is left next to a database")
	after, err := os.ReadFile(w.database())
	require.NoError(t, err)
	assert.Equal(t, content, after, "the database is as it was: not bound either")

	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.slk {
		assert.NotContains(t, []string{"chat.postMessage", "conversations.open", "hello"}, e.Method, "nothing is posted, and no socket opened")
		assert.Empty(t, e.Broke)
	}
	for _, e := range w.sl {
		assert.Empty(t, e.Broke, e.Method)
		assert.NotContains(t, e.Method, "createCancelServerTicket")
	}
}

func TestCheckWritesAnObjectALine(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	code, said := w.ends([]string{"check", "--json"})
	require.Equal(t, exitDone, code, said)
	lines := strings.Split(strings.TrimSpace(said), "\n")
	var names []string
	for _, line := range lines[:len(lines)-1] {
		var f checkup.Finding
		require.NoError(t, json.Unmarshal([]byte(line), &f), line)
		assert.Contains(t, []checkup.Level{checkup.OK, checkup.Warn, checkup.Skip}, f.Level)
		assert.NotEmpty(t, f.Found)
		names = append(names, f.Name)
	}
	assert.Equal(t, checkup.Names(), slices.Compact(names), "every check has its line, in its order")
	var last map[string]string
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	assert.NotEmpty(t, last["next"])
}

func TestCheckRefusesWordsAndUnknownFlags(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	for _, args := range [][]string{{"check", "now"}, {"check", "--csv"}} {
		code, said := w.ends(args)
		assert.Equal(t, exitUsage, code, said)
	}
	code, said := w.ends([]string{"check", "-h"})
	assert.Equal(t, exitDone, code)
	assert.Equal(t, checkUsage, said)
}

// A database of a bot that serves is looked at while it serves, and one of another app is named.
func TestCheckWorksAlongsideABotThatServes(t *testing.T) {
	t.Parallel()
	w := rightly(t)
	w.start()
	code, said := w.ends([]string{"check"})
	assert.Equal(t, exitDone, code, said)
	assert.Contains(t, said, "OK    Cut-off")

	code, said = w.ends([]string{"check"}, "SOFTLAYER_ENDPOINT_URL="+strings.Replace(w.url, "127.0.0.1", "localhost", 1)+"/softlayer/rest/v3.1")
	assert.Equal(t, exitFailed, code, said)
	assert.Contains(t, said, "FAIL  Database: SQLite file ")
	assert.Contains(t, said, " belongs to Slack app ")
	assert.Contains(t, said, "Next: Name in DATABASE_URL the database of this app and account, or a new one.")
}
