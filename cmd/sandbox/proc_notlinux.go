//go:build unix && !linux

package main

import "syscall"

// ownGroup starts the child as the leader of a process group of its own. Only
// Linux ends it when the sandbox is killed outright.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
