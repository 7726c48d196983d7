package cancellation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cancel-server/internal/authz"
)

// BatchPress is a press of a button under a batch's message, or a form that such a button opened and
// somebody sent.
type BatchPress struct {
	Batch  string // the batch's id
	Digest string // of the list that the person saw
	By     Person
	Rows   []int  // places in the list of the requests that the person saw; nil for all
	Key    string // as Press.Key: it makes one change of all requests together
}

// BatchClick is the answer to a click on a batch.
type BatchClick struct {
	Kind     ClickKind
	Batch    Batch
	Requests []Request      // after it, in the order of the list
	Done     int            // requests that it changed
	Refused  int            // requests about which this person may not decide
	Decision authz.Decision // of the first of these
	Late     int            // requests that were to be left out, and are filed or under way already
	Later    []Request      // requests that may end only after SoftLayer's records are read: for EndLater
}

// Approvable returns the requests of a batch that wait for an approval: those that this person may approve
// now, and the others. Without any of the first, the click says why.
func (d *BatchDesk) Approvable(ctx context.Context, press BatchPress) (click BatchClick, mine, others []Request, err error) {
	b, rows, err := d.Requests.Batch(ctx, press.Batch)
	if err != nil {
		return click, nil, nil, fmt.Errorf("reading the batch that was clicked on: %w", err)
	}
	click, changes, err := d.actOnEach(ctx, press.By, b, rows, d.approve)
	for _, r := range rows {
		switch {
		case slices.ContainsFunc(changes, func(c Change) bool { return c.From.ID == r.ID }):
			mine = append(mine, r)
		case r.State == Pending:
			others = append(others, r)
		}
	}
	return click, mine, others, err
}

// Approve records a person's approval of each request that waits for one and that this person may
// approve, and declines the requests in without, with this reason. All of it happens or nothing.
func (d *BatchDesk) Approve(ctx context.Context, press BatchPress, without []string, why string) (BatchClick, error) {
	if len(without) > 0 && Blank(why) {
		return BatchClick{}, ErrWhyMissing
	}
	decline := declining(why, unlessRead)
	late := map[string]bool{}
	click, err := d.click(ctx, press, func(ctx context.Context, r Request, c clicker) (Click, *Change, error) {
		switch {
		case press.Rows != nil && !slices.Contains(press.Rows, r.Row):
			return Click{Kind: ClickLate}, nil, nil // it was not shown
		case !slices.Contains(without, r.ID):
			return d.approve(ctx, r, c)
		}
		click, change, err := decline(ctx, r, c)
		if change == nil && err == nil && click.Kind == ClickLate && r.State.Live() {
			late[r.ID] = true
		}
		return click, change, err
	})
	click.Late = len(late)
	return click, err
}

// Decline ends each request that was not sent and that this person may decline.
func (d *BatchDesk) Decline(ctx context.Context, press BatchPress, why string) (BatchClick, error) {
	if Blank(why) {
		return BatchClick{}, ErrWhyMissing
	}
	return d.click(ctx, press, declining(why, unlessRead))
}

// Withdraw ends each request that was not sent, because the requester wants that.
func (d *BatchDesk) Withdraw(ctx context.Context, press BatchPress) (BatchClick, error) {
	return d.click(ctx, press, withdrawing(unlessRead))
}

// Ended is what became of requests that were to end.
type Ended struct {
	Done int   // they ended, or had ended so before
	Left int   // they stay as they are, or were filed meanwhile
	Why  error // of one of Left; nil if each of them was filed, or the person may not decide about it any more
}

// EndLater ends, one by one, the requests that a press on a batch left for later. It reads SoftLayer's records for each,
// so it is for after the acknowledgement. One about which they say nothing, or that moved on, is left as it is. end is
// [Desk.Withdraw], or [Desk.Decline] with a reason.
func (d *BatchDesk) EndLater(ctx context.Context, press BatchPress, later []Request, end func(context.Context, Press) (Click, error)) (all Ended) {
	for _, r := range later {
		click, err := end(ctx, Press{Request: r.ID, By: press.By, Key: press.Key + " " + r.ID})
		switch {
		case err != nil:
			all.Left, all.Why = all.Left+1, err
			d.Log.Warn("ending a request of a list", "ref", r.Ref.Short(), "err", err)
		case click.Kind == ClickDone || click.Kind == ClickRepeated:
			all.Done++
		default:
			all.Left++
		}
	}
	return all
}

// click decides about each request of a batch and commits all changes together. It starts again if a
// request changed meanwhile. After an *UnclearError nobody can tell; any other error means that nothing
// was recorded.
func (d *BatchDesk) click(ctx context.Context, press BatchPress, act act) (BatchClick, error) {
	for range clickTries {
		b, rows, err := d.Requests.Batch(ctx, press.Batch)
		if err != nil {
			return BatchClick{}, fmt.Errorf("reading the batch that was clicked on: %w", err)
		}
		if press.Digest != b.Digest {
			return BatchClick{Kind: ClickLate, Batch: b, Requests: rows}, nil
		}
		out, changes, err := d.actOnEach(ctx, press.By, b, rows, act)
		if err != nil || len(changes) == 0 {
			return out, err
		}
		after, err := d.Batches.ApplyAll(ctx, press.Key, changes)
		switch {
		case errors.Is(err, ErrMoved):
			continue
		case errors.Is(err, ErrRepeated):
			out.Kind, out.Done, out.Later = ClickRepeated, 0, nil
		case errors.Is(err, ErrUnclear):
			return out, &UnclearError{Ref: rows[0].Ref, Err: err}
		case err != nil:
			return out, err
		default:
			d.Wake()
		}
		return d.clicked(ctx, out, after), nil
	}
	return BatchClick{}, fmt.Errorf("recording a click on a batch: %w", ErrMoved)
}

// clicked puts the requests as they are now into the answer to a click. If they cannot be read, it puts in
// what the click made of them: it is recorded.
func (d *BatchDesk) clicked(ctx context.Context, out BatchClick, after []Request) BatchClick {
	if b, rows, err := d.Requests.Batch(ctx, out.Batch.ID); err == nil {
		out.Batch, out.Requests = b, rows
		return out
	}
	out.Requests = slices.Clone(out.Requests)
	for _, changed := range after {
		if i := slices.IndexFunc(out.Requests, func(r Request) bool { return r.ID == changed.ID }); i >= 0 {
			out.Requests[i] = changed
		}
	}
	return out
}

// actOnEach decides about each request. If there are no changes, out.Kind says why. It records a refusal of
// all in the history of the first one.
func (d *BatchDesk) actOnEach(ctx context.Context, by Person, b Batch, rows []Request, act act) (out BatchClick, changes []Change, err error) {
	var refused Click // the first one
	out = BatchClick{Batch: b, Requests: rows, Kind: ClickLate}
	c, err := d.clicker(ctx, rows[0], by)
	if err != nil {
		return out, nil, err
	}
	for _, r := range rows {
		click, change, err := act(ctx, r, c)
		switch {
		case errors.Is(err, errReadFirst):
			out.Later = append(out.Later, r)
		case err != nil:
			return out, nil, fmt.Errorf("deciding about %s: %w", r.Ref.Short(), err)
		case change != nil:
			changes = append(changes, *change)
		case click.Kind == ClickRefused:
			if out.Refused++; out.Refused == 1 {
				out.Decision, refused = click.Decision, Click{Kind: ClickRefused, Request: r, Decision: click.Decision}
			}
		case click.Kind == ClickRepeated:
			out.Kind = ClickRepeated
		}
	}
	switch out.Done = len(changes); {
	case out.Done+len(out.Later) > 0:
		out.Kind = ClickDone
	case out.Refused > 0:
		out.Kind = ClickRefused
		d.noteRefusal(ctx, refused, c.person())
	}
	return out, changes, nil
}

// Fits reports whether the server can be asked for.
func (v RowVerdict) Fits() bool {
	return v.Decision.Effect != authz.Refused && len(v.Blockers) == 0 && v.Held == nil && !v.Nobody && !v.Unseen
}
