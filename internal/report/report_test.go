package report_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/report"
	"cancel-server/internal/slackui/slacktest"
)

var november, _ = report.ParseMonth("2026-11")

// goneOn is a request whose server was gone at a moment, with changes.
func goneOn(at string, changes ...func(*cancellation.Request)) cancellation.Request {
	return slacktest.Request(cancellation.Reclaimed, append([]func(*cancellation.Request){func(r *cancellation.Request) {
		r.Since, _ = time.Parse(time.RFC3339, at)
	}}, changes...)...)
}

func costs(monthly string) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.Submission.Card.Server.Billing.MonthlyTotal = monthly }
}

func hourly(fee string) func(*cancellation.Request) {
	return func(r *cancellation.Request) {
		r.Submission.Card.Server.Hourly, r.Submission.Card.Server.Billing.HourlyFee = true, fee
	}
}

func tagged(tags ...string) func(*cancellation.Request) {
	return func(r *cancellation.Request) {
		r.Submission.Card.Server.Tags, r.Submission.Card.Server.TagsKnown = tags, true
	}
}

// shows has SoftLayer's cancellation end on another date than the card's next bill date, 1 December.
func shows(date string) func(*cancellation.Request) {
	return func(r *cancellation.Request) { r.Shows = date }
}

func unreadable(r *cancellation.Request) { r.Submission = cancellation.Submission{} }

// sums is a group as it is printed.
func sums(l *report.Group) string {
	return fmt.Sprintf("gone %d %s ?%d, late %d %s, year %d %s ?%d",
		l.Gone.Count, l.Gone.Amount(), l.Gone.Unknown, l.Late.Count, l.Late.Amount(), l.Year.Count, l.Year.Amount(), l.Year.Unknown)
}

func TestServersCountOnceTheyAreGone(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		gone []cancellation.Request
		want string
	}{
		"nothing": {nil, "gone 0 0.00 ?0, late 0 0.00, year 0 0.00 ?0"},
		"one in the month": {
			[]cancellation.Request{goneOn("2026-11-30T23:59:59Z")},
			"gone 1 412.50 ?0, late 0 0.00, year 1 412.50 ?0",
		},
		"one earlier in the year saves each month since": {
			[]cancellation.Request{goneOn("2026-09-01T00:00:00Z")},
			"gone 0 0.00 ?0, late 0 0.00, year 1 1237.50 ?0",
		},
		"tenths are added exactly": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", costs("0.1")), goneOn("2026-11-02T00:00:00Z", costs("0.2"))},
			"gone 2 0.30 ?0, late 0 0.00, year 2 0.30 ?0",
		},
		"more than a float holds": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", costs("90071992547409.93")), goneOn("2026-11-02T00:00:00Z", costs("0.0001"))},
			"gone 2 90071992547409.9301 ?0, late 0 0.00, year 2 90071992547409.9301 ?0",
		},
		"an hourly server by 730 hours": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", hourly(".412"))},
			"gone 1 300.76 ?0, late 0 0.00, year 1 300.76 ?0",
		},
		"an unknown cost is counted apart": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", costs("")), goneOn("2026-11-03T00:00:00Z")},
			"gone 2 412.50 ?1, late 0 0.00, year 2 412.50 ?1",
		},
		"a request that cannot be read": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", unreadable)},
			"gone 1 0.00 ?1, late 0 0.00, year 1 0.00 ?1",
		},
		"a month more because a cut-off was missed": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", shows("2027-01-01T00:00:00-06:00"))},
			"gone 1 412.50 ?0, late 1 412.50, year 1 412.50 ?0",
		},
		"two months more": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", shows("2027-01-31T23:59:59-06:00"))},
			"gone 1 412.50 ?0, late 1 825.00, year 1 412.50 ?0",
		},
		"the date that was next is not late": {
			[]cancellation.Request{goneOn("2026-11-02T00:00:00Z", shows("2026-11-30T23:59:59-06:00"))},
			"gone 1 412.50 ?0, late 0 0.00, year 1 412.50 ?0",
		},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			r := report.New(november, slacktest.Noon, false)
			for _, gone := range c.gone {
				r.AddGone(gone, nil)
			}
			assert.Equal(t, c.want, sums(&r.Group))
		})
	}
}

func TestTagsAndPlacesHaveTheirLines(t *testing.T) {
	t.Parallel()
	r := report.New(november, slacktest.Noon, true)
	r.AddGone(goneOn("2026-11-02T00:00:00Z", tagged("Staging", "staging", "web")), nil)
	r.AddGone(goneOn("2026-11-03T00:00:00Z", tagged("STAGING"), costs("1.00")), nil)
	r.AddGone(goneOn("2026-11-04T00:00:00Z", tagged()), nil)
	r.AddGone(goneOn("2026-11-05T00:00:00Z", unreadable), nil)
	r.AddRequested(slacktest.Request(cancellation.Filed))
	named := map[string]string{}
	for _, kind := range r.Kinds() {
		for _, l := range r.Groups(kind) {
			named[fmt.Sprintf("%s %s %s", l.Kind, l.Name, l.ID)] = fmt.Sprintf("%d asked, %d gone, %s", l.Requested, l.Gone.Count, l.Gone.Amount())
		}
	}
	by := slacktest.Request(cancellation.Filed).Submission.By
	assert.Equal(t, map[string]string{
		"all  ":                  "1 asked, 4 gone, 826.00",
		"datacenter fra02 ":      "1 asked, 3 gone, 826.00",
		"datacenter (not read) ": "0 asked, 1 gone, 0.00",
		"tag staging ":           "1 asked, 2 gone, 413.50",
		"tag web ":               "0 asked, 1 gone, 412.50",
		"tag team-data ":         "1 asked, 0 gone, 0.00",
		"tag (none) ":            "0 asked, 1 gone, 412.50",
		"tag (not read) ":        "0 asked, 1 gone, 0.00",
		"person (not read) ":     "0 asked, 1 gone, 0.00",
		"person " + by.Name + " " + by.Team + "/" + by.ID: "1 asked, 3 gone, 826.00",
	}, named)
	assert.Equal(t, "staging", r.Groups(report.ByTag)[0].Name, "what saves most comes first")
	assert.NotContains(t, report.New(november, slacktest.Noon, false).Kinds(), report.ByPerson, "people only if asked for")
}

func TestLinesOfAReportAreBounded(t *testing.T) {
	t.Parallel()
	r := report.New(november, slacktest.Noon, false)
	for i := range report.MaxGroups + 10 {
		r.AddGone(goneOn("2026-11-02T00:00:00Z", tagged(fmt.Sprint("tag-", i))), nil)
	}
	assert.Len(t, r.Groups(report.ByTag), report.MaxGroups+1)
	assert.Equal(t, report.Others, r.Groups(report.ByTag)[0].Name)
	assert.Equal(t, 10, r.Groups(report.ByTag)[0].Gone.Count, "nothing is lost")
}

func TestMonthsAreThoseOfUTC(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "2026-11-01T00:00:00Z", november.Begins().Format(time.RFC3339))
	assert.Equal(t, "2026-12-01T00:00:00Z", november.Ends().Format(time.RFC3339))
	assert.Equal(t, "2026-01-01T00:00:00Z", november.YearBegins().Format(time.RFC3339))
	west := time.FixedZone("", -6*60*60)
	assert.Equal(t, "2026-12", report.MonthOf(time.Date(2026, 11, 30, 18, 0, 0, 0, west)).String())
	january, err := report.ParseMonth("2027-01")
	require.NoError(t, err)
	assert.Equal(t, "2026-12", january.Before().String())
	for _, wrong := range []string{"2026-13", "2026", "11-2026", "2026-11-01", "", "2026-1"} {
		_, err := report.ParseMonth(wrong)
		assert.Error(t, err, wrong)
	}
}

func TestAmountsHaveTwoToFourDecimals(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"0": "0.00", "1.5": "1.50", "0.0125": "0.0125", "0.125": "0.125", "15262.5": "15262.50"} {
		amount, _ := new(big.Rat).SetString(given)
		assert.Equal(t, want, report.Amount(amount))
	}
}

func TestAMonthIsPostedOnceItIsOver(t *testing.T) {
	t.Parallel()
	for says, c := range map[string]struct {
		now, from, last string
		due             string
	}{
		"no bot served yet":         {"2026-12-01T00:00:00Z", "", "", ""},
		"the month is not over":     {"2026-11-30T23:59:59Z", "2026-11", "", ""},
		"it is over":                {"2026-12-01T00:00:00Z", "2026-11", "", "2026-11"},
		"it was posted":             {"2026-12-31T00:00:00Z", "2026-11", "2026-11", ""},
		"the bot was away for long": {"2027-03-05T00:00:00Z", "2026-11", "2026-11", "2027-02"},
		"before the first one":      {"2026-11-05T00:00:00Z", "2026-11", "", ""},
		"the clock went back":       {"2026-11-05T00:00:00Z", "2026-09", "2026-11", ""},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			var turn report.Turn
			var err error
			turn.Now, err = time.Parse(time.RFC3339, c.now)
			require.NoError(t, err)
			turn.Months, _ = report.ParseMonth(c.from)
			turn.Last, _ = report.ParseMonth(c.last)
			month, ok := turn.Due()
			assert.Equal(t, c.due != "", ok)
			if ok {
				assert.Equal(t, c.due, month.String())
			}
		})
	}
}

func TestWhatIsLeftBehindIsCounted(t *testing.T) {
	t.Parallel()
	volume := billed.Item{Kind: billed.Volume, ID: 1, Fee: "0.1"}
	subnet := billed.Item{Kind: billed.Subnet, ID: 2, Fee: "0.2"}
	const beyondTheKey = "not read"
	for says, c := range map[string]struct {
		left []*billed.Stays
		want string
	}{
		"no server":                          {nil, "0 0.00 ?0, not read 0"},
		"nothing left":                       {[]*billed.Stays{{}}, "0 0.00 ?0, not read 0"},
		"tenths are added exactly":           {[]*billed.Stays{{Items: []billed.Item{volume}}, {Items: []billed.Item{subnet}}}, "2 0.30 ?0, not read 0"},
		"a cost the key could not see":       {[]*billed.Stays{{Items: []billed.Item{volume, {Kind: billed.VLAN, ID: 3}}}}, "2 0.10 ?1, not read 0"},
		"never read":                         {[]*billed.Stays{nil}, beyondTheKey},
		"never read, of several":             {[]*billed.Stays{nil, nil}, beyondTheKey},
		"not read of one":                    {[]*billed.Stays{nil, {Items: []billed.Item{volume}}}, "1 0.10 ?0, not read 1"},
		"not read of one, the other none":    {[]*billed.Stays{nil, {}}, "0 0.00 ?0, not read 1"},
		"volumes hidden from the key":        {[]*billed.Stays{{Hidden: []billed.Kind{billed.Volume}}}, beyondTheKey},
		"subnets not answered":               {[]*billed.Stays{{Items: []billed.Item{volume}, Unread: []billed.Kind{billed.Subnet}}}, "1 0.10 ?0, not read 1"},
		"an item that nobody could see":      {[]*billed.Stays{{Items: []billed.Item{volume, {Kind: billed.Volume, ID: 4, Fee: "9", Unread: true}}}}, "1 0.10 ?0, not read 1"},
		"more than are listed":               {[]*billed.Stays{{Items: []billed.Item{volume}, More: 3}}, "1 0.10 ?0, not read 1"},
		"nothing certain, and one uncertain": {[]*billed.Stays{{Items: []billed.Item{{Kind: billed.Volume, Unread: true}}}}, beyondTheKey},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			r := report.New(november, slacktest.Noon, false)
			for _, left := range c.left {
				r.AddGone(goneOn("2026-11-02T00:00:00Z"), left)
			}
			r.AddGone(goneOn("2026-10-02T00:00:00Z"), &billed.Stays{Items: []billed.Item{volume}}) // of another month
			got := fmt.Sprintf("%d %s ?%d, not read %d", r.Left.Count, r.Left.Amount(), r.Left.Unknown, r.Left.NotRead)
			if !r.Left.Known(r.Gone.Count) {
				got = beyondTheKey
			}
			assert.Equal(t, c.want, got)
		})
	}
}

// manyRows are servers that were gone, and what is kept of some.
type manyRows struct {
	brokenRows
	rows  []cancellation.Request
	asked []int // how many were asked for at once
}

func (m *manyRows) EachGone(_ context.Context, _, _ time.Time, each func(cancellation.Request) error) error {
	for _, r := range m.rows {
		if err := each(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *manyRows) StaysOf(_ context.Context, ids []string) (map[string]billed.Record, error) {
	m.asked = append(m.asked, len(ids))
	kept := map[string]billed.Record{}
	for _, id := range ids {
		kept[id] = billed.Record{Left: &billed.Stays{Items: []billed.Item{{Kind: billed.Volume, ID: 1, Fee: "2.00"}}}}
	}
	return kept, nil
}

func TestManyServersAreReadInPages(t *testing.T) {
	t.Parallel()
	rows := &manyRows{}
	for i := range 450 {
		at := "2026-11-02T00:00:00Z"
		if i < 100 {
			at = "2026-02-02T00:00:00Z"
		}
		rows.rows = append(rows.rows, goneOn(at, func(r *cancellation.Request) { r.ID = fmt.Sprint(i) }))
	}
	r, err := report.Read(t.Context(), rows, november, slacktest.Noon, false)
	require.NoError(t, err)
	assert.Equal(t, []int{100, 200, 50}, rows.asked, "only the month's are asked for")
	assert.Equal(t, []any{350, "700.00", 0, 450}, []any{r.Left.Count, r.Left.Amount(), r.Left.NotRead, r.Year.Count})
}

type brokenRows struct{ filed, gone, stays error }

func (b brokenRows) EachFiled(context.Context, time.Time, time.Time, func(cancellation.Request) error) error {
	return b.filed
}

func (b brokenRows) EachGone(context.Context, time.Time, time.Time, func(cancellation.Request) error) error {
	return b.gone
}

func (b brokenRows) StaysOf(context.Context, []string) (map[string]billed.Record, error) {
	return nil, b.stays
}

func TestUnreadRowsAreNoReport(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is away")
	for _, rows := range []brokenRows{{filed: broken}, {gone: broken}, {stays: broken}} {
		_, err := report.Read(t.Context(), rows, november, slacktest.Noon, false)
		assert.ErrorIs(t, err, broken)
	}
}
