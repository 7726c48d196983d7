//go:build unix

package main

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/workday"
)

// looks waits until the follower has looked at its only request so often again.
func (w *world) looks(times int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	for last := int64(-1); times >= 0; times-- {
		w.eventually("the follower looks", func() bool {
			var at int64
			if db.QueryRowContext(w.t.Context(), `select coalesce(looked_at, 0) from followed`).Scan(&at) != nil || at <= last {
				return false
			}
			last = at
			return true
		})
	}
}

func TestServerStillThereIsTakenOn(t *testing.T) {
	s := follows() // SoftLayer's clock is behind, so that its dates have passed and the servers are there
	s.softlayer.Start, s.softlayer.BillDays = time.Now().AddDate(0, 0, -20), 10
	overSocket(t, s, func(t *testing.T, w *world) {
		root := w.filedApproved(w.server)
		name := w.fqdn(w.server)
		still := w.awaitMessage(w.cast.Channel, "Still there: "+name, w.ticketOf(w.server))
		assert.Equal(t, root.TS, still.ThreadTS)

		w.press(w.cast.Outsider, still, "on-it")
		w.whispered(w.cast.Channel, w.cast.Outsider, "You may not")
		assert.Empty(t, w.about(w.cast.Channel, "is on it"))
		w.press(w.cast.Approver, still, "on-it")
		taken := w.awaitMessage(w.cast.Channel, "@"+w.cast.Approver, "is on it: "+name, "No reminder before")
		assert.Equal(t, root.TS, taken.ThreadTS)

		w.ages("StillAt", 8*24*time.Hour)
		w.looks(2)
		assert.Len(t, w.about(w.cast.Channel, "Still there: "+name), 1, "a week later nobody is told again")
		assert.Empty(t, w.broken())
	})
}

// nine is the time zone in which it is between 9 and 10 on a host at this time.
func nine(now time.Time) string {
	ahead := (now.UTC().Hour() - workday.Begins + 24) % 24
	if ahead > 12 {
		return "Etc/GMT-" + strconv.Itoa(24-ahead)
	}
	return "Etc/GMT+" + strconv.Itoa(ahead)
}

func TestDigestIsOneLetterADay(t *testing.T) {
	overSocket(t, follows(), func(t *testing.T, w *world) {
		zone := nine(time.Now().Add(clockShift))
		require.NoError(t, w.slack.PatchUser(w.cast.User, fakeslack.UserPatch{TZ: &zone}))
		second := w.another()
		w.filedAlone(w.server)
		w.filedAlone(second)
		w.isGone(w.server)
		assert.Equal(t, map[string]int{w.cast.User: 1}, w.owed("ended"))
		w.eventually("it is collected first", func() bool {
			return w.counted(`select count(*) from mailboxes where due > (select max(at) from news) + 3000000`) == 1
		})
		assert.Empty(t, w.about(w.cast.User, "News of your cancellations"))

		const anHourAgo = `update news set at = at - 3700000; update mailboxes set due = 1`
		w.inDatabase(anHourAgo)
		if working := workday.NextWorkingTime(time.Now().Add(clockShift), workday.Zone(zone)); working.After(time.Now().Add(clockShift)) {
			w.eventually("the letter waits for the next working day", func() bool {
				return w.counted(`select count(*) from mailboxes where due > 1`) == 1
			})
			assert.Empty(t, w.about(w.cast.User, "News of your cancellations"))
			return
		}
		letter := w.awaitMessage(w.cast.User, "News of your cancellations", "Gone: "+w.fqdn(w.server))
		assert.NotContains(t, letter.Shown, w.fqdn(second))
		w.isGone(second)
		w.inDatabase(anHourAgo)
		w.eventually("the next letter waits for the next day", func() bool {
			return w.counted(`select count(*) from mailboxes where due > 1 and lease_until is null`) == 1 && w.owed("ended")[w.cast.User] == 2
		})
		assert.Len(t, w.about(w.cast.User, "News of your cancellations"), 1)
		assert.Empty(t, w.broken())
	})
}

func TestDaysOutageOfAVendorEndsNothingWrongly(t *testing.T) {
	t.Run("SoftLayer", func(t *testing.T) {
		overHTTP(t, follows(), func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			w.looks(1)
			require.NoError(t, w.softlayer.Fault("*", "error_before", 100_000))
			w.softlayer.Advance(24 * time.Hour)
			w.eventually("the bot asks in vain", func() bool { return w.softlayer.FaultsLeft() < 99_998 })
			assert.Equal(t, map[string]int{"filed": 1}, w.recorded())
			assert.Empty(t, w.thread(root), "nothing is told of what was not read")

			w.softlayer.ClearFaults("")
			w.ticketDoes(w.server, map[string]any{"do": "answer", "text": "Which contract?"})
			w.awaitMessage(w.cast.Channel, "staff answered about "+w.fqdn(w.server))
			w.isGone(w.server)
			w.awaitMessage(w.cast.Channel, "Gone: "+w.fqdn(w.server))
			assert.Empty(t, w.broken())
		})
	})
	t.Run("Slack", func(t *testing.T) {
		overSocket(t, follows(), func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			for _, method := range []string{"chat.postMessage", "chat.update", "auth.test"} {
				require.NoError(t, w.slack.Fault(method, fakeslack.FaultError503, 100_000))
			}
			w.ticketDoes(w.server, map[string]any{"do": "answer", "text": "Which contract?"})
			w.eventually("the answer is seen", func() bool { return w.counted(`select count(*) from notices where kind like 'said:staff%'`) == 1 })
			w.isGone(w.server)
			assert.Empty(t, w.thread(root))
			w.inDatabase(`update notices set owed_at = owed_at - 86400000 where owed_at is not null`)

			w.slack.ClearFaults("")
			w.awaitMessage(w.cast.Channel, "Gone: "+w.fqdn(w.server), "SoftLayer no longer lists it")
			w.eventually("nothing is owed", func() bool {
				w.inDatabase(`update notices set due = 1 where due is not null and lease_until is null`)
				return w.counted(`select count(*) from notices where due is not null`) == 0
			})
			said := w.thread(root)
			require.Len(t, said, 2, "%q", said)
			assert.Contains(t, said[0]+said[1], "staff answered about "+w.fqdn(w.server))
			assert.Contains(t, said[0]+said[1], "Gone: "+w.fqdn(w.server))
			assert.Empty(t, w.broken())
		})
	})
}

func TestKillsOfTheFollowerTellAnEndOnce(t *testing.T) {
	t.Run("between its read and its record", func(t *testing.T) {
		var hunted atomic.Pointer[world]
		s := follows()
		s.softlayer.Observe = func(e fakesoftlayer.Exchange) {
			if w := hunted.Load(); w != nil && strings.HasSuffix(e.Method, "SoftLayer_Hardware_Server/getObject") && hunted.CompareAndSwap(w, nil) {
				_ = w.child.cmd.Process.Kill()
			}
		}
		overHTTP(t, s, func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			w.looks(1)
			w.ticketDoes(w.server, map[string]any{"do": "approve"})
			w.softlayer.Advance(40 * 24 * time.Hour)
			for range 2 { // at the first read of the evidence, and at the second
				hunted.Store(w)
				<-w.child.done
				w.child = nil
				w.start()
				w.sighted()
			}
			w.awaitMessage(w.cast.Channel, "Gone: "+w.fqdn(w.server))
			w.eventually("its thread says so", func() bool { return len(w.thread(root)) > 0 })
			w.looksNoMore(root)
		})
	})
	t.Run("between the record and the telling", func(t *testing.T) {
		overHTTP(t, follows(), func(t *testing.T, w *world) {
			root := w.filedAlone(w.server)
			w.looks(1)
			require.NoError(t, w.slack.Fault("chat.postMessage", fakeslack.FaultHang, 1))
			require.NoError(t, w.slack.Fault("chat.update", fakeslack.FaultHang, 1))
			w.isGone(w.server)
			w.eventually("both calls are under way", func() bool { return len(w.slack.ArmedFaults()) == 0 })
			w.kill()
			assert.Empty(t, w.thread(root))
			w.start()
			w.awaitAfter(`update notices set due = 1 where due is not null and lease_until is null`, w.cast.Channel, []string{"Gone: " + w.fqdn(w.server)})
			w.eventually("its thread says so", func() bool { return len(w.thread(root)) > 0 })
			w.looksNoMore(root)
		})
	})
}

// looksNoMore holds a request that has ended to one message in its thread, and its requester to one piece
// of news.
func (w *world) looksNoMore(root message) {
	w.t.Helper()
	w.eventually("nothing more is owed", func() bool { return w.counted(`select count(*) from notices where due is not null`) == 0 })
	assert.Len(w.t, w.thread(root), 1, "told once")
	assert.Equal(w.t, map[string]int{w.cast.User: 1}, w.owed("ended"))
	assert.Equal(w.t, map[string]int{"reclaimed": 1}, w.recorded())
	assert.Equal(w.t, 1, w.counted(`select count(*) from events where to_state = 'reclaimed' and from_state = 'filed'`))
}
