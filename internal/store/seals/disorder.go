package seals

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cancel-server/internal/audit"
)

// What is wrong apart from the tree. The last column counts all that a query finds, however few it
// lists.
const (
	// A request's row counts its events. They are counted in one pass, which takes a sixth of the time that a look
	// for those of each request takes.
	countsSQL = `
		select short_ref, events, found, last, count(*) over () from requests
			left join (select request_id, count(*) as found, max(seq) as last from events group by request_id) as there on request_id = id
		where events <> coalesce(found, 0) or events <> coalesce(last, 0) limit $1`
	gapSQL = `
		select min(seq) + 1 from events as e where request_id = (select id from requests where short_ref = $1)
			and not exists (select 1 from events as next where next.request_id = e.request_id and next.seq = e.seq + 1)`
	// A segment's beginning is its first event, whatever waits.
	orderDeploymentSQL = `
		select '', number, before, position, earlier, count(*) over () from
			(select number, position, lag(number) over (order by number) as before, lag(position) over (order by number) as earlier
				from deployment_events where kind <> '` + audit.KindSegment + `') as ordered
		where before is not null and position is not null and (earlier is null or earlier > position) limit $1`
	// Nothing stays unsealed for long.
	lateSQL = `select request_id, seq, count(*) over () from events where position is null and at < $1 order by at limit $2`
	// No sealing gives a position below 1, where nothing is looked for.
	belowSQL           = `select request_id, seq, count(*) over () from events where position < 1 order by position limit $1`
	belowDeploymentSQL = `select '', number, count(*) over () from deployment_events where position < 1 order by position limit $1`
	orphansSQL         = `
		select request_id, seq, count(*) over () from events where not exists (select 1 from requests where id = request_id)
		order by position limit $1`
	// If each request has as many events as its row counts, no other event is there.
	balanceSQL        = `select (select count(*) from events) - (select coalesce(sum(events), 0) from requests)`
	lateDeploymentSQL = `select '', number, count(*) over () from deployment_events where position is null and at < $1 order by number limit $2`
	endsSQL           = `
		select deployment, (select count(*) from deployment_events), (select coalesce(max(number), 0) from deployment_events),
			first_position, size, (select coalesce(max(position), 0) from events), (select coalesce(max(position), 0) from deployment_events)
		from audit_log`
)

// orderSQL finds events of a request that were not sealed in their order, or were not sealed before a later one.
// PostgreSQL sorts them byte by byte: by the rules of a language that takes twice the time.
func orderSQL(postgres bool) string {
	request := `request_id`
	if postgres {
		request += ` collate "C"`
	}
	return `
		select request_id, seq, seq - 1, position, earlier, count(*) over () from
			(select request_id, seq, position, lag(position) over (partition by ` + request + ` order by seq) as earlier from events) as ordered
		where seq > 1 and position is not null and (earlier is null or earlier > position) limit $1`
}

// disorder is what is wrong apart from the tree.
type disorder struct {
	Records
	complete time.Time // everything that was recorded until then was sealed
	most     int       // things that a query lists
	more     int       // things that are not listed
	counted  bool      // each request has as many events as its row counts
}

// Disorder implements audit.Reader.
func (r Records) Disorder(ctx context.Context, complete time.Time, most int) (all []audit.Finding, more int, err error) {
	d := &disorder{Records: r, complete: complete, most: most}
	for _, look := range []func(context.Context) ([]audit.Finding, error){d.counts, d.order, d.late, d.outside, d.ends} {
		found, err := look(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("looking for events that are missing or were added: %w", err)
		}
		all = append(all, found...)
	}
	return all, d.more, nil
}

// list calls with each row that a query lists, with a place for the column that counts all.
func (d *disorder) list(ctx context.Context, query string, args []any, scan func(rows *sql.Rows, all *int) error) error {
	listed, all := 0, 0
	err := d.each(ctx, query, args, func(rows *sql.Rows) error {
		listed++
		return scan(rows, &all)
	})
	d.more += all - listed
	return err
}

// counts finds requests that lack events, or have too many.
func (d *disorder) counts(ctx context.Context) (all []audit.Finding, err error) {
	err = d.list(ctx, countsSQL, []any{d.most}, func(rows *sql.Rows, counts *int) error {
		var ref string
		var counted int64
		var found, last sql.NullInt64
		if err := rows.Scan(&ref, &counted, &found, &last, counts); err != nil {
			return err
		}
		f := audit.Finding{Kind: audit.Missing, Event: "request " + ref, Text: fmt.Sprintf("its row counts %d events, and %d are there.", counted, found.Int64)}
		if found.Int64 > counted || last.Int64 > counted {
			f.Kind = audit.Inserted
		}
		all = append(all, f)
		return nil
	})
	d.counted = len(all) == 0
	for i := range all {
		if all[i].Kind != audit.Missing || err != nil {
			continue
		}
		var gap sql.NullInt64
		if err = d.row(ctx, gapSQL, []any{all[i].Event[len("request "):]}, &gap); err == nil {
			all[i].Text += fmt.Sprintf(" Event %d is missing.", max(gap.Int64, 1))
		}
	}
	return all, err
}

// order finds events that were sealed out of turn.
func (d *disorder) order(ctx context.Context) (all []audit.Finding, err error) {
	for _, query := range []string{orderSQL(d.Postgres), orderDeploymentSQL} {
		var refs []string
		begins := len(all)
		err = d.list(ctx, query, []any{d.most}, func(rows *sql.Rows, counts *int) error {
			var request string
			var number, before, position int64
			var earlier sql.NullInt64
			if err := rows.Scan(&request, &number, &before, &position, &earlier, counts); err != nil {
				return err
			}
			f := audit.Finding{Kind: audit.Reordered, From: position, Text: "it was sealed before the event that comes before it."}
			if !earlier.Valid {
				f = audit.Finding{Kind: audit.Inserted, Text: "it is not sealed, and the one after it is: it was added later."}
				number = before
			}
			f.Event = fmt.Sprintf("event %d", number)
			all, refs = append(all, f), append(refs, request)
			return nil
		})
		if err == nil {
			err = d.name(ctx, all[begins:], refs)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// late finds events that are not sealed although all of their time were.
func (d *disorder) late(ctx context.Context) (all []audit.Finding, err error) {
	if d.complete.IsZero() {
		return nil, nil
	}
	for _, query := range []string{lateSQL, lateDeploymentSQL} {
		found, err := d.listed(ctx, query, []any{millis(d.complete), d.most}, audit.Finding{
			Kind: audit.Inserted, Text: "it is not sealed, and all that was recorded after it is: it was added later, or the database's clock was wrong.",
		})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// outside finds events that stand where no event of this log can: at a position below 1, or of no request.
func (d *disorder) outside(ctx context.Context) (all []audit.Finding, err error) {
	for _, query := range []string{belowSQL, belowDeploymentSQL} {
		found, err := d.listed(ctx, query, []any{d.most}, audit.Finding{Kind: audit.Inserted, Text: "its position is below 1, which no sealing gives."})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if d.counted {
		var surplus int64
		if err := d.row(ctx, balanceSQL, nil, &surplus); err != nil || surplus == 0 {
			return all, err
		}
	}
	err = d.list(ctx, orphansSQL, []any{d.most}, func(rows *sql.Rows, counts *int) error {
		var id string
		var seq int64
		err := rows.Scan(&id, &seq, counts)
		all = append(all, audit.Finding{Kind: audit.Missing, Event: fmt.Sprintf("event %d of request id %s", seq, id), Text: "its request was removed."})
		return err
	})
	return all, err
}

// listed finds the events that a query lists by their request, "" for the deployment, and number.
func (d *disorder) listed(ctx context.Context, query string, args []any, finding audit.Finding) (all []audit.Finding, err error) {
	var refs []string
	err = d.list(ctx, query, args, func(rows *sql.Rows, counts *int) error {
		var request string
		var number int64
		err := rows.Scan(&request, &number, counts)
		finding.Event = fmt.Sprintf("event %d", number)
		all, refs = append(all, finding), append(refs, request)
		return err
	})
	if err == nil {
		err = d.name(ctx, all, refs)
	}
	return all, err
}

// name adds to events what they are of.
func (d *disorder) name(ctx context.Context, found []audit.Finding, requests []string) error {
	for i, request := range requests {
		if request == "" {
			found[i].Event += " of the deployment"
			continue
		}
		ref, err := d.Ref(ctx, request)
		if err != nil {
			return err
		}
		found[i].Event += " of request " + ref
	}
	return nil
}

// ends finds that the log's own row knows less than the events, or counts more.
func (d *disorder) ends(ctx context.Context) (all []audit.Finding, err error) {
	var counted, found, number, ofRequests, ofDeployment int64
	var log audit.Log
	if err := d.row(ctx, endsSQL, nil, &counted, &found, &number, &log.First, &log.Tree.Size, &ofRequests, &ofDeployment); err != nil {
		return nil, err
	}
	last := log.Last()
	switch {
	case found < counted:
		all = append(all, audit.Finding{Kind: audit.Missing, Event: "the deployment", Text: fmt.Sprintf("%d events are counted, and %d are there.", counted, found)})
	case found > counted || number > counted:
		all = append(all, audit.Finding{Kind: audit.Inserted, Event: "the deployment", Text: fmt.Sprintf("%d events are counted, and %d are there, up to number %d.", counted, found, number)})
	}
	if end := max(ofRequests, ofDeployment); end > last {
		all = append(all, audit.Finding{Kind: audit.Records, From: last + 1, To: end, Text: "events have these positions, and the log's own row ends before them."})
	}
	return all, nil
}
