package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// child is the program that the sandbox runs against its fakes.
type child struct {
	command []string
	environ []string
	stdout  io.Writer
	stderr  io.Writer
	grace   time.Duration // between SIGTERM and the end of its whole group
}

// ending is how a child ended.
type ending struct {
	code     int           // its exit code, 128+n for a signal
	bySignal bool          // a signal ended it; never on Windows
	lived    time.Duration // since its start
	asked    bool          // the sandbox had asked it to end
	last     string        // the last lines it wrote to stderr
}

// run starts the child, calls started with its process, and returns when it has ended and nothing
// of its process group is left. When ctx ends the child gets SIGTERM, and after
// grace the group is killed. The error says why it could not be started.
func (c child) run(ctx context.Context, started func(*os.Process)) (ending, error) {
	// The kernel ends the child with the thread that started it: this one has to
	// live, and not to change, until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var last tail
	stderr, err := openDrain(io.MultiWriter(c.stderr, &last))
	if err != nil {
		return ending{}, fmt.Errorf("starting %q: %w", c.command[0], err)
	}
	cmd := exec.CommandContext(ctx, c.command[0], c.command[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.environ, c.stdout, stderr.in
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return askToEnd(cmd.Process) }
	cmd.WaitDelay = c.grace
	begun := time.Now()
	err = cmd.Start()
	stderr.start()
	if err != nil {
		stderr.finish()
		return ending{}, fmt.Errorf("starting %q: %w", c.command[0], err)
	}
	started(cmd.Process)
	err = cmd.Wait()
	killGroup(cmd.Process.Pid)
	stderr.finish()
	if cmd.ProcessState == nil {
		return ending{}, fmt.Errorf("waiting for %q: %w", c.command[0], err)
	}
	code, bySignal := exitOf(cmd.ProcessState)
	return ending{
		code: code, bySignal: bySignal, lived: time.Since(begun), asked: ctx.Err() != nil, last: last.String(),
	}, nil
}

// drain is a pipe of our own behind the child's stderr. os/exec would wait for every process that
// inherited its pipe.
type drain struct {
	in, out *os.File
	to      io.Writer
	copying sync.WaitGroup
}

func openDrain(to io.Writer) (*drain, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("opening a pipe: %w", err)
	}
	return &drain{in: in, out: out, to: to}, nil
}

// start begins to copy, once the child has its end of the pipe.
func (d *drain) start() {
	_ = d.in.Close() // the child has its own copy
	d.copying.Go(func() { _, _ = io.Copy(d.to, d.out) })
}

// finish copies what is still in the pipe. It does not wait for a process that left the group and
// may hold the other end.
func (d *drain) finish() {
	_ = d.out.SetReadDeadline(time.Now().Add(200 * time.Millisecond)) // Windows: waits for the end
	d.copying.Wait()
	_ = d.out.Close()
}

// maxTail bounds what a tail keeps, in bytes and in lines.
const (
	maxTail      = 8 << 10
	maxTailLines = 20
)

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

// Write keeps the end of p.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// String returns the last lines, "" if nothing was written.
func (t *tail) String() string {
	lines := strings.Split(strings.TrimSpace(string(t.text)), "\n")
	return strings.Join(lines[max(0, len(lines)-maxTailLines):], "\n")
}

// describe says in words how the child ended if nobody asked it to.
func (e ending) describe(program string) string {
	text := fmt.Sprintf("%s ended with exit code %d after %v", program, e.code, e.lived.Round(time.Millisecond))
	if e.last == "" {
		return text + " and wrote nothing to stderr"
	}
	return text + "; the last lines that it wrote to stderr:\n" + e.last
}
