package slackui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

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
	about := block("about", line{bold(name(r)), plain(" · ref " + r.Ref.Short())}, words(says))
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

// details is what was asked for, on the card as its requester saw it, with the addresses that
// no channel shows.
func (w Words) details(r cancellation.Request) slack.ModalViewRequest {
	blocks := []slack.Block{footnote("", "As it was when "+whose(r.Submission.By)+" asked · "+footText(r))}
	if r.Submission.By.ID != "" {
		blocks = append(blocks, block("asked", askedLines(r.Submission)...))
	}
	return notice("Details", append(blocks, block("", words("“"+cut(oneLine(r.Submission.Content), 2000)+"”"), askedBy(r)))...)
}

// unread says that nothing but a person's word shows what a ticket is about, and who can
// record it all the same.
func (w Words) unread(r cancellation.Request, ticket int64, err error) line {
	pending := ""
	if errors.Is(err, cancellation.ErrSomeTicket) {
		pending = " A cancellation of this server is pending, which does not show by which ticket."
	}
	return line{bold("Nothing was recorded."), plain(fmt.Sprintf(" This key cannot read ticket %d.%s Ask %s to run: bot resolve %s filed %d --unseen --why …",
		ticket, pending, w.contact(), r.Ref.Short(), ticket))}
}

// submitClickForm takes what was typed into a form that a button opened. Whoever may not,
// or comes too late, is told in its place.
func (a *App) submitClickForm(ctx context.Context, i Interaction) Reply {
	press := cancellation.Press{Request: i.View.PrivateMetadata, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	why := strings.TrimSpace(i.View.Values[whyBlock][whyAction].Text)
	if cancellation.Blank(why) {
		return fieldError(whyBlock, "Say why: people read it.")
	}
	var click cancellation.Click
	var err error
	var number int64
	switch i.View.CallbackID {
	case declineCallback:
		click, err = a.desk.Decline(ctx, press, cut(why, maxWhy))
	case leaveCallback:
		id, since, ok := stuckOf(press.Request)
		if !ok {
			return update(notice("Not recorded", block("", line{bold("Nothing was recorded."), plain(" This form is of another version of the bot: close it and press the button again.")})))
		}
		press.Request = id
		click, err = a.desk.Settle(ctx, press, cancellation.Resolution{Finding: cancellation.DropIt, Why: cut(why, maxWhy), Stuck: since})
	case foundCallback:
		var bad error
		if number, bad = strconv.ParseInt(strings.TrimSpace(i.View.Values[ticketBlock][ticketAction].Text), 10, 64); bad != nil || number <= 0 {
			return fieldError(ticketBlock, "The ticket's id is a number, like 153572280.")
		}
		click, err = a.desk.Settle(ctx, press, cancellation.Resolution{Finding: cancellation.FoundTicket, Ticket: number, Why: cut(why, maxWhy)})
	}
	if err != nil {
		a.log.Warn("recording what was typed for a button", "form", i.View.CallbackID, "user", i.User, "err", err)
	}
	if click.Kind == cancellation.ClickRepeated { // delivered again: it is recorded
		return nil
	}
	says := clickWords(click, err, "do")
	if errors.Is(err, cancellation.ErrTicketUnseen) || errors.Is(err, cancellation.ErrSomeTicket) {
		says = a.words.unread(click.Request, number, err)
	}
	if says != nil {
		return update(notice("Not recorded", block("", says)))
	}
	return nil // an empty answer closes the form; the message shows the rest
}
