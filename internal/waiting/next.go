package waiting

import (
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/workday"
)

// When people are reminded.
const (
	workingDays = 3                  // until the first reminder
	week        = 7 * 24 * time.Hour // between reminders after that
)

// Audience is who answers for a request.
type Audience struct {
	Users []string       // the requester or, if they have left, those who approved and have not
	Zone  *time.Location // of the first one
}

// Next returns what people are told of a wait now, and when to tell them more. escalates says that more
// people are told than the audience.
func Next(w cancellation.Wait, who Audience, now time.Time) (step cancellation.WaitStep, escalates bool) {
	step = cancellation.WaitStep{Wait: w, Told: w.Told, Reminders: w.Reminders, Next: w.Next}
	kind, detail := cancellation.NewsStillWaits, w.Detail()
	switch {
	case w.Since.IsZero(): // nothing waits any more
		step.Next = time.Time{}
		return step, false
	case w.Told != w.Asks:
		kind, detail = cancellation.NewsWaits, strconv.FormatInt(w.Asks, 10)
		step.Told = w.Asks
		if w.Next.Before(now) { // both at once say the same
			step.Next = workday.AddWorkingDays(now, workingDays, who.Zone)
		}
	case w.Next.IsZero(): // people were told before, and it waits again
		step.Next = workday.AddWorkingDays(now, workingDays, who.Zone)
		return acting(step, who.Zone), false
	case now.Before(w.Next):
		return acting(step, who.Zone), false
	default:
		escalates = w.Reminders > 0
		step.Reminders, step.Next = w.Reminders+1, workday.NextWorkingTime(now.Add(week), who.Zone)
	}
	if escalates || len(who.Users) == 0 {
		return acting(step, who.Zone), true
	}
	for _, user := range who.Users {
		step.News = append(step.News, cancellation.News{To: user, Kind: kind, Detail: detail})
	}
	return acting(step, who.Zone), false
}

// acting has the next thing told when the next reminder is due. Those of a batch are due as the day begins, so
// that one reminder is about all whose day it is.
func acting(step cancellation.WaitStep, zone *time.Location) cancellation.WaitStep {
	if step.Wait.Request.Batch != "" {
		year, month, day := step.Next.In(zone).Date()
		step.Next = workday.NextWorkingTime(time.Date(year, month, day, 0, 0, 0, 0, zone), zone)
	}
	step.Act = step.Next
	return step
}
