package waiting

import (
	"context"
	"errors"
	"fmt"

	"cancel-server/internal/cancellation"
)

// EventSettled is the kind of the event that somebody says that no answer is needed, with why.
const EventSettled = "no-answer-needed"

// Desk says who may read what staff wrote about a request, and records that it needs no answer.
type Desk struct {
	Requests *cancellation.Desk
	Waits    cancellation.Waits
}

// Sight is what a person may see of a request's answers.
type Sight struct {
	cancellation.Powers
	Asks int64 // the update for whose answer SoftLayer waits; 0 for none
}

// Look decides whether who pressed sees a request's answers: Powers.Sees. A refusal is put on record. The
// error may wrap cancellation.ErrPeopleUnread.
func (d *Desk) Look(ctx context.Context, press cancellation.Press) (s Sight, err error) {
	if s.Powers, err = d.Requests.Powers(ctx, press); err != nil {
		return s, err
	}
	if !s.Sees() {
		d.Requests.NoteRefusal(ctx, s.Powers, s.Approve)
		return s, nil
	}
	s.Asks, err = d.Waits.Asks(ctx, s.Request.ID)
	return s, err
}

// Settle records that the update which asks, and those before it, need no answer, on the word of somebody who
// sees the answers. After a *cancellation.UnclearError nobody can tell.
func (d *Desk) Settle(ctx context.Context, press cancellation.Press, asks int64, why string) (cancellation.Click, error) {
	s, err := d.Look(ctx, press)
	click := cancellation.Click{Request: s.Request, Decision: s.Approve}
	switch {
	case err != nil:
		return click, err
	case !s.Sees():
		click.Kind = cancellation.ClickRefused
		return click, nil
	}
	event := cancellation.Event{Kind: EventSettled, Actor: s.By.Team + "/" + s.By.ID, Detail: why}
	err = d.Waits.SettleWait(ctx, s.Request.ID, asks, event, press.Key)
	switch {
	case errors.Is(err, cancellation.ErrMoved):
		click.Kind = cancellation.ClickLate
		return click, nil
	case errors.Is(err, cancellation.ErrRepeated):
		click.Kind = cancellation.ClickRepeated
		return click, nil
	case errors.Is(err, cancellation.ErrUnclear):
		return click, &cancellation.UnclearError{Ref: s.Request.Ref, Err: err}
	case err != nil:
		return click, fmt.Errorf("recording that no answer is needed: %w", err)
	}
	return click, nil
}
