//go:build unix

package cleanroom

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// turn is the locked file. The system unlocks it when the process ends.
var turn *os.File

// TakeTurn waits until no other package of this user's tests has the turn, and keeps it
// until the process ends. Where the file cannot be opened it returns at once: the tests
// then share the processors.
func TakeTurn() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("cancel-server-tests-%d.lock", os.Getuid()))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	turn = file
	for syscall.Flock(int(file.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
}
