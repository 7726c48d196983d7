package host

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A file system of this host stands for each that cannot be mounted in a test.
func TestFileSystemOfAnotherHostIsNamed(t *testing.T) {
	dir := t.TempDir()
	name, err := Remote(dir)
	require.NoError(t, err)
	assert.Empty(t, name)
	has, err := magic(dir)
	require.NoError(t, err)
	remotes[has] = "NFS"
	defer delete(remotes, has)
	name, err = Remote(dir)
	require.NoError(t, err)
	assert.Equal(t, "NFS", name)
}

func TestNetworkFileSystemsAreKnownByNumber(t *testing.T) {
	for number, name := range map[uint32]string{ // as linux/magic.h and coreutils have them
		0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "SMB", 0xfe534d42: "SMB", 0x5346414f: "AFS", 0x6b414653: "AFS", 0x00c36400: "Ceph",
		0x73757245: "Coda", 0x564c: "NCP", 0x01021997: "9P", 0x7461636f: "OCFS2", 0x0bd00bd0: "Lustre", 0x47504653: "GPFS",
		0x01161970: "GFS2", 0x19830326: "BeeGFS", 0xaad7aaea: "PanFS", 0x786f4256: "VirtualBox's shared folders",
	} {
		assert.Equal(t, name, remotes[number], "%#x", number)
	}
	for _, number := range []uint32{0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0x65735546, 0xf2f52010} {
		assert.Empty(t, remotes[number], "ext4, xfs, btrfs, tmpfs, overlay, zfs, FUSE and f2fs may be this host's: %#x", number)
	}
}

func TestFUSEIsKnownByItsMount(t *testing.T) {
	const mounts = `26 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
50 26 0:51 / /mnt/ssh rw,nosuid shared:3 - fuse.sshfs ana@host:/data rw,user_id=0
51 26 0:52 / /mnt/ntfs rw - fuseblk /dev/sdb1 rw
52 26 0:53 / /mnt/host rw - virtiofs data rw
53 26 0:54 / /mnt/drive\040x rw - fuse rclone:drive rw
54 26 0:55 / /mnt/enc rw - fuse.gocryptfs /home/ana/enc rw
55 26 0:56 / /mnt/gluster rw - fuse.glusterfs host:/vol rw
broken
`
	for device, name := range map[string]string{
		"0:51": "sshfs over FUSE", "0:52": "", "0:53": "virtiofs", "0:54": "rclone over FUSE", "0:55": "", "0:56": "glusterfs over FUSE",
		"254:0": "", "9:9": "",
	} {
		assert.Equal(t, name, fuseAmong(mounts, device), device)
	}
}

func TestAMountedNetworkFileSystemIsNamed(t *testing.T) {
	for kind, name := range map[string]string{"fuse.sshfs": "sshfs over FUSE", "fuse.gocryptfs": ""} {
		dir := t.TempDir()
		mountFUSE(t, dir, kind)
		found, err := Remote(dir)
		require.NoError(t, err)
		assert.Equal(t, name, found, kind)
		found, err = Remote(filepath.Join(dir, "absent"))
		require.ErrorIs(t, err, os.ErrNotExist)
		assert.Empty(t, found)
	}
}

// mountFUSE mounts an empty folder over FUSE, which only root may, and serves it until the test ends.
func mountFUSE(t *testing.T, dir, kind string) {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("SKIPPED: needs FUSE, and a user who may use it:", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, os.Getuid(), os.Getgid())
	if err := unix.Mount("test", dir, kind, unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		_ = unix.Close(fd)
		t.Skip("SKIPPED: needs a user who may mount:", err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		serveFUSE(fd)
	}()
	t.Cleanup(func() {
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		<-served
		_ = unix.Close(fd)
	})
}

// serveFUSE answers for an empty folder until it is unmounted: linux/fuse.h.
func serveFUSE(fd int) {
	request := make([]byte, 1<<20)
	for {
		n, err := unix.Read(fd, request)
		if err == unix.EINTR || err == unix.EAGAIN || err == unix.ENOENT {
			continue
		}
		if err != nil || n < 40 { // unmounted
			return
		}
		failed, body := int32(0), []byte(nil)
		switch binary.NativeEndian.Uint32(request[4:]) {
		case 26: // FUSE_INIT: version 7.31
			body = make([]byte, 64)
			binary.NativeEndian.PutUint32(body, 7)
			binary.NativeEndian.PutUint32(body[4:], 31)
			binary.NativeEndian.PutUint32(body[20:], 4096)
		case 3: // FUSE_GETATTR
			body = make([]byte, 104)
			binary.NativeEndian.PutUint64(body[16:], 1)
			binary.NativeEndian.PutUint32(body[16+60:], unix.S_IFDIR|0o755)
			binary.NativeEndian.PutUint32(body[16+64:], 2)
		case 17: // FUSE_STATFS
			body = make([]byte, 80)
		case 1: // FUSE_LOOKUP
			failed = -int32(unix.ENOENT)
		case 2, 36: // FUSE_FORGET and FUSE_INTERRUPT get no answer
			continue
		default:
			failed = -int32(unix.ENOSYS)
		}
		var answer bytes.Buffer
		_ = binary.Write(&answer, binary.NativeEndian, struct {
			Len    uint32
			Error  int32
			Unique uint64
		}{uint32(16 + len(body)), failed, binary.NativeEndian.Uint64(request[8:])})
		answer.Write(body)
		_, _ = unix.Write(fd, answer.Bytes())
	}
}
