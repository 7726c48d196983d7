package workday_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/workday"
)

// at reads a time of November 2026 or after, such as "Mon 2026-11-23 09:00", in a zone.
func at(t *testing.T, text, zone string) time.Time {
	t.Helper()
	found, err := time.ParseInLocation("Mon 2006-01-02 15:04", text, workday.Zone(zone))
	require.NoError(t, err)
	require.Equal(t, text, found.Format("Mon 2006-01-02 15:04"), "the day of the week")
	return found
}

const berlin, chicago, kolkata = "Europe/Berlin", "America/Chicago", "Asia/Kolkata"

func TestNextWorkingTimeIsInAWorkingDay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ from, zone, next string }{
		"within a day":         {"Tue 2026-11-24 10:30", berlin, "Tue 2026-11-24 10:30"},
		"at its begin":         {"Tue 2026-11-24 09:00", berlin, "Tue 2026-11-24 09:00"},
		"in its last minute":   {"Tue 2026-11-24 17:59", berlin, "Tue 2026-11-24 17:59"},
		"at its end":           {"Tue 2026-11-24 18:00", berlin, "Wed 2026-11-25 09:00"},
		"before it":            {"Tue 2026-11-24 03:10", berlin, "Tue 2026-11-24 09:00"},
		"on Friday evening":    {"Fri 2026-11-27 19:00", berlin, "Mon 2026-11-30 09:00"},
		"on Saturday":          {"Sat 2026-11-28 12:00", berlin, "Mon 2026-11-30 09:00"},
		"on Sunday night":      {"Sun 2026-11-29 23:59", berlin, "Mon 2026-11-30 09:00"},
		"where the zone is +½": {"Sat 2026-11-28 12:00", kolkata, "Mon 2026-11-30 09:00"},
		"over the change to summer time, Friday to Monday": {"Fri 2027-03-26 18:00", berlin, "Mon 2027-03-29 09:00"},
	} {
		assert.Equal(t, at(t, c.next, c.zone), workday.NextWorkingTime(at(t, c.from, c.zone).UTC(), workday.Zone(c.zone)), name)
	}
}

func TestZoneOfThePersonDecides(t *testing.T) {
	t.Parallel()
	evening := at(t, "Mon 2026-11-23 18:30", berlin)
	assert.Equal(t, at(t, "Tue 2026-11-24 09:00", berlin), workday.NextWorkingTime(evening, workday.Zone(berlin)))
	assert.Equal(t, at(t, "Mon 2026-11-23 11:30", chicago), workday.NextWorkingTime(evening, workday.Zone(chicago)))
	assert.Equal(t, at(t, "Tue 2026-11-24 09:00", kolkata), workday.NextWorkingTime(evening, workday.Zone(kolkata)))
}

func TestWorkingDaysSkipWeekends(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from, zone string
		days       int
		to         string
	}{
		"three within a week":                      {"Tue 2026-11-24 10:30", berlin, 3, "Fri 2026-11-27 10:30"},
		"three over a weekend":                     {"Thu 2026-11-26 10:30", berlin, 3, "Tue 2026-12-01 10:30"},
		"three from a Saturday":                    {"Sat 2026-11-28 12:00", berlin, 3, "Thu 2026-12-03 09:00"},
		"three from an evening":                    {"Mon 2026-11-23 20:00", berlin, 3, "Fri 2026-11-27 09:00"},
		"none from a Sunday":                       {"Sun 2026-11-29 12:00", berlin, 0, "Mon 2026-11-30 09:00"},
		"five are a week, over summer time":        {"Thu 2027-03-25 17:45", berlin, 5, "Thu 2027-04-01 17:45"},
		"two before, within a week":                {"Fri 2026-11-27 10:30", berlin, -2, "Wed 2026-11-25 10:30"},
		"two before a Saturday":                    {"Sat 2026-11-28 00:00", chicago, -2, "Wed 2026-11-25 18:00"},
		"two before a Monday":                      {"Mon 2026-11-30 10:00", chicago, -2, "Thu 2026-11-26 10:00"},
		"one before a Monday's early morning":      {"Mon 2026-11-30 03:00", chicago, -1, "Thu 2026-11-26 18:00"},
		"one before an evening":                    {"Wed 2026-11-25 22:00", kolkata, -1, "Tue 2026-11-24 18:00"},
		"over the end of the year, on a leap year": {"Tue 2027-12-28 09:00", kolkata, 45, "Tue 2028-02-29 09:00"},
	} {
		assert.Equal(t, at(t, c.to, c.zone), workday.AddWorkingDays(at(t, c.from, c.zone).UTC(), c.days, workday.Zone(c.zone)), name)
	}
}

func TestUnknownZoneIsUTC(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "UTC", "Local", "Mars/Olympus", "../../etc/passwd", "Europe"} {
		assert.Equal(t, time.UTC, workday.Zone(name), name)
	}
	assert.Equal(t, berlin, workday.Zone(berlin).String())
}
