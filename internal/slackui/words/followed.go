package words

import (
	"math"
	"math/big"
	"time"

	"cancel-server/internal/cancellation"
)

// Said is a line in the thread of a filed request. It holds no word of SoftLayer's staff: other
// companies may read the channel.
func (w Writer) Said(l cancellation.Line, r cancellation.Request) Message {
	switch l.What {
	case cancellation.LineStaff:
		return w.offering(r, "Read the answer", w.staffAnswered(r)...)
	case cancellation.LineWaits:
		return w.waits(r)
	case cancellation.LineStands:
		return message(head(ServerName(r)+" still shows as due to end on "+calendar(l.Now)+", although a stop was asked for."), line{w.ticket(r.Ticket), plain(".")})
	case cancellation.LineMoved:
		return message(moved(l, r)...)
	case cancellation.LineUnclear:
		return message(w.unclear(r)...)
	case cancellation.LineEnds:
		return withButtons(message(w.ends(r)...), w.newsButtons(cancellation.NewsEnds, r))
	case cancellation.LineTaken:
		return message(taken(l, r))
	case cancellation.LineStill:
		return withButtons(message(w.still(r)...), w.newsButtons(cancellation.NewsStill, r))
	}
	if r.State == cancellation.Reverted && r.StopAsked.IsZero() {
		return withButtons(message(w.ended(r)...), w.newsButtons(cancellation.NewsNotCancelled, r))
	}
	return message(w.ended(r)...)
}

// ended says how a filed request ended, on the top lines of its message and in its thread.
func (w Writer) ended(r cancellation.Request) []line {
	if r.State == cancellation.Reverted && !r.StopAsked.IsZero() {
		return []line{
			head("Stopped: " + ServerName(r) + " stays and is billed as before."),
			{w.ticket(r.Ticket), plain(" is closed and SoftLayer shows no cancellation.")},
			sentence("SoftLayer was asked to stop on " + instant(r.StopAsked) + "."),
			askedBy(r),
		}
	}
	if r.State == cancellation.Reverted {
		return append(w.notCancelled(r), askedBy(r))
	}
	seen := " (seen " + day(r.Since.UTC()) + ")." // on the day when it ended
	how := "SoftLayer no longer lists it" + seen
	if code := r.Why.Code; code == cancellation.WhyItemEnded || code == cancellation.WhyItemReplaced {
		how = "Its billing has ended" + seen
	}
	lines := []line{head("🏁 Gone: " + ServerName(r) + "."), sentence(how)}
	if month := aMonth(r.Submission.Card.Server); month != "" {
		lines = append(lines, sentence(month+" a month less, by the price when it was asked."))
	}
	return lines
}

// moved says that SoftLayer shows another end date, and about what that costs.
func moved(l cancellation.Line, r cancellation.Request) []line {
	was, wasErr := cancellation.ParseMoment(l.Was)
	now, nowErr := cancellation.ParseMoment(l.Now)
	if wasErr != nil || nowErr != nil {
		return []line{head("📅 SoftLayer shows another end of " + ServerName(r) + ".")}
	}
	lines := []line{head("📅 SoftLayer now shows " + day(now) + " as the end of " + ServerName(r) + ", not " + day(was) + ".")}
	if !now.After(was) {
		return lines
	}
	until := "It is billed until then."
	const month = 365.25 / 12 * 24 // hours
	if more := manyMonths(r.Submission.Card.Server, int64(math.Round(now.Sub(was).Hours()/month))); more != "" {
		until = "It is billed until then: about " + more + " more."
	}
	return append(lines, sentence(until))
}

// manyMonths is what some months of a server cost; "" where the key may not see it, and for none.
func manyMonths(s cancellation.Server, months int64) string {
	amount, ok := new(big.Rat).SetString(s.MonthlyFee())
	if !ok || months <= 0 {
		return ""
	}
	total := amount.Mul(amount, new(big.Rat).SetInt64(months))
	return money(total.FloatString(2))
}

// goneOn is the date on which a server goes, behind "due to end on" or "until": with what that
// depends on before it is filed, and both dates where nobody can tell. It is empty where
// the bill date is not visible.
func goneOn(e cancellation.End) line {
	switch {
	case e.Date.IsZero():
		return nil
	case !e.Cutoff.IsZero():
		return line{
			bold(day(e.Date)), plain(inZone(e.Date) + " if filed by "), bold(minute(e.Cutoff)), plain(inZone(e.Cutoff) + ", else on "), bold(day(e.Or)),
		}
	case !e.Or.IsZero():
		return line{bold(day(e.Date)), plain(" or "), bold(day(e.Or)), plain(inZone(e.Or) + ", depending on SoftLayer's cut-off")}
	}
	return line{bold(day(e.Date)), plain(inZone(e.Date))}
}

// goneLine is goneOn as a sentence; nothing where no date is known.
func goneLine(e cancellation.End) []line {
	if e.Date.IsZero() {
		return nil
	}
	return []line{append(append(line{plain("The server is due to end on ")}, goneOn(e)...), plain("."))}
}

// day is a date in SoftLayer's own offset, whatever the reader's offset is.
func day(at time.Time) string { return at.Format("Mon 2 Jan 2006") }

// minute is a moment of SoftLayer's: a cut-off at 00:00 is over when its day begins.
func minute(at time.Time) string { return at.Format("Mon 2 Jan 2006, 15:04") }

func inZone(at time.Time) string { return " (" + zoneOf(at) + ")" }

// zoneOf names the offset of a date as SoftLayer gave it. SoftLayer gives Dallas time, five or
// six hours behind UTC.
func zoneOf(at time.Time) string {
	switch _, offset := at.Zone(); offset {
	case -5 * 3600, -6 * 3600:
		return "US Central"
	case 0:
		return "UTC"
	}
	return at.Format("UTC-07:00")
}

// taken names who sees to a server that is still there.
func taken(l cancellation.Line, r cancellation.Request) line {
	until := "."
	if at, err := time.Parse(time.RFC3339, l.Now); err == nil {
		until = ". No reminder before " + day(at.UTC()) + "."
	}
	return line{person(l.Was, ""), plain(" is on it: " + ServerName(r) + until)}
}
