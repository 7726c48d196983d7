package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cancel-server/internal/cancellation"
)

const (
	slotSQL = `select coalesce(max(quota_slot), 0), coalesce(sum(case when quota_slot = $3 then 1 else 0 end), 0)
		from requests where requester = $1 and quota_day = $2`
	askedSQL = `select coalesce(max(quota_slot), 0) from requests where requester = $1 and quota_day = $2`

	takeFilingSQL = `
		insert into filings (hour, made) values ($1, 1)
		on conflict (hour) do update set made = filings.made + 1 where filings.made < $2 returning made`
	giveBackSQL      = `update filings set made = made - 1 where hour = $1 and made > 0`
	forgetFilingsSQL = `delete from filings where hour < $1`

	// Only an operator changes an operator's freeze. An order to end one freeze ends no other.
	freezeSQL = `
		update filing_order set frozen = $1, actor = $2, why = $3, at = $4, number = number + 1
		where (frozen = 0 or actor not like '` + cancellation.OperatorPrefix + `%' or $2 like '` + cancellation.OperatorPrefix + `%')
			and ($5 = 0 or frozen = 1 and number = $5)
		returning number`
	freezesSQL    = `insert into filing_orders (frozen, actor, why, at, number) values ($1, $2, $3, $4, $5)`
	frozenSQL     = `select frozen, actor, why, at, number from filing_order`
	mayFileSQL    = `select frozen from filing_order`
	hourSeconds   = int64(60 * 60)
	repeatsWithin = 24 * time.Hour
)

// repeatSQL counts a repeated submission on the denial that it was given before.
var repeatSQL = `
	update requests set repeats = repeats + 1, updated_at = $1
	where id = (select id from requests
		where requester = $2 and server_id = $3 and state = 'denied' and reason_detail = $4 and version = 1 and created_at > $5
		order by created_at desc limit 1)
	returning ` + requestColumns

// A POST may be under way for a request that is being filed. Until not_after it may be for one
// whose POST got no answer: the owner of its lease may not know yet that it is over, or the
// database may know nothing of the POST. Of the condition that is there twice, PostgreSQL takes the
// first before it reads any request, and SQLite the second.
var underWaySQL = `select ` + requestColumns + ` from requests
	where id in (
		select id from requests where ` + isOpen + ` and state = 'filing'
		union all
		select id from requests where ` + isOpen + ` and not_after >= $1
			and (state in ('unknown', 'stuck') or lost_posts > 0 or recheck = ` + strconv.Itoa(int(cancellation.RecheckSettled)) + `
				or epoch < (select settled from rechecks))
		union all
		select id from rechecks cross join requests
			where (select not_after from rechecks) >= $1 and rechecks.not_after >= $1 and ` + isOpen + ` and ` + isUnfinished + ` and requests.epoch < settled)
	order by created_at limit 1000`

// Asked returns the last slot of a day that one person has taken.
func (s *Store) Asked(ctx context.Context, requester string, day int64) (slot int64, err error) {
	err = s.read.QueryRowContext(ctx, askedSQL, requester, day).Scan(&slot)
	return slot, wrap("counting what a person asked for", err)
}

// today returns how many servers of the day a submission counts. One that an older build recorded does
// not say it, but was for one server, so that its slot does; 0 if it has none.
func today(s cancellation.Submission, slot int64) int64 { return cmp.Or(s.Today, slot) }

// nextSlot gives the request the next slot of its person's day if another request took its own. It
// reports whether it is not to be recorded: the day is full, or it was decided for the slot that is taken.
func (r *recording) nextSlot(ctx context.Context, tx *tx) (found bool, err error) {
	if r.Quota.Slot == 0 {
		return false, nil
	}
	last, taken, err := r.slotTaken(ctx, tx)
	if err != nil {
		return false, err
	}
	if taken && r.Quota.Exact {
		r.taken = &cancellation.SlotTakenError{Day: r.Quota.Day, Next: last + 1}
		return true, nil
	}
	if taken {
		slot := max(r.Quota.Slot, last+1)
		if r.Request.Submission.Today > 0 {
			r.Request.Submission.Today += slot - r.Quota.Slot
		}
		r.Quota.Slot = slot
	}
	if full := r.Quota.Slot > r.Quota.Most; full {
		r.out = cancellation.Recorded{Full: true}
		return true, nil
	}
	return false, nil
}

// slotTakenError returns why a request has to be decided again, or nil.
func (r *recording) slotTakenError() error {
	if r.taken == nil {
		return nil
	}
	return r.taken
}

// slotTaken returns the last slot that is taken, and whether this request's own is.
func (r *recording) slotTaken(ctx context.Context, tx *tx) (last int64, taken bool, err error) {
	var same int64
	err = tx.QueryRowContext(ctx, slotSQL, r.Quota.Requester, r.Quota.Day, r.Quota.Slot).Scan(&last, &same)
	return last, same > 0, wrap("counting what a person asked for", err)
}

// deny counts a repeat of a denial of the last day, or inserts a new one.
func (r *recording) deny(ctx context.Context, tx *tx, now time.Time) (cancellation.Recorded, error) {
	r.begin()
	if found, err := r.known(ctx, tx); found || err != nil {
		return r.out, err
	}
	before, err := scanRequest(tx.QueryRowContext(ctx, repeatSQL, stamp(now), r.Quota.Requester,
		r.Request.Submission.Card.Server.ID, r.Request.Why.Detail, stamp(now.Add(-repeatsWithin))))
	if !errors.Is(err, cancellation.ErrNoRequest) {
		return cancellation.Recorded{Request: before}, err
	}
	err = r.insertOne(ctx, tx, now)
	return r.out, err
}

// countFiling counts a filing in this hour, by the database's clock. It returns a
// *[cancellation.HourFullError] if the hour already has most.
func countFiling(ctx context.Context, tx *tx, now time.Time, most int) error {
	if most == 0 {
		return nil
	}
	hour := now.Unix() / hourSeconds
	var made int
	err := tx.QueryRowContext(ctx, takeFilingSQL, hour, most).Scan(&made)
	if errors.Is(err, sql.ErrNoRows) {
		return &cancellation.HourFullError{Next: time.Unix((hour+1)*hourSeconds, 0).UTC()}
	}
	if err == nil && made == 1 { // the first of its hour
		_, err = tx.ExecContext(ctx, forgetFilingsSQL, hour-24)
	}
	return wrap("counting a filing", err)
}

// giveBack takes a filing that was counted at this time out of its hour's count. Requests that
// SoftLayer refuses again and again leave the hour to others.
func giveBack(ctx context.Context, tx *tx, at time.Time) error {
	if at.IsZero() {
		return nil
	}
	_, err := tx.ExecContext(ctx, giveBackSQL, at.Unix()/hourSeconds)
	return wrap("giving a filing back", err)
}

// Freeze orders or ends a freeze. It waits for every transaction that is beginning a filing.
// After it returns, no transaction begins one.
func (s *Store) Freeze(ctx context.Context, f cancellation.Freeze) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		return none, s.dialect.freeze(ctx, tx, now, f)
	})
	return wrap("ordering a freeze", err)
}

// freeze takes an order in its turn: until the commit, no other transaction reads what stands to take one.
func (d dialect) freeze(ctx context.Context, tx *tx, now time.Time, f cancellation.Freeze) error {
	if used, err := keyUsed(ctx, tx, f.Key); used || err != nil {
		return cmp.Or(err, cancellation.ErrRepeated)
	}
	before, err := scanOrder(tx.QueryRowContext(ctx, frozenSQL+d.ownLock))
	if err != nil {
		return fmt.Errorf("reading the order that stands: %w", err)
	}
	if tx.restored && !f.Frozen { // nobody has seen that freeze
		return &cancellation.OtherFreezeError{Order: before}
	}
	values := []any{flag(f.Frozen), f.Actor, f.Why, stamp(now)}
	var number int64
	err = tx.QueryRowContext(ctx, freezeSQL, append(values, f.Ends)...).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return anotherFreeze(ctx, tx, f)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, freezesSQL, append(values, number)...)
	}
	if err == nil && (f.Frozen || before.Frozen) { // else nothing changed
		err = oweOrder(ctx, tx, f, number, now)
	}
	return errors.Join(err, useKey(ctx, tx, f.Key, now))
}

// anotherFreeze returns the refusal of an order against an operator's freeze, or to end a
// freeze that is over.
func anotherFreeze(ctx context.Context, tx *tx, f cancellation.Freeze) error {
	stands, err := scanOrder(tx.QueryRowContext(ctx, frozenSQL))
	switch {
	case err != nil:
		return fmt.Errorf("reading whose freeze stands: %w", err)
	case stands.Frozen && stands.ByOperator() && !f.ByOperator():
		return &cancellation.OperatorsFreezeError{Order: stands}
	}
	return &cancellation.OtherFreezeError{Order: stands}
}

// Frozen returns the last order.
func (s *Store) Frozen(ctx context.Context) (cancellation.Freeze, error) {
	f, err := scanOrder(s.read.QueryRowContext(ctx, frozenSQL))
	return f, wrap("reading whether filing is frozen", err)
}

func scanOrder(from row) (f cancellation.Freeze, err error) {
	err = from.Scan(&f.Frozen, &f.Actor, &f.Why, (*stamp)(&f.At), &f.Number)
	return f, err
}

// thawed locks the order until the commit. It returns ErrFrozen if filing is frozen.
func (s *Store) thawed(ctx context.Context, tx *tx) error {
	var frozen bool
	if err := tx.QueryRowContext(ctx, mayFileSQL+s.dialect.readLock).Scan(&frozen); err != nil {
		return fmt.Errorf("reading whether filing is frozen: %w", err)
	}
	if frozen {
		return cancellation.ErrFrozen
	}
	return nil
}

// UnderWay lists the requests for which a POST may be under way, the oldest first.
func (s *Store) UnderWay(ctx context.Context) ([]cancellation.Request, error) {
	const step = "listing what is being filed"
	now, err := s.engine.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return readAll(ctx, s.read, step, scanReadable, underWaySQL, stamp(now))
}

// refusalPause is how long the same refusal of the same person is recorded only once.
const refusalPause = time.Hour

// $1 to $4 are an order, $5 the rule that refused it, $6 since when the same refusal counts.
const refusedOrderSQL = `
	insert into filing_orders (frozen, actor, why, at, refused)
	select cast($1 as bigint), cast($2 as text), cast($3 as text), cast($4 as bigint), cast($5 as text)
	where not exists (select 1 from filing_orders where actor = $2 and at > $6 and frozen = $1 and refused = $5)`

// NoteRefusedFreeze records that a rule refused an order: once an hour for the same person,
// order and rule.
func (s *Store) NoteRefusedFreeze(ctx context.Context, f cancellation.Freeze, rule string) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		_, err = tx.ExecContext(ctx, refusedOrderSQL, flag(f.Frozen), f.Actor, f.Why, stamp(now), rule, stamp(now.Add(-refusalPause)))
		return none, err
	})
	return wrap("recording a refused freeze", err)
}
