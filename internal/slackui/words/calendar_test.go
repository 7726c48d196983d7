package words

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/slacktest"
)

func TestDatesOnAwkwardDaysAreThoseOfDallas(t *testing.T) {
	t.Parallel()
	const (
		dec, jan     = "2026-12-01T00:00:00-06:00", "2027-01-01T00:00:00-06:00"
		nextCutoff   = "2026-12-29T00:00:00-06:00" // as SoftLayer answers once this one has passed
		later        = " The later date costs one more month: 412.50 USD."
		decemberOne  = "412.50 USD a month. Next bill date Tue 1 Dec 2026."
		decemberGone = decemberOne + " The server is due to end on Tue 1 Dec 2026 (US Central) if filed by Sat 28 Nov 2026, 00:00 (US Central), else on Fri 1 Jan 2027." + later
		januaryGone  = decemberOne + " The cut-off for that date has passed. The server is due to end on Fri 1 Jan 2027 (US Central) if filed by Tue 29 Dec 2026, 00:00 (US Central), else on Mon 1 Feb 2027." + later
	)
	for day, c := range map[string]struct{ now, bill, cutoff, want string }{
		"an ordinary day":                          {"2026-11-10T12:00:00Z", dec, "2026-11-28T00:00:00-06:00", decemberGone},
		"the cut-off has passed":                   {"2026-11-28T18:00:00Z", dec, nextCutoff, januaryGone},
		"the 1st in UTC, the day before in Dallas": {"2026-12-01T00:30:00Z", dec, nextCutoff, januaryGone},
		"29 February": {
			"2028-02-29T12:00:00Z", "2028-03-01T00:00:00-06:00", "2028-03-28T23:00:00-06:00",
			"412.50 USD a month. Next bill date Wed 1 Mar 2028. The cut-off for that date has passed. The server is due to end on Sat 1 Apr 2028 (US Central)" +
				" if filed by Wed 29 Mar 2028, 00:00 (US Central), else on Mon 1 May 2028." + later,
		},
		"the clocks go forward": {
			"2027-03-14T08:00:00Z", "2027-03-31T23:00:00-06:00", "2027-03-28T23:00:00-06:00",
			"412.50 USD a month. Next bill date Thu 1 Apr 2027. The server is due to end on Thu 1 Apr 2027 (US Central)" +
				" if filed by Mon 29 Mar 2027, 00:00 (US Central), else on Sat 1 May 2027." + later,
		},
		"the clocks go back": {"2026-11-01T07:00:00Z", dec, "2026-11-28T00:00:00-06:00", decemberGone},
		"New Year's Eve": {
			"2026-12-31T23:59:00Z", jan, "2027-01-29T00:00:00-06:00",
			"412.50 USD a month. Next bill date Fri 1 Jan 2027. The cut-off for that date has passed. The server is due to end on Mon 1 Feb 2027 (US Central)" +
				" if filed by Fri 29 Jan 2027, 00:00 (US Central), else on Mon 1 Mar 2027." + later,
		},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		for _, here := range []*time.Location{time.UTC, time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)} {
			server := slacktest.DBServer()
			server.Billing.NextBillDate = c.bill
			got := flat(costLines(cancellation.Card{Server: server, Cutoff: c.cutoff, ReadAt: now.In(here)})...)
			assert.Equal(t, c.want, got, "%s, on a machine at %s", day, now.In(here).Format("-07:00"))
		}
	}
}
