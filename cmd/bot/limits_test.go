//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/postgrestest"
)

// freezes has somebody who could approve stop all filing.
func (w *world) freezes(user string) {
	w.t.Helper()
	require.Empty(w.t, w.command(user, "freeze an outage in fra02").Error)
	w.whispered(w.cast.Channel, user, "Filing is frozen")
}

// thaws has somebody who could approve let it go on.
func (w *world) thaws(user string) {
	w.t.Helper()
	require.Empty(w.t, w.command(user, "unfreeze it is over").Error)
	w.whispered(w.cast.Channel, user, "The button ends this freeze and no other")
	asked := slices.DeleteFunc(w.ephemeral(w.cast.Channel, user), func(m message) bool { return !strings.Contains(m.Shown, "The button ends this freeze") })
	last := asked[len(asked)-1]
	ack, err := w.slack.Act(w.t.Context(), fakeslack.Action{
		User: user, Message: &fakeslack.MessageRef{Channel: last.Channel, TS: last.TS}, BlockID: "freeze", ActionID: "unfreeze",
	})
	require.NoError(w.t, err)
	require.Empty(w.t, ack.Error)
	w.whispered(w.cast.Channel, user, "Filing goes on")
}

// fillsTheNextDayToo has what was asked for, as much as a day takes, fill the next day as
// well, since midnight may pass before the test ends. Who asked is one person.
func (w *world) fillsTheNextDayToo(most int) {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	rows, err := db.QueryContext(w.t.Context(), `select id, quota_day, quota_slot from requests order by quota_day, quota_slot`)
	require.NoError(w.t, err)
	defer rows.Close()
	var ids []string
	var days, slots []int
	for rows.Next() {
		var id string
		var day, slot int
		require.NoError(w.t, rows.Scan(&id, &day, &slot))
		ids, days, slots = append(ids, id), append(days, day), append(slots, slot)
	}
	require.NoError(w.t, rows.Err())
	require.Len(w.t, ids, most)
	if days[0] == days[most-1] {
		require.Equal(w.t, most, slots[most-1], "the day is full")
	}
	for at, day := range map[int]int{most - 1: days[most-1], 0: days[most-1] + 1} {
		_, err := db.ExecContext(w.t.Context(), `update requests set quota_day = $1, quota_slot = $2 where id = $3`, day, most, ids[at])
		require.NoError(w.t, err)
	}
}

func TestFormBeyondTheDaysLimitIsRefused(t *testing.T) {
	overSocket(t, setup{extra: []string{"MAX_SERVERS_PER_DAY=2"}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server) // opened while there was a place
		for range 2 {
			w.accepted(w.cast.Channel, w.cast.User, w.another())
		}
		w.fillsTheNextDayToo(2)
		told := w.fieldErrors(w.submit(w.cast.User, m, w.usual(m, w.server)))
		assert.Contains(t, told["server"], "Nothing was filed: you have asked for 2 servers since midnight UTC")

		before := w.hasOpen(w.cast.User)
		require.Empty(t, w.command(w.cast.User, "").Error)
		w.whispered(w.cast.Channel, w.cast.User, "Nothing was filed", "builtin-servers-per-day")
		assert.Equal(t, before, w.hasOpen(w.cast.User), "no form opens")
		require.Empty(t, w.command(w.cast.Requester, "").Error)
		assert.Equal(t, 1, w.hasOpen(w.cast.Requester), "another person's day is their own")
	})
}

func TestFreezeFromSlackHoldsUntilLifted(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		require.Empty(t, w.command(w.cast.Requester, "freeze I say so").Error)
		w.whispered(w.cast.Channel, w.cast.Requester, "Nothing was changed", "builtin-default-deny")
		require.Empty(t, w.command(w.cast.Approver, "freeze").Error)
		w.whispered(w.cast.Channel, w.cast.Approver, "Say why")
		const why = "an outage in fra02 <!channel>, see 10.3.4.5"
		require.Empty(t, w.command(w.cast.Approver, "freeze "+why).Error)
		w.whispered(w.cast.Channel, w.cast.Approver, "Filing is frozen", "No request was under way")
		w.accepted(w.cast.Channel, w.cast.User, w.server)
		told := w.awaitMessage(w.cast.Channel, "Waiting to be filed", w.fqdn(w.server), "filing is frozen by ", ": an outage in fra02")
		assert.ElementsMatch(t, []string{w.cast.User, w.cast.Approver}, told.Mentions, "who asked, and who froze filing")
		assert.NotContains(t, told.Shown, "10.3.4.5", "addresses stay out of channels")
		assert.Empty(t, w.posts())
		_, said := w.readyz()
		require.NotNil(t, said.Frozen)
		assert.Equal(t, why, said.Frozen.Why)

		w.thaws(w.cast.Approver)
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestFreezeDuringTheLastCheckHolds(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		require.NoError(t, w.softlayer.Fault(reading, "slow", 1)) // answered after 3 s
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.eventually("the read before the filing is under way", func() bool { return w.softlayer.FaultsLeft() == 0 })
		w.freezes(w.cast.Approver)
		assert.Equal(t, map[string]int{"scheduled": 1}, w.recorded(), "nothing was on its way when the freeze was answered")
		w.awaitMessage(w.cast.Channel, "Waiting to be filed", w.fqdn(w.server), "filing is frozen by ", ": an outage in fra02")
		assert.Empty(t, w.posts(), "the read that was answered after it files nothing")

		w.thaws(w.cast.Approver)
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Len(t, w.posts(), 1, "filed once")
		assert.Len(t, w.tickets(w.server), 1)
	})
}

func TestResendNeedsNoFreezeAndItsApprovals(t *testing.T) {
	overHTTP(t, patient(), func(t *testing.T, w *world) {
		alone, approved := w.another(), w.another()
		waits, m := w.asksFor(approved), w.form(w.cast.Channel, w.cast.User, alone)
		require.NoError(t, w.softlayer.Fault(filing, "drop_before", 2))
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, alone)).Error)
		w.press(w.cast.Approver, waits, "approve")
		w.awaitMessage(w.cast.Channel, "Not known yet", w.fqdn(alone))
		w.awaitMessage(w.cast.Channel, "Not known yet", w.fqdn(approved))
		w.stop() // what it knew of the groups is gone
		require.NoError(t, w.slack.PatchGroup(w.cast.ApproveGroup, fakeslack.GroupPatch{Remove: []string{w.cast.Approver}, Add: []string{w.cast.Outsider}}))
		w.start()
		w.awaitReady()
		w.freezes(w.cast.Outsider)
		db := w.openDatabase()
		defer db.Close()
		w.eventually("both would be sent once more, but for the freeze", func() bool {
			_, err := db.ExecContext(t.Context(), cleanSince("created_at - 86400000"))
			require.NoError(t, err)
			var held int
			return db.QueryRow(`select count(*) from requests where state = 'unknown' and reason_code = 'filing-frozen'`).Scan(&held) == nil && held == 2
		})
		assert.Len(t, w.posts(), 2, "each was sent once")

		w.thaws(w.cast.Outsider)
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(alone))
		w.awaitSoon(w.cast.Channel, "Needs a person", w.fqdn(approved), "a check stopped the request from being sent again. Some approvals no longer count")
		assert.Equal(t, map[string]int{"filed": 1, "stuck": 1}, w.recorded())
		assert.Len(t, w.postsFor(alone), 2)
		assert.Len(t, w.postsFor(approved), 1)
		assert.Empty(t, w.tickets(approved))
	})
}

func TestRequestBeyondTheHourlyLimitWaits(t *testing.T) {
	overSocket(t, setup{extra: []string{"MAX_FILINGS_PER_HOUR=1"}}, func(t *testing.T, w *world) {
		first, second := w.another(), w.another()
		w.accepted(w.cast.Channel, w.cast.User, first)
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(first))
		db := w.openDatabase()
		defer db.Close()
		// An hour that ends meanwhile is full too.
		_, err := db.ExecContext(t.Context(), `insert into filings (hour, made) select hour + 1, made from filings where made > 0 on conflict do nothing`)
		require.NoError(t, err)

		w.accepted(w.cast.Channel, w.cast.User, second)
		w.awaitMessage(w.cast.Channel, "Waiting to be filed", w.fqdn(second), "this hour's filings are used up, 1 at most", "Nothing is filed yet")
		assert.Empty(t, w.postsFor(second), "nothing is sent for it")
		assert.Equal(t, map[string]int{"filed": 1, "scheduled": 1}, w.recorded())

		_, err = db.ExecContext(t.Context(), `delete from filings`) // the next hour
		require.NoError(t, err)
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(second))
		assert.Len(t, w.postsFor(second), 1)
	})
}

func TestWhatWaitsForApprovalCountsInItsDay(t *testing.T) {
	overHTTP(t, setup{extra: []string{"MAX_SERVERS_PER_DAY=2"}}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.Requester, w.server) // opened while there was a place
		w.asksFor(w.another())
		waits := w.asksFor(w.another())
		w.fillsTheNextDayToo(2)
		told := w.fieldErrors(w.submit(w.cast.Requester, m, w.usual(m, w.server)))
		assert.Contains(t, told["server"], "Nothing was filed: you have asked for 2 servers since midnight UTC")
		w.press(w.cast.Requester, waits, "withdraw") // it was asked for all the same
		w.awaitMessage(w.cast.Channel, "Withdrawn by")
		told = w.fieldErrors(w.submit(w.cast.Requester, m, w.usual(m, w.server)))
		assert.Contains(t, told["server"], "you have asked for 2 servers since midnight UTC")
		assert.Equal(t, map[string]int{"pending": 1, "withdrawn": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestOperatorFreezesAndSeesWhatIsUnderWay(t *testing.T) {
	announced := func(w *world) {
		w.extra = append(w.extra, "NOTIFY_CHANNEL="+w.cast.PrivateChannel)
		member := true
		require.NoError(w.t, w.slack.PatchChannel(w.cast.PrivateChannel, fakeslack.ChannelPatch{BotIn: &member}))
	}
	overSocket(t, setup{extra: []string{"POST_TIMEOUT=60s", "SETTLE_TIME=60s"}, before: announced}, func(t *testing.T, w *world) {
		require.NoError(t, w.softlayer.Fault(filing, "hang", 1))
		under, waits := w.another(), w.another()
		w.accepted(w.cast.Channel, w.cast.User, under)
		w.eventually("the POST is under way", func() bool { return w.recorded()["filing"] == 1 })
		away := []string{"SLACK_API_URL=http://127.0.0.1:1/api/", "SOFTLAYER_ENDPOINT_URL=http://127.0.0.1:1/"}
		code, said := w.ends([]string{"freeze", "--why", "an outage"}, away...) // a vendor's, perhaps
		require.Zero(t, code, said)
		assert.Contains(t, said, "\nThis is Slack app ")
		assert.Contains(t, said, ` in team "`+w.slack.TeamID()+`" with SoftLayer account "`)
		assert.Contains(t, said, `" at "`+w.url+`/softlayer/rest/v3.1". Bots that serve from this database now: 1.`)
		assert.Contains(t, said, "\nPerhaps already under way, and not stopped by the freeze: 1\n")
		assert.Contains(t, said, w.fqdn(under)+", will not be sent after ")
		frozen := w.awaitMessage(w.cast.PrivateChannel, "Filing is frozen by ", "“an outage”", "Ordered on the command line on ", "Only bot unfreeze")
		w.accepted(w.cast.Channel, w.cast.User, waits)
		w.awaitMessage(w.cast.Channel, "Waiting to be filed", w.fqdn(waits), "filing is frozen")
		assert.Empty(t, w.postsFor(waits))
		for _, order := range []string{"unfreeze it is over", "freeze me too", "unfreeze it is over"} { // an approver is no operator
			require.Empty(t, w.command(w.cast.Approver, order).Error)
			w.whispered(w.cast.Channel, w.cast.Approver, "Nothing was changed", "Filing has been frozen since", "only bot unfreeze ends that: an outage", "builtin-operators-freeze")
		}
		_, ready := w.readyz()
		require.NotNil(t, ready.Frozen)
		assert.Contains(t, ready.Frozen.By, "operator:")
		code, said = w.ends([]string{"unfreeze", "--why", "over"})
		require.Zero(t, code, said)
		assert.Contains(t, said, "Filing goes on")
		assert.Contains(t, said, `"`+w.slack.TeamID()+`"`)
		over := w.awaitMessage(w.cast.PrivateChannel, "Filing goes on", "“over”", "Ordered on the command line on ")
		assert.Contains(t, over.Shown, "/archives/"+frozen.Channel+"/p"+strings.ReplaceAll(frozen.TS, ".", ""), "it links to the freeze that it ends")
		assert.Len(t, w.messages(w.cast.PrivateChannel), 2, "each once")
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(waits))
		assert.Len(t, w.postsFor(waits), 1)
		w.kill() // it would end only with its POST
	})
}

func TestFreezeOfAnotherDatabaseIsNotCalledDone(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, setup{})
	for name, another := range map[string]func(t *testing.T) string{
		"a file": func(t *testing.T) string {
			empty := filepath.Join(t.TempDir(), "empty.db")
			require.NoError(t, os.WriteFile(empty, nil, 0o600))
			return "sqlite:" + empty
		},
		"PostgreSQL": func(t *testing.T) string { return postgrestest.DatabaseFor(t, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w, at := w.in(t), another(t)
			for _, args := range [][]string{
				{"freeze", "--why", "an outage"}, {"unfreeze", "--why", "over"}, {"requests"}, {"resolve", "0000-0000", "none", "--why", "x"},
			} {
				code, said := w.ends(args, "DATABASE_URL="+at)
				assert.Equal(t, exitUsage, code, "%v: %s", args, said)
				assert.Contains(t, said, "no bot has ever served from it; nothing was changed: is DATABASE_URL that of the running bot?", "%v", args)
			}
		})
	}
	w.accepted(w.cast.Channel, w.cast.User, w.server)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))

	w.stop()
	code, said := w.ends([]string{"freeze", "--why", "an outage"}) // before the bot starts again, or of what it left behind
	require.Zero(t, code, said)
	assert.Contains(t, said, "No bot serves from this database now: is DATABASE_URL that of the running bot?")
}

func TestRequesterCannotReplaceAWaitingRequest(t *testing.T) {
	overHTTP(t, setup{}, func(t *testing.T, w *world) {
		m := w.form(w.cast.Channel, w.cast.Hostile, w.server) // read before the other one asked
		waits := w.asksFor(w.server)
		for _, form := range []modal{m, w.form(w.cast.Channel, w.cast.Hostile, w.server)} {
			require.Empty(t, w.submit(w.cast.Hostile, form, w.usual(form, w.server)).Error)
			told := w.top(w.cast.Hostile)
			assert.Equal(t, "Already requested", told.Title.Text)
			assert.Contains(t, told.text(w), "Nothing new was filed. ben already asked to cancel "+w.fqdn(w.server))
			assert.Equal(t, w.ref(waits.Shown), w.ref(told.text(w)))
			w.close(w.cast.Hostile)
		}
		assert.Equal(t, map[string]int{"pending": 1}, w.recorded())
		assert.Empty(t, w.posts())
	})
}

func TestRequestWithoutApprovalReplacesAWaitingOne(t *testing.T) {
	overSocket(t, setup{}, func(t *testing.T, w *world) {
		w.press(w.cast.Approver, w.asksFor(w.server), "decline")
		late := w.top(w.cast.Approver) // left open
		m := w.form(w.cast.Channel, w.cast.User, w.server)
		assert.Contains(t, m.text(w), "is waiting for approval")
		require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
		w.awaitMessage(w.cast.Channel, "Taken over by", w.fqdn(w.server))
		require.Empty(t, w.submit(w.cast.Approver, late, why("we still need it")).Error)
		assert.Contains(t, w.top(w.cast.Approver).text(w), "Too late")
		w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(w.server))
		assert.Equal(t, map[string]int{"withdrawn": 1, "filed": 1}, w.recorded())
		assert.Len(t, w.tickets(w.server), 1)
	})
}
