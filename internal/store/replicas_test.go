package store

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

// replicas are processes on one PostgreSQL database; each call is another one's turn.
// What is done at once goes through as many committers, in transactions that are under
// way at the same time.
type replicas struct {
	stores []*Store
	clock  *hands
	turn   atomic.Int64
}

func deployed(t *testing.T) *replicas {
	at := postgrestest.SchemaFor(t, 4)
	r := &replicas{clock: newHands()}
	for range 4 {
		s := open(t, Options{URL: at, Clock: r.clock.time, Mode: Serve})
		require.NoError(t, s.Bind(t.Context(), sandbox))
		r.stores = append(r.stores, s)
	}
	return r
}

func (r *replicas) next() *Store { return r.stores[r.turn.Add(1)%int64(len(r.stores))] }

const rounds = 10 // a race that is won by luck is not won ten times

func TestReplicasGiveAServerToOnePerson(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for server := range int64(rounds) {
		answers := atOnce(16, func() (cancellation.Recorded, error) { return all.next().Record(t.Context(), asking(server)) })
		live, err := all.next().Live(t.Context(), server)
		require.NoError(t, err)
		var fresh int
		for _, a := range answers {
			require.NoError(t, a.err)
			if a.got.Fresh {
				fresh++
				assert.Equal(t, live, a.got.Request)
				continue
			}
			require.NotNil(t, a.got.Held)
			assert.Equal(t, live.ID, a.got.Held.ID)
		}
		require.Equal(t, 1, fresh)
	}
}

func TestSubmissionDeliveredToSeveralReplicasIsOneRequest(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for server := range int64(rounds) {
		rec := asking(server)
		answers := atOnce(16, func() (cancellation.Recorded, error) { return all.next().Record(t.Context(), rec) })
		var fresh int
		for _, a := range answers {
			require.NoError(t, a.err)
			require.Equal(t, rec.Request.Ref, a.got.Request.Ref)
			if a.got.Fresh {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		require.Equal(t, []string{"submitted"}, kinds(t, all.next(), rec.Request.ID))
	}
}

func TestListSentToReplicasIsOneBatch(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for round := range int64(rounds) {
		b, records := batchOf(fmt.Sprint("list ", round), 1+100*round, 12)
		answers := atOnce(16, func() (cancellation.RecordedBatch, error) { return all.next().RecordBatch(t.Context(), b, records) })
		var fresh int
		for _, a := range answers {
			require.NoError(t, a.err)
			require.Equal(t, answers[0].got.Requests, a.got.Requests, "all of them are told of the same requests")
			if a.got.Fresh {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		for _, rec := range records {
			require.Equal(t, []string{"submitted"}, kinds(t, all.next(), rec.Request.ID))
		}
	}
}

// Lists that overlap are recorded by processes that lock the servers in one order, or they would wait for each other.
func TestReplicasGiveAListToOnePerson(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for round := range int64(rounds) {
		var turn atomic.Int64
		answers := atOnce(16, func() (cancellation.RecordedBatch, error) {
			n := turn.Add(1)
			b, records := batchOf(fmt.Sprint("list ", round, " ", n), 1+100*round+n%4, 8)
			if n%2 == 0 {
				reversed(&b, records)
			}
			return all.next().RecordBatch(t.Context(), b, records)
		})
		var fresh int
		for _, a := range answers {
			require.NoError(t, a.err)
			if a.got.Fresh {
				fresh++
				require.Len(t, a.got.Requests, 8)
				continue
			}
			require.Empty(t, a.got.Requests)
			require.NotEmpty(t, a.got.Held)
		}
		require.Equal(t, 1, fresh, "each of them has servers of each other")
	}
	var rows, batches int
	require.NoError(t, all.next().read.QueryRow(`select (select count(*) from requests), (select count(*) from batches)`).Scan(&rows, &batches))
	assert.Equal(t, []int{8 * rounds, rounds}, []int{rows, batches}, "nothing is left of the others")
}

func TestVotesOnAListAtReplicasAllCount(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	b, records := batchOf("list", 1, 6)
	for i := range records {
		records[i].Request.State = cancellation.Pending
	}
	_, err := all.next().RecordBatch(t.Context(), b, records)
	require.NoError(t, err)
	var turn atomic.Int64
	const leads = 8
	answers := atOnce(leads, func() (struct{}, error) { return struct{}{}, voteOnAll(t, all.next(), b.ID, turn.Add(1)) })
	for _, a := range answers {
		require.NoError(t, a.err)
	}
	_, rows, err := all.next().Batch(t.Context(), b.ID)
	require.NoError(t, err)
	for _, r := range rows {
		assert.Len(t, r.Approvals, leads, "each vote counts for each server")
	}
}

// voteOnAll adds one approval to each request of a list, until nobody else was faster.
func voteOnAll(t *testing.T, s *Store, batch string, lead int64) error {
	for {
		_, rows, err := s.Batch(t.Context(), batch)
		if err != nil {
			return err
		}
		var changes []cancellation.Change
		for _, r := range rows {
			c := moved(r, r.State)
			c.To.Approvals = append(slices.Clone(r.Approvals), cancellation.Approval{By: cancellation.Person{Team: "T0", ID: fmt.Sprint("U", lead)}})
			changes = append(changes, c)
		}
		if _, err = s.ApplyAll(t.Context(), fmt.Sprint("vote ", lead), changes); !errors.Is(err, cancellation.ErrMoved) {
			return err
		}
	}
}

func TestReplicasReplaceAnOlderRequestOnce(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for server := range int64(rounds) {
		old := filed(t, all.next(), server)
		answers := atOnce(16, func() (cancellation.Recorded, error) { return all.next().Record(t.Context(), succeeding(old)) })
		var fresh string
		for _, a := range answers {
			if a.err != nil {
				require.ErrorIs(t, a.err, cancellation.ErrMoved)
				continue
			}
			require.True(t, a.got.Fresh)
			require.Empty(t, fresh)
			fresh = a.got.Request.ID
		}
		live, err := all.next().Live(t.Context(), server)
		require.NoError(t, err)
		require.Equal(t, fresh, live.ID)
		require.Len(t, kinds(t, all.next(), old.ID), 4, "the old one is ended once")
	}
}

func TestReplicasMakeAStepFromOneVersionOnce(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	for server := range int64(rounds) {
		r := recorded(t, all.next(), server)
		answers := atOnce(16, func() (cancellation.Request, error) {
			return all.next().Apply(t.Context(), moved(r, cancellation.Filing))
		})
		var made int
		for _, a := range answers {
			if a.err == nil {
				made++
				continue
			}
			require.ErrorIs(t, a.err, cancellation.ErrMoved)
		}
		require.Equal(t, 1, made)
		require.Equal(t, []string{"submitted", "moved"}, kinds(t, all.next(), r.ID))
	}
}

func TestReplicasFileAndReportEachRequestOnce(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	const each = 30
	for server := range int64(each) {
		told(t, all.next(), all.clock, server)
		recorded(t, all.next(), each+server)
	}
	claims := map[string]func(s *Store) (id string, next time.Duration, err error){
		"requests": func(s *Store) (string, time.Duration, error) {
			r, _, next, err := taken(s.Claim(t.Context(), "worker", lease, 1))
			return r.ID, next, err
		},
		"results": func(s *Store) (string, time.Duration, error) {
			n, _, next, err := taken(s.ClaimNotices(t.Context(), "teller", lease, 1))
			return n.RequestID, next, err
		},
	}
	for name, claim := range claims {
		t.Run(name, func(t *testing.T) {
			answers := atOnce(12, func() ([]string, error) { return all.claimAll(all.next(), claim) })
			var taken []string
			for _, a := range answers {
				require.NoError(t, a.err)
				taken = append(taken, a.got...)
			}
			require.Len(t, taken, each, "none is left")
			slices.Sort(taken)
			require.Len(t, slices.Compact(taken), each, "none is taken twice")
		})
	}
}

// claimAll claims until nothing is due before the first lease ends.
func (r *replicas) claimAll(s *Store, claim func(*Store) (string, time.Duration, error)) (ids []string, err error) {
	for {
		id, next, err := claim(s)
		switch {
		case err != nil:
			return ids, err
		case id != "":
			ids = append(ids, id)
		case next >= lease:
			return ids, nil
		}
	}
}

func TestDueRowLockedElsewhereIsTriedAgainSoon(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	r := recorded(t, all.next(), 1)
	other, err := all.next().write.Begin()
	require.NoError(t, err)
	defer func() { _ = other.Rollback() }()
	_, err = other.Exec(`update requests set reason_detail = reason_detail where id = $1`, r.ID)
	require.NoError(t, err)
	_, found, next, err := taken(all.next().Claim(t.Context(), "worker", lease, 1))
	require.NoError(t, err)
	require.False(t, found)
	assert.Equal(t, retryPause, next, "and not after the whole time between two looks")
	require.NoError(t, other.Rollback())
	assert.Equal(t, r.ID, claimed(t, all.next(), "worker").ID)
}

// An approval will be such a step: it reads how many there are, and adds one.
func TestIncrementsAtSeveralReplicasAllCount(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	r := recorded(t, all.next(), 1)
	const increments = 24
	answers := atOnce(increments, func() (struct{}, error) { return struct{}{}, increment(t, all.next(), r.ID) })
	for _, a := range answers {
		require.NoError(t, a.err)
	}
	read, err := all.next().Request(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, increments, read.Attempts)
	assert.Equal(t, r.Version+increments, read.Version)
}

// increment reads a request and stores one more, until nobody else was faster.
func increment(t *testing.T, s *Store, id string) error {
	for {
		r, err := s.Request(t.Context(), id)
		if err != nil {
			return err
		}
		c := moved(r, r.State)
		c.To.Attempts++
		if _, err = s.Apply(t.Context(), c); !errors.Is(err, cancellation.ErrMoved) {
			return err
		}
	}
}

func TestNotesOfSeveralReplicasHaveOneOrder(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	r := recorded(t, all.next(), 1)
	answers := atOnce(40, func() (struct{}, error) {
		return struct{}{}, all.next().Note(t.Context(), r.ID, cancellation.Event{Kind: cancellation.EventAskedAgain})
	})
	for _, a := range answers {
		require.NoError(t, a.err)
	}
	require.Len(t, keptEvents(t, all.next())[r.ID], 41)
}

func TestNoTwoReplicasTakeOneTurn(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	const calls, perSecond = 40, 10
	answers := atOnce(calls, func() (time.Duration, error) {
		return all.next().reserve(t.Context(), "softlayer", 1, perSecond, 0)
	})
	var waits, want []time.Duration
	for i, a := range answers {
		require.NoError(t, a.err)
		waits = append(waits, a.got)
		want = append(want, max(0, time.Duration(i+1-perSecond)*time.Second/perSecond))
	}
	slices.Sort(waits)
	assert.Equal(t, want, waits)
}

func TestOneReplicaAlarms(t *testing.T) {
	t.Parallel()
	all := deployed(t)
	r := recorded(t, all.next(), 1)
	answers := atOnce(16, func() (bool, error) {
		return all.next().Owe(t.Context(), r.ID, cancellation.Alarm, cancellation.Place{Channel: "COPS"})
	})
	var alarmed int
	for _, a := range answers {
		require.NoError(t, a.err)
		if a.got {
			alarmed++
		}
	}
	assert.Equal(t, 1, alarmed)
}

func TestReplicasBindingAnEmptyDatabaseAreOneInstallation(t *testing.T) {
	t.Parallel()
	at := postgrestest.SchemaFor(t, 4)
	answers := atOnce(4, func() (*Store, error) {
		s, err := Open(t.Context(), Options{URL: at, Mode: Serve})
		if err != nil {
			return nil, err
		}
		return s, s.Bind(t.Context(), sandbox)
	})
	for _, a := range answers {
		require.NoError(t, a.err)
		defer a.got.Close()
		assert.Equal(t, answers[0].got.Installation(), a.got.Installation())
		assert.Equal(t, answers[0].got.HMACKey(), a.got.HMACKey())
	}
}
