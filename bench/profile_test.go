//go:build bench

package bench

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var profiles = flag.String("profile", "", "folder where each bot writes its CPU profile")

// profileSetting tells a bot where to write its profile.
const profileSetting = "BENCH_PROFILE"

// buildBot builds this tree's bot. With -profile it is built with testdata/profile.go, so that the
// program itself has no hook.
func buildBot(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bot.exe")
	args := []string{"build", "-buildvcs=false", "-o", path}
	if *profiles != "" {
		args = append(args, "-overlay", profiling(b))
	}
	out, err := exec.CommandContext(b.Context(), "go", append(args, "cancel-server/cmd/bot")...).CombinedOutput()
	require.NoError(b, err, "building the bot: %s", out)
	return path
}

// profiling writes the list of changed files that go build takes, and returns its path:
// https://pkg.go.dev/cmd/go#hdr-Compile_packages_and_dependencies
func profiling(b *testing.B) string {
	b.Helper()
	const run = "run(ctx, os.Args[1:], os.Stdout, os.Stderr)"
	source, err := filepath.Abs("../cmd/bot")
	require.NoError(b, err)
	text, err := os.ReadFile(filepath.Join(source, "main.go"))
	require.NoError(b, err)
	require.Contains(b, string(text), run)
	dir := b.TempDir()
	patched, list := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	require.NoError(b, os.WriteFile(patched, []byte(strings.Replace(string(text), run, "profiled(func() int { return "+run+" })", 1)), 0o600))
	added, err := filepath.Abs("testdata/profile.go")
	require.NoError(b, err)
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		filepath.Join(source, "main.go"): patched, filepath.Join(source, "bench_profile.go"): added,
	}})
	require.NoError(b, err)
	require.NoError(b, os.WriteFile(list, replace, 0o600))
	return list
}
