package typeahead

import (
	"encoding/binary"
	"iter"
	"slices"
)

// places is a list of rows in their order, written as differences, of which row has been read.
type places struct {
	rest []byte
	row  int
}

// next is the list with its next row read, and false at its end.
func (p places) next() (places, bool) {
	if len(p.rest) == 0 {
		return p, false
	}
	step, size := binary.Uvarint(p.rest)
	return places{rest: p.rest[size:], row: p.row + int(step)}, true
}

// inOrder goes through the rows of all lists in their order, each once.
func inOrder(lists []places) iter.Seq[int] {
	return func(yield func(int) bool) {
		for lists := slices.Clone(lists); len(lists) > 0; {
			least := lists[0].row
			for _, list := range lists[1:] {
				least = min(least, list.row)
			}
			if !yield(least) {
				return
			}
			left := lists[:0]
			for _, list := range lists {
				more := true
				if list.row == least {
					list, more = list.next()
				}
				if more {
					left = append(left, list)
				}
			}
			lists = left
		}
	}
}
