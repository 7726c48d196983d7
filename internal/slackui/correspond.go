package slackui

import (
	"context"
	"errors"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// letterKinds are the kinds of texts by the buttons that ask for them.
var letterKinds = map[string]correspondence.Kind{
	words.ReplyAction: correspondence.Reply, words.StopAction: correspondence.Stop,
}

// openLetter opens the form for a text into a request's ticket, for who may write one. No call to
// SoftLayer comes before views.open; the form of a reply then shows what staff wrote last.
func (a *App) openLetter(ctx context.Context, i receive.Interaction) receive.After {
	kind := letterKinds[i.Action.ActionID]
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	may, err := a.letters.May(people, kind, pressOf(i))
	if problem := a.letterProblem(may, err); !problem.Empty() {
		a.logClick(i, err)
		return a.whisper(i, problem)
	}
	letter := words.Letter{Kind: kind, Leave: may.Leave, Late: a.late(ctx, may.Request)}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, enterTime)
		defer cancel()
		id, hash, err := a.web.OpenView(ctx, i.TriggerID, a.words.LetterForm(may.Request, letter))
		switch {
		case err != nil:
			a.log.Warn("opening a form for a ticket", "user", i.User, "err", err)
			a.tell(ctx, i.ResponseURL, i.User, words.NothingOpenedFailed())
		case kind == correspondence.Reply:
			a.showAnswer(ctx, displayedView{id: id, hash: hash}, may.Request, letter)
		}
	}
}

// letterProblem is why a person may not write; empty if they may.
func (a *App) letterProblem(may correspondence.Prospect, err error) words.Message {
	switch {
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return words.NothingOpenedUnread()
	case err != nil:
		return words.Clicked(cancellation.Click{}, err, "see")
	case may.Leave == correspondence.Nothing:
		return words.NothingOpenedRefused(may.Decision)
	case may.Closed:
		return a.words.LetterNotOpen(may.Request)
	}
	return words.Message{}
}

// late reports whether it may be too late to stop. A time that cannot be read is not too late: the
// form only warns.
func (a *App) late(ctx context.Context, r cancellation.Request) bool {
	now, err := a.desk.Now(ctx)
	return err == nil && words.TooLateToStop(r, now)
}

// showAnswer puts what staff wrote last into a form of a reply, or why that is not known.
func (a *App) showAnswer(ctx context.Context, at displayedView, r cancellation.Request, l words.Letter) {
	ticket, err := a.letters.Read(ctx, r)
	view := a.words.LetterForm(r, l.Showing(ticket))
	switch {
	case errors.Is(err, cancellation.ErrTicketHidden), errors.Is(err, cancellation.ErrReadRefused):
		a.log.Warn("reading a ticket for a reply", "ref", r.Ref.Short(), "err", err)
		view = a.words.LetterImpossible(r, words.TicketIsHidden)
	case err != nil:
		a.log.Warn("reading a ticket for a reply", "ref", r.Ref.Short(), "err", err)
		return // the submission reads it again
	case !ticket.Open:
		view = a.words.LetterImpossible(r, words.TicketIsClosed)
	}
	if _, err := a.web.UpdateView(ctx, at.id, at.hash, view); err != nil {
		a.log.Info("showing the answer in a form for a ticket", "ref", r.Ref.Short(), "err", err)
	}
}

// letterTime is how long a submission waits for a fresh read of the ticket.
const letterTime = 1500 * time.Millisecond
