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
	by, id := clickedBy(i), i.Action.Value
	switch i.Action.ActionID {
	case againAction:
		return a.askAgain(ctx, i)
	case approveAction:
		click, err := a.desk.Approve(ctx, id, by)
		return nil, a.whisper(i, clickWords(click, err, "approve"))
	case withdrawAction, undoAction:
		click, err := a.desk.Withdraw(ctx, id, by, "")
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
		click, err := a.desk.Settle(ctx, id, by, cancellation.Resolution{Finding: cancellation.FoundNone, Why: "looked at IBM Cloud's cases"})
		return nil, a.whisper(i, clickWords(click, err, "settle"))
	case checkAction: // it only reads, as long as that takes
		return nil, func(ctx context.Context) {
			click, err := a.desk.CheckNow(ctx, id, by)
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
	if d := a.mayOpen(who, i); d.Effect == authz.Refused {
		return a.whisper(i, line{bold("Nothing was opened."), plain(" You may not do this: " + ended(shown(d.Reason)) + " Rule " + shown(d.Rule))})
	}
	r, err := a.desk.Journal.Request(ctx, i.Action.Value)
	if err != nil {
		return a.whisper(i, clickWords(cancellation.Click{}, err, "see"))
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

// mayOpen decides whether a form may open: approvers' forms for whoever could approve
// something, and a server's addresses and cost for whoever could ask as well.
func (a *App) mayOpen(who authz.Principal, i Interaction) authz.Decision {
	d := a.policy.MayApproveAtAll(who)
	if d.Effect == authz.Refused && i.Action.ActionID == detailsAction {
		return a.policy.MayAskAtAll(who, i.Channel, a.desk.Account.ID)
	}
	return d
}
