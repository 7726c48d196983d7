package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"cancel-server/internal/cancellation"
)

var (
	// Another update that asks is told at once, and leaves the next reminder where it is.
	waitSQL = `
		insert into waits (request_id, asked, act_at) values ($1, $2, $3)
		on conflict (request_id) do update set asked = excluded.asked, act_at = excluded.act_at,
			reminders = case when waits.act_at is null then 0 else waits.reminders end,
			next_at = case when waits.act_at is null then null else waits.next_at end
		where excluded.asked > waits.settled and (excluded.asked <> waits.asked or waits.act_at is null)`
	answeredSQL = `update waits set act_at = null, next_at = null, reminders = 0 where request_id = $1 and act_at is not null`

	// The cross join has SQLite begin with the index of those that are due.
	dueWaitsSQL = `select ` + requestColumns + `, case when state = 'filed' then waits_since end, asked, told, reminders, next_at, act_at
		from waits cross join requests left join followed on followed.request_id = id
		where act_at <= $1 and id = waits.request_id` + fmt.Sprintf(` and format <= %d`, cancellation.Format) + `
		order by act_at, waits.request_id limit $2`

	waitStepSQL = `
		update waits set told = $2, reminders = $3, next_at = $4, act_at = $4
		where request_id = $1 and asked = $5 and act_at = $6`

	settleWaitSQL = `
		update waits set settled = case when asked < $2 then asked else $2 end,
			act_at = case when asked > $2 then act_at end, next_at = case when asked > $2 then next_at end,
			reminders = case when asked > $2 then reminders else 0 end
		where request_id = $1 and act_at is not null and settled < $2`
	settledWaitSQL = `
		update followed set waits_since = null where request_id = $1
			and exists (select 1 from waits where waits.request_id = $1 and settled >= asked)`
)

// keepWait records whether SoftLayer waits for an answer, as a look found it.
func keepWait(ctx context.Context, tx *tx, look cancellation.Look, now time.Time) (err error) {
	id := look.Followed.Request.ID
	switch {
	case !look.Waits.IsZero():
		_, err = tx.ExecContext(ctx, waitSQL, id, max(look.Asks, 1), stamp(now))
	case !look.Followed.Waits.IsZero():
		_, err = tx.ExecContext(ctx, answeredSQL, id)
	}
	return wrap("recording whether SoftLayer waits", err)
}

// DueWaits lists the waits of which people are to be told something, the longest due first.
func (s *Store) DueWaits(ctx context.Context, most int) (due []cancellation.Wait, now time.Time, err error) {
	const step = "listing the answers that SoftLayer waits for"
	if now, err = s.engine.now(ctx); err != nil {
		return nil, now, fmt.Errorf("%s: %w", step, err)
	}
	due, err = readAll(ctx, s.read, step, func(from row) (w cancellation.Wait, err error) {
		w.Request, err = scanRequest(from, (*stamp)(&w.Since), &w.Asks, &w.Told, &w.Reminders, (*stamp)(&w.Next), (*stamp)(&w.Act))
		return w, readable(err)
	}, dueWaitsSQL, stamp(now), most)
	return due, now, err
}

// KeepWait records a step of a wait. It returns [cancellation.ErrMoved] if the wait has changed.
func (s *Store) KeepWait(ctx context.Context, step cancellation.WaitStep) error {
	w := step.Wait
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		same, err := tx.changes(ctx, waitStepSQL, w.Request.ID, step.Told, step.Reminders, stamp(step.Next), w.Asks, stamp(w.Act))
		if err != nil || !same {
			return none, cmp.Or(err, cancellation.ErrMoved)
		}
		if err := oweNews(ctx, tx, w.Request.ID, step.News, now); err != nil {
			return none, err
		}
		return none, oweAll(ctx, tx, w.Request.ID, step.Owe, now)
	})
	return wrap(fmt.Sprintf("recording what people are told of %s", w.Request.Ref.Short()), err)
}

// SettleWait records that an update which asks, and those before it, need no answer any more.
func (s *Store) SettleWait(ctx context.Context, requestID string, asks int64, event cancellation.Event, key string) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		if used, err := keyUsed(ctx, tx, key); used || err != nil {
			return none, cmp.Or(err, cancellation.ErrRepeated)
		}
		settled, err := settleWait(ctx, tx, requestID, asks)
		if err != nil || !settled {
			return none, cmp.Or(err, cancellation.ErrMoved)
		}
		if err := useKey(ctx, tx, key, now); err != nil {
			return none, err
		}
		return none, note(ctx, tx, now, requestID, event)
	})
	return wrap(fmt.Sprintf("settling what waits for an answer about request %q", requestID), err)
}

// settleWait settles a request's updates up to this one. It reports whether SoftLayer waited for an
// answer to any.
func settleWait(ctx context.Context, tx *tx, requestID string, asks int64) (settled bool, err error) {
	settled, err = tx.changes(ctx, settleWaitSQL, requestID, asks)
	if err != nil || !settled {
		return false, err
	}
	_, err = tx.ExecContext(ctx, settledWaitSQL, requestID)
	return true, err
}
