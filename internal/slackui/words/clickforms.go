package words

import (
	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// The callback ids of the forms that buttons open, and their fields. Their private_metadata is the
// request's id, followed by the stuck state if the form is about one. Who may do it is decided at
// submission.
const (
	DeclineCallback = "cancel-server:decline:1"
	FoundCallback   = "cancel-server:found:1"
	LeaveCallback   = "cancel-server:leave:1"

	WhyBlock     = "why"
	WhyAction    = "why"
	TicketBlock  = "ticket"
	TicketAction = "ticket"

	MaxWhy = 500 // characters of a person's reason
)

// ClickForms are the callback ids of these forms: what is typed into any of them belongs to a click.
var ClickForms = []string{DeclineCallback, FoundCallback, LeaveCallback}

// DeclineForm asks why a request is declined.
func DeclineForm(r cancellation.Request) View {
	return clickForm(r, DeclineCallback, "Decline a request", "Decline",
		"The requester and the channel will read your reason. Nothing is filed, and the server stays.", whyInput("Why do you decline?"))
}

// LeaveForm asks how somebody knows that there is no ticket and that none is wanted.
func LeaveForm(r cancellation.Request) View {
	form := clickForm(r, LeaveCallback, "Leave the server", "Leave it",
		"Choose this if there is no ticket and the server should stay. The request then ends, and nothing is sent.", whyInput("How do you know that there is no ticket?"))
	form.PrivateMetadata = stuckAs(r)
	return form
}

// FoundForm asks for the ticket that somebody found.
func FoundForm(r cancellation.Request) View {
	number := slack.NewPlainTextInputBlockElement(plainText("153572280"), TicketAction)
	number.MaxLength = 20
	return clickForm(r, FoundCallback, "There is a ticket", "Record it",
		"The bot reads this ticket and checks that it is about this server.",
		slack.NewInputBlock(TicketBlock, plainText("The ticket's id, a number"), nil, number), whyInput("How did you find the ticket?"))
}

func clickForm(r cancellation.Request, callback, title, submit, says string, fields ...slack.Block) View {
	about := block("about", line{bold(ServerName(r)), plain(" · ref " + r.Ref.Short())}, sentence(says))
	return View{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: r.ID,
		Title: plainText(title), Submit: plainText(submit), Close: plainText("Not yet"),
		Blocks: slack.Blocks{BlockSet: append([]slack.Block{about}, fields...)},
	}
}

func whyInput(label string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, WhyAction)
	field.Multiline, field.MaxLength = true, MaxWhy
	return slack.NewInputBlock(WhyBlock, plainText(label), nil, field)
}

// NotRecorded is the view in place of a button's form that recorded nothing.
func NotRecorded(why Message) View { return notice("Not recorded", why.Blocks...) }

// Details is what was asked for, on the card as its requester saw it, with the addresses that
// no channel shows.
func (w Writer) Details(r cancellation.Request) View {
	blocks := []slack.Block{footnote("", "As it was when "+whose(r.Submission.By)+" asked · "+footText(r))}
	if r.Submission.By.ID != "" {
		blocks = append(blocks, block("asked", askedLines(r.Submission)...))
	}
	return notice("Details", append(blocks, block("", sentence("“"+Cut(OneLine(r.Submission.Content), 2000)+"”"), askedBy(r)))...)
}
