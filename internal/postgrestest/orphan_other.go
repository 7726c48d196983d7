//go:build unix && !linux

package postgrestest

import "syscall"

func endWithTest(*syscall.SysProcAttr) {}
