package seals

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"cancel-server/internal/audit"
)

const (
	segmentsSQL = `select number, first_position, at, why, nonce from audit_segments order by number`
	// The next sealing too: by it a clock that was set back is known.
	sealingsSQL = `
		select position, segment, root, at, complete from audit_sealings
		where position >= $1 and position <= (select coalesce(min(position), $2) from audit_sealings where position > $2)
		order by position`

	sealedRequestsSQL   = `select ` + requestColumns + `, ` + rowColumn + ` from events where position between $1 and $2 order by position`
	sealedDeploymentSQL = `select ` + deploymentColumns + ` from deployment_events where position between $1 and $2 order by position`
	// The plus sign has both databases go on in the order of the keys, so that all pages take one pass.
	afterRequestsSQL = `select ` + requestColumns + `, null from events
		where (+position is null or +position > $1) and (request_id, seq) > ($2, $3) order by request_id, seq limit $4`
	afterDeploymentSQL = `select ` + deploymentColumns + ` from deployment_events
		where (+position is null or +position > $1) and number > $2 order by number limit $3`

	nextSQL = `select (select coalesce(min(position), 0) from events where position >= $1),
		(select coalesce(min(position), 0) from deployment_events where position >= $1)`
	lastSQL       = `select (select coalesce(max(position), 0) from events), (select coalesce(max(position), 0) from deployment_events)`
	waitingSQL    = `select (select count(*) from events where position is null) + (select count(*) from deployment_events where position is null)`
	policiesSQL   = `select digest, text from policies`
	policyTextSQL = `select text from policies where digest = $1`
	refSQL        = `select short_ref from requests where id = $1`
)

// Log implements audit.Reader.
func (r Records) Log(ctx context.Context) (l audit.Log, err error) {
	err = r.read(ctx, func(from Reader) (err error) {
		l, err = ReadLog(ctx, from)
		return err
	})
	return l, err
}

// LastPosition implements audit.Reader.
func (r Records) LastPosition(ctx context.Context) (last int64, err error) {
	var ofRequests, ofDeployment int64
	err = r.row(ctx, lastSQL, nil, &ofRequests, &ofDeployment)
	return max(ofRequests, ofDeployment), wrap("reading the last position", err)
}

// Next implements audit.Reader.
func (r Records) Next(ctx context.Context, from int64) (int64, error) {
	var ofRequests, ofDeployment int64
	err := r.row(ctx, nextSQL, []any{from}, &ofRequests, &ofDeployment)
	if ofRequests == 0 || ofDeployment > 0 && ofDeployment < ofRequests {
		ofRequests = ofDeployment
	}
	return ofRequests, wrap("reading the next position", err)
}

// Segments implements audit.Reader.
func (r Records) Segments(ctx context.Context) (all []audit.Segment, err error) {
	err = r.each(ctx, segmentsSQL, nil, func(rows *sql.Rows) error {
		var s audit.Segment
		var at int64
		err := rows.Scan(&s.Number, &s.First, &at, &s.Why, &s.Nonce)
		s.At = time.UnixMilli(at).UTC()
		all = append(all, s)
		return err
	})
	return all, wrap("reading the segments of the audit log", err)
}

// Sealings implements audit.Reader.
func (r Records) Sealings(ctx context.Context, from, to int64) (all []audit.Sealing, err error) {
	err = r.each(ctx, sealingsSQL, []any{from, to}, func(rows *sql.Rows) error {
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
	err := r.read(ctx, func(log Reader) error {
		err := eachOfRequests(ctx, log, yield, sealedRequestsSQL, from, to)
		if err == nil {
			err = eachDeployment(ctx, log, yield, sealedDeploymentSQL, from, to)
		}
		return err
	})
	return wrap("reading sealed events", err)
}

// Unsealed implements audit.Reader.
func (r Records) Unsealed(ctx context.Context, position int64, after audit.Event, most int, yield func(*audit.Event) error) error {
	found := 0
	add := func(e *audit.Event) error { found++; return yield(e) }
	err := r.read(ctx, func(log Reader) (err error) {
		if after.Source != audit.OfRequest {
			err = eachDeployment(ctx, log, add, afterDeploymentSQL, position, after.Number, most)
			after = audit.Event{}
		}
		if err == nil && found < most {
			err = eachOfRequests(ctx, log, add, afterRequestsSQL, position, after.Request, after.Number, most-found)
		}
		return err
	})
	return wrap("reading events that are not sealed", err)
}

// Waiting implements audit.Reader.
func (r Records) Waiting(ctx context.Context) (n int64, err error) {
	err = r.row(ctx, waitingSQL, nil, &n)
	return n, wrap("counting events that are not sealed", err)
}

// Policies implements audit.Reader.
func (r Records) Policies(ctx context.Context, yield func(digest, text string) error) error {
	err := r.each(ctx, policiesSQL, nil, func(rows *sql.Rows) error {
		var digest, text string
		if err := rows.Scan(&digest, &text); err != nil {
			return err
		}
		return yield(digest, text)
	})
	return wrap("reading the texts of policies", err)
}

// PolicyText implements audit.Reader.
func (r Records) PolicyText(ctx context.Context, digest string) (text string, err error) {
	err = r.row(ctx, policyTextSQL, []any{digest}, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return text, wrap("reading the text of a policy", err)
}

// Ref implements audit.Reader.
func (r Records) Ref(ctx context.Context, request string) (ref string, err error) {
	err = r.row(ctx, refSQL, []any{request}, &ref)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return ref, wrap("reading a request's reference", err)
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
