package cancellation

import (
	"context"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the days are the same on a machine that knows no time zones
)

// End is the bill date on which a server ends, as far as that is known. Its times are in Dallas's
// zone if SoftLayer gave them with one of Dallas's offsets.
type End struct {
	Date   time.Time // zero if the bill date is not visible: then nothing is known
	Cutoff time.Time // if not sent yet: Date is true for what is sent by then; zero if that does not decide it
	Or     time.Time // the other date that it may be; zero if Date is certain
}

// EndOf returns when a server ends whose cancellation was sent at a time; zero means not sent yet.
// The bill date and the cut-off are as SoftLayer gave them with the server's card. Every date that
// people read comes from here.
//
// If the cut-off is unread, or belongs neither to this bill date nor to the following one, either
// date is possible. SoftLayer answers with the next cut-off once one has passed:
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate/
func EndOf(billDate, cutoff string, sent time.Time) End {
	bill, err := ParseMoment(billDate)
	if err != nil {
		return End{}
	}
	limit, cycle, known := cutoffOf(bill, cutoff)
	switch {
	case known && sent.IsZero():
		return End{Date: monthsAfter(bill, cycle), Cutoff: limit, Or: monthsAfter(bill, cycle+1)}
	case known && !sent.After(limit):
		return End{Date: monthsAfter(bill, cycle)}
	case known:
		return afterCutoff(bill, cycle+1, sent)
	}
	cycle = firstSince(bill, 0, sent)
	return End{Date: monthsAfter(bill, cycle), Or: monthsAfter(bill, cycle+1)}
}

// cutoffDays is how many days before its bill date a cut-off can be. SoftLayer says two or three; a
// cut-off further away belongs to another bill date.
const cutoffDays = 7

// cutoffOf reads a cut-off. cycle is how many months after the given bill date its own is: 0 or 1.
// known is false if the cut-off is unread, or belongs to neither date.
func cutoffOf(bill time.Time, cutoff string) (limit time.Time, cycle int, known bool) {
	limit, err := ParseMoment(cutoff)
	if err != nil {
		return limit, 0, false
	}
	for cycle := range 2 {
		if on := monthsAfter(bill, cycle); !limit.After(on) && !limit.Before(on.AddDate(0, 0, -cutoffDays)) {
			return limit, cycle, true
		}
	}
	return limit, 0, false
}

// afterCutoff returns the end of a cancellation that was sent after the cut-off of the previous
// bill date. If it was sent shortly before a bill date whose own cut-off is unknown, the end may
// also be the bill date after that.
func afterCutoff(bill time.Time, cycle int, sent time.Time) End {
	cycle = firstSince(bill, cycle, sent)
	end := End{Date: monthsAfter(bill, cycle)}
	if !sent.Before(end.Date.AddDate(0, 0, -cutoffDays)) {
		end.Or = monthsAfter(bill, cycle+1)
	}
	return end
}

// firstSince returns the first bill date that is not over, in months after the given one.
func firstSince(bill time.Time, cycle int, at time.Time) int {
	for at.After(monthsAfter(bill, cycle)) {
		cycle++
	}
	return cycle
}

// monthsAfter returns the bill date so many months later, or the last day of that month if it has
// no such day.
func monthsAfter(bill time.Time, months int) time.Time {
	later := bill.AddDate(0, months, 0)
	if later.Day() != bill.Day() {
		later = later.AddDate(0, 0, -later.Day())
	}
	return later
}

// dallas is where SoftLayer's days begin and end. It writes every moment with -06:00,
// in summer too: the bill date 2022-05-03T23:00:00-06:00 is 4 May, as
// 2016-02-04T00:00:00-06:00 is 4 February.
// https://github.com/softlayer/softlayer-cli/blob/master/plugin/testfixtures/SoftLayer_Account/getAllTopLevelBillingItems.json
var dallas = mustLoad("America/Chicago")

func mustLoad(name string) *time.Location {
	location, err := time.LoadLocation(name)
	if err != nil {
		panic("loading a time zone that is built in: " + err.Error())
	}
	return location
}

// ParseMoment reads a moment as SoftLayer writes it, in RFC 3339, and returns it in
// Dallas's time if its offset is one of Dallas's.
func ParseMoment(date string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return time.Time{}, err
	}
	if _, offset := at.Zone(); offset == -5*3600 || offset == -6*3600 {
		return at.In(dallas), nil
	}
	return at, nil
}

// End returns when the server ends if its cancellation is requested with this card.
func (c Card) End() End {
	bill := c.billDate()
	end := EndOf(bill, c.Cutoff, time.Time{})
	if !end.Cutoff.IsZero() && c.ReadAt.After(end.Cutoff) { // it has passed already
		return EndOf(bill, c.Cutoff, c.ReadAt)
	}
	return end
}

// Ends returns when servers end whose cancellation is requested now, by their next bill dates as SoftLayer writes them.
// Those whose date cannot be read are missing.
func (d *Desk) Ends(ctx context.Context, billDates map[int64]string) (map[int64]time.Time, error) {
	now, err := d.Clock.Now(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the database's time: %w", err)
	}
	cutoff, ends := d.cutoff(ctx), map[int64]time.Time{}
	for server, date := range billDates {
		card := Card{Server: Server{Billing: &Billing{NextBillDate: date}}, Cutoff: cutoff, ReadAt: now}
		if end := card.End().Date; !end.IsZero() {
			ends[server] = end
		}
	}
	return ends, nil
}

func (c Card) billDate() string {
	if c.Server.Billing == nil {
		return ""
	}
	return c.Server.Billing.NextBillDate
}

// End returns when the server ends: on the date that SoftLayer's cancellation shows, once that was
// read. Before that it depends on when the request was sent; if that is unknown, either date is
// possible.
func (r Request) End() End {
	card := r.Submission.Card
	shown, err := ParseMoment(r.Shows)
	switch {
	case err == nil:
		return End{Date: shown}
	case !r.State.filed():
		return card.End()
	case r.SentAt.IsZero():
		return EndOf(card.billDate(), "", r.CreatedAt)
	}
	return EndOf(card.billDate(), card.Cutoff, r.SentAt)
}

// MonthsLate returns how many bill dates a request's server ends after the one that came next when its
// card was read: a cut-off was missed. It is 0 if either date is unknown.
func (r Request) MonthsLate() int {
	bill, err := ParseMoment(r.Submission.Card.billDate())
	end := r.End()
	if err != nil || end.Date.IsZero() || !end.Or.IsZero() {
		return 0
	}
	const most, earlier = 120, time.Minute // SoftLayer may end a billing item a second before its date
	months := 0
	for months < most && !end.Date.Add(earlier).Before(monthsAfter(bill, months+1)) {
		months++
	}
	return months
}

// StopBy returns until when SoftLayer can be asked to stop a filed request. It is zero if the
// cut-off of the date on which the server ends is unknown.
func (r Request) StopBy() time.Time {
	planned, end := r.Submission.Card.End(), r.End()
	if !end.Or.IsZero() || !end.Date.Equal(planned.Date) {
		return time.Time{}
	}
	return planned.Cutoff
}

// TooLateToStop reports whether [Request.LastCall] has passed.
func (r Request) TooLateToStop(now time.Time) bool {
	by, _ := r.LastCall()
	return !by.IsZero() && now.After(by)
}

// LastCall returns until when SoftLayer may still be asked to stop a filed request: its cut-off or, if
// that is unknown, the date on which the server may end. It is zero if neither is known.
func (r Request) LastCall() (at time.Time, cutoff bool) {
	if by := r.StopBy(); !by.IsZero() {
		return by, true
	}
	return r.End().Date, false
}

// filed reports whether the request's own ticket was made.
func (s State) filed() bool { return s == Filed || s == Reverted || s == Reclaimed }

// filedWith returns the request with its own ticket, which was read or named. If a POST other
// than the last one that the store knows of may have made the ticket, SentAt becomes the ticket's
// creation time, or zero if that could not be read.
func (r Request) filedWith(t Ticket) Request {
	if r.Posts != 1 || r.Recheck != NoRecheck {
		r.SentAt = t.CreatedAt
	}
	r.Ticket = t.TicketID
	return r
}

// EndsDetail is the detail of a [NewsEnds] about the moment of a LineEnds.
func (l Line) EndsDetail() string {
	if l.Update == 0 {
		return l.Now
	}
	return fmt.Sprintf("%s %d", l.Now, l.Update)
}

// EndsAt is until when SoftLayer may be asked to stop, in RFC 3339, by a [NewsEnds].
func (n News) EndsAt() string {
	at, _, _ := strings.Cut(n.Detail, " ")
	return at
}
