package words

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// Bounds of one letter: Slack takes 50 blocks a message.
const (
	maxButtons   = 8  // items with buttons of their own
	maxSpelled   = 5  // items of a kind that are told whole
	maxNamed     = 30 // servers that are named where a kind has more
	letterBlocks = 50
)

// Escalated tells more people what a request's requester was told, and names those who approved it. at is
// the request's message; zero for none.
func (w Writer) Escalated(n cancellation.News, r cancellation.Request, at cancellation.Posted) Message {
	m := message(append(w.news(cancellation.Item{News: n, Request: r, At: at}), askedBy(r), foot(r))...)
	return withButtons(m, w.newsButtons(n.Kind, r))
}

// Letter is one direct message with news of requests, as they are now.
func (w Writer) Letter(to string, items []cancellation.Item, atOnce bool) Message {
	if atOnce {
		return w.urgent(to, items)
	}
	return w.digest(to, items)
}

// urgent tells each item whole, with its buttons; several of a batch are told together.
func (w Writer) urgent(to string, items []cancellation.Item) Message {
	var p page
	all := togetherOf(items)
	for i, t := range all {
		if i == maxButtons {
			left := slices.Concat(all[i:]...)
			p.add(sentence(fmt.Sprintf("And about %d more: %s.", len(left), namesOf(left))))
			break
		}
		rows := w.togetherButtons(t)
		p.add(w.told(to, t, len(rows))...)
		if said := t[0].Said; said != "" && len(t) == 1 { // in no top-level text, which Slack reads for mentions and shows in notifications
			p.blocks = append(p.blocks, slack.NewSectionBlock(plainText(said), nil, nil))
		}
		p.buttons = max(p.buttons, i)
		for _, row := range rows {
			p.press(row)
		}
	}
	return p.message()
}

// whole is an item with what its reader needs to know of the request, if it is somebody else's.
func (w Writer) whole(to string, item cancellation.Item) []line {
	lines := w.news(item)
	if to == item.Request.Submission.By.ID {
		return lines
	}
	return append(lines, askedBy(item.Request))
}

// digest tells items by kind, the ones that need somebody first. Several of a batch are told together.
func (w Writer) digest(to string, items []cancellation.Item) Message {
	title := head("📬 News of your cancellations")
	if slices.ContainsFunc(items, func(i cancellation.Item) bool { return i.Request.Submission.By.ID != to }) {
		title = head("📬 News of cancellations")
	}
	var p page
	p.add(title)
	entries := togetherOf(items)
	for n, kind := range digestOrder {
		of := slices.DeleteFunc(slices.Clone(entries), func(t together) bool { return t.kind() != kind })
		room := letterBlocks - (len(digestOrder) - n - 1) // each kind that follows needs a block
		if of = w.shorten(&p, kind, of, room); len(p.blocks)+len(of) > room {
			p.add(w.many(kind, slices.Concat(of...))...)
			continue
		}
		for at, t := range of {
			rows := w.togetherButtons(t)
			if len(p.blocks)+len(rows)+len(of)-at > room { // they do not fit
				rows = nil
			}
			p.add(w.told(to, t, len(rows))...)
			for _, row := range rows {
				p.press(row)
			}
		}
	}
	return p.message()
}

// page is a message while it is written.
type page struct {
	lines   []line
	blocks  []slack.Block
	buttons int
}

func (p *page) add(lines ...line) {
	p.lines, p.blocks = append(p.lines, lines...), append(p.blocks, block("", lines...))
}

func (p *page) press(row []slack.BlockElement) {
	p.blocks = append(p.blocks, slack.NewActionBlock(ButtonsBlock+strconv.Itoa(p.buttons), row...))
	p.buttons++
}

func (p *page) message() Message { return Message{Text: fitting(flat(p.lines...)), Blocks: p.blocks} }

// shorten lists many servers of no batch at once, and returns what is left to tell of the kind.
func (w Writer) shorten(p *page, kind cancellation.NewsKind, of []together, room int) []together {
	single := func(t together) bool { return len(t) == 1 }
	several := slices.DeleteFunc(slices.Clone(of), single)
	if len(of)-len(several) <= maxSpelled || len(p.blocks)+1+len(several) > room {
		return of
	}
	alone := slices.DeleteFunc(slices.Clone(of), func(t together) bool { return !single(t) })
	p.add(w.many(kind, slices.Concat(alone...))...)
	return several
}

// digestOrder is the order of kinds in a digest.
var digestOrder = []cancellation.NewsKind{
	cancellation.NewsStuck, cancellation.NewsWaits, cancellation.NewsStillWaits, cancellation.NewsUnanswered, cancellation.NewsNotCancelled, cancellation.NewsEnds, cancellation.NewsStill, cancellation.NewsBilled,
	cancellation.NewsUnclear, cancellation.NewsMoved, cancellation.NewsStaff, cancellation.NewsStopped, cancellation.NewsEnded,
}

// kindHeads begin a list of many items of a kind.
var kindHeads = map[cancellation.NewsKind]string{
	cancellation.NewsWaits:        "✋ SoftLayer is waiting for your answer about %d servers.",
	cancellation.NewsStillWaits:   "✋ Still waiting for your answer about %d servers.",
	cancellation.NewsUnanswered:   "✋ SoftLayer has waited for an answer about %d servers, and their requesters have not replied. Anyone who may approve on them can.",
	cancellation.NewsStuck:        "🚨 %d requests need a person.",
	cancellation.NewsNotCancelled: "🚨 Not cancelled: %d servers. They run and are billed.",
	cancellation.NewsStopped:      "Stopped: %d servers. They stay and are billed as before.",
	cancellation.NewsEnds:         "⏰ %d servers are due to end soon; then their drives are wiped. To keep one, ask SoftLayer to stop in its ticket. SoftLayer decides.",
	cancellation.NewsStill:        "💸 Still there: %d servers whose end date has passed.",
	cancellation.NewsBilled:       "💸 %d servers are gone, and something of each stays billed: see Billing items in IBM Cloud.",
	cancellation.NewsUnclear:      "⚠️ The tickets of %d servers are closed. This key cannot see whether the cancellations stand: check in IBM Cloud.",
	cancellation.NewsMoved:        "📅 SoftLayer now shows another end date for %d servers.",
	cancellation.NewsStaff:        "💬 SoftLayer's staff answered about %d servers.",
	cancellation.NewsEnded:        "🏁 Gone: %d servers.",
}

// many names the servers of many items of one kind, with the date that each is about.
func (w Writer) many(kind cancellation.NewsKind, items []cancellation.Item) []line {
	named := items[:min(len(items), maxNamed)]
	lines := []line{head(fmt.Sprintf(kindHeads[kind], len(items)))}
	switch kind {
	case cancellation.NewsEnds, cancellation.NewsMoved, cancellation.NewsStill:
		for _, item := range named {
			l := line{plain(ServerName(item.Request)), plain(": ")}
			lines = append(lines, append(append(l, untilOf(kind, item)...), plain(".")))
		}
	default:
		lines = append(lines, sentence(namesOf(named)+"."))
	}
	if more := len(items) - len(named); more > 0 {
		lines = append(lines, sentence(fmt.Sprintf("And %d more.", more)))
	}
	return append(lines, w.way(kind)...)
}

// way says how people come to the tickets of servers that are told together, where the kind of news wants that.
func (w Writer) way(kind cancellation.NewsKind) []line {
	switch kind {
	case cancellation.NewsEnds, cancellation.NewsStaff, cancellation.NewsStill, cancellation.NewsNotCancelled, cancellation.NewsUnclear:
	default:
		if !kind.Awaits() {
			return nil
		}
	}
	return []line{sentence(cmp.Or(w.Command, "/cancel-server") + " " + StatusCommand + " NAME leads to the ticket of each.")}
}

// untilOf is the date that an item of a long list is about.
func untilOf(kind cancellation.NewsKind, item cancellation.Item) line {
	end := item.Request.End()
	l := line{plain("unknown")}
	if !end.Date.IsZero() {
		l = line{plain(day(end.Date))}
	}
	if by := item.Request.StopBy(); kind == cancellation.NewsEnds && !by.IsZero() {
		l = append(l, plain(", stop before "+minute(by)+inZone(by)))
	}
	return l
}

func namesOf(items []cancellation.Item) string {
	var names []string
	for _, item := range items[:min(len(items), maxNamed)] {
		names = append(names, ServerName(item.Request))
	}
	if more := len(items) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}

// news is one item, with what stands now.
func (w Writer) news(item cancellation.Item) []line {
	r := item.Request
	switch item.Kind {
	case cancellation.NewsWaits:
		return []line{
			head("✋ SoftLayer is waiting for your answer about " + ServerName(r) + "."),
			{w.ticket(r.Ticket), plain(".")},
			sentence("The cancellation may not go on without it."),
		}
	case cancellation.NewsStillWaits:
		return w.stillWaits(r, cancellation.WaitingSince(item.Detail))
	case cancellation.NewsUnanswered:
		return w.unanswered(r, cancellation.WaitingSince(item.Detail))
	case cancellation.NewsNotCancelled:
		return w.notCancelled(r)
	case cancellation.NewsStuck:
		return w.needsPerson(r, item.At)
	case cancellation.NewsMoved:
		return moved(item.Line(), r)
	case cancellation.NewsEnds:
		return w.ends(r)
	case cancellation.NewsStill:
		return w.still(r)
	case cancellation.NewsBilled:
		return leftBehind(r, item.Detail)
	case cancellation.NewsStaff:
		return w.staffAnswered(r)
	case cancellation.NewsUnclear:
		return w.unclear(r)
	}
	return w.ended(r)
}

func (w Writer) staffAnswered(r cancellation.Request) []line {
	return []line{head("💬 SoftLayer's staff answered about " + ServerName(r) + "."), {w.ticket(r.Ticket), plain(".")}}
}

func (w Writer) unclear(r cancellation.Request) []line {
	return []line{
		{bold("⚠️ "), w.ticket(r.Ticket), bold(" for " + ServerName(r) + " is closed.")},
		sentence("This key cannot see whether the cancellation stands: check in IBM Cloud."),
	}
}

func (w Writer) notCancelled(r cancellation.Request) []line {
	return []line{
		head("🚨 Not cancelled: " + ServerName(r) + "."),
		{w.ticket(r.Ticket), plain(" is closed and SoftLayer shows no cancellation.")},
		sentence("It runs and is billed until it is asked for again."),
	}
}

// ends reminds people of a server that is due to end while SoftLayer may still be asked to stop.
func (w Writer) ends(r cancellation.Request) []line {
	on := goneOn(r.End())
	if on == nil {
		on = sentence("a bill date that is " + unseen)
	}
	stop := "in time"
	if by := r.StopBy(); !by.IsZero() {
		stop = "before " + minute(by) + inZone(by)
	}
	return []line{
		append(append(line{bold("⏰ " + ServerName(r) + " is due to end on ")}, on...), plain("; then "+drives(r)+" wiped.")),
		{plain("To keep it, ask SoftLayer to stop " + stop + ", in "), w.ticketInside(r.Ticket), plain(". SoftLayer decides.")},
	}
}

// drives says what is wiped.
func drives(r cancellation.Request) string {
	if b := r.Submission.Card.Server.Billing; b != nil && b.Drives > 1 {
		return "its " + strconv.Itoa(b.Drives) + " drives are"
	}
	return "its drives are"
}

// ticketInside is ticket within a sentence.
func (w Writer) ticketInside(t cancellation.TicketID) run {
	if url := w.ticketURL(t); url != "" {
		return labelled(url, ticketName(t))
	}
	return plain(ticketName(t))
}

// still says that a server is there after the date on which it was due to end.
func (w Writer) still(r cancellation.Request) []line {
	lines := []line{head("💸 Still there: " + ServerName(r) + ".")}
	if end := r.End(); !end.Date.IsZero() {
		lines[0] = head("💸 Still there: " + ServerName(r) + " was due to end on " + day(latest(end)) + ", and SoftLayer still lists it or its billing item.")
	}
	ask := line{plain("Ask in "), w.ticketInside(r.Ticket), plain(".")}
	if month := aMonth(r.Submission.Card.Server); month != "" {
		ask = append(ask, plain(" About "+month+" a month."))
	}
	return append(lines, ask)
}

// latest is the later of the dates on which a server may end.
func latest(e cancellation.End) time.Time {
	if e.Or.After(e.Date) {
		return e.Or
	}
	return e.Date
}

// newsButtons are the buttons of an item.
func (w Writer) newsButtons(kind cancellation.NewsKind, r cancellation.Request) []slack.BlockElement {
	switch kind {
	case cancellation.NewsWaits, cancellation.NewsStillWaits, cancellation.NewsUnanswered:
		return []slack.BlockElement{button(r, AnswerAction, "Read and reply", slack.StyleDefault)}
	case cancellation.NewsStaff:
		return []slack.BlockElement{button(r, AnswerAction, "Read the answer", slack.StyleDefault)}
	case cancellation.NewsEnds:
		return w.TicketButtons(r, StopAction)
	case cancellation.NewsStill:
		if r.State == cancellation.Filed {
			return append(w.TicketButtons(r, ReplyAction), button(r, TakenAction, "I am on it", slack.StyleDefault))
		}
	case cancellation.NewsNotCancelled:
		row := []slack.BlockElement{button(r, AnswerAction, "Read the answer", slack.StyleDefault)}
		if CanAskAgain(r) {
			row = append(row, button(r, AgainAction, "Ask again", slack.StyleDefault))
		}
		return row
	}
	return nil
}
