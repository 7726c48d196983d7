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
