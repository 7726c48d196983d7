package following

import (
	"encoding/json"
	"time"

	"cancel-server/internal/cancellation"
)

// Known is what is known of a followed request. Its JSON form is stored.
type Known struct {
	Old     bool                  `json:",omitempty"` // it was filed before requests were followed: what staff wrote until then is not told
	Update  int64                 `json:",omitempty"` // the last update of its ticket that was seen
	Unclear bool                  `json:",omitempty"` // people were told that the key cannot see what the closed ticket means
	Seen    cancellation.Sighting `json:",omitzero"`  // what every look since then showed, if that would end it
	Since   time.Time             `json:",omitzero"`
	Read    time.Time             `json:",omitzero"`  // when its server was last read alone, since lists did not show that it stands
	Staff   int64                 `json:",omitempty"` // the last update by staff that was seen
	Other   int64                 `json:",omitempty"` // the last update by somebody else that was seen
	Awaits  bool                  `json:",omitempty"` // SoftLayer's flag that it waits for an answer, as last seen
	Asks    int64                 `json:",omitempty"` // the update of which people were last told that it waits for an answer
	Late    bool                  `json:",omitempty"` // people are shown that it may be too late to stop
	Stands  bool                  `json:",omitempty"` // people were told that it stands, although a stop was asked for
	Beside  int                   `json:",omitempty"` // how often what stays billed was read; besideTries if that is known
	Dates
}

// Dates is what people were told of a request's dates. A date that comes again is told again.
type Dates struct {
	Warned   time.Time `json:",omitzero"`  // until when SoftLayer could be asked to stop, by the reminder that was owed
	Warnings int64     `json:",omitempty"` // how many reminders were owed
	Moves    int64     `json:",omitempty"` // how often people were told of another end date
	Still    int64     `json:",omitempty"` // how often people were told that the server is there after its date
	Stills   int64     `json:",omitempty"` // the same, of all dates; 0 in what earlier builds wrote
	StillAt  time.Time `json:",omitzero"`  // when they were told that last
}

// readAgain is after how long a server is read alone again while the lists do not say that its
// cancellation stands, and nothing else does.
const readAgain = 24 * time.Hour

// Evidence is what one look at a request read. What is missing was not read, and proves nothing.
type Evidence struct {
	Begun time.Time // the database's time before the first read
	Ended time.Time // and after the last one

	Server  *cancellation.Server     // nil if SoftLayer did not show it; of one that a list showed, only the id
	Alone   bool                     // Server was read alone, not in a list
	Absent  bool                     // read alone it was not found, by a key that sees all hardware
	Hidden  bool                     // it was not shown, to a key that does not see all hardware
	Ticket  *cancellation.TicketLife // nil if SoftLayer did not show it
	Staff   int64                    // the last update by staff; 0 if there is none, or they were not read
	Other   int64                    // the last update by somebody else, likewise
	Updates bool                     // all updates were read, or the last one is by staff
	Listed  Listing                  // whether a cancellation request names its billing item
}

// Listing is what SoftLayer's list of cancellation requests says of a billing item.
type Listing int

// The values of a Listing.
const (
	NotAsked  Listing = iota // the list was not read, or not answered
	Names                    // a cancellation request names it
	Without                  // none does
	NotForKey                // the key may not read the list
)

// Verdict is what a look leads to.
type Verdict struct {
	Known    Known
	Again    time.Time             // when to look again before its turn; zero for not
	Ends     cancellation.Sighting // by which the request ends; zero if it stays
	Shows    string                // the end date that SoftLayer shows, if that is new; else ""
	Waits    time.Time             // since when SoftLayer waits for an answer to Known.Asks; zero: it does not
	Retell   bool                  // the request's message says more now: that it may be too late to stop, or what stays billed
	Notes    []cancellation.Event
	Lines    []cancellation.Line
	News     []cancellation.News // to the requester
	Remind   cancellation.Line   // reminds the thread that the server is due to end; zero for not
	RemindAt time.Time
	Still    bool      // people are to be told that the server is there after its date
	StillOf  time.Time // that date
}

// Actor is the follower's name in the history of requests.
const Actor = "follower"

// Judge returns what a look leads to. card is what a card's read showed of the request after the last
// look, and since when; the zero Sighting if none did.
func Judge(f cancellation.Followed, known Known, e Evidence, card cancellation.Sighting, since time.Time) Verdict {
	v := Verdict{Known: known}
	seen := e.seen(f.Request)
	switch {
	case e.Alone:
		v.Known.Read = e.Ended
	case seen == cancellation.Stands:
		v.Known.Read = time.Time{}
	}
	v.judgeEnd(f, e, seen, card, since)
	v.judgeWaits(f, e)
	v.judgeStaff(e)
	v.judgeClarity(f.Request, e, seen)
	if seen == cancellation.Stands {
		v.judgeDate(f.Request, e)
		v.judgeStop(f.Request, e)
	}
	switch {
	case v.Ends.Ends():
		v.Lines = append(v.Lines, cancellation.Line{What: cancellation.LineEnded})
	case !seen.Ends():
		v.judgeReminder(f.Request, e)
		v.judgeStill(f.Request, e)
	}
	v.inform(f.Request)
	return v
}

// judgeEnd ends the request if the same evidence was read before, long enough ago.
func (v *Verdict) judgeEnd(f cancellation.Followed, e Evidence, seen, card cancellation.Sighting, since time.Time) {
	known := &v.Known
	switch {
	case seen == (cancellation.Sighting{}): // nothing is certain; what was seen before stays
		if known.Seen.Ends() || !f.Again.IsZero() {
			v.Again = again(e.Ended)
		}
		return
	case !seen.Ends():
		if known.Seen.Ends() || !f.Again.IsZero() {
			v.Notes = append(v.Notes, seen.Event(Actor))
		}
		known.Seen, known.Since = cancellation.Sighting{}, time.Time{}
		return
	case known.Seen == seen:
	case card == seen:
		known.Seen, known.Since = seen, since
	default:
		known.Seen, known.Since = seen, e.Ended
		v.Notes = append(v.Notes, seen.Event(Actor))
	}
	if e.Begun.Sub(known.Since) < cancellation.SightingGap {
		v.Again = again(known.Since)
		return
	}
	v.Ends = seen
}

// again is when the second read is due, in the store's precision.
func again(since time.Time) time.Time {
	return since.Add(cancellation.SightingGap).Truncate(time.Millisecond)
}

// judgeStaff tells once that staff wrote. A later update by somebody else does not hide theirs.
func (v *Verdict) judgeStaff(e Evidence) {
	known := &v.Known
	if e.Ticket == nil || e.Ticket.Last <= known.Update || !e.Updates {
		return
	}
	if e.Staff > known.Update && !known.Old && !v.asked(e.Staff) {
		v.tell(cancellation.Line{What: cancellation.LineStaff, Update: e.Staff})
	}
	known.Update, known.Old = e.Ticket.Last, false
}

// judgeClarity tells once that the key cannot see what a closed ticket means.
func (v *Verdict) judgeClarity(r cancellation.Request, e Evidence, seen cancellation.Sighting) {
	switch {
	case seen != (cancellation.Sighting{}) || e.Ticket != nil && e.Ticket.Open:
		v.Known.Unclear = false
	case e.unclear(r) && !v.Known.Unclear:
		v.Known.Unclear = true
		v.tell(cancellation.Line{What: cancellation.LineUnclear})
	}
}

// judgeDate takes over the end date that SoftLayer shows, and tells if people were named another day.
func (v *Verdict) judgeDate(r cancellation.Request, e Evidence) {
	shown, scheduled := e.scheduled(r)
	if !scheduled && e.Alone && e.Server.Billing != nil {
		shown = e.Server.Billing.CancellationDate
	}
	at, err := cancellation.ParseMoment(shown)
	if err != nil || shown == r.Shows {
		return
	}
	v.Shows = shown
	named := r.End()
	if named.Date.IsZero() || sameDay(named.Date, at) || !named.Or.IsZero() && sameDay(named.Or, at) {
		return
	}
	v.tell(cancellation.Line{What: cancellation.LineMoved, Update: v.Known.Moves, Was: named.Date.Format(time.RFC3339), Now: shown})
	v.Known.Moves++              // a date that comes again is told again
	v.Known.Warned = time.Time{} // and reminded of again
}

// stopTime is how long SoftLayer has to stop what it was asked to stop, before people are told that the
// cancellation stands. The cut-off ends it earlier.
const stopTime = 3 * 24 * time.Hour

// judgeStop tells once that the cancellation stands although SoftLayer was asked to stop it, and has the
// request's message say that it may be too late.
func (v *Verdict) judgeStop(r cancellation.Request, e Evidence) {
	if r.TooLateToStop(e.Begun) && !v.Known.Late {
		v.Known.Late, v.Retell = true, true
	}
	due := r.StopAsked.Add(stopTime)
	if by := r.StopBy(); by.After(r.StopAsked) && by.Before(due) {
		due = by
	}
	if r.StopAsked.IsZero() || v.Known.Stands || e.Begun.Before(due) {
		return
	}
	shown, scheduled := e.scheduled(r)
	if !scheduled {
		shown = r.End().Date.Format(time.RFC3339)
	}
	v.Known.Stands = true
	v.tell(cancellation.Line{What: cancellation.LineStands, Now: shown})
}

// over reports whether a date that SoftLayer showed has passed.
func over(date string, now time.Time) bool {
	at, err := cancellation.ParseMoment(date)
	return err == nil && !at.After(now)
}

// sameDay takes the last second of a day for the next one: SoftLayer ends billing items then.
func sameDay(a, b time.Time) bool {
	return a.Format(time.DateOnly) == b.Format(time.DateOnly) || a.Sub(b).Abs() <= time.Minute
}

// tell tells a line, and puts it on record.
func (v *Verdict) tell(l cancellation.Line) {
	detail, _ := json.Marshal(l) // strings and a number
	v.Lines = append(v.Lines, l)
	v.Notes = append(v.Notes, cancellation.Event{Kind: cancellation.EventFollowed, Actor: Actor, Detail: string(detail)})
}

// seen returns what the request has become, as far as that is certain.
func (e Evidence) seen(r cancellation.Request) cancellation.Sighting {
	switch {
	case e.Absent:
		return cancellation.ServerGone
	case e.Server == nil:
		return cancellation.Sighting{}
	case !e.Alone:
		return e.shown(r)
	}
	seen, decided := r.SeenOn(*e.Server, e.Begun)
	switch {
	case decided:
		return seen
	case e.Ticket == nil:
		return cancellation.Sighting{}
	case e.Ticket.Open || e.Listed == Names:
		return cancellation.Stands
	case e.Server.Billing.PendingKnown && e.Listed == Without:
		return r.ClosedTicket()
	}
	return cancellation.Sighting{}
}

// shown returns Stands if the lists show that: the server is there, and its ticket is open or its
// cancellation is scheduled for a day to come. They show no end.
func (e Evidence) shown(r cancellation.Request) cancellation.Sighting {
	date, scheduled := e.scheduled(r)
	switch {
	case scheduled && !over(date, e.Begun):
		return cancellation.Stands
	case !scheduled && e.Ticket != nil && e.Ticket.Open && !over(r.Shows, e.Begun):
		return cancellation.Stands
	}
	return cancellation.Sighting{}
}

// scheduled returns the date for which the ticket's cancellation request schedules the end of the
// request's billing item, if it does.
func (e Evidence) scheduled(r cancellation.Request) (date string, ok bool) {
	if billing := r.Submission.Card.Server.Billing; e.Ticket != nil && billing != nil {
		date, ok = e.Ticket.Cancels[billing.ID]
	}
	return date, ok
}

// unclear reports whether the ticket is closed and the key may not see whether the cancellation
// stands. It is false where SoftLayer only did not answer.
func (e Evidence) unclear(r cancellation.Request) bool {
	switch {
	case e.Ticket == nil || e.Ticket.Open:
		return false
	case e.Server == nil:
		return e.Hidden
	case !e.Alone:
		return false
	case e.Server.Billing == nil && over(r.Shows, e.Begun): // it has ended, and the server goes next
		return false
	case e.Server.Billing == nil || r.Submission.Card.Server.Billing == nil:
		return true
	}
	return !e.Server.Billing.PendingKnown || e.Listed == NotForKey
}

// suspect reports whether a server that a list showed, or did not show, is to be read alone.
func (e Evidence) suspect(f cancellation.Followed, known Known) bool {
	switch {
	case e.Server == nil:
		return !e.Hidden
	case known.Seen.Ends() || !f.Again.IsZero():
		return true
	}
	return e.shown(f.Request) == (cancellation.Sighting{}) && e.Begun.Sub(known.Read) >= readAgain
}

// asksList reports whether the list of cancellation requests decides.
func (e Evidence) asksList(r cancellation.Request) bool {
	if !e.Alone || e.Server == nil || e.Ticket == nil || e.Ticket.Open {
		return false
	}
	_, decided := r.SeenOn(*e.Server, e.Begun)
	return !decided && e.Server.Billing.PendingKnown
}
