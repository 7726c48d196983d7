//go:build linux

package crash

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Bounds of a schedule.
const (
	startTime  = 10 * time.Second // until a replica serves
	busyTime   = 45 * time.Second // for people, upsets and blows
	lingerTime = 10 * time.Second // once the people are done
	restTime   = 40 * time.Second // from calm to rest, for the swift binary
	longRest   = 3 * time.Minute  // and for the program as it is
	failedOver = 30 * time.Second // more, where sessions to an old primary may have to grow old
)

// outcome is a schedule that was run.
type outcome struct {
	schedule schedule
	evidence evidence
	ends     map[string]int // requests that the followers ended, by their state
	lines    int            // told in threads
	sizes    map[string]int // of lists
	found    []violation
	took     time.Duration
}

// run runs a schedule and judges it, unless ctx ends before.
func run(ctx context.Context, t testing.TB, s schedule) outcome {
	t.Helper()
	began := time.Now()
	_, err := s.binary.built()
	require.NoError(t, err)
	w := newWorld(t, s)
	w.play(ctx)
	if ctx.Err() != nil {
		return outcome{schedule: s}
	}
	trial, err := w.trial()
	require.NoError(t, err)
	o := outcome{schedule: s, found: trial.judge(), evidence: trial.evidence, sizes: trial.sizes, took: time.Since(began), ends: map[string]int{}}
	for _, r := range trial.rows {
		if r.state == "reverted" || r.state == "reclaimed" {
			o.ends[r.state]++
		}
		for _, n := range r.told {
			if n.ts != "" && strings.HasPrefix(n.kind, "said:") {
				o.lines++
			}
		}
	}
	return o
}

// play runs the schedule, waits until nothing is left to do, and ends the processes.
func (w *world) play(ctx context.Context) {
	alive, end := context.WithCancel(ctx)
	var supervised sync.WaitGroup
	for _, r := range w.replicas {
		supervised.Go(func() { r.keep(alive) })
	}
	operating, relieve := context.WithCancel(ctx)
	w.running.Go(func() { w.operate(operating) })
	w.running.Go(func() { w.feel(operating) })
	w.running.Go(func() { w.approve(operating) })

	w.trouble(ctx)
	w.rest(ctx)
	if w.again {
		w.deliverAgain(ctx)
		w.rest(ctx)
	}
	relieve()
	w.running.Wait()
	w.rest(ctx)
	end()
	supervised.Wait()
}

// trouble lasts until the people are done and nothing is left to do, or until the schedule's
// boundary is reached.
func (w *world) trouble(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, busyTime)
	defer cancel()
	wait(ctx, startTime, func() bool { return slices.ContainsFunc(w.replicas, (*replica).served) })
	w.strike(ctx)
	w.meanwhile(ctx)
	if w.freeze != nil {
		w.running.Go(func() { w.freezeForAWhile(ctx, *w.freeze) })
	}
	w.ask(ctx)
	w.writeLetters(ctx)
	wait(ctx, lingerTime, func() bool {
		return w.reached() || w.all(ctx, func(r row) bool { return !r.working() && !r.owing() && r.state != "stuck" }) && w.followed(ctx) && w.written(ctx)
	})
}

// reached reports whether the schedule came to the boundary that it is about.
func (w *world) reached() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.target != "" && w.seen.reached(w.target)
}

// all reports whether something is true of every request.
func (w *world) all(ctx context.Context, is func(row) bool) bool {
	rows, err := w.db.rows(ctx)
	return err == nil && !slices.ContainsFunc(rows, func(r row) bool { return !is(r) })
}

// followed reports whether the followers have looked at each filed request, which may change what its
// message says, and have recorded what SoftLayer's records show. The program as
// it is takes too long for that.
func (w *world) followed(ctx context.Context) bool {
	if w.binary == plain {
		return true
	}
	unseen, err := w.db.unseen(ctx)
	if err != nil || unseen > 0 {
		return false
	}
	rows, err := w.db.rows(ctx)
	return err == nil && len(behind(rows, w.tickets(), w.fateOf)) == 0
}

// rest ends all faults and waits until nothing is left to do.
func (w *world) rest(ctx context.Context) {
	w.wire.calm.Store(true)
	w.note("calm")
	limit := restTime
	if w.binary == plain {
		limit = longRest
	}
	if w.schedule.failover != nil {
		limit += failedOver
	}
	for _, r := range w.replicas {
		r.wake()
	}
	rested := wait(ctx, limit, func() bool {
		_ = w.db.hurry(ctx)                                                       // a busy database, or one that fails over: the next look tries again
		unheard := func(r row) bool { return w.binary != plain && r.unheardOf() } // its pauses are long
		return w.followed(ctx) && w.written(ctx) && w.all(ctx, func(r row) bool { return !r.working() && !r.owing() && !unheard(r) })
	})
	w.note("at rest: %t", rested)
}

// deliverAgain kills every process and makes Slack deliver every accepted submission again,
// newly signed and byte for byte.
func (w *world) deliverAgain(ctx context.Context) {
	w.note("everything accepted is delivered again")
	for _, r := range w.replicas {
		r.kill("before everything is delivered again")
	}
	w.mu.Lock()
	answers := slices.Clone(w.seen.answers)
	w.mu.Unlock()
	seen := map[int]bool{}
	for _, a := range answers {
		if a.title != "Recorded" || seen[a.delivery] {
			continue
		}
		seen[a.delivery] = true
		for _, sameBytes := range []bool{false, true} {
			wait(ctx, errandTime, func() bool {
				pause(ctx, 100*time.Millisecond)
				ack, err := w.slack.Replay(ctx, a.delivery, sameBytes)
				w.could("delivering again", err)
				return err != nil || ack.Status == 200
			})
		}
	}
}

// trial reads all that is judged.
func (w *world) trial() (*trial, error) {
	ctx := context.Background()
	rows, err := w.db.rows(ctx)
	if err != nil {
		return nil, err
	}
	t := &trial{rows: rows, tickets: w.tickets(), fates: w.fates(), patience: w.patience, settle: w.settle, gap: sightingGap}
	if w.binary == plain {
		t.gap = plainGap
	}
	if t.texts, err = w.db.texts(ctx); err != nil {
		return nil, err
	}
	if t.sizes, err = w.db.sizes(ctx); err != nil {
		return nil, err
	}
	t.entries, t.asker, t.names = w.entries(), w.people[asker], w.names
	t.audit = w.audited(ctx)
	for _, place := range w.conversations() {
		messages, err := w.slack.Messages(ctx, place, 0)
		if err != nil {
			return nil, err
		}
		t.messages = append(t.messages, messages...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.evidence = w.seen
	return t, nil
}

// fullRound is how many schedules come to every boundary, on either database, several
// times.
var fullRound = 8 * len(boundaries)

// seeds returns the one that was asked for, or as many as were asked for, from the first. A tiny
// round and one with -short use only the swift binary: another takes a minute to build.
func seeds(count int) []uint64 {
	if *onlySeed != 0 {
		return []uint64{*onlySeed}
	}
	tiny := count == 0
	if tiny {
		count = tinyRound
	}
	var all []uint64
	for seed := *firstSeed; len(all) < count; seed++ {
		if tiny || testing.Short() {
			if draw(seed).binary != swift {
				continue
			}
		}
		all = append(all, seed)
	}
	return all
}

// reached says whether the schedule came to the boundary that it is about.
func (o outcome) reached() string {
	if o.schedule.target == "" || o.evidence.reached(o.schedule.target) {
		return "reached"
	}
	return "not reached"
}

func (e evidence) reached(target string) bool {
	return slices.ContainsFunc(e.dealt, func(d dealt) bool { return d.where == target })
}

// report is a failed schedule with its evidence.
func (o outcome) report() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, %s\nagain: go test -tags crash ./crash -run TestSchedules -args -only %d\n", o.schedule, o.reached(), o.schedule.seed)
	for _, v := range o.found {
		fmt.Fprintf(&text, "  FOUND %s: %s\n", v.figure, v.shown)
	}
	text.WriteString(strings.Join(o.evidence.timeline, "\n"))
	return text.String()
}
