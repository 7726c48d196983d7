package slackui

import (
	"context"
	"errors"
	"strconv"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// finding is what a name, or the names in a message, lead to: the card of the one server
// that is meant, or what to say and which servers may be meant.
type finding struct {
	card   *cancellation.Card
	note   string
	offers []cancellation.Server
}

// on puts what was found into a form.
func (found finding) on(f words.Form) words.Form {
	f.Card, f.Note, f.Offers = found.card, found.note, found.offers
	return f
}

// showOffered shows the card of a server that was chosen by its button. The field for the
// server leaves the view first: one that stays would keep that nothing was chosen in it.
func (a *App) showOffered(ctx context.Context, at displayedView, i receive.Interaction, server int64) {
	if _, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User); errors.Is(err, errNotOurs) {
		a.log.Warn("reading a choice", "user", i.User, "view", at.id, "err", err)
		return
	}
	err := a.replace(ctx, at, words.LookingUp("server "+strconv.FormatInt(server, 10), i.View.PrivateMetadata))
	if err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("clearing a form for a choice", "view", at.id, "err", err)
	}
	if hash := a.choices.hash(at.id); hash != "" {
		at.hash = hash
	}
	a.showChosen(ctx, at, i, server)
}
