package waiting_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/waiting"
	"cancel-server/internal/workday"
)

var berlin = workday.Zone("Europe/Berlin")

// at reads a time in Berlin, such as "Tue 2026-11-24 10:00".
func at(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	found, err := time.ParseInLocation("Mon 2006-01-02 15:04", text, berlin)
	require.NoError(t, err)
	return found
}

func TestRemindersFollowWorkingDays(t *testing.T) {
	t.Parallel()
	const since = "Mon 2026-11-23 09:00"
	ben := []string{"U1"}
	for name, c := range map[string]struct {
		wait      cancellation.Wait
		next      string // when a reminder is due, as recorded
		now       string
		users     []string
		tells     cancellation.NewsKind // "" for nobody
		escalates bool
		reminders int
		then      string // when the next one is due
	}{
		"at once":                             {wait: cancellation.Wait{Asks: 5}, now: "Tue 2026-11-24 10:00", users: ben, tells: cancellation.NewsWaits, then: "Fri 2026-11-27 10:00"},
		"at once, on a Saturday":              {wait: cancellation.Wait{Asks: 5}, now: "Sat 2026-11-28 23:00", users: ben, tells: cancellation.NewsWaits, then: "Thu 2026-12-03 09:00"},
		"staff ask again before a reminder":   {wait: cancellation.Wait{Asks: 7, Told: 5}, next: "Fri 2026-11-27 10:00", now: "Thu 2026-11-26 12:00", users: ben, tells: cancellation.NewsWaits, then: "Fri 2026-11-27 10:00"},
		"staff ask again as it is due":        {wait: cancellation.Wait{Asks: 7, Told: 5}, next: "Fri 2026-11-27 10:00", now: "Fri 2026-11-27 11:00", users: ben, tells: cancellation.NewsWaits, then: "Wed 2026-12-02 11:00"},
		"it was told, and waits again":        {wait: cancellation.Wait{Asks: 5, Told: 5}, now: "Tue 2026-11-24 10:00", users: ben, then: "Fri 2026-11-27 10:00"},
		"before the reminder":                 {wait: cancellation.Wait{Asks: 5, Told: 5}, next: "Fri 2026-11-27 10:00", now: "Fri 2026-11-27 09:59", users: ben, then: "Fri 2026-11-27 10:00"},
		"after three working days":            {wait: cancellation.Wait{Asks: 5, Told: 5}, next: "Fri 2026-11-27 10:00", now: "Fri 2026-11-27 10:00", users: ben, tells: cancellation.NewsStillWaits, reminders: 1, then: "Fri 2026-12-04 10:00"},
		"a week later":                        {wait: cancellation.Wait{Asks: 5, Told: 5, Reminders: 1}, next: "Fri 2026-12-04 10:00", now: "Fri 2026-12-04 10:01", users: ben, escalates: true, reminders: 2, then: "Fri 2026-12-11 10:01"},
		"after an outage, by the weekend":     {wait: cancellation.Wait{Asks: 5, Told: 5, Reminders: 2}, next: "Fri 2026-12-04 10:00", now: "Sat 2026-12-05 10:00", users: ben, escalates: true, reminders: 3, then: "Mon 2026-12-14 09:00"},
		"nobody is left to be told":           {wait: cancellation.Wait{Asks: 5}, now: "Tue 2026-11-24 10:00", escalates: true, then: "Fri 2026-11-27 10:00"},
		"nobody is left to be reminded":       {wait: cancellation.Wait{Asks: 5, Told: 5}, next: "Fri 2026-11-27 10:00", now: "Fri 2026-11-27 10:00", escalates: true, reminders: 1, then: "Fri 2026-12-04 10:00"},
		"one of a batch, with all of its day": {wait: cancellation.Wait{Asks: 5, Request: cancellation.Request{Batch: "B1"}}, now: "Tue 2026-11-24 10:00", users: ben, tells: cancellation.NewsWaits, then: "Fri 2026-11-27 09:00"},
		"another one of it":                   {wait: cancellation.Wait{Asks: 6, Request: cancellation.Request{Batch: "B1"}}, now: "Tue 2026-11-24 23:00", users: ben, tells: cancellation.NewsWaits, then: "Mon 2026-11-30 09:00"},
		"a batch's reminder is not put off":   {wait: cancellation.Wait{Asks: 5, Told: 5, Request: cancellation.Request{Batch: "B1"}}, next: "Fri 2026-11-27 09:00", now: "Fri 2026-11-27 08:59", users: ben, then: "Fri 2026-11-27 09:00"},
		"a batch a week later":                {wait: cancellation.Wait{Asks: 5, Told: 5, Reminders: 1, Request: cancellation.Request{Batch: "B1"}}, next: "Fri 2026-12-04 09:00", now: "Fri 2026-12-04 09:00", users: ben, escalates: true, reminders: 2, then: "Fri 2026-12-11 09:00"},
		"two answer for it":                   {wait: cancellation.Wait{Asks: 5}, now: "Tue 2026-11-24 10:00", users: []string{"U8", "U9"}, tells: cancellation.NewsWaits, then: "Fri 2026-11-27 10:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := c.wait
			w.Since, w.Next = at(t, since), at(t, c.next)
			step, escalates := waiting.Next(w, waiting.Audience{Users: c.users, Zone: berlin}, at(t, c.now))
			var told []string
			for _, n := range step.News {
				assert.Equal(t, c.tells, n.Kind)
				told = append(told, n.To)
			}
			if c.tells != "" {
				assert.Equal(t, c.users, told)
			}
			assert.Equal(t, c.tells == "", len(told) == 0)
			assert.Equal(t, c.escalates, escalates)
			assert.Equal(t, c.reminders, step.Reminders)
			assert.Equal(t, at(t, c.then), step.Next.In(berlin))
			assert.Equal(t, step.Next, step.Act)
			assert.Equal(t, c.wait.Asks, step.Told)
		})
	}
	step, escalates := waiting.Next(cancellation.Wait{Asks: 5, Told: 3, Next: at(t, since)}, waiting.Audience{}, at(t, since))
	assert.False(t, escalates)
	assert.Zero(t, step.Act, "nothing waits any more")
}
