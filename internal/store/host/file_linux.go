package host

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// remotes are the file systems of other hosts, and those that a machine shares with the one that it runs on, by
// their numbers. Of FUSE the number says nothing: [overFUSE] looks at the mount's name.
var remotes = map[uint32]string{
	unix.NFS_SUPER_MAGIC: "NFS", unix.SMB_SUPER_MAGIC: "SMB", unix.CIFS_SUPER_MAGIC: "SMB", unix.SMB2_SUPER_MAGIC: "SMB",
	unix.AFS_SUPER_MAGIC: "AFS", unix.AFS_FS_MAGIC: "AFS", unix.CEPH_SUPER_MAGIC: "Ceph", unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC: "NCP", unix.V9FS_MAGIC: "9P", unix.OCFS2_SUPER_MAGIC: "OCFS2",
	// What unix does not name: https://github.com/coreutils/coreutils/blob/master/src/stat.c
	0x0bd00bd0: "Lustre", 0x47504653: "GPFS", 0x01161970: "GFS2", 0x19830326: "BeeGFS", 0xaad7aaea: "PanFS", 0x20030528: "OrangeFS",
	0xbeefdead: "StorNext", 0x61636673: "ACFS", 0x786f4256: "VirtualBox's shared folders", 0xbacbacbc: "VMware's shared folders",
	0x7c7c6673: "Parallels' shared folders", 0x013111a8: "IBRIX",
}

// Remote names the file system of another host that a file lies on; "" for one of this host.
func Remote(path string) (string, error) {
	number, err := magic(path)
	if err == nil && number == unix.FUSE_SUPER_MAGIC {
		return overFUSE(path), nil
	}
	return remotes[number], err
}

// fuses are the file systems over FUSE that are those of other hosts or of their services, by the name that
// their mounts have.
var fuses = []string{
	"sshfs", "glusterfs", "ceph", "ceph-fuse", "s3fs", "goofys", "mountpoint-s3", "gcsfuse", "blobfuse", "blobfuse2", "rclone", "juicefs",
	"davfs", "davfs2", "curlftpfs", "smbnetfs", "nfs", "lizardfs", "mfs", "moosefs", "seaweedfs", "weed", "cvmfs", "afp", "vmhgfs-fuse", "grpcfuse", "osxfs",
}

// overFUSE names the file system of another host that a file over FUSE lies on; "" for one of this host, and
// for one that nobody knows.
func overFUSE(path string) string {
	var at unix.Stat_t
	if unix.Stat(path, &at) != nil {
		return ""
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return fuseAmong(string(mounts), fmt.Sprintf("%d:%d", unix.Major(at.Dev), unix.Minor(at.Dev)))
}

// fuseAmong looks for a device in a list of mounts: https://www.kernel.org/doc/Documentation/filesystems/proc.txt, 3.5.
func fuseAmong(mounts, device string) string {
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(line, " - ")
		mount, kind := strings.Fields(before), strings.Fields(after)
		if len(mount) < 3 || mount[2] != device || len(kind) == 0 {
			continue
		}
		if kind[0] == "virtiofs" {
			return "virtiofs"
		}
		name := strings.TrimPrefix(kind[0], "fuse.")
		if len(kind) > 1 && kind[0] == "fuse" { // named by its source alone, such as rclone
			name, _, _ = strings.Cut(kind[1], ":")
		}
		if slices.Contains(fuses, strings.ToLower(name)) {
			return name + " over FUSE"
		}
	}
	return ""
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
