package slackui

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// submitClickForm takes what was typed into a form that a button opened. A person who may not do
// it, or is too late, reads so in the form's place.
func (a *App) submitClickForm(ctx context.Context, i receive.Interaction) receive.Reply {
	request, found, refused := typedIn(i.View)
	if refused != nil {
		return refused
	}
	press := cancellation.Press{Request: request, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	var click cancellation.Click
	var err error
	if i.View.CallbackID == words.DeclineCallback {
		click, err = a.desk.Decline(ctx, press, found.Why)
	} else {
		click, err = a.desk.ResolveByClick(ctx, press, found)
	}
	if err != nil {
		a.log.Warn("recording what was typed for a button", "form", i.View.CallbackID, "user", i.User, "err", err)
	}
	if click.Kind == cancellation.ClickRepeated { // delivered again: it is recorded
		return nil
	}
	problem := a.words.Clicked(click, err, "do")
	if errors.Is(err, cancellation.ErrTicketUnseen) || errors.Is(err, cancellation.ErrSomeTicket) {
		problem = a.words.TicketUnread(click.Request, found.Ticket, err)
	}
	if !problem.Empty() {
		return receive.UpdateView(words.NotRecorded(problem))
	}
	return nil // an empty answer closes the form; the message shows the rest
}

// typedIn reads a button's form: which request it is about and what somebody found, or the
// reply that refuses the form.
func typedIn(v *receive.View) (request string, found cancellation.Resolution, refused receive.Reply) {
	request = v.PrivateMetadata
	why := strings.TrimSpace(v.Values[words.WhyBlock][words.WhyAction].Text)
	if cancellation.Blank(why) {
		return request, found, receive.FieldError(words.WhyBlock, words.WhyMissing)
	}
	found.Why = words.Cut(why, words.MaxWhy)
	switch v.CallbackID {
	case words.LeaveCallback:
		id, since, ok := words.StuckOf(request)
		if !ok {
			return request, found, receive.UpdateView(words.NotRecorded(words.FormUnread()))
		}
		request, found.Finding, found.Stuck = id, cancellation.DropIt, since
	case words.FoundCallback:
		number, err := strconv.ParseInt(strings.TrimSpace(v.Values[words.TicketBlock][words.TicketAction].Text), 10, 64)
		if err != nil || number <= 0 {
			return request, found, receive.FieldError(words.TicketBlock, words.TicketNotANumber)
		}
		found.Finding, found.Ticket = cancellation.FoundTicket, number
	}
	return request, found, nil
}
