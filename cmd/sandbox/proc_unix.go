//go:build unix

package main

import (
	"os"
	"syscall"
)

// askToEnd sends the child, and only it, SIGTERM.
func askToEnd(process *os.Process) error { return process.Signal(syscall.SIGTERM) }

// killGroup ends what is left of the child's process group; ESRCH says that
// nothing is.
func killGroup(leader int) { _ = syscall.Kill(-leader, syscall.SIGKILL) }

// kill ends the child and its process group at once.
func kill(process *os.Process) { killGroup(process.Pid) }

// exitOf returns the child's exit code, or 128+n if signal n ended the child, as in a shell.
func exitOf(state *os.ProcessState) (code int, bySignal bool) {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), true
	}
	return state.ExitCode(), false
}
