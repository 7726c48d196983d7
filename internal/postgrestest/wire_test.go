package postgrestest

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMessagesAreCountedHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	said := []byte("D\x00\x00\x00\x08ZZZZ" + "Z\x00\x00\x00\x05I" + "C\x00\x00\x00\x04" + "Z\x00\x00\x00\x05T")
	for size := 1; size <= len(said); size++ {
		var f frames
		var found int64
		for rest := said; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			found += f.count(readyForQuery, rest[:min(size, len(rest))])
		}
		assert.EqualValues(t, 2, found, "in pieces of %d bytes", size)
	}
}
