package slackui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// submit answers a submission. Only a submission with the chosen server's card, no older than
// allowed, goes to the desk: it is decided on what the person saw.
func (a *App) submit(ctx context.Context, i receive.Interaction) receive.Reply {
	if i.View == nil {
		return receive.PushView(words.BrokenForm(a.words.Command))
	}
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
		return receive.PushView(words.BrokenForm(a.words.Command))
	}
	if err != nil { // the card is lost, not the form: it is read again
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
	}
	t, err := parse(*i.View, meta.server())
	if err != nil {
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
		return receive.PushView(words.BrokenForm(a.words.Command))
	}
	if t.Server == 0 {
		return receive.FieldError(words.ServerBlock, words.ChooseServer)
	}
	if meta.Card == nil || t.Server != meta.server() {
		return a.freshCard(ctx, i, meta, t)
	}
	return a.decide(ctx, i, meta, t)
}

// decide takes a submission for the server on the card to the desk.
func (a *App) decide(ctx context.Context, i receive.Interaction, meta metadata, t words.Typed) receive.Reply {
	s := a.submission(i, meta, t)
	now, err := a.desk.Now(ctx)
	if err != nil {
		return a.undecided(ctx, s, err)
	}
	if !meta.Card.Fresh(now) {
		if before, err := a.desk.Recorded(ctx, s); err == nil {
			return a.replyTo(ctx, before, s)
		}
		return a.freshCard(ctx, i, meta, t)
	}
	if unconfirmed(*meta.Card, t) {
		found := words.Problems(s, s.Problems())
		found[words.BlockOf(words.WarningsBlock, t.Server)] = words.TickWarnings
		return receive.FieldErrors(found)
	}
	answer, err := a.desk.Submit(ctx, s)
	a.openings.forget(i.User) // a slot may be taken
	if err != nil {
		return a.undecided(ctx, s, err)
	}
	return a.replyTo(ctx, answer, s)
}

// unconfirmed reports whether the card has a warning that was not ticked. A card that
// blocks asks for none.
func unconfirmed(c cancellation.Card, t words.Typed) bool {
	all, _ := c.Server.Warnings(c.ReadAt)
	return len(c.Blockers()) == 0 &&
		slices.ContainsFunc(all, func(warning string) bool { return !slices.Contains(t.Warnings, warning) })
}

func (a *App) submission(i receive.Interaction, meta metadata, t words.Typed) cancellation.Submission {
	return cancellation.Submission{
		Installation: a.team, View: i.View.ID, By: meta.By, Place: meta.place(), Card: *meta.Card,
		Associated: t.Associated, Reason: t.Reason, Content: t.Content, Confirmation: t.Confirmation,
	}
}

// freshCard returns the form with the chosen server's card as it is now. If it cannot be
// read, or Slack would not take back what was typed, the form stays as it is.
func (a *App) freshCard(ctx context.Context, i receive.Interaction, meta metadata, t words.Typed) receive.Reply {
	if cancellation.TooLong(t.Content) {
		return receive.FieldError(words.ContentBlock, words.ContentTooLong)
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if why := a.unseeing(reading, meta); why != "" {
		return receive.FieldError(words.ServerBlock, words.Unseen(why))
	}
	card, err := a.desk.Look(reading, t.Server)
	if err != nil {
		a.log.Warn("reading a card for a submission", "server", t.Server, "err", err)
		return receive.FieldError(words.ServerBlock, words.SubmittedUnread(err))
	}
	if t.Server == meta.server() { // no further read comes before the acknowledgement
		card.Stays = meta.Card.Stays
	}
	sealed, err := a.sealer.seal(ctx, meta.with(&card))
	if err != nil {
		a.log.Error("sealing a card", "server", t.Server, "err", err)
		return receive.FieldError(words.ServerBlock, words.CardNotKept)
	}
	if t.Server != meta.server() { // typed for another server
		t.Warnings, t.Associated, t.Confirmation = nil, false, ""
	}
	a.choices.note(i.View.ID, "") // a card that is still on its way is older
	f := a.form(ctx, meta, t)
	f.Refused = a.foretell(reading, meta, &card)
	f.Card, f.Note = &card, words.CardJustRead
	answer := receive.UpdateView(a.words.Modal(f, sealed))
	if len(answer) > receive.MaxReply { // fields whose block stays keep what was typed
		f.Typed.Content = ""
		answer = receive.UpdateView(a.words.Modal(f, sealed))
	}
	return answer
}

// replyTo shows what became of a submission.
func (a *App) replyTo(ctx context.Context, answer cancellation.Answer, s cancellation.Submission) receive.Reply {
	switch answer.Kind {
	case cancellation.AnswerAccepted:
		a.choices.end(s.View) // no card that is still on its way, or comes again, takes the answer's place
		return receive.UpdateView(words.Recorded(answer.Request, a.frozen(ctx)))
	case cancellation.AnswerDenied:
		return receive.PushView(a.words.Denied(answer.Request))
	case cancellation.AnswerHeld:
		return receive.PushView(a.words.Held(answer.Held))
	case cancellation.AnswerBlocked:
		return receive.FieldError(words.ServerBlock, words.Blocked(s.Card, answer.Blockers[0]))
	case cancellation.AnswerTooMany:
		return receive.FieldError(words.ServerBlock, words.DayIsFull(a.desk.Terms.ServersPerDay))
	case cancellation.AnswerUnseen:
		return receive.FieldError(words.ServerBlock, words.NobodyNotified)
	case cancellation.AnswerNobody:
		return receive.FieldError(words.ServerBlock, a.words.NotEnoughPeople())
	case cancellation.AnswerWrong:
		return receive.FieldErrors(words.Problems(s, answer.Problems))
	}
	a.log.Error("answering a submission: unknown kind", "kind", answer.Kind)
	return receive.PushView(a.words.NotKnown(answer.Request.Ref))
}

// undecided answers a submission that the desk could not decide. If an earlier delivery recorded
// it, it gets that delivery's answer: it must not say that nothing was recorded.
func (a *App) undecided(ctx context.Context, s cancellation.Submission, err error) receive.Reply {
	before, looked := a.desk.Recorded(ctx, s)
	if looked == nil {
		return a.replyTo(ctx, before, s)
	}
	a.log.Error("deciding a submission", "user", s.By.ID, "server", s.Card.Server.ID, "err", err)
	if lost, ok := errors.AsType[*cancellation.UnclearError](err); ok {
		return receive.PushView(a.words.NotKnown(lost.Ref))
	}
	if errors.Is(looked, cancellation.ErrUnclear) || !errors.Is(looked, cancellation.ErrNoRequest) {
		return receive.PushView(a.words.NotKnown("")) // an earlier delivery may have been recorded
	}
	if errors.Is(err, cancellation.ErrPeopleUnread) {
		return receive.FieldError(words.ServerBlock, a.words.SubmitterUnread(err))
	}
	return receive.FieldError(words.ServerBlock, a.words.NotWritten())
}

// errIncomplete says that a submission lacks a field that its form has.
var errIncomplete = errors.New("a field of the form is missing")

// parse reads a submitted form with the card of this server (0 for none): the
// inverse of words.Writer.Modal. The values are as the person left them; whether they will
// do is for the domain to say.
func parse(v receive.View, card int64) (words.Typed, error) {
	if v.CallbackID != words.FormCallback {
		return words.Typed{}, fmt.Errorf("a form called %.60q: %w", v.CallbackID, errNotOurs)
	}
	t := read(v, card)
	for _, block := range []string{words.ServerBlock, words.ReasonBlock, words.ContentBlock} {
		if _, there := v.Values[block]; !there {
			return t, fmt.Errorf("reading field %q: %w", block, errIncomplete)
		}
	}
	return t, nil
}

// read takes what a form holds now, complete or not. Fields that belong to another
// server than the card's do not count.
func read(v receive.View, card int64) words.Typed {
	ticked := v.Values[words.BlockOf(words.AssociatedBlock, card)][words.AssociatedAction].Checked
	return words.Typed{
		Server:       serverID(v.Values[words.ServerBlock][words.ServerAction].Selected),
		Reason:       v.Values[words.ReasonBlock][words.ReasonAction].Selected,
		Content:      v.Values[words.ContentBlock][words.ContentAction].Text,
		Warnings:     v.Values[words.BlockOf(words.WarningsBlock, card)][words.WarningsAction].Checked,
		Associated:   slices.Contains(ticked, words.AssociatedValue),
		Confirmation: v.Values[words.BlockOf(words.ConfirmBlock, card)][words.ConfirmAction].Text,
	}
}

// serverID reads a server's id as an option carries it; 0 for anything else.
func serverID(value string) int64 {
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != value {
		return 0
	}
	return id
}
