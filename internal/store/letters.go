package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

const (
	newsSQL = `
		insert into news (person, request_id, kind, detail, at) values ($1, $2, $3, $4, $5)
		on conflict (person, request_id, kind, detail) do nothing`
	mailSQL = `
		insert into mailboxes (person, version, owed, due, letters) values ($1, 1, 1, $2, '')
		on conflict (person) do update set owed = mailboxes.owed + 1,
			due = case when mailboxes.due < excluded.due then mailboxes.due else excluded.due end`

	newsColumns = `number, person, request_id, kind, detail, at`
	newsForSQL  = `select ` + newsColumns + ` from news where person = $1 and settled_at is null
		order by case when kind in ('waits', 'not_cancelled', 'stuck') then 0 else 1 end, number limit $2`

	// News that came after the mailbox was read makes it due now.
	keepMailboxSQL = `
		update mailboxes set letters = $1, version = version + 1,
			due = case when owed <> $2 then cast($3 as bigint) else cast($4 as bigint) end,
			lease_owner = case when $5 = 1 then lease_owner end, lease_until = case when $5 = 1 then lease_until end
		where person = $6 and version = $7`

	freeMailboxesSQL = `update mailboxes set lease_owner = null, lease_until = null`
	waitsSinceSQL    = `select waits_since from followed where request_id = $1`

	firstMailboxSQL = `select person from mailboxes where due <= $1 and ` + isFree + ` order by due limit `
)

// No mailbox is due more than a day ahead. One that is was kept by a clock that was ahead.
var (
	isAheadMailbox = fmt.Sprintf(`due > cast($1 as bigint) + %d`, (48 * time.Hour).Milliseconds())
	mailWork       = work{firstMailboxSQL + `1`, nextSQL(`mailboxes where due is not null`), `select 1 from mailboxes where ` + isAheadMailbox}
)

// pullMailboxesIn leaves out what another process writes to: the next claim corrects that.
func (d dialect) pullMailboxesIn() string {
	return `
		with ahead as materialized (select person from mailboxes where ` + isAheadMailbox + d.rowLock + `)
		update mailboxes set due = $1, lease_owner = null, lease_until = null where person in (select person from ahead)`
}

func (d dialect) claimMailboxesSQL() string {
	return `
		with first as materialized (` + firstMailboxSQL + `$4` + d.rowLock + `)
		update mailboxes set lease_owner = $2, lease_until = $3, version = version + 1
		where person in (select person from first limit ` + strconv.Itoa(mostClaimed) + `)
		returning person, version, owed, due, letters`
}

// OweNews owes news of a request. What one was told already is left out.
func (s *Store) OweNews(ctx context.Context, requestID string, news []cancellation.News) error {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		return none, oweNews(ctx, tx, requestID, news, now)
	})
	return wrap(fmt.Sprintf("owing news of request %q", requestID), err)
}

func oweNews(ctx context.Context, tx *tx, requestID string, news []cancellation.News, now time.Time) error {
	for _, n := range news {
		isNew, err := tx.changes(ctx, newsSQL, n.To, requestID, string(n.Kind), n.Detail, stamp(now))
		if err == nil && isNew {
			_, err = tx.ExecContext(ctx, mailSQL, n.To, stamp(now))
		}
		if err != nil {
			return fmt.Errorf("owing news: %w", err)
		}
	}
	return nil
}

// ClaimMailboxes leases the mailboxes that have been due the longest, at most most of them.
func (s *Store) ClaimMailboxes(ctx context.Context, owner string, lease time.Duration, most int) (c cancellation.Claim[cancellation.Mailbox], err error) {
	seen, err := s.look(ctx, mailWork)
	if err != nil || !seen.due && !seen.ahead {
		c.Next = seen.pause()
		return c, wrap("claiming mailboxes", err)
	}
	most = min(most, mostClaimed)
	c, err = change(ctx, s.committer, &write{claims: true}, func(ctx context.Context, tx *tx, now time.Time) (c cancellation.Claim[cancellation.Mailbox], err error) {
		if _, err := tx.ExecContext(ctx, s.dialect.pullMailboxesIn(), stamp(now)); err != nil {
			return c, fmt.Errorf("correcting due times: %w", err)
		}
		c.At = now
		rows, err := tx.QueryContext(ctx, s.dialect.claimMailboxesSQL(), stamp(now), owner, stamp(now.Add(lease)), most)
		if err == nil {
			c.Rows, err = collect(rows, scanMailbox)
		}
		return c, err
	})
	if err == nil {
		c.Next, err = s.nextClaim(ctx, mailWork, len(c.Rows), most)
	}
	return c, wrap("claiming mailboxes", err)
}

func scanMailbox(from row) (m cancellation.Mailbox, err error) {
	var letters string
	err = from.Scan(&m.Person, &m.Version, &m.Owed, (*stamp)(&m.Due), &letters)
	if letters != "" {
		m.Letters = []byte(letters)
	}
	return m, err
}

// KeepMailbox stores what became of a mailbox, and settles news by its numbers. It gives back the lease
// unless keep is set. It returns [cancellation.ErrMoved], and changes nothing, if the row has left
// m.Version.
func (s *Store) KeepMailbox(ctx context.Context, m cancellation.Mailbox, keep bool, settled []int64) (cancellation.Mailbox, error) {
	_, err := change(ctx, s.committer, &write{}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		kept, err := tx.changes(ctx, keepMailboxSQL, string(m.Letters), m.Owed, stamp(now), stamp(m.Due), flag(keep), m.Person, m.Version)
		switch {
		case err != nil:
			return none, err
		case !kept:
			return none, cancellation.ErrMoved
		case len(settled) == 0:
			return none, nil
		}
		args := []any{stamp(now), m.Person}
		_, err = tx.ExecContext(ctx, `update news set settled_at = $1 where person = $2 and number in (`+listOf(&args, settled)+`)`, args...)
		return none, err
	})
	m.Version++
	return m, wrap("recording what a person was told", err)
}

// listOf returns the placeholders of more arguments.
func listOf(args *[]any, numbers []int64) string {
	var places []string
	for _, n := range numbers {
		*args = append(*args, n)
		places = append(places, fmt.Sprintf("$%d", len(*args)))
	}
	return strings.Join(places, ", ")
}

// NewsFor lists up to most news that a person is owed, the oldest first.
func (s *Store) NewsFor(ctx context.Context, person string, most int) ([]cancellation.OwedNews, error) {
	return readAll(ctx, s.read, "reading what a person is owed", scanNews, newsForSQL, person, most)
}

// NewsNumbered lists news of one person by its numbers, told or not.
func (s *Store) NewsNumbered(ctx context.Context, person string, numbers []int64) ([]cancellation.OwedNews, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	args := []any{person}
	return readAll(ctx, s.read, "reading what a person was told", scanNews,
		`select `+newsColumns+` from news where person = $1 and number in (`+listOf(&args, numbers)+`) order by number`, args...)
}

func scanNews(from row) (n cancellation.OwedNews, err error) {
	err = from.Scan(&n.Number, &n.To, &n.Request, &n.Kind, &n.Detail, (*stamp)(&n.At))
	return n, err
}

// WaitsSince returns since when SoftLayer waits for an answer about a filed request; zero if it does
// not.
func (s *Store) WaitsSince(ctx context.Context, requestID string) (since time.Time, err error) {
	err = s.read.QueryRowContext(ctx, waitsSinceSQL, requestID).Scan((*stamp)(&since))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return since, wrap("reading since when SoftLayer waits", err)
}

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

	asksSQL = `select asked from waits where request_id = $1 and act_at is not null`

	waitingOfSQL = `select id` + awaitedOfBatch

	waitStepSQL = `
		update waits set told = $2, reminders = $3, next_at = $4, act_at = $5
		where request_id = $1 and asked = $6 and act_at = $7`

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

// Asks returns the update for whose answer SoftLayer waits; 0 for none.
func (s *Store) Asks(ctx context.Context, requestID string) (asks int64, err error) {
	err = s.read.QueryRowContext(ctx, asksSQL, requestID).Scan(&asks)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return asks, wrap("reading which update waits for an answer", err)
}

// WaitingOf reads for which requests of a batch SoftLayer waits for an answer, by their ids.
func (s *Store) WaitingOf(ctx context.Context, batch string) (map[string]bool, error) {
	waits := map[string]bool{}
	_, err := readAll(ctx, s.read, "reading which tickets of a batch wait for an answer", func(from row) (id string, err error) {
		err = from.Scan(&id)
		waits[id] = true
		return id, err
	}, waitingOfSQL, batch)
	return waits, err
}

// KeepWait records a step of a wait. It returns [cancellation.ErrMoved] if the wait has changed.
func (s *Store) KeepWait(ctx context.Context, step cancellation.WaitStep) error {
	w := step.Wait
	_, err := change(ctx, s.committer, &write{locks: ofBatch(w.Request)}, func(ctx context.Context, tx *tx, now time.Time) (none struct{}, err error) {
		same, err := tx.changes(ctx, waitStepSQL, w.Request.ID, step.Told, step.Reminders, stamp(step.Next), stamp(step.Act), w.Asks, stamp(w.Act))
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
