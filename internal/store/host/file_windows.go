package host

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// Remote names the file system of another host that a file lies on; "" for one of this host.
func Remote(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(path) + `\`)
	if err != nil {
		return "", err
	}
	if windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		return "a network drive", nil
	}
	return "", nil
}

// TryLock takes the lock on a file. It returns ErrLocked if another process has it.
func TryLock(file *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}

// Passing cannot tell on this system, so it returns "".
func Passing(string) (string, error) { return "", nil }

// Free returns how many bytes this user may still write to the disk of a folder.
func Free(path string) (int64, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return -1, err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return -1, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return -1, err
	}
	return int64(free), nil
}

// SyncFolder does nothing on this system, which has a name on disk once it is made.
func SyncFolder(string) error { return nil }

// MayMake cannot tell on this system without making a file, so it returns nil if the folder is there.
func MayMake(dir string) error {
	_, err := os.Stat(dir)
	return err
}
