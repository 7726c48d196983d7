package seals

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
)

const (
	segmentsSQL = `select number, first_position, at, why from audit_segments order by number`
	// The next sealing too: by it a clock that was set back is known.
	sealingsSQL = `
		select position, segment, root, at, complete from audit_sealings
		where position >= $1 and position <= (select coalesce(min(position), $2) from audit_sealings where position > $2)
		order by position`

	sealedRequestsSQL   = `select ` + requestColumns + ` from events where position between $1 and $2 order by position`
	sealedDeploymentSQL = `select ` + deploymentColumns + ` from deployment_events where position between $1 and $2 order by position`
	afterRequestsSQL    = `select ` + requestColumns + ` from events where position is null or position > $1 order by request_id, seq`
	afterDeploymentSQL  = `select ` + deploymentColumns + ` from deployment_events where position is null or position > $1 order by number`

	lastSQL    = `select (select coalesce(max(position), 0) from events), (select coalesce(max(position), 0) from deployment_events)`
	waitingSQL = `select (select count(*) from events where position is null) + (select count(*) from deployment_events where position is null)`
	refSQL     = `select short_ref from requests where id = $1`
)

// Records reads a log to verify or export it.
type Records struct{ DB *sql.DB }

var _ audit.Exporter = Records{}

// Log implements audit.Reader.
func (r Records) Log(ctx context.Context) (audit.Log, error) { return ReadLog(ctx, r.DB) }

// LastPosition implements audit.Reader.
func (r Records) LastPosition(ctx context.Context) (last int64, err error) {
	var ofRequests, ofDeployment int64
	err = r.DB.QueryRowContext(ctx, lastSQL).Scan(&ofRequests, &ofDeployment)
	return max(ofRequests, ofDeployment), wrap("reading the last position", err)
}

// Segments implements audit.Reader.
func (r Records) Segments(ctx context.Context) (all []audit.Segment, err error) {
	err = each(ctx, r.DB, segmentsSQL, nil, func(rows *sql.Rows) error {
		var s audit.Segment
		var at int64
		err := rows.Scan(&s.Number, &s.First, &at, &s.Why)
		s.At = time.UnixMilli(at).UTC()
		all = append(all, s)
		return err
	})
	return all, wrap("reading the segments of the audit log", err)
}

// Sealings implements audit.Reader.
func (r Records) Sealings(ctx context.Context, from, to int64) (all []audit.Sealing, err error) {
	err = each(ctx, r.DB, sealingsSQL, []any{from, to}, func(rows *sql.Rows) error {
		var s audit.Sealing
		var root []byte
		var at int64
		var complete sql.NullInt64
		if err := rows.Scan(&s.Last, &s.Segment, &root, &at, &complete); err != nil {
			return err
		}
		s.At, s.Complete = time.UnixMilli(at).UTC(), moment(complete)
		copy(s.Root[:], root) // another length is the root of nothing
		all = append(all, s)
		return nil
	})
	return all, wrap("reading when events were sealed", err)
}

// Sealed implements audit.Reader.
func (r Records) Sealed(ctx context.Context, from, to int64, yield func(*audit.Event) error) error {
	err := eachOfRequests(ctx, r.DB, yield, sealedRequestsSQL, from, to)
	if err == nil {
		err = eachDeployment(ctx, r.DB, yield, sealedDeploymentSQL, from, to)
	}
	return wrap("reading sealed events", err)
}

// EachAfter implements audit.Exporter.
func (r Records) EachAfter(ctx context.Context, position int64, yield func(*audit.Event) error) error {
	err := eachDeployment(ctx, r.DB, yield, afterDeploymentSQL, position)
	if err == nil {
		err = eachOfRequests(ctx, r.DB, yield, afterRequestsSQL, position)
	}
	return wrap("reading events that are not sealed", err)
}

// Waiting implements audit.Reader.
func (r Records) Waiting(ctx context.Context) (n int64, err error) {
	err = r.DB.QueryRowContext(ctx, waitingSQL).Scan(&n)
	return n, wrap("counting events that are not sealed", err)
}

// Ref implements audit.Reader.
func (r Records) Ref(ctx context.Context, request string) (ref string, err error) {
	err = r.DB.QueryRowContext(ctx, refSQL, request).Scan(&ref)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return ref, wrap("reading a request's reference", err)
}

// What is wrong apart from the tree. Each query is one snapshot, so that a bot that runs is no matter.
const (
	// A request's row counts its events.
	countsSQL = `
		select short_ref, counted, found, last from (select short_ref, events as counted,
			(select count(*) from events where request_id = id) as found, (select max(seq) from events where request_id = id) as last
			from requests) as there
		where counted <> found or counted <> coalesce(last, 0) limit $1`
	gapSQL = `
		select min(seq) + 1 from events as e where request_id = (select id from requests where short_ref = $1)
			and not exists (select 1 from events as next where next.request_id = e.request_id and next.seq = e.seq + 1)`
	// The events of a request were sealed in their order, and none before an earlier one.
	orderSQL = `
		select request_id, seq, seq - 1, position, earlier from
			(select request_id, seq, position, lag(position) over (partition by request_id order by seq) as earlier from events) as ordered
		where seq > 1 and position is not null and (earlier is null or earlier > position) limit $1`
	// A segment's beginning is its first event, whatever waits.
	orderDeploymentSQL = `
		select '', number, before, position, earlier from
			(select number, position, lag(number) over (order by number) as before, lag(position) over (order by number) as earlier
				from deployment_events where kind <> '` + audit.KindSegment + `') as ordered
		where before is not null and position is not null and (earlier is null or earlier > position) limit $1`
	// Nothing stays unsealed for long.
	lateSQL = `select request_id, seq from events where position is null and at < $1 order by at limit $2`
	// No sealing gives a position below 1, where nothing is looked for.
	belowSQL           = `select request_id, seq from events where position < 1 order by position limit $1`
	belowDeploymentSQL = `select '', number from deployment_events where position < 1 order by position limit $1`
	orphansSQL         = `select request_id, seq from events where not exists (select 1 from requests where id = request_id) order by position limit $1`
	lateDeploymentSQL  = `select '', number from deployment_events where position is null and at < $1 order by number limit $2`
	endsSQL            = `
		select deployment, (select count(*) from deployment_events), (select coalesce(max(number), 0) from deployment_events),
			first_position + size - 1, (select coalesce(max(position), 0) from events), (select coalesce(max(position), 0) from deployment_events)
		from audit_log`
)

// Disorder implements audit.Reader.
func (r Records) Disorder(ctx context.Context, complete time.Time, most int) ([]audit.Finding, error) {
	var all []audit.Finding
	for _, look := range []func(context.Context, time.Time, int) ([]audit.Finding, error){r.counts, r.order, r.late, r.outside, r.ends} {
		found, err := look(ctx, complete, most)
		if err != nil {
			return nil, fmt.Errorf("looking for events that are missing or were added: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// counts finds requests that lack events, or have too many.
func (r Records) counts(ctx context.Context, _ time.Time, most int) (all []audit.Finding, err error) {
	err = each(ctx, r.DB, countsSQL, []any{most}, func(rows *sql.Rows) error {
		var ref string
		var counted int64
		var found, last sql.NullInt64
		if err := rows.Scan(&ref, &counted, &found, &last); err != nil {
			return err
		}
		f := audit.Finding{Kind: audit.Missing, Event: "request " + ref, Text: fmt.Sprintf("its row counts %d events, and %d are there.", counted, found.Int64)}
		if found.Int64 > counted || last.Int64 > counted {
			f.Kind = audit.Inserted
		}
		all = append(all, f)
		return nil
	})
	for i := range all {
		if all[i].Kind != audit.Missing || err != nil {
			continue
		}
		var gap sql.NullInt64
		if err = r.DB.QueryRowContext(ctx, gapSQL, all[i].Event[len("request "):]).Scan(&gap); err == nil {
			all[i].Text += fmt.Sprintf(" Event %d is missing.", max(gap.Int64, 1))
		}
	}
	return all, err
}

// order finds events that were sealed out of turn.
func (r Records) order(ctx context.Context, _ time.Time, most int) (all []audit.Finding, err error) {
	for _, query := range []string{orderSQL, orderDeploymentSQL} {
		var refs []string
		begins := len(all)
		err = each(ctx, r.DB, query, []any{most}, func(rows *sql.Rows) error {
			var request string
			var number, before, position int64
			var earlier sql.NullInt64
			if err := rows.Scan(&request, &number, &before, &position, &earlier); err != nil {
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
			err = r.name(ctx, all[begins:], refs)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// late finds events that are not sealed although all of their time were.
func (r Records) late(ctx context.Context, complete time.Time, most int) (all []audit.Finding, err error) {
	if complete.IsZero() {
		return nil, nil
	}
	for _, query := range []string{lateSQL, lateDeploymentSQL} {
		found, err := r.listed(ctx, query, []any{millis(complete), most}, audit.Finding{
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
func (r Records) outside(ctx context.Context, _ time.Time, most int) (all []audit.Finding, err error) {
	for _, query := range []string{belowSQL, belowDeploymentSQL} {
		found, err := r.listed(ctx, query, []any{most}, audit.Finding{Kind: audit.Inserted, Text: "its position is below 1, which no sealing gives."})
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	err = each(ctx, r.DB, orphansSQL, []any{most}, func(rows *sql.Rows) error {
		var id string
		var seq int64
		err := rows.Scan(&id, &seq)
		all = append(all, audit.Finding{Kind: audit.Missing, Event: fmt.Sprintf("event %d of request id %s", seq, id), Text: "its request was removed."})
		return err
	})
	return all, err
}

// listed finds the events that a query lists by their request, "" for the deployment, and number.
func (r Records) listed(ctx context.Context, query string, args []any, finding audit.Finding) (all []audit.Finding, err error) {
	var refs []string
	err = each(ctx, r.DB, query, args, func(rows *sql.Rows) error {
		var request string
		var number int64
		err := rows.Scan(&request, &number)
		finding.Event = fmt.Sprintf("event %d", number)
		all, refs = append(all, finding), append(refs, request)
		return err
	})
	if err == nil {
		err = r.name(ctx, all, refs)
	}
	return all, err
}

// name adds to events what they are of.
func (r Records) name(ctx context.Context, found []audit.Finding, requests []string) error {
	for i, request := range requests {
		if request == "" {
			found[i].Event += " of the deployment"
			continue
		}
		ref, err := r.Ref(ctx, request)
		if err != nil {
			return err
		}
		found[i].Event += " of request " + ref
	}
	return nil
}

// ends finds that the log's own row knows less than the events, or counts more.
func (r Records) ends(ctx context.Context, _ time.Time, _ int) (all []audit.Finding, err error) {
	var counted, found, number, last, ofRequests, ofDeployment int64
	if err := r.DB.QueryRowContext(ctx, endsSQL).Scan(&counted, &found, &number, &last, &ofRequests, &ofDeployment); err != nil {
		return nil, err
	}
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

// SealedAt returns the root of the sealing that ended at a position, if there was one.
func SealedAt(ctx context.Context, from Reader, position int64) (root tlog.Hash, found bool, err error) {
	var bytes []byte
	err = from.QueryRowContext(ctx, `select root from audit_sealings where position = $1`, position).Scan(&bytes)
	if errors.Is(err, sql.ErrNoRows) {
		return root, false, nil
	}
	copy(root[:], bytes)
	return root, err == nil, wrap("reading when events were sealed", err)
}
