package slackui

import (
	"context"
	"errors"
	"slices"

	"github.com/slack-go/slack"

	"cancel-server/internal/cancellation"
)

// maxAnswerBytes is what an acknowledgement may hold; Socket Mode takes 20,480.
const maxAnswerBytes = 18_000

// submit answers a submission. Only one whose card is the chosen server's, and
// young enough, goes to the desk: it is decided on what the person saw.
func (a *App) submit(ctx context.Context, i Interaction) Reply {
	if i.View == nil {
		return push(brokenForm(a.commandName))
	}
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if errors.Is(err, errNotOurs) {
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
		return push(brokenForm(a.commandName))
	}
	if err != nil { // the card is lost, not the form: it is read anew
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
	}
	t, err := parse(*i.View, meta.server())
	if err != nil {
		a.log.Warn("reading a submission", "user", i.User, "view", i.View.ID, "err", err)
		return push(brokenForm(a.commandName))
	}
	if t.Server == 0 {
		return fieldError(serverBlock, "Choose a server from the list. Nothing was filed.")
	}
	if meta.Card == nil || t.Server != meta.server() {
		return a.freshCard(ctx, i, meta, t)
	}
	return a.decide(ctx, i, meta, t)
}

// decide takes a submission for the server on the card to the desk.
func (a *App) decide(ctx context.Context, i Interaction, meta metadata, t typed) Reply {
	s := a.submission(i, meta, t)
	now, err := a.desk.Now(ctx)
	if err != nil {
		return a.undecided(ctx, s, err)
	}
	if !meta.Card.Fresh(now) {
		if before, err := a.desk.Recorded(ctx, s); err == nil {
			return a.answer(ctx, before, s)
		}
		return a.freshCard(ctx, i, meta, t)
	}
	if unconfirmed(*meta.Card, t) {
		found := problemsAt(s, s.Problems())
		found[belongs(warningsBlock, t.Server)] = "Tick each of these, or keep the server. Nothing was filed."
		return reply(slack.NewErrorsViewSubmissionResponse(found))
	}
	answer, err := a.desk.Submit(ctx, s)
	if err != nil {
		return a.undecided(ctx, s, err)
	}
	return a.answer(ctx, answer, s)
}

// unconfirmed reports whether the card has a warning that was not ticked. A card that
// blocks asks for none.
func unconfirmed(c cancellation.Card, t typed) bool {
	return len(c.Blockers()) == 0 &&
		slices.ContainsFunc(warnings(c), func(warning string) bool { return !slices.Contains(t.Warnings, warning) })
}

func (a *App) submission(i Interaction, meta metadata, t typed) cancellation.Submission {
	return cancellation.Submission{
		Installation: a.team, View: i.View.ID, By: meta.By, Place: meta.place(), Card: *meta.Card,
		Associated: t.Associated, Reason: t.Reason, Content: t.Content, Confirmation: t.Confirmation,
	}
}

// freshCard answers with the chosen server's card as it is now. If it cannot be
// read, or Slack would not take back what was typed, the form stays as it is.
func (a *App) freshCard(ctx context.Context, i Interaction, meta metadata, t typed) Reply {
	if cancellation.TooLong(t.Content) {
		return fieldError(contentBlock, contentTooLong)
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if why := a.unseeing(reading, meta); why != "" {
		return fieldError(serverBlock, why+" Nothing was filed.")
	}
	card, err := a.desk.Look(reading, t.Server)
	if err != nil {
		a.log.Warn("reading a card for a submission", "server", t.Server, "err", err)
		return fieldError(serverBlock, lookFailed(err)+" Nothing was filed, and what you typed is kept: press Request cancellation once more.")
	}
	sealed, err := a.sealer.seal(ctx, meta.with(&card))
	if err != nil {
		a.log.Error("sealing a card", "server", t.Server, "err", err)
		return fieldError(serverBlock, "The server's card could not be kept. Nothing was filed: press Request cancellation once more.")
	}
	if t.Server != meta.server() { // typed for another server
		t.Warnings, t.Associated, t.Confirmation = nil, false, ""
	}
	a.choices.note(i.View.ID, "") // a card that is still on its way is older
	f := a.form(ctx, meta, t)
	f.refused = a.foretell(reading, meta, &card)
	f.card, f.note = &card, "This card was read just now. Nothing was filed: check it, and press Request cancellation once more."
	answer := update(a.words.modal(f, sealed))
	if len(answer) > maxAnswerBytes { // fields whose block stays keep what was typed
		f.typed.Content = ""
		answer = update(a.words.modal(f, sealed))
	}
	return answer
}

// answer shows what became of a submission.
func (a *App) answer(ctx context.Context, answer cancellation.Answer, s cancellation.Submission) Reply {
	switch answer.Kind {
	case cancellation.AnswerAccepted:
		a.choices.end(s.View) // no card that is still on its way, or comes again, takes the answer's place
		return update(recorded(answer.Request, a.frozen(ctx)))
	case cancellation.AnswerDenied:
		return push(denied(answer.Request))
	case cancellation.AnswerHeld:
		return push(a.words.held(answer.Held))
	case cancellation.AnswerBlocked:
		return fieldError(serverBlock, blockedError(s.Card, answer.Blockers[0]))
	case cancellation.AnswerTooMany:
		return fieldError(serverBlock, "Nothing was filed: "+a.tooMany())
	case cancellation.AnswerUnseen:
		return fieldError(serverBlock, "This needs the approval of other people, and here nobody would be shown it. Nothing was filed: ask again in a channel that this bot is in.")
	case cancellation.AnswerNobody:
		return fieldError(serverBlock, "This needs the approval of other people, and by the policy there are not enough who could give it. Nothing was filed: whoever runs this bot can say more.")
	case cancellation.AnswerWrong:
		return reply(slack.NewErrorsViewSubmissionResponse(problemsAt(s, answer.Problems)))
	}
	a.log.Error("answering a submission: unknown kind", "kind", answer.Kind)
	return push(notKnown(answer.Request.Ref))
}

// undecided answers a submission that the desk could not decide. One that an
// earlier delivery recorded gets that answer: it must not hear that nothing was.
func (a *App) undecided(ctx context.Context, s cancellation.Submission, err error) Reply {
	before, looked := a.desk.Recorded(ctx, s)
	if looked == nil {
		return a.answer(ctx, before, s)
	}
	a.log.Error("deciding a submission", "user", s.By.ID, "server", s.Card.Server.ID, "err", err)
	if lost, ok := errors.AsType[*cancellation.UnclearError](err); ok {
		return push(notKnown(lost.Ref))
	}
	if errors.Is(looked, cancellation.ErrUnclear) || !errors.Is(looked, cancellation.ErrNoRequest) {
		return push(notKnown("")) // an earlier delivery may have been recorded
	}
	if errors.Is(err, cancellation.ErrPeopleUnread) {
		return fieldError(serverBlock, "Slack did not say in time who you are and which groups you are in. This try was not recorded: try again.")
	}
	return fieldError(serverBlock, "This try was not recorded: the bot could not write it down. Try again; if it stays so, tell whoever runs this bot.")
}

func blockedError(c cancellation.Card, b cancellation.Blocker) string {
	return "Cannot be cancelled here: " + blockedWords(c, b) + ". Nothing was filed."
}

// lookFailed says why there is no card.
func lookFailed(err error) string {
	vanished, is := errors.AsType[*cancellation.VanishedError](err)
	switch {
	case is:
		return "SoftLayer did not find this server just now. Its cancellation was requested (" + vanished.Ref.Short() + "). Whether it is gone is known after " + instant(vanished.Known) + "."
	case errors.Is(err, cancellation.ErrServerNotFound):
		return "SoftLayer has no such server, or this key may not see it."
	}
	return "SoftLayer did not answer about this server."
}

// problemsAt puts each problem at its field.
func problemsAt(s cancellation.Submission, problems []cancellation.Problem) map[string]string {
	confirm := belongs(confirmBlock, s.Card.Server.ID)
	found := make(map[string]string)
	for _, problem := range problems {
		switch problem {
		case cancellation.ProblemReason:
			found[reasonBlock] = "Choose one of the ten reasons."
		case cancellation.ProblemContentEmpty:
			found[contentBlock] = "Say what ran here and why it can go: SoftLayer takes no empty text."
		case cancellation.ProblemContentLong:
			found[contentBlock] = contentTooLong
		case cancellation.ProblemAssociated:
			found[serverBlock] = "This card showed no associated items that could go too. Choose the server again."
		case cancellation.ProblemConfirmation:
			found[confirm] = "This is not the name of the server on the card: " + shown(s.Card.Server.FQDN)
		case cancellation.ProblemShortName:
			found[confirm] = "Another server may have this short name too. Type all of it: " + shown(s.Card.Server.FQDN)
		}
	}
	return found
}

const contentTooLong = "At most 3,000 characters."

func fieldError(block, text string) Reply {
	return reply(slack.NewErrorsViewSubmissionResponse(map[string]string{block: text}))
}

// update puts a view in the form's place.
func update(view slack.ModalViewRequest) Reply {
	return reply(slack.NewUpdateViewSubmissionResponse(&view))
}

// push puts a view over the form, which stays and can be corrected.
func push(view slack.ModalViewRequest) Reply {
	return reply(slack.NewPushViewSubmissionResponse(&view))
}
