package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
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
