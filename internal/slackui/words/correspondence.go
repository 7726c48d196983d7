package words

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

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

// TicketText is the field of these forms.
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
	if w.Now != nil && TooLateToStop(r, w.Now()) {
		return "Ask anyway: it may be too late"
	}
	return "Ask SoftLayer to stop"
}

// TooLateToStop reports whether the cut-off until which SoftLayer can be asked to stop has passed, or
// the date on which the server ends.
func TooLateToStop(r cancellation.Request, now time.Time) bool {
	by := r.StopBy()
	if by.IsZero() {
		by = r.End().Date
	}
	return !by.IsZero() && now.After(by)
}

// Letter is what a form for a ticket shows.
type Letter struct {
	Kind   correspondence.Kind
	Leave  correspondence.Leave
	Answer *cancellation.TicketEntry // what SoftLayer's staff wrote last; nil if nothing is known yet
	Seen   int64                     // id of staff's last update that the form has shown; 0 for none
	News   bool                      // staff wrote while the form was open
	Note   string                    // what is not known, or why it was not sent; "" for nothing
	Text   string                    // what was typed
	Late   bool                      // of a stop: it may be too late
}

// LetterForm asks for a text for a request's ticket.
func (w Writer) LetterForm(r cancellation.Request, l Letter) View {
	about := block("about", line{bold(ServerName(r)), plain(" · "), w.ticket(r.Ticket), plain(" · ref " + r.Ref.Short())})
	view := View{Type: slack.VTModal, PrivateMetadata: r.ID + "@" + strconv.FormatInt(l.Seen, 10)}
	blocks := []slack.Block{about}
	field := slack.NewPlainTextInputBlockElement(nil, TicketTextAction)
	field.Multiline, field.MaxLength, field.InitialValue = true, correspondence.MaxText, l.Text
	input := slack.NewInputBlock(TicketTextBlock, plainText("Your reply"), nil, field)
	switch {
	case l.Kind == correspondence.Stop:
		view.CallbackID, view.Title, view.Submit, view.Close = StopCallback, plainText("Ask SoftLayer to stop"), plainText("Ask to stop"), plainText("Leave as it is")
		blocks = append(blocks, block("says", stopSays(r, l)...))
		field.MaxLength = MaxWhy
		input.Label, input.Hint = plainText("Why should the server stay?"), plainText("SoftLayer's staff read this with your name. No passwords.")
	case l.Leave == correspondence.Send:
		view.CallbackID, view.Title, view.Submit, view.Close = ReplyCallback, plainText("Reply to SoftLayer"), plainText("Send reply"), plainText("Don't send")
		blocks = append(blocks, answerBlocks(l)...)
		input.Hint = plainText("SoftLayer's staff read this with your name. No passwords.")
	default:
		view.CallbackID, view.Title, view.Submit, view.Close = ProposeCallback, plainText("Ask an approver"), plainText("Ask to reply"), plainText("Don't ask")
		blocks = append(blocks, block("says", sentence("An approver has to send this. Nothing reaches SoftLayer until one does.")))
		blocks = append(blocks, answerBlocks(l)...)
		input.Label, input.Hint = plainText("What should the reply say?"), plainText("Those who may approve read this in a direct message. No passwords.")
	}
	if l.Note != "" {
		blocks = append(blocks, block("note", line{bold("⚠️ " + l.Note)}))
	}
	view.Blocks = slack.Blocks{BlockSet: append(blocks, input)}
	return view
}

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

// LetterOf reads what a form for a ticket carries: the request's id, and the last update of staff that it
// has shown.
func LetterOf(v string) (requestID string, seen int64, ok bool) {
	id, last, found := strings.Cut(v, "@")
	seen, err := strconv.ParseInt(last, 10, 64)
	return id, seen, found && err == nil && seen >= 0
}

// LetterNotOpen says that a request's ticket takes no more texts, and why.
func (w Writer) LetterNotOpen(r cancellation.Request) Message {
	if r.State != cancellation.Filed {
		return nothingOpened(ended(standingWords(r.State)) + " " + ServerName(r) + " · ref " + r.Ref.Short())
	}
	return nothingOpened("The bot's key may not write into tickets. Write into " + ticketName(r.Ticket) + " in IBM Cloud. " + ServerName(r))
}

// Showing returns the letter with what staff wrote last in a ticket.
func (l Letter) Showing(t correspondence.Ticket) Letter {
	if last := t.LastByStaff(); last != nil {
		l.Answer, l.Seen = last, last.ID
	}
	return l
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
