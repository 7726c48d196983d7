package typeahead

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMergedListsAreInOrderWithoutRepeats(t *testing.T) {
	t.Parallel()
	for _, all := range [][][]int{
		{},
		{{0, 1, 200, 40_000}},
		{{3, 5, 9}, {0, 5, 6}},
		{{7}, {7}, {0, 7, 8}},
		{{100, 300}, {0, 1, 2, 3}, {299, 301}, {300}},
	} {
		var lists []places
		for _, rows := range all {
			written, last := []byte(nil), -1
			for _, row := range rows {
				written, last = binary.AppendUvarint(written, uint64(row-last)), row
			}
			list, some := places{rest: written, row: -1}.next()
			assert.True(t, some)
			lists = append(lists, list)
		}
		want := slices.Compact(slices.Sorted(slices.Values(slices.Concat(all...))))
		assert.Equal(t, want, slices.Collect(inOrder(lists)), "%v", all)
	}
	_, some := places{}.next()
	assert.False(t, some)
}
