package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/report"
)

// RateLimiter limits how often a whole deployment calls one vendor, by a row in the database.
// It takes a few turns at a time, so that not every call writes. Turns that are not used
// within a second are lost.
type RateLimiter struct {
	store     *Store
	vendor    string
	perSecond float64
	spent     atomic.Int64 // calls that went without waiting

	taking chan struct{} // held while turns are taken from the database
	mu     sync.Mutex
	left   int
	until  time.Time // when those that are left are lost, by this process's clock
}

// RateLimiter returns the limiter of a vendor: perSecond calls a second, above 0.
func (s *Store) RateLimiter(vendor string, perSecond float64) *RateLimiter {
	return &RateLimiter{store: s, vendor: vendor, perSecond: perSecond, taking: make(chan struct{}, 1)}
}

// atOnce returns how many turns are taken together: those of a fifth of a second.
func (t *RateLimiter) atOnce() int { return max(1, int(t.perSecond/5)) }

// Wait returns when one call may go. It returns [ErrCrowded] at once if that would be after
// ctx's deadline.
func (t *RateLimiter) Wait(ctx context.Context) error {
	if t.take() {
		return nil
	}
	select {
	case t.taking <- struct{}{}:
		defer func() { <-t.taking }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	if t.take() { // somebody took more meanwhile
		return nil
	}
	return t.fetch(ctx)
}

// Spend counts a call that did not wait. Later calls wait longer for it.
func (t *RateLimiter) Spend() { t.spent.Add(1) }

func (t *RateLimiter) take() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.left == 0 || time.Now().After(t.until) {
		return false
	}
	t.left--
	return true
}

func (t *RateLimiter) fetch(ctx context.Context) error {
	patience := time.Duration(0)
	if deadline, ok := ctx.Deadline(); ok {
		patience = max(time.Until(deadline), time.Millisecond)
	}
	calls, spent := t.atOnce(), t.spent.Swap(0)
	wait, err := t.store.reserve(ctx, t.vendor, calls+int(spent), t.perSecond, patience)
	if err != nil {
		t.spent.Add(spent)
		return err
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		return fmt.Errorf("waiting for a turn to call %s: %w", t.vendor, ctx.Err())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left, t.until = calls-1, time.Now().Add(time.Second)
	return nil
}

// ErrCrowded says that the deployment's rate has no turn left before the caller's deadline.
// Nothing was reserved.
var ErrCrowded = errors.New("too many calls already wait for their turn")

// burst is how far calls may run ahead of an even pace.
const burst = time.Second

const (
	// The next free turn moves on by $3, unless it would then be later than $4.
	reserveSQL = `
		insert into rates (vendor, free_at)
			select cast($1 as text), cast($2 as bigint) + cast($3 as bigint)
			where cast($2 as bigint) + cast($3 as bigint) <= cast($4 as bigint)
		on conflict (vendor) do update set
			free_at = case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint)
		where case when rates.free_at > $2 then rates.free_at else cast($2 as bigint) end + cast($3 as bigint) <= cast($4 as bigint)
		returning free_at`
	noDeadline = 365 * 24 * time.Hour
)

// reserve takes the next turns for calls to a vendor, which the whole deployment calls
// perSecond times a second, and returns how long the caller has to wait for them. It returns
// ErrCrowded if that would be longer than patience, unless patience is 0.
func (s *Store) reserve(ctx context.Context, vendor string, calls int, perSecond float64, patience time.Duration) (time.Duration, error) {
	if patience <= 0 {
		patience = noDeadline
	}
	taken := time.Duration(float64(calls) / perSecond * float64(time.Second))
	wait, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (time.Duration, error) {
		var free int64
		err := tx.QueryRowContext(ctx, reserveSQL, vendor, now.UnixMicro(), taken.Microseconds(),
			now.Add(patience+burst).UnixMicro()).Scan(&free)
		if errors.Is(err, sql.ErrNoRows) {
			return -1, nil
		}
		return max(time.UnixMicro(free).Add(-burst).Sub(now), 0), err
	})
	if err == nil && wait < 0 {
		err = ErrCrowded
	}
	return max(wait, 0), wrap(fmt.Sprintf("taking a turn to call %s", vendor), err)
}

const (
	heartbeatSQL = `insert into replicas (owner, seen_at) values ($1, $2)
		on conflict (owner) do update set seen_at = excluded.seen_at`
	forgetSQL     = `delete from replicas where seen_at <= $1`
	unregisterSQL = `delete from replicas where owner = $1`
	replicasSQL   = `select count(*) from replicas where seen_at > $1`
)

// Heartbeat records that a process serves, and returns how many do: those with a heartbeat
// younger than silence.
func (s *Store) Heartbeat(ctx context.Context, owner string, silence time.Duration) (replicas int, err error) {
	replicas, err = change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (n int, err error) {
		if _, err := tx.ExecContext(ctx, heartbeatSQL, owner, stamp(now)); err != nil {
			return 0, err
		}
		if _, err := tx.ExecContext(ctx, forgetSQL, stamp(now.Add(-10*silence))); err != nil {
			return 0, err
		}
		return n, tx.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	})
	return replicas, wrap("recording that this process serves", err)
}

// Replicas counts the processes that serve, as [Store.Heartbeat] does.
func (s *Store) Replicas(ctx context.Context, silence time.Duration) (n int, err error) {
	now, err := s.Now(ctx)
	if err != nil {
		return 0, err
	}
	err = s.read.QueryRowContext(ctx, replicasSQL, stamp(now.Add(-silence))).Scan(&n)
	return n, wrap("counting the processes that serve", err)
}

// Unregister records that a process has stopped serving.
func (s *Store) Unregister(ctx context.Context, owner string) error {
	err := s.committer.do(ctx, &write{run: func(ctx context.Context, tx *tx, _ time.Time) error {
		_, err := tx.ExecContext(ctx, unregisterSQL, owner)
		return err
	}})
	return wrap("recording that this process has stopped serving", err)
}

const (
	bulletinTurnSQL = `
		update bulletin_turn set lease_owner = $1, lease_until = $2, months_from = coalesce(months_from, $4)
		where lease_owner is null or lease_owner = $1 or lease_until <= $3
		returning months_from, coalesce(elsewhere_from, 0), coalesce(looked_at, 0)`
	holdBulletinSQL = `update bulletin_turn set lease_until = lease_until where lease_owner = $1`
	freeBulletinSQL = `update bulletin_turn set lease_owner = null, lease_until = null`
	standingSQL     = `
		select coalesce((select max(month) from bulletins), 0), (select count(*) from bulletins where day = $1),
			exists (select 1 from elsewhere where day is null)`
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
		var months, elsewhere, looked int64
		err = tx.QueryRowContext(ctx, bulletinTurnSQL, owner, stamp(now.Add(lease)), stamp(now), report.MonthOf(now).Number()).Scan(&months, &elsewhere, &looked)
		if errors.Is(err, sql.ErrNoRows) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
		t.Mine, t.Months, t.ElsewhereFrom, t.LookedAt = true, report.MonthNumbered(months), moment(elsewhere), moment(looked)
		var last, posted int64
		if err := tx.QueryRowContext(ctx, standingSQL, dayOf(now)).Scan(&last, &posted, &t.Owed); err != nil {
			return t, fmt.Errorf("reading what was posted: %w", err)
		}
		t.Last, t.Posted = report.MonthNumbered(last), posted > 0
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
