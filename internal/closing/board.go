package closing

import (
	"iter"
	"time"

	"cancel-server/internal/billed"
)

// Server is one server, as it was listed last.
type Server struct {
	ID             int64
	Hostname, FQDN string
	Datacenter     string
	Routers        []int64  // ids of its backend routers; none: not known
	Tags           []string // shared by all servers with the same tags
	Tagset         int      // the same for all servers with the same tags, or [NoTagset]
}

// NoTagset says that nobody numbered a server's tags.
const NoTagset = -1

// Cost is what a server costs.
type Cost struct {
	Fee       string // a month, decimal text; "" if the key may not see it
	Hourly    bool   // it is billed by the hour
	Cancelled bool   // SoftLayer shows a cancellation that stands, by whomever
}

// Standing is how far the cancellations in one closing place have come, over the servers that one
// person may ask for or approve.
type Standing struct {
	Closure
	Servers int // of these, each is in one of the next three
	Asked   int // a request or another cancellation stands, and waits for no approval
	Waiting int // a request waits for approval
	Rest    int // not asked for yet

	Askable  int    // of Rest, those that this person may ask for
	Fee      string // what Rest costs a month, exact; those counted next are not in it
	Unknown  int    // of Rest, those whose cost the key cannot see
	Unread   int    // of Rest, those whose cost was not read yet
	Unplaced int    // further servers of the data center that may be in the pod: theirs is not known
}

// Board is what one person sees of all closing places. Places in which they see no server are left out.
type Board struct {
	AsOf      time.Time
	Listed    time.Time // when the list of servers was last found to be complete
	Places    []Standing
	Closing   int  // places that close, also those in which the person sees no server
	Undecided int  // servers about which there was no time to decide whether the person sees them
	Gap       bool // something could not be read: places or servers may be missing
	InForm    int  // servers that fit in one form
	LeftToday int  // servers that the person may still ask for today; -1 if that could not be read
}

// Fits returns how many servers of a place this person can ask for in one form now, and how many that
// they may ask for remain then.
func (b Board) Fits(s Standing) (now, remain int) {
	now = max(0, min(s.Askable, b.InForm, b.LeftToday))
	return now, s.Askable - now
}

// sight is what a person may do with a server.
type sight struct {
	ask, approve bool
	undecided    bool // nobody had the time to decide
}

// everything is what the whole account sees.
func everything(Server, *Cost) sight { return sight{ask: true} }

// tally counts one place.
type tally struct {
	Standing
	fees map[string]int // how many servers of Rest cost a fee
}

// count counts servers by place. held tells which servers a request holds, and whether it waits for
// approval. costs has what was read.
func count(p places, servers iter.Seq[Server], held map[int64]bool, costs func(int64) *Cost, sees func(Server, *Cost) sight) (all []Standing, undecided int) {
	tallies := make([]tally, len(p.closures))
	for n, c := range p.closures {
		tallies[n] = tally{Standing: Standing{Closure: c}, fees: map[string]int{}}
	}
	for s := range servers {
		cost := costs(s.ID)
		at, podKnown := p.in(s.Datacenter, s.Routers)
		if at < 0 && podKnown {
			continue
		}
		seen := sees(s, cost)
		switch {
		case seen.undecided:
			undecided++
		case !seen.ask && !seen.approve:
		case at < 0:
			for n := range tallies {
				if c := tallies[n].Closure; c.Datacenter == s.Datacenter && !c.Whole() {
					tallies[n].Unplaced++
				}
			}
		default:
			waits, holds := held[s.ID]
			tallies[at].add(waits, holds, seen.ask, cost)
		}
	}
	for _, t := range tallies {
		all = append(all, t.standing())
	}
	return all, undecided
}

func (t *tally) add(waits, holds, ask bool, cost *Cost) {
	t.Servers++
	switch {
	case waits:
		t.Waiting++
	case holds, cost != nil && cost.Cancelled:
		t.Asked++
	default:
		t.Rest++
		if ask {
			t.Askable++
		}
		switch {
		case cost == nil:
			t.Unread++
		case cost.Fee == "":
			t.Unknown++
		default:
			t.fees[cost.Fee]++
		}
	}
}

func (t *tally) standing() Standing {
	var sum billed.Sum
	for fee, times := range t.fees {
		if !sum.Add(fee, times) {
			t.Unknown += times
		}
	}
	t.Fee = sum.Amount()
	return t.Standing
}

// seen leaves out the places in which nothing is seen.
func seen(all []Standing) (some []Standing) {
	for _, s := range all {
		if s.Servers+s.Unplaced > 0 {
			some = append(some, s)
		}
	}
	return some
}
