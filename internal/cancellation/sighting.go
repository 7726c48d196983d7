package cancellation

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// sightingGap is how long after evidence was first read the same evidence must be read again
// before a filed request ends by it. One odd answer of SoftLayer must not free a server.
const sightingGap = 15 * time.Minute

// sighting is what reads showed that a filed request has become, as its history keeps it.
type sighting struct {
	Seen State // Reverted, Reclaimed, or Filed if it stands
	Why  Reason
}

// ends reports whether a request would end by this.
func (s sighting) ends() bool { return s.Seen == Reverted || s.Seen == Reclaimed }

// sighted returns what a filed request has become, by the reads that began at the given time and
// by the earlier ones in its history. If the same evidence was not read twice yet, known is the
// time from which a second read decides.
func (d *Desk) sighted(ctx context.Context, r Request, now sighting, at time.Time) (ending State, known time.Time, err error) {
	switch now.Seen {
	case "": // nothing is certain; what was seen before stays
		return "", time.Time{}, nil
	case Stuck:
		return Stuck, time.Time{}, nil
	}
	events, err := d.Requests.Events(ctx, r.ID)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("reading the history of %s: %w", r.Ref.Short(), err)
	}
	before, since := lastSighting(events)
	if before != now {
		since = at
		if now.ends() || before.ends() {
			d.noteSighting(ctx, r, now)
		}
	}
	switch {
	case !now.ends():
		return "", time.Time{}, nil
	case at.Sub(since) < sightingGap:
		return "", since.Add(sightingGap), nil
	}
	return now.Seen, time.Time{}, nil
}

// noteSighting records what was seen in the request's history. If that fails, the next read counts as
// the first one.
func (d *Desk) noteSighting(ctx context.Context, r Request, s sighting) {
	detail, _ := json.Marshal(s) // strings
	if err := d.Requests.Note(ctx, r.ID, Event{Kind: EventEvidence, Actor: "card", Detail: string(detail)}); err != nil {
		d.Log.Warn("noting what a filed request may have become", "ref", r.Ref.Short(), "err", err)
	}
}

// lastSighting returns what reads showed last after the request was filed, and since when every read
// has shown that.
func lastSighting(events []Event) (last sighting, since time.Time) {
	for _, e := range slices.Backward(events) {
		if e.From != e.To { // it was filed
			break
		}
		var seen sighting
		if e.Kind != EventEvidence || json.Unmarshal([]byte(e.Detail), &seen) != nil {
			continue
		}
		if !since.IsZero() && seen != last {
			break
		}
		last, since = seen, e.At
	}
	return last, since
}
