package typeahead

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"strconv"
	"strings"

	"cancel-server/internal/cancellation"
)

// index is a searchable listing. It never changes.
type index struct {
	names   column
	numbers column
	places  []uint16 // where each row stands, in spots
	spots   []spot
	rows    fingerprint

	tags     column     // the tags' names, in their order
	carriers [][]uint32 // the rows that carry each, in their order
	all      fingerprint
	untagged bool // the tags were never read
}

// spot is where servers stand: a data center, and their backend routers as [joined] writes them.
type spot struct{ datacenter, routers string }

// newIndex makes an index of rows, which it sorts. If an older index has the same rows, its columns
// are reused.
func newIndex(l listing, older *index) *index {
	slices.SortFunc(l.rows, byName)
	x := &index{rows: ofRows(l.rows)}
	if older != nil && older.rows == x.rows {
		x.names, x.numbers, x.places, x.spots = older.names, older.numbers, older.places, older.spots
	} else {
		x.names = newColumn(len(l.rows), func(i int) string { return l.rows[i].names })
		x.numbers = newColumn(len(l.rows), func(i int) string { return l.rows[i].numbers })
		x.place(l.rows)
	}
	return x.with(l.tags, l.untagged)
}

// with is the same index with these tags.
func (x *index) with(tags []tag, untagged bool) *index {
	y := *x
	y.untagged = untagged
	y.tags = newColumn(len(tags), func(n int) string { return mark + tags[n].Name + mark })
	y.carriers = y.carrying(tags)
	sum := sha256.New()
	write(sum, string(y.rows[:]), string(y.tags.shown))
	if untagged { // no tags yet are not the same as no tags
		write(sum, "untagged")
	}
	for _, rows := range y.carriers {
		_ = binary.Write(sum, binary.BigEndian, uint32(len(rows))) // a hash takes everything
		_ = binary.Write(sum, binary.BigEndian, rows)
	}
	y.all = fingerprint(sum.Sum(nil))
	return &y
}

// place notes the data centers and pods, of which there are only a few hundred.
func (x *index) place(rows []row) {
	known := map[spot]uint16{{}: 0}
	x.spots, x.places = []spot{{}}, make([]uint16, len(rows))
	for i, r := range rows {
		in := spot{r.datacenter, r.routers}
		at, is := known[in]
		if !is && len(x.spots) < 1<<16 {
			at = uint16(len(x.spots))
			known[in], x.spots = at, append(x.spots, in)
		}
		x.places[i] = at
	}
}

// carrying finds the rows that carry each tag. It leaves out what carries a tag but is not listed.
func (x *index) carrying(tags []tag) [][]uint32 {
	at := make(map[int64]uint32, x.size())
	for i := range x.size() {
		at[x.id(i)] = uint32(i)
	}
	all := make([][]uint32, len(tags))
	for n, t := range tags {
		for _, server := range t.Servers {
			if i, listed := at[server]; listed {
				all[n] = append(all[n], i)
			}
		}
		slices.Sort(all[n])
		all[n] = slices.Clip(slices.Compact(all[n]))
	}
	return all
}

// size is how many servers there are.
func (x *index) size() int { return len(x.places) }

// row is the i-th by name.
func (x *index) row(i int) row {
	in := x.spots[x.places[i]]
	return row{id: x.id(i), names: x.names.text(i), numbers: x.numbers.text(i), datacenter: in.datacenter, routers: in.routers}
}

func (x *index) id(i int) int64 {
	_, digits, _ := strings.Cut(string(x.numbers.row(i)), idMark)
	id, _ := strconv.ParseInt(strings.TrimSuffix(digits, idMark), 10, 64) // written by us
	return id
}

// carried are the tags with the ids of what carries them.
func (x *index) carried() []tag {
	if x == nil {
		return nil
	}
	tags := make([]tag, len(x.carriers))
	for n, rows := range x.carriers {
		tags[n].Name = strings.Trim(x.tags.text(n), mark)
		for _, i := range rows {
			tags[n].Servers = append(tags[n].Servers, x.id(int(i)))
		}
	}
	return tags
}

// search finds at most limit servers, the best match first: an exact name; a name or address that
// begins with the text; an exact tag; a name that contains the text; an id that begins with it; an
// address or id that contains it; a tag that contains it. For digits alone, which begin every
// second address, addresses come after names. Equal matches come by name.
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
	within := []iter.Seq[int]{x.tagged(mark + query + mark), x.within(x.names, query)}
	rest := []iter.Seq[int]{x.numbers.with(idMark + query), x.within(x.numbers, query)}
	if len(query) > 1 {
		rest = append(rest, x.tagged(query))
	}
	if isNumber(query) {
		return slices.Concat(exact, within, []iter.Seq[int]{address}, rest)
	}
	return slices.Concat(exact, []iter.Seq[int]{address}, within, rest)
}

func isNumber(text string) bool { return strings.Trim(text, "0123456789") == "" }

// within goes through the rows that contain a text of at least two characters.
func (x *index) within(c column, text string) iter.Seq[int] {
	if len(text) < 2 {
		return func(func(int) bool) {}
	}
	return c.with(text)
}

// tagged goes through the rows with a tag whose name contains a text.
func (x *index) tagged(text string) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := range x.tags.with(text) {
			for _, i := range x.carriers[n] {
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

// add adds rows, and reports whether there are enough.
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
