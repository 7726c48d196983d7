package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

type brokenDisk struct {
	name      string
	call      int32
	with      unix.Errno
	comesBack bool // what was being committed, with the next start
}

// brokenDisks are the ways in which a commit fails.
var brokenDisks = []brokenDisk{
	{"it is written and cannot be synced", syncing, unix.EIO, true},
	{"it cannot be written", writing, unix.EIO, false},
	{"the disk is full", writing, unix.ENOSPC, false},
	{"the disk is read-only by now", writing, unix.EROFS, false},
}

func TestFailedCommitIsUnclearUntilTheNextStart(t *testing.T) {
	t.Parallel()
	for _, broken := range brokenDisks {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			w, disk := onFaultyDisk(t, patient())
			m, another := w.form(w.cast.Channel, w.cast.User, w.server), w.another()
			other := w.form(w.cast.Channel, w.cast.Requester, another)
			w.betweenBeats()
			disk.fail(broken.call, broken.with)
			ref := w.readsThatNobodyKnows(w.cast.User, m, w.server)
			w.readsThatNobodyKnows(w.cast.Requester, other, another)
			disk.mend()
			w.close(w.cast.User)
			w.readsThatNobodyKnows(w.cast.User, m, w.server) // a disk that works again does not tell either
			assert.Empty(t, w.posts())

			w.kill()
			w.start()
			if broken.comesBack {
				told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
				assert.Equal(t, ref, w.ref(told.Shown), "by the reference that the person read")
			} else {
				require.Empty(t, w.recorded(), "it is not there, and will not be")
				w.accepted(w.cast.Channel, w.cast.User, w.server)
				w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
			}
			assert.Len(t, w.tickets(w.server), 1)
			assert.Len(t, w.about(w.cast.Channel, w.fqdn(w.server)), 1, "told once")
			assert.Equal(t, map[string]int{"filed": 1}, w.recorded(), "what the other one sent was never taken")
		})
	}
}

// readsThatNobodyKnows submits a form to a bot whose disk has failed, and returns the
// reference that its person reads.
func (w *world) readsThatNobodyKnows(user string, m modal, server int64) (ref string) {
	w.t.Helper()
	require.Empty(w.t, w.submit(user, m, w.usual(m, server)).Error, "it is acknowledged")
	said := w.top(user).text(w)
	require.Contains(w.t, said, "We cannot tell whether this was recorded.")
	require.Contains(w.t, said, "Do not send the form again")
	status, problems := w.ready()
	assert.Equal(w.t, http.StatusServiceUnavailable, status)
	assert.Contains(w.t, problems, "the database cannot tell whether this was recorded")
	return w.ref(said)
}

func TestBotWithAFailedDiskSendsNothingMore(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		name   string
		method string // SoftLayer is slow to answer this; meanwhile the disk fails
		made   int    // tickets by then
		with   setup
		disks  []brokenDisk
	}{
		{"before the POST", reading, 0, settling(), brokenDisks[:1]}, // what is announced may come back: no clean read, no POST
		{"after the POST", filing, 1, patient(), brokenDisks},
	} {
		for _, broken := range step.disks {
			t.Run(step.name+", "+broken.name, func(t *testing.T) {
				t.Parallel()
				w, disk := onFaultyDisk(t, step.with)
				m := w.form(w.cast.Channel, w.cast.User, w.server)
				require.NoError(t, w.softlayer.Fault(step.method, "slow_after", 1))
				require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
				require.Equal(t, "Recorded", w.top(w.cast.User).Title.Text)
				w.eventually("SoftLayer is slow", func() bool { return w.softlayer.FaultsLeft() == 0 })
				w.eventually("the ticket is made", func() bool { return len(w.tickets(w.server)) == step.made })
				disk.fail(broken.call, broken.with)
				w.eventually("the bot is not ready any more", func() bool { status, _ := w.ready(); return status != http.StatusOK })
				disk.mend()
				refused := func() bool { return strings.Count(w.child.log.String(), "claiming work") > 2 }
				w.eventually("the worker is refused whatever it claims", refused)
				assert.Len(t, w.posts(), step.made, "nothing more is sent")

				w.kill()
				w.start()
				// The step to filed may have reached the file, with "about to post": that pause is ended.
				told := w.awaitAfter(`update notices set due = 1 where posting = 1 and lease_owner is null and due > 1`,
					w.cast.Channel, []string{"Cancellation requested", w.fqdn(w.server)})
				assert.Contains(t, told.Shown, w.ticketOf(w.server))
				assert.Len(t, w.posts(), 1, "it is sent once")
				assert.Len(t, w.tickets(w.server), 1)
				assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
			})
		}
	}
}

// settling is a bot that soon sends once more what SoftLayer's records do not show.
func settling() setup {
	s := patient()
	s.extra = []string{"POST_TIMEOUT=5s", "SETTLE_TIME=5s"}
	return s
}

// betweenBeats waits until the bot has just said that it serves: for the next seconds
// it commits nothing of its own accord.
func (w *world) betweenBeats() {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	beaten := func() (at int64) {
		require.NoError(w.t, db.QueryRowContext(w.t.Context(), "select coalesce(max(seen_at), 0) from replicas").Scan(&at))
		return at
	}
	before := beaten()
	w.eventually("the bot says that it serves", func() bool { return beaten() > before })
}
