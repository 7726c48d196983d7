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
		return message(w.staffAnswered(r)...)
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
	return message(w.ended(r)...)
}

// ended says how a filed request ended, on the top lines of its message and in its thread.
func (w Writer) ended(r cancellation.Request) []line {
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

// taken names who sees to a server that is still there.
func taken(l cancellation.Line, r cancellation.Request) line {
	until := "."
	if at, err := time.Parse(time.RFC3339, l.Now); err == nil {
		until = ". No reminder before " + day(at.UTC()) + "."
	}
	return line{person(l.Was, ""), plain(" is on it: " + ServerName(r) + until)}
}
