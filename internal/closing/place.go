package closing

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Pod is a part of a data center whose servers share a backend router.
type Pod struct {
	Name       string // dal09.pod03
	Datacenter string // dal09
	Router     int64  // id of its backend router; 0 if it is not known
	Closing    bool   // SoftLayer has announced that it will close
}

// Closure is a place that closes.
type Closure struct {
	Place      string
	Datacenter string    // that it is, or is in; "" for a pod that SoftLayer does not list
	Announced  bool      // by SoftLayer: the pod, or a pod of the data center
	Day        time.Time // when it closes; zero if nobody has set a date
	Outside    []string  // of a data center: its pods that are closures of their own
	Sharing    []string  // of a pod: others on its router, whose servers nobody can tell from its own
}

// Whole reports whether the closure is that of a whole data center.
func (c Closure) Whole() bool { return c.Place == c.Datacenter }

// DaysLeft returns how many days are left after the day of now, in UTC; it is negative if the day has
// passed.
func (c Closure) DaysLeft(now time.Time) int {
	const day = 24 * time.Hour
	return int(c.Day.Sub(now.Truncate(day)) / day)
}

// places tell in which closure a server is.
type places struct {
	closures []Closure
	named    map[string]int     // the closures by place
	pods     map[int64][]string // the pods of each backend router: those that close come first
}

// closuresOf returns the places that close: those with a date first, by date, then the others by name.
// deadlines are the days that the operator has set, by pod or data center. An announced pod in a data
// center with a date closes with its data center, unless it has a date of its own.
func closuresOf(pods []Pod, deadlines map[string]time.Time) places {
	p := places{named: map[string]int{}, pods: map[int64][]string{}}
	of := map[string]*Closure{}
	for place, day := range deadlines {
		c := &Closure{Place: place, Day: day}
		if !strings.Contains(place, ".") { // else it is a pod, and SoftLayer says where
			c.Datacenter = place
		}
		of[place] = c
	}
	for _, pod := range pods {
		own, whole := of[pod.Name], of[pod.Datacenter]
		if own == nil && whole == nil && pod.Closing {
			own = &Closure{Place: pod.Name}
			of[pod.Name] = own
		}
		if own != nil {
			own.Datacenter, own.Announced = pod.Datacenter, pod.Closing
		}
		switch {
		case whole != nil && own != nil:
			whole.Outside = append(whole.Outside, pod.Name)
		case whole != nil:
			whole.Announced = whole.Announced || pod.Closing
		}
	}
	for _, c := range of {
		slices.Sort(c.Outside)
		p.closures = append(p.closures, *c)
	}
	slices.SortFunc(p.closures, func(a, b Closure) int {
		return cmp.Or(boolCompare(a.Day.IsZero(), b.Day.IsZero()), a.Day.Compare(b.Day), cmp.Compare(a.Place, b.Place))
	})
	for n, c := range p.closures {
		p.named[c.Place] = n
	}
	p.share(pods)
	return p
}

// share notes the pods of each router. SoftLayer says of a pod which routers it has, and of no router that it is one pod's
// alone. Servers on a router of several pods count in the one that closes first, so that none of them is taken for one
// that stays; of those that stay, in the first by name.
func (p places) share(pods []Pod) {
	on := map[int64][]string{}
	for _, pod := range pods {
		if pod.Router != 0 {
			on[pod.Router] = append(on[pod.Router], pod.Name)
		}
	}
	for router, names := range on {
		slices.SortFunc(names, p.before)
		p.pods[router] = names
		for _, name := range names {
			if n, closes := p.named[name]; closes {
				others := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return other == name })
				p.closures[n].Sharing = append(p.closures[n].Sharing, others...)
			}
		}
	}
}

// before compares two pods: those that close come first, in the order of the closures; then the others by name.
func (p places) before(a, b string) int {
	return cmp.Or(cmp.Compare(p.turn(a), p.turn(b)), cmp.Compare(a, b))
}

// turn is the place of a pod among the closures; it comes after them if the pod is none.
func (p places) turn(pod string) int {
	if n, closes := p.named[pod]; closes {
		return n
	}
	return len(p.closures)
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// podOf returns the pod that these routers are of; of several, one that closes. It is "" if none is known.
func (p places) podOf(routers []int64) (pod string) {
	for _, router := range routers {
		if of := p.pods[router]; len(of) > 0 && (pod == "" || p.turn(of[0]) < p.turn(pod)) {
			pod = of[0]
		}
	}
	return pod
}

// besides returns the other pods that these routers are of, by name.
func (p places) besides(pod string, routers []int64) (others []string) {
	for _, router := range routers {
		others = append(others, p.pods[router]...)
	}
	slices.Sort(others)
	return slices.DeleteFunc(slices.Compact(others), func(other string) bool { return other == pod })
}

// in returns the closure in which a server is by its data center and its backend routers; -1 for none.
// podKnown is false if a pod of its data center closes and nobody can tell whether it is in that.
func (p places) in(datacenter string, routers []int64) (closure int, podKnown bool) {
	pod := p.podOf(routers)
	if n, is := p.named[pod]; is && pod != "" {
		return n, true
	}
	podKnown = pod != "" || !slices.ContainsFunc(p.closures, func(c Closure) bool { return c.Datacenter == datacenter && !c.Whole() })
	if n, is := p.named[datacenter]; is {
		return n, podKnown
	}
	return -1, podKnown
}
