package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

// BatchReplyCallback is the callback id of that form. [BatchLetterOf] reads its private_metadata.
const BatchReplyCallback = "cancel-server:reply-batch:1"

// RepliesBlock begins the block ids of the boxes that choose servers, and FirstRepliesBlock is the first of them;
// RepliesAction is the boxes' action.
const (
	RepliesBlock      = "replies:"
	FirstRepliesBlock = RepliesBlock + "0-0"
	RepliesAction     = "replies"
)

// AnswerAll is the button that opens the form for one reply to so many tickets of a batch; nil if there are fewer than
// two, or if the key may not write into tickets.
func (w Writer) AnswerAll(batch string, count int) []slack.BlockElement {
	if count < 2 {
		return nil
	}
	return w.answerBatch(batch, fmt.Sprintf("Answer all %d…", count))
}

// answerBatch is the button of that label; nil if the key may not write into tickets.
func (w Writer) answerBatch(batch, label string) []slack.BlockElement {
	if w.MayWrite == nil || !w.MayWrite() {
		return nil
	}
	return []slack.BlockElement{slack.NewButtonBlockElement(ActionReplyBatch, batch, plainText(label))}
}

// BatchLetter is what the form for one reply to several tickets shows.
type BatchLetter struct {
	Batch    string // its id
	Rows     []correspondence.RowRead
	UnderWay int // tickets for which a reply is on its way already
	Refused  int // tickets that this person may not answer
}

// Bounds of that form: how many different answers of staff it shows, and how much of one if there are several.
const (
	mostSaid = 30
	partSaid = 500
)

// unseenAnswer stands for an answer of which the key sees nothing.
const unseenAnswer = "(nothing that this key can see)"

// saying is what SoftLayer's staff wrote last into some tickets: all of it since somebody else's last text before it.
type saying struct {
	text  string
	whole bool      // text is all of it, and nobody wrote after it
	at    time.Time // in the first of them
	rows  []correspondence.RowRead
}

// saidLast is what staff wrote last in a ticket's entries, the oldest first.
func saidLast(entries []cancellation.TicketEntry) saying {
	staff := func(e cancellation.TicketEntry) bool { return e.ByStaff }
	others := func(e cancellation.TicketEntry) bool { return e.ByOther } // not a program of SoftLayer's
	end := len(entries)
	for end > 0 && !staff(entries[end-1]) {
		end--
	}
	begin := end
	for begin > 0 && !others(entries[begin-1]) {
		begin--
	}
	shown, whole := answers(entries[begin:end])
	if len(shown) == 0 {
		return saying{text: unseenAnswer}
	}
	var texts []string
	for _, answer := range slices.Backward(shown) {
		texts = append(texts, answer.Text)
	}
	return saying{text: strings.Join(texts, "\n\n"), whole: whole && !slices.ContainsFunc(entries[end:], others), at: shown[0].At}
}

// shownWhole reports whether a form that shows most characters of it shows all.
func (s saying) shownWhole(most int) bool { return s.whole && Cut(s.text, most) == s.text }

// sayings puts rows together that staff wrote the same to. unread are the rows whose ticket takes no reply, or was not
// read; more counts those that do not fit.
func (l BatchLetter) sayings() (all []saying, unread []cancellation.Request, more int) {
	for _, row := range l.Rows {
		if row.Err != nil || !row.Ticket.Open {
			unread = append(unread, row.Request)
			continue
		}
		said := saidLast(row.Ticket.Entries)
		at := slices.IndexFunc(all, func(other saying) bool { return other.text == said.text && other.whole == said.whole })
		switch {
		case at >= 0:
			all[at].rows = append(all[at].rows, row)
		case len(all) == mostSaid:
			more++
		default:
			said.rows = []correspondence.RowRead{row}
			all = append(all, said)
		}
	}
	return all, unread, more
}

// BatchReplyForm asks for one reply to the tickets that are chosen. They are ticked beforehand if staff wrote the same
// to all of them and it shows all of that, or if somebody proposed a reply to them; none is if proposals differ.
func (w Writer) BatchReplyForm(l BatchLetter) View {
	all, unread, more := l.sayings()
	if len(all) == 0 {
		return nothingSent("None of these tickets takes a reply now, or none could be read: " + serverNames(unread, maxNames) + ".")
	}
	var shown []correspondence.RowRead
	for _, said := range all {
		shown = append(shown, said.rows...)
	}
	proposal, differ := proposalFor(shown)
	same := len(all) == 1
	read := same && !differ && all[0].shownWhole(maxAnswer)
	ticked := func(row correspondence.RowRead) bool {
		if proposal.Text != "" {
			return row.Proposal.Text == proposal.Text
		}
		return read
	}
	about := []line{head("SoftLayer waits for your answer about " + servers(len(shown)) + ".")}
	blocks := []slack.Block{block("about", append(about, l.besides(shown, unread, more)...)...)}
	for i, said := range all {
		blocks = append(blocks, w.said(said, same))
		blocks = append(blocks, said.boxes(i, ticked)...)
	}
	shape := batchShape(shown)
	field := slack.NewPlainTextInputBlockElement(nil, TicketTextAction)
	field.Multiline, field.MaxLength, field.InitialValue = true, correspondence.MaxText, proposal.Text
	switch {
	case differ:
		blocks = append(blocks, block("note", sentence("Different replies were proposed for these tickets. None is filled in, and nothing is ticked. People who were asked to send one have it in a direct message.")))
	case proposal.Text != "":
		blocks = append(blocks, block("note", sentence(ProposedBy(proposal))))
	}
	return View{
		Type: slack.VTModal, CallbackID: BatchReplyCallback, PrivateMetadata: batchLetterAs(l.Batch, shown),
		Title: plainText(shape.title), Submit: plainText(shape.submit), Close: plainText(shape.close),
		Blocks: slack.Blocks{BlockSet: append(blocks, slack.NewInputBlock(TicketTextBlock, plainText(shape.label), plainText(shape.hint), field))},
	}
}

// said shows what staff wrote, all of it that fits if they wrote the same to all.
func (w Writer) said(s saying, same bool) slack.Block {
	most := partSaid
	if same {
		most = maxAnswer
	}
	headline := "SoftLayer's staff wrote"
	if !s.at.IsZero() {
		headline += " (" + instant(s.at) + ")"
	}
	lines := []line{{bold(headline + ":")}, sentence(Cut(s.text, most))}
	if !s.shownWhole(most) {
		lines = append(lines, line{plain("There is more in "), w.ticketInside(s.rows[0].Request.Ticket), plain(".")})
	}
	return block("", lines...)
}

// boxes has each of the servers to which staff wrote the same chosen or not.
func (s saying) boxes(number int, ticked func(correspondence.RowRead) bool) (blocks []slack.Block) {
	for first := 0; first < len(s.rows); first += mostBoxes {
		boxes := slack.NewCheckboxGroupsBlockElement(RepliesAction)
		for _, row := range s.rows[first:min(first+mostBoxes, len(s.rows))] {
			about := ticketName(row.Request.Ticket)
			if row.Leave == correspondence.Propose {
				about += " · an approver has to send this"
			}
			option := slack.NewOptionBlockObject(row.Request.ID, plainText(rowName(row.Request)), plainText(Cut(capital(about), maxOptionText)))
			boxes.Options = append(boxes.Options, option)
			if ticked(row) {
				boxes.InitialOptions = append(boxes.InitialOptions, option)
			}
		}
		input := slack.NewInputBlock(fmt.Sprintf("%s%d-%d", RepliesBlock, number, first), plainText("Reply to"), nil, boxes)
		blocks = append(blocks, input.WithOptional(true))
	}
	return blocks
}

// besides says what the form does not offer, and who sends what it offers.
func (l BatchLetter) besides(shown []correspondence.RowRead, unread []cancellation.Request, more int) (lines []line) {
	add := func(count int, format string, with ...any) {
		if count > 0 {
			lines = append(lines, sentence(fmt.Sprintf(format, append([]any{count}, with...)...)))
		}
	}
	add(proposing(shown), "%d of them: an approver has to send your reply. Nothing reaches SoftLayer until one does.")
	add(l.UnderWay, "%d more: a reply is on its way already.")
	add(l.Refused, "%d more %s for somebody else's answer.", waitOrWaits(l.Refused))
	add(more, "%d more %s not fit in this form. Send these first, then press the button again.", oneOrMore(more, "does", "do"))
	add(len(unread), "%d more whose ticket is closed or could not be read: %s.", serverNames(unread, maxNames))
	return lines
}

func proposing(rows []correspondence.RowRead) (count int) {
	for _, row := range rows {
		if row.Leave == correspondence.Propose {
			count++
		}
	}
	return count
}

// proposalFor is the reply that was proposed to some of the rows, if all of those have the same one. differ says that
// they do not.
func proposalFor(rows []correspondence.RowRead) (proposal correspondence.Update, differ bool) {
	for _, row := range rows {
		switch {
		case row.Proposal.Text == "", row.Proposal.Text == proposal.Text:
		case proposal.Text == "":
			proposal = row.Proposal
		default:
			return correspondence.Update{}, true
		}
	}
	return proposal, false
}

// batchShape is how the form for these rows differs from one for one reply. Its label counts no replies: it cannot follow
// what is ticked.
func batchShape(rows []correspondence.RowRead) shape {
	shape, proposed := replyShape, proposing(rows)
	if proposed == len(rows) {
		shape = proposeShape
		return shape
	}
	shape.label, shape.hint = "Your reply, to each ticket by itself", "SoftLayer's staff read this with your name. No passwords."
	shape.submit = "Send replies"
	if proposed > 0 {
		shape.submit = "Send, or ask to send"
	}
	shape.close = "Don't send"
	return shape
}

// batchLetterAs names a batch, and of each row that a form shows what was shown.
func batchLetterAs(batch string, rows []correspondence.RowRead) string {
	shown := make([]string, len(rows))
	for i, row := range rows {
		shown[i] = fmt.Sprintf("%d:%d:%d:%d", row.Request.Row, row.Leave, row.Ticket.Last(), row.Replied)
	}
	return batch + "@" + strings.Join(shown, ",")
}

// BatchLetterOf reads what such a form carries.
func BatchLetterOf(metadata string) (batch string, shown []correspondence.ShownRow, ok bool) {
	batch, rows, found := strings.Cut(metadata, "@")
	for _, text := range strings.Split(rows, ",") {
		var row correspondence.ShownRow
		count, err := fmt.Sscanf(text, "%d:%d:%d:%d", &row.Row, &row.Leave, &row.Last, &row.Replied)
		if err != nil || count != 4 || row.Leave < correspondence.Propose || row.Leave > correspondence.Send {
			return "", nil, false
		}
		shown = append(shown, row)
	}
	return batch, shown, found && batch != ""
}

// BatchReplyReading is the form while its tickets are read.
func BatchReplyReading(count int) View {
	return notice("Reply to SoftLayer", block("", sentence(fmt.Sprintf("Reading %d %s at SoftLayer…", count, ticketOrTickets(count)))))
}

// What a form for one reply to several tickets says at its boxes.
const NoTicketChosen = "Tick at least one server. Nothing was sent."

// BatchNotAnswered says why nobody, or not this person, can answer any ticket of a batch; empty if they can.
func (w Writer) BatchNotAnswered(p correspondence.BatchProspect) Message {
	switch {
	case p.Closed:
		return nothingOpened("The bot's key may not write into tickets. Write into them in IBM Cloud.")
	case len(p.Rows) > 0:
		return Message{}
	case p.UnderWay > 0:
		return nothingOpened("Replies to the tickets that wait are on their way already.")
	case p.Refused > 0:
		return w.NothingOpenedRefused(p.Decision)
	}
	return nothingOpened("None of these tickets waits for an answer any more.")
}

// BatchReplied says which replies are recorded, and which are not and why, in the form's place. It shows what was typed
// if that is not what was recorded for all, so that it can be copied.
func (w Writer) BatchReplied(a correspondence.BatchAnswer, typed string) View {
	sent, proposed := a.Taken()
	var lines []line
	if sent > 0 {
		lines = append(lines, sentence(fmt.Sprintf("%s recorded and on the way. The list's thread says when they are in the tickets.", repliesAre(sent))))
	}
	if proposed > 0 {
		lines = append(lines, sentence(fmt.Sprintf("%s proposed. People who may approve are asked by direct message. Nothing reaches SoftLayer until one of them sends it.", repliesAre(proposed))))
	}
	if a.Earlier != "" {
		lines = append(lines, recordedBefore(a.Earlier)...)
	}
	if sent+proposed == 0 {
		lines = append(lines, head("Nothing was sent."))
	}
	title := "Reply to SoftLayer"
	if sent+proposed == 0 {
		title = "Not sent"
	}
	blocks := []slack.Block{block("", append(lines, w.notReplied(a.Rows)...)...)}
	if sent+proposed < len(a.Rows) || a.Earlier != "" {
		blocks = append(blocks, youWrote(typed)...)
	}
	return notice(title, blocks...)
}

func repliesAre(count int) string {
	if count == 1 {
		return "1 reply is"
	}
	return strconv.Itoa(count) + " replies are"
}

// mostWhys is how many servers that get no reply are named with the reason.
const mostWhys = 12

// notReplied says for which servers nothing was recorded, and why.
func (w Writer) notReplied(rows []correspondence.Answer) (lines []line) {
	without := slices.DeleteFunc(slices.Clone(rows), func(a correspondence.Answer) bool { return a.Outcome == correspondence.Taken })
	for i, a := range without {
		if i == mostWhys {
			return append(lines, sentence(fmt.Sprintf("And %d more.", len(without)-i)))
		}
		lines = append(lines, line{bold("Not sent: " + Cut(ServerName(a.Request), 100)), plain(": " + Cut(w.whyNoReply(a), 250))})
	}
	return lines
}

func (w Writer) whyNoReply(a correspondence.Answer) string {
	switch a.Outcome {
	case correspondence.Barred:
		if a.Decision.Effect == authz.Allowed { // they may do less than the form was for
			return "by now you may only propose a reply."
		}
		return "you may not reply: " + ended(displayed(w.Decision(a.Decision))) + " Rule " + displayed(a.Decision.Rule) + "."
	case correspondence.ClosedTicket:
		return "the ticket is closed."
	case correspondence.Hidden:
		return "the ticket is not visible to the bot's key."
	case correspondence.News:
		return "somebody wrote into the ticket meanwhile. Read that first."
	case correspondence.Replied:
		return whose(a.Standing.By) + " replied meanwhile."
	case correspondence.Earlier:
		return "it was not recorded. See its ticket."
	}
	return ended(capital(standingWords(a.Request.State))) + " The ticket takes no replies now."
}
