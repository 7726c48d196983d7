package audit

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// walk goes through all positions that events have. The next chunks are read meanwhile.
func (v *verification) walk(ctx context.Context, segments []Segment) error {
	ctx, cancel := context.WithCancel(ctx)
	chunks := make(chan chan *chunk, runtime.GOMAXPROCS(0))
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel() // before the wait
	reading.Go(func() {
		defer close(chunks)
		v.readAhead(ctx, chunks, &reading)
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

// readAhead begins to read each chunk once chunks has room for it.
func (v *verification) readAhead(ctx context.Context, chunks chan<- chan *chunk, reading *sync.WaitGroup) {
	for from := int64(1); from <= v.until; {
		ready := make(chan *chunk, 1)
		select {
		case chunks <- ready:
		case <-ctx.Done():
			return
		}
		next, err := v.from.Next(ctx, from)
		if err != nil {
			ready <- &chunk{err: err}
			return
		}
		if next == 0 || next > v.until {
			next = v.until // no event is left up to there
		}
		gap, to := from, pageEnd(next, v.until, chunkSize)
		reading.Go(func() { ready <- readChunk(ctx, v.from, gap, next, to) })
		from = to + 1
	}
}

// pageEnd returns the last of so many positions from one on, and none after the last one.
func pageEnd(from, last, size int64) int64 { return from + min(size-1, last-from) }

// pass goes through one chunk.
func (v *verification) pass(c *chunk, segments []Segment) {
	if c.gap < c.from {
		v.skip(c.gap, c.from-1, segments)
	}
	for _, f := range c.findings {
		v.find(f)
	}
	v.More += c.more
	v.Erased += c.erased
	v.Unheld += c.unheld
	v.ErasedRows += c.erasedRows
	for digest, position := range c.policies {
		addFirst(v.policies, digest, position)
	}
	for i := range c.leaves {
		at := c.from + int64(i)
		v.open(at, c.openings[at], segments)
		v.leaf(at, &c.leaves[i], c.sealings)
		if len(c.sealings) > 0 && c.sealings[0].Last == at {
			v.seal(c.sealings[0])
			c.sealings = c.sealings[1:]
		}
		v.compare(at, at)
	}
}

// open begins a segment if one begins at a position.
func (v *verification) open(at int64, opening *Event, segments []Segment) {
	if next := len(v.Segments); next < len(segments) && at == segments[next].First {
		v.begin(segments[next], opening)
	} else if opening != nil {
		v.find(Finding{Kind: Records, From: at, Text: "a segment begins here, and the list of segments does not have it."})
	}
}

// skip goes past positions that no event has, however many they are.
func (v *verification) skip(from, to int64, segments []Segment) {
	v.missing(from, to)
	v.compare(from, to)
	for next := len(v.Segments); next < len(segments) && segments[next].First >= from && segments[next].First <= to; next++ {
		v.begin(segments[next], nil)
		v.tree.broken = true
		v.compare(segments[next].First, to)
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
	v.began = s.At
	v.tree, v.odd = track{good: s.First - 1}, 0
}

// leaf adds one event to the tree.
func (v *verification) leaf(at int64, l *leaf, sealings []Sealing) {
	v.Sealed++
	switch {
	case l.found == 0:
		v.Sealed--
		v.missing(at, at)
	case l.found > 1:
		v.find(Finding{Kind: Inserted, From: at, Text: "two events have this position."})
		v.tree.broken = true
	}
	v.tree.add(l)
	if l.odd {
		v.odd++
	} else if l.found > 0 && l.at > v.newest {
		v.newest = l.at
	}
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

// gap is a range of positions that are missing.
type gap struct {
	end   int64 // the last one; 0 for none
	named int   // which finding names it
}

// missing adds positions to those that are missing.
func (v *verification) missing(from, to int64) {
	v.tree.broken = true
	if v.gap.end > 0 && v.gap.end == from-1 {
		v.gap.end = to
		if v.gap.named < len(v.Findings) {
			v.Findings[v.gap.named].To = to
		}
		return
	}
	v.gap = gap{to, len(v.Findings)}
	v.find(Finding{Kind: Missing, From: from, To: to, Text: "no event has this position. What follows cannot be compared with the tree."})
}

// seal compares the tree with what was recorded when events were sealed.
func (v *verification) seal(s Sealing) {
	if s.Complete.After(v.bound) || s.At.Before(v.bound) {
		v.bound = s.Complete
	}
	if wrong := v.untimely(s); wrong != "" {
		v.find(Finding{Kind: Records, From: s.Last, Text: "the record of this sealing " + wrong + "."})
	}
	v.last = s
	if n := len(v.Segments); n == 0 || s.Segment != v.Segments[n-1].Number {
		v.find(Finding{Kind: Records, From: s.Last, Text: "the record of this sealing names another segment."})
	}
	if f := v.tree.meet(s); f != nil {
		v.find(*f)
	}
	v.began, v.newest = time.Time{}, 0
}

// end checks that the log ends as its row says.
func (v *verification) end(segments []Segment) {
	if last := v.log.Last(); v.until < last {
		v.tree.broken = true
		v.find(Finding{Kind: Missing, From: v.until + 1, To: last, Text: "the log's own row counts them, and no event has these positions."})
		v.compare(v.until+1, last)
	}
	for _, s := range segments[min(len(v.Segments), len(segments)):] {
		v.find(Finding{Kind: Records, From: s.First, Text: fmt.Sprintf("segment %d begins after the end of the log.", s.Number)})
	}
	v.endSegment(v.log.Last())
	defer v.compareEnded()
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
	s.Head = Checkpoint{s.origin(v.name), at - s.First + 1, v.tree.stored.Root()}
	s.Whole = !v.tree.broken && v.tree.suspect == nil
}
