//go:build unix

package main

import (
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asked runs a verb that reads, and returns its lines of JSON.
func (w *world) asked(args ...string) (lines []map[string]any) {
	w.t.Helper()
	code, said := w.ends(append(args, "--json"))
	require.Equal(w.t, exitDone, code, said)
	for line := range strings.Lines(said) {
		var object map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(line), &object), line)
		lines = append(lines, object)
	}
	return lines
}

// An auditor asks about requests of every kind, while the bot serves and after it has stopped.
func TestAuditorReadsWhoDidWhat(t *testing.T) {
	s := patient()
	s.extra = append(s.extra, "FOLLOW_EVERY=1s")
	overHTTP(t, s, func(t *testing.T, w *world) {
		filed, declined, stuck := w.server, w.another(), w.another()
		root := w.filedApproved(filed)
		w.replies(w.cast.User, w.staffAnswer(filed, "Which contract?"), "Which contract?", "Contract 7.")
		w.awaitMessage(w.cast.Channel, "Reply sent to ticket")
		protected := w.which("the tag protected", func(h hardware) bool { return h.tagged("protected") })
		m := w.form(w.cast.Channel, w.cast.User, protected)
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, protected)).Error)
		denied := w.ref(w.top(w.cast.User).text(w))
		waits := w.asksFor(declined)
		w.press(w.cast.Outsider, waits, "approve")
		w.whispered(w.cast.Channel, w.cast.Outsider, "Rule builtin-default-deny")
		w.declines(w.cast.Approver, waits, "=not now")
		w.awaitMessage(w.cast.Channel, "Declined by", w.fqdn(declined))
		require.NoError(t, w.softlayer.Fault(filing, "error_before", 2))
		w.accepted(w.cast.Channel, w.cast.User, stuck)
		stands := w.awaitSettled(w.cast.Channel, "Needs a person", w.fqdn(stuck))

		t.Run("everything about what was filed", func(t *testing.T) { w.in(t).showsFiled(w.ref(root.Shown), filed) })
		t.Run("both answers that were lost", func(t *testing.T) {
			file := w.in(t).asked("show", w.ref(stands.Shown))[0]
			calls := file["calls"].([]any)
			require.Len(t, calls, 2)
			for _, call := range calls {
				assert.Equal(t, "answer-lost", call.(map[string]any)["outcome"])
				assert.Contains(t, call.(map[string]any)["answer"], "HTTP 500")
			}
		})
		w.stop()
		t.Run("without a token, a key or a policy", func(t *testing.T) {
			for _, args := range [][]string{{"show", w.ref(root.Shown)}, {"history", strconv.FormatInt(filed, 10)}, {"requests", "--all"}, {"report"}} {
				code, said := w.in(t).ends(args, "SLACK_BOT_TOKEN=", "SLACK_APP_TOKEN=", "SLACK_SIGNING_SECRET=", "SOFTLAYER_API_KEY=", "POLICY_FILE=", "REQUEST_GROUPS=")
				assert.Equal(t, exitDone, code, "%v needs the database only: %s", args, said)
			}
		})
		t.Run("a server's requests, and who was refused", func(t *testing.T) {
			w := w.in(t)
			found := w.asked("history", strings.ToUpper(w.fqdn(declined)))
			require.Len(t, found, 1)
			assert.Equal(t, []any{"declined", "=not now"}, []any{found[0]["state"], found[0]["why"]})
			refusals := found[0]["refusals"].([]any)
			require.Len(t, refusals, 1)
			assert.Contains(t, refusals[0].(map[string]any)["actor"], w.cast.Outsider)
			code, said := w.ends([]string{"history", strconv.FormatInt(protected, 10)})
			assert.Equal(t, exitDone, code, said)
			for _, has := range []string{denied, "denied", "protected-tag"} {
				assert.Contains(t, said, has)
			}
		})
		t.Run("lists of requests", func(t *testing.T) { w.in(t).listsRequests(denied) })
	})
}

func (w *world) showsFiled(ref string, server int64) {
	w.t.Helper()
	file := w.asked("show", ref)[0]
	assert.Equal(w.t, []any{"filed", w.fqdn(server), "needs approval", "requesters-ask"},
		[]any{file["state"], file["server"], "needs approval", file["history"].([]any)[0].(map[string]any)["rule"]})
	approval := file["approvals"].([]any)[0].(map[string]any)
	assert.Equal(w.t, "leads-approve", approval["rule"])
	assert.Contains(w.t, approval["by"].(map[string]any)["id"], w.cast.Approver)
	calls := file["calls"].([]any)
	require.Len(w.t, calls, 2)
	post, received := calls[0].(map[string]any), w.postsFor(server)
	require.Len(w.t, received, 1)
	var sent struct{ Parameters []any }
	require.NoError(w.t, json.Unmarshal(received[0].Request.(json.RawMessage), &sent))
	assert.Equal(w.t, sent.Parameters[2], post["sent"].(map[string]any)["content"], "word for word what SoftLayer received")
	assert.Equal(w.t, "made", post["outcome"])
	assert.Contains(w.t, post["answer"], "HTTP 200 {")
	assert.Contains(w.t, post["answer"], w.ticketOf(server))
	assert.Equal(w.t, w.written(server)[0], calls[1].(map[string]any)["sent"].(map[string]any)["entry"])
	policies := file["policies"].([]any)
	require.Len(w.t, policies, 1)
	assert.Contains(w.t, policies[0].(map[string]any)["text"], `@id("leads-approve")`)
	messages := file["messages"].([]any)
	assert.GreaterOrEqual(w.t, len(messages), 2, "its message, and what its thread was told")
	saw := file["saw"].(map[string]any)["Server"].(map[string]any)
	assert.Equal(w.t, w.fqdn(server), saw["FQDN"])

	digest := policies[0].(map[string]any)["digest"].(string)
	code, said := w.ends([]string{"show", digest[:12]})
	assert.Equal(w.t, exitDone, code, said)
	assert.Contains(w.t, said, "POLICY "+digest)
	assert.Contains(w.t, said, `@id("leads-approve")`)
}

func (w *world) listsRequests(denied string) {
	w.t.Helper()
	code, said := w.ends([]string{"requests", "--all", "--csv"})
	require.Equal(w.t, exitDone, code, said)
	rows, err := csv.NewReader(strings.NewReader(said)).ReadAll()
	require.NoError(w.t, err)
	require.Len(w.t, rows, 5)
	byState := map[string]map[string]string{}
	for _, row := range rows[1:] {
		cells := map[string]string{}
		for i, name := range rows[0] {
			cells[name] = row[i]
		}
		byState[cells["state"]] = cells
	}
	assert.Equal(w.t, "'=not now", byState["declined"]["why"], "no cell is a formula")
	assert.Contains(w.t, byState["declined"]["ended_by_id"], w.cast.Approver)
	assert.Equal(w.t, denied, byState["denied"]["ref"])
	assert.NotEmpty(w.t, byState["filed"]["ticket"])

	mine := w.asked("requests", "--by", strings.ToLower(w.cast.User), "--since", "2020-01-01")
	assert.Len(w.t, mine, 2, "the denied one and the stuck one")
	assert.Len(w.t, w.asked("requests"), 1, "what has not ended")
	assert.Empty(w.t, w.asked("requests", "--all", "--until", "2020-01-01"))
	code, said = w.ends([]string{"requests", "--server", "no-such-server"})
	assert.Equal(w.t, exitFailed, code)
	assert.Contains(w.t, said, "no request is on record for a server of this name or id")
}

func TestInquiriesRefuseWrongUse(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"no reference": {"show"}, "not a reference": {"show", "what"}, "two references": {"show", "7F3K-2QXD", "7F3K-2QXE"},
		"no server": {"history"}, "a flag of another verb": {"history", "db", "--csv"},
		"an unknown state": {"requests", "--state", "no requests"}, "all and some": {"requests", "--all", "--state", "stuck"},
		"two forms": {"requests", "--json", "--csv"}, "a wrong day": {"requests", "--since", "yesterday"},
		"a wrong end": {"requests", "--until", "11/2026"}, "an argument": {"requests", "stuck"},
	} {
		code, out, wrong := ran(t, args...)
		assert.Equal(t, exitUsage, code, says)
		assert.Empty(t, out, says)
		assert.Contains(t, wrong, args[0], says)
	}
}
