package following_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
)

func TestReminderComesWhileThereIsStillTime(t *testing.T) {
	t.Parallel()
	const bill, cutoff = "2026-12-01T00:00:00-06:00", "2026-11-28T23:59:59-06:00" // a Saturday
	for name, c := range map[string]struct {
		sent, cutoff, zone, at string // at: "" for never
	}{
		"two working days before the cut-off":         {"2026-11-10T12:00:00Z", cutoff, "America/Chicago", "Wed 2026-11-25 18:00"},
		"in the person's own zone":                    {"2026-11-10T12:00:00Z", cutoff, "Europe/Berlin", "Wed 2026-11-25 18:00"},
		"seven days before the end without a cut-off": {"2026-11-10T12:00:00Z", "", "UTC", "Tue 2026-11-24 06:00"},
		"a day after it was filed, if that is later":  {"2026-11-26T12:00:00Z", cutoff, "UTC", "Fri 2026-11-27 12:00"},
		"never if filed less than two days before":    {"2026-11-27T12:00:00Z", cutoff, "UTC", ""},
		"never if filed after the cut-off was close":  {"2026-11-28T12:00:00Z", cutoff, "UTC", ""},
		"never less than two days before the end":     {"2026-11-29T12:00:00Z", "", "UTC", ""},
	} {
		r := asked(7)
		r.Submission.Card.Server.Billing.NextBillDate, r.Submission.Card.Cutoff = bill, c.cutoff
		sent, err := time.Parse(time.RFC3339, c.sent)
		require.NoError(t, err)
		r.SentAt, r.CreatedAt = sent, sent
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		at, got := following.RemindAt(r, zone), ""
		if !at.IsZero() {
			got = at.In(zone).Format("Mon 2006-01-02 15:04")
		}
		assert.Equal(t, c.at, got, name)
	}
}

// owedLine is the notice of a line of one kind; ok is false if there is none.
func (w *world) owedLine(server int64, what cancellation.LineKind) (found cancellation.Notice, ok bool) {
	w.t.Helper()
	notices, err := w.store.Notices(w.t.Context(), w.request(server).ID)
	require.NoError(w.t, err)
	for _, n := range notices {
		if l, is := n.Kind.Line(); is && l.What == what {
			return n, true
		}
	}
	return found, false
}

func TestThreadAndRequesterAreRemindedOnce(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.passes(time.Hour, 18*24*time.Hour)
		_, ok := w.owedLine(1, cancellation.LineEnds)
		assert.False(t, ok)
		w.passes(time.Hour, 2*24*time.Hour)
		owed, ok := w.owedLine(1, cancellation.LineEnds)
		require.True(t, ok)
		assert.Equal(t, 9, owed.Due.In(w.request(1).End().Date.Location()).Hour(), "as a working day begins")
		assert.Less(t, time.Until(owed.Due), 4*24*time.Hour)
		assert.Equal(t, []cancellation.NewsKind{cancellation.NewsEnds}, w.news())
	})
}

// owedLines are the notices of lines of one kind.
func (w *world) owedLines(what cancellation.LineKind) (found []cancellation.Notice) {
	w.t.Helper()
	notices, err := w.store.Notices(w.t.Context(), "r1")
	require.NoError(w.t, err)
	for _, n := range notices {
		if l, is := n.Kind.Line(); is && l.What == what {
			found = append(found, n)
		}
	}
	return found
}

func TestDateThatComesAgainIsRemindedOfAgain(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		first := w.lives[1001].Cancels[10]
		w.passes(time.Hour, 20*24*time.Hour)
		require.Len(t, w.owedLines(cancellation.LineEnds), 1)

		moves := func(date string) {
			w.lives[1001].Cancels[10] = date
			w.passes(time.Hour, 2*time.Hour)
		}
		moves(time.Now().Add(61 * 24 * time.Hour).Format(time.RFC3339))
		moves(first)
		assert.Len(t, w.owedLines(cancellation.LineEnds), 1, "the first reminder is not posted yet")
		for _, n := range w.owedLines(cancellation.LineEnds) { // now it is
			n.Channel, n.TS, n.Shown, n.Due = "C1", "1.0", 99, time.Time{}
			_, err := w.store.ApplyNotice(t.Context(), n, false)
			require.NoError(t, err)
		}
		moves(time.Now().Add(61 * 24 * time.Hour).Format(time.RFC3339))
		moves(first)
		assert.Len(t, w.owedLines(cancellation.LineEnds), 2)
		var ends int
		for _, kind := range w.news() {
			if kind == cancellation.NewsEnds {
				ends++
			}
		}
		assert.Equal(t, 3, ends, "a letter tells of those that it owes at once")
	})
}

func TestServerStillThereIsToldAfterAMove(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.stays(1)
		first := w.lives[1001].Cancels[10]
		w.passes(6*time.Hour, 34*24*time.Hour)
		require.Len(t, w.owedLines(cancellation.LineStill), 1)
		w.lives[1001].Cancels[10] = time.Now().Add(61 * 24 * time.Hour).Format(time.RFC3339)
		w.passes(6*time.Hour, 24*time.Hour)
		w.lives[1001].Cancels[10] = first
		w.passes(6*time.Hour, 24*time.Hour)
		assert.Len(t, w.owedLines(cancellation.LineStill), 2)
	})
}

// stays has a server's billing item wait to be cancelled, whatever day it is.
func (w *world) stays(server int64) { w.servers[server].Billing.CancellationDate = "" }

func TestServerThatStaysIsToldAgainAndAgain(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.stays(1)
		end := time.Now().Add(30 * 24 * time.Hour)
		told := func() (n int) {
			for _, line := range w.told(1) {
				if line == cancellation.LineStill {
					n++
				}
			}
			return n
		}
		w.passes(6*time.Hour, time.Until(end.Add(2*24*time.Hour)))
		assert.Zero(t, told())
		for i, days := range []int{4, 11, 18, 25} { // after the end: weekly four times
			w.passes(6*time.Hour, time.Until(end.Add(time.Duration(days)*24*time.Hour)))
			assert.Equal(t, i+1, told(), "after %d days", days)
		}
		w.passes(6*time.Hour, 26*24*time.Hour)
		assert.Equal(t, 4, told(), "then monthly")
		w.passes(6*time.Hour, 6*24*time.Hour)
		assert.Equal(t, 5, told())
		assert.Contains(t, w.news(), cancellation.NewsStill)
	})
}

func TestTakingItOnPausesForTwoWeeks(t *testing.T) {
	inWorld(t, 1, func(t *testing.T, w *world) {
		w.stays(1)
		w.passes(6*time.Hour, 34*24*time.Hour)
		require.NoError(t, w.store.Note(t.Context(), "r1", cancellation.Event{Kind: cancellation.EventTaken, Actor: "T1/U1"}))
		count := len(w.told(1))
		w.passes(6*time.Hour, 13*24*time.Hour)
		assert.Len(t, w.told(1), count)
		w.passes(6*time.Hour, 3*24*time.Hour)
		assert.Len(t, w.told(1), count+1)
	})
}

// passes lets time go by. A replica looks for ten minutes at the end of each such period, so that days go
// by fast.
func (w *world) passes(every, long time.Duration) {
	w.t.Helper()
	const looks = 10 * time.Minute
	for end := time.Now().Add(long); time.Now().Before(end); {
		time.Sleep(max(0, min(every, time.Until(end))-looks))
		w.runs("one", every, min(looks, time.Until(end)))
	}
}
