package audit

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// leaf is what a position has.
type leaf struct {
	stored, worked tlog.Hash // the row's hash, and that of its content
	at             int64     // the event's time in milliseconds
	found          int       // events at this position
	odd            bool      // the row is not as it was sealed
}

// chunk is what some positions have.
type chunk struct {
	gap      int64 // the first of the positions before it that no event has
	from     int64
	leaves   []leaf
	sealings []Sealing
	openings map[int64]*Event // with which segments begin
	findings []Finding
	more     int // findings that are not named
	erased   int64
	err      error

	unheld, erasedRows int64 // requests whose row no event holds to the log, or whose text is erased

	policies map[string]int64 // that events name, by digest: the first position that does; nil for none
}

func readChunk(ctx context.Context, reader Reader, gap, from, to int64) *chunk {
	c := &chunk{gap: gap, from: from, leaves: make([]leaf, to-from+1), openings: map[int64]*Event{}}
	if c.sealings, c.err = reader.Sealings(ctx, from, to); c.err != nil {
		return c
	}
	var room []byte
	c.err = reader.Sealed(ctx, from, to, func(e *Event) error {
		room = e.appendLeaf(room[:0])
		c.add(e, tlog.RecordHash(room))
		return nil
	})
	return c
}

func (c *chunk) add(e *Event, worked tlog.Hash) {
	l := &c.leaves[e.Position-c.from]
	l.found++
	l.stored, l.worked, l.at = e.Hash, worked, e.At.UnixMilli()
	if len(e.Erased) > 0 {
		c.erased++
	}
	l.odd = l.stored != l.worked || e.rewritten()
	if e.rewritten() {
		c.find(Finding{Kind: Changed, From: e.Position, Text: "its text counts as erased, and there is one."})
	}
	if e.Source == OfDeployment && e.Kind == KindSegment {
		opening := *e
		c.openings[e.Position] = &opening
	}
	if l.stored == l.worked {
		c.hold(e)
		c.named(e)
		return
	}
	c.find(c.different(e))
}

// different is what is wrong with an event that has not the hash of its content.
func (c *chunk) different(e *Event) Finding {
	if len(c.findings) < mostHunt {
		if was := e.sealedAt(); was > 0 {
			return Finding{Kind: Reordered, From: e.Position, Text: fmt.Sprintf("it was sealed at position %s.", count(was))}
		}
	}
	return Finding{Kind: Changed, From: e.Position, Text: "it is not as it was sealed."}
}

// find names a finding, or counts it if enough are named.
func (c *chunk) find(f Finding) {
	if len(c.findings) == mostFindings {
		c.more++
		return
	}
	c.findings = append(c.findings, f)
}

// rewritten reports whether an erased event has a text, or digests that are not those of a text.
func (e *Event) rewritten() bool {
	return len(e.Erased) > 0 && (len(e.Erased) != 2*sha256.Size || len(e.Salt) > 0 || e.Actor != "" || e.Detail != "")
}

// sealedAt returns the position near its own at which an event would have its hash; 0 for none.
func (e *Event) sealedAt() int64 {
	other := *e
	for away := int64(1); away <= nearby; away++ {
		for _, other.Position = range []int64{e.Position - away, e.Position + away} {
			if other.Position > 0 && tlog.RecordHash(other.Leaf()) == e.Hash {
				return other.Position
			}
		}
	}
	return 0
}

// opens returns what is wrong with the event with which a segment begins; "" if nothing is.
func (e *Event) opens(name string, s Segment, last *SegmentResult) string {
	if e == nil || e.Subject != strconv.FormatInt(s.Number, 10) {
		return "its first event does not say so"
	}
	var says opened
	if json.Unmarshal([]byte(e.Detail), &says) != nil || says.Origin != s.origin(name) || says.Why != s.Why {
		return "its first event says something else"
	}
	if e.At.UnixMilli() != s.At.UnixMilli() {
		return fmt.Sprintf("its row says %s, and its first event %s", utc(s.At), utc(e.At))
	}
	return says.follows(s, last)
}

// follows returns what is wrong with the segment before, as the first event of the next one has it.
func (o *opened) follows(s Segment, last *SegmentResult) string {
	switch {
	case last == nil && o.Before == nil && s.Number == 1:
		return ""
	case last == nil || o.Before == nil || s.Number != last.Number+1:
		return "the one before it is missing"
	case o.Before.Size != last.Head.Size:
		return fmt.Sprintf("the one before it had %s events", count(o.Before.Size))
	case last.Whole && o.Before.Root != last.Head.Root.String():
		return "the one before it had another root"
	}
	return ""
}

// track is the tree of a segment as far as it was walked: by the hashes of the rows and, while those differ
// from the content, by the content too.
type track struct {
	stored, worked Frontier
	differ         bool
	broken         bool // a leaf is missing: no root can be worked out any more
	good           int64
	suspect        *Sealing // the first one that the tree did not meet since good
}

func (t *track) add(l *leaf) {
	if t.broken {
		return
	}
	if l.stored != l.worked && !t.differ {
		t.differ, t.worked = true, t.stored.clone()
	}
	t.stored.Add(l.stored)
	if t.differ {
		t.worked.Add(l.worked)
	}
}

// meet compares the tree with a sealing. A content that was changed leaves the hashes of the rows as they
// were; a hash that was changed leaves the content.
func (t *track) meet(s Sealing) *Finding {
	if t.broken {
		return nil
	}
	switch {
	case t.stored.Root() == s.Root:
	case t.differ && t.worked.Root() == s.Root:
		t.stored = t.worked
	default:
		if t.suspect == nil {
			t.suspect = &s
		}
		return nil
	}
	before := t.suspect
	t.good, t.suspect, t.differ = s.Last, nil, false
	if before == nil {
		return nil
	}
	return &Finding{Kind: Records, From: before.Last, Text: "the record of the sealing here was changed; the events were not."}
}

// suspicion is what is left of a tree that did not meet a sealing until its end.
func (t *track) suspicion(end int64) *Finding {
	if t.suspect == nil {
		return nil
	}
	return &Finding{Kind: Rewritten, From: t.good + 1, To: min(t.suspect.Last, end), Text: "the tree is not as it was sealed: an event here was rewritten with its hash, or moved."}
}
