package audit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// FindingKind says what is wrong.
type FindingKind string

// What may be wrong with a log.
const (
	Changed   FindingKind = "changed"    // an event is not as it was sealed
	Missing   FindingKind = "missing"    // an event is gone
	Reordered FindingKind = "reordered"  // an event is at another place
	Inserted  FindingKind = "inserted"   // an event was added later
	Rewritten FindingKind = "rewritten"  // the tree is not as it was sealed
	Records   FindingKind = "records"    // the log's own rows do not fit together
	Disagrees FindingKind = "checkpoint" // a saved checkpoint does not fit
)

// Finding is one thing that is wrong, with the positions that it is about; 0 for none.
type Finding struct {
	Kind  FindingKind `json:"kind"`
	From  int64       `json:"from,omitempty"`
	To    int64       `json:"to,omitempty"`
	Event string      `json:"event,omitempty"` // its name
	Text  string      `json:"text"`
}

// String is one line for people.
func (f Finding) String() string {
	var where []string
	switch {
	case f.From > 0 && f.To > f.From:
		where = append(where, "positions "+count(f.From)+" to "+count(f.To))
	case f.From > 0:
		where = append(where, "position "+count(f.From))
	}
	if f.Event != "" {
		where = append(where, f.Event)
	}
	line := strings.ToUpper(string(f.Kind))
	if len(where) > 0 {
		line += "  " + strings.Join(where, ", ") + ":"
	}
	return line + " " + f.Text
}

// count writes 1234567 as 1,234,567.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// mostFindings is how many findings are named; the others are counted.
const mostFindings = 100

// Result is what [Verify] found.
type Result struct {
	Sealed, Waiting, Erased int64
	Unheld, ErasedRows      int64 // requests whose row no event holds to the log, or whose text is erased
	Segments                []SegmentResult
	Saved                   string // what the saved checkpoint shows; "" if none was given
	Findings                []Finding
	More                    int // findings that are not named
}

// SegmentResult is a segment as it is now.
type SegmentResult struct {
	Segment
	Head  Checkpoint
	Whole bool // the tree could be worked out
}

// Good reports whether nothing is wrong.
func (r *Result) Good() bool { return len(r.Findings) == 0 }

func (r *Result) find(f Finding) {
	if len(r.Findings) == mostFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// Lines is the result for people.
func (r *Result) Lines() []string {
	var lines []string
	for _, f := range r.Findings {
		lines = append(lines, f.String())
	}
	if r.More > 0 {
		lines = append(lines, fmt.Sprintf("and %s more", count(int64(r.More))))
	}
	for i, s := range r.Segments {
		if s.Number > 1 {
			ended := r.Segments[i-1].Head.Size
			lines = append(lines, fmt.Sprintf("Segment %d began on %s because %s; segment %d ended at %s.", s.Number, utc(s.At), s.Why, s.Number-1, count(ended)))
		}
	}
	if r.Saved != "" {
		lines = append(lines, r.Saved)
	}
	if r.Erased > 0 {
		lines = append(lines, fmt.Sprintf("Events with an erased text: %s.", count(r.Erased)))
	}
	if r.ErasedRows > 0 {
		lines = append(lines, fmt.Sprintf("Requests with an erased text: %s.", count(r.ErasedRows)))
	}
	if r.Unheld > 0 {
		lines = append(lines, fmt.Sprintf("Requests whose row was not compared, because an older build recorded them or their first event is erased: %s.", count(r.Unheld)))
	}
	verdict := "as they were sealed"
	if !r.Good() {
		verdict = "and something is wrong"
	}
	head := ""
	if n := len(r.Segments); n > 0 {
		last := r.Segments[n-1]
		head = fmt.Sprintf(" Tree: %s, %s events, root %s.", last.Head.Origin, count(last.Head.Size), last.Head.Root)
	}
	return append(lines, fmt.Sprintf("%s events, %s; %s wait to be sealed.%s", count(r.Sealed), verdict, count(r.Waiting), head))
}

func utc(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }
