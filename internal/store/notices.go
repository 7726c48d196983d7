package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// responseLife is how long Slack accepts a response_url
// (docs.slack.dev/interactivity/handling-user-interaction#message_responses).
const responseLife = 30 * time.Minute

const (
	// A notice that cannot be read stays owed, and is overdue before long.
	setNoticeAsideSQL = `update notices set due = null, lease_owner = null, lease_until = null where request_id = $1 and kind = $2`
)

var (
	// The messages of a batch are kept under its lead, and show each of its requests.
	noticesSQL = `select ` + noticeColumns + ` from (
			select ` + noticeColumns + ` from notices where request_id = $1 and kind not like 'batch:%'
			union all select ` + strings.NewReplacer("request_id", "$1", "kind", "case kind when 'batch:result' then 'result' else 'card' end").Replace(noticeColumns) + `
			from notices where kind in ('batch:result', 'batch:card')
				and request_id = (select lead from batches, requests where requests.id = $1 and batches.id = batch)) as its
		order by kind`

	batchNoticesSQL = `select ` + noticeColumns + ` from notices where request_id = $1 and kind like 'batch:%' order by kind`

	// A new notice owes the request as it is.
	oweSQL = `insert into notices (` + insertedNoticeColumns.names() + `)
		select id, $2, 1, '', null, case when $2 like 'batch:%' then 0 else version + case when ` + isUnfinished + ` and epoch < $5 then $5 - epoch else 0 end end, $3, $4, '', '', 0, '', 0, 0, 0, $3 from requests
		where id = $1 on conflict do nothing`

	// What shows a text for a batch may show many of one form.
	isOfForm = `(kind like 'update:%' or kind like 'proposal:%') and exists (select 1 from requests where id = request_id and batch <> '')`

	// A notice that shows less than what is owed is due, whatever the notifier thinks: a batch's after its pause.
	// The lease stays only on what is due.
	staysDue       = `(cast(` + deliveryColumns.number("due") + ` as bigint) is not null or ` + deliveryColumns.number("shown") + ` < owed)`
	applyNoticeSQL = `
		update notices set (` + deliveryColumns.names() + `, owed_at, version, response_url, lease_owner, lease_until) =
			(` + numbers(len(deliveryColumns)-1) + `,
			coalesce(cast($9 as bigint), case when $4 < owed then cast($10 as bigint) + case when kind like 'batch:%' or ` + isOfForm + ` then ` + strconv.FormatInt(batchPause.Milliseconds(), 10) + ` else 0 end end),
			case when ` + staysDue + ` then owed_at end, version + 1,
			case when $11 = '' then '' else response_url end,
			case when $12 = 1 and ` + staysDue + ` then lease_owner end, case when $12 = 1 and ` + staysDue + ` then lease_until end)
		where request_id = $13 and kind = $14 and version = $15
		returning ` + noticeColumns
)

// A build delivers no state and no row format that it does not know. PostgreSQL looks for a value
// row by row, whereas it may join what exists with all requests.
var (
	isKnown = fmt.Sprintf(`(select format <= %d and state in (%s) from requests where id = request_id)`,
		cancellation.Format, quoted(cancellation.States()))

	dueNoticesSQL  = `select request_id, kind from notices where due <= $1 and ` + isFree + ` and ` + isKnown + ` order by due limit `
	firstNoticeSQL = dueNoticesSQL + `1`
	nextNoticeSQL  = nextSQL(`notices where ` + isKnown)
	noticeWorkSQL  = `select request_id from (` + firstNoticeSQL + `) as due
		union all select request_id from (
			select request_id from notices where response_url_until <= $1 order by response_url_until limit 1) as over limit 1`
	noticeWork = work{noticeWorkSQL, nextNoticeSQL, `select 1 where 1 = 0`}
)

// eraseURLsSQL leaves out what another process writes to: the next claim erases that.
func (d dialect) eraseURLsSQL() string {
	return `
		with over as materialized (select request_id, kind from notices where response_url_until <= $1
			order by response_url_until limit 100` + d.rowLock + `)
		update notices set response_url = '', response_url_until = null
		where (request_id, kind) in (select request_id, kind from over)`
}

func (d dialect) claimNoticesSQL() string {
	return `
		with first as materialized (` + dueNoticesSQL + `$4` + d.rowLock + `)
		update notices set lease_owner = $2, lease_until = $3, version = version + 1
		where (request_id, kind) in (select request_id, kind from first limit ` + strconv.Itoa(mostClaimed) + `)
		returning ` + noticeColumns
}

// announceSQL leases the result of a request that no message shows, and records "about to post". It
// takes only one that is due, as a claim does.
var announceSQL = `
	update notices set posting = 1, posts = posts + 1, due = $2, lease_owner = $3, lease_until = $4, version = version + 1
	where request_id = $5 and kind = 'result' and due <= $1 and ` + isFree + `
		and posting = 0 and ts = '' and shown = 0 and way <> '` + string(cancellation.ByResponse) + `'
	returning ` + noticeColumns

// quoted returns the states as a list in SQL.
func quoted(states []cancellation.State) string {
	var words []string
	for _, state := range states {
		words = append(words, "'"+string(state)+"'")
	}
	return strings.Join(words, ", ")
}

func encodeNotice(n cancellation.Notice) (noticeRow, error) {
	place, err := json.Marshal(n.Place)
	return noticeRow{Notice: n, place: string(place)}, wrap("encoding a place", err)
}

func scanNotice(from row) (cancellation.Notice, error) {
	var n noticeRow
	if err := from.Scan(readNoticeColumns.targets(&n)...); err != nil {
		return cancellation.Notice{}, err
	}
	if err := json.Unmarshal([]byte(n.place), &n.Place); err != nil {
		return n.Notice, fmt.Errorf("decoding the place of request %q: %w: %w", n.RequestID, cancellation.ErrUnreadable, err)
	}
	n.Place.ResponseURL, n.Place.ResponseURLUntil = n.url, n.until
	return n.Notice, nil
}

// responseEnd returns when to erase a response_url: at the end of its life at the latest.
func responseEnd(p cancellation.Place, now time.Time) time.Time {
	latest := now.Add(responseLife)
	switch {
	case p.ResponseURL == "":
		return time.Time{}
	case p.ResponseURLUntil.IsZero() || p.ResponseURLUntil.After(latest):
		return latest
	}
	return p.ResponseURLUntil
}

// ClaimNotices leases the notices that have been due the longest, at most most of them, and erases
// every response_url whose life is over. A notice that cannot be read holds up no other.
func (s *Store) ClaimNotices(ctx context.Context, owner string, lease time.Duration, most int) (c cancellation.Claim[cancellation.Notice], err error) {
	seen, err := s.look(ctx, noticeWork)
	if err != nil || !seen.due {
		c.Next = seen.pause()
		return c, wrap("claiming notices", err)
	}
	most = min(most, mostClaimed)
	c, err = change(ctx, s.committer, &write{claims: true}, func(ctx context.Context, tx *tx, now time.Time) (c cancellation.Claim[cancellation.Notice], err error) {
		c.At = now
		c.Rows, err = claimNotices(ctx, tx, s.dialect, now, owner, lease, most)
		return c, err
	})
	if err == nil { // if it got none, there may have been only response_urls to erase
		c.Next, err = s.nextClaim(ctx, noticeWork, len(c.Rows), most)
	}
	return c, wrap("claiming notices", err)
}

// claimNotices returns none only if none is due that can be read. What it erased stays erased.
func claimNotices(ctx context.Context, tx *tx, d dialect, now time.Time, owner string, lease time.Duration, most int) ([]cancellation.Notice, error) {
	if _, err := tx.ExecContext(ctx, d.eraseURLsSQL(), stamp(now)); err != nil {
		return nil, fmt.Errorf("erasing response_urls: %w", err)
	}
	leased, err := claim(ctx, tx, d.claimNoticesSQL(), []any{stamp(now), owner, stamp(now.Add(lease)), most}, scanNotice,
		func(n cancellation.Notice, _ error) error { return setNoticeAside(ctx, tx, n) })
	slices.SortStableFunc(leased, func(a, b cancellation.Notice) int { return a.Due.Compare(b.Due) })
	return leased, err
}

// ApplyAnnounced is [Store.Apply] of a change whose result is posted next. In the same transaction it
// leases the request's result notice and records "about to post", unless a message shows the result
// already or may show it, or another owner has the notice.
func (s *Store) ApplyAnnounced(ctx context.Context, c cancellation.Change, a cancellation.Announcement) (cancellation.Announced, error) {
	if err := checkChange(c); err != nil {
		return cancellation.Announced{}, fmt.Errorf("changing request %s: %w", c.From.Ref.Short(), err)
	}
	done, err := change(ctx, s.committer, stepOf(c), func(ctx context.Context, tx *tx, now time.Time) (cancellation.Announced, error) {
		return applyAnnounced(ctx, tx, now, c, a)
	})
	if err == nil {
		s.tellMove(c.From.State, done.Request)
	}
	return done, wrap("changing request "+c.From.Ref.Short(), err)
}

func applyAnnounced(ctx context.Context, tx *tx, now time.Time, c cancellation.Change, a cancellation.Announcement) (done cancellation.Announced, err error) {
	at := notBefore(now, c.Tell)
	c.Tell = time.Time{}
	if done.Request, err = apply(ctx, tx, now, c); err != nil {
		return done, err
	}
	due, err := bringForward(ctx, tx, done.Request, at)
	if err == nil {
		done.Result, err = announce(ctx, tx, now, done.Request.ID, a)
	}
	done.Rest = due > 1 || len(c.Owe) > 0 || done.Result.RequestID == ""
	return done, err
}

// announce returns the zero Notice if the request's result is not to be posted next.
func announce(ctx context.Context, tx *tx, now time.Time, id string, a cancellation.Announcement) (cancellation.Notice, error) {
	n, err := scanNotice(tx.QueryRowContext(ctx, announceSQL, stamp(now), stamp(now.Add(a.LostIn)), a.Owner, stamp(now.Add(a.Lease)), id))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cancellation.Notice{}, nil
	case errors.Is(err, cancellation.ErrUnreadable):
		return cancellation.Notice{}, setNoticeAside(ctx, tx, n)
	}
	return n, wrap("announcing a result", err)
}

func setNoticeAside(ctx context.Context, tx *tx, n cancellation.Notice) error {
	_, err := tx.ExecContext(ctx, setNoticeAsideSQL, n.RequestID, string(n.Kind))
	return wrap(fmt.Sprintf("setting the notice of request %q aside", n.RequestID), err)
}

// ApplyNotice stores what became of a notice. It returns [cancellation.ErrMoved] if the row has
// left n.Version. An empty response_url erases the stored one; none is ever put back.
func (s *Store) ApplyNotice(ctx context.Context, n cancellation.Notice, keep bool) (cancellation.Notice, error) {
	w := &write{}
	if _, _, gathers := n.Kind.Gathering(); gathers || strings.HasPrefix(string(n.Kind), "batch:") {
		w.locks = []string{n.RequestID}
	}
	stored, err := change(ctx, s.committer, w, func(ctx context.Context, tx *tx, now time.Time) (cancellation.Notice, error) {
		return applyNotice(ctx, tx, now, n, keep)
	})
	return stored, wrap(fmt.Sprintf("recording a notice of request %q", n.RequestID), err)
}

func applyNotice(ctx context.Context, tx *tx, now time.Time, n cancellation.Notice, keep bool) (cancellation.Notice, error) {
	if n.DueIn > 0 {
		n.Due = now.Add(n.DueIn)
	}
	row, err := encodeNotice(n)
	if err != nil {
		return cancellation.Notice{}, err
	}
	values := append(deliveryColumns.values(nil, &row), stamp(now), n.Place.ResponseURL, flag(keep), n.RequestID, string(n.Kind), n.Version)
	stored, err := scanNotice(tx.QueryRowContext(ctx, applyNoticeSQL, values...))
	if errors.Is(err, sql.ErrNoRows) {
		err = cancellation.ErrMoved
	}
	return stored, err
}

// Owe adds a notice of this kind, due now or, of a request of a batch, as its gathering is. It reports
// whether there was none, or only one whose gathering came to nothing.
func (s *Store) Owe(ctx context.Context, requestID string, kind cancellation.NoticeKind, to cancellation.Place) (first bool, err error) {
	w := &write{}
	if _, gathers := kind.Gathers(); gathers {
		w.locks = []string{requestID}
	}
	first, err = change(ctx, s.committer, w, func(ctx context.Context, tx *tx, now time.Time) (bool, error) {
		return owe(ctx, tx, requestID, cancellation.Notice{Kind: kind, Place: to, Due: now}, now)
	})
	return first, wrap(fmt.Sprintf("owing a notice of request %q", requestID), err)
}

func owe(ctx context.Context, tx *tx, requestID string, n cancellation.Notice, now time.Time) (first bool, err error) {
	if class, gathers := n.Kind.Gathers(); gathers {
		lead, err := leadOf(ctx, tx, requestID)
		if err != nil {
			return false, err
		}
		if lead != "" {
			return gather(ctx, tx, lead, requestID, class, n, now)
		}
	}
	row, err := encodeNotice(n)
	if err != nil {
		return false, err
	}
	result, err := tx.ExecContext(ctx, oweSQL, requestID, string(n.Kind), stamp(n.Due), row.place, tx.epoch)
	if err != nil {
		return false, fmt.Errorf("inserting a notice: %w", err)
	}
	made, err := result.RowsAffected()
	return made > 0, err
}

// Notices lists a request's notices, without a place that cannot be read.
func (s *Store) Notices(ctx context.Context, requestID string) ([]cancellation.Notice, error) {
	return s.noticesBy(ctx, fmt.Sprintf("reading the notices of request %q", requestID), noticesSQL, requestID)
}

// BatchNotices lists the notices of a batch, which are kept under its lead, as Notices does.
func (s *Store) BatchNotices(ctx context.Context, lead string) ([]cancellation.Notice, error) {
	return s.noticesBy(ctx, fmt.Sprintf("reading the notices of the batch led by request %q", lead), batchNoticesSQL, lead)
}

func (s *Store) noticesBy(ctx context.Context, step, query, requestID string) ([]cancellation.Notice, error) {
	return readAll(ctx, s.read, step, func(from row) (cancellation.Notice, error) {
		n, err := scanNotice(from)
		return n, readable(err)
	}, query, requestID)
}
