package correspondence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"cancel-server/internal/authz"
	"cancel-server/internal/cancellation"
)

// BatchProspect is what a person may do with one text for those tickets of a batch that wait for an answer.
type BatchProspect struct {
	Batch    cancellation.Batch
	Rows     []Prospect     // those for which the person may write a reply, in the order of the list
	UnderWay int            // rows for which a reply is recorded already that is not in the ticket yet
	Refused  int            // rows for which a rule lets the person write nothing
	Decision authz.Decision // of the first of these
	Closed   bool           // nothing can be written: the key has no right

	refused cancellation.Powers // of the first of these
}

// MayAll decides for which of a batch's tickets that wait for an answer a person may write a reply: each by the
// rule of [Judge]. It puts nothing on record. The error wraps cancellation.ErrNoRequest or
// cancellation.ErrPeopleUnread.
func (d *Desk) MayAll(ctx context.Context, batch string, by cancellation.Person) (BatchProspect, error) {
	b, rows, err := d.Requests.Requests.Batch(ctx, batch)
	p := BatchProspect{Batch: b, Closed: !d.MayWrite()}
	if err != nil {
		return p, fmt.Errorf("reading the batch whose tickets wait: %w", err)
	}
	waits, err := d.Ledger.WaitingOf(ctx, batch)
	if err != nil {
		return p, err
	}
	rows = slices.DeleteFunc(rows, func(r cancellation.Request) bool { return !waits[r.ID] || !takesText(r) })
	if p.Closed || len(rows) == 0 {
		return p, nil
	}
	powers, err := d.Requests.PowersOver(ctx, by, rows)
	if err != nil {
		return p, err
	}
	before, err := d.Ledger.RepliesOf(ctx, batch)
	if err != nil {
		return p, err
	}
	for _, each := range powers {
		p.add(each, before)
	}
	return p, nil
}

// takesText reports whether a request can be read, and has a ticket that may take texts.
func takesText(r cancellation.Request) bool {
	return r.State == cancellation.Filed && r.Ticket.ID != 0 && r.Submission.By.ID != ""
}

// add puts a row where it belongs by what the person may do, and by what was written before.
func (p *BatchProspect) add(powers cancellation.Powers, before []Update) {
	leave, decision := Judge(Reply, powers)
	if leave == Nothing {
		if p.Refused++; p.Refused == 1 {
			p.Decision, p.refused = decision, powers
		}
		return
	}
	row := Prospect{Request: powers.Request, By: powers.By, Leave: leave, Decision: decision}
	standing, proposal := lastOf(before, powers.Request.ID)
	if row.Replied = standing.Number; leave == Send {
		row.Proposal = proposal
	}
	if standing.State.underWay() {
		p.UnderWay++
		return
	}
	p.Rows = append(p.Rows, row)
}

// lastOf finds, in replies from the oldest on, the last one of a request that is, or may come to be, in its ticket,
// and what was proposed last since then; zero for none.
func lastOf(replies []Update, requestID string) (standing, proposal Update) {
	for _, u := range replies {
		switch {
		case u.RequestID != requestID:
		case u.State == Sent, u.State.underWay():
			standing, proposal = u, Update{}
		case u.State == Proposing, u.State == Proposed, u.Why == WhyNobody:
			proposal = u
		}
	}
	return standing, proposal
}

// underWay reports whether a text of this state may still come to be in its ticket by itself.
func (s State) underWay() bool { return s == Recorded || s == Sending || s == Unknown }

// NoteRefused puts on record that a rule lets a person write nothing for any ticket of a batch that waits.
func (d *Desk) NoteRefused(ctx context.Context, p BatchProspect) {
	if len(p.Rows) == 0 && p.Refused > 0 {
		d.Requests.NoteRefusal(ctx, p.refused, p.Decision)
	}
}

// RowRead is a ticket as it was read for a form with several.
type RowRead struct {
	Prospect
	Ticket Ticket
	Err    error // as [Desk.Read] returns it
}

// readsAtOnce is how many tickets are read at once for one form.
const readsAtOnce = 4

// ReadAll reads the tickets of rows: one call for all of them, and one for the updates of each. What was not read
// when ctx ended has an error.
func (d *Desk) ReadAll(ctx context.Context, rows []Prospect) []RowRead {
	all, tickets := make([]RowRead, len(rows)), make([]int64, len(rows))
	for i, row := range rows {
		all[i].Prospect, tickets[i] = row, row.Request.Ticket.ID
	}
	lives, err := d.Books.Lives(ctx, tickets)
	free := make(chan struct{}, readsAtOnce)
	var reading sync.WaitGroup
	for i := range all {
		if all[i].Err = err; err != nil {
			continue
		}
		free <- struct{}{}
		reading.Go(func() {
			defer func() { <-free }()
			entries, err := d.Books.Entries(ctx, tickets[i])
			if err == nil {
				all[i].Ticket, err = whole(tickets[i], lives, entries)
			}
			all[i].Err = err
		})
	}
	reading.Wait()
	return all
}

// BatchDraft is a form with one reply to several tickets of a batch, which a person sent.
type BatchDraft struct {
	Batch  string // its id
	By     cancellation.Person
	Key    string // the form's idempotency key
	Text   string
	Shown  []ShownRow // what the form showed
	Chosen []string   // ids of the requests that get the reply
}

// ShownRow is one server of such a form, as the person was shown it.
type ShownRow struct {
	Row     int   // its place in the list
	Leave   Leave // what the form was for
	Last    int64 // id of the last update of its ticket
	Replied int64 // Prospect.Replied
}

// BatchAnswer is the answer to a BatchDraft. Of each request that was chosen it says what became of the reply:
// nothing was recorded unless that is Taken.
type BatchAnswer struct {
	Batch   cancellation.Batch
	Rows    []Answer
	Unread  bool   // SoftLayer did not say in time whether somebody wrote meanwhile: nothing was recorded
	Earlier string // another version of this form was recorded before, with this text; "" for none
}

// Taken counts the replies that are recorded to be sent, and those that were proposed to people who may send them.
func (a BatchAnswer) Taken() (sent, proposed int) {
	for _, row := range a.Rows {
		switch {
		case row.Outcome != Taken:
		case row.Leave == Propose:
			proposed++
		default:
			sent++
		}
	}
	return sent, proposed
}

// formRow is a row of a draft.
type formRow struct {
	ShownRow
	request cancellation.Request
	id      string // of its text
	chosen  bool
}

// WriteAll decides once more about each request that was chosen, and records a reply of its own for each that may get
// one, in one transaction. An error means that nothing was recorded; with cancellation.ErrUnclear nobody can tell.
func (d *Desk) WriteAll(ctx context.Context, draft BatchDraft, readTime time.Duration) (BatchAnswer, error) {
	b, requests, err := d.Requests.Requests.Batch(ctx, draft.Batch)
	if err != nil {
		return BatchAnswer{}, fmt.Errorf("reading the batch of a form: %w", err)
	}
	answer := BatchAnswer{Batch: b}
	form := d.formOf(draft, requests)
	if known, err := d.recordedBefore(ctx, draft, form, &answer); known || err != nil {
		return answer, err
	}
	form = slices.DeleteFunc(form, func(row formRow) bool { return !row.chosen })
	if answer.Rows, err = d.judgeAll(ctx, draft, form); err != nil {
		return answer, err
	}
	reading, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	if err := d.meanwhileAll(reading, form, answer.Rows); err != nil {
		d.Log.Warn("reading tickets before replies", "ref", requests[0].Ref.Short(), "err", err)
		answer.Unread = true
		return answer, nil
	}
	err = d.recordAll(ctx, draft, form, answer.Rows)
	if errors.Is(err, cancellation.ErrRepeated) { // the form was delivered again meanwhile
		return d.repeated(ctx, draft, d.formOf(draft, requests), b)
	}
	return answer, err
}

// formOf puts together what a form showed with the requests as they are now.
func (d *Desk) formOf(draft BatchDraft, requests []cancellation.Request) (form []formRow) {
	for _, shown := range draft.Shown {
		at := slices.IndexFunc(requests, func(r cancellation.Request) bool { return r.Row == shown.Row })
		if at < 0 {
			continue
		}
		r := requests[at]
		press := cancellation.Press{Request: r.ID, By: draft.By, Key: draft.Key}
		form = append(form, formRow{
			ShownRow: shown, request: r, id: idOf(d.Ledger.Installation(), Reply, press), chosen: slices.Contains(draft.Chosen, r.ID),
		})
	}
	return form
}

// recordedBefore puts into the answer what an earlier delivery of the form recorded. It returns false if that is
// nothing.
func (d *Desk) recordedBefore(ctx context.Context, draft BatchDraft, form []formRow, answer *BatchAnswer) (known bool, err error) {
	before, err := d.Ledger.RepliesOf(ctx, draft.Batch)
	if err != nil {
		return false, err
	}
	answer.Rows = nil
	for _, row := range form {
		at := slices.IndexFunc(before, func(u Update) bool { return u.ID == row.id })
		one := Answer{Prospect: Prospect{Request: row.request, Leave: row.Leave}}
		switch {
		case at >= 0:
			known = true
			if before[at].Text != bounded(draft.Text) || !row.chosen {
				answer.Earlier = before[at].Text
			}
		case row.chosen:
			one.Outcome = Earlier
		default:
			continue
		}
		answer.Rows = append(answer.Rows, one)
	}
	return known, nil
}

// repeated is the answer to a form that another delivery has just recorded.
func (d *Desk) repeated(ctx context.Context, draft BatchDraft, form []formRow, b cancellation.Batch) (BatchAnswer, error) {
	answer := BatchAnswer{Batch: b}
	known, err := d.recordedBefore(ctx, draft, form, &answer)
	if err == nil && !known { // it was read from a database that lags behind
		err = cancellation.ErrUnclear
	}
	return answer, err
}

// judgeAll decides about each row of a form. Those that may be written for are Taken so far.
func (d *Desk) judgeAll(ctx context.Context, draft BatchDraft, form []formRow) ([]Answer, error) {
	all := make([]Answer, len(form))
	var requests []cancellation.Request
	for i, row := range form {
		if all[i].Request = row.request; !takesText(row.request) {
			all[i].Outcome, all[i].Closed = Shut, true
			continue
		}
		requests = append(requests, row.request)
	}
	powers, err := d.Requests.PowersOver(ctx, draft.By, requests)
	if err != nil {
		return nil, err
	}
	p := BatchProspect{}
	for i, row := range form {
		if all[i].Outcome != Taken {
			continue
		}
		p.add(powers[0], nil)
		all[i] = d.judgeRow(row, powers[0])
		powers = powers[1:]
	}
	d.NoteRefused(ctx, p)
	return all, nil
}

// judgeRow decides about one row of a form.
func (d *Desk) judgeRow(row formRow, powers cancellation.Powers) (a Answer) {
	a.Request, a.By = powers.Request, powers.By
	leave, decision := Judge(Reply, powers)
	a.Decision, a.Leave = decision, row.Leave
	switch {
	case leave < row.Leave || leave == Nothing: // what they meant to send would only be proposed
		a.Outcome = Barred
	case !d.MayWrite():
		a.Outcome, a.Closed = Shut, true
	}
	return a
}

// meanwhileAll finds out by one call what has become of the tickets while the form was open. The error says that
// this could not be read.
func (d *Desk) meanwhileAll(ctx context.Context, form []formRow, rows []Answer) error {
	var tickets []int64
	for _, row := range rows {
		if row.Outcome == Taken {
			tickets = append(tickets, row.Request.Ticket.ID)
		}
	}
	if len(tickets) == 0 {
		return nil
	}
	lives, err := d.Books.Lives(ctx, tickets)
	if err != nil && !errors.Is(err, cancellation.ErrReadRefused) {
		return err
	}
	for i := range rows {
		life, shown := lives[rows[i].Request.Ticket.ID]
		switch {
		case rows[i].Outcome != Taken:
		case !shown:
			rows[i].Outcome = Hidden
		case !life.Open:
			rows[i].Outcome = ClosedTicket
		case life.Last != form[i].Last:
			rows[i].Outcome = News
		}
	}
	return nil
}

// recordAll records a text of its own for each row that is Taken so far.
func (d *Desk) recordAll(ctx context.Context, draft BatchDraft, form []formRow, rows []Answer) error {
	var records []Record
	var of []int // the row of each
	for i, row := range rows {
		if row.Outcome != Taken {
			continue
		}
		single := Draft{Kind: Reply, Leave: row.Leave, Text: draft.Text, Replied: form[i].Replied}
		rec, err := d.compose(ctx, form[i].id, single, row)
		if err != nil {
			return err
		}
		records, of = append(records, rec), append(of, i)
	}
	receipts, err := d.Ledger.RecordUpdates(ctx, draft.Key, records)
	if err != nil {
		return err
	}
	for n, receipt := range receipts {
		rows[of[n]] = d.receive(receipt, Draft{Kind: Reply, Text: draft.Text}, rows[of[n]])
	}
	return nil
}
