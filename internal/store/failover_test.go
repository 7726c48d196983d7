//go:build clusters

package store

import (
	"database/sql"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

// site is a primary, its standby, and the way by which the program reaches the one or the
// other. The old primary stays up after a failover, and so do the sessions to it.
type site struct {
	primary, standby *postgrestest.Cluster
	way              *postgrestest.Switch
}

func newSite(t *testing.T) *site {
	t.Helper()
	primary := postgrestest.NewCluster(t)
	s := &site{primary: primary, standby: primary.Standby()}
	s.way = postgrestest.NewSwitch(t, primary.Address())
	return s
}

func (s *site) open(t *testing.T) *Store {
	t.Helper()
	db := open(t, Options{URL: postgrestest.ClusterURL(s.way.Address()), Mode: Serve, PostTimeout: time.Minute})
	require.NoError(t, db.Bind(t.Context(), sandbox))
	return db
}

// failOver promotes the standby, to which the way leads from now on.
func (s *site) failOver() {
	s.standby.CaughtUp(s.primary)
	s.standby.Promote()
	s.way.Lead(s.standby.Address())
}

// endWriter ends the session that writes, and no other.
func (s *site) endWriter(t *testing.T, db *Store) {
	t.Helper()
	var pid string
	require.NoError(t, db.write.QueryRow("select pg_backend_pid()::text").Scan(&pid))
	s.primary.Run("select pg_terminate_backend(" + pid + ")")
}

// warm has every connection that reads connected to the old primary.
func warm(t *testing.T, db *Store) {
	t.Helper()
	for _, a := range atOnce(8*readers, func() ([]Count, error) { return db.Counts(t.Context()) }) {
		require.NoError(t, a.err)
	}
}

const identityOfSession = `select ` + identitySQL

// sessionsAt counts the program's sessions at a server.
func sessionsAt(c *postgrestest.Cluster) string {
	return c.Value(`select count(*)::text from pg_stat_activity where application_name = 'cancel-server'`)
}

func TestFailoverKeepsReadsWithTheWrites(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	db := s.open(t)
	before := recorded(t, db, 1)
	warm(t, db)
	s.failOver()
	s.endWriter(t, db)

	after := recorded(t, db, 2)
	requirePresent(t, db, after.ID)
	byRef, err := db.ByRef(t.Context(), after.Ref.Short())
	require.NoError(t, err)
	assert.Equal(t, after.ID, byRef.ID)
	live, err := db.Live(t.Context(), 2)
	require.NoError(t, err)
	assert.Equal(t, after.ID, live.ID)
	assert.Len(t, kinds(t, db, after.ID), 1)
	counts, err := db.Counts(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 2, counts[0].N)
	servers := map[int64]cancellation.Recheck{}
	for range 2 {
		r := claimed(t, db, "worker")
		servers[r.Submission.Card.Server.ID] = r.Recheck
	}
	assert.Equal(t, map[int64]cancellation.Recheck{1: cancellation.RecheckSettled, 2: cancellation.NoRecheck}, servers,
		"what the old primary may have lost something of settles before its next POST")
	now, err := db.Now(t.Context())
	require.NoError(t, err)
	r, err := db.Request(t.Context(), before.ID)
	require.NoError(t, err)
	assert.WithinDuration(t, now.Add(time.Minute), r.NotAfter, 30*time.Second)

	var read, written string
	require.NoError(t, db.read.QueryRow(identityOfSession).Scan(&read))
	require.NoError(t, db.write.QueryRow(identityOfSession).Scan(&written))
	assert.Equal(t, written, read)
	require.Eventually(t, func() bool { return sessionsAt(s.primary) == "0" }, 20*time.Second, 20*time.Millisecond,
		"every session to the old primary is dropped")
}

func TestIdleProcessFindsOthersRecordsAfterAFailover(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	idle := s.open(t)
	warm(t, idle)
	rung := make(chan struct{}, 100)
	hears(t, idle, func() { rung <- struct{}{} })
	<-rung
	s.failOver()
	s.endWriter(t, idle)
	r := recorded(t, s.open(t), 2)

	requirePresent(t, idle, r.ID)
	live, err := idle.Live(t.Context(), 2)
	require.NoError(t, err)
	assert.Equal(t, r.ID, live.ID)
	assert.Equal(t, r.ID, claimed(t, idle, "worker").ID)
	<-rung // it listens at the new primary
}

func TestSessionToOldPrimaryIsReplacedInTime(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	db := s.open(t)
	warm(t, db)
	s.failOver()
	db.write.SetConnMaxLifetime(time.Millisecond) // not a minute
	r := recorded(t, s.open(t), 2)
	require.Eventually(t, func() bool {
		_, err := db.Request(t.Context(), r.ID)
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, sessionAge, time.Minute)
}

func TestWritingSessionFollowsTheReadingOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	db := s.open(t)
	s.failOver()
	db.read.SetMaxIdleConns(0) // each read makes a session
	r := recorded(t, s.open(t), 2)
	require.Eventually(t, func() bool {
		_, err := db.Request(t.Context(), r.ID)
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	var at string
	require.NoError(t, db.write.QueryRow(identityOfSession).Scan(&at))
	assert.Equal(t, s.standby.Value(identityOfSession), at, "it does not wait until that is old")
}

func TestCommitOnlyOnTheOldPrimaryIsUnclear(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	db := s.open(t)
	recorded(t, db, 1)
	warm(t, db)
	db.committer.outcomeTime = 10 * time.Second // an answer is there long before
	db.committer.commit = func(tx *sql.Tx) error {
		db.committer.commit = (*sql.Tx).Commit
		_, err := tx.Exec("set local idle_in_transaction_session_timeout = 0") // on a busy machine a failover takes longer
		require.NoError(t, err)
		s.failOver()
		var pid string
		require.NoError(t, tx.QueryRow("select pg_backend_pid()::text").Scan(&pid))
		require.NoError(t, tx.Commit(), "the old primary takes it")
		s.primary.Run("select pg_terminate_backend(" + pid + ")")
		return io.ErrUnexpectedEOF // its answer is lost
	}
	rec := asking(2)
	require.ErrorIs(t, record(t.Context(), db, rec)(), cancellation.ErrUnclear)
	requireAbsent(t, db, rec.Request.ID)
	r := recorded(t, db, 3)
	requirePresent(t, db, r.ID)
}

func TestOfSeveralHostsThePrimaryIsChosen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := recorded(t, s.open(t), 1)
	s.standby.CaughtUp(s.primary)
	_, err := Open(t.Context(), Options{URL: s.standby.URL()})
	require.ErrorContains(t, err, "the server is a standby: name the primary")

	both := postgrestest.ClusterURL(s.standby.Address() + "," + s.primary.Address())
	db := open(t, Options{URL: both, Mode: Serve, PostTimeout: time.Minute})
	require.NoError(t, db.Bind(t.Context(), sandbox))
	requirePresent(t, db, first.ID)
	s.standby.CaughtUp(s.primary)
	s.primary.Kill()
	s.standby.Promote()
	r := recorded(t, db, 2)
	requirePresent(t, db, r.ID)
	requirePresent(t, db, first.ID)
}

func TestUnreachablePrimaryProvesNoAbsence(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	db := s.open(t)
	warm(t, db)
	s.failOver()
	s.way.Lead("")
	s.endWriter(t, db)
	_, err := db.Request(t.Context(), "request-nobody-made")
	require.Error(t, err)
	require.NotErrorIs(t, err, cancellation.ErrNoRequest)
	require.Eventually(t, func() bool {
		_, err := db.Counts(t.Context())
		return err != nil
	}, 20*time.Second, 20*time.Millisecond, "/readyz says so")
	s.way.Lead(s.standby.Address())
	_, err = db.Request(t.Context(), "request-nobody-made")
	require.ErrorIs(t, err, cancellation.ErrNoRequest)
}
