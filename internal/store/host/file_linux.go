package host

import "golang.org/x/sys/unix"

// remotes are the file systems of other hosts. FUSE is not among them: behind it may be
// anything.
var remotes = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC: "AFS", unix.AFS_FS_MAGIC: "AFS", unix.CEPH_SUPER_MAGIC: "Ceph", unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC: "NCP", 0x0bd00bd0: "Lustre", 0x47504653: "GPFS",
}

// Remote names the file system of another host that a file lies on; "" for one of this host.
func Remote(path string) (string, error) {
	number, err := magic(path)
	return remotes[number], err
}

// magic is the number of a file system (linux/magic.h).
func magic(path string) (uint32, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return 0, err
	}
	return uint32(fs.Type), nil
}

// passing are the file systems that go with the host's memory or with a container.
var passing = map[uint32]string{
	unix.TMPFS_MAGIC: "in memory (tmpfs), and gone when this host restarts", unix.RAMFS_MAGIC: "in memory (ramfs), and gone when this host restarts",
	unix.OVERLAYFS_SUPER_MAGIC: "in a container's own layer (overlay), and gone with the container",
}

// Passing says why what a file keeps goes by itself, such as "in memory"; "" if nothing is known to
// speak for that.
func Passing(path string) (string, error) {
	number, err := magic(path)
	return passing[number], err
}

// Free returns how many bytes this user may still write to the disk of a file.
func Free(path string) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return -1, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}
