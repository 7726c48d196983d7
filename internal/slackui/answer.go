package slackui

import (
	"context"
	"errors"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// readAnswer opens a view at once, for a trigger lives 3 s, and then shows in it what SoftLayer's staff
// wrote, to people who may read that.
func (a *App) readAnswer(i receive.Interaction) receive.After {
	return func(ctx context.Context) {
		id, hash, err := a.web.OpenView(ctx, i.TriggerID, marked(words.AnswerOpening(), isHome(i)))
		if err != nil {
			a.log.Warn("opening an answer", "user", i.User, "err", err)
			a.tell(ctx, i.ResponseURL, i.User, words.NothingOpenedFailed())
			return
		}
		if _, err = a.web.UpdateView(ctx, id, hash, marked(a.answer(ctx, i), isHome(i))); err != nil && !errors.Is(err, webapi.ErrViewGone) {
			a.log.Warn("showing an answer", "user", i.User, "err", err)
		}
	}
}

// answer is what somebody reads who pressed to read an answer. Who they are is read before SoftLayer is.
func (a *App) answer(ctx context.Context, i receive.Interaction) words.View {
	looking, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	seen, err := a.waits.Look(looking, pressOf(i))
	if err != nil {
		a.logClick(i, err)
		return a.words.AnswerUnknown(err)
	}
	if !seen.Sees() {
		return a.words.AnswerRefused(seen.Approve)
	}
	ticket, err := a.letters.Read(looking, seen.Request)
	if err != nil {
		a.log.Warn("reading an answer", "ref", seen.Request.Ref.Short(), "err", err)
		return a.words.AnswerUnread(seen.Request)
	}
	return a.words.Answer(seen.Request, ticket.Entries, seen.Asks)
}

// openNoAnswer opens the form that asks why no answer is needed, over the answer.
func (a *App) openNoAnswer(ctx context.Context, i receive.Interaction) receive.After {
	request, _, _, ok := words.LetterOf(i.Action.Value)
	if !ok {
		return a.whisper(i, words.ButtonUnknown())
	}
	press := pressOf(i)
	press.Request = request
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	seen, err := a.waits.Look(people, press)
	switch {
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return a.whisper(i, a.words.NothingOpenedUnread(err))
	case err != nil:
		a.logClick(i, err)
		return a.whisper(i, a.words.Clicked(cancellation.Click{}, err, "see"))
	case !seen.Sees():
		return a.whisper(i, a.words.NothingOpenedRefused(seen.Approve))
	}
	return func(ctx context.Context) {
		if _, _, err := a.openOver(ctx, i, marked(words.NoAnswerForm(seen.Request, i.Action.Value), isHome(i))); err != nil {
			a.log.Warn("opening a form for a click", "user", i.User, "err", err)
			a.tell(ctx, i.ResponseURL, i.User, words.NothingOpenedFailed())
		}
	}
}

// openOver opens a view over the modal that was pressed in, if any. A Home tab is no modal.
func (a *App) openOver(ctx context.Context, i receive.Interaction, view words.View) (id, hash string, err error) {
	if i.View != nil && !i.View.Home {
		return a.web.PushView(ctx, i.TriggerID, view)
	}
	return a.web.OpenView(ctx, i.TriggerID, view)
}

// submitNoAnswer records why no answer is needed.
func (a *App) submitNoAnswer(ctx context.Context, i receive.Interaction) receive.Reply {
	request, asks, _, ok := words.LetterOf(i.View.PrivateMetadata)
	if !ok {
		return receive.UpdateView(words.NotRecorded(words.FormUnread()))
	}
	why := i.View.Values[words.WhyBlock][words.WhyAction].Text
	if cancellation.Blank(why) {
		return receive.FieldError(words.WhyBlock, words.WhyMissing)
	}
	press := cancellation.Press{Request: request, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	click, err := a.waits.Settle(ctx, press, asks, words.Cut(why, words.MaxWhy))
	if err != nil {
		a.log.Warn("recording what was typed for a button", "form", i.View.CallbackID, "user", i.User, "err", err)
	}
	problem := a.words.Clicked(click, err, "do")
	switch {
	case err == nil && click.Kind == cancellation.ClickRepeated: // delivered again: it is recorded
		return nil
	case err == nil && click.Kind == cancellation.ClickLate:
		problem = words.NothingWaits()
	}
	if !problem.Empty() {
		return receive.UpdateView(words.NotRecorded(problem))
	}
	return nil // the form closes, and leaves the answer
}
