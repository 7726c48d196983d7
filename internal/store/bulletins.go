package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/orders"
	"cancel-server/internal/report"
)

const (
	bulletinTurnSQL = `
		update bulletin_turn set lease_owner = $1, lease_until = $2, months_from = coalesce(months_from, $4),
			checkpoints_from = coalesce(checkpoints_from, cast($3 as bigint))
		where lease_owner is null or lease_owner = $1 or lease_until <= $3
		returning months_from, coalesce(elsewhere_from, 0), coalesce(looked_at, 0), checkpoints_from`
	holdBulletinSQL = `update bulletin_turn set lease_until = lease_until where lease_owner = $1`
	freeBulletinSQL = `update bulletin_turn set lease_owner = null, lease_until = null`
	standingSQL     = `
		select coalesce((select max(month) from bulletins), 0), (select count(*) from bulletins where day = $1),
			exists (select 1 from elsewhere where day is null), (select coalesce(max(announced_at), 0) from bulletins)`
	unsettledSQL = `select day, channel, coalesce(month, 0), announced_at from bulletins where settled = 0 order by day limit 1`

	announceBulletinSQL = `insert into bulletins (day, month, channel, ts, announced_at, settled) values ($1, $2, $3, '', $4, 0)
		on conflict do nothing`
	assignSQL    = `update elsewhere set day = $1 where day is null`
	toldSQL      = `select told from elsewhere where day = $1 order by cancellation_id limit $2`
	toldCountSQL = `select count(*) from elsewhere where day = $1`
	settleSQL    = `update bulletins set settled = 1, channel = case when $2 = '' then channel else $2 end, ts = $3 where day = $1 and settled = 0`
	takeBackSQL  = `delete from bulletins where day = $1 and settled = 0`
	oweAgainSQL  = `update elsewhere set day = null where day = $1`

	beginElsewhereSQL = `update bulletin_turn set elsewhere_from = $1, looked_at = $1 where elsewhere_from is null`
	keepElsewhereSQL  = `insert into elsewhere (cancellation_id, told, day) values ($1, $2, $3) on conflict do nothing`
	lookedAtSQL       = `update bulletin_turn set looked_at = $1`
)

// BulletinTurn takes or renews the turn to post in REPORT_CHANNEL.
func (s *Store) BulletinTurn(ctx context.Context, owner string, lease time.Duration) (report.Turn, error) {
	turn, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (t report.Turn, err error) {
		t.Now = now
		var months, elsewhere, looked, quiet int64
		err = tx.QueryRowContext(ctx, bulletinTurnSQL, owner, stamp(now.Add(lease)), stamp(now), report.MonthOf(now).Number()).Scan(&months, &elsewhere, &looked, &quiet)
		if errors.Is(err, sql.ErrNoRows) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		t.Mine, t.Months, t.ElsewhereFrom, t.LookedAt = true, report.MonthNumbered(months), moment(elsewhere), moment(looked)
		var last, posted, announced int64
		if err := tx.QueryRowContext(ctx, standingSQL, dayOf(now)).Scan(&last, &posted, &t.Owed, &announced); err != nil {
			return t, fmt.Errorf("reading what was posted: %w", err)
		}
		t.Last, t.Posted, t.Quiet = report.MonthNumbered(last), posted > 0, moment(max(quiet, announced))
		t.Unsettled, err = unsettled(ctx, tx)
		return t, err
	})
	return turn, wrap("taking the turn to post reports", err)
}

func unsettled(ctx context.Context, tx *tx) (*report.Bulletin, error) {
	var b report.Bulletin
	var month, at int64
	err := tx.QueryRowContext(ctx, unsettledSQL).Scan(&b.Day, &b.Channel, &month, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	b.Month, b.AnnouncedAt = report.MonthNumbered(month), moment(at)
	return &b, wrap("reading what was announced", err)
}

func moment(milliseconds int64) time.Time {
	if milliseconds == 0 {
		return time.Time{}
	}
	return time.UnixMilli(milliseconds).UTC()
}

func dayOf(now time.Time) int64 { return cancellation.QuotaDay(now) }

// AnnounceBulletin records that today's bulletin is about to be posted, with the report of a month,
// unless that is the zero Month, and all cancellations by others that are owed, of which it returns
// the first listed ones. It returns [ErrNotOurTurn], and records nothing, if the owner has lost its
// turn, and if today or with this month's report there was a bulletin.
func (s *Store) AnnounceBulletin(ctx context.Context, owner, channel string, month report.Month, listed int) (report.Bulletin, error) {
	var b report.Bulletin
	err := s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		b = report.Bulletin{Day: dayOf(now), Channel: channel, Month: month, AnnouncedAt: now}
		mine, err := tx.changes(ctx, holdBulletinSQL, owner)
		if err != nil || !mine {
			return mine, err
		}
		fresh, err := tx.changes(ctx, announceBulletinSQL, b.Day, nullable(month.Number()), channel, stamp(now))
		if err != nil || !fresh {
			return fresh, err
		}
		if _, err := tx.ExecContext(ctx, assignSQL, b.Day); err != nil {
			return false, err
		}
		return true, readTold(ctx, tx, &b, listed)
	})
	return b, wrap("announcing a bulletin", err)
}

func readTold(ctx context.Context, tx *tx, b *report.Bulletin, listed int) error {
	if err := tx.QueryRowContext(ctx, toldCountSQL, b.Day).Scan(&b.Count); err != nil {
		return fmt.Errorf("counting what it tells: %w", err)
	}
	rows, err := tx.QueryContext(ctx, toldSQL, b.Day, listed)
	if err != nil {
		return fmt.Errorf("reading what it tells: %w", err)
	}
	told, err := collect(rows, func(from row) (told string, err error) { return told, from.Scan(&told) })
	for _, text := range told {
		b.Elsewhere = append(b.Elsewhere, []byte(text))
	}
	return wrap("reading what it tells", err)
}

// SettleBulletin records that a bulletin was posted, with Slack's channel and ts, or without them
// that nobody can tell: it is not posted again.
func (s *Store) SettleBulletin(ctx context.Context, day int64, channel, ts string) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, _ time.Time) (bool, error) {
		return tx.changes(ctx, settleSQL, day, channel, ts)
	})
	return wrap("recording a bulletin", err)
}

// TakeBackBulletin records that a bulletin was certainly not posted: what it told is owed again.
func (s *Store) TakeBackBulletin(ctx context.Context, day int64) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, _ time.Time) (gone bool, err error) {
		if gone, err = tx.changes(ctx, takeBackSQL, day); err == nil && gone {
			_, err = tx.ExecContext(ctx, oweAgainSQL, day)
		}
		return gone, err
	})
	return wrap("taking a bulletin back", err)
}

// BeginElsewhere has cancellations by others posted from now on, if they were not so before. Those
// that stand now are not. first is true once.
func (s *Store) BeginElsewhere(ctx context.Context, standing []report.Elsewhere) (first bool, err error) {
	first, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (first bool, err error) {
		if first, err = tx.changes(ctx, beginElsewhereSQL, stamp(now)); err != nil || !first {
			return first, err
		}
		return first, keepElsewhere(ctx, tx, standing, int64(0))
	})
	return first, wrap("beginning to look for cancellations by others", err)
}

// KeepElsewhere owes the cancellations by others that are not known yet, and records that they were
// looked for. It returns [ErrNotOurTurn], and records nothing, if the owner has lost its turn.
func (s *Store) KeepElsewhere(ctx context.Context, owner string, found []report.Elsewhere) error {
	err := s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		mine, err := tx.changes(ctx, holdBulletinSQL, owner)
		if err != nil || !mine {
			return mine, err
		}
		if err := keepElsewhere(ctx, tx, found, nil); err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx, lookedAtSQL, stamp(now))
		return true, err
	})
	return wrap("recording cancellations by others", err)
}

func keepElsewhere(ctx context.Context, tx *tx, found []report.Elsewhere, day any) error {
	for part := range slices.Chunk(found, reportPage) {
		var args []any
		for _, one := range part {
			args = append(args, one.ID, string(one.Told), day)
		}
		text := strings.Replace(keepElsewhereSQL, `($1, $2, $3)`, placeholders(len(part), 3), 1)
		if _, err := tx.ExecContext(ctx, text, args...); err != nil {
			return err
		}
	}
	return nil
}

const (
	oweOrderSQL = `insert into order_notices (number, target, place, ends, version, channel, ts, posting, attempts, due)
		values ($1, $2, $3, $4, 1, '', '', 0, 0, $5) on conflict do nothing`
	orderOwedSQL  = `select count(*) from order_notices where due is not null`
	orderShownSQL = `select channel, ts from order_notices where number = $1 and ts <> '' order by target limit 1`
	keepOrderSQL  = `update order_notices set version = version + 1, channel = $1, ts = $2, posting = $3, attempts = $4, due = $5,
			posted_at = case when $6 = 1 then cast($7 as bigint) else posted_at end,
			lease_owner = case when $6 = 1 then lease_owner end, lease_until = case when $6 = 1 then lease_until end
		where number = $8 and target = $9 and version = $10`
	spreadOrderSQL = `delete from order_notices where number = $1 and target = $2 and version = $3`
	hurryOrdersSQL = `update order_notices set due = $1 where target = $2 and number < $3 and due > $1 and posting = 0 and ` + isFree
	shareOrdersSQL = `insert into order_notices (number, target, place, ends, version, channel, ts, posting, attempts, due)
		select number, cast($1 as text), place, ends, 1, '', '', 0, 0, cast($2 as bigint) from order_notices
		where target = $3 and (number > $4 and due is not null or number = $4)
		on conflict do nothing`
	// An order that cannot be read stays on record, and holds up no other.
	setOrderAsideSQL = `update order_notices set due = null, lease_owner = null, lease_until = null where number = $1 and target = $2`
	dropOldNewsSQL   = `update order_notices set due = null, posting = 0, lease_owner = null, lease_until = null, version = version + 1
		where due is not null and number < (select number from filing_order)`
)

// claimOrderSQL takes the first order that is due at a place which is owed no earlier one, or may be as soon as it
// is known who is told: each target reads orders in their order, and none waits for another target.
func (d dialect) claimOrderSQL() string {
	return `
		with first as materialized (
			select number, target from order_notices as next where due <= $1 and ` + isFree + `
				and not exists (select 1 from order_notices as earlier
					where earlier.number < next.number and earlier.due is not null and earlier.target in ('', next.target))
			order by number, target limit 1` + d.rowLock + `)
		update order_notices set lease_owner = $2, lease_until = $3, version = version + 1
		where (number, target) in (select number, target from first)
		returning number, target, place, ends, version, channel, ts, posting, posted_at, attempts,
			(select frozen from filing_orders where filing_orders.number = order_notices.number and refused = ''),
			(select actor from filing_orders where filing_orders.number = order_notices.number and refused = ''),
			(select why from filing_orders where filing_orders.number = order_notices.number and refused = ''),
			(select at from filing_orders where filing_orders.number = order_notices.number and refused = '')`
}

// oweOrder owes an order to people. A bot that serves says to whom. An order that ends a freeze ends the one before.
func oweOrder(ctx context.Context, tx *tx, f cancellation.Freeze, number int64, now time.Time) error {
	place, err := json.Marshal(f.Place)
	if err != nil {
		return fmt.Errorf("encoding a place: %w", err)
	}
	ends := number - 1
	if f.Frozen {
		ends = 0
	}
	_, err = tx.ExecContext(ctx, oweOrderSQL, number, "", string(place), ends, stamp(now))
	return wrap("owing an order to people", err)
}

// ClaimOrder leases a notice that is due, the first order first. A target gets no order before those that it is
// owed since earlier. ok is false if there is nothing to do now.
func (s *Store) ClaimOrder(ctx context.Context, owner string, lease time.Duration) (n orders.Notice, at time.Time, ok bool, err error) {
	const step = "claiming an order to tell"
	var owed int
	if err := s.read.QueryRowContext(ctx, orderOwedSQL).Scan(&owed); err != nil || owed == 0 {
		return n, at, false, wrap(step, err)
	}
	var unreadable []int64
	n, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (n orders.Notice, err error) {
		at = now
		n, unreadable, err = claimOrder(ctx, tx, s.dialect.claimOrderSQL(), stamp(now), owner, stamp(now.Add(lease)))
		return n, err
	})
	for _, number := range unreadable {
		s.log.Error("an order about filing cannot be read, and is not told", "order", number)
	}
	return n, at, err == nil && n.Version > 0, wrap(step, err)
}

// claimOrder returns the zero Notice if none is due. It sets those aside that cannot be read.
func claimOrder(ctx context.Context, tx *tx, claimSQL string, args ...any) (n orders.Notice, unreadable []int64, err error) {
	for {
		n, err = scanOrderNotice(tx.QueryRowContext(ctx, claimSQL, args...))
		if errors.Is(err, sql.ErrNoRows) {
			return orders.Notice{}, unreadable, nil
		}
		if !errors.Is(err, cancellation.ErrUnreadable) {
			return n, unreadable, err
		}
		unreadable = append(unreadable, n.Order.Number)
		if _, err := tx.ExecContext(ctx, setOrderAsideSQL, n.Order.Number, n.Target); err != nil {
			return n, unreadable, err
		}
	}
}

// scanOrderNotice returns [cancellation.ErrUnreadable] for a notice whose order is not on record.
func scanOrderNotice(from row) (n orders.Notice, err error) {
	var place string
	var frozen, at sql.NullInt64
	var actor, why sql.NullString
	f := &n.Order
	err = from.Scan(&f.Number, &n.Target, &place, &n.Ends, &n.Version, &n.Posted.Channel, &n.Posted.TS, &n.Posting, (*stamp)(&n.PostedAt), &n.Attempts,
		&frozen, &actor, &why, &at)
	if err != nil {
		return n, err
	}
	f.Frozen, f.Actor, f.Why, f.At = frozen.Int64 != 0, actor.String, why.String, moment(at.Int64)
	if err := json.Unmarshal([]byte(place), &f.Place); err != nil || !frozen.Valid {
		return n, errors.Join(cancellation.ErrUnreadable, err)
	}
	return n, nil
}

// SpreadOrder replaces a notice without a target by one for each target. What each was owed before is due at once:
// a channel that still refuses it has others told of this order too.
func (s *Store) SpreadOrder(ctx context.Context, n orders.Notice, targets []string) error {
	place, err := json.Marshal(n.Order.Place)
	if err != nil {
		return fmt.Errorf("encoding a place: %w", err)
	}
	err = s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		held, err := tx.changes(ctx, spreadOrderSQL, n.Order.Number, n.Target, n.Version)
		if err != nil || !held {
			return held, err
		}
		for _, target := range targets {
			if _, err := tx.ExecContext(ctx, oweOrderSQL, n.Order.Number, target, string(place), n.Ends, stamp(now)); err != nil {
				return true, err
			}
			if _, err := tx.ExecContext(ctx, hurryOrdersSQL, stamp(now), target, n.Order.Number); err != nil {
				return true, err
			}
		}
		return true, nil
	})
	return wrap("recording who is told of an order", ofNotice(err))
}

// ShareOrders owes the targets all that is owed to the target of a notice, which is worked on again after the pause; 0 for never.
func (s *Store) ShareOrders(ctx context.Context, n orders.Notice, targets []string, pause time.Duration) error {
	err := s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		held, err := keepOrder(ctx, tx, n, now, pause, false)
		for _, target := range targets {
			if err == nil && held {
				_, err = tx.ExecContext(ctx, shareOrdersSQL, target, stamp(now), n.Target, n.Order.Number)
			}
		}
		return held, err
	})
	return wrap("recording who else is told of orders", ofNotice(err))
}

// ofNotice says of a notice that another has it.
func ofNotice(err error) error {
	if errors.Is(err, ErrNotOurTurn) {
		return cancellation.ErrMoved
	}
	return err
}

func keepOrder(ctx context.Context, tx *tx, n orders.Notice, now time.Time, pause time.Duration, announced bool) (bool, error) {
	var due time.Time
	if pause > 0 {
		due = now.Add(pause)
	}
	return tx.changes(ctx, keepOrderSQL, n.Posted.Channel, n.Posted.TS, flag(n.Posting), n.Attempts, stamp(due),
		flag(announced), stamp(now), n.Order.Number, n.Target, n.Version)
}

// KeepOrder records what became of a notice. It is worked on again after the pause; 0 for never.
func (s *Store) KeepOrder(ctx context.Context, n orders.Notice, pause time.Duration, announced bool) (orders.Notice, error) {
	err := s.inTurn(ctx, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		if announced {
			n.PostedAt = now
		}
		return keepOrder(ctx, tx, n, now, pause, announced)
	})
	n.Version++
	return n, wrap("recording what people were told of an order", ofNotice(err))
}

// OrderShown returns where an order was told first; zero if that is not on record.
func (s *Store) OrderShown(ctx context.Context, number int64) (at cancellation.Posted, err error) {
	err = s.read.QueryRowContext(ctx, orderShownSQL, number).Scan(&at.Channel, &at.TS)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return at, wrap("reading where an order was told", err)
}

// A backup of a build before version 7 has orders without numbers. The version counts them for the one that stands alone.
const numberRestoredSQL = `update filing_orders set number = $1 where number = 0 and refused = '' and actor = $2 and at = $3`

// oweRestored owes people the freeze with which a file that was restored from a backup starts.
func oweRestored(ctx context.Context, begun *sql.Tx, now time.Time) error {
	order, err := scanOrder(begun.QueryRowContext(ctx, frozenSQL))
	if err != nil || order.Actor != cancellation.RestoreActor || !order.Frozen {
		return err
	}
	if _, err := begun.ExecContext(ctx, numberRestoredSQL, order.Number, order.Actor, stamp(order.At)); err != nil {
		return fmt.Errorf("numbering the order that stands: %w", err)
	}
	return oweOrder(ctx, &tx{Tx: begun}, order, order.Number, now)
}

// dropOldNews ends what people are owed of the orders before the one that stands: in a copy that was restored, it
// is what they were owed when the copy was made.
func dropOldNews(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, dropOldNewsSQL)
	return wrap("dropping old news of orders", err)
}
