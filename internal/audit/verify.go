package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Snapshots is a log that is verified or exported.
type Snapshots interface {
	// Snapshot returns the log as it is now. What is recorded or sealed later does not appear in it.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Snapshot is a log as it was at one moment. Close it.
type Snapshot interface {
	Reader
	io.Closer
}

// Reader reads a log. Its methods may be called at once.
type Reader interface {
	// Log reads the log's row. After ErrTree it has everything but the roots.
	Log(ctx context.Context) (Log, error)
	// LastPosition returns the last position that an event has; 0 for none.
	LastPosition(ctx context.Context) (int64, error)
	// Next returns the first position from this one on that an event has; 0 for none.
	Next(ctx context.Context, from int64) (int64, error)
	// Segments lists all segments.
	Segments(ctx context.Context) ([]Segment, error)
	// Sealed calls with each event at these positions, in no certain order. The event is valid until
	// the next one.
	Sealed(ctx context.Context, from, to int64, yield func(*Event) error) error
	// Unsealed calls with events that are not sealed or are behind a position, at most so many: those of
	// the deployment, then those of requests, each in order, from the one after the given one on. The zero
	// Event is before all.
	Unsealed(ctx context.Context, position int64, after Event, most int, yield func(*Event) error) error
	// Sealings lists those whose last position is one of these, and the next one.
	Sealings(ctx context.Context, from, to int64) ([]Sealing, error)
	// Disorder lists what is wrong apart from the tree, at most so many things of each kind, and counts
	// the others. Everything that was recorded until complete was sealed.
	Disorder(ctx context.Context, complete time.Time, most int) (found []Finding, more int, err error)
	// Waiting counts the events that are not sealed.
	Waiting(ctx context.Context) (int64, error)
	// Policies calls with the digest and the text of each policy that is kept, in no certain order.
	Policies(ctx context.Context, yield func(digest, text string) error) error
	// PolicyText returns the text that is kept for a digest; "" if there is none.
	PolicyText(ctx context.Context, digest string) (string, error)
	// Ref returns the short reference of a request; "" if there is no such request.
	Ref(ctx context.Context, request string) (string, error)
}

// Saved is a checkpoint that somebody kept.
type Saved struct {
	Checkpoint
	Signature Signature
}

// Bounds of a verification.
const (
	chunkSize = 4096 // events that are read together
	// lateness is how much later than its time an event may become visible: longer than any
	// transaction takes.
	lateness = 10 * time.Minute
	// nearby is how far from its place an event that is not as it was sealed is looked for.
	nearby   = 10_000
	mostHunt = 20 // how many of them are looked for in a chunk
)

// verification is one run of Verify.
type verification struct {
	Result
	from  Reader
	name  string // of the log
	log   Log
	until int64 // the last position that the log's row counts and an event has
	saved *Saved
	tree  track
	odd   int64   // rows of the segment that are not as they were sealed
	gap   gap     // the last positions that are missing
	last  Sealing // the last one that was passed

	policies map[string]int64 // that events name, by digest: the first position that does

	// since the last sealing
	began  time.Time // when a segment began; zero if none did
	newest int64     // the latest time of an event in milliseconds; 0 for none
	bound  time.Time // all that is older had been sealed before
}

// Verify works out the trees of a log again, and finds what is not as it was sealed. saved may be nil. An
// error means that it could not be read.
func Verify(ctx context.Context, log Snapshots, name string, saved *Saved) (Result, error) {
	from, err := log.Snapshot(ctx)
	if err != nil {
		return Result{}, err
	}
	r, err := verify(ctx, from, name, saved)
	return r, errors.Join(err, from.Close())
}

func verify(ctx context.Context, from Reader, name string, saved *Saved) (Result, error) {
	v := &verification{from: from, name: name, saved: saved, policies: map[string]int64{}}
	var err error
	switch v.log, err = from.Log(ctx); {
	case errors.Is(err, ErrTree):
		v.find(Finding{Kind: Records, Text: "the log's own row has no tree."})
	case err != nil:
		return v.Result, err
	}
	segments, err := from.Segments(ctx)
	if err != nil {
		return v.Result, err
	}
	if v.until, err = from.LastPosition(ctx); err != nil {
		return v.Result, err
	}
	v.until = min(v.until, v.log.Last(), mostPosition)
	v.checkSaved(segments)
	last, err := from.Sealings(ctx, v.log.Last(), v.log.Last())
	if err != nil {
		return v.Result, err
	}
	var disorder []Finding // what the tree does not show, read at the same time
	var more int
	both, walking := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		disorder, more, err = from.Disorder(walking, completeOf(last), mostFindings)
		return err
	})
	both.Go(func() error { return v.walk(walking, segments) })
	if err = both.Wait(); err == nil {
		v.Waiting, err = from.Waiting(ctx)
	}
	for _, f := range disorder {
		v.find(f)
	}
	v.More += more
	if err == nil {
		err = v.holdPolicies(ctx)
	}
	return v.Result, cmp.Or(err, v.nameEvents(ctx))
}

func completeOf(last []Sealing) time.Time {
	if len(last) == 0 || last[0].Complete.IsZero() {
		return time.Time{}
	}
	return last[0].Complete.Add(-lateness)
}

// nameEvents adds to what was found by its position which event it is.
func (v *verification) nameEvents(ctx context.Context) error {
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Event != "" || f.From == 0 || f.To > f.From || f.Kind != Changed && f.Kind != Reordered && f.Kind != Inserted {
			continue
		}
		var found *Event
		err := v.from.Sealed(ctx, f.From, f.From, func(e *Event) error {
			found = &Event{Source: e.Source, Request: e.Request, Number: e.Number, Kind: e.Kind}
			return nil
		})
		if err != nil {
			return err
		}
		if found == nil {
			continue
		}
		if f.Event, err = nameOf(ctx, v.from, found); err != nil {
			return err
		}
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return cmp.Compare(a.From, b.From) })
	return nil
}

func nameOf(ctx context.Context, from Reader, e *Event) (string, error) {
	if e.Source == OfDeployment {
		return fmt.Sprintf("event %d of the deployment (%s)", e.Number, e.Kind), nil
	}
	ref, err := from.Ref(ctx, e.Request)
	return fmt.Sprintf("event %d of request %s (%s)", e.Number, cmp.Or(ref, e.Request), e.Kind), err
}
