//go:build unix

package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

func TestADatabaseRestoredFromYesterdayFilesNothingAgain(t *testing.T) {
	for name, closed := range map[string]bool{
		"today's ticket is open":           false,
		"staff have closed today's ticket": true,
	} {
		t.Run(name, func(t *testing.T) {
			overHTTP(t, patient(), func(t *testing.T, w *world) {
				m := w.form(w.cast.Channel, w.cast.User, w.server)
				require.NoError(t, w.softlayer.Fault(reading, "hang", 1))
				require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
				w.eventually("the request waits for SoftLayer", func() bool { return w.softlayer.FaultsLeft() == 0 })
				w.kill()
				restore := w.backUp()

				w.start()
				told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
				ticket := w.ticketOf(w.server)
				lost := w.another() // asked for and filed in the time that is lost whole
				w.accepted(w.cast.Channel, w.cast.User, lost)
				w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(lost))
				w.stop()
				if closed {
					w.control(http.MethodPost, "/ticket", map[string]any{"id": w.tickets(w.server)[0].ID, "close": true}, nil)
				}

				restore()
				w.start()
				w.eventually("the request is found in SoftLayer's records", func() bool { return w.recorded()["scheduled"] == 0 })
				w.eventually("it is told of", func() bool { return len(w.about(w.cast.Channel, w.ref(told.Shown), ticket)) == 2 })
				assert.Len(t, w.postsFor(w.server), 1, "it was sent in the time that is lost, and is not sent again")
				assert.Equal(t, map[string]int{"filed": 1}, w.recorded())

				blocked := w.blockedForm(w.cast.User, lost)
				assert.Regexp(t, `\b`+w.ticketOf(lost)+`\)? is already open`, blocked.text(w), "SoftLayer's records know what ours do not")
			})
		})
	}
}

func TestRestoredDatabaseNeverRepeatsAFiledRequest(t *testing.T) {
	overSocket(t, setup{before: func(w *world) {
		require.NoError(w.t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Add: []string{w.cast.User}}))
	}}, func(t *testing.T, w *world) {
		waits := w.asksFor(w.server)
		w.press(w.cast.User, waits, "decline")
		form := w.top(w.cast.User) // left open
		w.stop()
		restore := w.backUp()
		w.start()
		w.awaitReady()
		w.press(w.cast.Approver, waits, "approve")
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		w.stop()

		restore()
		w.start()
		w.awaitReady()
		require.Equal(t, map[string]int{"pending": 1}, w.recorded())
		require.Empty(t, w.submit(w.cast.User, form, why("we still need it")).Error)
		assert.Contains(t, w.top(w.cast.User).text(w), "Nothing was recorded", "nobody is told that nothing was filed")
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Equal(t, told.Shown, w.about(w.cast.Channel, w.fqdn(w.server))[0].Shown, "the channel still shows the ticket")
		assert.Len(t, w.posts(), 1)
	})
}

// backUp copies the database of a bot that is not running. restore puts the copy in the
// place of what there is by then.
func (w *world) backUp() (restore func()) {
	w.t.Helper()
	copied := map[string][]byte{}
	for _, path := range w.databaseFiles() {
		content, err := os.ReadFile(path)
		require.NoError(w.t, err)
		copied[path] = content
	}
	return func() {
		w.t.Helper()
		for _, path := range w.databaseFiles() {
			require.NoError(w.t, os.Remove(path))
		}
		for path, content := range copied {
			require.NoError(w.t, os.WriteFile(path, content, 0o600))
		}
	}
}

// databaseFiles are the database and what SQLite keeps alongside it.
func (w *world) databaseFiles() []string {
	w.t.Helper()
	paths, err := filepath.Glob(w.database() + "*")
	require.NoError(w.t, err)
	return paths
}
