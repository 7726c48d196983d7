package slackui

import (
	"context"

	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// entry is how somebody comes to the form.
type entry struct {
	from    receive.Command                 // who asks and where; a click or a shortcut as the command that it stands for
	meta    metadata                        // where the result goes; By is who asks, set by enter
	looksUp string                          // what the form says it is looking up; "" opens it with no server
	find    func(ctx context.Context) match // which server the open form is to show; nil: none

	openings *openings // what is remembered and may open the form; nil for a click
}

// enterLater opens a form after the acknowledgement, and shows the server that it finds. What goes
// wrong reaches the person by response_url, or by direct message.
func (a *App) enterLater(e entry) receive.After {
	e.openings = a.openings
	return func(ctx context.Context) {
		entering, cancel := context.WithTimeout(ctx, enterTime)
		defer cancel()
		at, problem := a.enter(entering, &e)
		a.tell(entering, e.from.ResponseURL, e.from.User, problem)
		if at.id != "" && e.find != nil {
			a.showFound(ctx, at, e.meta, e.find)
		}
	}
}

// enter opens a form for anyone who may ask. at and problem are as [App.openView] has them. A trigger
// lives 3 s, so nothing that could take longer comes before views.open.
func (a *App) enter(ctx context.Context, e *entry) (at displayedView, problem words.Message) {
	by, refused := a.mayAsk(ctx, *e)
	if !refused.Empty() {
		return at, refused
	}
	e.meta.By = by
	return a.openEntry(ctx, *e)
}

// openEntry opens the form with no server, or the modal that says what is being looked up.
func (a *App) openEntry(ctx context.Context, e entry) (at displayedView, problem words.Message) {
	sealed, err := a.sealer.seal(ctx, e.meta)
	if err != nil {
		a.log.Error("opening a form", "user", e.from.User, "err", err)
		return at, a.words.NotOpened()
	}
	view := words.LookingUp(e.looksUp, sealed)
	if e.looksUp == "" {
		view = a.words.Modal(a.form(ctx, e.meta, words.Typed{}), sealed)
	}
	return a.openView(ctx, e.from.TriggerID, e.from.User, view)
}
