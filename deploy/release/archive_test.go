package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAReleaseNeedsAVersionAndACommit(t *testing.T) {
	t.Parallel()
	for words, problem := range map[string]string{
		"-commit abc":                                        `-version "" is not like v1.2.3`,
		"-commit abc -version 1.2.3":                         "is not like v1.2.3",
		"-commit abc -version v1.2":                          "is not like v1.2.3",
		"-commit abc -version v1.2.3 -binary bot":            "-binary is for one system",
		"-commit abc -version v1.2.3-rc.1":                   "",
		"-commit abc -version v1.2.3 -systems linux/riscv64": "",
	} {
		o, err := parse(strings.Fields(words))
		if problem != "" {
			assert.ErrorContains(t, err, problem, words)
			continue
		}
		assert.NoError(t, err, words)
		assert.Equal(t, "abc", o.commit)
	}
}

// packed is an archive with a bot that says little.
func packed(t *testing.T, licenses []byte) []byte {
	t.Helper()
	bot := filepath.Join(t.TempDir(), "bot")
	require.NoError(t, os.WriteFile(bot, []byte("a bot"), 0o600))
	var archive bytes.Buffer
	p := &parcel{tar.NewWriter(&archive), "cancel-server-v1.2.3-linux-amd64"}
	require.NoError(t, p.fill(bot, licenses))
	require.NoError(t, p.Close())
	return archive.Bytes()
}

func TestAnArchiveIsTheSameEachTime(t *testing.T) {
	t.Chdir("../..")
	licenses, err := licensesOfOthers()
	require.NoError(t, err)
	for _, module := range []string{"==== Go: LICENSE", "==== modernc.org/sqlite v", "==== github.com/slack-go/slack v"} {
		assert.Contains(t, string(licenses), module)
	}
	first := packed(t, licenses)
	assert.Equal(t, first, packed(t, licenses))

	modes := map[string]int64{}
	for archive := tar.NewReader(bytes.NewReader(first)); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		name, inFolder := strings.CutPrefix(header.Name, "cancel-server-v1.2.3-linux-amd64/")
		assert.True(t, inFolder, header.Name)
		assert.Equal(t, written, header.ModTime.UTC())
		assert.Empty(t, header.Uname+header.Gname)
		modes[name] = header.Mode
	}
	assert.EqualValues(t, 0o755, modes["bot"])
	for _, name := range []string{
		"LICENSE", "LICENSES-OF-OTHERS", "README.md", "manifest.yaml", "deploy/README.md", "deploy/cancel-server.service", "deploy/environment",
		"deploy/kubernetes.yaml", "deploy/alerts.yaml", "docs/operate.md", "examples/policies/four-eyes.cedar",
	} {
		assert.EqualValues(t, 0o644, modes[name], name)
	}
}
