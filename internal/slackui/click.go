package slackui

import (
	"cmp"
	"context"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// click answers a button in a message. What the button does is on disk before the click is
// acknowledged, except for Check now. Only the clicker sees the answer. The worker changes the message itself when
// the request's state changes.
func (a *App) click(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	press := pressOf(i)
	if press.Key == "" {
		a.log.Warn("refusing a click without a trigger_id", "action", i.Action.ActionID, "user", i.User)
		return nil, a.whisper(i, words.PressUnread())
	}
	if after, is := a.clickBatch(ctx, i); is {
		return nil, after
	}
	forms := map[string]func(cancellation.Request) words.View{
		words.DeclineAction: words.DeclineForm, words.DetailsAction: a.words.Details,
		words.FoundAction: words.FoundForm, words.LeaveAction: words.LeaveForm,
	}
	if view := forms[i.Action.ActionID]; view != nil {
		return nil, a.whisper(i, a.openFor(ctx, i, view))
	}
	opens := map[string]func(context.Context, receive.Interaction) receive.After{
		words.AgainAction: a.askAgain, words.AnotherAction: a.askAnother,
		words.ReplyAction: a.openLetter, words.StopAction: a.openLetter, words.NoAnswerAction: a.openNoAnswer,
	}
	if open := opens[i.Action.ActionID]; open != nil {
		return nil, open(ctx, i)
	}
	switch i.Action.ActionID {
	case words.AnswerAction:
		return nil, a.readAnswer(i)
	case words.UnfreezeAction:
		return nil, a.unfreeze(ctx, i)
	case words.ApproveAction:
		click, err := a.desk.Approve(ctx, press)
		a.logClick(i, err)
		return nil, a.whisper(i, a.clicked(i, click, err, "approve"))
	case words.WithdrawAction, words.UndoAction:
		click, err := a.desk.Withdraw(ctx, press)
		a.logClick(i, err)
		return nil, a.whisper(i, a.clicked(i, click, err, "withdraw"))
	case words.TakenAction:
		click, err := a.desk.TakeOn(ctx, press)
		a.logClick(i, err)
		return nil, a.whisper(i, a.words.TakenOn(click, err))
	case words.NoneAction:
		return nil, a.whisper(i, a.foundNone(ctx, i, press))
	case words.CheckAction: // it reads SoftLayer first, for longer than an acknowledgement may take
		return nil, func(ctx context.Context) {
			click, err := a.desk.CheckNow(ctx, press)
			a.logClick(i, err)
			a.tell(ctx, i.ResponseURL, i.User, a.words.Checked(click, err))
		}
	}
	a.log.Warn("refusing a click on a button that this version does not know", "action", i.Action.ActionID)
	return nil, a.whisper(i, words.ButtonUnknown())
}

// clicked is what the clicker reads. A list does not change by itself, so there they read the new state.
func (a *App) clicked(i receive.Interaction, click cancellation.Click, err error, verb string) words.Message {
	m := a.words.Clicked(click, err, verb)
	if m.Empty() && i.View == nil && words.InList(i.Action.BlockID) {
		return words.NowIs(click.Request)
	}
	return m
}

// logClick logs why a click was not recorded; the person reads less.
func (a *App) logClick(i receive.Interaction, err error) {
	if err != nil {
		a.log.Warn("recording a click", "action", i.Action.ActionID, "user", i.User, "err", err)
	}
}

// clickedBy returns who pressed, as the payload says. What they may do is read again.
func clickedBy(i receive.Interaction) cancellation.Person {
	return askerOf(commandOf(i))
}

// pressOf returns the press of a button of a request's message.
func pressOf(i receive.Interaction) cancellation.Press {
	return cancellation.Press{Request: i.Action.Value, By: clickedBy(i), Key: pressKey(i)}
}

// pressKey returns the key of a press, or "" if Slack sent none.
func pressKey(i receive.Interaction) string {
	if i.TriggerID == "" {
		return ""
	}
	return i.Action.ActionID + " " + i.TriggerID
}

// foundNone sends a stuck request once more, on the word of the person who pressed. It counts only
// for the stuck state that the message showed: they cannot have looked for a ticket that was sent
// later.
func (a *App) foundNone(ctx context.Context, i receive.Interaction, press cancellation.Press) words.Message {
	id, since, ok := words.StuckOf(press.Request)
	if !ok {
		return a.words.NoneUnread()
	}
	press.Request = id
	click, err := a.desk.ResolveByClick(ctx, press, cancellation.Resolution{Finding: cancellation.FoundNone, Why: "looked at IBM Cloud's cases", Stuck: since})
	a.logClick(i, err)
	return a.words.Clicked(click, err, "resolve")
}

// openFor opens a modal for a request, or returns what the person reads instead. Nothing that could
// be slow comes before views.open: the trigger lives 3 s. The submission decides who may.
func (a *App) openFor(ctx context.Context, i receive.Interaction, view func(cancellation.Request) words.View) words.Message {
	by := clickedBy(i)
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	policy := a.policy()
	who, err := a.opener(people, policy, by, i.Action.ActionID)
	if err != nil {
		return a.words.NothingOpenedUnread(err)
	}
	r, err := a.desk.Request(ctx, i.Action.Value)
	if err != nil {
		return a.words.Clicked(cancellation.Click{}, err, "see")
	}
	if d := a.mayOpen(policy, who, i, r); d.Effect == authz.Refused {
		return a.words.NothingOpenedRefused(d)
	}
	if _, _, err := a.web.OpenView(ctx, i.TriggerID, marked(view(r), isHome(i))); err != nil {
		a.log.Warn("opening a form for a click", "user", i.User, "err", err)
		return words.NothingOpenedFailed()
	}
	return words.Message{}
}

// opener returns who pressed. A form that only asks may open before their groups are known. Details
// show addresses and costs, so they need the groups.
func (a *App) opener(ctx context.Context, policy *authz.Policy, by cancellation.Person, action string) (who authz.Principal, unread error) {
	if action != words.DetailsAction {
		return a.directory.Cached(ctx, by, policy.GroupIDs())
	}
	who, err := a.directory.Principal(ctx, by, policy.GroupIDs(), peopleAge)
	if err != nil {
		a.log.Warn("reading who asks for details", "user", by.ID, "err", err)
	}
	return who, err
}

// mayOpen decides whether a form may open: an approver's form for anyone who could approve
// something, a decline also for those who approved the request, and a server's addresses and cost
// also for anyone who could ask.
func (a *App) mayOpen(policy *authz.Policy, who authz.Principal, i receive.Interaction, r cancellation.Request) authz.Decision {
	d := policy.MayApproveAtAll(who)
	if i.Action.ActionID == words.DeclineAction && r.ApprovedBy(cancellation.Person{Team: who.Team, ID: who.User}) {
		return authz.Decision{Effect: authz.Allowed}
	}
	if d.Effect == authz.Refused && i.Action.ActionID == words.DetailsAction {
		return policy.MayAskAtAll(who, cmp.Or(i.Channel, r.Submission.Place.Channel), a.desk.Account.ID)
	}
	return d
}
