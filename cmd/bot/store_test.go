//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestAnAcceptedRequestOutlivesAPowerCut(t *testing.T) {
	for _, cut := range []struct {
		name          string
		method, fault string
		made          int // tickets when the power goes
		over          func(t *testing.T, s setup, test func(t *testing.T, w *world))
	}{
		{"before anything was sent", reading, "hang", 0, overHTTP},
		{"while SoftLayer thinks about it", filing, "hang", 0, overBothWith},
		{"after the ticket was made and before its answer", filing, "slow_after", 1, overSocket},
	} {
		t.Run(cut.name, func(t *testing.T) {
			cut.over(t, patient(), func(t *testing.T, w *world) {
				m := w.form(w.cast.Channel, w.cast.User, w.server)
				require.NoError(t, w.softlayer.Fault(cut.method, cut.fault, 1))
				require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
				require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
				w.eventually("the call that hangs has come", func() bool { return w.softlayer.FaultsLeft() == 0 })
				w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == cut.made })
				w.kill()
				require.NotEmpty(t, w.recorded(), "the request is on disk")

				w.start()
				w.awaitSettled(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
				assert.Len(t, w.tickets(w.server), 1, "filed once")
				assert.Len(t, w.about(w.cast.Channel, "Cancellation requested"), 1, "told")
				assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
			})
		})
	}
}

func TestABotThatIsStoppedEndsWhatItHasInHand(t *testing.T) {
	overBoth(t, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		require.NoError(t, w.softlayer.Fault(filing, "slow_after", 1))
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == 1 })
		w.stop()
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded(), "the answer was waited for and recorded")
		w.start()
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.posts(), 1)
		assert.Len(t, w.about(w.cast.Channel, w.fqdn(w.server)), 1)
	})
}

func TestADatabaseThatTakesNothingLosesNobodysForm(t *testing.T) {
	overSocket(t, setup{slack: fakeslack.Options{AckTimeout: slacksPatience}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		db := w.openDatabase()
		defer db.Close()
		locked, err := db.Conn(t.Context())
		require.NoError(t, err)
		_, err = locked.ExecContext(t.Context(), "pragma busy_timeout = 60000") // the bot writes by itself too
		require.NoError(t, err)
		_, err = locked.ExecContext(t.Context(), "begin immediate") // whoever else writes waits
		require.NoError(t, err)
		ack := w.submit(w.cast.User, m, w.usual(m, w.server))
		require.Empty(t, ack.Error, "it is acknowledged in time")
		assert.Contains(t, string(ack.Body), "recorded", "the person reads a clear answer")
		assert.NotContains(t, string(ack.Body), `"Recorded"`, "and not that it was accepted")
		_, err = locked.ExecContext(t.Context(), "rollback")
		require.NoError(t, err)
		require.NoError(t, locked.Close())

		// Whatever became of the first try, the same form sent again is one request.
		if w.top(w.cast.User).ID != m.ID {
			w.close(w.cast.User)
		}
		w.eventually("the form is accepted", func() bool {
			w.submit(w.cast.User, m, w.usual(m, w.server))
			return w.top(w.cast.User).Title.Text == "Recorded"
		})
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
		assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
	})
}

func TestADatabaseThatCannotBeWrittenRefusesToStart(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	w.stop()
	file := filepath.Join(w.dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, path := range map[string]string{
		"a folder that is not there":   filepath.Join(w.dir, "absent", "new.db"),
		"a folder that is a file":      filepath.Join(file, "new.db"),
		"the database itself a folder": w.dir,
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			code, said := w.ends(nil, "DATABASE_URL=sqlite:"+path)
			assert.Equal(t, 1, code, said)
			assert.Contains(t, said, path, "the error names the file")
		})
	}
	t.Run("no right to write", func(t *testing.T) {
		w := w.in(t)
		nobody := w.whomRightsBind()
		closed := filepath.Join(w.dir, "closed")
		require.NoError(t, os.Mkdir(closed, 0o555))
		require.NoError(t, os.Chmod(w.database(), 0o444))
		for _, path := range []string{w.database(), filepath.Join(closed, "new.db")} {
			code, said := nobody("DATABASE_URL=sqlite:" + path)
			assert.Equal(t, 1, code, said)
			assert.Contains(t, said, path, "the error names the file")
		}
	})
}

func TestASecondBotOnTheSameDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	code, said := w.ends(nil)
	assert.Equal(t, 1, code)
	assert.Contains(t, said, "another bot serve is running on this database")
	w.accepted(w.cast.Channel, w.cast.User, w.server) // the first is not disturbed
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
}

func TestADatabaseOfAnotherTeamOrAccountIsRefused(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	w.stop()
	other := newWorld(t, fakeslack.TransportHTTP, setup{slack: fakeslack.Options{Seed: 8}})
	for _, pair := range []struct {
		name string
		env  []string
	}{
		{"another Slack team", []string{"SLACK_API_URL=" + other.url + "/slack/api/", "SLACK_BOT_TOKEN=" + other.slack.BotToken()}},
		{"another SoftLayer endpoint", []string{"SOFTLAYER_ENDPOINT_URL=" + other.url + "/softlayer/rest/v3.1"}},
	} {
		for _, args := range [][]string{nil, {"resolve", "0000-0000", "none", "--why", "x"}} {
			code, said := w.ends(args, pair.env...)
			assert.Equal(t, 1, code, pair.name)
			assert.Contains(t, said, "the database belongs to", pair.name)
		}
	}
	assert.Empty(t, other.posts())
}

func TestAMistypedDatabaseIsNotMadeByAVerbThatServesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakeslack.TransportHTTP, setup{})
	mistyped := filepath.Join(w.dir, "request.db")
	code, said := w.ends([]string{"resolve", "0000-0000", "none", "--why", "x"}, "DATABASE_URL=sqlite:"+mistyped)
	assert.Equal(t, 2, code)
	assert.Contains(t, said, mistyped)
	assert.Contains(t, said, "bot serve makes it")
	assert.NoFileExists(t, mistyped)
	assert.Empty(t, w.calls("auth.test"), "nobody is asked anything for it")
}

// whomRightsBind runs the bot to its end as somebody whom the rights of files bind: whoever
// runs the tests or, where that is root, nobody, who reads what the test has.
func (w *world) whomRightsBind() (ends func(added ...string) (code int, said string)) {
	w.t.Helper()
	var nobody *syscall.Credential
	if os.Geteuid() == 0 {
		nobody = &syscall.Credential{Uid: 65534, Gid: 65534}
		for _, dir := range []string{filepath.Dir(w.dir), w.dir} {
			letIn(w.t, dir)
		}
		w.program = filepath.Join(w.dir, "bot") // where tests are run from is root's alone
		own, err := binary()
		require.NoError(w.t, err)
		// Another program copies: one that this process has written may be busy when it starts.
		said, err := exec.Command("cp", own, w.program).CombinedOutput()
		require.NoError(w.t, err, "%s", said)
		require.NoError(w.t, os.Chmod(w.program, 0o755))
		probe := exec.Command(w.program, "version")
		probe.Env, probe.SysProcAttr = []string{isTheBot + "=1"}, &syscall.SysProcAttr{Credential: nobody}
		if said, err := probe.CombinedOutput(); err != nil {
			w.t.Skipf("SKIPPED: needs root that may become nobody: %v: %s", err, said)
		}
	}
	return func(added ...string) (code int, said string) {
		w.t.Helper()
		require.NoError(w.t, os.Chmod(w.policyFile(), 0o644))
		c := w.runAs(nobody, nil, added...)
		return c.exit(w.t), c.log.String()
	}
}

// letIn lets everybody read a folder that keeps others out. It leaves every other folder as it
// is: the test's may lie in one that all programs of the machine share.
func letIn(t *testing.T, dir string) {
	t.Helper()
	info, err := os.Stat(dir)
	require.NoError(t, err)
	if info.Mode().Perm()&0o005 != 0o005 {
		require.NoError(t, os.Chmod(dir, info.Mode().Perm()|0o055))
	}
}
