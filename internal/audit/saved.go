package audit

import (
	"fmt"
	"strings"
)

// checkSaved looks at a saved checkpoint before the walk.
func (v *verification) checkSaved(segments []Segment) {
	if v.saved == nil {
		return
	}
	switch v.saved.Signature {
	case NotByKey:
		v.find(Finding{Kind: Disagrees, Text: "it carries no signature of this key."})
	case Invalid:
		v.find(Finding{Kind: Disagrees, Text: "its signature is wrong: it is not what the key signed."})
	case Unsigned, NotChecked, Valid:
	}
	if v.findSegment(segments) && v.saved.Size > 0 {
		return
	}
	v.saved = nil
}

// findSegment reports whether the saved checkpoint is of a segment of this log. It says so if it is not, and
// says all of one of no events.
func (v *verification) findSegment(segments []Segment) bool {
	known, twin := false, false
	for _, s := range segments {
		known = known || v.isOf(s)
		twin = twin || strings.HasPrefix(v.saved.Origin, Origin(v.name, s.Number, "")+"-")
	}
	var none Frontier
	switch {
	case !known && twin:
		v.find(Finding{Kind: Disagrees, Text: fmt.Sprintf(
			"it is of %s, a segment that began elsewhere: a backup was restored more than once and this database is another copy, or the log was sealed again after a change.", v.saved.Origin)})
	case !known:
		v.find(Finding{Kind: Disagrees, Text: fmt.Sprintf("it is of another log, %s; this one is %s.", v.saved.Origin, v.name)})
	case v.saved.Size > 0:
	case v.saved.Root != none.Root():
		v.find(Finding{Kind: Disagrees, Text: "it is of no events, and its root is not that of an empty tree."})
	default:
		v.Saved = "The checkpoint is of no events: it fits whatever the log holds, and shows nothing." + v.saved.Signature.words()
	}
	return known
}

// isOf reports whether the saved checkpoint is of a segment. A build that knows no nonce leaves it out.
func (v *verification) isOf(s Segment) bool {
	return v.saved.Origin == s.origin(v.name) || v.saved.Origin == Origin(v.name, s.Number, "")
}

// compare compares the saved checkpoint with the tree, if its last position is one of these.
func (v *verification) compare(from, to int64) {
	n := len(v.Segments)
	if v.saved == nil || n == 0 || !v.isOf(v.Segments[n-1].Segment) {
		return
	}
	saved := v.saved.Checkpoint
	at := v.Segments[n-1].First + saved.Size - 1
	if at < from || at > to {
		return
	}
	switch {
	case v.tree.broken:
		v.find(Finding{Kind: Disagrees, From: at, Text: "it cannot be compared, because an event before it is missing."})
	case v.tree.stored.Root() == saved.Root && v.odd == 0:
		v.Saved = fmt.Sprintf("The checkpoint fits: its first %s events are in this log as they were.%s", count(saved.Size), v.saved.Signature.words())
	case v.tree.stored.Root() == saved.Root: // the tree is, and a row is not
		v.Saved = fmt.Sprintf("The checkpoint fits the tree of its first %s events. Rows that are not as they were sealed: %s of these.%s",
			count(saved.Size), count(v.odd), v.saved.Signature.words())
	default:
		v.find(Finding{Kind: Disagrees, From: v.Segments[n-1].First, To: at, Text: "the checkpoint has another root: an event here was changed, moved, added or removed after it was made."})
	}
	v.saved = nil
}

func (s Signature) words() string {
	switch s {
	case Valid:
		return " Its signature is valid."
	case NotChecked:
		return " Its signature was not checked: give --key."
	case Unsigned, NotByKey, Invalid:
	}
	return ""
}

// compareEnded says why a checkpoint was not compared on the way: most often it saw more than its segment has.
func (v *verification) compareEnded() {
	if v.saved == nil {
		return
	}
	text := "it cannot be compared, because the log does not have its segment as it should."
	for i, s := range v.Segments {
		lost := v.saved.Size - s.Head.Size
		switch {
		case !v.isOf(s.Segment) || lost <= 0:
		case i+1 < len(v.Segments):
			text = fmt.Sprintf("it saw %s events, and segment %d ended at %s: %s events were lost with the restore.",
				count(v.saved.Size), s.Number, count(s.Head.Size), count(lost))
		default:
			text = fmt.Sprintf("it saw %s events, and the log has %s: the last %s were removed, or this database is an older copy.",
				count(v.saved.Size), count(s.Head.Size), count(lost))
		}
	}
	v.find(Finding{Kind: Disagrees, Text: text})
}
