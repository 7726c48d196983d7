package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"cancel-server/internal/fakeslack"
)

// faultyDisk is the disk as the bot sees it. The kernel asks the test before each write
// and sync that the bot makes to a file, and gives the bot the test's answer: a filter
// with a listener, which needs no rights and no other file system
// (https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html).
type faultyDisk struct {
	mu     sync.Mutex
	fails  map[int32]unix.Errno // by system call
	until  int                  // so many writes and syncs are left until before; 0 for none
	before func()
	asked  sync.WaitGroup // the listeners, one for each run of the bot
	ends   []*os.File     // the sockets' ends that the runs were given
}

// The calls by which SQLite writes to a file and has it on disk. The bot makes them for
// nothing else.
const (
	writing = unix.SYS_PWRITE64
	syncing = unix.SYS_FSYNC
)

// fail has one kind of call fail from now on.
func (d *faultyDisk) fail(call int32, with unix.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails[call] = with
}

func (d *faultyDisk) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.fails)
}

// strike has something happen right before the n-th write or sync from now on. 0 disarms it.
func (d *faultyDisk) strike(n int, before func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.until, d.before = n, before
}

// struck counts a write or a sync, and reports whether it is the one before which something happens.
func (d *faultyDisk) struck() (before func(), is bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.until > 0 {
		d.until--
		return d.before, d.until == 0
	}
	return nil, false
}

func (d *faultyDisk) answer(call int32) unix.Errno {
	if before, is := d.struck(); is {
		before()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fails[call]
}

// onFaultyDisk is a world whose bot has its files on a disk that the test commands.
func onFaultyDisk(t *testing.T, s setup) (*world, *faultyDisk) {
	t.Helper()
	d := &faultyDisk{fails: map[int32]unix.Errno{}}
	t.Cleanup(d.close) // after the bot has ended
	probe := exec.Command("true")
	probe.Path = mustFind(t, "true")
	d.under(probe)
	if out, err := probe.CombinedOutput(); strings.Contains(string(out), noFilter) {
		t.Skipf("SKIPPED: needs a Linux that lets a process filter its calls: %s", out)
	} else {
		require.NoError(t, err, "%s", out)
	}
	s.under = d.under
	return started(t, fakeslack.TransportHTTP, s), d
}

func (d *faultyDisk) close() {
	d.asked.Wait()
	for _, end := range d.ends {
		_ = end.Close()
	}
}

func mustFind(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err)
	return path
}

// The test's own program first puts itself under the filter and then becomes the bot.
const (
	becomes  = "CANCEL_SERVER_TEST_BECOMES"
	noFilter = "putting the filter in place"
	socketFD = 3 // exec.Cmd's first extra file
)

// under has a program run on this disk.
func (d *faultyDisk) under(cmd *exec.Cmd) {
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, becomes+"="+cmd.Path)
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	cmd.Path, cmd.ExtraFiles = self, []*os.File{theirs}
	d.ends = append(d.ends, theirs)
	d.asked.Go(func() {
		if listener, err := received(pair[0]); err == nil {
			d.listen(listener)
		}
	})
}

// received is the listener that the child sends.
func received(socket int) (listener int, err error) {
	file := os.NewFile(uintptr(socket), "socket")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(long)); err != nil {
		return 0, err
	}
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), rights)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return 0, errors.Join(err, errors.New("the child sent no listener"))
	}
	all, err := unix.ParseUnixRights(&messages[0])
	return all[0], err
}

// The kernel's struct seccomp_notif and seccomp_notif_resp.
type (
	question struct {
		id         uint64
		pid, flags uint32
		call       int32
		arch       uint32
		ip         uint64
		args       [6]uint64
	}
	reply struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
)

// listen answers for the disk until the program has ended.
func (d *faultyDisk) listen(listener int) {
	defer unix.Close(listener)
	for {
		waiting := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(waiting, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if waiting[0].Revents&unix.POLLHUP != 0 {
			return
		}
		var q question
		if ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&q)) != 0 {
			continue // the call was interrupted, or its thread has ended
		}
		r := reply{id: q.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		if errno := d.answer(q.call); errno != 0 {
			r.errno, r.flags = -int32(errno), 0
		}
		_ = ioctl(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r)) // the same
	}
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	return errno
}

func init() {
	if path := os.Getenv(becomes); path != "" {
		os.Unsetenv(becomes)
		fmt.Fprintln(os.Stderr, become(path))
		os.Exit(1)
	}
}

// become puts this thread under the filter, hands the listener over, and executes the
// program, which keeps the filter.
func become(path string) error {
	runtime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number: struct seccomp_data
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: writing, Jt: 2},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syncing, Jt: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%s: %w", noFilter, err)
	}
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return fmt.Errorf("%s: %w", noFilter, errno)
	}
	if err := unix.Sendmsg(socketFD, []byte{0}, unix.UnixRights(int(listener)), nil, 0); err != nil {
		return fmt.Errorf("handing the listener over: %w", err)
	}
	unix.CloseOnExec(socketFD)
	return fmt.Errorf("executing %s: %w", path, unix.Exec(path, os.Args, os.Environ()))
}
