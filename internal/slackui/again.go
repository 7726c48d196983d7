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
func (a *App) askAgain(ctx context.Context, i receive.Interaction) receive.After {
	r, err := a.desk.Request(ctx, i.Action.Value)
	if err != nil || !words.CanAskAgain(r) {
		a.log.Warn("asking again", "user", i.User, "err", err)
		return a.whisper(i, a.words.CannotAskAgain())
	}
	e := entry{from: commandOf(i), meta: placed(commandOf(i)), looksUp: words.ServerName(r)}
	if i.ThreadTS != i.MessageTS { // the root of a thread stands in the channel itself
		e.meta.Thread = i.ThreadTS
	}
	at, problem := a.enter(ctx, &e)
	if at.id == "" {
		return a.whisper(i, problem)
	}
	return func(ctx context.Context) { a.showAgain(ctx, at, e.meta, r.Submission) }
}

// placed is the metadata of a form that was asked for by a command, in or from a message, or nowhere.
func placed(c receive.Command) metadata {
	meta := metadata{Channel: c.Channel, ChannelName: words.Cut(c.ChannelName, 100)}
	if c.ResponseURL != "" {
		meta.ResponseURL, meta.Until = c.ResponseURL, time.Now().Add(responseLife).UTC().Truncate(time.Second)
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
