//go:build bench && !linux

package bench

import (
	"syscall"
	"testing"
	"time"
)

func tiedToParent() *syscall.SysProcAttr { return nil }

// requireProc skips what only Linux tells about another process.
func requireProc(b *testing.B) {
	b.Helper()
	b.Skip("only Linux tells the processor time and the memory of another process")
}

func (*process) cpuTime(*testing.B) time.Duration { return 0 }

func (*process) memory(*testing.B, string) float64 { return 0 }
