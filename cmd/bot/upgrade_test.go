//go:build oldbuild && unix

package main

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/postgrestest"
)

// The commits whose builds are run: one whose database is upgraded, one that works on the database of this build, and
// the last one that knows no lists.
const (
	upgradedCommit  = "a25522e"
	supportedCommit = "34feb12"
	listlessCommit  = "ba07c4a"
)

// buildOf builds the bot of a commit.
func buildOf(t *testing.T, commit string) (program string) {
	t.Helper()
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	require.NoError(t, err, "this test builds commit %s, and there is no git history here: run it in a clone of the repository", commit)
	dir := t.TempDir()
	archive := exec.Command("sh", "-c", `git archive `+commit+` | tar -x -C "$0"`, dir)
	archive.Dir = strings.TrimSpace(string(top))
	out, err := archive.CombinedOutput()
	require.NoError(t, err, "taking commit %s out of the history (git fetch --unshallow may help): %s", commit, out)
	program = filepath.Join(dir, "earlier-bot")
	build := exec.Command("go", "build", "-o", program, "./cmd/bot")
	build.Dir = dir
	out, err = build.CombinedOutput()
	require.NoError(t, err, "building commit %s: %s", commit, out)
	return program
}

// onBothDatabases runs a test of an earlier build with a file and with PostgreSQL. The build makes both.
func onBothDatabases(t *testing.T, commit string, test func(t *testing.T, w *world)) {
	t.Helper()
	program := buildOf(t, commit)
	run := func(t *testing.T, s setup) {
		t.Parallel()
		s.fresh = true
		w := newWorld(t, byHTTP, s)
		w.program = program
		test(t, w)
	}
	t.Run("both", func(t *testing.T) { // ends when both do, before the program is removed
		t.Run("SQLite", func(t *testing.T) { run(t, patient()) })
		t.Run("PostgreSQL", func(t *testing.T) {
			s := patient()
			s.postgres = postgrestest.DatabaseFor(t, 1)
			run(t, s)
		})
	})
}

func TestAnEarlierBuildsLiveDatabaseIsUpgraded(t *testing.T) {
	onBothDatabases(t, upgradedCommit, func(t *testing.T, w *world) {
		earlier := w.program
		w.start()
		alone := w.another()
		w.accepted(w.cast.Channel, w.cast.User, alone)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(alone))
		needy := w.stuck(1)[0]
		pending := w.another()
		waits := w.asksFor(pending)
		code, said := w.ends([]string{"freeze", "--why", "the update"})
		require.Zero(t, code, said)
		held := w.another()
		w.accepted(w.cast.Channel, w.cast.User, held)
		assert.Equal(t, map[string]int{"filed": 1, "stuck": 1, "pending": 1, "scheduled": 1}, w.recorded())
		w.kill()

		w.program = ""
		copied := filepath.Join(w.dir, "before-the-update")
		if w.postgres == "" {
			code, said = w.ends([]string{"backup", copied})
			require.Zero(t, code, said)
			assert.Contains(t, said, "4 requests, 3 of them unfinished", "it works on tables of an earlier build")
		}
		w.start()
		code, said = w.ends([]string{"unfreeze", "--why", "updated"})
		require.Zero(t, code, said)
		w.press(w.cast.Approver, waits, "approve")
		code, said = w.ends([]string{"resolve", needy.ref, "none", "--why", "looked"})
		require.Zero(t, code, said)
		next := w.another()
		w.accepted(w.cast.Channel, w.cast.User, next)
		for _, server := range []int64{pending, held, needy.server, next} {
			w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		}
		assert.Equal(t, map[string]int{"filed": 5}, w.recorded())
		w.stop()

		w.program = earlier
		code, said = w.ends(nil)
		assert.Equal(t, exitFailed, code, "an earlier build that the database does not support ends at once")
		assert.Contains(t, said, "the database was made by a newer build")
		assert.Equal(t, map[string]int{"filed": 5}, w.recorded())
		if w.postgres == "" {
			w.rollsBack(copied, []int64{alone, pending, held, needy.server, next})
		}
	})
}

// rollsBack has the earlier build serve from the backup of before the update.
func (w *world) rollsBack(copied string, servers []int64) {
	w.t.Helper()
	for _, path := range w.databaseFiles() {
		require.NoError(w.t, os.Remove(path))
	}
	content, err := os.ReadFile(copied)
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(w.database(), content, 0o600))
	w.start()
	w.awaitReady()
	w.eventually("what was filed since is found", func() bool { return w.recorded()["scheduled"] == 0 })
	assert.Equal(w.t, 1, w.counted("select count(*) from filing_order where frozen = 1 and actor = 'operator:bot'"))
	for _, server := range servers {
		assert.Len(w.t, w.tickets(server), 1, "one ticket for each server")
	}
}

// An earlier build knows nothing of how many servers a form or a day has, so it decides nothing by a policy that
// asks for it: it does not load one.
func TestAnEarlierBuildRefusesPoliciesThatCount(t *testing.T) {
	t.Parallel()
	show := []string{"policy", "show", "--policy", "../../examples/policies/above-five-a-day.cedar"}
	w := newWorld(t, byHTTP, setup{})
	code, said := w.ends(show)
	require.Equal(t, exitDone, code, said)
	w.program = buildOf(t, supportedCommit)
	code, said = w.ends(show)
	assert.Equal(t, exitUsage, code, said)
	assert.Contains(t, said, "`today`")
}

// Which builds the database supports is for schema_support to say: one that it does serves, and one that it does
// not says why it ends.
func TestAnEarlierBuildServesIfAllowed(t *testing.T) {
	const itsVersion = 21
	onBothDatabases(t, supportedCommit, func(t *testing.T, w *world) {
		earlier := w.program
		w.program = ""
		w.start()
		pending, filed := w.another(), w.another()
		waits := w.asksFor(pending)
		w.accepted(w.cast.Channel, w.cast.User, filed)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(filed))
		w.stop()

		w.program = earlier
		if w.counted("select oldest from schema_support") > itsVersion {
			code, said := w.ends(nil)
			assert.Equal(t, exitFailed, code)
			assert.Contains(t, said, "the database was made by a newer build")
			return
		}
		w.start()
		w.press(w.cast.Approver, waits, "approve")
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(pending))
		assert.Equal(t, map[string]int{"filed": 2}, w.recorded())
		w.stop()
		w.program = ""
		w.start()
		next := w.another()
		w.accepted(w.cast.Channel, w.cast.User, next)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(next))
	})
}

// listRows are all rows of lists, but for how many events they have: a refused click is noted by any build.
func (w *world) listRows(db *sql.DB) map[string]string {
	w.t.Helper()
	found, err := db.QueryContext(w.t.Context(), `select id, to_jsonb(requests) - 'events' from requests where batch <> '' union all
		select request_id || ' ' || kind, to_jsonb(notices) from notices where kind like 'batch:%'`)
	require.NoError(w.t, err)
	defer found.Close()
	rows := map[string]string{}
	for found.Next() {
		var id, row string
		require.NoError(w.t, found.Scan(&id, &row))
		rows[id] = row
	}
	require.NoError(w.t, found.Err())
	return rows
}

// asksForList asks for so many servers at once, and waits for the list's message with these words.
func (w *world) asksForList(user string, count int, words string) (ids []int64, told message) {
	w.t.Helper()
	ids, names := w.some(count)
	review := w.pasted(user, names, count)
	require.Empty(w.t, w.confirms(user, review, strconv.Itoa(count)).Error)
	require.Equal(w.t, "Recorded", w.top(user).Title.Text)
	w.close(user)
	return ids, w.awaitMessage(w.cast.Channel, words)
}

// An earlier build has no rows of several servers: whatever reaches it, and whether a newer one runs or not, it leaves
// lists alone, and goes on with what it knows.
func TestAnEarlierBuildLeavesListsAlone(t *testing.T) {
	t.Parallel()
	s := patient()
	s.softlayer, s.slack = fakesoftlayer.Options{Servers: 200}, fakeslack.Options{RateLimitsOff: true}
	w, db := onPostgres(t, byHTTP, 2, s)
	waiting, waits := w.asksForList(w.cast.Requester, 3, "3 waiting for approval")
	code, said := w.ends([]string{"freeze", "--why", "the update"})
	require.Zero(t, code, said)
	scheduled, held := w.asksForList(w.cast.User, 3, "3 waiting to be filed")

	w.program = buildOf(t, listlessCommit)
	older := w.replica()
	w.program = ""
	w.kill() // the earlier build serves alone
	w.t.Cleanup(func() { w.stop() })
	w.endpoint = older.at.String()
	w.slack.SetEndpoint(w.endpoint)
	code, said = w.ends([]string{"unfreeze", "--why", "updated"})
	require.Zero(t, code, said)
	before := w.listRows(db)
	require.Len(t, before, 8, "six requests and two messages")

	own := w.another()
	w.accepted(w.cast.Channel, w.cast.User, own)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(own))
	w.sendsToOlder(waits, waiting[0], held, scheduled[0])
	assert.Len(t, w.posts(), 1, "it filed its own, and none of a list")
	assert.Equal(t, before, w.listRows(db), "nothing of a list was claimed, changed, told or ended")

	w.start() // and takes what Slack sends
	w.awaitSoon(w.cast.Channel, "Cancellation requested for 3 servers", w.fqdn(scheduled[0]))
	w.press(w.cast.Approver, waits, "batch-approve")
	require.Empty(t, w.says(w.cast.Approver, nil).Error)
	w.awaitSoon(w.cast.Channel, "Cancellation requested for 3 servers", w.fqdn(waiting[0]))
	for _, id := range append(waiting, scheduled...) {
		assert.Len(t, w.tickets(id), 1)
		assert.Len(t, w.postsFor(id), 1)
	}
	var byOlder int
	require.NoError(t, db.QueryRowContext(t.Context(), `select count(*) from events where actor like '%/' || $1 || '/%'
		and request_id in (select id from requests where batch <> '')`, strconv.Itoa(older.cmd.Process.Pid)).Scan(&byOlder))
	assert.Zero(t, byOlder, "the newer build did all of it")
	assert.Empty(t, w.broken())
}

// sendsToOlder sends an earlier build all that people may send it about lists, and holds what it says.
func (w *world) sendsToOlder(waits message, waiting int64, held message, scheduled int64) {
	w.t.Helper()
	for _, press := range []struct {
		user   string
		m      message
		action string
	}{
		{w.cast.Approver, waits, "batch-approve"},
		{w.cast.Approver, waits, "batch-decline"},
		{w.cast.Requester, waits, "batch-withdraw"},
		{w.cast.User, held, "batch-withdraw"},
	} {
		w.press(press.user, press.m, press.action)
		w.whispered(w.cast.Channel, press.user, "Nothing was done. This button belongs to another version of the bot.")
	}
	for user, reads := range map[string][]string{ // it reads no more of these rows than their state
		w.cast.Approver:  {"No request you may see matches " + w.fqdn(waiting)},
		w.cast.Requester: {w.fqdn(waiting), "Waiting for approval"},
		w.cast.User:      {w.fqdn(scheduled), "Being filed"},
	} {
		server := waiting
		if user == w.cast.User {
			server = scheduled
		}
		w.command(user, "status "+w.fqdn(server))
		w.whispered(w.cast.Channel, user, reads...)
		said := w.ephemeral(w.cast.Channel, user)
		assert.Empty(w.t, blockOf(said[len(said)-1], "approve"), "and offers nothing to press")
	}
	m := w.form(w.cast.Channel, w.cast.User, waiting) // who may cancel alone takes over what waits
	ack := w.submit(w.cast.User, m, w.usual(m, waiting))
	assert.Contains(w.t, string(ack.Body), "Nothing new was filed.")
	w.close(w.cast.User)
}

// blockOf is the block of a message that has a button.
func blockOf(m message, action string) string {
	for _, b := range m.Blocks {
		block, _ := b.(map[string]any)
		elements, _ := block["elements"].([]any)
		for _, e := range elements {
			if element, _ := e.(map[string]any); element["action_id"] == action {
				id, _ := block["block_id"].(string)
				return id
			}
		}
	}
	return ""
}
