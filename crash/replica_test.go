//go:build linux

package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"cancel-server/internal/fakeslack"
)

// replica is one place where the program runs. Whenever its process ends, another one
// is started, as an operator's supervisor does.
type replica struct {
	world *world
	index int
	name  string

	mu      sync.Mutex
	process *os.Process // nil while there is none
	url     string      // where it takes Slack's requests; "" while it does not
	serves  bool        // it has said so once
	run     int
	point   int           // which of the schedule's points is its next
	woken   chan struct{} // closed when the present stop is over; nil while it runs
}

func newReplica(w *world, i int) *replica {
	return &replica{world: w, index: i, name: fmt.Sprintf("bot %d", i)}
}

// environment returns the program's environment, without the variable that names the boundary
// at which it ends.
func (w *world) environment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir,
		"SLACK_BOT_TOKEN=" + w.slack.BotToken(), "SLACK_API_URL=" + w.vendors.URL + "/slack/api/",
		"SOFTLAYER_USERNAME=" + w.account.Username(), "SOFTLAYER_API_KEY=" + w.account.APIKey(),
		"SOFTLAYER_ENDPOINT_URL=" + w.vendors.URL + "/softlayer/rest/v3.1", "SOFTLAYER_RATE=1000",
		"POLICY_FILE=" + w.policyFile(), "DATABASE_URL=" + w.db.address,
		"TICKET_URL=" + w.vendors.URL + "/softlayer/tickets/{id}", "ADMIN_ADDR=127.0.0.1:0", "LOG_FORMAT=text",
		"POST_TIMEOUT=" + w.patience.String(), "SETTLE_TIME=" + w.settle.String(), "FOLLOW_EVERY=1s",
		"MAX_SERVERS_PER_DAY=500", "MAX_FILINGS_PER_HOUR=1000",
	}
	if w.transport == fakeslack.TransportSocket {
		return append(env, "SLACK_APP_TOKEN="+w.slack.AppToken())
	}
	return append(env, "SLACK_SIGNING_SECRET="+w.slack.SigningSecret(), "LISTEN_ADDR=127.0.0.1:0")
}

// shiftOf returns by how many seconds a replica's clock is wrong: ten minutes, either way. Only
// the askew binary reads it.
func shiftOf(replica int) string { return []string{"0", "600", "-600"}[replica%3] }

// keep runs process after process until ctx ends, then asks the last one to end.
func (r *replica) keep(ctx context.Context) {
	for first := true; ctx.Err() == nil; first = false {
		if !first && !pause(ctx, 100*time.Millisecond) {
			return
		}
		cmd, err := r.start()
		if err != nil {
			r.world.could("starting "+r.name, err)
			return
		}
		r.await(ctx, cmd)
	}
}

func (r *replica) start() (*exec.Cmd, error) {
	path, err := r.world.binary.built()
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	cmd := exec.Command(path)
	point := r.world.pointOf(r.index, r.point)
	cmd.Env = append(r.world.environment(), "CRASH_AT="+point, "CRASH_SHIFT="+shiftOf(r.index))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	log := &listener{hear: r.hear}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r.process = cmd.Process
	r.world.note("%s, run %d, started, to end at %q", r.name, r.run, point)
	r.run++
	return cmd, nil
}

// await waits for the end of a process. If ctx ends first, it asks the process to end.
func (r *replica) await(ctx context.Context, cmd *exec.Cmd) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var err error
	select {
	case err = <-ended:
		r.gone()
		r.world.note("%s ended: %v", r.name, err)
		r.world.oneDied()
		return
	case <-ctx.Done():
	}
	r.wake()
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case err = <-ended:
	case <-time.After(15 * time.Second):
		_ = cmd.Process.Kill()
		err = errors.Join(errors.New("it did not end within 15 s"), <-ended)
	}
	r.gone()
	if err != nil {
		r.world.note("%s was asked to end: %v", r.name, err)
	}
}

func (r *replica) gone() {
	r.wake()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.process, r.url = nil, ""
}

// address is where the replica takes Slack's requests, "" while it takes none.
func (r *replica) address() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.url
}

// served reports whether the replica has ever begun to serve.
func (r *replica) served() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.serves
}

// kill ends the process at once.
func (r *replica) kill(where string) {
	r.mu.Lock()
	process := r.process
	r.mu.Unlock()
	if process == nil {
		return
	}
	now := time.Now()
	r.world.dealt(dealt{from: now, until: now, what: "killed", where: where})
	r.world.note("%s is killed (%s)", r.name, where)
	_ = process.Kill() // it may have ended by itself
}

// stop stops the process for a while. A process that stops itself does so at its own
// boundary.
func (r *replica) stop(where string, d time.Duration, itself bool) {
	r.mu.Lock()
	process, stopped := r.process, r.woken != nil
	if process == nil || stopped {
		r.mu.Unlock()
		return
	}
	woken := make(chan struct{})
	r.woken = woken
	if !itself {
		_ = process.Signal(syscall.SIGSTOP) // it may have ended
	}
	r.mu.Unlock()
	r.world.note("%s is stopped for %s (%s)", r.name, d, where)
	from := time.Now()
	r.world.running.Go(func() {
		wait(context.Background(), errandTime, func() bool { return standsStill(process.Pid) })
		select {
		case <-time.After(d):
		case <-woken:
		}
		r.wake()
		r.world.dealt(dealt{from: from, until: time.Now(), what: "stopped", where: where})
	})
}

// standsStill reports whether a process is stopped by a signal, or has ended:
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
func standsStill(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return !bytes.ContainsAny(after[:min(1, len(after))], "RSDI")
}

// wake lets a stopped process go on.
func (r *replica) wake() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.woken == nil {
		return
	}
	close(r.woken)
	r.woken = nil
	if r.process != nil {
		_ = r.process.Signal(syscall.SIGCONT) // it may have ended
		r.world.note("%s goes on", r.name)
	}
}

var (
	slackDoor = regexp.MustCompile(`msg=listening for=Slack addr=(\S+)`)
	ownDeed   = regexp.MustCompile(`^crash: (kill|stop) at (\S+)`)
)

// hear reads a line that the process wrote.
func (r *replica) hear(line string) {
	if addr := firstGroup(slackDoor, line); addr != "" {
		r.mu.Lock()
		r.url = "http://" + addr
		r.mu.Unlock()
	}
	if strings.Contains(line, "msg=serving") {
		r.mu.Lock()
		r.serves = true
		r.mu.Unlock()
	}
	if deed := ownDeed.FindStringSubmatch(line); deed != nil {
		r.did(deed[1], deed[2])
		return
	}
	r.world.note("%s: %s", r.name, line)
}

// did records what a process did to itself.
func (r *replica) did(deed, where string) {
	r.mu.Lock()
	r.point++ // one that was not reached is the next run's too
	r.mu.Unlock()
	if deed == "stop" {
		r.stop(where, r.world.stopFor, true)
		return
	}
	now := time.Now()
	r.world.dealt(dealt{from: now, until: now, what: "killed", where: where})
	r.world.note("%s kills itself at %s", r.name, where)
}

// listener hands over what is written, line by line.
type listener struct {
	rest []byte
	hear func(line string)
}

func (l *listener) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = bytes.Clone(rest)
		l.hear(strings.ToValidUTF8(string(line), "?"))
	}
}

func (w *world) dealt(d dealt) { w.tally(func(e *evidence) { e.dealt = append(e.dealt, d) }) }
