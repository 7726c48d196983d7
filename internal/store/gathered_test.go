package store

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// owesLine owes a line about a row of a batch in a thread.
func owesLine(t *testing.T, s *Store, id string, l cancellation.Line) (first bool) {
	t.Helper()
	first, err := s.Owe(t.Context(), id, cancellation.Said(l), cancellation.Place{Channel: "C0OPS", Thread: "1.1"})
	require.NoError(t, err)
	return first
}

// gatherings are the kinds of the messages that gather what becomes of rows of a batch.
func gatherings(t *testing.T, s *Store, lead string) (kinds []cancellation.NoticeKind) {
	t.Helper()
	all, err := s.Notices(t.Context(), lead)
	require.NoError(t, err)
	for _, n := range all {
		if _, _, is := n.Kind.Gathering(); is {
			kinds = append(kinds, n.Kind)
		}
	}
	return kinds
}

// gatheredIn are the places in the list of the rows of which a message tells.
func gatheredIn(t *testing.T, s *Store, batch string, kind cancellation.NoticeKind) (rows []int) {
	t.Helper()
	all, err := s.Gathered(t.Context(), batch, kind)
	require.NoError(t, err)
	for _, g := range all {
		rows = append(rows, g.Request.Row)
	}
	return rows
}

func TestRowsOfABatchShareOneMessage(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 801, 4)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		rows := made.Requests
		unclear := cancellation.Line{What: cancellation.LineUnclear}
		assert.True(t, owesLine(t, s, rows[2].ID, unclear))
		assert.True(t, owesLine(t, s, rows[0].ID, unclear))
		assert.False(t, owesLine(t, s, rows[0].ID, unclear), "each thing is owed once")
		claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
		require.NoError(t, err)
		assert.Empty(t, claim.Rows, "more may come within the hour")
		kinds := gatherings(t, s, b.Lead)
		require.Len(t, kinds, 1)
		assert.Equal(t, []int{0, 2}, gatheredIn(t, s, b.ID, kinds[0]))

		clock.pass(time.Hour)
		claim, err = s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
		require.NoError(t, err)
		require.Len(t, claim.Rows, 1)
		assert.True(t, owesLine(t, s, rows[1].ID, unclear))
		claimed := claim.Rows[0]
		claimed.Due = time.Time{}
		_, err = s.ApplyNotice(t.Context(), claimed, false)
		require.ErrorIs(t, err, cancellation.ErrMoved, "what joined meanwhile would be told by nobody")

		claim, err = s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
		require.NoError(t, err)
		require.Len(t, claim.Rows, 1)
		announced := claim.Rows[0]
		announced.Posting, announced.Posts, announced.DueIn = true, 1, time.Minute
		announced, err = s.ApplyNotice(t.Context(), announced, true)
		require.NoError(t, err)
		assert.True(t, owesLine(t, s, rows[3].ID, unclear))
		assert.Equal(t, []int{0, 1, 2}, gatheredIn(t, s, b.ID, kinds[0]), "what is being posted does not grow")
		announced.Posting, announced.TS, announced.Channel, announced.Shown = false, "1.2", "C0OPS", rows[0].Version
		announced.DueIn, announced.Due = 0, time.Time{}
		_, err = s.ApplyNotice(t.Context(), announced, false)
		require.NoError(t, err)
		kinds = gatherings(t, s, b.Lead)
		require.Len(t, kinds, 2, "the next one is another day's")
		assert.Equal(t, []int{3}, gatheredIn(t, s, b.ID, kinds[1]))
		clock.pass(time.Hour)
		claim, err = s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
		require.NoError(t, err)
		assert.Empty(t, claim.Rows)
	})
}

func TestManyRowsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 851, 20)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		var people sync.WaitGroup
		for _, r := range made.Requests {
			for _, l := range []cancellation.LineKind{cancellation.LineUnclear, cancellation.LineStands} {
				people.Go(func() { assert.True(t, owesLine(t, s, r.ID, cancellation.Line{What: l})) })
			}
		}
		people.Wait()
		kinds := gatherings(t, s, b.Lead)
		require.Len(t, kinds, 2, "one message of each kind")
		for _, kind := range kinds {
			assert.Len(t, gatheredIn(t, s, b.ID, kind), 20)
		}
	})
}

func TestAwaitedRowsOfABatchAreListed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		s := inSandbox(t, o)
		b, all := batchOf("list", 881, 3)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		for i, waits := range []string{"5", "null", "7"} {
			id := made.Requests[i].ID
			execute(t, s, `update requests set state = 'filed' where id = '`+id+`'`,
				`insert into followed (request_id, revision, looked_at, known_format, known, waits_since) values ('`+id+`', 1, 0, 1, '', `+waits+`)`)
		}
		rows, err := s.Awaited(t.Context(), b.ID)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		assert.Equal(t, []int{0, 2}, []int{rows[0].Row, rows[1].Row})
	})
}

func TestClockThatWasAheadHoldsUpNoGathering(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 891, 3)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		unclear := cancellation.Line{What: cancellation.LineUnclear}
		clock.pass(365 * 24 * time.Hour)
		assert.True(t, owesLine(t, s, made.Requests[0].ID, unclear))
		clock.pass(-365 * 24 * time.Hour)
		assert.True(t, owesLine(t, s, made.Requests[1].ID, unclear))
		for range 2 { // one message, and the next
			clock.pass(2 * time.Hour)
			claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
			require.NoError(t, err)
			require.Len(t, claim.Rows, 1)
			told := claim.Rows[0]
			assert.NotEmpty(t, gatheredIn(t, s, b.ID, told.Kind))
			told.Posts, told.TS, told.Channel, told.Shown, told.Due = 1, "1.2", "C0OPS", made.Requests[0].Version, time.Time{}
			_, err = s.ApplyNotice(t.Context(), told, false)
			require.NoError(t, err)
			owesLine(t, s, made.Requests[2].ID, unclear)
		}
	})
}

func TestGatheredRowsSayWhetherTheirResultIsLate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 921, 2)
		made, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		_, err = s.Owe(t.Context(), b.Lead, cancellation.BatchResult, cancellation.Place{Channel: "C0OPS"})
		require.NoError(t, err)
		for _, r := range made.Requests {
			_, err := s.Owe(t.Context(), r.ID, cancellation.Alarm, cancellation.Place{Channel: "C0OPS"})
			require.NoError(t, err)
		}
		late := func() (all []bool) {
			kinds := gatherings(t, s, b.Lead)
			require.Len(t, kinds, 1)
			rows, err := s.Gathered(t.Context(), b.ID, kinds[0])
			require.NoError(t, err)
			for _, g := range rows {
				all = append(all, g.Late)
			}
			return all
		}
		assert.Equal(t, []bool{false, false}, late())
		clock.pass(cancellation.OverdueAge + time.Minute)
		assert.Equal(t, []bool{true, false}, late(), "the result of a list is owed to its lead")
	})
}

func TestAlarmThatCameToNothingIsRaisedAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		b, all := batchOf("list", 941, 2)
		_, err := s.RecordBatch(t.Context(), b, all)
		require.NoError(t, err)
		alarms := func() bool {
			first, err := s.Owe(t.Context(), b.Lead, cancellation.Alarm, cancellation.Place{Channel: "C0OPS"})
			require.NoError(t, err)
			return first
		}
		claims := func() cancellation.Notice { // the gathering that is due
			clock.pass(6 * time.Minute)
			claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
			require.NoError(t, err)
			require.Len(t, claim.Rows, 1)
			assert.Equal(t, []int{0}, gatheredIn(t, s, b.ID, claim.Rows[0].Kind))
			return claim.Rows[0]
		}
		keeps := func(n cancellation.Notice) {
			n.Shown, n.Due = 1, time.Time{}
			_, err := s.ApplyNotice(t.Context(), n, false)
			require.NoError(t, err)
		}
		assert.True(t, alarms())
		assert.False(t, alarms(), "it is owed")
		lapsed := claims()
		keeps(lapsed) // the result was delivered meanwhile
		for _, later := range []time.Duration{time.Hour, 72 * time.Hour} {
			clock.pass(later)
			assert.True(t, alarms(), "nobody was told")
			assert.False(t, alarms(), "it is owed")
			keeps(claims())
		}
		clock.pass(time.Hour)
		assert.True(t, alarms())
		told := claims()
		told.TS, told.Channel, told.Posts = "1.2", "C0OPS", 1
		keeps(told)
		clock.pass(72 * time.Hour)
		assert.False(t, alarms(), "somebody was told")
	})
}
