//go:build linux

package crash

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// operate makes an operator look after stuck requests until ctx ends. The operator reads
// SoftLayer's records and resolves each request as they say, after waiting until every POST
// that was under way has arrived.
func (w *world) operate(ctx context.Context) {
	since := map[string]time.Time{}
	for pause(ctx, 200*time.Millisecond) {
		for _, r := range w.stuck(ctx) {
			if since[r.ref].IsZero() {
				since[r.ref] = time.Now()
			}
			if time.Since(since[r.ref]) > w.patience {
				delete(since, r.ref)
				w.resolveStuck(ctx, r)
			}
		}
	}
}

func (w *world) stuck(ctx context.Context) []row {
	rows, err := w.db.rows(ctx)
	if err != nil {
		return nil // the bot is about to make the tables, or writes
	}
	return slices.DeleteFunc(rows, func(r row) bool { return r.state != "stuck" })
}

// resolveStuck resolves one request as an honest person would after reading the records.
func (w *world) resolveStuck(ctx context.Context, r row) {
	w.mu.Lock()
	plan := "none"
	if len(w.operator) > 0 {
		plan, w.operator = w.operator[0], w.operator[1:]
	}
	w.mu.Unlock()
	w.listed(ctx, r)
	if ticket := w.ticketFor(r); ticket != 0 {
		w.resolve(ctx, r.ref, "filed", strconv.FormatInt(ticket, 10))
		return
	}
	switch plan {
	case bothAtOnce:
		w.running.Go(func() { w.resolve(ctx, r.ref, "drop") })
		w.resolve(ctx, r.ref, "none")
	case "drop":
		w.resolve(ctx, r.ref, "drop")
	default:
		w.resolve(ctx, r.ref, "none")
	}
}

// ticketFor returns the ticket that an operator finds: the request's own, or an open one of
// its server.
func (w *world) ticketFor(r row) int64 {
	found := int64(0)
	for _, t := range w.tickets() {
		if t.ofRef() == r.ref {
			return t.id
		}
		if t.server == r.server && t.open {
			found = t.id
		}
	}
	return found
}

// resolve runs bot resolve, to end at its next boundary.
func (w *world) resolve(ctx context.Context, ref string, words ...string) {
	w.mu.Lock()
	point := ""
	if w.run < len(w.verbPoints) {
		point = w.verbPoints[w.run]
	}
	w.run++
	w.mu.Unlock()
	w.tally(func(e *evidence) { e.resolved = append(e.resolved, resolve{at: time.Now(), ref: ref, word: words[0]}) })
	_, err := w.verb(ctx, point, slices.Concat([]string{"resolve", ref}, words, []string{"--why", "The books say so."})...)
	if err != nil { // another operator was faster, a vendor is away, or it killed itself
		w.note("resolve %s: %v", ref, err)
	}
}

// listed checks that bot requests lists what is stuck, also while others work.
func (w *world) listed(ctx context.Context, r row) {
	said, err := w.verb(ctx, "", "requests", "--state", "stuck")
	if err != nil { // the database went away
		w.note("bot requests: %v", err)
		return
	}
	stillStuck := func(other row) bool { return other.ref == r.ref }
	if !strings.Contains(said, r.ref) && slices.ContainsFunc(w.stuck(ctx), stillStuck) {
		w.could("bot requests", fmt.Errorf("it does not list %s, which is stuck: %s", r.ref, said))
	}
}

// freezeForAWhile has an operator freeze filing, and end that whatever happens to the schedule.
func (w *world) freezeForAWhile(ctx context.Context, order freeze) {
	if !pause(ctx, order.at) || w.wire.calm.Load() {
		return
	}
	began := time.Now()
	_, err := w.verb(ctx, "", "freeze", "--why", "an outage")
	held := span{from: time.Now()}
	if err == nil && time.Since(began) < 15*time.Second {
		pause(ctx, order.last)
	}
	held.until = time.Now()
	if err == nil {
		w.tally(func(e *evidence) { e.frozen = append(e.frozen, held) })
	}
	ended := wait(context.Background(), errandTime, func() bool {
		_, err := w.verb(ctx, "", "unfreeze", "--why", "it is over")
		return err == nil
	})
	if !ended {
		w.could("unfreezing", fmt.Errorf("it failed for %s", errandTime))
	}
}

// audited returns what bot audit verify finds. Where the program's clock is wrong and bot resolve's is not,
// events look as if they were added later.
func (w *world) audited(ctx context.Context) string {
	if w.binary == askew {
		return ""
	}
	said, err := w.verb(ctx, "", "audit", "verify")
	if err == nil {
		return ""
	}
	return fmt.Sprintf("%v: %s", err, said)
}

// verb runs another verb of the program to its end, and returns what it said.
func (w *world) verb(ctx context.Context, point string, args ...string) (string, error) {
	path, err := w.binary.built()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(w.environment(), "CRASH_AT="+point)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var lines []string
	said := &listener{hear: func(line string) {
		if deed := ownDeed.FindStringSubmatch(line); deed != nil {
			w.verbDid(cmd, deed[1], deed[2])
			return
		}
		lines = append(lines, line)
		w.note("bot %s: %s", args[0], line)
	}}
	cmd.Stdout, cmd.Stderr = said, said
	w.note("bot %v, to end at %q", args, point)
	err = cmd.Run()
	return strings.Join(lines, "\n"), err
}

// verbDid records what bot resolve did to itself, and wakes it if it stopped.
func (w *world) verbDid(cmd *exec.Cmd, deed, where string) {
	d := dealt{from: time.Now(), until: time.Now(), what: "killed", where: where}
	if deed == "stop" {
		wait(context.Background(), errandTime, func() bool { return standsStill(cmd.Process.Pid) })
		pause(context.Background(), w.stopFor)
		_ = cmd.Process.Signal(syscall.SIGCONT) // it may have ended
		d.what, d.until = "stopped", time.Now()
	}
	w.dealt(d)
}
