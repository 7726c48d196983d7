package checkup

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"
)

// When a running bot repeats the checks: first after what its start itself reads.
const (
	firstAfter = 10 * time.Second
	every      = 15 * time.Minute
)

// MonitorOptions are what a Monitor needs.
type MonitorOptions struct {
	Subject Subject
	// Announce is called with what two runs in a row have found, as often as they do. It tells people, unless word
	// is the last word that they were told, however many bots have found it. word is the same for the same problems,
	// and "" if there are none: those that were announced are over.
	Announce func(ctx context.Context, word string, problems []Finding)
	First    time.Duration // after which the checks are made first; 10 s if zero
	// Grow is called before a run, which keeps more memory for a while, and what it returns after it. It may be nil.
	Grow func() (settled func())
	Log  *slog.Logger
}

// Monitor repeats the checks in a running bot.
type Monitor struct {
	o     MonitorOptions
	found atomic.Pointer[[]Finding]
}

// NewMonitor makes a Monitor for Run.
func NewMonitor(o MonitorOptions) *Monitor { return &Monitor{o: o} }

// Run makes the checks after the start and every 15 minutes, until ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	next := time.After(cmp.Or(m.o.First, firstAfter))
	for {
		select {
		case <-ctx.Done():
			return
		case <-next:
		}
		shrink := m.grow()
		settled := m.look(ctx)
		select { // a check that hangs is not made a second time
		case <-ctx.Done():
			return
		case <-settled:
		}
		shrink()
		next = time.After(every)
	}
}

func (m *Monitor) grow() (settled func()) {
	if m.o.Grow == nil {
		return func() {}
	}
	return m.o.Grow()
}

// look makes the checks once.
func (m *Monitor) look(ctx context.Context) (settled <-chan struct{}) {
	all, settled := Run(ctx, m.o.Subject)
	if ctx.Err() != nil {
		return settled // what was cut short by the end says nothing
	}
	before := m.found.Swap(&all)
	m.log(before, all)
	word := digest(public(all))
	if before != nil && digest(public(*before)) == word {
		m.o.Announce(ctx, word, public(all))
	}
	return settled
}

// log names the problems that the last run did not have, and says when the last one is over.
func (m *Monitor) log(before *[]Finding, all []Finding) {
	var old []Finding
	if before != nil {
		old = Problems(*before)
	}
	problems := Problems(all)
	for _, f := range problems {
		if slices.Contains(old, f) {
			continue
		}
		level := slog.LevelWarn
		if f.Level == Fail {
			level = slog.LevelError
		}
		m.o.Log.Log(context.Background(), level, "a check found a problem", "check", f.Name, "found", f.Found, "do", f.Do)
	}
	if before == nil || len(old) > 0 && len(problems) == 0 {
		m.o.Log.Info("the checks are done", "problems", len(problems))
	}
}

// public returns the problems that a channel may read.
func public(all []Finding) []Finding {
	return slices.DeleteFunc(Problems(all), func(f Finding) bool { return slices.Contains(private, f.Name) })
}

// digest is the same for the same problems, whatever their numbers are; "" for none.
func digest(problems []Finding) string {
	if len(problems) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, f := range problems {
		sum.Write([]byte(f.Name + " " + string(f.Level) + " " + f.Do + "\n"))
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// Problems returns what the last run found to be wrong. It is empty before the first has ended. A nil
// Monitor has none.
func (m *Monitor) Problems() []Finding {
	if m == nil {
		return nil
	}
	if all := m.found.Load(); all != nil {
		return Problems(*all)
	}
	return nil
}

// Counts returns how many problems the last run found, by each check; 0 where a check found none.
func (m *Monitor) Counts() map[string]int {
	counts := map[string]int{}
	for _, name := range Names() {
		counts[name] = 0
	}
	for _, f := range m.Problems() {
		counts[f.Name]++
	}
	return counts
}
