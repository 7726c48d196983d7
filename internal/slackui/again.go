package slackui

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// askAgain opens the form for anyone who pressed "Ask again" and may ask. It is filled in as
// the request was, with the server's card as it is now. The result goes where the message is.
func (a *App) askAgain(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	r, err := a.desk.Request(ctx, i.Action.Value)
	if err != nil || !words.CanAskAgain(r) {
		a.log.Warn("asking again", "user", i.User, "err", err)
		return nil, a.whisper(i, a.words.CannotAskAgain())
	}
	by, refused := a.mayAsk(ctx, commandOf(i))
	if !refused.Empty() {
		return nil, a.whisper(i, refused)
	}
	meta := placed(i, by)
	if i.ThreadTS != i.MessageTS { // the root of a thread stands in the channel itself
		meta.Thread = i.ThreadTS
	}
	at, problem := a.openLooking(ctx, i, meta, words.ServerName(r))
	switch {
	case !problem.Empty():
		return nil, a.whisper(i, problem)
	case at.id == "":
		return nil, nil
	}
	return nil, func(ctx context.Context) { a.showAgain(ctx, at, meta, r.Submission) }
}

// placed returns the metadata of a form that was opened from a message, or from nowhere.
func placed(i receive.Interaction, by cancellation.Person) metadata {
	meta := metadata{Channel: i.Channel, ChannelName: words.Cut(i.ChannelName, 100), By: by}
	if i.ResponseURL != "" {
		meta.ResponseURL, meta.Until = i.ResponseURL, time.Now().Add(responseLife).UTC().Truncate(time.Second)
	}
	return meta
}

// commandOf returns a click or a shortcut as a command, so that the same checks are made.
func commandOf(i receive.Interaction) receive.Command {
	return receive.Command{
		Team: cmp.Or(i.UserTeam, i.Team), Enterprise: i.Enterprise, User: i.User, UserName: i.UserName,
		Channel: i.Channel, ChannelName: i.ChannelName, ResponseURL: i.ResponseURL, TriggerID: i.TriggerID,
	}
}

// openLooking opens the modal that says what is being looked up. Nothing slow may run before it,
// because a trigger lives 3 s.
func (a *App) openLooking(ctx context.Context, i receive.Interaction, meta metadata, what string) (at displayedView, problem words.Message) {
	sealed, err := a.sealer.seal(ctx, meta)
	if err != nil {
		a.log.Error("opening a form", "user", i.User, "err", err)
		return at, a.words.NotOpened()
	}
	return a.openView(ctx, i.TriggerID, i.User, words.LookingUp(what, sealed))
}

// showAgain fills the form with what an earlier request asked for. It leaves out what has to be
// confirmed on the fresh card: the warnings, the typed name and, if they have changed, the
// associated items.
func (a *App) showAgain(ctx context.Context, at displayedView, meta metadata, before cancellation.Submission) {
	f := a.form(ctx, meta, words.Typed{})
	if f.Failed = a.unseeing(ctx, meta); f.Failed == "" {
		server := before.Card.Server.ID
		f.Typed = words.Typed{Server: server, Reason: before.Reason, Content: strings.ToValidUTF8(before.Content, ""), Associated: before.Associated}
		f.Card, f.Failed = a.cardOf(ctx, server)
	}
	if f.Card != nil && slices.Contains(cancellation.Changed(before.Card.Server, f.Card.Server, true), cancellation.FactAssociated) {
		f.Typed.Associated = false // the tick was for others
	}
	a.show(ctx, at, meta, f)
}
