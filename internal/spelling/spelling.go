// Package spelling counts the typing errors between two names. It compares bytes as they are: the caller
// writes both names in lower case.
package spelling

// Most is how many errors are counted. Names with more of them have nothing to do with each other.
const Most = 3

// Tolerated returns how many errors a name may have and still be recognized: at most [Most], and no more
// than half of its characters.
func Tolerated(name string) int { return min(Most, len(name)/2) }

// Name is a name to which others are compared. It is not safe for concurrent use.
type Name struct {
	text         string
	sketch       Sketch
	above, below []int // two lines of the table, used again for each other name
}

// New returns a name to which others are compared.
func New(name string) *Name { return &Name{text: name, sketch: SketchOf(name)} }

// Sketch is what is kept of a name to rule out most other names without comparing them: how often each
// character occurs. It has 16 counts of four bits, of which the highest stays free. Several characters
// share a count, and a count ends at seven: both only make names look closer.
type Sketch struct {
	counts uint64
	length int
}

// Every count's highest bit.
const high = 0x8888_8888_8888_8888

// SketchOf returns the sketch of a name.
func SketchOf[T string | []byte](name T) Sketch {
	s := Sketch{length: len(name)}
	for i := range len(name) {
		one := uint64(1) << (name[i] & 15 * 4) // no two digits share a count
		if next := s.counts + one; next&high == 0 {
			s.counts = next
		}
	}
	return s
}

// MayBe reports whether a name with this sketch may have at most so many errors. It never rules out one
// that has. One error adds or removes one character, or does both.
func (n *Name) MayBe(other Sketch, most int) bool {
	longer := n.sketch.length - other.length
	return max(longer, -longer) <= most && surplus(n.sketch.counts, other.counts) <= most && surplus(other.counts, n.sketch.counts) <= most
}

// surplus adds up by how much counts are above others.
func surplus(a, b uint64) int {
	over := (a | high) - b         // each count is 8 + a - b
	over &= (over & high) >> 3 * 7 // of those that are at least 8, what is above
	const even = 0x0f0f_0f0f_0f0f_0f0f
	pairs := over&even + over>>4&even // eight sums of two, at most 14 each
	return int(pairs * 0x0101_0101_0101_0101 >> 56)
}

// Errors counts the single characters that were inserted, removed or changed between the name and another
// one (Levenshtein). It returns most+1 if there are more than most.
func Errors[T string | []byte](n *Name, other T, most int) int {
	if longer := len(n.text) - len(other); max(longer, -longer) > most {
		return most + 1
	}
	n.above = n.above[:0]
	for j := range len(other) + 1 {
		n.above = append(n.above, j)
	}
	for i := range len(n.text) {
		n.below = append(n.below[:0], i+1)
		least := i + 1
		for j := range len(other) {
			differs := 1
			if n.text[i] == other[j] {
				differs = 0
			}
			n.below = append(n.below, min(n.above[j]+differs, n.above[j+1]+1, n.below[j]+1))
			least = min(least, n.below[j+1])
		}
		if least > most {
			return most + 1
		}
		n.above, n.below = n.below, n.above
	}
	return min(n.above[len(other)], most+1)
}
