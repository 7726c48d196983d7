package slackui

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/words"
)

// clickBatch answers a button of a batch's message, or one that opens a list. is is false for another button.
func (a *App) clickBatch(ctx context.Context, i receive.Interaction) (after receive.After, is bool) {
	press := cancellation.BatchPress{Batch: i.Action.Value, By: clickedBy(i), Key: pressKey(i)}
	switch i.Action.ActionID {
	case words.BatchApproveAction:
		return a.whisper(i, a.openBatchApproval(ctx, i, press)), true
	case words.BatchDeclineAction:
		return a.whisper(i, a.openBatchDecline(ctx, i)), true
	case words.ActionReplyBatch:
		return a.openBatchLetter(ctx, i), true
	case words.ReviewAction:
		return a.reviewClosing(ctx, i), true
	case words.ContinueAction:
		return a.continueList(ctx, i), true
	case words.BatchWithdrawAction:
		b, _, err := a.desk.Requests.Batch(ctx, press.Batch)
		press.Digest = b.Digest // what is left of the list is withdrawn, whatever that is by now
		var click cancellation.BatchClick
		if err == nil {
			click, err = a.batches.Withdraw(ctx, press)
		}
		a.logClick(i, err)
		return a.whisper(i, a.batchSaid(press, click, err, "withdraw", i.ResponseURL, a.desk.Withdraw)), true
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
	batch, digest, rows, ok := words.BatchOf(i.View.PrivateMetadata)
	if !ok {
		return receive.UpdateView(words.NotRecorded(words.FormUnread()))
	}
	why := words.Cut(strings.TrimSpace(i.View.Values[words.WhyBlock][words.WhyAction].Text), words.MaxWhy)
	press := cancellation.BatchPress{Batch: batch, Digest: digest, Rows: rows, By: clickedBy(i), Key: i.View.CallbackID + " " + i.View.ID}
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
	if click.Kind == cancellation.ClickRepeated && click.Late == 0 { // delivered again: it is recorded
		return nil
	}
	said := a.batchSaid(press, click, err, verb, "", func(ctx context.Context, press cancellation.Press) (cancellation.Click, error) {
		return a.desk.Decline(ctx, press, why)
	})
	switch {
	case said.Empty():
		return nil
	case err == nil && click.Kind == cancellation.ClickDone:
		return receive.UpdateView(words.RecordedSoFar(said))
	}
	return receive.UpdateView(words.NotRecorded(said))
}

// batchSaid returns what the clicker reads, and begins to end what the click left for later. It does not wait for that:
// SoftLayer's records are read for each request, which is not for an acknowledgement. The person is told its outcome.
func (a *App) batchSaid(press cancellation.BatchPress, click cancellation.BatchClick, err error, verb, responseURL string, end func(context.Context, cancellation.Press) (cancellation.Click, error)) words.Message {
	said := a.words.BatchClicked(click, err, verb)
	if err != nil || len(click.Later) == 0 {
		return said
	}
	err = a.lists.owner.run(func(ctx context.Context) {
		ended := a.batches.EndLater(ctx, press, click.Later, end)
		telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), enterTime)
		defer cancel()
		a.tell(telling, responseURL, press.By.ID, words.BatchEndedLater(ended))
	})
	if err != nil {
		a.log.Warn("ending the requests of a list", "user", press.By.ID, "err", err)
		return words.BatchEndedLater(cancellation.Ended{Left: len(click.Later), Why: err})
	}
	return said
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

// isList reports whether a command names several servers, or looks for them. A name with a space in it is no list.
func isList(text string) bool {
	list, err := serverlist.Parse(text)
	if _, wrong := errors.AsType[*serverlist.QueryError](err); wrong || len(list.Queries) > 0 {
		return true
	}
	fields := strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == ';' })
	return len(list.Entries) > 1 && !slices.ContainsFunc(fields, func(field string) bool { return !likeAServer(field) })
}

// serverName is the form of a host name, with any letters.
var serverName = regexp.MustCompile(`^[\pL\d]([\pL\d._-]*[\pL\d])?$`)

// likeAServer reports whether a text has the form of an id, an address, a name, or a link to one.
func likeAServer(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil || strings.HasPrefix(text, "<http") {
		return true
	}
	return serverName.MatchString(text) && (len(text) > 4 || strings.ContainsFunc(text, unicode.IsLetter))
}

// reviewClosing opens the list with the query of a closing place.
func (a *App) reviewClosing(ctx context.Context, i receive.Interaction) receive.After {
	_, problem := a.enter(ctx, &entry{from: commandOf(i), meta: placed(commandOf(i)), as: &asked{Names: [2]string{i.Action.Value}}})
	return a.whisper(i, problem)
}

// maxButton is what a button's value may hold:
// https://docs.slack.dev/reference/block-kit/block-elements/button-element
const maxButton = 2000

// listClosed ends the reading of a list that was closed, and offers to go on with it. Slack says so of a review alone.
func (a *App) listClosed(i receive.Interaction) receive.After {
	if i.View == nil || i.View.CallbackID != words.ReviewCallback {
		return nil
	}
	a.lists.under.stop(i.View.ID)
	return func(ctx context.Context) {
		meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
		if err != nil || meta.kept() == "" {
			return // there is nothing to go on with
		}
		sealed := i.View.PrivateMetadata
		if len(sealed) > maxButton {
			a.log.Warn("a list that was closed is too long to be offered again", "user", i.User)
			return
		}
		a.tell(ctx, "", i.User, words.ListKept(len(meta.Ticked), sealed))
	}
}

// continueList opens a list that was closed, to be read again.
func (a *App) continueList(ctx context.Context, i receive.Interaction) receive.After {
	meta, err := a.sealer.open(ctx, i.Action.Value, i.User)
	var d draft
	if err == nil {
		d, err = a.draft(ctx, meta.kept())
	}
	if err != nil {
		a.log.Warn("opening a list that was closed", "user", i.User, "err", err)
		if errors.Is(err, errNotOurs) || errors.Is(err, cancellation.ErrNoCard) {
			return a.whisper(i, a.words.ListGone())
		}
		return a.whisper(i, words.ListNotOpened())
	}
	e := entry{from: commandOf(i), meta: meta, as: &d.asked}
	e.from.Channel = meta.Channel
	_, problem := a.enter(ctx, &e)
	return a.whisper(i, problem)
}

// submitReview takes a reviewed list to the desk. It records all of it, or nothing.
func (a *App) submitReview(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	meta, d, err := a.opened(ctx, i)
	if err != nil {
		return a.unsent(i, err), nil
	}
	meta = meta.ticking(tickedIn(i.View))
	form := cancellation.BatchForm{Submission: a.listed(meta, d, i.View.ID), Cards: d.cards(meta.Ticked)}
	count := words.CountBlockOf(form.Digest())
	confirmed, there := i.View.Values[count]
	if !there { // another list is shown than is ticked
		return a.showChanged(ctx, i, meta, d)
	}
	form.Submission.Confirmation = confirmed[words.CountAction].Text
	if len(form.Cards) > a.lists.Most {
		return receive.FieldError(count, words.FormTakes(a.lists.Most)), nil
	}
	answer, err := a.batches.Submit(ctx, form)
	a.openings.forget(i.User) // slots may be taken
	if err != nil {
		return a.listUndecided(i, count, err), nil
	}
	return a.answerList(ctx, i, meta, d, form, answer)
}

// answerList shows what became of a list.
func (a *App) answerList(ctx context.Context, i receive.Interaction, meta metadata, d draft, form cancellation.BatchForm, answer cancellation.BatchAnswer) (receive.Reply, receive.After) {
	count := words.CountBlockOf(form.Digest())
	switch answer.Kind {
	case cancellation.BatchAccepted:
		a.choices.end(i.View.ID)
		return receive.UpdateView(words.BatchRecorded(answer.Batch, answer.Requests, a.frozen(ctx))), nil
	case cancellation.BatchWrong:
		return receive.FieldErrors(words.BatchProblems(answer.Problems, len(form.Cards), form.Digest())), nil
	case cancellation.BatchTooMany:
		return receive.FieldError(count, words.FewerLeft(answer.Room)), nil
	case cancellation.BatchTooLong:
		return receive.FieldError(count, words.FormTakes(answer.Room)), nil
	case cancellation.BatchStale:
		return a.readSent(ctx, i, meta, d, words.ReadAgain)
	case cancellation.BatchChanged:
		return a.readSent(ctx, i, meta, d, words.RowsChanged)
	}
	a.log.Error("answering a list: unknown kind", "kind", answer.Kind)
	return receive.PushView(a.words.NotKnown("")), nil
}

// readSent reads a list again that was sent, because what was read of it does not count any more.
func (a *App) readSent(ctx context.Context, i receive.Interaction, meta metadata, d draft, note string) (receive.Reply, receive.After) {
	left, err := a.batches.Left(ctx, meta.By)
	if err != nil {
		return a.atCount(i, a.words.SubmitterUnread(err)), nil
	}
	reply, after, err := a.reading(ctx, i.View.ID, meta, d.asked, left, note)
	if err != nil {
		return a.atCount(i, words.ListNotKept), nil
	}
	return reply, after
}

// showChanged shows the review of the list that is ticked now, or reads the list again if a card is too old.
func (a *App) showChanged(ctx context.Context, i receive.Interaction, meta metadata, d draft) (receive.Reply, receive.After) {
	view, err := a.reviewView(ctx, meta, d, words.ListChanged)
	if errors.Is(err, errStale) {
		return a.readSent(ctx, i, meta, d, words.ReadAgain)
	}
	if err != nil {
		return a.unsent(i, err), nil
	}
	a.choices.note(i.View.ID, "")
	return receive.UpdateView(view), nil
}

// unsent answers a list that could not be read when it was sent. A passing error leaves the review as it is.
func (a *App) unsent(i receive.Interaction, err error) receive.Reply {
	a.log.Warn("reading a review", "user", i.User, "view", i.View.ID, "err", err)
	switch {
	case errors.Is(err, errNotOurs):
		return receive.PushView(words.BrokenForm(a.words.Command))
	case errors.Is(err, cancellation.ErrNoCard):
		a.choices.end(i.View.ID)
		return receive.UpdateView(a.words.ListUnread(words.ListForgotten))
	}
	return a.atCount(i, a.words.NotWritten())
}

// atCount says what is wrong at the confirmation that a review shows, for whichever list that is.
func (a *App) atCount(i receive.Interaction, problem string) receive.Reply {
	for block := range i.View.Values {
		if strings.HasPrefix(block, words.CountBlock) {
			return receive.FieldError(block, problem)
		}
	}
	return receive.PushView(words.BrokenForm(a.words.Command)) // every review that can be sent has one
}

// listUndecided answers a list that the desk could not decide about. Nothing was recorded unless nobody can tell.
func (a *App) listUndecided(i receive.Interaction, count string, err error) receive.Reply {
	a.log.Error("deciding about a list", "user", i.User, "view", i.View.ID, "err", err)
	if lost, ok := errors.AsType[*cancellation.UnclearError](err); ok {
		return receive.PushView(a.words.NotKnown(lost.Ref))
	}
	if errors.Is(err, cancellation.ErrUnclear) {
		return receive.PushView(a.words.NotKnown(""))
	}
	if errors.Is(err, cancellation.ErrPeopleUnread) {
		return receive.FieldError(count, a.words.SubmitterUnread(err))
	}
	return receive.FieldError(count, a.words.NotWritten())
}

// cards are those of these servers, in the order of the list.
func (d draft) cards(servers []int64) (all []cancellation.Card) {
	for _, read := range d.Reads {
		if read.Card != nil && slices.Contains(servers, read.Server) {
			all = append(all, *read.Card)
		}
	}
	return all
}

// errStale: a card is too old to be asked for.
var errStale = errors.New("what was read is out of date")

func (d draft) stale(now time.Time) bool {
	return slices.ContainsFunc(d.Reads, func(r draftRead) bool { return r.Card != nil && !r.Card.Fresh(now) })
}

// review puts together what the review shows of a list, or returns errStale. Each server that can be asked for alone has
// a box. Those that are ticked are then judged together, because a policy may count them.
func (a *App) review(ctx context.Context, meta metadata, d draft) (shown words.Review, err error) {
	in := review.Input{List: d.List, Reads: d.unread(), Ticked: d.queried()}
	if in.Now, err = a.desk.Now(ctx); err != nil {
		return shown, err
	}
	if d.stale(in.Now) { // a review has no row for such a card
		return shown, errStale
	}
	form := cancellation.BatchForm{Submission: a.listed(meta, d, ""), Cards: d.cards(d.servers()), Alone: true}
	if err = a.judge(ctx, form, in.Reads); err != nil {
		return shown, err
	}
	alone := review.Of(in)
	shown = words.Review{List: d.List, Notes: d.Notes, Rows: alone.Rest, Ticked: map[int64]bool{}}
	in.Ticked = nil
	for _, row := range alone.Rest {
		id := row.Named.Server.ID
		if !slices.Contains(meta.Ticked, id) {
			in.Without = append(in.Without, id)
			continue
		}
		shown.Ticked[id] = true
		in.Ticked, in.Confirmed = append(in.Ticked, id), append(in.Confirmed, id)
	}
	form.Cards, form.Alone = d.cards(in.Ticked), false
	if err = a.judge(ctx, form, in.Reads); err != nil {
		return shown, err
	}
	shown.Review = review.Of(in)
	for _, row := range shown.Review.Left {
		if shown.Ticked[row.Named.Server.ID] {
			shown.Together = append(shown.Together, row)
		}
	}
	shown.Review.Left = alone.Left // also of what queries found
	return shown, nil
}

// judge notes what the domain says of each card of a form.
func (a *App) judge(ctx context.Context, form cancellation.BatchForm, reads map[int64]review.Read) error {
	verdicts, err := a.batches.Judge(ctx, form)
	for _, v := range verdicts {
		reads[v.Card.Server.ID] = review.Read{Verdict: v}
	}
	return err
}
