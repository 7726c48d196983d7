//go:build unix

package cleanroom

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// TakeTurn waits until no other package of this user's tests has the turn, and keeps it
// until the process ends, when the system unlocks the file. Where the file cannot be opened
// it returns at once: the tests then share the processors.
func TakeTurn() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("cancel-server-tests-%d.lock", os.Getuid()))
	file, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return
	}
	for syscall.Flock(file, syscall.LOCK_EX) == syscall.EINTR {
	}
}
