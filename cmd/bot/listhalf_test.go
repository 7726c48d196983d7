//go:build unix

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/postgrestest"
)

// hurry has what waits for its time be due: requests, and a message whose answer was lost with a bot that was killed.
const hurry = `update requests set due = created_at, not_after = case when not_after is null then null else created_at end,
	clean_since = case when clean_since is null then null else created_at - 86400000 end
	where state in ('scheduled', 'unknown') and lease_owner is null and due > created_at;
	update notices set due = 1 where posting = 1 and lease_owner is null and due > 1`

// hurried waits for a message in the channel, while in the bot's database nothing waits for its turn, and
// no POST of what nobody works at can be under way any more.
func (w *world) hurried(words ...string) message {
	w.t.Helper()
	return w.awaitAfter(hurry, w.cast.Channel, words)
}

// ticketsOf counts the tickets of servers.
func (w *world) ticketsOf(servers []int64) (count int) {
	w.t.Helper()
	for _, server := range servers {
		count += len(w.tickets(server))
	}
	return count
}

// halfFiled asks for so many servers as somebody who may cancel alone, and returns when some are filed.
func (w *world) halfFiled(many int) (ids []int64) {
	w.t.Helper()
	ids, names := w.some(many)
	review := w.pasted(w.cast.User, names, many)
	require.Empty(w.t, w.confirms(w.cast.User, review, fmt.Sprint(many)).Error)
	require.Equal(w.t, "Recorded", w.top(w.cast.User).Title.Text, w.top(w.cast.User).Raw)
	w.close(w.cast.User)
	w.eventually("some are filed", func() bool { return len(w.posts()) >= 3 })
	return ids
}

func TestHalfFiledListOutlivesAKill(t *testing.T) {
	overSocket(t, lists().findsPosts(), func(t *testing.T, w *world) {
		const many = 12
		ids := w.halfFiled(many)
		require.NoError(t, w.softlayer.Fault(filing, "slow_after", 1))
		w.eventually("one more POST is under way", func() bool { return w.softlayer.FaultsLeft() == 0 })
		w.kill() // nobody hears its answer
		assert.Less(t, w.ticketsOf(ids), many, "the rest waits for its turn")
		w.start()
		w.hurried("Cancellation requested for 12 servers.")
		w.filedOnce(ids...)
		assert.Equal(t, map[string]int{"filed": many}, w.recorded())
		assert.Len(t, w.roots(w.cast.Channel), 1)
		assert.Empty(t, w.broken())
	})
}

func TestFreezeStopsAHalfFiledList(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		const many = 12
		ids := w.halfFiled(many)
		w.freezes(w.cast.Approver)
		w.eventually("nothing is on its way any more", func() bool { return w.recorded()["filing"] == 0 })
		filed := w.ticketsOf(ids)
		require.Less(t, filed, many)
		told := w.hurried(fmt.Sprintf("Asked for 12 servers · %d filed · %d waiting to be filed", filed, many-filed), "filing is frozen by ", ": an outage in fra02")
		assert.NotContains(t, told.Text, "not filed")
		assert.Equal(t, filed, w.ticketsOf(ids), "none is filed meanwhile")
		assert.Len(t, w.posts(), filed)

		w.thaws(w.cast.Approver)
		after := w.hurried("Cancellation requested for 12 servers.")
		assert.Equal(t, told.TS, after.TS)
		assert.NotContains(t, after.Shown, "frozen")
		w.filedOnce(ids...)
		assert.Empty(t, w.broken())
	})
}

// That SoftLayer is down for an hour is in internal/cancellation, on virtual time. Here the real client
// meets an account that answers everything with an error page.
func TestListOutlivesASoftLayerThatIsDown(t *testing.T) {
	overSocket(t, lists(), func(t *testing.T, w *world) {
		const many = 12
		ids := w.halfFiled(many)
		require.NoError(t, w.softlayer.Fault("*", "html", 1_000_000))
		told := w.hurried("Asked for 12 servers · ", " held up: ", "SoftLayer did not say")
		made := w.ticketsOf(ids)
		require.Less(t, made, many)
		w.softlayer.ClearFaults("")
		after := w.hurried("Cancellation requested for 12 servers.")
		assert.Equal(t, told.TS, after.TS)
		assert.NotContains(t, after.Shown, "held up")
		for _, server := range ids {
			assert.Len(t, w.tickets(server), 1)
		}
		assert.Equal(t, map[string]int{"filed": many}, w.recorded())
		assert.Empty(t, w.broken())
	})
}

func TestLostAnswersOfAListStopNoOther(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		const many = 12
		ids := w.halfFiled(many)
		require.NoError(t, w.softlayer.Fault(filing, "drop_after", 1))
		require.NoError(t, w.softlayer.Fault(filing, "drop_before", 1))
		told := w.awaitMessage(w.cast.Channel, "Asked for 12 servers · 11 filed · 1 not known yet")
		assert.Equal(t, many-1, w.ticketsOf(ids), "the ticket whose answer was lost is found")
		assert.Len(t, w.posts(), many, "each was sent once")
		after := w.hurried("Cancellation requested for 12 servers.")
		assert.Equal(t, told.TS, after.TS)
		for _, server := range ids {
			assert.Len(t, w.tickets(server), 1)
		}
		assert.Len(t, w.posts(), many+1, "what never came there is sent once more")
		assert.Empty(t, w.broken())
	})
}

func TestApprovalsTakenAwayStopAHalfFiledList(t *testing.T) {
	overSocket(t, lists(), func(t *testing.T, w *world) {
		const many = 8
		ids, names := w.some(many)
		review := w.pasted(w.cast.Requester, names, many)
		require.Empty(t, w.confirms(w.cast.Requester, review, "8").Error)
		waits := w.approved("8 waiting for approval")
		w.eventually("some are filed", func() bool { return len(w.posts()) >= 2 })
		w.freezes(w.cast.Approver)
		w.eventually("nothing is on its way any more", func() bool { return w.recorded()["filing"] == 0 })
		filed := w.ticketsOf(ids)
		require.Less(t, filed, many)
		w.stop() // what it knew of the groups is gone
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Remove: []string{w.cast.Approver}, Add: []string{w.cast.Outsider}}))
		w.start()
		w.awaitReady()
		w.thaws(w.cast.Outsider)

		rest := many - filed
		again := w.hurried(fmt.Sprintf("%d filed · %d waiting for approval", filed, rest), "some approvals no longer count")
		assert.Equal(t, waits.TS, again.TS)
		assert.Equal(t, map[string]int{"filed": filed, "pending": rest}, w.recorded())
		assert.Len(t, w.posts(), filed, "nothing is filed without an approval that counts")
		w.press(w.cast.Outsider, again, "batch-approve")
		require.Equal(t, fmt.Sprintf("Approve %d", rest), w.top(w.cast.Outsider).Title.Text)
		require.Empty(t, w.says(w.cast.Outsider, nil).Error)
		after := w.hurried("Cancellation requested for 8 servers.")
		assert.NotContains(t, after.Shown, "no longer count")
		w.filedOnce(ids...)
		by := map[string]int{}
		for _, server := range ids {
			for _, approver := range []string{w.cast.Approver, w.cast.Outsider} {
				by[approver] += strings.Count(w.tickets(server)[0].FirstUpdate.Entry, "(Slack user "+approver)
			}
		}
		assert.Equal(t, map[string]int{w.cast.Approver: filed, w.cast.Outsider: rest}, by, "each ticket names who approved it")
		assert.Empty(t, w.broken())
	})
}

func TestPolicyThatForbidsSinceEndsTheRest(t *testing.T) {
	overHTTP(t, lists(), func(t *testing.T, w *world) {
		in := func(center string) func(hardware) bool {
			return func(h hardware) bool { return (h.Datacenter.Name == "fra02") == (center == "fra02") }
		}
		var names string
		var ids []int64
		for _, center := range []string{"fra02", "fra02", "elsewhere", "elsewhere"} {
			ids = append(ids, w.anotherThat(in(center)))
			names += w.fqdn(ids[len(ids)-1]) + "\n"
		}
		w.freezes(w.cast.Approver)
		review := w.pasted(w.cast.User, names, 4)
		require.Empty(t, w.confirms(w.cast.User, review, "4").Error)
		w.awaitMessage(w.cast.Channel, "4 waiting to be filed")
		w.changesPolicy(fmt.Sprintf(`
@id("all") permit (principal in Group::%q, action, resource);
@id("leads") permit (principal in Group::%q, action == Action::"approve", resource);
@id("fra02-stays") @reason("fra02 stays until <!channel> says so.")
forbid (principal, action == Action::"request", resource) when { resource.datacenter == "fra02" };
`, w.cast.CancelGroup, w.cast.ApproveGroup))
		w.thaws(w.cast.Approver)
		told := w.hurried("Cancellation requested for 2 of 4 servers. 2 not filed.", "Not allowed: ", "fra02 stays until", w.fqdn(ids[0]), w.fqdn(ids[1]))
		assert.NotContains(t, told.Mentions, "channel")
		w.filedOnce(ids[2:]...)
		assert.Len(t, w.posts(), 2)
		assert.Empty(t, w.broken())
	})
}

// On PostgreSQL the process dies with its commit: it came there, or it did not.
func TestListIsWholeAfterALostCommit(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"it is done": true, "it never came there": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := postgrestest.DatabaseFor(t, 1)
			wire := postgrestest.NewWire(t, database)
			s := lists("DATABASE_URL=" + wire.URL())
			s.postgres = database
			w := started(t, byHTTP, s)
			ids, names := w.some(50)
			review := w.pasted(w.cast.User, names, 50)
			wire.Lose(postgrestest.Loss{Done: done, Severed: true, Carrying: "The rack is emptied."})
			ack := w.submit(w.cast.User, review, w.typedCount(review, "50"))
			require.Empty(t, ack.Error)
			w.eventually("the commit is lost", wire.Lost)
			assert.Contains(t, w.top(w.cast.User).text(w), "We cannot tell whether this was recorded.")
			w.kill()
			wire.Mend()
			w.start()
			w.awaitReady()
			if !done {
				assert.Empty(t, w.recorded(), "none of them")
				return
			}
			w.hurried("Cancellation requested for 50 servers.")
			w.filedOnce(ids...)
			assert.Equal(t, map[string]int{"filed": 50}, w.recorded())
			assert.Len(t, w.roots(w.cast.Channel), 1)
		})
	}
}
