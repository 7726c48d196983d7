package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Nothing of another host can be mounted in a test, so a file system of this one stands for
// it.
func TestFileOnAnotherHostIsRefusedBeforeCreation(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, refuseRemote(filepath.Join(dir, "bot.db")))
	has, err := magic(dir)
	require.NoError(t, err)
	remotes[has] = "NFS"
	defer delete(remotes, has)

	path := filepath.Join(dir, "bot.db")
	for _, o := range []Options{{Path: path, Mode: Serve}, {Path: path}} {
		_, err = Open(t.Context(), o)
		require.ErrorContains(t, err, "NFS")
		require.ErrorContains(t, err, path)
		require.NoFileExists(t, path)
	}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Open(t.Context(), Options{Path: path, Mode: Beside})
	assert.ErrorContains(t, err, "NFS")
}
