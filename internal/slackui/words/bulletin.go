package words

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
)

// maxShown bounds one name in a bulletin, which has many.
const maxShown = 150

// mostGroups is how many data centers, and how many tags, a monthly report names.
const mostGroups = 5

// Bulletin is a post in the report channel: the report of a month, unless that is nil, and cancellations
// that this bot did not ask for, the first of count.
func (w Writer) Bulletin(month *report.Report, elsewhere []reconcile.Cancellation, count int) Message {
	var lines []line
	var blocks []slack.Block
	if month != nil {
		part := monthLines(month)
		lines, blocks = append(lines, part...), append(blocks, block("", part...))
	}
	if count > 0 {
		part := w.elsewhereLines(elsewhere, count)
		lines, blocks = append(lines, part...), append(blocks, block("", part...))
	}
	return Message{Text: fitting(flat(lines...)), Blocks: blocks}
}

// WithCheckpoint adds a checkpoint of the audit log to a bulletin, as a note that can be copied whole; "" is
// none.
func WithCheckpoint(m Message, note string) Message {
	fields := strings.Split(note, "\n")
	if len(fields) < 3 {
		return m
	}
	lines := []line{
		head("🔏 Checkpoint of the audit log: " + wholeNumber(fields[1]) + " events."),
		sentence("It stands here so that a copy is outside the database: bot audit verify --checkpoint FILE finds whatever is changed in these events later."),
	}
	copied := &slack.RichTextPreformatted{
		Type:     slack.RTEPreformatted,
		Elements: []slack.RichTextSectionElement{slack.NewRichTextSectionTextElement(Cut(strings.TrimSpace(note), maxShown*10), nil)},
	}
	shown := block("", lines...).(*slack.RichTextBlock)
	shown.Elements = append(shown.Elements, copied)
	m.Text = fitting(strings.TrimSpace(m.Text + " " + flat(lines...)))
	m.Blocks = append(m.Blocks, shown)
	return m
}

// wholeNumber writes 1234567 as 1,234,567.
func wholeNumber(n string) string { return strings.TrimSuffix(byThousands(n+".0"), ".0") }

func monthLines(r *report.Report) []line {
	name := r.Month.Begins().Format("January 2006")
	gone := manyServers(r.Gone.Count) + " gone"
	if r.Gone.Count == 0 {
		gone = "no server gone"
	}
	lines := []line{
		head("📊 " + name + ": " + gone + "."),
		sentence(fmt.Sprintf("Cancellations requested at SoftLayer in that month: %d.", r.Requested)),
	}
	if r.Gone.Count > 0 {
		lines = append(lines, sentence(dollars(&r.Gone, " a month less")+"."))
	}
	if r.Year.Count > 0 {
		lines = append(lines, sentence("Saved this year: "+dollars(&r.Year, "")+", by "+manyServers(r.Year.Count)+" gone since January."))
	}
	if r.Late.Count > 0 {
		lines = append(lines, sentence("Billed longer because a cut-off was missed: "+manyServers(r.Late.Count)+", "+dollars(&r.Late, "")+"."))
	}
	lines = append(lines, leftOfMonth(r)...)
	for _, by := range []struct {
		kind report.Kind
		name string
	}{{report.ByDatacenter, "By data center: "}, {report.ByTag, "By tag: "}} {
		if text := groupsOf(r, by.kind); text != "" {
			lines = append(lines, sentence(by.name+text+"."))
		}
	}
	return append(lines, sentence("By the price when each server was asked for. A server counts once it is gone. "+
		"What servers leave behind and is billed on is not subtracted. Months are UTC. "+
		"bot report --month "+r.Month.String()+" prints all."))
}

// leftOfMonth says what the servers of a month left behind. What was not read is not none.
func leftOfMonth(r *report.Report) []line {
	left := &r.Left
	switch {
	case !left.Known(r.Gone.Count):
		return []line{sentence("What those servers left behind was not read.")}
	case left.Count+left.NotRead == 0:
		return nil
	}
	text := fmt.Sprintf("Left behind, and still billed when the servers were gone: %s, %s.", items(left.Count), dollars(&left.Sum, " a month"))
	if left.NotRead > 0 {
		text += " For " + manyServers(left.NotRead) + " that was not read, or not all of it."
	}
	return []line{sentence(text)}
}

// groupsOf names the groups that save most.
func groupsOf(r *report.Report, kind report.Kind) string {
	var texts []string
	more := 0
	for _, l := range r.Groups(kind) {
		switch {
		case l.Gone.Count == 0:
		case len(texts) == mostGroups:
			more++
		default:
			texts = append(texts, fmt.Sprintf("%s %d (%s)", groupName(l), l.Gone.Count, dollars(&l.Gone, "")))
		}
	}
	if more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

func groupName(l *report.Group) string {
	switch l.Name {
	case report.None:
		return "without a tag"
	case report.Unread:
		return "not visible to this key"
	case report.Others:
		return "others"
	}
	return Cut(public(l.Name), maxShown)
}

func manyServers(count int) string {
	if count == 1 {
		return "1 server"
	}
	return strconv.Itoa(count) + " servers"
}

// dollars is a sum and what it is, with how many servers it leaves out because the key could not see
// their cost.
func dollars(s *report.Sum, what string) string {
	text := byThousands(s.Amount()) + " USD" + what
	if s.Unknown > 0 {
		text += fmt.Sprintf(" and %d at a cost this key cannot see", s.Unknown)
	}
	return text
}

// byThousands writes 15262.50 as 15,262.50.
func byThousands(amount string) string {
	whole, cents, _ := strings.Cut(amount, ".")
	for at := len(whole) - 3; at > 0; at -= 3 {
		whole = whole[:at] + "," + whole[at:]
	}
	return whole + "." + cents
}

// elsewhereLines names cancellations that somebody made in another way, with SoftLayer's user.
func (w Writer) elsewhereLines(all []reconcile.Cancellation, count int) []line {
	lines := []line{head("🔎 Cancelled elsewhere: " + strconv.Itoa(count) + ".")}
	for _, c := range all {
		lines = append(lines, w.elsewhereLine(c))
	}
	if more := count - len(all); more > 0 {
		lines = append(lines, sentence(fmt.Sprintf("And %d more. bot reconcile lists all.", more)))
	}
	return lines
}

func (w Writer) elsewhereLine(c reconcile.Cancellation) line {
	by := "by a SoftLayer user whom this key cannot see"
	if c.User != "" {
		by = "by SoftLayer user " + Cut(public(c.User), maxShown)
	}
	l := line{plain("Not asked for here: a cancellation of "), bold(serversOf(c)), plain(", " + by + " on " + c.Made.UTC().Format("2 Jan") + ".")}
	if c.Ticket.ID == 0 {
		return l
	}
	return append(l, plain(" "), w.ticket(c.Ticket), plain("."))
}

// mostServers is how many servers of one cancellation are named.
const mostServers = 3

// serversOf names what is cancelled, as far as the key sees it.
func serversOf(c reconcile.Cancellation) string {
	var names []string
	for _, s := range c.Servers[:min(len(c.Servers), mostServers)] {
		names = append(names, Cut(OneLine(s.Name), maxShown))
	}
	if more := len(c.Servers) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	switch {
	case len(names) > 0:
		return strings.Join(names, ", ")
	case len(c.Items) == 1:
		return "1 billing item, its server not visible to this key"
	}
	return fmt.Sprintf("%d billing items, their servers not visible to this key", len(c.Items))
}
