package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/correspondence"
)

// updateRow is a text for a ticket as its row holds it.
type updateRow struct {
	correspondence.Update
	author string // JSON
}

// The columns of ticket_updates.
var (
	newUpdateColumns = columns[updateRow]{
		text("id", func(u *updateRow) *string { return &u.ID }),
		text("request_id", func(u *updateRow) *string { return &u.RequestID }),
		text("kind", func(u *updateRow) *correspondence.Kind { return &u.Kind }),
		text("ref", func(u *updateRow) *cancellation.Reference { return &u.Ref }),
		text("author", func(u *updateRow) *string { return &u.author }),
		text("typed", func(u *updateRow) *string { return &u.Text }),
		text("entry", func(u *updateRow) *string { return &u.Entry }),
		number("ticket_id", func(u *updateRow) *int64 { return &u.Ticket }),
		number("version", func(u *updateRow) *int64 { return &u.Version }),
		timestamp("created_at", func(u *updateRow) *time.Time { return &u.CreatedAt }),
		timestamp("send_by", func(u *updateRow) *time.Time { return &u.SendBy }),
	}
	updateStepColumns = columns[updateRow]{
		text("state", func(u *updateRow) *correspondence.State { return &u.State }),
		text("why", func(u *updateRow) *correspondence.Why { return &u.Why }),
		timestamp("changed_at", func(u *updateRow) *time.Time { return &u.ChangedAt }),
		timestamp("not_after", func(u *updateRow) *time.Time { return &u.NotAfter }),
		timestamp("clean_since", func(u *updateRow) *time.Time { return &u.CleanSince }),
		timestamp("due", func(u *updateRow) *time.Time { return &u.Due }),
		number("attempts", func(u *updateRow) *int { return &u.Attempts }),
	}
	insertedUpdateColumns = slices.Concat(newUpdateColumns, updateStepColumns)
	readUpdateColumns     = append(slices.Clone(insertedUpdateColumns), number("number", func(u *updateRow) *int64 { return &u.Number }))
	updateColumns         = readUpdateColumns.names()
)

var (
	recordUpdateSQL = `insert into ticket_updates (` + insertedUpdateColumns.names() + `)
		values ` + placeholders(1, len(insertedUpdateColumns)) + ` on conflict do nothing returning ` + updateColumns
	updateByIDSQL = `select ` + updateColumns + ` from ticket_updates where id = $1`
	updateSQL     = `select ` + updateColumns + ` from ticket_updates where number = $1`
	stopStandsSQL = `select ` + updateColumns + ` from ticket_updates
		where request_id = $1 and kind = 'stop' and state in ('recorded', 'sending', 'unknown', 'sent')`
	lastProposalSQL = `select ` + updateColumns + ` from ticket_updates
		where request_id = $1 and (state in ('proposing', 'proposed') or state = 'not_sent' and why = '` + string(correspondence.WhyNobody) + `') and number > coalesce((select max(number) from ticket_updates
			where request_id = $1 and kind = 'reply' and state in ('recorded', 'sending', 'unknown', 'sent')), 0)
		order by number desc limit 1`
	standingReplySQL = `select ` + updateColumns + ` from ticket_updates
		where request_id = $1 and kind = 'reply' and state in ('recorded', 'sending', 'unknown', 'sent') order by number desc limit 1`
	// What several replies of one form have in common: one transaction recorded them.
	formOfSQL = repliesOfBatchSQL + ` and (created_at, author, typed) = (select created_at, author, typed from ticket_updates where number = $2) order by number`

	repliesOfSQL      = repliesOfBatchSQL + ` order by number`
	repliesOfBatchSQL = `select ` + updateColumns + ` from ticket_updates
		where request_id in (select id from requests where batch = $1 and batch <> '') and kind = 'reply'`

	lastReplySQL = `select coalesce(max(changed_at), 0) from ticket_updates where request_id = $1 and kind = 'reply' and state = 'sent'`

	applyUpdateSQL = `
		update ticket_updates set (` + updateStepColumns.names() + `, version, lease_owner, lease_until) =
			(` + numbers(len(updateStepColumns)) + `, version + 1,
			case when $8 = 1 then lease_owner end, case when $8 = 1 then lease_until end)
		where number = $9 and version = $10 and state = $11
		returning ` + updateColumns

	isUpdateWork    = `due is not null and state in ('proposing', 'proposed', 'recorded', 'sending', 'unknown')`
	dueUpdatesSQL   = `select number from ticket_updates where ` + isUpdateWork + ` and due <= $1 and ` + isFree + ` order by due limit `
	firstUpdateSQL  = dueUpdatesSQL + `1`
	nextUpdateSQL   = nextSQL(`ticket_updates where ` + isUpdateWork)
	updateWork      = work{firstUpdateSQL, nextUpdateSQL, `select 1 where 1 = 0`}
	renewUpdateSQL  = `update ticket_updates set lease_until = $1 where number = $2 and version = $3 and lease_owner = $4`
	freeUpdatesSQL  = `update ticket_updates set lease_owner = null, lease_until = null where due is not null and lease_until is not null`
	doubtUpdatesSQL = `update ticket_updates set state = 'unknown', why = '` + string(correspondence.WhyLost) + `', not_after = $1, clean_since = null, version = version + 1
		where due is not null and state in ('recorded', 'sending')`

	// A text that was told is another version of its request, so that what people see is an older one.
	toldUpdateSQL = `update requests set version = version + 1, updated_at = $1, stop_asked_at = coalesce(stop_asked_at, cast($2 as bigint))
		where id = $3 and format <= ` + strconv.Itoa(cancellation.Format) + ` returning ` + requestColumns
	tellUpdateSQL = `
		update notices set owed = $1, owed_at = coalesce(owed_at, $2),
			due = case when due is null or (due > $3 and posting = 0) then $3 else due end
		where request_id = $4 and kind = $5`
)

func (d dialect) claimUpdatesSQL() string {
	return `
		with first as materialized (` + dueUpdatesSQL + `$4` + d.rowLock + `)
		update ticket_updates set lease_owner = $2, lease_until = $3, version = version + 1
		where number in (select number from first limit ` + strconv.Itoa(mostClaimed) + `)
		returning ` + updateColumns
}

func scanUpdate(from row) (correspondence.Update, error) {
	var u updateRow
	err := from.Scan(readUpdateColumns.targets(&u)...)
	if errors.Is(err, sql.ErrNoRows) {
		return u.Update, correspondence.ErrNoUpdate
	}
	if err == nil {
		err = json.Unmarshal([]byte(u.author), &u.By)
	}
	return u.Update, err
}

// RecordUpdate stores a new text with its line in the request's history, if its id is new and the
// request is filed. Of the texts that ask to stop, one stands. A reply is stored only if its writer was
// shown the last one.
func (s *Store) RecordUpdate(ctx context.Context, rec correspondence.Record) (correspondence.Receipt, error) {
	receipt, err := change(ctx, s.committer, textsOf(rec.Request), func(ctx context.Context, tx *tx, now time.Time) (correspondence.Receipt, error) {
		return recordUpdate(ctx, tx, now, rec)
	})
	return receipt, wrap(fmt.Sprintf("recording a text for request %q", rec.Request.ID), err)
}

// RecordUpdates stores the replies of one form, with what [Store.RecordUpdate] says of each, in one transaction. The
// key is used once, for all of them, and only if one was stored.
func (s *Store) RecordUpdates(ctx context.Context, key string, all []correspondence.Record) ([]correspondence.Receipt, error) {
	if len(all) == 0 {
		return nil, nil
	}
	requests := make([]cancellation.Request, len(all))
	for i, rec := range all {
		requests[i] = rec.Request
	}
	receipts, err := change(ctx, s.committer, textsOf(requests...), func(ctx context.Context, tx *tx, now time.Time) ([]correspondence.Receipt, error) {
		return recordUpdates(ctx, tx, now, key, all)
	})
	return receipts, wrap(fmt.Sprintf("recording %d texts for a batch", len(all)), err)
}

// recordUpdates stores texts in the order of their servers, so that two processes lock in one order.
func recordUpdates(ctx context.Context, tx *tx, now time.Time, key string, all []correspondence.Record) ([]correspondence.Receipt, error) {
	if used, err := keyUsed(ctx, tx, key); used || err != nil {
		return nil, cmp.Or(err, cancellation.ErrRepeated)
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Compare(all[a].Request.Submission.Card.Server.ID, all[b].Request.Submission.Card.Server.ID)
	})
	receipts, fresh := make([]correspondence.Receipt, len(all)), false
	for _, i := range order {
		rec := all[i]
		rec.Key = ""
		var err error
		if receipts[i], err = recordUpdate(ctx, tx, now, rec); err != nil {
			return nil, err
		}
		fresh = fresh || receipts[i].Fresh
	}
	if !fresh {
		return receipts, nil
	}
	return receipts, useKey(ctx, tx, key, now)
}

// textsOf returns a write of texts for requests of one batch, or for one request. It locks the batch before the request:
// what shows a reply is kept under another request.
func textsOf(requests ...cancellation.Request) *write {
	first := requests[0]
	return &write{batch: first.Batch, server: first.Submission.Card.Server.ID, locks: ofBatch(requests...)}
}

func recordUpdate(ctx context.Context, tx *tx, now time.Time, rec correspondence.Record) (receipt correspondence.Receipt, err error) {
	if used, err := keyUsed(ctx, tx, rec.Key); used || err != nil {
		return receipt, cmp.Or(err, cancellation.ErrRepeated)
	}
	filed, err := tx.changes(ctx, `update requests set version = version where id = $1 and state = 'filed'`, rec.Request.ID) // it stays so until the commit
	if err != nil || !filed {
		return correspondence.Receipt{Ended: err == nil}, err
	}
	if last, err := unseenReply(ctx, tx, rec); last != nil || err != nil {
		return correspondence.Receipt{Standing: last}, err
	}
	u := updateRow{Update: rec.Update}
	u.Version, u.CreatedAt, u.ChangedAt, u.Due = 1, now, now, now
	author, err := json.Marshal(u.By)
	if err != nil {
		return receipt, err
	}
	u.author = string(author)
	receipt.Update, err = scanUpdate(tx.QueryRowContext(ctx, recordUpdateSQL, insertedUpdateColumns.values(nil, &u)...))
	if errors.Is(err, correspondence.ErrNoUpdate) {
		return standingUpdate(ctx, tx, rec.Update)
	}
	if err != nil {
		return receipt, err
	}
	receipt.Fresh = true
	detail := map[string]any{"Update": receipt.Update.Number, "Kind": u.Kind, "State": u.State, "Rule": rec.Rule, "Text": u.Entry}
	return receipt, errors.Join(noteUpdate(ctx, tx, now, u.RequestID, u.By.Team+"/"+u.By.ID, detail), useKey(ctx, tx, rec.Key, now))
}

// unseenReply returns the last reply of the request if the writer of another one was not shown it. The
// caller has locked the request, so none comes before the commit.
func unseenReply(ctx context.Context, tx *tx, rec correspondence.Record) (*correspondence.Update, error) {
	if rec.Update.Kind != correspondence.Reply {
		return nil, nil
	}
	last, err := scanUpdate(tx.QueryRowContext(ctx, standingReplySQL, rec.Update.RequestID))
	switch {
	case errors.Is(err, correspondence.ErrNoUpdate), err == nil && (last.Number <= rec.Replied || last.ID == rec.Update.ID):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &last, nil
}

// standingUpdate is the answer if a text was not new: it was recorded before, or another asks to stop.
func standingUpdate(ctx context.Context, tx *tx, u correspondence.Update) (receipt correspondence.Receipt, err error) {
	receipt.Update, err = scanUpdate(tx.QueryRowContext(ctx, updateByIDSQL, u.ID))
	if !errors.Is(err, correspondence.ErrNoUpdate) {
		return receipt, err
	}
	standing, err := scanUpdate(tx.QueryRowContext(ctx, stopStandsSQL, u.RequestID))
	return correspondence.Receipt{Standing: &standing}, err
}

func noteUpdate(ctx context.Context, tx *tx, now time.Time, requestID, actor string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	return note(ctx, tx, now, requestID, cancellation.Event{Kind: cancellation.EventWritten, Actor: actor, Detail: string(text)})
}

// TicketUpdate reads a text by its number.
func (s *Store) TicketUpdate(ctx context.Context, number int64) (correspondence.Update, error) {
	u, err := s.oneUpdate(ctx, updateSQL, number)
	return u, wrap(fmt.Sprintf("reading text %d", number), err)
}

// UpdateByID reads a text by its id. [correspondence.ErrNoUpdate] proves that there is none.
func (s *Store) UpdateByID(ctx context.Context, id string) (correspondence.Update, error) {
	u, err := s.oneUpdate(ctx, updateByIDSQL, id)
	return u, wrap(fmt.Sprintf("reading text %q", id), err)
}

// LastProposal reads what was proposed last for a request, if no reply was recorded since.
func (s *Store) LastProposal(ctx context.Context, requestID string) (correspondence.Update, error) {
	u, err := s.oneUpdate(ctx, lastProposalSQL, requestID)
	return u, wrap(fmt.Sprintf("reading what was proposed for request %q", requestID), err)
}

// StandingReply reads the last reply of a request that is, or may come to be, in its ticket.
func (s *Store) StandingReply(ctx context.Context, requestID string) (correspondence.Update, error) {
	u, err := s.oneUpdate(ctx, standingReplySQL, requestID)
	return u, wrap(fmt.Sprintf("reading the last reply of request %q", requestID), err)
}

// RepliesOf lists the replies for requests of a batch, those that were only proposed too, the oldest first.
func (s *Store) RepliesOf(ctx context.Context, batch string) ([]correspondence.Update, error) {
	return readAll(ctx, s.read, "reading the replies for a batch", scanUpdate, repliesOfSQL, batch)
}

// FormOf lists the replies for requests of a batch that one form recorded together with this one, the oldest first.
func (s *Store) FormOf(ctx context.Context, batch string, number int64) ([]correspondence.Update, error) {
	return readAll(ctx, s.read, "reading the replies of a form", scanUpdate, formOfSQL, batch, number)
}

func (s *Store) oneUpdate(ctx context.Context, query string, key any) (u correspondence.Update, err error) {
	err = s.engine.confirmAbsence(ctx, func() error {
		u, err = scanUpdate(s.read.QueryRowContext(ctx, query, key))
		return err
	})
	return u, err
}

// LastReply returns when the last reply to SoftLayer was found to be in the request's ticket. There is
// none if sent is false.
func (s *Store) LastReply(ctx context.Context, requestID string) (at time.Time, sent bool, err error) {
	var millis int64
	if err = s.read.QueryRowContext(ctx, lastReplySQL, requestID).Scan(&millis); err != nil || millis == 0 {
		return at, false, wrap(fmt.Sprintf("reading the last reply of request %q", requestID), err)
	}
	return time.UnixMilli(millis).UTC(), true, nil
}

// ClaimUpdates leases the texts that have been due the longest, at most most of them.
func (s *Store) ClaimUpdates(ctx context.Context, owner string, lease time.Duration, most int) (c cancellation.Claim[correspondence.Update], err error) {
	seen, err := s.look(ctx, updateWork)
	if err != nil || !seen.due {
		c.Next = seen.pause()
		return c, wrap("claiming texts", err)
	}
	c, err = change(ctx, s.committer, &write{claims: true}, func(ctx context.Context, tx *tx, now time.Time) (c cancellation.Claim[correspondence.Update], err error) {
		c.At = now
		rows, err := tx.QueryContext(ctx, s.dialect.claimUpdatesSQL(), stamp(now), owner, stamp(now.Add(lease)), most)
		if err == nil {
			c.Rows, err = collect(rows, scanUpdate)
		}
		return c, err
	})
	if err == nil {
		c.Next, err = s.nextClaim(ctx, updateWork, len(c.Rows), most)
	}
	return c, wrap("claiming texts", err)
}

// RenewUpdate renews a lease. It returns [cancellation.ErrMoved] if another owner has the text, or if
// it is at another version.
func (s *Store) RenewUpdate(ctx context.Context, u correspondence.Update, owner string, lease time.Duration) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		held, err := tx.changes(ctx, renewUpdateSQL, stamp(now.Add(lease)), u.Number, u.Version, owner)
		if err == nil && !held {
			err = cancellation.ErrMoved
		}
		return none, err
	})
	return wrap(fmt.Sprintf("renewing the lease of text %d", u.Number), err)
}

// ApplyUpdate makes one step of a text, with its line in the request's history and what people are
// owed, in one transaction.
func (s *Store) ApplyUpdate(ctx context.Context, c correspondence.Change) (correspondence.Update, error) {
	stored, err := change(ctx, s.committer, textsOf(c.Request), func(ctx context.Context, tx *tx, now time.Time) (correspondence.Update, error) {
		return applyUpdate(ctx, tx, now, c)
	})
	return stored, wrap(fmt.Sprintf("changing text %d", c.From.Number), err)
}

func applyUpdate(ctx context.Context, tx *tx, now time.Time, c correspondence.Change) (correspondence.Update, error) {
	u := updateRow{Update: c.To}
	if c.DueIn > 0 {
		u.Due = now.Add(c.DueIn)
	}
	if c.Window > 0 {
		u.NotAfter = now.Add(c.Window)
	}
	moved := c.From.State != c.To.State
	if moved {
		u.ChangedAt = now
	}
	values := append(updateStepColumns.values(nil, &u), flag(c.Keep), c.From.Number, c.From.Version, string(c.From.State))
	stored, err := scanUpdate(tx.QueryRowContext(ctx, applyUpdateSQL, values...))
	if errors.Is(err, correspondence.ErrNoUpdate) {
		return stored, cancellation.ErrMoved
	}
	if err == nil && moved {
		detail := map[string]any{"Update": stored.Number, "State": stored.State, "Why": stored.Why, "Answer": c.Detail}
		err = noteUpdate(ctx, tx, now, stored.RequestID, c.Actor, detail)
	}
	if err == nil && moved && stored.Kind == correspondence.Reply && stored.State == correspondence.Sent {
		_, err = settleWait(ctx, tx, stored.RequestID, math.MaxInt64)
	}
	if err == nil && len(c.Tell) > 0 {
		err = tellUpdate(ctx, tx, now, stored, c.Tell)
	}
	return stored, err
}

// tellUpdate makes what shows a text due, and what shows its request if that has one more thing to say. What shows
// several replies of one form is kept under one of their requests.
func tellUpdate(ctx context.Context, tx *tx, now time.Time, u correspondence.Update, owed []cancellation.Notice) error {
	asked := time.Time{}
	if u.Kind == correspondence.Stop && u.State == correspondence.Sent {
		asked = now
	}
	r, err := scanRequest(tx.QueryRowContext(ctx, toldUpdateSQL, stamp(now), stamp(asked), owed[0].RequestID))
	if err = readable(err); err != nil {
		return err
	}
	if err := oweAll(ctx, tx, r.ID, owed, now); err != nil {
		return err
	}
	due := now
	if r.Batch != "" { // as many steps come as the form has replies
		due = now.Add(batchPause)
	}
	for _, n := range owed {
		if _, err := tx.ExecContext(ctx, tellUpdateSQL, r.Version, stamp(now), stamp(due), r.ID, string(n.Kind)); err != nil {
			return fmt.Errorf("bringing the notice of a text forward: %w", err)
		}
	}
	if asked.IsZero() {
		return nil
	}
	_, err = bringForward(ctx, tx, r, now)
	return err
}
