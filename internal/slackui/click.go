package slackui

import (
	"cmp"
	"context"
	"errors"

	"github.com/slack-go/slack"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// click answers a button in a message. What it does is on disk before it is
// acknowledged; what has to be said is said to the clicker alone. The message itself
// is changed by the worker, as the request's state is.
func (a *App) click(ctx context.Context, i Interaction) (Reply, After) {
	press := pressOf(i)
	if press.Key == "" {
		a.log.Warn("a click without a trigger_id", "action", i.Action.ActionID, "user", i.User)
		return nil, a.whisper(i, line{bold("Nothing was recorded."), plain(" Slack sent this press without its trigger: press again.")})
	}
	switch i.Action.ActionID {
	case againAction:
		return a.askAgain(ctx, i)
	case unfreezeAction:
		return nil, a.unfreeze(ctx, i)
	case approveAction:
		click, err := a.desk.Approve(ctx, press)
		return nil, a.whisper(i, clickWords(click, err, "approve"))
	case withdrawAction, undoAction:
		click, err := a.desk.Withdraw(ctx, press)
		return nil, a.whisper(i, clickWords(click, err, "withdraw"))
	case declineAction:
		return nil, a.openFor(ctx, i, func(r cancellation.Request) slack.ModalViewRequest { return declineForm(r) })
	case detailsAction:
		return nil, a.openFor(ctx, i, func(r cancellation.Request) slack.ModalViewRequest { return a.words.details(r) })
	case foundAction:
		return nil, a.openFor(ctx, i, func(r cancellation.Request) slack.ModalViewRequest { return foundForm(r) })
	case leaveAction:
		return nil, a.openFor(ctx, i, func(r cancellation.Request) slack.ModalViewRequest { return leaveForm(r) })
	case noneAction:
		return nil, a.whisper(i, a.foundNone(ctx, press))
	case checkAction: // it only reads, as long as that takes
		return nil, func(ctx context.Context) {
			click, err := a.desk.CheckNow(ctx, press)
			if says := a.whisper(i, checkWords(click, err)); says != nil {
				says(ctx)
			}
		}
	}
	a.log.Warn("a click on a button that this version does not know", "action", i.Action.ActionID)
	return nil, a.whisper(i, line{plain("This button is of another version of the bot. Nothing was done.")})
}

// clickedBy is who pressed, as far as the payload says; what they may is read anew.
func clickedBy(i Interaction) cancellation.Person {
	return cancellation.Person{Team: cmp.Or(i.Enterprise, i.UserTeam, i.Team), ID: i.User, Name: cut(oneLine(i.UserName), 100)}
}

// pressOf is a press of a button of a request's message.
func pressOf(i Interaction) cancellation.Press {
	return cancellation.Press{Request: i.Action.Value, By: clickedBy(i), Key: pressKey(i)}
}

// pressKey is a press's own; "" where Slack sent none.
func pressKey(i Interaction) string {
	if i.TriggerID == "" {
		return ""
	}
	return i.Action.ActionID + " " + i.TriggerID
}

// foundNone sends a stuck request once more, on the word of who pressed: that of the state
// which the message showed, since they cannot have looked for a ticket that was sent later.
func (a *App) foundNone(ctx context.Context, press cancellation.Press) line {
	id, since, ok := stuckOf(press.Request)
	if !ok {
		return line{bold("Nothing was recorded."), plain(" This button is of another version of the bot: ask " + a.words.contact() + " to run bot resolve.")}
	}
	press.Request = id
	click, err := a.desk.Settle(ctx, press, cancellation.Resolution{Finding: cancellation.FoundNone, Why: "looked at IBM Cloud's cases", Stuck: since})
	return clickWords(click, err, "settle")
}

// whisper says something to the clicker alone; nothing where there is nothing to say.
func (a *App) whisper(i Interaction, says line) After {
	if len(says) == 0 {
		return nil
	}
	return a.alone(i, says)
}

// clickWords says to the clicker what the message will not: nothing where the click did
// what it says.
func clickWords(c cancellation.Click, err error, verb string) line {
	switch lost, unclear := errors.AsType[*cancellation.UnclearError](err); {
	case unclear:
		return line{bold("We cannot tell whether this was recorded."), plain(" Look at the message in a minute · ref " + lost.Ref.Short())}
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return line{bold("Nothing was recorded."), plain(" Slack did not say in time who you are and which groups you are in: press again.")}
	case errors.Is(err, cancellation.ErrNoRequest):
		return line{bold("Nothing was recorded."), plain(" There is no such request.")}
	case err != nil:
		return line{bold("Nothing was recorded."), plain(" " + ended(settleError(err)) + " Try again; if it stays so, tell whoever runs this bot.")}
	}
	r := c.Request
	about := name(r) + " · ref " + r.Ref.Short()
	switch c.Kind {
	case cancellation.ClickRefused:
		return line{bold("Nothing was recorded."), plain(" You may not " + verb + " this: " + ended(shown(c.Decision.Reason)) + " Rule " + shown(c.Decision.Rule) + " · " + about)}
	case cancellation.ClickRepeated:
		if r.State == cancellation.Pending {
			return line{plain("You approved this already; another person has to. " + about)}
		}
		return line{plain("You did this already: it is recorded. By now: " + ended(standingWords(r.State)) + " " + about)}
	case cancellation.ClickLate:
		if r.State == cancellation.Pending && verb == "approve" {
			return line{plain("Too late: the time for approving it was over at " + instant(r.ExpiresAt) + ". Nothing was changed. " + about)}
		}
		if r.State == cancellation.Stuck {
			return line{plain("Nothing was changed: it was sent once more since this message was shown, and needs a person again. Look once more. " + about)}
		}
		return line{plain("Too late: " + ended(standingWords(r.State)) + " Nothing was changed. " + about)}
	case cancellation.ClickDone:
	}
	return nil
}

// settleError is what a person is told of an error of theirs; others stand in the log.
func settleError(err error) string {
	for _, known := range []error{
		cancellation.ErrNotStuck, cancellation.ErrOtherServer, cancellation.ErrTicketClosed, cancellation.ErrTicketMade, cancellation.ErrTicketMissing,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if underWay, is := errors.AsType[*cancellation.UnderWayError](err); is {
		return "It may still be on its way to SoftLayer until " + instant(underWay.Until) + "."
	}
	return "the bot could not do it now"
}

func checkWords(c cancellation.Click, err error) line {
	if err == nil && c.Kind == cancellation.ClickDone && c.Request.State == cancellation.Stuck {
		return line{plain("SoftLayer's books were read just now and still do not show it for sure. Nothing was changed. " + name(c.Request))}
	}
	return clickWords(c, err, "settle")
}

// openFor opens a modal for a request. Nothing that could be slow stands between the
// click and views.open: who may is decided when it is submitted.
func (a *App) openFor(ctx context.Context, i Interaction, view func(cancellation.Request) slack.ModalViewRequest) After {
	by := clickedBy(i)
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	who, known := a.opener(people, by, i.Action.ActionID)
	if !known {
		return a.whisper(i, line{bold("Nothing was opened."), plain(" " + unspoken)})
	}
	r, err := a.desk.Request(ctx, i.Action.Value)
	if err != nil {
		return a.whisper(i, clickWords(cancellation.Click{}, err, "see"))
	}
	if d := a.mayOpen(who, i, r); d.Effect == authz.Refused {
		return a.whisper(i, line{bold("Nothing was opened."), plain(" You may not do this: " + ended(shown(d.Reason)) + " Rule " + shown(d.Rule))})
	}
	if _, _, err := a.web.OpenView(ctx, i.TriggerID, view(r)); err != nil {
		a.log.Warn("opening a form for a click", "user", i.User, "err", err)
		return a.whisper(i, line{bold("Nothing was opened."), plain(" Slack did not take it: press again.")})
	}
	return nil
}

// opener is who pressed. A form that only asks opens while memberships are not known yet;
// details show addresses and costs, and are for nobody whose groups could not be read.
func (a *App) opener(ctx context.Context, by cancellation.Person, action string) (who authz.Principal, known bool) {
	if action != detailsAction {
		return a.directory.Cached(ctx, by)
	}
	who, err := a.directory.Principal(ctx, by, peopleAge)
	if err != nil {
		a.log.Warn("reading who asks for details", "user", by.ID, "err", err)
	}
	return who, err == nil
}

// mayOpen decides whether a form may open: approvers' forms for anyone who could approve
// something, a decline for those who approved the request too, and a server's addresses and
// cost for anyone who could ask as well.
func (a *App) mayOpen(who authz.Principal, i Interaction, r cancellation.Request) authz.Decision {
	d := a.policy.MayApproveAtAll(who)
	if i.Action.ActionID == declineAction && r.ApprovedBy(cancellation.Person{Team: who.Team, ID: who.User}) {
		return authz.Decision{Effect: authz.Allowed}
	}
	if d.Effect == authz.Refused && i.Action.ActionID == detailsAction {
		return a.policy.MayAskAtAll(who, i.Channel, a.desk.Account.ID)
	}
	return d
}
