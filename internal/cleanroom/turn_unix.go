//go:build unix

package cleanroom

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// patience bounds the wait for a turn: go test ends a package after ten minutes, whatever it waits for.
const patience = 2 * time.Minute

// TakeTurn waits until no other package of this user's tests has the turn, and keeps it
// until the process ends, when the system unlocks the file. Where the file cannot be opened,
// and after [patience], it returns without: the tests then share the processors.
func TakeTurn() {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("cancel-server-tests-%d.lock", os.Getuid()))
	file, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if syscall.Flock(file, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return
		}
	}
}
