package typeahead

import (
	"cmp"
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
)

// How many characters may be inserted, removed or changed between a name and a near one.
const farthest = 3

// Nearest finds at most limit servers whose names are close to one that no server has, the closest
// first. A name without a dot is compared with host names.
func (i *Inventory) Nearest(name string, limit int) []cancellation.Server {
	x := i.index.Load()
	if x == nil {
		return nil
	}
	var servers []cancellation.Server
	for _, n := range x.nearest(cancellation.PlainName(name), limit) {
		servers = append(servers, x.row(n).server())
	}
	return servers
}

// neighbor is a row and how far its name is.
type neighbor struct{ row, distance int }

func (x *index) nearest(name string, limit int) []int {
	if name == "" || len(name) > 255 {
		return nil
	}
	field := 0
	if strings.Contains(name, ".") {
		field = 1
	}
	from := distance{name: []byte(name)}
	var near []neighbor
	for i := range x.size() {
		if d := from.to(x.names.field(i, field)); d <= min(farthest, len(name)/2) {
			near = append(near, neighbor{i, d})
		}
	}
	slices.SortStableFunc(near, func(a, b neighbor) int { return cmp.Compare(a.distance, b.distance) })
	var rows []int
	for _, n := range near[:min(len(near), limit)] {
		rows = append(rows, n.row)
	}
	return rows
}

// distance counts the single characters in which names differ (Levenshtein), as far as
// it matters here.
type distance struct {
	name         []byte
	above, below []int // two lines of the table, used again for each name
}

func (d *distance) to(other []byte) int {
	if abs(len(d.name)-len(other)) > farthest {
		return farthest + 1
	}
	d.above = d.above[:0]
	for n := range len(other) + 1 {
		d.above = append(d.above, n)
	}
	for i, c := range d.name {
		d.below = append(d.below[:0], i+1)
		least := i + 1
		for j, o := range other {
			differs := 1
			if c == o {
				differs = 0
			}
			d.below = append(d.below, min(d.above[j]+differs, d.above[j+1]+1, d.below[j]+1))
			least = min(least, d.below[j+1])
		}
		if least > farthest {
			return least
		}
		d.above, d.below = d.below, d.above
	}
	return d.above[len(other)]
}

func abs(n int) int { return max(n, -n) }
