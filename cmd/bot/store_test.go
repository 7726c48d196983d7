//go:build unix

package main

import (
	"os"
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
	}{
		{"before anything was sent", reading, "hang", 0},
		{"while SoftLayer thinks about it", filing, "hang", 0},
		{"after the ticket was made and before its answer", filing, "slow_after", 1},
	} {
		t.Run(cut.name, func(t *testing.T) {
			overBothWith(t, patient(), func(t *testing.T, w *world) {
				m := w.form(w.cast.Channel, w.cast.User, w.server)
				require.NoError(t, w.softlayer.Fault(cut.method, cut.fault, 1))
				require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
				require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
				w.eventually("the call that hangs has come", func() bool { return w.softlayer.FaultsLeft() == 0 })
				w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == cut.made })
				w.kill()
				require.NotEmpty(t, w.recorded(), "the request is on disk")

				w.start()
				w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
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
	over(t, bySocket, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		db := w.openDatabase()
		defer db.Close()
		locked, err := db.Conn(t.Context())
		require.NoError(t, err)
		_, err = locked.ExecContext(t.Context(), "pragma busy_timeout = 5000") // the bot writes by itself too
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
	require.NoError(t, os.Chmod(w.database(), 0o444))
	for _, dir := range []string{filepath.Dir(mustBinary(t)), filepath.Dir(w.dir), w.dir} {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	for _, path := range []string{w.database(), filepath.Join(w.dir, "new.db"), filepath.Join(w.dir, "absent", "new.db"), w.dir} {
		require.NoError(t, os.Chmod(w.policyFile(), 0o644))
		code, said := w.endsUnprivileged("DATABASE_URL=sqlite:" + path)
		assert.Equal(t, 1, code, said)
		assert.Contains(t, said, path, "the error names the file")
	}
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

func mustBinary(t *testing.T) string {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	return path
}

// endsUnprivileged runs the program to its end as somebody whom the rights of files bind.
func (w *world) endsUnprivileged(added ...string) (code int, said string) {
	w.t.Helper()
	c := w.runAs(unprivileged(), nil, added...)
	return c.exit(w.t), c.log.String()
}

// unprivileged is nobody where the tests run as root, else nil.
func unprivileged() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}
