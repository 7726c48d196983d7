package slackui

import (
	"cmp"
	"context"
	"errors"
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
	e := entryFrom(i)
	e.looksUp = words.ServerName(r)
	at, problem := a.enter(ctx, &e)
	if at.id == "" {
		return a.whisper(i, problem)
	}
	return func(ctx context.Context) { a.showAgain(ctx, at, e.meta, r.Submission) }
}

// entryFrom is how somebody comes to the form by a button in a message. The result goes where the message is.
func entryFrom(i receive.Interaction) entry {
	e := entry{from: commandOf(i), meta: placed(commandOf(i))}
	if i.ThreadTS != i.MessageTS { // the root of a thread stands in the channel itself
		e.meta.Thread = i.ThreadTS
	}
	return e
}

// askAnother opens the form for one more server, with the reason and the description of the request whose message was
// pressed in. Nobody but its requester gets that: the description may be for few eyes.
func (a *App) askAnother(ctx context.Context, i receive.Interaction) receive.After {
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	powers, err := a.desk.Powers(people, pressOf(i))
	switch {
	case errors.Is(err, cancellation.ErrPeopleUnread):
		a.logClick(i, err)
		return a.whisper(i, a.words.NothingOpenedUnread(err))
	case err != nil:
		a.logClick(i, err)
		return a.whisper(i, a.words.Clicked(cancellation.Click{}, err, "see"))
	case !powers.Requester:
		return a.whisper(i, a.words.AnotherIsTheirs())
	}
	before, e := powers.Request.Submission, entryFrom(i)
	e.typed = words.Typed{Reason: before.Reason, Content: strings.ToValidUTF8(before.Content, "")}
	_, problem := a.enter(ctx, &e)
	return a.whisper(i, problem)
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
