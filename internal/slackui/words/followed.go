package words

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
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

// WrittenAll is the message in a batch's thread about the replies that one form made. It holds no word of them.
func (w Writer) WrittenAll(form []correspondence.Update, rows []cancellation.Request) Message {
	by := person(form[0].By.ID, form[0].By.Name)
	counts := map[string]int{}
	for _, u := range form {
		counts[progressOf(u)]++
	}
	var parts []string
	for _, state := range []string{"sent", "on the way", "not known yet", "proposed", "not sent"} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	lines := []line{{plain("Replies to SoftLayer about " + servers(len(form)) + " by "), by, plain(": " + strings.Join(parts, " · ") + ".")}}
	lines = append(lines, sentence(serverNames(written(form, rows), partSaid)+"."))
	if counts["proposed"] > 0 {
		lines = append(lines, sentence("People who may approve are asked to send what was proposed. Nothing of it was sent yet."))
	}
	if counts["not known yet"] > 0 {
		lines = append(lines, sentence("We cannot tell yet whether some reached their tickets. They are not sent twice; this message will change."))
	}
	return message(append(lines, unsent(form, rows)...)...)
}

// progressOf is how far a reply has come.
func progressOf(u correspondence.Update) string {
	switch u.State {
	case correspondence.Sent:
		return "sent"
	case correspondence.Unknown:
		return "not known yet"
	case correspondence.Proposing, correspondence.Proposed:
		return "proposed"
	case correspondence.NotSent, correspondence.Refused:
		return "not sent"
	}
	return "on the way"
}

// unsent names the servers whose tickets do not get a reply, and why.
func unsent(form []correspondence.Update, rows []cancellation.Request) (lines []line) {
	for _, u := range form {
		at := slices.IndexFunc(rows, func(r cancellation.Request) bool { return r.ID == u.RequestID })
		if at < 0 || progressOf(u) != "not sent" {
			continue
		}
		if len(lines) == mostWhys {
			return append(lines, sentence("And more. The status of each server says it."))
		}
		why, next := unsentWhy(u, rows[at])
		lines = append(lines, sentence(Cut(strings.TrimSpace("Not sent: "+ServerName(rows[at])+". "+why+" "+next), 300)))
	}
	return lines
}

// ProposalForAll is the direct message that asks somebody who may approve to send one reply to several tickets.
func (w Writer) ProposalForAll(form []correspondence.Update, rows []cancellation.Request) Message {
	first := form[0]
	m := message(
		line{person(first.By.ID, first.By.Name), plain(" asks you to reply to SoftLayer about " + servers(len(form)) + ".")},
		sentence(serverNames(written(form, rows), maxNames)+". Nothing was sent yet. You can change the text, and choose the servers, before you send it."),
	)
	m.Blocks = append(m.Blocks, block("text", sentence("“"+inert(first.Text, 3000)+"”")))
	return withButtons(m, w.AnswerAll(rows[0].Batch, len(form)))
}

// written are the requests that texts are for.
func written(form []correspondence.Update, rows []cancellation.Request) []cancellation.Request {
	return slices.DeleteFunc(slices.Clone(rows), func(r cancellation.Request) bool {
		return !slices.ContainsFunc(form, func(u correspondence.Update) bool { return u.RequestID == r.ID })
	})
}
