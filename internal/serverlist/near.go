package serverlist

import (
	"cmp"
	"net/netip"
	"strings"

	"cancel-server/internal/spelling"
)

// neighbors finds the closest names to those that no server has.
type neighbors struct {
	names  []neighbor
	short  bool // one of them has no dot: host names are compared
	dotted bool // one of them has
}

// neighbor is the closest name so far.
type neighbor struct {
	row    int
	name   *spelling.Name
	dotted bool
	errors int // that the next one may have at most
	near   string
}

// newNeighbors looks for names only: the closest number or address is a server that nobody meant.
func newNeighbors(rows []Row) *neighbors {
	n := &neighbors{}
	for i, row := range rows {
		key := keyOf(row.Text)
		_, err := netip.ParseAddr(key)
		if row.State != NotFound || err == nil || strings.Trim(key, "0123456789") == "" {
			continue
		}
		dotted := strings.Contains(key, ".")
		n.short, n.dotted = n.short || !dotted, n.dotted || dotted
		n.names = append(n.names, neighbor{row: i, name: spelling.New(key), dotted: dotted, errors: spelling.Tolerated(key)})
	}
	return n
}

// compare compares the names with those of one server.
func (n *neighbors) compare(s *Server) {
	if n.short {
		n.compareAs(false, plainName(s.Hostname))
	}
	if n.dotted {
		n.compareAs(true, plainName(s.FQDN))
	}
}

func (n *neighbors) compareAs(dotted bool, name string) {
	if name == "" {
		return
	}
	sketch := spelling.SketchOf(name)
	for i := range n.names {
		if of := &n.names[i]; of.dotted == dotted && of.name.MayBe(sketch, of.errors) {
			of.compare(name)
		}
	}
}

// compare notes a name that is closer, or as close and before the other one.
func (of *neighbor) compare(name string) {
	errors := spelling.Errors(of.name, name, of.errors)
	if errors < of.errors || errors == of.errors && (of.near == "" || name < of.near) {
		of.errors, of.near = errors, strings.Clone(name)
	}
}

// note notes them in the rows that have no better hint.
func (n *neighbors) note(rows []Row) {
	for _, of := range n.names {
		rows[of.row].Near = cmp.Or(rows[of.row].Near, of.near)
	}
}
