package inventory

import (
	"crypto/sha256"
	"iter"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// index is a listing that can be searched. It never changes.
type index struct {
	names   column
	numbers column
	places  []uint16 // each row's data center
	centers []string
	tags    []tagged // by name
	digest  [sha256.Size]byte
}

// tagged is one tag and the rows that carry it, in their order.
type tagged struct {
	name  string // as it is shown
	lower string
	rows  []uint32
}

func newIndex(l listing) *index {
	x := &index{digest: l.digest()}
	rows := slices.Clone(l.rows)
	slices.SortFunc(rows, byName)
	x.names = newColumn(rows, func(r row) string { return r.names })
	x.numbers = newColumn(rows, func(r row) string { return r.numbers })
	x.place(rows)
	x.tag(rows, l.tags)
	return x
}

// place notes the data centers, of which there are a few dozen.
func (x *index) place(rows []row) {
	known := map[string]uint16{"": 0}
	x.centers, x.places = []string{""}, make([]uint16, len(rows))
	for i, r := range rows {
		at, is := known[r.datacenter]
		if !is && len(x.centers) < 1<<16 {
			at = uint16(len(x.centers))
			known[r.datacenter], x.centers = at, append(x.centers, r.datacenter)
		}
		x.places[i] = at
	}
}

// tag notes which rows carry which tag. What carries one and is not listed is left out.
func (x *index) tag(rows []row, tags []tag) {
	at := make(map[int64]uint32, len(rows))
	for i, r := range rows {
		at[r.id] = uint32(i)
	}
	for _, t := range tags {
		carried := tagged{name: t.Name, lower: lowerASCII(t.Name)}
		for _, server := range t.Servers {
			if i, listed := at[server]; listed {
				carried.rows = append(carried.rows, i)
			}
		}
		slices.Sort(carried.rows)
		carried.rows = slices.Clip(slices.Compact(carried.rows))
		x.tags = append(x.tags, carried)
	}
}

// size is how many servers there are.
func (x *index) size() int { return len(x.places) }

// row is the i-th by name.
func (x *index) row(i int) row {
	numbers := x.numbers.text(i)
	id, _ := strconv.ParseInt(strings.Split(numbers, idMark)[1], 10, 64) // written by us
	return row{id: id, names: x.names.text(i), numbers: numbers, datacenter: x.centers[x.places[i]]}
}

// carried are the tags with the ids of what carries them.
func (x *index) carried() []tag {
	tags := make([]tag, len(x.tags))
	for n, t := range x.tags {
		tags[n].Name = t.name
		for _, i := range t.rows {
			tags[n].Servers = append(tags[n].Servers, x.row(int(i)).id)
		}
	}
	return tags
}

// search finds at most limit servers, the best match first: what is called exactly so;
// whose name or address begins so; what carries the tag of this name; whose name has it
// within; whose id begins so; whose address or id has it within; what carries a tag that
// has it within. Digits alone are the beginning of every second address: addresses come
// after names then. Those that match alike come by name.
func (x *index) search(query string, limit int) []cancellation.Server {
	query = lowerASCII(query)
	if query == "" || strings.Contains(query, mark) || strings.Contains(query, idMark) {
		return nil
	}
	found := hits{limit: limit, seen: map[int]bool{}}
	for _, rows := range x.ways(query) {
		if found.add(rows) {
			break
		}
	}
	servers := make([]cancellation.Server, len(found.rows))
	for n, i := range found.rows {
		servers[n] = x.row(i).server()
	}
	return servers
}

// ways are the ways to match a query, the best first.
func (x *index) ways(query string) []iter.Seq[int] {
	exact := []iter.Seq[int]{
		x.names.with(mark + query + mark), x.numbers.with(mark + query + mark), x.numbers.with(idMark + query + idMark),
		x.names.with(mark + query),
	}
	address := x.numbers.with(mark + query)
	within := []iter.Seq[int]{
		x.carrying(func(name string) bool { return name == query }),
		x.within(x.names, query),
	}
	rest := []iter.Seq[int]{
		x.numbers.with(idMark + query), x.within(x.numbers, query),
		x.carrying(func(name string) bool { return len(query) > 1 && strings.Contains(name, query) }),
	}
	if isNumber(query) {
		return slices.Concat(exact, within, []iter.Seq[int]{address}, rest)
	}
	return slices.Concat(exact, []iter.Seq[int]{address}, within, rest)
}

func isNumber(text string) bool { return strings.Trim(text, "0123456789") == "" }

// within goes through the rows that have a text somewhere. One character is too little.
func (x *index) within(c column, text string) iter.Seq[int] {
	if len(text) < 2 {
		return func(func(int) bool) {}
	}
	return c.with(text)
}

// carrying goes through the rows that carry a tag of these names.
func (x *index) carrying(is func(name string) bool) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, t := range x.tags {
			if !is(t.lower) {
				continue
			}
			for _, i := range t.rows {
				if !yield(int(i)) {
					return
				}
			}
		}
	}
}

// hits are rows that match, each once.
type hits struct {
	rows  []int
	seen  map[int]bool
	limit int
}

// add takes rows in, and reports whether there are enough.
func (h *hits) add(rows iter.Seq[int]) (enough bool) {
	for i := range rows {
		if len(h.rows) >= h.limit {
			return true
		}
		if !h.seen[i] {
			h.seen[i], h.rows = true, append(h.rows, i)
		}
	}
	return len(h.rows) >= h.limit
}
