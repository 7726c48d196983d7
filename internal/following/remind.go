package following

import (
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/workday"
)

// When people are reminded.
const (
	workingDays  = 2                  // before the cut-off
	daysBefore   = 7                  // before the end date, if the cut-off is unknown
	leastNotice  = 48 * time.Hour     // filed later than so long before, nobody is reminded
	sinceFiling  = 24 * time.Hour     // and nobody so soon after it was filed
	reminderLead = 4 * 24 * time.Hour // a reminder is owed so long before, so that it lies ready on each reader's day
	stillAfter   = 3 * 24 * time.Hour // after the end date
	week         = 7 * 24 * time.Hour
	weeklyTimes  = 4 // then monthly
)

// RemindAt returns when somebody in a zone is reminded that a filed request's server is due to end: two
// working days before the cut-off or, if that is unknown, seven days before the end. It is zero if
// neither is known, and if the request was filed less than two days before.
func RemindAt(r cancellation.Request, zone *time.Location) time.Time {
	last, cutoff := r.LastCall()
	filed := r.SentAt
	if filed.IsZero() {
		filed = r.Since
	}
	if last.IsZero() || last.Sub(filed) < leastNotice {
		return time.Time{}
	}
	at := last.AddDate(0, 0, -daysBefore)
	if cutoff {
		at = workday.AddWorkingDays(last, -workingDays, zone)
	}
	if soon := filed.Add(sinceFiling); at.Before(soon) {
		return soon
	}
	return at
}

// judgeReminder owes the reminder once for each last moment at which SoftLayer may be asked to stop. The
// thread is reminded as the working day begins there, where SoftLayer's days begin.
func (v *Verdict) judgeReminder(r cancellation.Request, e Evidence) {
	if v.Shows != "" {
		r.Shows = v.Shows
	}
	last, _ := r.LastCall()
	at := RemindAt(r, last.Location())
	if at.IsZero() || last.Equal(v.Known.Warned) || e.Begun.Before(at.Add(-reminderLead)) || !e.Begun.Before(last) {
		return
	}
	v.Known.Warned = last.UTC()
	v.Remind = cancellation.Line{What: cancellation.LineEnds, Update: v.Known.Warnings, Now: last.Format(time.RFC3339)}
	if r.Batch != "" { // one reminder for all that end on that day
		v.Remind.Was = r.End().Date.Format(time.DateOnly)
	}
	v.Known.Warnings++
	year, month, day := at.Date()
	v.RemindAt = workday.NextWorkingTime(time.Date(year, month, day, 0, 0, 0, 0, at.Location()), at.Location())
	v.News = append(v.News, cancellation.News{Kind: cancellation.NewsEnds, Detail: v.Remind.EndsDetail()})
}

// judgeStill finds out whether people are to be told that a server is there after its date.
func (v *Verdict) judgeStill(r cancellation.Request, e Evidence) {
	if v.Shows != "" {
		r.Shows = v.Shows
	}
	end := r.End()
	date, known := end.Date, &v.Known
	if end.Or.After(date) {
		date = end.Or
	}
	if date.IsZero() || e.Begun.Before(date.Add(stillAfter)) {
		known.Stills = max(known.Stills, known.Still)
		known.Still, known.StillAt = 0, time.Time{}
		return
	}
	due := date.Add(stillAfter)
	switch {
	case known.Still == 0:
	case known.Still < weeklyTimes:
		due = known.StillAt.Add(week)
	default:
		due = known.StillAt.AddDate(0, 1, 0)
	}
	v.Still = e.Server != nil && !e.Begun.Before(due)
	v.StillOf = date
}

// tellStill tells that a server is there after its date, unless somebody said less than two weeks ago
// that they are on it.
func (v *Verdict) tellStill(taken, now time.Time) {
	if now.Before(taken.Add(cancellation.TakenFor)) {
		return
	}
	v.Known.Stills = max(v.Known.Stills, v.Known.Still) + 1
	v.Known.Still++
	v.Known.StillAt = now
	of := v.StillOf.Format(time.DateOnly)
	v.tell(cancellation.Line{What: cancellation.LineStill, Update: v.Known.Stills, Was: of})
	v.News = append(v.News, cancellation.News{Kind: cancellation.NewsStill, Detail: of + " " + strconv.FormatInt(v.Known.Stills, 10)})
}

// inform has the requester hear what else becomes of the request.
func (v *Verdict) inform(r cancellation.Request) {
	for _, l := range v.Lines {
		switch {
		case l.What == cancellation.LineMoved:
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsMoved, Detail: l.Detail()})
		case l.What == cancellation.LineEnded && v.Ends.Seen == cancellation.Reverted && !r.StopAsked.IsZero():
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsStopped})
		case l.What == cancellation.LineEnded && v.Ends.Seen == cancellation.Reverted:
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsNotCancelled})
		case l.What == cancellation.LineEnded:
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsEnded})
		}
	}
}

// privately has the requester hear by letter what a thread that only they see would say.
func (v *Verdict) privately() {
	for _, l := range v.Lines {
		switch l.What {
		case cancellation.LineStaff:
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsStaff, Detail: strconv.FormatInt(l.Update, 10)})
		case cancellation.LineUnclear:
			v.News = append(v.News, cancellation.News{Kind: cancellation.NewsUnclear})
		}
	}
	v.Lines, v.Remind = nil, cancellation.Line{}
}

// reminds reports whether a reminder of a date lies ready.
func reminds(notices []cancellation.Notice, of string) bool {
	return slices.ContainsFunc(notices, func(n cancellation.Notice) bool {
		l, ok := n.Kind.Line()
		return ok && l.What == cancellation.LineEnds && l.Now == of && n.TS == "" && !n.Due.IsZero()
	})
}

// owed are the notices that tell the lines, and what more people are told.
func (v *Verdict) owed(r cancellation.Request, notices []cancellation.Notice, channel string) []cancellation.Notice {
	if r.Private(notices) {
		v.privately()
	}
	owed := r.Telling(v.Lines, notices)
	if v.Remind.What != "" && !reminds(notices, v.Remind.Now) {
		for _, reminder := range r.Telling([]cancellation.Line{v.Remind}, notices) {
			reminder.Due = v.RemindAt
			owed = append(owed, reminder)
		}
	}
	for i := range v.News {
		v.News[i].To = r.Submission.By.ID
		if v.News[i].Kind == cancellation.NewsNotCancelled {
			owed = append(owed, r.Escalating(channel, v.News[i], notices))
		}
	}
	if r.Submission.By.ID == "" { // what was asked for cannot be read
		v.News = nil
	}
	return owed
}
