package words

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"time"

	"cancel-server/internal/billed"
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

// together is news of one server, or of several of a batch that are told together.
type together []cancellation.Item

// togetherOf puts together what is told of the same batch: by kind and, in reminders, by the end date.
func togetherOf(items []cancellation.Item) (all []together) {
	at := map[string]int{}
	for _, item := range items {
		key := togetherKey(item)
		i, known := at[key]
		if !known || key == "" {
			at[key] = len(all)
			all = append(all, together{item})
			continue
		}
		if !slices.ContainsFunc(all[i], func(other cancellation.Item) bool { return other.Request.ID == item.Request.ID }) {
			all[i] = append(all[i], item)
		}
	}
	return all
}

func togetherKey(item cancellation.Item) string {
	r := item.Request
	if r.Batch == "" {
		return ""
	}
	key := r.Batch + " " + string(togetherKind(item.Kind))
	if item.Kind == cancellation.NewsEnds {
		key += " " + day(r.End().Date)
	}
	return key
}

// togetherKind is the kind that several are told as: an answer that is still owed is one that is owed.
func togetherKind(kind cancellation.NewsKind) cancellation.NewsKind {
	if kind == cancellation.NewsStillWaits {
		return cancellation.NewsWaits
	}
	return kind
}

// kind is the kind that these are told as.
func (t together) kind() cancellation.NewsKind {
	if len(t) == 1 {
		return t[0].Kind
	}
	return togetherKind(t[0].Kind)
}

func (t together) rows() (rows []cancellation.Request) {
	for _, item := range t {
		rows = append(rows, item.Request)
	}
	return rows
}

// count is how many of their batch's servers these are.
func (t together) count() string {
	return fmt.Sprintf("%d of %s", len(t), servers(max(len(t), int(t[0].Request.Submission.Count))))
}

// togetherHeads say what became of several servers of a batch.
var togetherHeads = map[cancellation.NewsKind]string{
	cancellation.NewsWaits:        "✋ SoftLayer is waiting for an answer about %s.",
	cancellation.NewsUnanswered:   "✋ SoftLayer has waited long for an answer about %s.",
	cancellation.NewsStuck:        "🚨 %s need a person.",
	cancellation.NewsNotCancelled: "🚨 Not cancelled: %s.",
	cancellation.NewsStopped:      "Stopped: %s stay and are billed as before.",
	cancellation.NewsStill:        "💸 Still there: %s whose end date has passed.",
	cancellation.NewsBilled:       "💸 %s are gone, and something of each may stay billed.",
	cancellation.NewsUnclear:      "⚠️ The tickets of %s are closed.",
	cancellation.NewsMoved:        "📅 SoftLayer now shows another end date for %s.",
	cancellation.NewsStaff:        "💬 SoftLayer's staff answered about %s.",
	cancellation.NewsEnded:        "🏁 Gone: %s.",
	cancellation.NewsStands:       "%s still show as due to end, although a stop was asked for.",
	cancellation.NewsOverdue:      "⏰ %s take too long.",
}

// togetherNext says what that means, and what to do.
var togetherNext = map[cancellation.NewsKind]string{
	cancellation.NewsWaits:        "The cancellations may not go on without it.",
	cancellation.NewsUnanswered:   "Their requester has not replied; anyone who may approve on them can.",
	cancellation.NewsStuck:        "Look in IBM Cloud, Support > Cases for each reference. Then say what you found: bot resolve and the reference. Until then these servers are locked here and nothing is sent.",
	cancellation.NewsNotCancelled: "Their tickets are closed and SoftLayer shows no cancellation. They run and are billed until they are asked for again.",
	cancellation.NewsStopped:      "Their tickets are closed and SoftLayer shows no cancellation.",
	cancellation.NewsStill:        "SoftLayer still lists them or their billing items. Ask in their tickets.",
	cancellation.NewsBilled:       "The bot does not cancel that. Cancel what you no longer need in IBM Cloud, Billing items.",
	cancellation.NewsUnclear:      "This key cannot see whether the cancellations stand: check in IBM Cloud.",
	cancellation.NewsOverdue:      "Their results are late, or nobody can tell yet whether there are tickets. Please do not cancel them by hand meanwhile.",
}

// told says what became of servers that are told together, by direct message to a person or, if to is "",
// in a channel. buttons are the rows of them that stand below it.
func (w Writer) told(to string, t together, buttons int) []line {
	if len(t) == 1 {
		return w.whole(to, t[0])
	}
	rows, kind := t.rows(), t.kind()
	asker := rows[0].Submission.By.ID
	var lines []line
	switch {
	case kind == cancellation.NewsEnds:
		lines = w.endTogether(t)
	case kind == cancellation.NewsWaits && to == asker:
		lines = []line{head("✋ " + t.count() + " need your reply."), sentence("SoftLayer is waiting for an answer in their tickets. " + togetherNext[kind])}
	default:
		lines = []line{head(fmt.Sprintf(togetherHeads[kind], t.count()))}
		if next := togetherNext[kind]; next != "" {
			lines = append(lines, sentence(next))
		}
	}
	lines = slices.Concat(lines, costTogether(kind, rows), namesTogether(kind, t), w.wayTogether(t, buttons))
	if to != asker {
		lines = append(lines, askedTogether(rows))
	}
	return lines
}

// wayTogether says where the tickets of servers are, if people are to go on there and no button of the rows below leads to
// each. That somebody is on it leads nowhere.
func (w Writer) wayTogether(t together, buttons int) []line {
	kind := t.kind()
	each := buttons >= len(t) || buttons > 0 && kind.Awaits()
	if each && kind != cancellation.NewsStill {
		return nil
	}
	return w.way(kind)
}

// askedTogether names who asked for servers of a batch, and all who approved one of them.
func askedTogether(rows []cancellation.Request) line {
	first := rows[0]
	first.Approvals = nil
	for _, r := range rows {
		for _, a := range r.Approvals {
			if !first.ApprovedBy(a.By) {
				first.Approvals = append(first.Approvals, a)
			}
		}
	}
	return askedBy(first)
}

// endTogether reminds people of servers that end on one day.
func (w Writer) endTogether(t together) []line {
	rows := t.rows()
	on := goneOn(rows[0].End())
	if on == nil {
		on = sentence("a bill date that is " + unseen)
	}
	stop := slices.MinFunc(rows, func(a, b cancellation.Request) int {
		first, _ := a.LastCall()
		second, _ := b.LastCall()
		return first.Compare(second)
	})
	until := "in time"
	if by := stop.StopBy(); !by.IsZero() {
		until = "until " + minute(by) + inZone(by)
	}
	return []line{
		append(append(line{bold("⏰ " + t.count() + " are due to end on ")}, on...), plain("; then their drives are wiped.")),
		sentence("To keep some, ask SoftLayer " + until + " to stop, in their tickets. SoftLayer decides."),
	}
}

// costTogether is what servers cost together, where that is what the news is about.
func costTogether(kind cancellation.NewsKind, rows []cancellation.Request) []line {
	cost := monthlyOf(rows)
	switch kind {
	case cancellation.NewsEnded:
		return []line{sentence(capital(cost) + " less, by the prices when it was asked.")}
	case cancellation.NewsStill, cancellation.NewsNotCancelled:
		return []line{sentence(capital(cost) + ".")}
	}
	return nil
}

// namesTogether names servers as far as they fit: with their dates, their references, or what of each stays billed
// where that is what the news is about.
func namesTogether(kind cancellation.NewsKind, t together) (lines []line) {
	switch kind {
	case cancellation.NewsMoved, cancellation.NewsStill, cancellation.NewsStands:
		return byEnd(t.rows())
	case cancellation.NewsStuck, cancellation.NewsOverdue, cancellation.NewsBilled:
		named := t[:min(len(t), maxNamed)]
		for _, item := range named {
			lines = append(lines, sentence("• "+ServerName(item.Request)+": "+aboutOne(kind, item)))
		}
		if more := len(t) - len(named); more > 0 {
			lines = append(lines, sentence(fmt.Sprintf("And %d more.", more)))
		}
		return lines
	}
	return []line{sentence(serverNames(t.rows(), maxNames) + ".")}
}

// aboutOne is what a list says of one server.
func aboutOne(kind cancellation.NewsKind, item cancellation.Item) string {
	if kind != cancellation.NewsBilled {
		return "ref " + item.Request.Ref.Short()
	}
	left := billed.FromDetail(item.Detail)
	if left == nil || left.None() {
		return "not certain"
	}
	return leftTotal(*left)
}

// byEnd names servers by the date on which they end, the first date first.
func byEnd(rows []cancellation.Request) (lines []line) {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b cancellation.Request) int { return latest(a.End()).Compare(latest(b.End())) })
	for len(rows) > 0 {
		end := latest(rows[0].End())
		same := slices.IndexFunc(rows, func(r cancellation.Request) bool { return day(latest(r.End())) != day(end) })
		if same < 0 {
			same = len(rows)
		}
		date := "Date unknown"
		if !end.IsZero() {
			date = day(end)
		}
		lines = append(lines, sentence(date+": "+serverNames(rows[:same], maxNames)+"."))
		rows = rows[same:]
	}
	return lines
}

// Gathered tells once, in a channel, what became of several servers of a batch.
func (w Writer) Gathered(items []cancellation.Item) Message {
	var p page
	for _, t := range togetherOf(items) {
		rows := w.togetherButtons(t)
		p.add(w.told("", t, len(rows))...)
		for _, row := range rows {
			p.press(row)
		}
	}
	p.add(foot(items[0].Request))
	return p.message()
}
