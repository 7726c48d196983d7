//go:build unix

package main

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
)

// What several people do at the same time.

func atOnce(all ...func()) {
	var under sync.WaitGroup
	for _, do := range all {
		under.Go(do)
	}
	under.Wait()
}

// tries is a press on a button that somebody else may have taken away a moment before. It
// reports whether it was there.
func (w *world) tries(user string, m message, action string) bool {
	w.t.Helper()
	ack, err := w.clicks(user, m, action)
	assert.Empty(w.t, ack.Error, "a click is acknowledged")
	return err == nil
}

// sends submits a form alongside what others do. Whether it was in time shows in its answer.
func (w *world) sends(user string, m modal, values fakeslack.Values) {
	w.t.Helper()
	ack, err := w.slack.Submit(w.t.Context(), fakeslack.Submission{User: user, View: m.ID, Values: values})
	assert.NoError(w.t, err)
	assert.Empty(w.t, ack.Error, "a submission is acknowledged")
}

// awaitEither waits for the one end of a request and says which of these it is.
func (w *world) awaitEither(server int64, ends ...string) (end string) {
	w.t.Helper()
	w.eventually("one of "+strings.Join(ends, ", "), func() bool {
		for _, end = range ends {
			if len(w.about(w.cast.Channel, end, w.fqdn(server))) > 0 {
				return true
			}
		}
		return false
	})
	return end
}

func TestSimultaneousActionsHaveOneEndWithinTheLimits(t *testing.T) {
	several := setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}, extra: []string{"MAX_SERVERS_PER_DAY=6"}, before: func(w *world) {
		for group, also := range map[string][]string{
			w.cast.ApproveGroup: {w.cast.User}, w.cast.RequestGroup: {w.cast.Outsider}, w.cast.CancelGroup: {w.cast.Hostile, w.cast.Outsider},
		} {
			require.NoError(w.t, w.slack.PatchGroup(group, fakeslack.GroupPatch{Add: also}))
		}
	}}
	atOneAndAtThree(t, bySocket, byHTTP, several, func(t *testing.T, w *world) {
		var stay []int64 // servers whose request was said to have ended unfiled
		for _, race := range []struct {
			promise string
			run     func(t *testing.T, w *world, server int64) (filed bool)
		}{
			{"an approval and a decline", anApprovalAndADecline},
			{"an approval and a withdrawal", anApprovalAndAWithdrawal},
			{"an approval and a take over", anApprovalAndATakeOver},
			{"two submissions for one server", twoSubmissions},
		} {
			t.Run(race.promise, func(t *testing.T) {
				for range 2 {
					w, server := w.in(t), w.another()
					if filed := race.run(t, w, server); filed {
						assert.Len(t, w.tickets(server), 1, "one ticket")
						assert.Len(t, w.postsFor(server), 1, "one POST")
					} else {
						stay = append(stay, server)
					}
				}
			})
		}
		t.Run("submissions and a freeze: once it is answered no process sends anything", func(t *testing.T) { submissionsAndAFreeze(t, w.in(t)) })
		t.Run("more submissions than the limits: no more are taken and filed", func(t *testing.T) { moreThanTheLimits(t, w.in(t)) })
		w.stop() // what was under way is over
		for _, server := range stay {
			assert.Empty(t, w.postsFor(server), "nothing is sent for what was said to stay")
		}
		assert.Empty(t, w.broken())
	})
}

func anApprovalAndADecline(t *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	w.press(w.cast.User, waits, "decline")
	form := w.top(w.cast.User)
	var pressed bool
	atOnce(
		func() { pressed = w.tries(w.cast.Approver, waits, "approve") },
		func() { w.sends(w.cast.User, form, why("we still need it")) },
	)
	if w.awaitEither(server, "Cancellation requested", "Declined by") == "Cancellation requested" {
		assert.Contains(t, w.top(w.cast.User).text(w), "Too late", "who declined too late reads so")
		w.close(w.cast.User)
		return true
	}
	if pressed && !w.wasApproved(server) { // else it was declined after the approval, before its filing
		w.whispered(w.cast.Channel, w.cast.Approver, "Too late: Declined", w.fqdn(server))
	}
	return false
}

// wasApproved reports whether an approval of a server's request is on record.
func (w *world) wasApproved(server int64) bool {
	w.t.Helper()
	db := w.openDatabase()
	defer db.Close()
	var n int
	require.NoError(w.t, db.QueryRowContext(w.t.Context(),
		`select count(*) from events where kind = 'approved' and request_id in (select id from requests where server_id = $1)`, server).Scan(&n))
	return n > 0
}

func anApprovalAndAWithdrawal(_ *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	var approved, withdrawn bool
	atOnce(
		func() { approved = w.tries(w.cast.Approver, waits, "approve") },
		func() { withdrawn = w.tries(w.cast.Requester, waits, "withdraw") },
	)
	end := w.awaitEither(server, "Cancellation requested", "Withdrawn by")
	if end == "Cancellation requested" && withdrawn {
		w.whispered(w.cast.Channel, w.cast.Requester, "Too late", w.fqdn(server))
	}
	assert.True(w.t, approved || withdrawn, "somebody pressed")
	return end == "Cancellation requested"
}

func anApprovalAndATakeOver(t *testing.T, w *world, server int64) (filed bool) {
	waits := w.asksFor(server)
	m := w.form(w.cast.Channel, w.cast.User, server)
	require.Contains(t, m.text(w), "is waiting for approval")
	atOnce(
		func() { w.tries(w.cast.Approver, waits, "approve") },
		func() { w.sends(w.cast.User, m, w.usual(m, server)) },
	)
	w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	taken := func() []message { return w.about(w.cast.Channel, "Taken over by", w.fqdn(server)) }
	switch w.top(w.cast.User).Title.Text {
	case "Recorded":
		w.awaitMessage(w.cast.Channel, "Taken over by", w.fqdn(server)) // its notice may come last
		assert.Len(t, taken(), 1, "the one that it took the place of says so")
	case "Already requested":
		assert.Empty(t, taken())
	default:
		assert.Fail(t, "who takes over reads what came of it", w.top(w.cast.User).Raw)
	}
	return true
}

func twoSubmissions(t *testing.T, w *world, server int64) (filed bool) {
	both := map[string]modal{}
	for _, user := range []string{w.cast.User, w.cast.Hostile} { // each may cancel without approval
		both[user] = w.form(w.cast.Channel, user, server)
	}
	values := map[string]fakeslack.Values{}
	for user, m := range both {
		values[user] = w.usual(m, server)
	}
	atOnce(
		func() { w.sends(w.cast.User, both[w.cast.User], values[w.cast.User]) },
		func() { w.sends(w.cast.Hostile, both[w.cast.Hostile], values[w.cast.Hostile]) },
	)
	first, second, name := w.cast.User, w.cast.Hostile, "ana"
	if w.top(first).Title.Text != "Recorded" {
		first, second, name = second, first, "<!channel> & co"
	}
	assert.Equal(t, "Recorded", w.top(first).Title.Text)
	assert.Contains(t, w.top(second).text(w), "Nothing new was filed. "+name+" already asked to cancel "+w.fqdn(server))
	told := w.awaitMessage(w.cast.Channel, "Cancellation requested", w.fqdn(server))
	assert.Equal(t, w.ref(w.top(first).text(w)), w.ref(told.Shown), "by the one reference")
	assert.Len(t, w.about(w.cast.Channel, w.fqdn(server)), 1, "one message")
	return true
}

// filledIn are forms of one person's for so many servers, and what is typed into each.
func (w *world) filledIn(user string, count int) (forms map[int64]modal, values map[int64]fakeslack.Values) {
	w.t.Helper()
	forms, values = map[int64]modal{}, map[int64]fakeslack.Values{}
	for range count {
		server := w.another()
		forms[server] = w.form(w.cast.Channel, user, server)
		values[server] = w.usual(forms[server], server)
	}
	return forms, values
}

func submissionsAndAFreeze(t *testing.T, w *world) {
	forms, values := w.filledIn(w.cast.Hostile, 4)
	var answered time.Time
	all := []func(){func() {
		_, err := w.slack.Command(t.Context(), fakeslack.Command{User: w.cast.Approver, Channel: w.cast.Channel, Command: "/cancel-server", Text: "freeze an outage"})
		assert.NoError(t, err)
		answered = w.softlayer.Now()
	}}
	for server, m := range forms {
		all = append(all, func() { w.sends(w.cast.Hostile, m, values[server]) })
	}
	atOnce(all...)
	w.whispered(w.cast.Channel, w.cast.Approver, "Filing is frozen")
	said := w.ephemeral(w.cast.Channel, w.cast.Approver)
	underWay := said[len(said)-1].Shown
	for server := range forms {
		w.awaitEither(server, "Cancellation requested", "Waiting to be filed")
		for _, post := range w.postsFor(server) {
			if !strings.Contains(underWay, w.fqdn(server)) {
				assert.False(t, post.At.After(answered), "a POST that the answer does not name was sent %v after it", post.At.Sub(answered))
			}
		}
	}
	w.thaws(w.cast.Approver)
	for server := range forms {
		w.awaitSoon(w.cast.Channel, "Cancellation requested", w.fqdn(server))
		assert.Len(t, w.tickets(server), 1)
		assert.Len(t, w.postsFor(server), 1)
	}
}

func moreThanTheLimits(t *testing.T, w *world) {
	db := w.openDatabase()
	defer db.Close()
	before := len(w.posts())
	for _, fills := range []string{
		`update filings set made = 58`, // requests before were filed in this hour, or in the one before
		`insert into filings (hour, made) select max(hour) + 1, 60 from filings`,
	} {
		_, err := db.ExecContext(t.Context(), fills)
		require.NoError(t, err, "two are left of the hour, and none of the next one")
	}
	forms, values := w.filledIn(w.cast.Outsider, 8)
	var submissions []func()
	var mu sync.Mutex
	taken, refused := []int64{}, 0
	for server, m := range forms {
		submissions = append(submissions, func() {
			ack, err := w.slack.Submit(t.Context(), fakeslack.Submission{User: w.cast.Outsider, View: m.ID, Values: values[server]})
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			switch said := string(ack.Body); {
			case strings.Contains(said, `"Recorded"`):
				taken = append(taken, server)
			case strings.Contains(said, "Nothing was filed: you have asked for 6 servers since midnight UTC"):
				refused++
			default:
				assert.Fail(t, "each reads what came of it", "%+v %s", ack, said)
			}
		})
	}
	atOnce(submissions...)
	assert.Equal(t, len(forms), len(taken)+refused)
	var days, most int
	require.NoError(t, db.QueryRowContext(t.Context(), `select count(*), max(asked) from
		(select count(*) as asked from requests where requester like $1 group by quota_day) as by_day`, "%"+w.cast.Outsider).Scan(&days, &most))
	assert.LessOrEqual(t, most, 6, "no more are taken in a day")
	if days == 1 { // midnight did not pass between two of them
		assert.Len(t, taken, 6)
	}
	waiting := 0
	for _, server := range taken {
		if w.awaitEither(server, "Cancellation requested", "Waiting to be filed") == "Waiting to be filed" {
			w.awaitMessage(w.cast.Channel, "this hour's filings are used up, 60 at most", w.fqdn(server))
			waiting++
		}
	}
	assert.GreaterOrEqual(t, waiting, len(taken)-2)
	assert.LessOrEqual(t, len(w.posts())-before, 2, "no more are filed in an hour")
}

func TestClickDeliveredTwiceIsOneApproval(t *testing.T) {
	overBothWith(t, setup{before: twoApprovals}, func(t *testing.T, w *world) {
		for _, fault := range []string{fakeslack.FaultTwiceAtOnce, fakeslack.FaultRedeliver} {
			server := w.another()
			waits := w.asksFor(server)
			require.NoError(t, w.slack.Fault("block_actions", fault, 1))
			w.press(w.cast.Approver, waits, "approve")
			w.awaitMessage(w.cast.Channel, "Approvals 1 of 2", w.fqdn(server))
			clicked := w.calls("block_actions")
			_, err := w.slack.Replay(t.Context(), clicked[len(clicked)-1].Delivery, false)
			require.NoError(t, err)
			assert.Empty(t, w.postsFor(server), fault)
			assert.Len(t, w.about(w.cast.Channel, "Approvals 1 of 2", w.fqdn(server)), 1, fault)
		}
		assert.Equal(t, map[string]int{"pending": 2}, w.recorded())
		assert.Empty(t, w.posts())
	})
}
