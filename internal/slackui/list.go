package slackui

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/receive"
	"cancel-server/internal/slackui/webapi"
	"cancel-server/internal/slackui/words"
)

// Bounds of the lists that are read at once.
const (
	listTime     = 5 * time.Minute  // one list, as SoftLayer's rate lets it be read
	showTime     = 20 * time.Second // of it, to keep and to show what was read
	mostLists    = 8
	progressTime = 2 * time.Second // between two changes of what a person sees while a list is read
)

// Lists is what forms with several servers need.
type Lists struct {
	All            func() iter.Seq[serverlist.Server]            // all servers, as the typeahead knows them
	Listed, Tagged func() bool                                   // All has the servers, and their tags are known
	Closing        func() map[string]bool                        // the pods and data centers that close
	Held           func(context.Context) (map[int64]bool, error) // the servers that live requests hold
	// May decides, until ctx ends, whether a person may ask for a server of All.
	May   func(ctx context.Context, policy *authz.Policy, who authz.Principal) func(serverlist.Server) (may, decided bool)
	Bills func(ctx context.Context, servers []int64) (map[int64]string, error) // reads next bill dates, as SoftLayer writes them
	Most  int                                                                  // servers in one form

	owner *owner
	under *underWay
}

var errRowUnread = errors.New("SoftLayer did not answer")

// several opens the list in the place of the form for one server.
func (a *App) several(i receive.Interaction) receive.After {
	at := displayedView{id: i.View.ID, hash: i.View.Hash, choice: a.choices.note(i.View.ID, i.Action.TS)}
	return func(ctx context.Context) {
		meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
		if errors.Is(err, errNotOurs) {
			a.log.Warn("opening a list", "user", i.User, "view", at.id, "err", err)
			return
		}
		begins, note := a.keptNames(ctx, meta.Named)
		typed := read(*i.View, 0)
		meta.Named = ""
		a.showList(ctx, at, meta.with(nil), asked{Names: begins, Reason: typed.Reason, Content: typed.Content}, note)
	}
}

// showList shows the list, with what is wrong with it.
func (a *App) showList(ctx context.Context, at displayedView, meta metadata, as asked, problem string) {
	f := a.form(ctx, meta, words.Typed{Reason: as.Reason, Content: as.Content})
	f.Note = problem
	sealed, err := a.sealer.seal(ctx, meta)
	if err == nil {
		err = a.replacePatiently(ctx, at, words.ListForm(f, as.Names, sealed))
	}
	if err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("showing a list", "view", at.id, "err", err)
	}
}

// submitList takes a list to be reviewed. No server is read before the acknowledgement.
func (a *App) submitList(ctx context.Context, i receive.Interaction) (receive.Reply, receive.After) {
	meta, err := a.sealer.open(ctx, i.View.PrivateMetadata, i.User)
	if err != nil {
		a.log.Warn("reading a list", "user", i.User, "view", i.View.ID, "err", err)
		return receive.PushView(words.BrokenForm(a.words.Command)), nil
	}
	typed := read(*i.View, 0)
	as := asked{Reason: typed.Reason, Content: typed.Content}
	as.Names = [2]string{i.View.Values[words.NamesBlock][words.NamesAction].Text, i.View.Values[words.NamesBlock2][words.NamesAction].Text}
	left, err := a.batches.Left(ctx, meta.By)
	if err != nil {
		a.log.Warn("counting what a person may ask for", "user", i.User, "err", err)
		return receive.FieldError(words.NamesBlock, a.words.SubmitterUnread(err)), nil
	}
	wrong := words.BatchProblems(cancellation.Submission{Reason: as.Reason, Content: as.Content}.TextProblems(), 0, "")
	list, err := serverlist.Parse(as.Names[0], as.Names[1])
	if problem := words.ListProblem(list, err, a.lists.Most, left); problem != "" {
		wrong[words.NamesBlock] = problem
	}
	if len(wrong) > 0 {
		return receive.FieldErrors(wrong), nil
	}
	reply, after, err := a.reading(ctx, i.View.ID, meta, as, left, "")
	if err != nil {
		return receive.FieldError(words.NamesBlock, words.ListNotKept), nil
	}
	return reply, after
}

// reading acknowledges with the review while it is read, and reads the list after that. What was typed is stored first,
// so that another process can read it if this one ends. What the person chose before in the list that meta has stays
// chosen.
func (a *App) reading(ctx context.Context, view string, meta metadata, as asked, left int, note string) (reply receive.Reply, after receive.After, err error) {
	sealed := ""
	if meta.Unread, err = a.keepDraft(ctx, draft{asked: as}); err == nil {
		sealed, err = a.sealer.seal(ctx, meta)
	}
	if err != nil {
		a.log.Error("storing a list before it is read", "view", view, "err", err)
		return nil, nil, err
	}
	at := displayedView{id: view, choice: a.choices.note(view, "")}
	return receive.UpdateView(words.ListReading(0, 0, sealed)), func(context.Context) {
		if r := a.lists.under.begin(at, meta, as); r != nil {
			a.readAside(r, left, note)
		}
	}, nil
}

// answerTime is how long the answer to a submission may take to Slack. What is shown before it is there is lost: the answer
// takes its place.
const answerTime = 500 * time.Millisecond

// answered waits until Slack has the answer to the submission that began the reading, or nobody waits for the reading.
func (r *listReading) answered() {
	timer := time.NewTimer(time.Until(r.from))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.over.Done():
	}
}

// readAside reads a list in a goroutine of its own: that may take longer than anything else that follows an
// acknowledgement. However it ends, the view then shows the review, or why there is none with a button to read again;
// but nothing if nobody waits for it any more.
func (a *App) readAside(r *listReading, left int, note string) {
	err := a.lists.owner.run(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(r.over, cancel)()
		defer a.lists.under.leave(r)
		defer func() {
			if what := recover(); what != nil {
				a.giveUp(r, words.ListFailed, fmt.Errorf("panic: %v", what))
			}
		}()
		switch err := a.readList(ctx, r, left, note); {
		case err == nil, r.over.Err() != nil:
		case errors.Is(ctx.Err(), context.Canceled):
			a.giveUp(r, words.ListStopped, err)
		default:
			a.giveUp(r, words.ListFailed, err)
		}
	})
	if err != nil {
		a.giveUp(r, words.ListsBusy, err)
	}
}

// unread says in a review's place why the list was not read, and offers to read it again.
func (a *App) unread(at displayedView, meta metadata, why string, err error) {
	a.log.Warn("reading a list", "view", at.id, "err", err)
	ctx, cancel := context.WithTimeout(context.Background(), enterTime)
	defer cancel()
	view := a.words.ListUnread(why)
	if sealed, err := a.sealer.seal(ctx, meta); err == nil {
		view = words.ListStands(why, sealed)
	}
	if err := a.replacePatiently(ctx, at, view); err != nil && !errors.Is(err, webapi.ErrViewGone) {
		a.log.Warn("saying that a list could not be read", "view", at.id, "err", err)
	}
}

// readList looks the names up, reads each server, and shows the review. What SoftLayer does not answer in time is shown
// as unread.
func (a *App) readList(ctx context.Context, r *listReading, left int, note string) error {
	list, err := serverlist.Parse(r.as.Names[0], r.as.Names[1])
	if err != nil { // it was checked when it was sent
		return err
	}
	reading, cancel := context.WithTimeout(ctx, listTime-showTime)
	defer cancel()
	_, meta := a.lists.under.counted(r, 0, 0)
	d := draft{asked: r.as}
	if d.List, err = a.resolved(reading, meta, list, left); err != nil {
		return err
	}
	d.List.Rows = a.findUnknown(reading, d.List.Rows)
	d.List = d.List.WithoutNamed()
	d.Notes = words.ListNotes(list, d.List)
	wanted := d.wanted()
	for _, read := range a.batches.Cards(reading, wanted, a.progress(reading, r, len(wanted))) {
		d.note(read)
	}
	if err := ctx.Err(); err != nil { // this process ends
		return err
	}
	digest, err := a.keepDraft(ctx, d)
	if err != nil {
		return fmt.Errorf("storing a list: %w", err)
	}
	r.answered()
	r.shows.Lock()
	defer r.shows.Unlock()
	at, meta := a.lists.under.closed(r) // it may be another choice than at the beginning
	if slices.ContainsFunc(meta.Ticked, d.warned) {
		note = strings.TrimSpace(note + " " + words.TickAgain)
	}
	return a.showReview(ctx, at, meta.listing(digest, d.chosen(meta)), d, note)
}

func (d *draft) note(read cancellation.CardRead) {
	kept := draftRead{Server: read.Server, Missing: errors.Is(read.Err, cancellation.ErrServerNotFound)}
	if read.Err == nil {
		kept.Card = &read.Card
	}
	d.Reads = append(d.Reads, kept)
}

// listed is what all requests of a list share.
func (a *App) listed(meta metadata, d draft, view string) cancellation.Submission {
	return cancellation.Submission{Installation: a.team, View: view, By: meta.By, Place: meta.place(), Reason: d.Reason, Content: d.Content}
}

// showReview shows the review of a list that was read. A view that is gone is no error.
func (a *App) showReview(ctx context.Context, at displayedView, meta metadata, d draft, note string) error {
	view, err := a.reviewView(ctx, meta, d, note)
	if err == nil {
		err = a.replacePatiently(ctx, at, view)
	}
	if err != nil && !errors.Is(err, webapi.ErrViewGone) {
		return fmt.Errorf("showing a review: %w", err)
	}
	return nil
}

func (a *App) reviewView(ctx context.Context, meta metadata, d draft, note string) (view words.View, err error) {
	shown, err := a.review(ctx, meta, d)
	if err != nil {
		return view, err
	}
	meta = meta.boxed(d, shown.Rows)
	sealed, err := a.sealer.seal(ctx, meta)
	if err != nil {
		return view, err
	}
	shown.Form = a.form(ctx, meta, words.Typed{Reason: d.Reason, Content: d.Content})
	shown.Form.Note = note
	return a.words.ReviewForm(shown, sealed), nil
}

// changeReview shows a review again after a box or a button of it was pressed.
func (a *App) changeReview(i receive.Interaction) receive.After {
	if i.Action.ActionID == words.ReadOnAction {
		return a.readOn(i)
	}
	at := displayedView{id: i.View.ID, hash: i.View.Hash, choice: a.choices.note(i.View.ID, i.Action.TS)}
	if at.choice == 0 {
		return nil
	}
	return func(ctx context.Context) {
		meta, d, err := a.opened(ctx, i)
		if err != nil {
			a.unchanged(ctx, at, meta.ticking(tickedIn(i.View)), err)
			return
		}
		switch i.Action.ActionID {
		case words.EditAction:
			a.lists.under.stop(at.id)
			a.showList(ctx, at, meta.ticking(tickedIn(i.View)), d.asked, "")
			return
		case words.GroupAction:
			a.showOrRead(ctx, at, meta.ticking(tickedIn(i.View)), d, d.group(i.Action.Value))
		default:
			a.showOrRead(ctx, at, meta.ticking(tickedIn(i.View)), d, nil)
		}
	}
}

// showOrRead shows the review, with those servers of a group ticked too that have a box. If a card is too old to be asked
// for, it reads the list again instead. That may give boxes to servers of the group which had none when its button was
// pressed, so the group is not ticked then.
func (a *App) showOrRead(ctx context.Context, at displayedView, meta metadata, d draft, group []int64) {
	err := a.showReview(ctx, at, meta.ticking(append(group, meta.Ticked...)), d, "")
	if errors.Is(err, errStale) {
		meta.Unread = meta.List
		a.readAnew(ctx, at, meta, d.asked, words.ReadAgain)
		return
	}
	if err != nil {
		a.unchanged(ctx, at, meta, err)
	}
}

// unchanged says in a review's place that a press could not be worked, with a button to read the list again unless it is
// not kept any more. What is read for an older choice ends: nothing would show it.
func (a *App) unchanged(ctx context.Context, at displayedView, meta metadata, err error) {
	if errors.Is(err, errNotOurs) {
		a.log.Warn("changing a review", "view", at.id, "err", err)
		return
	}
	a.lists.under.stopOlder(at)
	if errors.Is(err, cancellation.ErrNoCard) {
		a.forgotten(ctx, at, err)
		return
	}
	meta.Unread = meta.kept()
	a.unread(at, meta, words.ListFailed, err)
}

// readAnew reads a list again whose view shows an older review, or that it is not read to the end. The view says so
// before anything is read. While this process reads that list for it, no second reading begins.
func (a *App) readAnew(ctx context.Context, at displayedView, meta metadata, as asked, note string) {
	r := a.lists.under.begin(at, meta, as)
	if r == nil {
		a.showStillRead(ctx, at.id, at.hash)
		return
	}
	if gone := a.showRead(ctx, r, 0, 0); gone {
		return
	}
	left, err := a.batches.Left(ctx, meta.By)
	if err != nil {
		a.giveUp(r, words.ListFailed, err)
		return
	}
	a.readAside(r, left, note)
}

// opened reads what a review carries: its metadata and its list.
func (a *App) opened(ctx context.Context, i receive.Interaction) (meta metadata, d draft, err error) {
	if meta, err = a.sealer.open(ctx, i.View.PrivateMetadata, i.User); err == nil {
		d, err = a.draft(ctx, meta.List)
	}
	return meta, d, err
}

// group are the servers of one group of what queries found, without those that have a warning.
func (d draft) group(number string) (ids []int64) {
	for n, group := range d.List.Shortened(words.MostFoundGroups) {
		for _, s := range group.Servers {
			if strconv.Itoa(n) == number && !d.warned(s.ID) {
				ids = append(ids, s.ID)
			}
		}
	}
	return ids
}

// tickedIn returns the servers whose boxes are ticked.
func tickedIn(v *receive.View) (ids []int64) {
	for block, fields := range v.Values {
		named := strings.HasPrefix(block, words.RowsBlock) || strings.HasPrefix(block, words.WarnedBlock) || strings.HasPrefix(block, words.FoundBlock)
		for _, value := range fields[words.RowsAction].Checked {
			if id := serverID(value); named && id != 0 {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
