//go:build unix

package host

import (
	"errors"
	"os"
	"syscall"
)

// TryLock takes the lock on a file. It returns ErrLocked if another process has it.
func TryLock(file *os.File) error {
	err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}
