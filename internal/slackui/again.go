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
	meta := placed(commandOf(i), by)
	if i.ThreadTS != i.MessageTS { // the root of a thread stands in the channel itself
		meta.Thread = i.ThreadTS
	}
	return nil, a.openLooking(ctx, i, meta, words.ServerName(r), func(ctx context.Context, at displayedView) {
		a.showAgain(ctx, at, meta, r.Submission)
	})
}

// placed is the metadata of a form that was asked for by a command, in or from a message, or nowhere.
func placed(c receive.Command, by cancellation.Person) metadata {
	meta := metadata{Channel: c.Channel, ChannelName: words.Cut(c.ChannelName, 100), By: by}
	if c.ResponseURL != "" {
		meta.ResponseURL, meta.Until = c.ResponseURL, time.Now().Add(responseLife).UTC().Truncate(time.Second)
	}
	return meta
}

// commandOf is a click or a shortcut as the command that it stands for: the same checks are made.
func commandOf(i receive.Interaction) receive.Command {
	return receive.Command{
		Team: cmp.Or(i.UserTeam, i.Team), Enterprise: i.Enterprise, User: i.User, UserName: i.UserName,
		Channel: i.Channel, ChannelName: i.ChannelName, ResponseURL: i.ResponseURL, TriggerID: i.TriggerID,
	}
}

// openLooking opens the modal that says what is being looked up, and fills it afterwards. Nothing
// that could be slow stands before it: the trigger lives 3 s.
func (a *App) openLooking(ctx context.Context, i receive.Interaction, meta metadata, what string, fill func(context.Context, displayedView)) receive.After {
	at, problem := a.openView(ctx, i.TriggerID, i.User, meta, lookingUp(what))
	if at.id == "" {
		return a.whisper(i, problem)
	}
	return func(ctx context.Context) { fill(ctx, at) }
}

// showAgain fills the form with what an earlier request asked for. It leaves out what a person
// has to confirm on the fresh card: the warnings, the typed name, and the cancelling of associated
// items if those have changed.
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
