//go:build bench

package bench

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"cancel-server/internal/cleanroom"

	"github.com/stretchr/testify/require"
)

var full = flag.Bool("full", false, "measure memory over 100,000 requests, and next to 1,000,000 that have ended; else a tenth of each")

// TestMain makes this binary one of the floors where the environment names one.
func TestMain(m *testing.M) {
	if name := os.Getenv(floorSetting); name != "" {
		os.Exit(runFloor(name))
	}
	cleanroom.Main(m)
}

// rounds is how often each benchmark measures for one of its iterations.
const rounds = 20

// BenchmarkBot builds the bot once and measures it.
func BenchmarkBot(b *testing.B) {
	built := filepath.Join(b.TempDir(), "bot.exe")
	out, err := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-o", built, "cancel-server/cmd/bot").CombinedOutput()
	require.NoError(b, err, "building the bot: %s", out)

	b.Run("command", func(b *testing.B) {
		b.Run("connections=1", func(b *testing.B) { benchmarkCommand(b, built, 1) })
		b.Run("connections=8", func(b *testing.B) { benchmarkCommand(b, built, 8) })
	})
	b.Run("start", func(b *testing.B) { benchmarkStart(b, built) })
	b.Run("memory", func(b *testing.B) { benchmarkMemory(b, built) })
	b.Run("submission-memory", func(b *testing.B) { benchmarkSubmissionMemory(b, built) })
	b.Run("accepted", func(b *testing.B) { benchmarkAccepted(b, built) })
	b.Run("ticket", func(b *testing.B) { benchmarkTicket(b, built) })
	b.Run("ended", func(b *testing.B) { benchmarkEnded(b, built) })
	b.Run("typeahead", func(b *testing.B) { benchmarkTypeahead(b, built) })
	b.Run("submission", func(b *testing.B) { benchmarkSubmission(b, built) })
}
