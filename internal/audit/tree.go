package audit

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is a tree by the roots of its complete subtrees, the largest first. That is all that is needed
// to add leaves and to know the root.
type Frontier struct {
	Size  int64
	roots []tlog.Hash
}

// Add adds a leaf's hash.
func (f *Frontier) Add(leaf tlog.Hash) {
	f.roots = append(f.roots, leaf)
	for n := f.Size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		f.roots[last-1] = tlog.NodeHash(f.roots[last-1], f.roots[last])
		f.roots = f.roots[:last]
	}
	f.Size++
}

// Root returns the tree's root.
func (f *Frontier) Root() tlog.Hash {
	root, _ := tlog.TreeHash(f.Size, tlog.HashReaderFunc(func([]int64) ([]tlog.Hash, error) { return f.roots, nil })) // it asks for just these
	return root
}

// Bytes returns the roots one after the other, for a column.
func (f *Frontier) Bytes() []byte {
	all := make([]byte, 0, len(f.roots)*tlog.HashSize)
	for _, root := range f.roots {
		all = append(all, root[:]...)
	}
	return all
}

// ErrTree says that the log's row has no tree.
var ErrTree = errors.New("reading the log's tree")

// ParseFrontier reads what [Frontier.Bytes] returned of a tree of this size.
func ParseFrontier(size int64, data []byte) (f Frontier, err error) {
	f.Size = size
	if size > mostPosition/2 { // no log has so many, and working out the root of twice as many would never end
		return f, fmt.Errorf("%w: it counts %d events", ErrTree, size)
	}
	if size < 0 || len(data) != bits.OnesCount64(uint64(size))*tlog.HashSize {
		return f, fmt.Errorf("%w: %d events and %d bytes of roots do not fit", ErrTree, size, len(data))
	}
	for root := range slices.Chunk(data, tlog.HashSize) {
		f.roots = append(f.roots, tlog.Hash(root))
	}
	return f, nil
}

func (f *Frontier) clone() Frontier { return Frontier{f.Size, slices.Clone(f.roots)} }
