package slackui

import (
	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// The callback ids of the forms that buttons open, and their fields. Their
// private_metadata is the request's id, with the stuck state where it is about one: who may
// is decided at submission.
const (
	declineCallback = "cancel-server:decline:1"
	foundCallback   = "cancel-server:found:1"
	leaveCallback   = "cancel-server:leave:1"

	whyBlock     = "why"
	whyAction    = "why"
	ticketBlock  = "ticket"
	ticketAction = "ticket"

	maxWhy = 500 // characters of a person's reason
)

func declineForm(r cancellation.Request) slack.ModalViewRequest {
	return clickForm(r, declineCallback, "Decline a request", "Decline",
		"Its requester and the channel read why. Nothing is filed, and the server stays.", whyInput("Why not?"))
}

func leaveForm(r cancellation.Request) slack.ModalViewRequest {
	form := clickForm(r, leaveCallback, "Leave the server", "Leave it",
		"There is no ticket, and none is wanted: the request ends and nothing is sent.", whyInput("How do you know?"))
	form.PrivateMetadata = stuckAs(r)
	return form
}

func foundForm(r cancellation.Request) slack.ModalViewRequest {
	number := slack.NewPlainTextInputBlockElement(plainText("153572280"), ticketAction)
	number.MaxLength = 20
	return clickForm(r, foundCallback, "There is a ticket", "Record it",
		"The ticket is read, and must be about this server.",
		slack.NewInputBlock(ticketBlock, plainText("The ticket's id, a number"), nil, number), whyInput("How did you find it?"))
}

func clickForm(r cancellation.Request, callback, title, submit, says string, fields ...slack.Block) slack.ModalViewRequest {
	about := block("about", line{bold(name(r)), plain(" · ref " + r.Ref.Short())}, sentence(says))
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, PrivateMetadata: r.ID,
		Title: plainText(title), Submit: plainText(submit), Close: plainText("Not yet"),
		Blocks: slack.Blocks{BlockSet: append([]slack.Block{about}, fields...)},
	}
}

func whyInput(label string) slack.Block {
	field := slack.NewPlainTextInputBlockElement(nil, whyAction)
	field.Multiline, field.MaxLength = true, maxWhy
	return slack.NewInputBlock(whyBlock, plainText(label), nil, field)
}

// NotRecorded is the view in place of a button's form that recorded nothing.
func NotRecorded(why Message) slack.ModalViewRequest { return notice("Not recorded", why.Blocks...) }

// details is what was asked for, on the card as its requester saw it, with the addresses that
// no channel shows.
func (w Words) details(r cancellation.Request) slack.ModalViewRequest {
	blocks := []slack.Block{footnote("", "As it was when "+whose(r.Submission.By)+" asked · "+footText(r))}
	if r.Submission.By.ID != "" {
		blocks = append(blocks, block("asked", askedLines(r.Submission)...))
	}
	return notice("Details", append(blocks, block("", sentence("“"+cut(oneLine(r.Submission.Content), 2000)+"”"), askedBy(r)))...)
}
