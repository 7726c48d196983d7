package main

import (
	"os"
	"syscall"
)

// ownGroup keeps the console's Ctrl-C from the child; the sandbox ends it.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

// askToEnd kills the child: Windows has no SIGTERM.
func askToEnd(process *os.Process) error { return process.Kill() }

// killGroup does nothing: Windows has no process groups that can be killed.
func killGroup(int) {}

// kill ends the child at once.
func kill(process *os.Process) { _ = process.Kill() } // an error says that it has ended

// exitOf returns the child's exit code. Windows does not say who ended it.
func exitOf(state *os.ProcessState) (code int, bySignal bool) { return state.ExitCode(), false }
