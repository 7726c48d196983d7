package following_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/following"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	december = "2026-12-01T00:00:00-06:00"
	january  = "2027-01-01T00:00:00-06:00"
)

// asked is a filed request for a server that ends in December.
func asked(server int64) cancellation.Request {
	r := cancellation.Request{PostsAllowed: 2, State: cancellation.Filed, Ticket: cancellation.TicketID{ID: 1000 + server}, SentAt: noon, CreatedAt: noon}
	r.Submission.Card = cancellation.Card{Cutoff: "2026-11-28T00:00:00-06:00", Server: cancellation.Server{
		ID: server, Billing: &cancellation.Billing{ID: server * 10, PendingKnown: true, NextBillDate: december},
	}}
	return r
}

// reads are what one look reads.
type reads = func(e *following.Evidence)

// normally is a server read alone that a cancellation ends in December, with an open ticket.
func normally() following.Evidence {
	return following.Evidence{
		Server: &cancellation.Server{ID: 7, Billing: &cancellation.Billing{ID: 70, PendingKnown: true, PendingCancellation: true, CancellationDate: december}},
		Alone:  true, Listed: following.Names, Ticket: &cancellation.TicketLife{ID: 1007, Open: true, Last: 1}, Updates: true,
	}
}

func stands(*following.Evidence) {}

func nothing(e *following.Evidence) { *e = following.Evidence{} }

func gone(e *following.Evidence) { *e = following.Evidence{Absent: true} }

func ends(date string) reads {
	return func(e *following.Evidence) { e.Server.Billing.CancellationDate = date }
}

// closed is a closed ticket, and no cancellation.
func closed(e *following.Evidence) {
	e.Server.Billing.PendingCancellation, e.Server.Billing.CancellationDate = false, ""
	e.Ticket.Open, e.Listed = false, following.Without
}

func both(changes ...reads) reads {
	return func(e *following.Evidence) {
		for _, change := range changes {
			change(e)
		}
	}
}

func staff(update int64) reads {
	return func(e *following.Evidence) { e.Ticket.Last, e.Staff = update, update }
}

// scheduled is what the ticket's cancellation request says of the billing item.
func scheduled(date string) reads {
	return func(e *following.Evidence) { e.Ticket.Cancels = map[int64]string{70: date} }
}

// look is one look, minutes after the first.
type look struct {
	at   int
	read reads
}

func TestJudge(t *testing.T) {
	t.Parallel()
	inList := func(e *following.Evidence) { e.Alone = false }
	listed := func(l following.Listing) reads { return func(e *following.Evidence) { e.Listed = l } }
	withoutTicket := func(e *following.Evidence) { e.Ticket = nil }
	withoutItem := func(e *following.Evidence) { e.Server.Billing = nil }
	pendingUnread := func(e *following.Evidence) { e.Server.Billing.PendingKnown = false }
	for sentence, c := range map[string]struct {
		looks []look
		end   cancellation.State // "": it stays filed
		lines []cancellation.LineKind
	}{
		"nothing happens":                       {looks: []look{{0, stands}, {60, stands}}},
		"a server is gone, as read twice":       {[]look{{0, gone}, {60, gone}}, cancellation.Reclaimed, []cancellation.LineKind{"ended"}},
		"one 404 is no end":                     {looks: []look{{0, gone}, {60, stands}, {120, stands}}},
		"404, there, 404 is no end":             {looks: []look{{0, gone}, {60, stands}, {120, gone}}},
		"two 404s within fifteen minutes":       {looks: []look{{0, gone}, {14, gone}}},
		"a third after them":                    {[]look{{0, gone}, {14, gone}, {15, gone}}, cancellation.Reclaimed, []cancellation.LineKind{"ended"}},
		"404, and nothing is answered":          {looks: []look{{0, gone}, {60, nothing}, {120, nothing}}},
		"404, a month's outage, 404":            {[]look{{0, gone}, {60, nothing}, {43_200, gone}}, cancellation.Reclaimed, []cancellation.LineKind{"ended"}},
		"a month's outage":                      {looks: []look{{0, nothing}, {43_200, nothing}}},
		"a server that a list lacks":            {looks: []look{{0, func(e *following.Evidence) { e.Server = nil }}, {60, func(e *following.Evidence) { e.Server = nil }}}},
		"its billing item ends":                 {[]look{{0, ends("2026-11-01T00:00:00-06:00")}, {60, ends("2026-11-01T00:00:00-06:00")}}, cancellation.Reclaimed, []cancellation.LineKind{"ended"}},
		"that is only what a list shows":        {looks: []look{{0, both(ends("2026-11-01T00:00:00-06:00"), inList)}, {60, both(ends("2026-11-01T00:00:00-06:00"), inList)}}},
		"two reads that differ":                 {looks: []look{{0, gone}, {60, ends("2026-11-01T00:00:00-06:00")}}},
		"another billing item":                  {[]look{{0, func(e *following.Evidence) { e.Server.Billing.ID++ }}, {60, func(e *following.Evidence) { e.Server.Billing.ID++ }}}, cancellation.Reclaimed, []cancellation.LineKind{"ended"}},
		"the ticket is closed, no cancellation": {[]look{{0, closed}, {60, closed}}, cancellation.Reverted, []cancellation.LineKind{"ended"}},
		"closed and reopened":                   {looks: []look{{0, closed}, {60, both(closed, func(e *following.Evidence) { e.Ticket.Open = true })}, {120, closed}}},
		"closed, and the cancellation stands":   {looks: []look{{0, func(e *following.Evidence) { e.Ticket.Open = false }}, {60, func(e *following.Evidence) { e.Ticket.Open = false }}}},
		"closed, but a request names it":        {looks: []look{{0, both(closed, listed(following.Names))}, {60, both(closed, listed(following.Names))}}},
		"closed, and the list is not answered":  {looks: []look{{0, both(closed, listed(following.NotAsked))}, {60, both(closed, listed(following.NotAsked))}}},
		"closed, and the key may not read it":   {[]look{{0, both(closed, listed(following.NotForKey))}, {60, both(closed, listed(following.NotForKey))}}, "", []cancellation.LineKind{"unclear"}},
		"closed, and billing is hidden":         {[]look{{0, both(closed, withoutItem)}, {60, both(closed, withoutItem)}}, "", []cancellation.LineKind{"unclear"}},
		"closed, and the flag is hidden":        {[]look{{0, both(closed, pendingUnread)}, {60, both(closed, pendingUnread)}}, "", []cancellation.LineKind{"unclear"}},
		"the server is hidden and closed":       {[]look{{0, both(closed, func(e *following.Evidence) { e.Server, e.Hidden = nil, true })}}, "", []cancellation.LineKind{"unclear"}},
		"no billing item once its date is over": {looks: []look{{0, stands}, {14_400, both(closed, withoutItem)}, {14_460, both(closed, withoutItem)}}},
		"closed, and the lists show it stands":  {looks: []look{{0, both(closed, inList, scheduled(december))}, {60, both(closed, inList, scheduled(december))}}},
		"the lists show that it moves":          {looks: []look{{0, both(inList, scheduled(december))}, {60, both(inList, scheduled(january))}}, lines: []cancellation.LineKind{"moved"}},
		"its item ends a second before":         {looks: []look{{0, both(inList, scheduled(december))}, {60, ends("2026-11-30T23:59:59-06:00")}}},
		"the ticket is hidden":                  {looks: []look{{0, both(closed, withoutTicket)}, {60, both(closed, withoutTicket)}}},
		"a right was lost between two reads":    {[]look{{0, closed}, {60, both(closed, pendingUnread)}}, "", []cancellation.LineKind{"unclear"}},
		"the date moves":                        {looks: []look{{0, stands}, {60, ends(january)}, {120, ends(january)}}, lines: []cancellation.LineKind{"moved"}},
		"it was never the computed one":         {looks: []look{{0, ends(january)}, {60, ends(january)}}, lines: []cancellation.LineKind{"moved"}},
		"the same day at another hour":          {looks: []look{{0, stands}, {60, ends("2026-12-01T23:00:00-06:00")}}},
		"staff answer":                          {looks: []look{{0, stands}, {60, staff(2)}, {120, staff(2)}}, lines: []cancellation.LineKind{"staff"}},
		"staff answer twice":                    {looks: []look{{0, staff(2)}, {60, staff(3)}}, lines: []cancellation.LineKind{"staff", "staff"}},
		"somebody else writes":                  {looks: []look{{0, stands}, {60, func(e *following.Evidence) { e.Ticket.Last = 2 }}}},
		"somebody else writes after staff":      {looks: []look{{0, stands}, {60, both(staff(2), func(e *following.Evidence) { e.Ticket.Last = 3 })}}, lines: []cancellation.LineKind{"staff"}},
		"who wrote is not answered at first":    {looks: []look{{0, both(staff(2), func(e *following.Evidence) { e.Updates = false })}, {60, staff(2)}}, lines: []cancellation.LineKind{"staff"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			f, lines := cancellation.Followed{Request: asked(7)}, []cancellation.LineKind(nil)
			var known following.Known
			end := cancellation.State("")
			for _, l := range c.looks {
				e := normally()
				l.read(&e)
				e.Begun = noon.Add(time.Duration(l.at) * time.Minute)
				e.Ended = e.Begun
				v := following.Judge(f, known, e, cancellation.Sighting{}, time.Time{})
				known, f.LookedAt, f.Again, end = v.Known, e.Ended, v.Again, v.Ends.Seen
				if v.Shows != "" {
					f.Request.Shows = v.Shows
				}
				for _, line := range v.Lines {
					lines = append(lines, line.What)
				}
			}
			assert.Equal(t, c.end, end)
			assert.Equal(t, c.lines, lines)
		})
	}
}

func TestCardIsAtMostTheFirstRead(t *testing.T) {
	t.Parallel()
	f, e := cancellation.Followed{Request: asked(7), Again: noon}, following.Evidence{Absent: true, Begun: noon, Ended: noon}
	judge := func(card cancellation.Sighting, before time.Duration) cancellation.State {
		return following.Judge(f, following.Known{}, e, card, noon.Add(-before)).Ends.Seen
	}
	assert.Equal(t, cancellation.Reclaimed, judge(cancellation.ServerGone, 15*time.Minute))
	assert.Empty(t, judge(cancellation.ServerGone, 14*time.Minute), "too soon")
	assert.Empty(t, judge(f.Request.ClosedTicket(), time.Hour), "other evidence")
	assert.Empty(t, judge(cancellation.Sighting{}, time.Hour))
}

func TestEverySightingIsOnRecord(t *testing.T) {
	t.Parallel()
	f, e := cancellation.Followed{Request: asked(7)}, following.Evidence{Absent: true, Begun: noon, Ended: noon}
	first := following.Judge(f, following.Known{}, e, cancellation.Sighting{}, time.Time{})
	assert.Equal(t, []cancellation.Event{cancellation.ServerGone.Event(following.Actor)}, first.Notes)
	assert.Equal(t, noon.Add(15*time.Minute), first.Again)

	e = normally()
	e.Begun, e.Ended = noon.Add(time.Hour), noon.Add(time.Hour)
	f.Again = first.Again
	assert.Equal(t, []cancellation.Event{cancellation.Stands.Event(following.Actor)}, following.Judge(f, first.Known, e, cancellation.Sighting{}, time.Time{}).Notes, "and that it stands after all")
}

func TestWhatStaffWroteBeforeFollowingIsNotTold(t *testing.T) {
	t.Parallel()
	e := normally()
	staff(5)(&e)
	v := following.Judge(cancellation.Followed{Request: asked(7)}, following.Known{Old: true}, e, cancellation.Sighting{}, time.Time{})
	assert.Empty(t, v.Lines)
	staff(6)(&e)
	v = following.Judge(cancellation.Followed{Request: asked(7)}, v.Known, e, cancellation.Sighting{}, time.Time{})
	assert.Equal(t, []cancellation.Line{{What: cancellation.LineStaff, Update: 6}}, v.Lines)
}

func TestAStopThatChangedNothingIsToldOnce(t *testing.T) {
	t.Parallel()
	days := func(n int) time.Time { return noon.Add(time.Duration(n) * 24 * time.Hour) }
	for name, c := range map[string]struct {
		asked, now time.Time
		known      following.Known
		told       bool
	}{
		"no stop was asked for":              {time.Time{}, days(5), following.Known{}, false},
		"three days are not over":            {days(0), days(3).Add(-time.Minute), following.Known{}, false},
		"three days are over":                {days(0), days(3), following.Known{}, true},
		"it was told":                        {days(0), days(4), following.Known{Stands: true}, false},
		"the cut-off comes before that":      {days(4), days(6), following.Known{}, true},
		"it was asked for after the cut-off": {days(6), days(8), following.Known{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, e := asked(7), normally()
			r.StopAsked, e.Begun, e.Ended = c.asked, c.now, c.now
			c.known.Update = 1
			v := following.Judge(cancellation.Followed{Request: r}, c.known, e, cancellation.Sighting{}, time.Time{})
			want := []cancellation.Line(nil)
			if c.told {
				want = []cancellation.Line{{What: cancellation.LineStands, Now: december}}
			}
			assert.Equal(t, want, lines(v, cancellation.LineStands))
			assert.Equal(t, c.now.After(days(5)), v.Retell, "after the cut-off the message says so")
			again := following.Judge(cancellation.Followed{Request: r}, v.Known, e, cancellation.Sighting{}, time.Time{})
			assert.Empty(t, lines(again, cancellation.LineStands), "once")
			assert.False(t, again.Retell, "once")
		})
	}
}

// lines are the lines of a kind that a verdict tells.
func lines(v following.Verdict, what cancellation.LineKind) (told []cancellation.Line) {
	for _, l := range v.Lines {
		if l.What == what {
			told = append(told, l)
		}
	}
	return told
}
