package cancellation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestApproversAnswerByTheCutoffOnAwkwardDays(t *testing.T) {
	t.Parallel()
	for day, c := range map[string]struct {
		now, bill, cutoff string
		by                string
		dear              bool
	}{
		"an ordinary day":                          {"2026-11-10T12:00:00Z", "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-11-13T12:00:00Z", false},
		"two days before the cut-off":              {"2026-11-26T12:00:00Z", "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-11-28T06:00:00Z", true},
		"the cut-off has passed":                   {"2026-11-28T18:00:00Z", "2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00", "2026-12-01T18:00:00Z", false},
		"an old answer named the one that passed":  {"2026-11-28T18:00:00Z", "2026-12-01T00:00:00-06:00", "2026-11-28T00:00:00-06:00", "2026-12-01T18:00:00Z", false},
		"the 1st in UTC, the day before in Dallas": {"2026-12-01T00:30:00Z", "2026-12-01T00:00:00-06:00", "2026-12-29T00:00:00-06:00", "2026-12-04T00:30:00Z", false},
		"29 February":                              {"2028-02-29T12:00:00Z", "2028-03-01T00:00:00-06:00", "2028-03-28T23:00:00-06:00", "2028-03-03T12:00:00Z", false},
		"the clocks go forward":                    {"2027-03-27T08:00:00Z", "2027-03-31T23:00:00-06:00", "2027-03-28T23:00:00-06:00", "2027-03-29T05:00:00Z", true},
		"the clocks go back":                       {"2026-10-31T07:00:00Z", "2026-11-04T00:00:00-06:00", "2026-11-01T00:00:00-05:00", "2026-11-01T05:00:00Z", true},
		"New Year's Eve":                           {"2026-12-31T23:59:00Z", "2027-01-01T00:00:00-06:00", "2027-01-29T00:00:00-06:00", "2027-01-03T23:59:00Z", false},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		for _, here := range []*time.Location{time.UTC, time.FixedZone("", 14*3600), time.FixedZone("", -12*3600)} {
			r := cancellation.Request{Since: now.In(here), ExpiresAt: now.In(here).Add(72 * time.Hour)}
			r.Submission.Card.Cutoff = c.cutoff
			r.Submission.Card.ReadAt = now.In(here)
			r.Submission.Card.Server.Billing = &cancellation.Billing{NextBillDate: c.bill}
			by, dear := r.AnswerBy()
			assert.Equal(t, c.by, by.UTC().Format(time.RFC3339), day)
			assert.Equal(t, c.dear, dear, day)
		}
	}
}
