package words

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

// The buttons that write into a filed request's ticket, by action id. Their value is the request's id.
// Every place puts them there by [Writer.TicketButtons].
const (
	ReplyAction = "reply"
	StopAction  = "ask-stop"
)

// The callback ids of the forms that they open.
const (
	ReplyCallback   = "cancel-server:reply:1"
	ProposeCallback = "cancel-server:propose:1"
	StopCallback    = "cancel-server:ask-stop:1"
)

// TicketForms are the callback ids of these forms.
var TicketForms = []string{ReplyCallback, ProposeCallback, StopCallback}

// The field of these forms.
const (
	TicketTextBlock  = "ticket-text"
	TicketTextAction = "ticket-text"
)

// TicketButtons are those of these buttons that belong under a request now: ReplyAction and
// StopAction while it is filed, and none if the key may not write into tickets. Who may press one is
// decided when they do.
func (w Writer) TicketButtons(r cancellation.Request, actions ...string) []slack.BlockElement {
	if r.State != cancellation.Filed || r.Ticket.ID == 0 || w.MayWrite == nil || !w.MayWrite() {
		return nil
	}
	var buttons []slack.BlockElement
	if slices.Contains(actions, ReplyAction) {
		buttons = append(buttons, button(r, ReplyAction, "Reply", slack.StyleDefault))
	}
	if slices.Contains(actions, StopAction) {
		buttons = append(buttons, button(r, StopAction, w.stopLabel(r), slack.StyleDefault))
	}
	return buttons
}

func (w Writer) stopLabel(r cancellation.Request) string {
	if w.Now != nil && r.TooLateToStop(w.Now()) {
		return "Ask anyway: it may be too late"
	}
	return "Ask SoftLayer to stop"
}

// Letter is what a form for a ticket shows.
type Letter struct {
	Kind   correspondence.Kind
	Leave  correspondence.Leave
	Answer *cancellation.TicketEntry // what SoftLayer's staff wrote last; nil if nothing is known yet
	Seen   int64                     // id of staff's last update that the form has shown; 0 for none
	News   bool                      // staff wrote while the form was open
	Other  *correspondence.Update    // a reply that was recorded while the form was open; nil for none
	Note   string                    // whose words the field holds, if not the reader's; "" for nothing
	Text   string                    // what was typed
	Late   bool                      // of a stop: it may be too late

	Replied int64 // number of the last reply that the form has shown or was opened after; 0 for none
}

// LetterForm asks for a text for a request's ticket.
func (w Writer) LetterForm(r cancellation.Request, l Letter) View {
	field := slack.NewPlainTextInputBlockElement(nil, TicketTextAction)
	field.Multiline, field.MaxLength, field.InitialValue = true, correspondence.MaxText, l.Text
	shape := replyShape
	switch {
	case l.Kind == correspondence.Stop:
		shape, field.MaxLength = stopShape, MaxWhy
	case l.Leave == correspondence.Propose:
		shape = proposeShape
	}
	blocks := []slack.Block{block("about", line{bold(ServerName(r)), plain(" · "), w.ticket(r.Ticket), plain(" · ref " + r.Ref.Short())})}
	blocks = append(blocks, l.says(r)...)
	if l.Note != "" {
		blocks = append(blocks, block("note", sentence(l.Note)))
	}
	input := slack.NewInputBlock(TicketTextBlock, plainText(shape.label), plainText(shape.hint), field)
	return View{
		Type: slack.VTModal, CallbackID: shape.callback, PrivateMetadata: fmt.Sprintf("%s@%d@%d", r.ID, l.Seen, l.Replied),
		Title: plainText(shape.title), Submit: plainText(shape.submit), Close: plainText(shape.close),
		Blocks: slack.Blocks{BlockSet: append(blocks, input)},
	}
}

// shape is what the kinds of these forms have otherwise than each other.
type shape struct{ callback, title, submit, close, label, hint string }

var (
	replyShape = shape{
		ReplyCallback, "Reply to SoftLayer", "Send reply", "Don't send",
		"Your reply", "SoftLayer's staff read this with your name. No passwords.",
	}
	proposeShape = shape{
		ProposeCallback, "Ask an approver", "Ask to reply", "Don't ask",
		"What should the reply say?", "Those who may approve read this in a direct message. No passwords.",
	}
	stopShape = shape{
		StopCallback, "Ask SoftLayer to stop", "Ask to stop", "Leave as it is",
		"Why should the server stay?", "SoftLayer's staff read this with your name. No passwords.",
	}
)

// says is what a form says above its field.
func (l Letter) says(r cancellation.Request) []slack.Block {
	switch {
	case l.Kind == correspondence.Stop:
		return []slack.Block{block("says", stopSays(r, l)...)}
	case l.Leave == correspondence.Propose:
		asks := sentence("An approver has to send this. Nothing reaches SoftLayer until one does.")
		return append([]slack.Block{block("says", asks)}, l.before()...)
	}
	return l.before()
}

// before are what staff and another person wrote before.
func (l Letter) before() []slack.Block {
	blocks := answerBlocks(l)
	if l.Other == nil {
		return blocks
	}
	wrote := " wrote a reply meanwhile, which is on its way ("
	if l.Other.State == correspondence.Sent {
		wrote = " sent a reply meanwhile ("
	}
	headline := line{person(l.Other.By.ID, l.Other.By.Name), bold(wrote + instant(l.Other.ChangedAt) + "). Nothing of yours was sent. Read it, and send yours only if it is still needed:")}
	return append(blocks, block("other", headline, quoted(l.Other.Text)))
}

// quoted is what a person wrote, as a form or an answer repeats it.
func quoted(text string) line { return sentence("“" + inert(text, maxAnswer) + "”") }

func stopSays(r cancellation.Request, l Letter) []line {
	lines := []line{sentence("This asks SoftLayer to keep " + ServerName(r) + ". Until it says so, expect the server to go as planned.")}
	if l.Late {
		lines = append(lines, line{bold("It may be too late: "), plain("the time until which SoftLayer stops a cancellation has passed. It may still do so.")})
	}
	return lines
}

// answerBlocks are what staff wrote last, for people who may read the ticket's answers.
func answerBlocks(l Letter) []slack.Block {
	if l.Answer == nil {
		return nil
	}
	headline := "SoftLayer's staff wrote"
	if l.News {
		headline = "SoftLayer's staff wrote meanwhile. Nothing was sent. Read this, and send again if it still fits"
	}
	if !l.Answer.At.IsZero() {
		headline += " (" + instant(l.Answer.At) + ")"
	}
	return []slack.Block{block("answer", line{bold(headline + ":")}, sentence(inert(l.Answer.Text, maxAnswer)))}
}

// maxAnswer is how much of an answer of SoftLayer's staff a form shows, in characters.
const maxAnswer = 2500

// LetterOf reads what a form for a ticket carries: the request's id, the last update of staff and the
// last reply that it has shown. Forms of earlier builds have shown no reply.
func LetterOf(v string) (requestID string, seen, replied int64, ok bool) {
	id, rest, found := strings.Cut(v, "@")
	last, number, _ := strings.Cut(rest, "@")
	seen, err := strconv.ParseInt(last, 10, 64)
	replied, _ = strconv.ParseInt(number, 10, 64) // 0 in doubt: the last reply is shown again
	return id, seen, replied, found && err == nil && seen >= 0
}

// LetterNotOpen says that a request's ticket takes no texts, and why.
func (w Writer) LetterNotOpen(r cancellation.Request) Message { return nothingOpened(noLetterWhy(r)) }

func noLetterWhy(r cancellation.Request) string {
	if r.State != cancellation.Filed {
		return ended(capital(standingWords(r.State))) + " " + ServerName(r) + " · ref " + r.Ref.Short()
	}
	return "The bot's key may not write into tickets. Write into " + ticketName(r.Ticket) + " in IBM Cloud. " + ServerName(r)
}

// Showing returns the letter with what staff wrote last in a ticket.
func (l Letter) Showing(t correspondence.Ticket) Letter {
	if last := t.LastByStaff(); last != nil {
		l.Answer, l.Seen = last, last.ID
	}
	return l
}

// ProposedBy says whose words a form is filled in with.
func ProposedBy(u correspondence.Update) string {
	return "Filled in with what " + whose(u.By) + " proposed. You can change it; it is sent with your name."
}

// Why nothing can be written into a ticket.
const (
	TicketIsClosed = "is closed: nothing can be written into it any more. Open a case in IBM Cloud, and name the ticket there."
	TicketIsHidden = "is not visible to the bot's key, so the bot does not write into it. Write into the ticket in IBM Cloud."
)

// LetterImpossible is the view in place of a form, if nothing can be written into the ticket.
func (w Writer) LetterImpossible(r cancellation.Request, why string) View {
	return notice("Nothing was sent", block("", line{w.ticket(r.Ticket), plain(" " + why)}, sentence(ServerName(r)+" · ref "+r.Ref.Short())))
}

// inert is foreign text on its own lines, without the characters that have no glyph of their own.
func inert(foreign string, limit int) string {
	lines := strings.Split(strings.ReplaceAll(foreign, "\r\n", "\n"), "\n")
	for i, l := range lines {
		lines[i] = OneLine(l)
	}
	return Cut(strings.TrimSpace(strings.Join(lines, "\n")), limit)
}

// nothingSent is the view in place of a form whose text was not recorded.
func nothingSent(why string) View {
	return notice("Not sent", block("", line{bold("Nothing was sent."), plain(" " + why)}))
}

// LetterBarred says that a person may not write, or no longer.
func (w Writer) LetterBarred(d authz.Decision) View {
	if d.Effect == authz.Allowed { // they may do less than the form was for
		return nothingSent("By now you may only propose a reply. Press the button again.")
	}
	return nothingSent("You may not do this: " + ended(displayed(w.Decision(d))) + " Rule " + displayed(d.Rule))
}

// LetterShut says that a request's ticket takes no more texts, in a form's place.
func (w Writer) LetterShut(r cancellation.Request) View { return nothingSent(noLetterWhy(r)) }

// StopAskedAlready says who asked SoftLayer to stop before, or wants to, and how far that has come.
func (w Writer) StopAskedAlready(u correspondence.Update, r cancellation.Request) View {
	by, more := person(u.By.ID, u.By.Name), "To write more, use Reply. "+ServerName(r)
	said := line{by, plain(" asked SoftLayer to stop this on " + instant(u.ChangedAt) + ". It is asked once.")}
	switch u.State {
	case correspondence.Sent:
	case correspondence.Unknown:
		said = line{by, plain(" wants SoftLayer to be asked to stop this. We cannot tell yet whether that text reached "), w.lowerTicket(r.Ticket), plain(". It is asked once.")}
	default:
		said = line{by, plain(" wants SoftLayer to be asked to stop this. That text was recorded on " + instant(u.CreatedAt) + " and is not in "), w.lowerTicket(r.Ticket), plain(" yet.")}
		more = "The bot tries until " + instant(u.SendBy) + "; the request's thread says what comes of it. " + ServerName(r)
	}
	return notice("Not sent", block("", append(line{bold("Nothing of yours was sent. ")}, said...), sentence(more)))
}

// RecordedBefore says that only an earlier version of a text was recorded, and shows what was typed since, to be copied.
func RecordedBefore(u correspondence.Update, typed string) View {
	lines := append(recordedBefore(u.Text), sentence("The request's thread says what comes of it. To write more, press the button Reply there."))
	return notice("Recorded before", append([]slack.Block{block("", lines...)}, youWrote(typed)...)...)
}

// maxEarlier is how much of an earlier version is repeated, in characters: enough to know it by.
const maxEarlier = 500

// recordedBefore says which version of a form was recorded, and that what was changed since was not.
func recordedBefore(earlier string) []line {
	says, quote := "This earlier version was recorded:", inert(earlier, maxEarlier)
	if quote != inert(earlier, correspondence.MaxText) {
		says = "An earlier version was recorded. It begins:"
	}
	return []line{{bold(says)}, sentence("“" + quote + "”"), {bold("Your changes since then were not recorded.")}}
}

// youWrote shows what a person typed, so that they can copy it; nothing if there is nothing to see in it.
func youWrote(typed string) []slack.Block {
	text := inert(typed, correspondence.MaxText)
	if text == "" {
		return nil
	}
	return []slack.Block{block("typed", line{bold("You wrote:")}), slack.NewSectionBlock(plainText(text), nil, nil)}
}

// LetterTaken says that a text is recorded, in its form's place: the thread shows the rest.
func LetterTaken(l Letter) View {
	title, says := "Reply to SoftLayer", "Your reply is recorded and on its way. The request's thread says when it is in the ticket."
	switch {
	case l.Kind == correspondence.Stop:
		title, says = "Ask SoftLayer to stop", "Your text is recorded and on its way. The request's thread says when it is in the ticket. Until SoftLayer says so, expect the server to go as planned."
	case l.Leave == correspondence.Propose:
		title, says = "Ask an approver", "People who may approve are asked by direct message. Nothing reaches SoftLayer until one of them sends it."
	}
	return notice(title, block("", sentence(says)))
}

// Written is the message in a request's thread about a text for its ticket. It holds no word of the text:
// other companies may read the channel.
func (w Writer) Written(u correspondence.Update, r cancellation.Request) Message {
	by, what := person(u.By.ID, u.By.Name), "your reply"+ofSeveral(r)
	if u.Kind == correspondence.Stop {
		what = "your text, which asks to stop the cancellation of " + ServerName(r) + ","
	}
	switch u.State {
	case correspondence.Proposed:
		return message(line{by, plain(" asked people who may approve to reply to SoftLayer about " + ServerName(r) + ". Nothing was sent yet.")})
	case correspondence.Sent:
		return message(w.sent(u, r))
	case correspondence.Unknown:
		return message(
			line{by, plain(": We cannot tell yet whether " + what + " reached "), w.lowerTicket(r.Ticket), plain(".")},
			sentence("It is not sent twice; this message will change."),
		)
	case correspondence.NotSent, correspondence.Refused:
		return w.notSent(u, r)
	}
	return message(
		line{by, plain(": " + capital(what) + " is not sent yet. SoftLayer takes nothing now.")},
		sentence("The bot tries until "+instant(u.SendBy)+"; this message will change."),
	)
}

func (w Writer) sent(u correspondence.Update, r cancellation.Request) line {
	by := person(u.By.ID, u.By.Name)
	if u.Kind == correspondence.Stop {
		return line{by, plain(" asked SoftLayer to stop the cancellation of " + ServerName(r) + ". Not stopped yet: SoftLayer decides.")}
	}
	return line{plain("Reply sent to "), w.lowerTicket(r.Ticket), plain(ofSeveral(r) + " by "), by, plain(".")}
}

// ofSeveral says which of a batch's servers a text is about: its thread is that of all of them.
func ofSeveral(r cancellation.Request) string {
	if r.Batch == "" {
		return ""
	}
	return " about " + ServerName(r)
}

// lowerTicket names a ticket within a sentence.
func (w Writer) lowerTicket(t cancellation.TicketID) run {
	named := w.ticket(t)
	named.text = ticketName(t)
	return named
}

// notSent says that a text is not in the ticket, and what can be done.
func (w Writer) notSent(u correspondence.Update, r cancellation.Request) Message {
	by := person(u.By.ID, u.By.Name)
	why, next := unsentWhy(u, r)
	what := "It was not sent"
	if r.Batch != "" {
		what = "The reply about " + ServerName(r) + " was not sent"
	}
	if u.Kind == correspondence.Stop {
		what = "SoftLayer was not asked to stop the cancellation of " + ServerName(r)
	}
	if next == "" {
		return message(line{by, plain(": " + what + ". " + why)}, line{w.ticket(r.Ticket), plain(" does not have it.")})
	}
	m := message(line{by, plain(": " + what + ". " + why)}, sentence(next))
	action := map[correspondence.Kind]string{correspondence.Reply: ReplyAction, correspondence.Stop: StopAction}[u.Kind]
	return withButtons(m, w.TicketButtons(r, action))
}

// unsentWhy says why a text is not in the ticket, and what can be done; next is "" if nothing can.
func unsentWhy(u correspondence.Update, r cancellation.Request) (why, next string) {
	why, next = "SoftLayer's records do not show it.", "You can send a new one."
	switch u.Why {
	case correspondence.WhyNobody:
		why, next = "Nobody who may approve could be asked.", "Anyone who may approve can send it: Reply opens a form that holds the text."
	case correspondence.WhyLate:
		why = "SoftLayer took nothing in time."
	case correspondence.WhyEnded:
		why, next = ended(capital(standingWords(r.State))), ""
	case correspondence.WhyClosed:
		why, next = "The ticket is closed.", ""
	case correspondence.WhyNoRight:
		why, next = "The bot's key may not write into this ticket. Write into it in IBM Cloud.", ""
	}
	return why, next
}

// withButtons adds a request's buttons to its message, if there are any.
func withButtons(m Message, buttons []slack.BlockElement) Message {
	if len(buttons) > 0 {
		m.Blocks = append(m.Blocks, slack.NewActionBlock(ButtonsBlock, buttons...))
	}
	return m
}

// Proposal is the direct message that asks somebody who may approve to send a reply.
func (w Writer) Proposal(u correspondence.Update, r cancellation.Request) Message {
	m := message(
		line{person(u.By.ID, u.By.Name), plain(" asks you to reply to SoftLayer about " + ServerName(r) + ".")},
		line{w.ticket(r.Ticket), plain(". Nothing was sent yet. You can change the text before you send it.")},
	)
	m.Blocks = append(m.Blocks, block("text", sentence("“"+inert(u.Text, 3000)+"”")))
	return withButtons(m, w.TicketButtons(r, ReplyAction))
}
