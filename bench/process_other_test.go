//go:build bench && !linux

package bench

import (
	"os/exec"
	"syscall"
	"time"
)

// pinLoad pins nothing.
func pinLoad() error { return nil }

func pinned() bool { return false }

func lowerPriority() {}

func startMeasured(cmd *exec.Cmd) error { return cmd.Start() }

func tiedToParent() *syscall.SysProcAttr { return nil }

// requireProc skips what only Linux tells about another process.
func requireProc(l *lab) {
	l.Skip("only Linux tells the processor time and the memory of another process")
}

func (*process) cpuTime(*lab) time.Duration { return 0 }

func (*process) memory(*lab, string) float64 { return 0 }
