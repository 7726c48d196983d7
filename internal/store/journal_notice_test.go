package store

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

func noticePromises() []promise {
	return []promise{
		{"a notice is due when a step says so, and is claimed by one teller", noticeClaimedOnce},
		{"what was told reads back, and nothing is owed any more", noticeReadsBack},
		{"a notice that moved is not stored over", noticeFenced},
		{"a notice due at its request's recording waits for its time", noticeWaits},
		{"a change told of while an older state is being shown stays owed", noticeStaysOwed},
		{"a post whose answer is awaited keeps its time, whatever is told meanwhile", noticePostKeepsItsTime},
		{"what was to be told before a step is told at once, and owed since the step", noticeToldLate},
		{"a notice whose teller died is taken over when its lease ends", noticeTakenOver},
		{"a result that is posted next is claimed and announced with its step", resultAnnounced},
		{"a result that was or may have been posted is not announced with a step", resultNotAnnounced},
		{"a lease is kept on what is due alone", leaseKeptOnTheDue},
		{"a response_url is handed out while it lives, and erased when it is over", responseURLErased},
	}
}

// told brings a request to a state that people are told of.
func told(t testing.TB, j journal, clock *hands, server int64) cancellation.Request {
	t.Helper()
	change := moved(recorded(t, j, server), cancellation.Rejected)
	change.Tell = clock.time()
	return applied(t, j, change)
}

func noticeOf(t testing.TB, j journal) cancellation.Notice {
	t.Helper()
	n, found, _, err := taken(j.ClaimNotices(t.Context(), "teller", lease, 1))
	require.NoError(t, err)
	require.True(t, found, "a notice is due")
	return n
}

func noNotice(t testing.TB, j journal) (next time.Duration) {
	t.Helper()
	_, found, next, err := taken(j.ClaimNotices(t.Context(), "teller", lease, 1))
	require.NoError(t, err)
	require.False(t, found, "no notice is due")
	return next
}

func noticeClaimedOnce(t *testing.T, j journal, clock *hands) {
	recorded(t, j, 42)
	assert.Zero(t, noNotice(t, j))
	r := told(t, j, clock, 43)
	var owner atomic.Int32
	answers := atOnce(16, func() (string, error) {
		n, _, _, err := taken(j.ClaimNotices(t.Context(), fmt.Sprint("teller-", owner.Add(1)), lease, 1))
		return n.RequestID, err
	})
	taken := map[string]int{}
	for _, a := range answers {
		require.NoError(t, a.err)
		taken[a.got]++
	}
	assert.Equal(t, map[string]int{r.ID: 1, "": 15}, taken)
	assert.Equal(t, lease, noNotice(t, j))
}

func noticeReadsBack(t *testing.T, j journal, clock *hands) {
	r := told(t, j, clock, 42)
	n := noticeOf(t, j)
	assert.Equal(t, asking(42).Notices[0].Place, n.Place)
	n.Channel, n.TS, n.Shown, n.Posts, n.Attempts, n.Way = "C0OPS", "17.42", r.Version, 2, 1, cancellation.ByDirect
	n.Due = clock.time().Add(time.Minute)
	stored, err := j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	n.Version++
	assert.Equal(t, n, stored)
	assert.Equal(t, time.Minute, noNotice(t, j))

	clock.pass(time.Minute)
	n = noticeOf(t, j)
	assert.Equal(t, "17.42", n.TS)
	n.Due = time.Time{}
	_, err = j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	assert.Zero(t, noNotice(t, j))
}

func noticeFenced(t *testing.T, j journal, clock *hands) {
	told(t, j, clock, 42)
	late := noticeOf(t, j)
	clock.pass(lease)
	n := noticeOf(t, j)
	_, err := j.ApplyNotice(t.Context(), late, false)
	require.ErrorIs(t, err, cancellation.ErrMoved)
	n.Posting = true
	n, err = j.ApplyNotice(t.Context(), n, true)
	require.NoError(t, err)
	n.Posting, n.TS = false, "1.2"
	_, err = j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err, "a kept notice goes on at its new version")
}

func noticeWaits(t *testing.T, j journal, clock *hands) {
	rec := asking(42)
	rec.Notices[0].Due = clock.time().Add(5 * time.Second)
	_, err := j.Record(t.Context(), rec)
	require.NoError(t, err)
	assert.Equal(t, 5*time.Second, noNotice(t, j))
	clock.pass(5 * time.Second)
	assert.Equal(t, rec.Request.ID, noticeOf(t, j).RequestID)
}

func noticeStaysOwed(t *testing.T, j journal, clock *hands) {
	change := moved(recorded(t, j, 42), cancellation.Stuck)
	change.Tell = clock.time()
	r := applied(t, j, change)
	n := noticeOf(t, j)
	change = moved(r, cancellation.Withdrawn)
	change.Tell = clock.time()
	applied(t, j, change)

	n.TS, n.Shown, n.Due = "1.2", r.Version, time.Time{}
	_, err := j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	assert.Equal(t, "1.2", noticeOf(t, j).TS, "the newer state is still to be shown")
}

func noticeToldLate(t *testing.T, j journal, clock *hands) {
	change := moved(recorded(t, j, 42), cancellation.Stuck)
	change.Tell = clock.time()
	change.Owe = []cancellation.Notice{{Kind: cancellation.ApprovalCard, Place: cancellation.Place{Channel: "C0OPS"}, Due: clock.time()}}
	clock.pass(time.Hour)
	applied(t, j, change)
	for range 2 {
		assert.Equal(t, clock.time(), noticeOf(t, j).Due)
	}
	clock.pass(time.Minute)
	overdue, err := j.Overdue(t.Context(), 2*time.Minute, cancellation.Request{}, 10)
	require.NoError(t, err)
	assert.Empty(t, overdue)
}

func noticePostKeepsItsTime(t *testing.T, j journal, clock *hands) {
	change := moved(recorded(t, j, 42), cancellation.Stuck)
	change.Tell = clock.time()
	r := applied(t, j, change)
	n := noticeOf(t, j)
	clock.pass(time.Second)
	n.Posting, n.DueIn = true, 70*time.Second
	_, err := j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	change = moved(r, cancellation.Withdrawn)
	change.Tell = clock.time()
	applied(t, j, change)
	assert.Equal(t, 70*time.Second, noNotice(t, j), "counted from the commit")
}

func noticeTakenOver(t *testing.T, j journal, clock *hands) {
	told(t, j, clock, 42)
	n := noticeOf(t, j)
	n.Posting, n.Posts = true, 1
	_, err := j.ApplyNotice(t.Context(), n, true)
	require.NoError(t, err)
	clock.pass(lease)
	again := noticeOf(t, j)
	assert.True(t, again.Posting, "it is known that a post was about to be made")
	assert.Equal(t, 1, again.Posts)
}

var posting = cancellation.Announcement{Owner: "teller", Lease: lease, LostIn: time.Minute}

func resultAnnounced(t *testing.T, j journal, clock *hands) {
	change := moved(recorded(t, j, 42), cancellation.Rejected)
	change.Tell = cancellation.AtOnce
	change.Owe = []cancellation.Notice{{Kind: cancellation.Alarm, Place: cancellation.Place{Channel: "C0OPS"}}}
	done, err := j.ApplyAnnounced(t.Context(), change, posting)
	require.NoError(t, err)
	r, err := j.Request(t.Context(), change.From.ID)
	require.NoError(t, err)
	assert.Equal(t, r, done.Request)
	n := done.Result
	assert.Equal(t, []any{cancellation.Result, true, 1, clock.time().Add(time.Minute)}, []any{n.Kind, n.Posting, n.Posts, n.Due})
	assert.True(t, done.Rest)
	alarm := noticeOf(t, j)
	assert.Equal(t, cancellation.Alarm, alarm.Kind, "the result is leased")
	alarm.Shown, alarm.Due = r.Version, time.Time{}
	_, err = j.ApplyNotice(t.Context(), alarm, false)
	require.NoError(t, err)

	clock.pass(time.Minute)
	again := noticeOf(t, j)
	assert.True(t, again.Posting, "whoever takes it over knows that a post was about to be made")
	n.TS, n.Posting, n.Due = "1.2", false, time.Time{}
	_, err = j.ApplyNotice(t.Context(), n, false)
	require.ErrorIs(t, err, cancellation.ErrMoved)
}

func resultNotAnnounced(t *testing.T, j journal, clock *hands) {
	for i, before := range []func(*cancellation.Notice){
		func(*cancellation.Notice) {}, // another owner has it
		func(n *cancellation.Notice) { n.TS, n.Shown, n.Due = "1.2", 2, time.Time{} },
		func(n *cancellation.Notice) { n.Shown, n.Due = 2, time.Time{} },
		func(n *cancellation.Notice) { n.Way = cancellation.ByResponse },
		func(n *cancellation.Notice) { n.Posting, n.DueIn = true, time.Minute },
	} {
		change := moved(recorded(t, j, int64(42+i)), cancellation.Stuck)
		change.Tell = clock.time()
		r := applied(t, j, change)
		n := noticeOf(t, j)
		before(&n)
		if i > 0 {
			_, err := j.ApplyNotice(t.Context(), n, false)
			require.NoError(t, err)
		}
		change = moved(r, cancellation.Withdrawn)
		change.Tell = cancellation.AtOnce
		done, err := j.ApplyAnnounced(t.Context(), change, posting)
		require.NoError(t, err)
		assert.Equal(t, cancellation.Withdrawn, done.Request.State)
		assert.Zero(t, done.Result, "case %d", i)
		assert.True(t, done.Rest)
		if i == 1 || i == 2 || i == 3 {
			assert.Equal(t, r.ID, noticeOf(t, j).RequestID, "it is due, and claimed as ever")
		}
	}
}

func responseURLErased(t *testing.T, j journal, clock *hands) {
	told(t, j, clock, 42)
	n := noticeOf(t, j)
	require.NotEmpty(t, n.Place.ResponseURL)
	clock.pass(responseLife)
	n.Due = clock.time().Add(time.Hour)
	_, err := j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	noNotice(t, j) // nothing is due, and the sweep runs all the same

	clock.pass(time.Hour)
	n = noticeOf(t, j)
	assert.Empty(t, n.Place.ResponseURL)
	assert.Zero(t, n.Place.ResponseURLUntil)
	n.Place.ResponseURL = "https://hooks.slack.com/commands/T0/1/secret"
	n, err = j.ApplyNotice(t.Context(), n, false)
	require.NoError(t, err)
	assert.Empty(t, n.Place.ResponseURL, "none is ever put back")
}

func leaseKeptOnTheDue(t *testing.T, j journal, clock *hands) {
	r := filed(t, j, 42)
	silent := moved(r, cancellation.Filed)
	silent.Event, silent.Tell = cancellation.Event{}, clock.time()
	r = applied(t, j, silent)
	n := noticeOf(t, j)
	n.Shown, n.Due = r.Version, time.Time{}
	_, err := j.ApplyNotice(t.Context(), n, true) // kept, although nothing is owed
	require.NoError(t, err)

	reverted := moved(r, cancellation.Reverted)
	reverted.Tell = clock.time()
	applied(t, j, reverted)
	assert.Equal(t, r.ID, noticeOf(t, j).RequestID, "told at once, not when a lease of nobody's ends")
}

func TestRepliesOfListAreEditedOncePerPause(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, o Options) {
		clock := newHands()
		o.Clock = clock.time
		s := inSandbox(t, o)
		rows := filedBatch(t, s, 3)
		got, err := s.RecordUpdates(t.Context(), "form", repliesTo(rows, "form"))
		require.NoError(t, err)
		told := cancellation.Notice{RequestID: rows[0].ID, Kind: cancellation.Written(got[0].Update.Number, "U8")}
		sends := func(i int) {
			next := got[i].Update
			next.State, next.Due = correspondence.Sent, time.Time{}
			change := correspondence.Change{From: got[i].Update, To: next, Request: rows[i], Actor: "worker", Tell: []cancellation.Notice{told}}
			w := textsOf(change.Request)
			assert.Equal(t, []string{rows[i].ID}, w.locks, "it writes to another request of the batch, too")
			assert.Equal(t, rows[i].Batch, w.batch, "it comes with the other writes of its batch")
			_, err := s.ApplyUpdate(t.Context(), change)
			require.NoError(t, err)
		}
		due := func() (all []cancellation.Notice) {
			claim, err := s.ClaimNotices(t.Context(), "notifier", time.Minute, 8)
			require.NoError(t, err)
			return slices.DeleteFunc(claim.Rows, func(n cancellation.Notice) bool { return n.Kind != told.Kind })
		}
		shows := func(n cancellation.Notice, version int64) cancellation.Notice {
			n.Channel, n.TS, n.Shown, n.Due = "C1", "1.1", version, time.Time{}
			n, err := s.ApplyNotice(t.Context(), n, false)
			require.NoError(t, err)
			return n
		}
		version := func() int64 {
			r, err := s.Request(t.Context(), rows[0].ID)
			require.NoError(t, err)
			return r.Version
		}

		sends(0)
		posted := due()
		require.Len(t, posted, 1, "the first one is told at once")
		shows(posted[0], version())
		sends(1)
		assert.Empty(t, due(), "it was posted just now")
		clock.pass(batchPause)
		edit := due()
		require.Len(t, edit, 1)
		before := version()
		sends(2)
		assert.Equal(t, clock.time().Add(batchPause), shows(edit[0], before).Due.UTC(), "one came meanwhile")
		clock.pass(batchPause)
		edit = due()
		require.Len(t, edit, 1)
		assert.True(t, shows(edit[0], version()).Due.IsZero(), "it shows all three")
	})
}
