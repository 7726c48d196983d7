//go:build bench

package bench

import (
	"errors"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// tiedToParent has the kernel kill a process whose benchmark died. It watches the
// thread that started the process; Go keeps its threads
// (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html).
func tiedToParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func requireProc(*lab) {}

// lowerPriority lets every other process go first.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) }

// processors is a mask of those that a thread may run on
// (https://man7.org/linux/man-pages/man2/sched_setaffinity.2.html).
type processors [16]uint64

func (p *processors) of(thread int, call uintptr) error {
	_, _, failed := syscall.RawSyscall(call, uintptr(thread), unsafe.Sizeof(*p), uintptr(unsafe.Pointer(p)))
	if failed != 0 {
		return failed
	}
	return nil
}

// forMeasured is the processor of what is measured, and forLoad are the others. They are empty before
// pinLoad and on a machine of one.
var forMeasured, forLoad processors

func pinned() bool { return forMeasured != processors{} }

// pinLoad keeps this process off one processor, where it has several.
func pinLoad() error {
	var all, first processors
	if err := all.of(0, syscall.SYS_SCHED_GETAFFINITY); err != nil {
		return fmt.Errorf("reading the processors: %w", err)
	}
	count := 0
	for i, word := range all {
		if word != 0 && count == 0 {
			first[i] = word & -word
		}
		count += bits.OnesCount64(word)
	}
	if count < 2 {
		return nil
	}
	for i := range all {
		all[i] &^= first[i]
	}
	forMeasured, forLoad = first, all
	runtime.GOMAXPROCS(count - 1)
	return forLoad.ofAll()
}

// ofAll moves all threads of this process. A new thread has its parent's processors.
func (p *processors) ofAll() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("reading the threads: %w", err)
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = p.of(id, syscall.SYS_SCHED_SETAFFINITY)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
			return fmt.Errorf("moving thread %s: %w", thread.Name(), err)
		}
	}
	return nil
}

// startMeasured starts a process on the processor of what is measured: it has those of the thread that starts it.
func startMeasured(cmd *exec.Cmd) error {
	if !pinned() {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := forMeasured.of(0, syscall.SYS_SCHED_SETAFFINITY); err != nil {
		return fmt.Errorf("moving to the processor of what is measured: %w", err)
	}
	return errors.Join(cmd.Start(), forLoad.of(0, syscall.SYS_SCHED_SETAFFINITY))
}

// cpuTime is the user and system time of all threads of the process, in nanoseconds
// where /proc/PID/stat has hundredths of a second:
// https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
func (c *process) cpuTime(l *lab) time.Duration {
	const processClock = 2 // CPUCLOCK_SCHED, for a process and not for a thread
	clock, used := ^c.cmd.Process.Pid<<3|processClock, syscall.Timespec{}
	_, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&used)), 0)
	require.Zero(l, failed, "reading the clock of %s: %v", c.name, failed)
	return time.Duration(used.Nano())
}

// memory reads a field of /proc/PID/status, such as VmRSS, in MiB:
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func (c *process) memory(l *lab, field string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	require.NoError(l, err)
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			require.NoError(l, err)
			return kilobytes / 1024
		}
	}
	require.Fail(l, "/proc/PID/status has no "+field)
	return 0
}
