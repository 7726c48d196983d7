package cancellation_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// days writes an end as dates: the one, by when it must be sent for that, and the other.
func days(e cancellation.End) string {
	var parts []string
	for _, t := range []struct {
		name, layout string
		at           time.Time
	}{{"", time.DateOnly, e.Date}, {"by ", "2006-01-02 15:04", e.Cutoff}, {"or ", time.DateOnly, e.Or}} {
		if !t.at.IsZero() {
			parts = append(parts, t.name+t.at.Format(t.layout))
		}
	}
	return strings.Join(parts, " ")
}

func TestEndFollowsBillDateCutoffAndPost(t *testing.T) {
	t.Parallel()
	const first, cutoff, next = "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-29T00:00:00-06:00"
	for _, c := range []struct {
		says, bill, cutoff, sent, want string
	}{
		{"not sent: it depends on the cut-off", first, cutoff, "", "2026-12-01 by 2026-11-28 00:00 or 2027-01-01"},
		{"sent before the cut-off", first, cutoff, "2026-11-20T12:00:00Z", "2026-12-01"},
		{"sent at the cut-off's own moment", first, cutoff, "2026-11-28T06:00:00Z", "2026-12-01"},
		{"sent a second later", first, cutoff, "2026-11-28T06:00:01Z", "2027-01-01"},
		{"the cut-off's day in UTC is not its day in Dallas", first, cutoff, "2026-11-28T05:59:00Z", "2026-12-01"},
		{"sent after the bill date", first, cutoff, "2026-12-05T12:00:00Z", "2027-01-01"},
		{"sent when the following cut-off is near and unknown", first, cutoff, "2026-12-27T12:00:00Z", "2027-01-01 or 2027-02-01"},
		{"sent months later", first, cutoff, "2027-03-10T12:00:00Z", "2027-04-01"},

		{"the next cut-off: this one has passed", first, next, "", "2027-01-01 by 2026-12-29 00:00 or 2027-02-01"},
		{"the next cut-off, sent before it", first, next, "2026-11-29T12:00:00Z", "2027-01-01"},
		{"the next cut-off, sent after it", first, next, "2026-12-30T12:00:00Z", "2027-02-01"},

		{"seven days before the bill date belong to it", first, "2026-11-24T00:00:00-06:00", "2026-11-20T12:00:00Z", "2026-12-01"},
		{"eight days before it do not", first, "2026-11-23T00:00:00-06:00", "2026-11-20T12:00:00Z", "2026-12-01 or 2027-01-01"},
		{"a cut-off on the bill date belongs to it", first, first, "2026-11-30T12:00:00Z", "2026-12-01"},
		{"a cut-off between the two belongs to neither", first, "2026-12-15T00:00:00-06:00", "2026-11-20T12:00:00Z", "2026-12-01 or 2027-01-01"},
		{"a cut-off after both", first, "2027-01-28T00:00:00-06:00", "2026-11-20T12:00:00Z", "2026-12-01 or 2027-01-01"},
		{"no cut-off", first, "", "2026-11-20T12:00:00Z", "2026-12-01 or 2027-01-01"},
		{"no cut-off, not sent", first, "", "", "2026-12-01 or 2027-01-01"},
		{"no cut-off, sent after the bill date", first, "", "2026-12-05T12:00:00Z", "2027-01-01 or 2027-02-01"},
		{"a cut-off that is no date", first, "soon", "2026-11-20T12:00:00Z", "2026-12-01 or 2027-01-01"},

		{"seven days across the change of the clocks", "2026-11-03T00:00:00-06:00", "2026-10-27T00:00:00-05:00", "2026-10-20T12:00:00Z", "2026-11-03"},
		{"in summer SoftLayer writes the eve's eleven o'clock", "2026-06-30T23:00:00-06:00", "2026-06-27T23:00:00-06:00", "2026-06-29T12:00:00Z", "2026-08-01"},
		{"from summer into winter", "2026-10-14T23:00:00-06:00", "2026-10-11T23:00:00-06:00", "2026-10-13T12:00:00Z", "2026-11-15"},
		{"from winter into summer", "2027-02-15T00:00:00-06:00", "2027-03-12T00:00:00-06:00", "", "2027-03-15 by 2027-03-12 00:00 or 2027-04-15"},
		{"a month without the day", "2027-01-31T00:00:00-06:00", "2027-01-28T00:00:00-06:00", "2027-01-30T00:00:00Z", "2027-02-28"},
		{"a year's end", "2026-12-15T00:00:00-06:00", "2026-12-12T00:00:00-06:00", "2026-12-13T00:00:00Z", "2027-01-15"},
		{"a cut-off across the change of the clocks", "2026-11-03T00:00:00-06:00", "2026-10-31T00:00:00-05:00", "2026-10-31T04:00:00Z", "2026-11-03"},
		{"no bill date", "", cutoff, "2026-11-20T12:00:00Z", ""},
		{"a bill date that is no date", "soon", cutoff, "", ""},
	} {
		t.Run(c.says, func(t *testing.T) {
			t.Parallel()
			var sent time.Time
			if c.sent != "" {
				var err error
				sent, err = time.Parse(time.RFC3339, c.sent)
				require.NoError(t, err)
			}
			assert.Equal(t, c.want, days(cancellation.EndOf(c.bill, c.cutoff, sent)))
		})
	}
}

// silent makes SoftLayer answer no more reads once this POST has had its answer.
func silent(answer func(*world, cancellation.Order) cancellation.Outcome) func(*world, cancellation.Order) cancellation.Outcome {
	return func(w *world, o cancellation.Order) cancellation.Outcome {
		w.reading = errors.New("no answer")
		return answer(w, o)
	}
}

// undated makes a ticket that does not say when it was made.
func undated(w *world, o cancellation.Order) cancellation.Outcome {
	out := madeButLost(w, o)
	w.tickets[len(w.tickets)-1].CreatedAt = time.Time{}
	return out
}

// TestTheEndCountsTheMomentOfThePost files requests whose cut-off passes while they are
// worked: of two bill dates they end on the first, the second, or either.
func TestTheEndCountsTheMomentOfThePost(t *testing.T) {
	const first, second, either = "2000-01-03", "2000-02-03", "2000-01-03 or 2000-02-03"
	const cutoff = 3 * time.Minute // from the submission; a second POST comes after it
	type answer = func(*world, cancellation.Order) cancellation.Outcome
	for name, c := range map[string]struct {
		unread  time.Duration // so long SoftLayer answers no read, from the submission or from a POST on
		answers []answer
		found   func(w *world, r cancellation.Request) int64 // the ticket that a person finds in the end
		want    string
	}{
		"filed before it":                         {want: first},
		"sent before it, settled after it":        {unread: time.Hour, answers: []answer{silent(madeButLost)}, want: first},
		"sent after it, since nothing was read":   {unread: time.Hour, want: second},
		"refused for now, and sent after it":      {unread: time.Hour, answers: []answer{silent(rateLimited)}, want: second},
		"sent twice, by when the ticket was made": {answers: []answer{lostBefore, madeButLost}, want: second},
		"sent twice, and the second was answered": {answers: []answer{lostBefore, made}, want: second},
		"sent twice, and the ticket has no date":  {answers: []answer{lostBefore, undated}, want: either},
		"sent twice, and a person found a ticket": {
			answers: []answer{lostBefore, lostBefore},
			found:   func(w *world, r cancellation.Request) int64 { return w.openTicket(9, r.Ref.Marker()).ID },
			want:    second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.answers = c.answers
				s := w.submission()
				s.Card.Server.Billing.NextBillDate = first + "T00:00:00Z"
				s.Card.Cutoff = time.Now().Add(cutoff).Format(time.RFC3339)
				answer, err := w.desk().Submit(t.Context(), s)
				require.NoError(t, err)
				if c.unread > 0 {
					if len(c.answers) == 0 {
						w.reading = errors.New("no answer")
					}
					w.run(w.journal, c.unread)
					w.change(func(w *world) { w.reading = nil })
				}
				w.run(w.journal, time.Hour)
				r := w.now(answer.Request)
				if c.found != nil {
					require.Equal(t, cancellation.Stuck, r.State)
					r, err = w.desk().Resolve(t.Context(), cancellation.Resolution{
						Ref: r.Ref.Short(), Finding: cancellation.FoundTicket, Ticket: c.found(w, r), Why: "looked", Actor: "operator:ana",
					})
					require.NoError(t, err)
				}
				require.Equal(t, cancellation.Filed, r.State)
				assert.Equal(t, c.want, days(w.now(r).End()), "by the moment of the POST, also after a restart")
			})
		})
	}
}

// TestEndWithoutThePostTimeIsEitherDate holds a row that an older build filed.
func TestEndWithoutThePostTimeIsEitherDate(t *testing.T) {
	t.Parallel()
	r := cancellation.Request{State: cancellation.Filed, Posts: 1, CreatedAt: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	r.Submission.Card.Server.Billing = &cancellation.Billing{NextBillDate: "2026-12-01T00:00:00-06:00"}
	r.Submission.Card.Cutoff = "2026-11-28T00:00:00-06:00"
	assert.Equal(t, "2026-12-01 or 2027-01-01", days(r.End()))
}

// TestCardAfterItsCutoffNamesTheFollowingDate holds a card whose own read came too late.
func TestCardAfterItsCutoffNamesTheFollowingDate(t *testing.T) {
	t.Parallel()
	c := cancellation.Card{Cutoff: "2026-11-28T00:00:00-06:00", ReadAt: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	assert.Empty(t, days(c.End()), "no billing item, no date")
	c.Server.Billing = &cancellation.Billing{NextBillDate: "2026-12-01T00:00:00-06:00"}
	assert.Equal(t, "2027-01-01", days(c.End()))
}
