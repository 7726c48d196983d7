package main

import "syscall"

// ownGroup starts the child as the leader of a process group of its own and has
// the kernel kill it when the sandbox dies. The kernel watches the thread that
// started the child, not the process: see child.run.
// https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
