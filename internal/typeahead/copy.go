package typeahead

import (
	"iter"
	"strconv"
	"strings"

	"cancel-server/internal/serverlist"
)

// All goes through all known servers in the order of their names, each time through the same ones, for
// lists of servers. Tags are valid until the next server, and a text that is kept keeps those of all
// servers. End dates are not known.
func (i *Inventory) All() iter.Seq[serverlist.Server] {
	x := i.index.Load()
	if x == nil {
		return func(func(serverlist.Server) bool) {}
	}
	pods, sharing := make([]string, len(x.spots)), make([][]string, len(x.spots))
	for n, s := range x.spots {
		pods[n], sharing[n] = i.podOf(parted(s.routers))
	}
	tagNames, ends, carried := x.byRow()
	names, numbers := string(x.names.shown), string(x.numbers.shown) // one copy for all
	return func(yield func(serverlist.Server) bool) {
		var tags []string
		for i := range x.size() {
			tags = tags[:0]
			for _, n := range carried[ends[i]:ends[i+1]] {
				tags = append(tags, tagNames[n])
			}
			number := numbers[x.numbers.starts[i]:x.numbers.starts[i+1]]
			_, digits, _ := strings.Cut(number, idMark)
			id, _ := strconv.ParseInt(strings.TrimSuffix(digits, idMark), 10, 64) // written by us
			at := x.places[i]
			s := serverlist.Server{ID: id, Datacenter: x.spots[at].datacenter, Pod: pods[at], Sharing: sharing[at], Tags: tags}
			s.Hostname, s.FQDN = twoOf(names[x.names.starts[i]:x.names.starts[i+1]])
			s.PublicIP, s.PrivateIP = twoOf(number)
			if !yield(s) {
				return
			}
		}
	}
}

// Listed reports whether all servers were read once. Before that no server is known.
func (i *Inventory) Listed() bool { return i.index.Load() != nil }

// Tagged reports whether all tags were read once. Before that nobody can tell what a tag finds.
func (i *Inventory) Tagged() bool {
	x := i.index.Load()
	return x != nil && !x.untagged
}

// byRow turns the carriers of tags around: carried holds the tags of row i, by their position in names,
// from ends[i] to ends[i+1].
func (x *index) byRow() (names []string, ends, carried []uint32) {
	ends = make([]uint32, x.size()+1)
	for n, rows := range x.carriers {
		names = append(names, strings.Trim(x.tags.text(n), mark))
		for _, i := range rows {
			ends[i]++
		}
	}
	sum := uint32(0)
	for i, count := range ends {
		sum += count
		ends[i] = sum
	}
	carried = make([]uint32, sum)
	for n := len(names) - 1; n >= 0; n-- {
		for _, i := range x.carriers[n] {
			ends[i]--
			carried[ends[i]] = uint32(n)
		}
	}
	return names, ends, carried
}
