//go:build bench

package bench

import (
	"fmt"
	"os"
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

// memory reads a field of /proc/PID/status, such as VmRSS, in MB of 10^6 bytes:
// https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
func (c *process) memory(l *lab, field string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	require.NoError(l, err)
	for line := range strings.Lines(string(status)) {
		if value, found := strings.CutPrefix(line, field+":"); found {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			require.NoError(l, err)
			return kilobytes * 1024 / 1e6
		}
	}
	require.Fail(l, "/proc/PID/status has no "+field)
	return 0
}
