//go:build unix

package main

import (
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/postgrestest"
)

// onPostgres is a world whose bots share a PostgreSQL database, and that database.
func onPostgres(t *testing.T, transport string, s setup) (*world, *sql.DB) {
	t.Helper()
	at := postgrestest.Database(t)
	db, err := sql.Open("pgx", at)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s.extra = append(s.extra, "DATABASE_URL="+at)
	return started(t, transport, s), db
}

// replica runs one more bot beside the first, until the test ends.
func (w *world) replica() *child {
	w.t.Helper()
	endpoint, admin := w.endpoint, w.admin
	c := w.run(nil)
	if w.endpoint = endpoint; endpoint != "" {
		w.slack.SetEndpoint(endpoint)
	}
	w.eventually("the replica serves", func() bool { return strings.Contains(c.log.String(), "msg=listening for=operators") })
	w.admin = admin
	w.t.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		<-c.done
	})
	return c
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

func TestADeadReplicasWorkIsTakenOverWithinItsLeaseAndASecond(t *testing.T) {
	t.Parallel()
	w, db := onPostgres(t, fakeslack.TransportSocket, setup{extra: []string{"POST_TIMEOUT=30s", "SETTLE_TIME=30s"}})
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
	w, db := onPostgres(t, fakeslack.TransportSocket, setup{extra: quickly})
	w.replica()
	w.eventually("both count two", func() bool { _, said := w.readyz(); return said.Replicas == 2 })
	m := w.form(w.cast.Channel, w.cast.User, w.server)
	require.NoError(t, w.softlayer.Fault(filing, "drop_before", 2))
	require.Empty(t, w.submit(w.cast.User, m, w.usual(m, w.server)).Error)
	w.moved(db, cancellation.Stuck)
	ref := w.ref(w.awaitMessage(w.cast.Channel, "Needs a person").Text)
	_, listed := w.ends([]string{"requests", "--state", "stuck"})
	assert.Contains(t, listed, ref)
	assert.Contains(t, listed, w.fqdn(w.server))
	began := time.Now()
	w.resolves(ref, "none")
	w.awaitMessage(w.cast.Channel, "Cancellation requested")
	assert.Less(t, time.Since(began), listenedPoll, "heard of, and not found by asking")
	assert.Len(t, w.tickets(w.server), 1)
}

func TestOnAFileTheFirstResumedStepComesWithinASecondOfServing(t *testing.T) {
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
