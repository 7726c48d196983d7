package slackui

import (
	"context"
	"errors"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
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
	letter := words.Letter{Kind: kind, Leave: may.Leave, Late: a.late(ctx, may.Request), Replied: may.Replied}
	if may.Proposal.Text != "" {
		letter.Text, letter.Note = may.Proposal.Text, words.ProposedBy(may.Proposal)
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, enterTime)
		defer cancel()
		id, hash, err := a.openOver(ctx, i, marked(a.words.LetterForm(may.Request, letter), isHome(i)))
		switch {
		case err != nil:
			a.log.Warn("opening a form for a ticket", "user", i.User, "err", err)
			a.whisper(i, words.NothingOpenedFailed())(ctx)
		case kind == correspondence.Reply:
			a.showAnswer(ctx, displayedView{id: id, hash: hash}, may.Request, letter, isHome(i))
		}
	}
}

// letterProblem is why a person may not write; empty if they may.
func (a *App) letterProblem(may correspondence.Prospect, err error) words.Message {
	switch {
	case errors.Is(err, cancellation.ErrPeopleUnread):
		return a.words.NothingOpenedUnread(err)
	case err != nil:
		return a.words.Clicked(cancellation.Click{}, err, "see")
	case may.Leave == correspondence.Nothing:
		return a.words.NothingOpenedRefused(may.Decision)
	case may.Closed:
		return a.words.LetterNotOpen(may.Request)
	}
	return words.Message{}
}

// late reports whether it may be too late to stop. A time that cannot be read is not too late: the
// form only warns.
func (a *App) late(ctx context.Context, r cancellation.Request) bool {
	now, err := a.desk.Now(ctx)
	return err == nil && r.TooLateToStop(now)
}

// showAnswer puts what staff wrote last into a form of a reply, or why that is not known. home says that
// the form was opened from a Home tab.
func (a *App) showAnswer(ctx context.Context, at displayedView, r cancellation.Request, l words.Letter, home bool) {
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
	if _, err := a.web.UpdateView(ctx, at.id, at.hash, marked(view, home)); err != nil {
		a.log.Info("showing the answer in a form for a ticket", "ref", r.Ref.Short(), "err", err)
	}
}

// letterTime is how long a submission waits for a fresh read of the ticket.
const letterTime = 1300 * time.Millisecond

// submitLetter takes what was typed into a form for a ticket. It is decided again, and recorded before
// the form closes. If staff wrote what the form did not show, that is shown first.
func (a *App) submitLetter(ctx context.Context, i receive.Interaction, home bool) receive.Reply {
	letter := words.Letter{Kind: correspondence.Reply, Leave: correspondence.Send}
	switch i.View.CallbackID {
	case words.StopCallback:
		letter.Kind = correspondence.Stop
	case words.ProposeCallback:
		letter.Leave = correspondence.Propose
	}
	request, seen, replied, ok := words.LetterOf(i.View.PrivateMetadata)
	if !ok {
		return receive.UpdateView(words.NotRecorded(words.FormUnread()))
	}
	letter.Text, letter.Seen, letter.Replied = i.View.Values[words.TicketTextBlock][words.TicketTextAction].Text, seen, replied
	if cancellation.Blank(letter.Text) {
		return receive.FieldError(words.TicketTextBlock, words.TicketTextMissing)
	}
	press := cancellation.Press{Request: request, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	answer, err := a.letters.Write(ctx, correspondence.Draft{
		Kind: letter.Kind, Leave: letter.Leave, Press: press, Text: letter.Text, Seen: seen, Replied: replied,
	}, letterTime)
	if err != nil {
		a.log.Warn("recording a text for a ticket", "user", i.User, "err", err)
		return receive.FieldError(words.TicketTextBlock, a.words.LetterFailed(err)) // what was typed is kept
	}
	return a.letterReply(ctx, letter, answer, home)
}

// letterReply is what a person sees of what became of their text.
func (a *App) letterReply(ctx context.Context, l words.Letter, answer correspondence.Answer, home bool) receive.Reply {
	r := answer.Request
	switch answer.Outcome {
	case correspondence.Barred:
		return receive.UpdateView(a.words.LetterBarred(answer.Decision))
	case correspondence.Shut:
		return receive.UpdateView(a.words.LetterShut(r))
	case correspondence.ClosedTicket:
		return receive.UpdateView(a.words.LetterImpossible(r, words.TicketIsClosed))
	case correspondence.Hidden:
		return receive.UpdateView(a.words.LetterImpossible(r, words.TicketIsHidden))
	case correspondence.Asked:
		return receive.UpdateView(a.words.StopAskedAlready(answer.Standing, r))
	case correspondence.Unread:
		return receive.FieldError(words.TicketTextBlock, words.TicketUnreadNow)
	case correspondence.News:
		l = l.Showing(answer.Ticket)
		l.News, l.Late = true, a.late(ctx, r)
		return receive.UpdateView(marked(a.words.LetterForm(r, l), home))
	case correspondence.Replied:
		l = l.Showing(answer.Ticket)
		l.Other, l.Replied = &answer.Standing, answer.Standing.Number
		return receive.UpdateView(marked(a.words.LetterForm(r, l), home))
	case correspondence.Earlier:
		return receive.UpdateView(words.RecordedBefore(answer.Standing, l.Text))
	}
	return receive.UpdateView(words.LetterTaken(l))
}

// ticketsTime is how long the tickets of a batch may be read for a form: shorter than what follows an
// acknowledgement may take.
const ticketsTime = 25 * time.Second

// openBatchLetter opens the form for one reply to those of a batch's tickets that wait for an answer and that the
// person may answer. No call to SoftLayer comes before views.open; the form then shows what staff wrote.
func (a *App) openBatchLetter(ctx context.Context, i receive.Interaction) receive.After {
	people, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	may, err := a.letters.MayAll(people, i.Action.Value, clickedBy(i))
	problem := a.words.BatchNotAnswered(may)
	switch {
	case errors.Is(err, cancellation.ErrPeopleUnread):
		problem = a.words.NothingOpenedUnread(err)
	case err != nil:
		problem = a.words.Clicked(cancellation.Click{}, err, "see")
	}
	if !problem.Empty() {
		a.logClick(i, err)
		a.letters.NoteRefused(ctx, may)
		return a.whisper(i, problem)
	}
	return func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, ticketsTime)
		defer cancel()
		id, hash, err := a.openOver(ctx, i, words.BatchReplyReading(len(may.Rows)))
		if err != nil {
			a.log.Warn("opening a form for tickets", "user", i.User, "err", err)
			a.whisper(i, words.NothingOpenedFailed())(ctx)
			return
		}
		a.showTickets(ctx, displayedView{id: id, hash: hash}, may, isHome(i))
	}
}

// showTickets puts what staff wrote into the form for several tickets. What was not read in time is named in it. It tries
// again if Slack does not take that: until then there is no form.
func (a *App) showTickets(ctx context.Context, at displayedView, may correspondence.BatchProspect, home bool) {
	reading, cancel := context.WithTimeout(ctx, ticketsTime-whisperTime)
	defer cancel()
	letter := words.BatchLetter{Batch: may.Batch.ID, Rows: a.letters.ReadAll(reading, may.Rows), UnderWay: may.UnderWay, Refused: may.Refused}
	for _, row := range letter.Rows {
		if row.Err != nil {
			a.log.Warn("reading a ticket for a reply", "ref", row.Request.Ref.Short(), "err", row.Err)
		}
	}
	if err := a.replacePatiently(ctx, at, marked(a.words.BatchReplyForm(letter), home)); err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("showing a form for tickets", "ref", may.Rows[0].Request.Ref.Short(), "err", err)
	}
}

// submitBatchLetter takes one reply to several tickets. It is decided again, and recorded for each ticket by itself,
// before the answer says which get it.
func (a *App) submitBatchLetter(ctx context.Context, i receive.Interaction) receive.Reply {
	a.choices.end(i.View.ID) // the form was shown: another try to show it takes no answer's place
	batch, shown, ok := words.BatchLetterOf(i.View.PrivateMetadata)
	if !ok {
		return receive.UpdateView(words.NotRecorded(words.FormUnread()))
	}
	draft := correspondence.BatchDraft{
		Batch: batch, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID, Shown: shown,
		Text: i.View.Values[words.TicketTextBlock][words.TicketTextAction].Text,
	}
	for block, fields := range i.View.Values {
		if strings.HasPrefix(block, words.RepliesBlock) {
			draft.Chosen = append(draft.Chosen, fields[words.RepliesAction].Checked...)
		}
	}
	switch {
	case cancellation.Blank(draft.Text):
		return receive.FieldError(words.TicketTextBlock, words.TicketTextMissing)
	case len(draft.Chosen) == 0:
		return receive.FieldError(words.FirstRepliesBlock, words.NoTicketChosen)
	}
	answer, err := a.letters.WriteAll(ctx, draft, letterTime)
	switch {
	case err != nil:
		a.log.Warn("recording replies for tickets", "user", i.User, "err", err)
		return receive.FieldError(words.TicketTextBlock, a.words.LetterFailed(err)) // what was typed is kept
	case answer.Unread:
		return receive.FieldError(words.TicketTextBlock, words.TicketUnreadNow)
	}
	return receive.UpdateView(a.words.BatchReplied(answer, draft.Text))
}
