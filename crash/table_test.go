//go:build linux

package crash

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// table sums up the schedules that ran.
type table struct {
	start time.Time

	mu      sync.Mutex
	count   map[string]map[string]int // by heading, by line
	drawn   int
	run     int
	longest time.Duration
}

func newTable() *table { return &table{start: time.Now(), count: map[string]map[string]int{}} }

// began counts a schedule that is about to run, or to be skipped.
func (t *table) began() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.drawn++
}

func (t *table) count1(heading, line string, n int) {
	if t.count[heading] == nil {
		t.count[heading] = map[string]int{}
	}
	t.count[heading][line] += n
}

func (t *table) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := o.schedule
	t.run++
	t.longest = max(t.longest, o.took)
	t.count1("schedules", fmt.Sprintf("%s, %d replica(s), %s", s.database, s.replicas, s.transport), 1)
	t.count1("binaries", s.binary.name, 1)
	if s.target != "" {
		t.count1("aimed", s.target, 1)
	}
	for _, d := range o.evidence.dealt {
		where := d.where
		switch {
		case d.what == "failed over":
			t.count1("events", d.what+": "+where, 1)
			continue
		case where == "":
			where = "at a random moment"
		case isBoundary(where):
			t.count1("boundaries", where, 1)
			where = "at a boundary"
		case strings.Contains(where, "delivered again"):
		default:
			where = "while a vendor has the call"
		}
		t.count1("kills and stops", d.what+" "+where, 1)
	}
	for fault, n := range o.evidence.faults {
		t.count1("faults", fault, n)
	}
	t.count1("events", "submissions accepted", len(o.accepted()))
	t.count1("events", "POSTs", len(o.evidence.posts))
	t.countLists(o)
	t.count1("events", "bot resolve", len(o.evidence.resolved))
	for state, n := range o.ends {
		t.count1("events", "requests "+state, n)
	}
	t.count1("events", "lines told in threads", o.lines)
	for _, v := range o.found {
		t.count1("found", string(v.figure), 1)
	}
}

// countLists counts what people did about lists.
func (t *table) countLists(o outcome) {
	t.count1("lists", "recorded", len(o.sizes))
	for _, size := range o.sizes {
		t.count1("lists", "servers on them", size)
	}
	for _, v := range o.evidence.votes {
		switch {
		case !v.taken:
			t.count1("lists", "votes that were not taken", 1)
		case v.declines:
			t.count1("lists", "declined", 1)
		default:
			t.count1("lists", "votes", 1)
			t.count1("lists", "servers left out", len(v.struck))
		}
	}
	t.count1("lists", "withdrawals", len(o.evidence.withdrawn))
	t.count1("lists", "freezes", len(o.evidence.frozen))
}

func (o outcome) accepted() map[string]bool {
	found := map[string]bool{}
	for _, a := range o.evidence.answers {
		if a.title == "Recorded" {
			found[a.content] = true
		}
	}
	return found
}

func isBoundary(name string) bool {
	return slices.ContainsFunc(boundaries, func(b boundary) bool { return b.name == name })
}

// unreached returns the boundaries at which no process was ever killed or stopped.
func (t *table) unreached() []string {
	var missing []string
	for _, b := range boundaries {
		if t.count["boundaries"][b.name] == 0 {
			missing = append(missing, b.name)
		}
	}
	return missing
}

func (t *table) print(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	took := time.Since(t.start)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "%d schedules in %s, %.1f a minute, the longest %s\n", t.run, took.Round(time.Second),
		float64(t.run)/took.Minutes(), t.longest.Round(time.Second))
	if skipped := t.drawn - t.run; skipped > 0 {
		fmt.Fprintf(w, "SKIPPED: %d schedules, for want of a PostgreSQL\n", skipped)
	}
	fmt.Fprintln(w, "\nboundaries\thit\taimed at")
	for _, b := range boundaries {
		fmt.Fprintf(w, "  %s\t%d\t%d\n", b.name, t.count["boundaries"][b.name], t.count["aimed"][b.name])
	}
	for _, heading := range []string{"schedules", "binaries", "events", "lists", "kills and stops", "faults"} {
		fmt.Fprintf(w, "\n%s\n", heading)
		for _, line := range slices.Sorted(maps.Keys(t.count[heading])) {
			fmt.Fprintf(w, "  %s\t%d\n", line, t.count[heading][line])
		}
	}
	fmt.Fprintln(w, "\njudged\texpected\tfound")
	for _, f := range figures {
		fmt.Fprintf(w, "  %s\t0\t%d\n", f, t.count["found"][string(f)])
	}
	if missing := t.unreached(); len(missing) > 0 {
		fmt.Fprintf(w, "\nboundaries not reached: %s\n", strings.Join(missing, ", "))
	}
}
