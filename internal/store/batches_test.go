package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

func TestBatchIsRecordedWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 101, 40)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		require.True(t, made.Fresh)
		require.Len(t, made.Requests, 40)

		again, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		assert.False(t, again.Fresh, "the same form is recorded once")
		assert.Equal(t, made.Requests, again.Requests)

		overlapping, rows := batchOf("other", 130, 40)
		stopped, err := s.RecordBatch(t.Context(), overlapping, rows)
		require.NoError(t, err)
		assert.Len(t, stopped.Held, 11, "servers 130 to 140 are held")
		assert.Empty(t, stopped.Requests)
		_, _, err = s.Batch(t.Context(), overlapping.ID)
		require.ErrorIs(t, err, cancellation.ErrNoRequest, "no request of a list that overlaps is recorded")
		_, err = s.Live(t.Context(), 150)
		require.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

func TestBatchBeyondTheDayIsNotRecorded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 201, 8)
		for i := range all {
			all[i].Quota.Most = 7
		}
		stopped, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		assert.True(t, stopped.Full)
		_, _, err = s.Batch(t.Context(), b.ID)
		require.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

func TestSameFormAtOnceIsOneBatch(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 301, 12)
		var fresh int
		var lock sync.Mutex
		var people sync.WaitGroup
		for range 6 {
			people.Go(func() {
				made, err := s.RecordBatch(t.Context(), b, all)
				lock.Lock()
				defer lock.Unlock()
				if assert.NoError(t, err) && made.Fresh {
					fresh++
				}
				assert.Len(t, made.Requests, 12)
			})
		}
		people.Wait()
		assert.Equal(t, 1, fresh)
	})
}

func TestOverlappingListsAtOnceHoldNoServerTwice(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		var made []cancellation.RecordedBatch
		var lock sync.Mutex
		var people sync.WaitGroup
		for i := range 8 {
			people.Go(func() {
				b, all := batchOf(fmt.Sprint("list ", i), 401+int64(i)*5, 10)
				if i%2 == 1 { // the other way round
					reversed(&b, all)
				}
				recorded, err := s.RecordBatch(t.Context(), b, all)
				lock.Lock()
				defer lock.Unlock()
				if assert.NoError(t, err) && recorded.Fresh {
					made = append(made, recorded)
				}
			})
		}
		people.Wait()
		holders := map[int64]string{}
		for _, recorded := range made {
			require.Len(t, recorded.Requests, 10, "all of a list, or none")
			for _, r := range recorded.Requests {
				server := r.Submission.Card.Server.ID
				assert.Empty(t, holders[server], "server %d is in two lists", server)
				holders[server] = recorded.Batch.ID
			}
		}
		assert.NotEmpty(t, made)
	})
}

func TestVoteOnABatchIsOneStep(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 501, 5)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)

		stale := made.Requests[3]
		_, err = s.Apply(t.Context(), endedRow(stale))
		require.NoError(t, err)
		var changes []cancellation.Change
		for _, r := range made.Requests {
			changes = append(changes, endedRow(r))
		}
		_, err = s.ApplyAll(t.Context(), "click 1", changes)
		require.ErrorIs(t, err, cancellation.ErrMoved, "one request has moved")
		_, rows, err := s.Batch(t.Context(), b.ID)
		require.NoError(t, err)
		for i, r := range rows {
			assert.Equal(t, i == 3, r.State == cancellation.Withdrawn, "request %d", i)
		}

		changes = changes[:0]
		for i, r := range rows {
			if i != 3 {
				changes = append(changes, endedRow(r))
			}
		}
		_, err = s.ApplyAll(t.Context(), "click 1", changes)
		require.NoError(t, err, "a click that changed nothing has not used its key")
		_, err = s.ApplyAll(t.Context(), "click 1", changes)
		require.ErrorIs(t, err, cancellation.ErrRepeated)
	})
}

func TestBatchMessageIsEditedOncePerPause(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 601, 4)
		all[0].Notices = []cancellation.Notice{{RequestID: b.Lead, Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C0OPS"}, Due: clock.time()}}
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		posted := claimBatchNotice(t, s)
		posted.Channel, posted.TS, posted.Due = "C0OPS", "1.1", time.Time{}
		posted, err = s.ApplyNotice(t.Context(), posted, false)
		require.NoError(t, err)
		assert.True(t, posted.Due.IsZero(), "it shows everything")

		for _, r := range made.Requests {
			_, err := s.Apply(t.Context(), endedRow(r))
			require.NoError(t, err)
		}
		claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
		require.NoError(t, err)
		assert.Empty(t, claim.Rows, "the message was posted just now")
		clock.pass(batchPause)
		edit := claimBatchNotice(t, s)
		now, _, err := s.Batch(t.Context(), b.ID)
		require.NoError(t, err)
		assert.Equal(t, int64(5), now.Told)
		edit.Shown, edit.Due = now.Told-1, time.Time{} // a request has changed meanwhile
		edit, err = s.ApplyNotice(t.Context(), edit, false)
		require.NoError(t, err)
		assert.Equal(t, clock.time().Add(batchPause), edit.Due.UTC())
		clock.pass(batchPause)
		edit = claimBatchNotice(t, s)
		edit.Shown, edit.Due = now.Told, time.Time{}
		edit, err = s.ApplyNotice(t.Context(), edit, false)
		require.NoError(t, err)
		assert.True(t, edit.Due.IsZero(), "one edit shows four changes")
	})
}

func TestBatchProgressIsThatOfItsRequests(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 601, 3)
		other, others := batchOf("other", 611, 2)
		for _, one := range []struct {
			cancellation.Batch
			all []cancellation.Record
		}{{b, all}, {other, others}} {
			_, err := s.RecordBatch(t.Context(), one.Batch, one.all)
			require.NoError(t, err)
		}
		for left := 3; ; left-- {
			read, rows, err := s.Batch(t.Context(), b.ID)
			require.NoError(t, err)
			told, over, err := s.BatchProgress(t.Context(), b.ID)
			require.NoError(t, err)
			assert.Equal(t, read.Told, told)
			assert.Equal(t, cancellation.BatchOver(rows), over, "%d are left", left)
			assert.Equal(t, left == 0, over, "%d are left", left)
			if left == 0 {
				break
			}
			_, err = s.Apply(t.Context(), endedRow(rows[left-1]))
			require.NoError(t, err)
		}
		_, _, err := s.BatchProgress(t.Context(), "no batch")
		require.ErrorIs(t, err, cancellation.ErrNoRequest)
	})
}

func claimBatchNotice(t *testing.T, s *Store) cancellation.Notice {
	claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
	require.NoError(t, err)
	require.Len(t, claim.Rows, 1)
	require.Equal(t, cancellation.BatchResult, claim.Rows[0].Kind)
	return claim.Rows[0]
}

// batchOf is a batch of count requests for the servers from first on.
func batchOf(name string, first int64, count int) (cancellation.Batch, []cancellation.Record) {
	b := cancellation.Batch{ID: "batch " + name, Digest: name, Size: count}
	var all []cancellation.Record
	for i := range count {
		rec := asking(first + int64(i))
		rec.Request.ID = fmt.Sprintf("%s/%d", name, first+int64(i))
		rec.Request.Batch, rec.Request.Row = b.ID, i
		rec.Notices = nil
		rec.Quota = cancellation.Quota{Requester: "T0/" + name, Day: 1, Slot: int64(i) + 1, Most: 50}
		all = append(all, rec)
	}
	b.Lead = all[0].Request.ID
	return b, all
}

// reversed turns a batch's list around.
func reversed(b *cancellation.Batch, all []cancellation.Record) {
	for i, j := 0, len(all)-1; i < j; i, j = i+1, j-1 {
		all[i], all[j] = all[j], all[i]
	}
	for i := range all {
		all[i].Request.Row = i
		all[i].Quota.Slot = int64(i) + 1
	}
	b.Lead = all[0].Request.ID
}

func endedRow(r cancellation.Request) cancellation.Change {
	next := r
	next.State, next.Due = cancellation.Withdrawn, time.Time{}
	return cancellation.Change{From: r, To: next, Tell: cancellation.AtOnce, Event: cancellation.Event{Kind: cancellation.EventWithdrawn, Actor: "T0/U0ANA"}}
}

func TestBatchGetsSlotsItWasDecidedFor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		_, err := s.Record(t.Context(), decidedFor(900, 3))
		require.NoError(t, err)
		b, all := batchOf("list", 901, 4)
		decided := func(first int64) {
			for i := range all {
				all[i].Quota = cancellation.Quota{Requester: "T0/U0ANA", Day: 1, Slot: first + int64(i), Most: 9, Exact: true}
				all[i].Request.Submission.Count, all[i].Request.Submission.Today = 4, first+3
			}
		}
		decided(2)
		_, err = s.RecordBatch(t.Context(), b, all)
		taken, is := errors.AsType[*cancellation.SlotTakenError](err)
		require.True(t, is, "%v", err)
		assert.Equal(t, cancellation.SlotTakenError{Day: 1, Next: 3}, *taken)
		_, _, err = s.Batch(t.Context(), b.ID)
		require.ErrorIs(t, err, cancellation.ErrNoRequest, "nothing was recorded")
		last, err := s.Asked(t.Context(), "T0/U0ANA", 1)
		require.NoError(t, err)
		assert.EqualValues(t, 3, last)

		decided(4)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		require.Len(t, made.Requests, 4)
		for _, r := range made.Requests {
			count, today := numbersOf(t, s, r.ID)
			assert.Equal(t, []int64{4, 7}, []int64{count, today})
		}
	})
}

// Two processes that lock a batch and its messages in different orders would wait for each other.
func TestBatchIsLockedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	o := Options{URL: postgrestest.NewSchemas(t, migratedSchema).Take(t)}
	s, other := open(t, o), open(t, o)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	b, all := batchOf("list", 701, 3)
	all[0].Notices = []cancellation.Notice{{RequestID: b.Lead, Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C0OPS"}}}
	made, err := s.RecordBatch(t.Context(), b, all)
	require.NoError(t, err)
	notices, err := s.Notices(t.Context(), b.Lead)
	require.NoError(t, err)
	require.Len(t, notices, 1)
	notices[0].Kind = cancellation.BatchResult

	for name, writes := range map[string]func(ran chan<- error){
		"a group with a step": func(ran chan<- error) {
			first := &write{run: func(context.Context, *tx, time.Time) error { ran <- nil; return nil }}
			step := stepOf(endedRow(made.Requests[1]))
			step.run = func(context.Context, *tx, time.Time) error { return nil }
			_ = s.committer.transact([]*write{first, step})
		},
		"a message": func(ran chan<- error) { _, err := s.ApplyNotice(t.Context(), notices[0], false); ran <- err },
		"a look": func(ran chan<- error) {
			ran <- s.KeepLooks(t.Context(), "none", nil, []cancellation.Look{{Followed: cancellation.Followed{Request: made.Requests[2]}}})
		},
	} {
		begun, err := other.write.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = begun.ExecContext(t.Context(), `update batches set told = told where id = $1`, b.ID)
		require.NoError(t, err)
		ran := make(chan error, 1)
		var working sync.WaitGroup
		working.Go(func() { writes(ran) })
		time.Sleep(300 * time.Millisecond)
		assert.Empty(t, ran, name)
		require.NoError(t, begun.Commit())
		working.Wait()
		assert.NotEmpty(t, ran, name)
	}
}

// A claim that comes first holds the messages of batches while its group waits for another process, which may wait for
// one of them: PostgreSQL ends that after a second.
func TestClaimsHoldUpNoOtherProcess(t *testing.T) {
	t.Parallel()
	o := Options{URL: postgrestest.NewSchemas(t, migratedSchema).Take(t)}
	s, other := open(t, o), open(t, o)
	require.NoError(t, s.Bind(t.Context(), sandbox))
	b, all := batchOf("list", 801, 2)
	all[0].Notices = []cancellation.Notice{{RequestID: b.Lead, Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C0OPS"}, Due: time.Now()}}
	_, err := s.RecordBatch(t.Context(), b, all)
	require.NoError(t, err)
	single, err := s.Record(t.Context(), asking(899))
	require.NoError(t, err)

	begun, err := other.write.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = begun.ExecContext(t.Context(), `update requests set version = version where id = $1`, single.Request.ID)
	require.NoError(t, err)

	queue := make(chan *write, 2)
	claimed := 0
	claims := &write{claims: true, run: func(ctx context.Context, tx *tx, now time.Time) error {
		rows, err := claimNotices(ctx, tx, s.dialect, now.Add(time.Minute), "notifier", time.Minute, 8)
		claimed = len(rows)
		return err
	}}
	began := make(chan struct{})
	queue <- &write{run: func(ctx context.Context, tx *tx, _ time.Time) error {
		close(began)
		_, err := tx.ExecContext(ctx, `update requests set version = version where id = $1`, single.Request.ID)
		return err
	}}
	group := (&committer{queue: queue}).gather(claims)
	var working sync.WaitGroup
	working.Go(func() { assert.NoError(t, s.committer.transact(group)) })
	<-began
	bounded, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = begun.ExecContext(bounded, `update notices set owed = owed where request_id = $1`, b.Lead)
	require.NoError(t, err, "the messages of the batch are free while the group waits")
	require.NoError(t, begun.Commit())
	working.Wait()
	assert.Positive(t, claimed)
}

func TestRefusalOfABatchIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := open(t, o)
		for _, refusal := range []error{&cancellation.SlotTakenError{}, cancellation.ErrDayFull, errBatchStopped} {
			tries := 0
			err := s.committer.do(t.Context(), &write{run: func(context.Context, *tx, time.Time) error {
				tries++
				return fmt.Errorf("recording: %w", refusal)
			}})
			require.ErrorIs(t, err, refusal)
			assert.Equal(t, 1, tries, "%v", refusal)
		}
	})
}

func TestMessageOfABatchIsOverdueOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 801, 3)
		for _, kind := range []cancellation.NoticeKind{cancellation.BatchResult, cancellation.BatchCard} {
			all[0].Notices = append(all[0].Notices, cancellation.Notice{RequestID: b.Lead, Kind: kind, Place: cancellation.Place{Channel: "C0OPS"}, Due: clock.time()})
		}
		_, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		owed := clock.time()
		clock.pass(time.Hour)
		overdue, err := s.Overdue(t.Context(), 10*time.Minute, cancellation.Request{}, 10)
		require.NoError(t, err)
		require.Len(t, overdue, 1)
		assert.Equal(t, b.Lead, overdue[0].Request.ID)
		assert.Equal(t, owed, overdue[0].Owed)
	})
}
