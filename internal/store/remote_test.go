package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/store/host"
)

func TestFileOnAnotherHostIsRefusedBeforeCreation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	require.NoError(t, refuseRemote(path))
	remote = func(asked string) (string, error) {
		_, err := os.Stat(asked)
		return "NFS", err
	}
	defer func() { remote = host.Remote }()

	for _, o := range []Options{{Path: path, Mode: Serve}, {Path: path}} {
		_, err := Open(t.Context(), o)
		require.ErrorContains(t, err, "NFS")
		require.ErrorContains(t, err, path)
		require.NoFileExists(t, path)
	}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err := Open(t.Context(), Options{Path: path, Mode: Beside})
	assert.ErrorContains(t, err, "NFS")
}
