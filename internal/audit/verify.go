package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Reader reads a log that is verified or exported. Its methods may be called at once.
type Reader interface {
	// Log reads the log's row. After ErrTree it has everything but the roots.
	Log(ctx context.Context) (Log, error)
	// LastPosition returns the last position that an event has; 0 for none.
	LastPosition(ctx context.Context) (int64, error)
	// Segments lists all segments.
	Segments(ctx context.Context) ([]Segment, error)
	// Sealed calls with each event at these positions, in no certain order. The event is valid until
	// the next one.
	Sealed(ctx context.Context, from, to int64, yield func(*Event) error) error
	// Sealings lists those whose last position is one of these, and the next one.
	Sealings(ctx context.Context, from, to int64) ([]Sealing, error)
	// Disorder lists what is wrong apart from the tree, about as many things as most. Everything that
	// was recorded until complete was sealed.
	Disorder(ctx context.Context, complete time.Time, most int) ([]Finding, error)
	// Waiting counts the events that are not sealed.
	Waiting(ctx context.Context) (int64, error)
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
	last  Sealing   // the last one that was passed
	bound time.Time // all that is older had been sealed before
}

// Verify works out the trees of a log again, and finds what is not as it was sealed. saved may be nil. An
// error means that it could not be read.
func Verify(ctx context.Context, from Reader, name string, saved *Saved) (Result, error) {
	v := &verification{from: from, name: name, saved: saved}
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
	v.until = min(v.until, v.log.Last())
	v.checkSaved(segments)
	last, err := from.Sealings(ctx, v.log.Last(), v.log.Last())
	if err != nil {
		return v.Result, err
	}
	var disorder []Finding // what the tree does not show, read at the same time
	both, walking := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		disorder, err = from.Disorder(walking, completeOf(last), mostFindings)
		return err
	})
	both.Go(func() error { return v.walk(walking, segments) })
	if err = both.Wait(); err == nil {
		v.Waiting, err = from.Waiting(ctx)
	}
	for _, f := range disorder {
		v.find(f)
	}
	return v.Result, cmp.Or(err, v.nameEvents(ctx))
}

func completeOf(last []Sealing) time.Time {
	if len(last) == 0 || last[0].Complete.IsZero() {
		return time.Time{}
	}
	return last[0].Complete.Add(-lateness)
}

// walk goes through all positions. The next chunks are read meanwhile.
func (v *verification) walk(ctx context.Context, segments []Segment) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chan *chunk, runtime.GOMAXPROCS(0))
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel() // before the wait
	reading.Go(func() {
		defer close(chunks)
		for from := int64(1); from <= v.until; from += chunkSize {
			ready := make(chan *chunk, 1)
			select {
			case chunks <- ready:
			case <-ctx.Done():
				return
			}
			reading.Go(func() { ready <- readChunk(ctx, v.from, from, min(from+chunkSize-1, v.until)) })
		}
	})
	for ready := range chunks {
		c := <-ready
		if c.err != nil {
			return c.err
		}
		v.pass(c, segments)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.end(segments)
	return nil
}

// pass goes through one chunk.
func (v *verification) pass(c *chunk, segments []Segment) {
	for _, f := range c.findings {
		v.find(f)
	}
	v.Erased += c.erased
	for i := range c.leaves {
		at := c.from + int64(i)
		if next := len(v.Segments); next < len(segments) && at == segments[next].First {
			v.begin(segments[next], c.openings[at])
		} else if c.openings[at] != nil {
			v.find(Finding{Kind: Records, From: at, Text: "a segment begins here, and the list of segments does not have it."})
		}
		v.leaf(at, &c.leaves[i], c.sealings)
		if len(c.sealings) > 0 && c.sealings[0].Last == at {
			v.seal(c.sealings[0])
			c.sealings = c.sealings[1:]
		}
		v.compare(at)
	}
}

// begin ends the segment before and begins the next one.
func (v *verification) begin(s Segment, opening *Event) {
	v.endSegment(s.First - 1)
	var before *SegmentResult
	if n := len(v.Segments); n > 0 {
		before = &v.Segments[n-1]
	}
	if wrong := opening.opens(v.name, s, before); wrong != "" {
		v.find(Finding{Kind: Records, From: s.First, Text: fmt.Sprintf("segment %d does not begin as it should: %s.", s.Number, wrong)})
	}
	v.Segments = append(v.Segments, SegmentResult{Segment: s})
	v.tree = track{good: s.First - 1}
}

// leaf adds one event to the tree.
func (v *verification) leaf(at int64, l *leaf, sealings []Sealing) {
	v.Sealed++
	switch {
	case l.found == 0:
		v.Sealed--
		v.missing(at)
	case l.found > 1:
		v.find(Finding{Kind: Inserted, From: at, Text: "two events have this position."})
		v.tree.broken = true
	}
	v.tree.add(l)
	bound := v.bound
	if len(sealings) > 0 && sealings[0].At.Before(bound) { // the clock was set back
		bound = sealings[0].At
	}
	if l.found > 0 && time.UnixMilli(l.at).Before(bound.Add(-lateness)) {
		v.find(Finding{Kind: Inserted, From: at, Text: fmt.Sprintf(
			"it says %s, and all that was recorded until %s had been sealed before: it was added later, or the database's clock was wrong.",
			utc(time.UnixMilli(l.at)), utc(bound))})
	}
}

// missing adds a position to those that are missing.
func (v *verification) missing(at int64) {
	v.tree.broken = true
	if n := len(v.Findings); n > 0 && v.Findings[n-1].Kind == Missing && v.Findings[n-1].To == at-1 {
		v.Findings[n-1].To = at
		return
	}
	v.find(Finding{Kind: Missing, From: at, To: at, Text: "no event has this position. What follows cannot be compared with the tree."})
}

// seal compares the tree with what was recorded when events were sealed.
func (v *verification) seal(s Sealing) {
	if s.Complete.After(v.bound) || s.At.Before(v.bound) {
		v.bound = s.Complete
	}
	v.last = s
	if n := len(v.Segments); n == 0 || s.Segment != v.Segments[n-1].Number {
		v.find(Finding{Kind: Records, From: s.Last, Text: "the record of this sealing names another segment."})
	}
	if f := v.tree.meet(s); f != nil {
		v.find(*f)
	}
}

// end checks that the log ends as its row says.
func (v *verification) end(segments []Segment) {
	if last := v.log.Last(); v.until < last {
		v.tree.broken = true
		v.find(Finding{Kind: Missing, From: v.until + 1, To: last, Text: "the log's own row counts them, and no event has these positions."})
	}
	for _, s := range segments[min(len(v.Segments), len(segments)):] {
		v.find(Finding{Kind: Records, From: s.First, Text: fmt.Sprintf("segment %d begins after the end of the log.", s.Number)})
	}
	v.endSegment(v.log.Last())
	n := len(v.Segments)
	if v.log.Segment != int64(n) || n > 0 && v.Segments[n-1].First != v.log.First {
		v.find(Finding{Kind: Records, Text: "the log's own row and its list of segments do not fit together."})
		return
	}
	if v.log.Last() > 0 && v.last.Last != v.log.Last() {
		v.find(Finding{Kind: Records, From: v.log.Last(), Text: "the record of the last sealing is missing."})
	}
	if n > 0 && v.Segments[n-1].Whole && v.Segments[n-1].Head.Root != v.log.Tree.Root() {
		v.find(Finding{Kind: Rewritten, From: v.tree.good + 1, To: v.log.Last(), Text: "the log's own row has another root."})
	}
	v.compareEnded()
}

func (v *verification) endSegment(at int64) {
	n := len(v.Segments)
	if n == 0 {
		return
	}
	if f := v.tree.suspicion(at); f != nil {
		v.find(*f)
	}
	s := &v.Segments[n-1]
	s.Head = Checkpoint{Origin(v.name, s.Number), at - s.First + 1, v.tree.stored.Root()}
	s.Whole = !v.tree.broken && v.tree.suspect == nil
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
