package host

import "golang.org/x/sys/unix"

// Remote names the file system of another host that a file lies on; "" for one of this host.
func Remote(path string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "", err
	}
	if fs.Flags&unix.MNT_LOCAL != 0 {
		return "", nil
	}
	return unix.ByteSliceToString(fs.Fstypename[:]), nil
}

// Passing cannot tell on this system, so it returns "".
func Passing(string) (string, error) { return "", nil }

// Free returns how many bytes this user may still write to the disk of a file.
func Free(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return -1, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil
}
