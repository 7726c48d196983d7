package typeahead

import (
	"context"
	"iter"
	"slices"
	"strings"

	"cancel-server/internal/closing"
)

// Standing goes through the servers that stand where wanted says so, in the order of their names. wanted
// is asked once for each data center and its routers. known is false until all servers were read once, and
// tagged until their tags were too: the servers then have none.
func (i *Inventory) Standing(wanted func(datacenter string, routers []int64) bool) (servers iter.Seq[closing.Server], known, tagged bool) {
	x := i.index.Load()
	if x == nil {
		return nil, false, false
	}
	routers := make([][]int64, len(x.spots))
	in := make([]bool, len(x.spots))
	some := false
	for n, s := range x.spots {
		routers[n] = parted(s.routers)
		in[n] = wanted(s.datacenter, routers[n])
		some = some || in[n]
	}
	if !some {
		return func(func(closing.Server) bool) {}, true, !x.untagged
	}
	return func(yield func(closing.Server) bool) {
		of, sets := x.tagsets(in)
		for n, place := range x.places {
			if !in[place] {
				continue
			}
			hostname, fqdn := twoOf(x.names.text(n))
			if !yield(closing.Server{
				ID: x.id(n), Hostname: hostname, FQDN: fqdn, Datacenter: x.spots[place].datacenter, Routers: routers[place],
				Tags: sets[of[n]], Tagset: int(of[n]),
			}) {
				return
			}
		}
	}, true, !x.untagged
}

// tagsets numbers the sets of tags that the rows in some spots carry. It returns each row's number, and
// the tags of each set.
func (x *index) tagsets(in []bool) (of []uint32, sets [][]string) {
	type longer struct {
		set uint32
		tag int
	}
	of, sets = make([]uint32, x.size()), [][]string{nil}
	known := map[longer]uint32{}
	for tag, rows := range x.carriers {
		name := strings.Trim(x.tags.text(tag), mark)
		for _, row := range rows {
			if !in[x.places[row]] {
				continue
			}
			next := longer{of[row], tag}
			set, is := known[next]
			if !is {
				set = uint32(len(sets))
				known[next], sets = set, append(sets, append(slices.Clip(sets[of[row]]), name))
			}
			of[row] = set
		}
	}
	return of, sets
}

// TakeKept takes the snapshot that a running bot keeps, and reports whether there is one. It is for
// programs that make no pass.
func (i *Inventory) TakeKept(ctx context.Context) (found bool, err error) {
	_, err = i.catchUp(ctx)
	return i.index.Load() != nil, err
}
