//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/postgrestest"
)

// onPostgres is a world whose bots, as many as said, share a PostgreSQL database, and that
// database.
func onPostgres(t *testing.T, transport string, bots int, s setup) (*world, *sql.DB) {
	t.Helper()
	at := postgrestest.DatabaseFor(t, bots)
	db, err := sql.Open("pgx", at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s.postgres = at
	return started(t, transport, s), db
}

// replica runs one more bot alongside the first, until the test ends.
func (w *world) replica() *child {
	w.t.Helper()
	endpoint, admin := w.endpoint, w.admin
	c := w.run(nil)
	if w.endpoint = endpoint; endpoint != "" {
		w.slack.SetEndpoint(endpoint)
	}
	w.eventually("the replica serves", func() bool {
		said := c.log.String()
		return strings.Contains(said, "msg=listening for=operators") && (c.at == nil || strings.Contains(said, "msg=listening for=Slack"))
	})
	w.admin = admin
	w.t.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		<-c.done
	})
	return c
}

// balance puts a load balancer before bots that take signed requests: each request goes to
// the next of them.
func (w *world) balance(bots ...*child) {
	w.t.Helper()
	var turn atomic.Uint64
	balancer := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(bots[turn.Add(1)%uint64(len(bots))].at)
	}})
	w.t.Cleanup(balancer.Close)
	w.endpoint = balancer.URL
	w.slack.SetEndpoint(w.endpoint)
}

// atOneAndAtThree runs a test at one process on a file and at three on a PostgreSQL
// database, each over a transport. What Slack sends comes to any of the three.
func atOneAndAtThree(t *testing.T, one, three string, s setup, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	t.Run("one, on SQLite", func(t *testing.T) { over(t, one, s, test) })
	t.Run("three, on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		w, _ := onPostgres(t, three, 3, s)
		bots := []*child{w.child, w.replica(), w.replica()}
		if three == byHTTP {
			w.balance(bots...)
		}
		test(t, w)
	})
}

// moved waits until a request came to a state, and says when, by the database's clock.
func (w *world) moved(db *sql.DB, to cancellation.State) time.Time {
	w.t.Helper()
	var at int64
	w.eventually("a request is "+string(to), func() bool {
		err := db.QueryRow(`select at from events where to_state = $1 and from_state <> to_state order by at limit 1`, string(to)).Scan(&at)
		return err == nil
	})
	return time.UnixMilli(at)
}

// holder is the process that holds the only request's lease.
func holder(t *testing.T, db *sql.DB) (pid int) {
	t.Helper()
	var owner string
	require.NoError(t, db.QueryRow(`select lease_owner from requests`).Scan(&owner))
	pid, err := strconv.Atoi(strings.Split(owner, "/")[1])
	require.NoError(t, err)
	return pid
}

func TestDeadReplicasWorkIsTakenOverInTime(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t, byHTTP, 2, setup{extra: []string{"POST_TIMEOUT=60s", "SETTLE_TIME=60s"}})
	other := w.replica()
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	require.NoError(t, w.softlayer.Fault(filing, "hang", 1))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
	w.eventually("the POST is under way", func() bool { return w.softlayer.FaultsLeft() == 0 })

	dead, err := os.FindProcess(holder(t, db))
	require.NoError(t, err)
	var now int64
	require.NoError(t, db.QueryRow(`select (extract(epoch from clock_timestamp()) * 1000)::bigint`).Scan(&now))
	require.NoError(t, dead.Kill())
	if dead.Pid == w.child.cmd.Process.Pid {
		<-w.child.done
		w.child = nil
	} else {
		<-other.done
	}
	takenOver := w.moved(db, cancellation.Unknown)
	lease := cancellation.DefaultLimits().Lease
	assert.LessOrEqual(t, takenOver.Sub(time.UnixMilli(now)), lease+time.Second, "taken over within lease + 1 s")
	assert.Len(t, w.posts(), 1, "and not sent again")
}

func TestReplicasHearOfWorkAndCountEachOther(t *testing.T) {
	t.Parallel()
	w, _ := onPostgres(t, bySocket, 2, patient())
	w.replica()
	w.eventually("both count two", func() bool { _, said := w.readyz(); return said.Replicas == 2 })
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	require.NoError(t, w.softlayer.Fault(filing, "drop_before", 2))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
	ref := w.ref(w.awaitSettled(w.cast.Channel, "Needs a person").Text)
	_, listed := w.ends([]string{"requests", "--state", "stuck"})
	assert.Contains(t, listed, ref)
	assert.Contains(t, listed, w.fqdn(w.server))
	began := time.Now()
	w.resolves(ref, "none")
	w.awaitMessage(w.cast.Channel, "Cancellation requested")
	assert.Less(t, time.Since(began), listenedPoll, "heard of, and not found by asking")
	assert.Len(t, w.tickets(w.server), 1)
}

func TestSQLiteResumesWithinASecondOfServing(t *testing.T) {
	t.Parallel()
	w := started(t, fakeslack.TransportHTTP, patient())
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	require.NoError(t, w.softlayer.Fault(filing, "hang", 1))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
	w.eventually("the POST is under way", func() bool { return w.softlayer.FaultsLeft() == 0 })
	w.kill()
	w.start()
	db := w.openDatabase()
	defer db.Close()
	resumed := w.moved(db, cancellation.Unknown)
	assert.Less(t, resumed.Sub(servedSince(t, w.child.log.String())), time.Second)
}

// servedSince reads from a bot's log when it began to serve.
func servedSince(t *testing.T, log string) time.Time {
	t.Helper()
	for line := range strings.SplitSeq(log, "\n") {
		if stamp, rest, _ := strings.Cut(line, " "); strings.Contains(rest, "msg=serving ") {
			at, err := time.Parse(time.RFC3339Nano, strings.TrimPrefix(stamp, "time="))
			require.NoError(t, err, fmt.Sprintf("the time of %q", line))
			return at
		}
	}
	require.Fail(t, "the bot serves", log)
	return time.Time{}
}

func TestOneListIsSentAndApprovedAtOnce(t *testing.T) {
	many := setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}, before: twoApprovals}
	atOneAndAtThree(t, bySocket, byHTTP, many, func(t *testing.T, w *world) {
		ids, names := w.some(4)
		review := w.pasted(w.cast.Requester, names, 4)
		require.NoError(t, w.slack.Fault("view_submission", fakeslack.FaultTwiceAtOnce, 1))
		require.Empty(t, w.confirms(w.cast.Requester, review, "4").Error)
		waits := w.awaitMessage(w.cast.Channel, "4 waiting for approval")
		assert.Equal(t, map[string]int{"pending": 4}, w.recorded(), "two processes got the form, and it is one list")

		forms := map[string]modal{}
		for _, lead := range []string{w.cast.Approver, w.cast.User} {
			w.press(lead, waits, "batch-approve")
			forms[lead] = w.top(lead)
			require.Equal(t, "Approve 4", forms[lead].Title.Text)
		}
		atOnce(
			func() { w.sends(w.cast.Approver, forms[w.cast.Approver], nil) },
			func() { w.sends(w.cast.User, forms[w.cast.User], nil) },
		)
		told := w.awaitMessage(w.cast.Channel, "Cancellation requested for 4 servers")
		assert.Equal(t, waits.TS, told.TS, "one message")
		for _, id := range ids {
			assert.Len(t, w.tickets(id), 1)
			assert.Len(t, w.postsFor(id), 1)
		}
		assert.Len(t, w.about(w.cast.Channel, w.fqdn(ids[0])), 1)
		assert.Empty(t, w.broken())
	})
}

func TestOverlappingListsFileEachServerOnce(t *testing.T) {
	many := setup{softlayer: fakesoftlayer.Options{Servers: 200}, slack: fakeslack.Options{RateLimitsOff: true}, before: func(w *world) {
		for group, also := range map[string][]string{w.cast.RequestGroup: {w.cast.Outsider}, w.cast.CancelGroup: {w.cast.Hostile, w.cast.Outsider}} {
			require.NoError(w.t, w.slack.PatchGroup(group, fakeslack.GroupPatch{Add: also}))
		}
	}}
	atOneAndAtThree(t, byHTTP, bySocket, many, func(t *testing.T, w *world) {
		ids, _ := w.some(6)
		named := func(from, to int) string {
			var names []string
			for _, id := range ids[from:to] {
				names = append(names, w.fqdn(id))
			}
			return strings.Join(names, "\n")
		}
		var send []func()
		people := []string{w.cast.User, w.cast.Hostile, w.cast.Outsider}
		for i, user := range people {
			review := w.pasted(user, named(i, i+4), 4)
			count := fakeslack.Values{w.countBlock(review): {"count": {"type": "plain_text_input", "value": "4"}}}
			send = append(send, func() { w.sends(user, review, count) })
		}
		atOnce(send...)
		var recorded []string
		for _, user := range people {
			if w.top(user).Title.Text == "Recorded" {
				recorded = append(recorded, user)
			}
		}
		require.Len(t, recorded, 1, "each list has servers of each other, and all of a list is recorded or nothing")
		w.awaitMessage(w.cast.Channel, "Cancellation requested for 4 servers")
		assert.Equal(t, map[string]int{"filed": 4}, w.recorded())
		assert.Len(t, w.posts(), 4)
		for _, user := range people {
			if user != recorded[0] {
				w.eventually("who was too late reads what is left", func() bool { return strings.HasPrefix(w.top(user).Title.Text, "Review: ") })
			}
		}
		assert.Empty(t, w.broken())
	})
}
