package slackui

import (
	"context"
	"errors"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// clickBatch answers a button of a batch's message. is is false for another button.
func (a *App) clickBatch(ctx context.Context, i receive.Interaction) (after receive.After, is bool) {
	press := cancellation.BatchPress{Batch: i.Action.Value, By: clickedBy(i), Key: pressKey(i)}
	switch i.Action.ActionID {
	case words.BatchApproveAction:
		return a.whisper(i, a.openBatchApproval(ctx, i, press)), true
	case words.BatchDeclineAction:
		return a.whisper(i, a.openBatchDecline(ctx, i)), true
	case words.BatchWithdrawAction:
		b, _, err := a.desk.Requests.Batch(ctx, press.Batch)
		press.Digest = b.Digest // what is left of the list is withdrawn, whatever that is by now
		var click cancellation.BatchClick
		if err == nil {
			click, err = a.batches.Withdraw(ctx, press)
		}
		a.logClick(i, err)
		return a.whisper(i, a.words.BatchClicked(click, err, "withdraw")), true
	}
	return nil, false
}

// openBatchApproval shows the whole list to somebody who may approve some of it.
func (a *App) openBatchApproval(ctx context.Context, i receive.Interaction, press cancellation.BatchPress) words.Message {
	reading, cancel := context.WithTimeout(ctx, peopleTime)
	defer cancel()
	click, mine, others, err := a.batches.Approvable(reading, press)
	if err != nil || len(mine) == 0 {
		a.logClick(i, err)
		return a.words.BatchNothingToApprove(click, err)
	}
	if _, _, err := a.web.OpenView(ctx, i.TriggerID, a.words.BatchApproveForm(click.Batch, mine, others)); err != nil {
		a.log.Warn("opening a list for a click", "user", i.User, "err", err)
		return words.NothingOpenedFailed()
	}
	return words.Message{}
}

// openBatchDecline asks why. The submission decides who may.
func (a *App) openBatchDecline(ctx context.Context, i receive.Interaction) words.Message {
	b, rows, err := a.desk.Requests.Batch(ctx, i.Action.Value)
	if err != nil {
		a.logClick(i, err)
		return a.words.BatchClicked(cancellation.BatchClick{}, err, "decline")
	}
	if _, _, err := a.web.OpenView(ctx, i.TriggerID, words.BatchDeclineForm(b, rows)); err != nil {
		a.log.Warn("opening a form for a click", "user", i.User, "err", err)
		return words.NothingOpenedFailed()
	}
	return words.Message{}
}

// submitBatchForm takes what was decided about a batch in a form that a button opened.
func (a *App) submitBatchForm(ctx context.Context, i receive.Interaction) receive.Reply {
	batch, digest, ok := words.BatchOf(i.View.PrivateMetadata)
	if !ok {
		return receive.UpdateView(words.NotRecorded(words.FormUnread()))
	}
	why := words.Cut(strings.TrimSpace(i.View.Values[words.WhyBlock][words.WhyAction].Text), words.MaxWhy)
	press := cancellation.BatchPress{Batch: batch, Digest: digest, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
	verb, decide := "decline", a.batches.Decline
	if i.View.CallbackID == words.BatchApproveCallback {
		without := leftOut(i.View)
		verb, decide = "approve", func(ctx context.Context, press cancellation.BatchPress, why string) (cancellation.BatchClick, error) {
			return a.batches.Approve(ctx, press, without, why)
		}
	}
	click, err := decide(ctx, press, why)
	if errors.Is(err, cancellation.ErrWhyMissing) {
		return receive.FieldError(words.WhyBlock, words.WhyMissing)
	}
	if err != nil {
		a.log.Warn("recording what was decided about a list", "form", i.View.CallbackID, "user", i.User, "err", err)
	}
	if click.Kind == cancellation.ClickRepeated { // delivered again: it is recorded
		return nil
	}
	if problem := a.words.BatchClicked(click, err, verb); !problem.Empty() {
		return receive.UpdateView(words.NotRecorded(problem))
	}
	return nil
}

// leftOut returns the ids of the requests whose boxes are ticked.
func leftOut(v *receive.View) (ids []string) {
	for block, fields := range v.Values {
		if strings.HasPrefix(block, words.LeaveOutBlock) {
			ids = append(ids, fields[words.LeaveOutAction].Checked...)
		}
	}
	return ids
}
