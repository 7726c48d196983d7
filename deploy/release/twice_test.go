//go:build twice

package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Anyone who has the sources can check that a binary is made of them.
func TestAReleaseIsTheSameFromAnyPath(t *testing.T) {
	const version, commit = "v1.2.3", "0123456789abcdef0123456789abcdef01234567"
	tree, err := filepath.Abs("../..")
	require.NoError(t, err)
	var sums []string
	for _, folder := range []string{"short", "a folder/with a longer name and spaces"} {
		work := filepath.Join(t.TempDir(), folder)
		require.NoError(t, os.MkdirAll(work, 0o755))
		for _, part := range []string{"go.mod", "go.sum", "cmd", "internal", "deploy", "docs", "examples", "LICENSE", "README.md", "manifest.yaml"} {
			require.NoError(t, copied(filepath.Join(tree, part), filepath.Join(work, part)))
		}
		t.Chdir(work)
		t.Setenv("GOFLAGS", "-tags=testclock") // what a shell may have
		o := order{version: version, commit: commit, systems: []string{"linux/amd64"}, out: filepath.Join(work, "dist")}
		require.NoError(t, o.make(io.Discard))
		text, err := os.ReadFile("dist/SHA256SUMS")
		require.NoError(t, err)
		sums = append(sums, string(text))
		unpacked := exec.Command("go", "version", "-m", extracted(t))
		said, err := unpacked.CombinedOutput()
		require.NoError(t, err)
		assert.NotContains(t, string(said), work)
		assert.NotContains(t, string(said), "vcs.")
	}
	assert.Equal(t, sums[0], sums[1])
	assert.Equal(t, 1, strings.Count(sums[0], "\n"))
	assert.Contains(t, sums[0], "  cancel-server-v1.2.3-linux-amd64.tar.gz\n")
}

// extracted is the path of the bot in the archive of this folder.
func extracted(t *testing.T) string {
	t.Helper()
	into := t.TempDir()
	require.NoError(t, exec.Command("tar", "-xzf", "dist/cancel-server-v1.2.3-linux-amd64.tar.gz", "-C", into, "--strip-components=1").Run())
	bot := filepath.Join(into, "bot")
	info, err := os.Stat(bot)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(30<<20), "the bot is smaller than 30 MB")
	said, err := exec.Command(bot, "version").Output() // on linux/amd64
	if err == nil {
		assert.Contains(t, string(said), "cancel-server v1.2.3, commit 0123456789abcdef0123456789abcdef01234567, go1.")
	}
	return bot
}

// copied copies a file, or a folder with all that is in it.
func copied(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return os.CopyFS(to, os.DirFS(from))
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
