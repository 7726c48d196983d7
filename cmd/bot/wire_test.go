//go:build unix

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/postgrestest"
)

func TestLostCommitAnswerIsSettledTruthfully(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]postgrestest.Loss{
		"it is done":                                   {Done: true},
		"it never came there":                          {},
		"it is done, and nobody can be asked":          {Done: true, Severed: true},
		"it never came there, and nobody can be asked": {Severed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, wire := byWire(t)
			m := w.form(w.cast.Channel, w.cast.User, w.server)
			lost.Carrying = "Replaced by db-060."
			wire.Lose(lost)
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error, "it is acknowledged")
			w.eventually("the commit is lost", wire.Lost)
			read := w.top(w.cast.User)
			unknown := lost.Severed // or where the server is too slow to be asked in time
			if unknown {
				require.Contains(t, read.text(w), "We cannot tell whether this was recorded.")
			} else {
				require.Contains(t, []string{"Recorded", "Not known"}, read.Title.Text)
				unknown = read.Title.Text == "Not known"
			}
			ref := w.ref(read.text(w))
			if unknown && !lost.Done { // the bot would try again itself once it reaches the server
				w.kill()
				wire.Mend()
				w.start()
				w.close(w.cast.User)
				other := w.another()
				w.accepted(w.cast.Channel, w.cast.User, other) // it goes on
				w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(other))
				if lost.Severed {
					assert.Empty(t, w.postsFor(w.server), "what never came there is never filed")
				} else { // it may have tried again before it was killed
					assert.LessOrEqual(t, len(w.postsFor(w.server)), 1)
				}
				return
			}
			wire.Mend()
			told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
			assert.Equal(t, ref, w.ref(told.Shown), "by the reference that the person read")
			assert.Len(t, w.tickets(w.server), 1)
			assert.Len(t, w.posts(), 1)
			assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
		})
	}
}

func TestNothingIsLostWhenEveryConnectionIsCut(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]struct {
		method string // SoftLayer is slow to answer this; meanwhile the connections end
		made   int    // tickets by then
	}{
		"before the POST": {reading, 0},
		"after the POST":  {filing, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := byWire(t)
			db := w.openDatabase()
			defer db.Close()
			m := w.form(w.cast.Channel, w.cast.User, w.server)
			require.NoError(t, w.softlayer.Fault(step.method, "slow_after", 1))
			require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
			w.eventually("SoftLayer is slow", func() bool { return w.softlayer.FaultsLeft() == 0 })
			w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == step.made })
			_, err := db.ExecContext(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
				where datname = current_database() and pid <> pg_backend_pid()`)
			require.NoError(t, err)
			told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
			assert.Contains(t, told.Shown, w.ticketOf(w.server))
			assert.Len(t, w.posts(), 1)
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(w.server)), 1, "told once")
		})
	}
}

func TestRestoredDatabaseFilesNothingAgain(t *testing.T) {
	t.Parallel()
	w, _ := byWire(t)
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	require.NoError(t, w.softlayer.Fault(filing, "slow_after", 1))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
	w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == 1 })
	w.kill()
	db := w.openDatabase()
	defer db.Close()
	// As a backup of before the filing would have it, on another timeline.
	for _, forgets := range []string{
		`update requests set state = 'scheduled', posts = 0, not_after = null, lease_owner = null, lease_until = null`,
		`update notices set channel = '', ts = '', shown = 0, posting = 0, posts = 0, due = owed_at, lease_owner = null, lease_until = null`,
		`update binding set identity = '00000009' || substr(identity, 9)`,
	} {
		_, err := db.ExecContext(t.Context(), forgets)
		require.NoError(t, err)
	}

	w.start()
	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
	assert.Contains(t, told.Shown, w.ticketOf(w.server))
	assert.Len(t, w.posts(), 1, "the ticket is found by its reference")
	assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
}

// byWire is a world whose bot reaches its PostgreSQL by a wire that the test can cut.
func byWire(t *testing.T) (*world, *postgrestest.Wire) {
	t.Helper()
	database := postgrestest.DatabaseFor(t, 1)
	wire := postgrestest.NewWire(t, database)
	s := setup{
		postgres: database, slack: fakeslack.Options{RateLimitsOff: true},
		extra: append(patient().extra, "DATABASE_URL="+wire.URL()),
	}
	return started(t, fakeslack.TransportHTTP, s), wire
}
