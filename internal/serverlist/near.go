package serverlist

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"cancel-server/internal/spelling"
)

// neighbors finds the closest names to those that no server has.
type neighbors struct {
	hosts, full byLength // names without a dot are compared with host names, others with full names
	any         bool
}

// byLength holds names by their lengths: a name with three errors is at most three characters longer.
type byLength [][]*neighbor

// neighbor is the closest name so far.
type neighbor struct {
	row    int
	name   *spelling.Name
	errors int // that the next one may have at most
	near   string
}

// newNeighbors looks for names only: the closest number or address is a server that nobody meant.
func newNeighbors(rows []Row) *neighbors {
	n := &neighbors{}
	for i, row := range rows {
		key := keyOf(row.Text)
		most := spelling.Tolerated(key)
		_, err := netip.ParseAddr(key)
		if row.State != NotFound || most == 0 || err == nil || strings.Trim(key, "0123456789") == "" {
			continue
		}
		to := &n.hosts
		if strings.Contains(key, ".") {
			to = &n.full
		}
		n.any = true
		to.add(len(key), &neighbor{row: i, name: spelling.New(key), errors: most})
	}
	return n
}

func (b *byLength) add(length int, n *neighbor) {
	for len(*b) <= length {
		*b = append(*b, nil)
	}
	(*b)[length] = append((*b)[length], n)
}

// compare compares the names with those of one server.
func (n *neighbors) compare(s *Server) {
	if len(n.hosts) > 0 {
		n.hosts.compare(plainName(s.Hostname))
	}
	if len(n.full) > 0 {
		n.full.compare(plainName(s.FQDN))
	}
}

func (b byLength) compare(name string) {
	if name == "" {
		return
	}
	sketch := spelling.SketchOf(name)
	for length := max(0, len(name)-spelling.Most); length < min(len(b), len(name)+spelling.Most+1); length++ {
		for _, n := range b[length] {
			if n.name.MayBe(sketch, n.errors) {
				n.compare(name)
			}
		}
	}
}

// compare notes a name that is closer, or as close and before the other one.
func (n *neighbor) compare(name string) {
	errors := spelling.Errors(n.name, name, n.errors)
	if errors < n.errors || errors == n.errors && (n.near == "" || name < n.near) {
		n.errors, n.near = errors, strings.Clone(name)
	}
}

// note notes them in the rows that have no better hint.
func (n *neighbors) note(rows []Row) {
	for _, all := range slices.Concat(n.hosts, n.full) {
		for _, one := range all {
			rows[one.row].Near = cmp.Or(rows[one.row].Near, one.near)
		}
	}
}
