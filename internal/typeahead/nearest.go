package typeahead

import (
	"cmp"
	"slices"
	"strings"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/spelling"
)

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

// neighbor is a row and how many typing errors its name is away.
type neighbor struct{ row, errors int }

func (x *index) nearest(name string, limit int) []int {
	if name == "" || len(name) > 255 {
		return nil
	}
	field := 0
	if strings.Contains(name, ".") {
		field = 1
	}
	from, most := spelling.New(name), spelling.Tolerated(name)
	var near []neighbor
	for i := range x.size() {
		if errors := spelling.Errors(from, x.names.field(i, field), most); errors <= most {
			near = append(near, neighbor{i, errors})
		}
	}
	slices.SortStableFunc(near, func(a, b neighbor) int { return cmp.Compare(a.errors, b.errors) })
	var rows []int
	for _, n := range near[:min(len(near), limit)] {
		rows = append(rows, n.row)
	}
	return rows
}
