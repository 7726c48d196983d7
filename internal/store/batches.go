package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
)

// batchPause is how long a message of a batch shows what it shows at least, before it is edited again.
const batchPause = 3 * time.Second

const (
	insertBatchSQL = `insert into batches (id, digest, size, lead, told, created_at) values ($1, $2, $3, $4, 1, $5) on conflict do nothing`
	batchSQL       = `select digest, size, lead, told, created_at from batches where id = $1`

	countChangeSQL = `update batches set told = told + 1 where id = $1 returning told, lead`

	// A message that is due sooner keeps its time, and so does a post without an answer.
	tellBatchSQL = `
		update notices set owed = $1, owed_at = coalesce(owed_at, $2),
			due = case when due is null or (due > $2 and posting = 0) then $2 else due end
		where request_id = $3 and kind like 'batch:%'`
)

// progressSQL tells what [cancellation.BatchOver] does.
var progressSQL = `
	select told, not exists (select 1 from requests where batch = $1 and batch <> '' and state in (` + quoted(append(cancellation.WorkStates(), cancellation.Stuck)) + `))
	from batches where id = $1`

var batchRowsSQL = `select ` + requestColumns + ` from requests where batch = $1 and batch <> '' order by batch_row`

const lockBatchesSQL = `select from batches
	where id in (select batch from requests where id = any($1)) order by id for update`

// errBatchStopped undoes a batch that not all of whose requests could be recorded.
var errBatchStopped = errors.New("not all requests of a batch could be recorded")

// RecordBatch records all requests of a batch with their events and notices in one transaction, or none
// of them. A batch whose id exists already is read.
func (s *Store) RecordBatch(ctx context.Context, b cancellation.Batch, all []cancellation.Record) (cancellation.RecordedBatch, error) {
	step := fmt.Sprintf("recording batch %q", b.ID)
	if err := checkBatch(b, all); err != nil {
		return cancellation.RecordedBatch{}, fmt.Errorf("%s: %w", step, err)
	}
	var stopped cancellation.RecordedBatch
	out, err := change(ctx, s.committer, &write{batch: b.ID, id: b.ID},
		func(ctx context.Context, tx *tx, now time.Time) (out cancellation.RecordedBatch, err error) {
			out, err = recordBatch(ctx, tx, now, b, all)
			if errors.Is(err, errBatchStopped) {
				stopped = out
			}
			return out, err
		})
	if errors.Is(err, errBatchStopped) {
		return stopped, nil
	}
	if err == nil && out.Fresh {
		for _, r := range out.Requests {
			s.tellMove(cancellation.New, r)
		}
	}
	return out, wrap(step, err)
}

func checkBatch(b cancellation.Batch, all []cancellation.Record) error {
	if len(all) == 0 || b.Lead != all[0].Request.ID {
		return errors.New("its first request is not its lead")
	}
	for i, rec := range all {
		if err := checkRow(b, i, rec); err != nil {
			return fmt.Errorf("request %d of the list: %w", i, err)
		}
	}
	return nil
}

func checkRow(b cancellation.Batch, row int, rec cancellation.Record) error {
	switch r := rec.Request; {
	case r.Batch != b.ID || r.Row != row:
		return errors.New("it says that it is another")
	case !r.State.Live() || rec.Ending != nil:
		return errors.New("it is denied, or replaces another")
	}
	return (&recording{Record: rec}).check()
}

// recordBatch inserts the requests in the order of their servers, so that two processes lock in one order.
func recordBatch(ctx context.Context, tx *tx, now time.Time, b cancellation.Batch, all []cancellation.Record) (out cancellation.RecordedBatch, err error) {
	made, err := tx.changes(ctx, insertBatchSQL, b.ID, b.Digest, b.Size, b.Lead, stamp(now))
	if err != nil {
		return out, fmt.Errorf("inserting the batch: %w", err)
	}
	if !made {
		out.Batch, out.Requests, err = readBatch(ctx, tx, b.ID)
		return out, err
	}
	recordings := make([]*recording, len(all))
	for i, rec := range all {
		recordings[i] = &recording{Record: rec, given: rec}
	}
	inOrder := slices.SortedFunc(slices.Values(recordings), func(a, b *recording) int {
		return cmp.Compare(a.Request.Submission.Card.Server.ID, b.Request.Submission.Card.Server.ID)
	})
	if err := insertRecords(ctx, tx, now, inOrder); err != nil {
		return out, err
	}
	return outcomeOf(b, recordings, now)
}

// outcomeOf puts together what became of each request. The error undoes all of them.
func outcomeOf(b cancellation.Batch, recordings []*recording, now time.Time) (out cancellation.RecordedBatch, err error) {
	for _, r := range recordings {
		switch {
		case r.taken != nil: // which slot is free is known only once these are undone
			first := recordings[0].Quota
			return cancellation.RecordedBatch{}, &cancellation.SlotTakenError{Day: first.Day, Next: first.Slot + 1}
		case r.out.Held != nil:
			out.Held = append(out.Held, *r.out.Held)
		case r.out.Full:
			out.Full = true
		case !r.out.Fresh: // it was recorded, but not with this batch
			out.Held = append(out.Held, r.out.Request)
		default:
			out.Requests = append(out.Requests, r.out.Request)
		}
	}
	if len(out.Requests) < len(recordings) {
		out.Requests = nil
		return out, errBatchStopped
	}
	out.Batch, out.Fresh = b, true
	out.Batch.Told, out.Batch.CreatedAt = 1, now
	return out, nil
}

// querier reads inside or outside a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readBatch(ctx context.Context, from querier, id string) (b cancellation.Batch, rows []cancellation.Request, err error) {
	b.ID = id
	err = from.QueryRowContext(ctx, batchSQL, id).Scan(&b.Digest, &b.Size, &b.Lead, &b.Told, (*stamp)(&b.CreatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil, cancellation.ErrNoRequest
	}
	if err != nil {
		return b, nil, err
	}
	found, err := from.QueryContext(ctx, batchRowsSQL, id)
	if err != nil {
		return b, nil, err
	}
	rows, err = collect(found, scanReadable)
	return b, rows, err
}

// Batch reads a batch with its requests, in the order of the list. [cancellation.ErrNoRequest] proves that
// there is none, as in [Store.Request]. A request whose documents cannot be read comes without them.
func (s *Store) Batch(ctx context.Context, id string) (b cancellation.Batch, rows []cancellation.Request, err error) {
	type read struct {
		cancellation.Batch
		rows []cancellation.Request
	}
	step := fmt.Sprintf("reading batch %q", id)
	doubt := s.committer.doubt(id) // asked first, as for a request
	err = s.engine.confirmAbsence(ctx, func() error {
		b, rows, err = readBatch(ctx, s.read, id)
		return err
	})
	if doubt && errors.Is(err, cancellation.ErrNoRequest) {
		var again read
		again, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, _ time.Time) (r read, err error) {
			r.Batch, r.rows, err = readBatch(ctx, tx, id)
			return r, err
		})
		b, rows = again.Batch, again.rows
	}
	if errors.Is(err, cancellation.ErrNoRequest) {
		err = errors.Join(err, s.Ready())
	}
	return b, rows, wrap(step, err)
}

// BatchProgress reads how many changes of a batch people are told of, and whether nothing of it is under way.
func (s *Store) BatchProgress(ctx context.Context, id string) (told int64, over bool, err error) {
	err = s.read.QueryRowContext(ctx, progressSQL, id).Scan(&told, &over)
	if errors.Is(err, sql.ErrNoRows) {
		err = cancellation.ErrNoRequest
	}
	return told, over, wrap(fmt.Sprintf("reading how far batch %q is", id), err)
}

// ApplyAll makes steps of requests of one batch in one transaction, or none of them. The key is used once,
// for all of them. Its errors are those of [Store.Apply].
func (s *Store) ApplyAll(ctx context.Context, key string, changes []cancellation.Change) ([]cancellation.Request, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	step := fmt.Sprintf("changing batch %q", changes[0].From.Batch)
	if err := checkTogether(changes); err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	changes = slices.Clone(changes)
	changes[0].Key = key
	all, err := change(ctx, s.committer, stepOf(changes[0]), func(ctx context.Context, tx *tx, now time.Time) ([]cancellation.Request, error) {
		return applyAll(ctx, tx, now, changes)
	})
	if errors.Is(err, errBatchStopped) {
		err = cancellation.ErrMoved
	}
	if err == nil {
		for i, r := range all {
			s.tellMove(changes[i].From.State, r)
		}
	}
	return all, wrap(step, err)
}

// checkTogether checks that steps may go together: they are people's steps of one batch's requests.
func checkTogether(changes []cancellation.Change) error {
	for _, c := range changes {
		if c.From.Batch == "" || c.From.Batch != changes[0].From.Batch || c.To.State == cancellation.Filing || c.Key != "" {
			return fmt.Errorf("the step of request %s goes alone", c.From.Ref.Short())
		}
		if err := checkChange(c); err != nil {
			return err
		}
	}
	return nil
}

// applyAll makes the steps one after the other. If one of the later ones cannot be made, the error undoes those
// before it.
func applyAll(ctx context.Context, tx *tx, now time.Time, changes []cancellation.Change) ([]cancellation.Request, error) {
	all := make([]cancellation.Request, len(changes))
	for i, c := range changes {
		var err error
		all[i], err = apply(ctx, tx, now, c)
		if i > 0 && errors.Is(err, cancellation.ErrMoved) {
			return nil, errBatchStopped
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lockBatches locks the batches of requests until the commit, by their ids and before anything else, so that two
// processes lock in one order.
func lockBatches(ctx context.Context, tx *tx, requests []string) error {
	if len(requests) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, lockBatchesSQL, requests)
	return wrap("locking batches", err)
}

// tellBatch counts a change of a batch that people are told of, and makes its messages due.
func tellBatch(ctx context.Context, tx *tx, batch string, at, now time.Time) error {
	var told int64
	var lead string
	if err := tx.QueryRowContext(ctx, countChangeSQL, batch).Scan(&told, &lead); err != nil {
		return fmt.Errorf("counting a change of a batch: %w", err)
	}
	_, err := tx.ExecContext(ctx, tellBatchSQL, told, stamp(notBefore(now.Add(batchPause), at)), lead)
	return wrap("bringing a batch's messages forward", err)
}

const (
	leadSQL = `select lead from batches, requests where requests.id = $1 and batch <> '' and batches.id = batch`

	// What a message gathers that came to nothing was told to nobody.
	owedAlreadySQL = `
		select exists (select 1 from notices as gathering where request_id = $3 and notices.way = '` + cancellation.InOne + `' || gathering.kind
			and ts = '' and posting = 0 and due is null)
		from notices where request_id = $1 and kind = $2`
	gatherAgainSQL = `update notices set way = $3 where request_id = $1 and kind = $2`

	// The last message that gathers a class. The kinds end with their day.
	lastGatheringSQL = `
		select kind, ts, posting <> 0, due from notices where request_id = $1 and substr(kind, 1, length(cast($2 as text))) = cast($2 as text)
		order by kind desc limit 1`

	// A message that is about to be posted without this has to be looked at again: its version is another. One that came
	// to nothing shows nothing.
	joinSQL = `
		update notices set version = version + 1, lease_owner = null, lease_until = null, shown = 0, due = $3
		where request_id = $1 and kind = $2 and posting = 0 and ts = ''`
)

var (
	// What a message gathers is owed by that message alone.
	gatheredSQL = `insert into notices (` + insertedNoticeColumns.names() + `)
		select id, $2, 1, '', null, 0, null, $3, '', '', 0, $4, 0, 0, 0, null from requests
		where id = $1 on conflict do nothing`

	gatheredRowsSQL = `select ` + requestColumns + `, its, waiting,
			exists (select 1 from notices where request_id = id and ` + isResult + ` and owed_at <= $3) from requests
		join (select request_id as member, kind as its from notices where way = $2
			and request_id in (select id from requests where batch = $1 and batch <> '')) as members on member = id
		left join (select request_id as waiter, waits_since as waiting from followed) as waiters on waiter = id
		where batch = $1 and batch <> '' order by batch_row, its`

	awaitedSQL = `select ` + requestColumns + awaitedOfBatch + ` order by batch_row`
)

// awaitedOfBatch are the rows of a batch about which SoftLayer waits for an answer.
const awaitedOfBatch = ` from requests cross join followed where batch = $1 and batch <> '' and state = 'filed' and request_id = id and waits_since > 0`

// leadOf returns the lead of a request's batch; "" if it is of none.
func leadOf(ctx context.Context, from querier, requestID string) (lead string, err error) {
	err = from.QueryRowContext(ctx, leadSQL, requestID).Scan(&lead)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return lead, wrap("reading the lead of a batch", err)
}

// Lead reads which request leads the batch of a request.
func (s *Store) Lead(ctx context.Context, requestID string) (string, error) {
	lead, err := leadOf(ctx, s.read, requestID)
	if err == nil && lead == "" {
		err = cancellation.ErrNoRequest
	}
	return lead, wrap(fmt.Sprintf("reading the batch of request %q", requestID), err)
}

// gather owes a notice of a batch's request by the open message of its class, or by the next one if that
// takes nothing more. first is false if the request has a notice of its kind, unless the message that gathered
// that came to nothing.
func gather(ctx context.Context, tx *tx, lead, requestID string, class cancellation.Class, n cancellation.Notice, now time.Time) (first bool, err error) {
	var untold bool
	err = tx.QueryRowContext(ctx, owedAlreadySQL, requestID, string(n.Kind), lead).Scan(&untold)
	isNew := errors.Is(err, sql.ErrNoRows)
	if !isNew && (err != nil || !untold) {
		return false, wrap("looking for a notice", err)
	}
	in, err := openGathering(ctx, tx, lead, class, n, now)
	if err != nil {
		return false, err
	}
	if !isNew {
		first, err = tx.changes(ctx, gatherAgainSQL, requestID, string(n.Kind), string(cancellation.GatheredIn(in)))
		return first, wrap("having another message gather what was told to nobody", err)
	}
	row, err := encodeNotice(n)
	if err != nil {
		return false, err
	}
	first, err = tx.changes(ctx, gatheredSQL, requestID, string(n.Kind), row.place, string(cancellation.GatheredIn(in)))
	return first, wrap("inserting what a message gathers", err)
}

// openGathering returns the kind of a message that gathers a class, does not stand and is not being posted.
func openGathering(ctx context.Context, tx *tx, lead string, class cancellation.Class, n cancellation.Notice, now time.Time) (cancellation.NoticeKind, error) {
	var last cancellation.Notice
	err := tx.QueryRowContext(ctx, lastGatheringSQL, lead, class.Prefix()).Scan(&last.Kind, &last.TS, &last.Posting, (*stamp)(&last.Due))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("looking for a message that gathers: %w", err)
	}
	if due, more := class.More(last, now, n.Due); more {
		joined, err := tx.changes(ctx, joinSQL, lead, string(last.Kind), stamp(due))
		if err != nil || joined {
			return last.Kind, wrap("joining a message that gathers", err)
		}
	}
	kind, due := class.Next(last, now, n.Due)
	row, err := encodeNotice(cancellation.Notice{Place: n.Place})
	if err == nil {
		_, err = tx.changes(ctx, oweSQL, lead, string(kind), stamp(due), row.place, tx.epoch)
	}
	return kind, wrap("inserting a message that gathers", err)
}

// Gathered lists what a message of this kind gathers of a batch's servers, in the order of the list.
func (s *Store) Gathered(ctx context.Context, batch string, kind cancellation.NoticeKind) ([]cancellation.Gathered, error) {
	const step = "reading what a message gathers"
	now, err := s.engine.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return readAll(ctx, s.read, step, func(from row) (g cancellation.Gathered, err error) {
		g.Request, err = scanRequest(from, &g.Kind, (*stamp)(&g.Waits), &g.Late)
		return g, readable(err)
	}, gatheredRowsSQL, batch, string(cancellation.GatheredIn(kind)), stamp(now.Add(-cancellation.OverdueAge)))
}

// Awaited lists the requests of a batch about which SoftLayer waits for an answer, in the order of the list.
func (s *Store) Awaited(ctx context.Context, batch string) ([]cancellation.Request, error) {
	return readAll(ctx, s.read, "reading for which answers SoftLayer waits", scanReadable, awaitedSQL, batch)
}
