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

// submitClickForm takes what was typed into a form that a button opened. Who may not do it, or
// is too late, reads that in the form's place.
func (a *App) submitClickForm(ctx context.Context, i receive.Interaction) receive.Reply {
	press := cancellation.Press{Request: i.View.PrivateMetadata, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	why := strings.TrimSpace(i.View.Values[words.WhyBlock][words.WhyAction].Text)
	if cancellation.Blank(why) {
		return receive.FieldError(words.WhyBlock, words.WhyMissing)
	}
	found := cancellation.Resolution{Why: words.Cut(why, words.MaxWhy)}
	var click cancellation.Click
	var err error
	switch i.View.CallbackID {
	case words.DeclineCallback:
		click, err = a.desk.Decline(ctx, press, found.Why)
	case words.LeaveCallback:
		id, since, ok := words.StuckOf(press.Request)
		if !ok {
			return receive.UpdateView(words.NotRecorded(words.FormUnread()))
		}
		press.Request, found.Finding, found.Stuck = id, cancellation.DropIt, since
		click, err = a.desk.Settle(ctx, press, found)
	case words.FoundCallback:
		number, bad := strconv.ParseInt(strings.TrimSpace(i.View.Values[words.TicketBlock][words.TicketAction].Text), 10, 64)
		if bad != nil || number <= 0 {
			return receive.FieldError(words.TicketBlock, words.TicketNotANumber)
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
	problem := words.Clicked(click, err, "do")
	if errors.Is(err, cancellation.ErrTicketUnseen) || errors.Is(err, cancellation.ErrSomeTicket) {
		problem = a.words.TicketUnread(click.Request, found.Ticket, err)
	}
	if !problem.Empty() {
		return receive.UpdateView(words.NotRecorded(problem))
	}
	return nil // an empty answer closes the form; the message shows the rest
}
