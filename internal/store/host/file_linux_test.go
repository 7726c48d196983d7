package host

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nothing of another host can be mounted in a test, so a file system of this one stands for it.
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
