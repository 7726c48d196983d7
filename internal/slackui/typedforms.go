package slackui

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
)

// submitClickForm takes what was typed into a form that a button opened. Whoever may not,
// or comes too late, is told in its place.
func (a *App) submitClickForm(ctx context.Context, i receive.Interaction) receive.Reply {
	press := cancellation.Press{Request: i.View.PrivateMetadata, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	why := strings.TrimSpace(i.View.Values[whyBlock][whyAction].Text)
	if cancellation.Blank(why) {
		return receive.FieldError(whyBlock, WhyMissing)
	}
	found := cancellation.Resolution{Why: cut(why, maxWhy)}
	var click cancellation.Click
	var err error
	switch i.View.CallbackID {
	case declineCallback:
		click, err = a.desk.Decline(ctx, press, found.Why)
	case leaveCallback:
		id, since, ok := stuckOf(press.Request)
		if !ok {
			return receive.UpdateView(NotRecorded(FormUnread()))
		}
		press.Request, found.Finding, found.Stuck = id, cancellation.DropIt, since
		click, err = a.desk.Settle(ctx, press, found)
	case foundCallback:
		number, bad := strconv.ParseInt(strings.TrimSpace(i.View.Values[ticketBlock][ticketAction].Text), 10, 64)
		if bad != nil || number <= 0 {
			return receive.FieldError(ticketBlock, TicketNotANumber)
		}
		found.Finding, found.Ticket = cancellation.FoundTicket, number
		click, err = a.desk.Settle(ctx, press, found)
	}
	if err != nil {
		a.log.Warn("recording what was typed for a button", "form", i.View.CallbackID, "user", i.User, "err", err)
	}
	if click.Kind == cancellation.ClickRepeated { // delivered again: it is recorded
		return nil
	}
	problem := Clicked(click, err, "do")
	if errors.Is(err, cancellation.ErrTicketUnseen) || errors.Is(err, cancellation.ErrSomeTicket) {
		problem = a.words.TicketUnread(click.Request, found.Ticket, err)
	}
	if !problem.Empty() {
		return receive.UpdateView(NotRecorded(problem))
	}
	return nil // an empty answer closes the form; the message shows the rest
}
