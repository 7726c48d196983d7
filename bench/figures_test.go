//go:build bench

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// size measures the binary as it is released.
func (l *lab) size() {
	bot := filepath.Join(l.TempDir(), "bot")
	l.run("go", "run", "./deploy/release", "-version", "v0.0.0", "-commit", "none", "-systems", runtime.GOOS+"/"+runtime.GOARCH, "-binary", bot)
	info, err := os.Stat(bot)
	require.NoError(l, err)
	l.row("size of the released binary, MB", "binary-MB", atMost(30), figures{theBot: float64(info.Size()) / 1e6})
}

// ready measures the time from the start of a process until /readyz answers 200, with a database that has its
// tables and with a new one.
func (l *lab) ready() {
	made := l.fresh()
	l.launch(l.bot(made)).end() // which may be too early
	first := l.launch(l.bot(made))
	first.awaitReady(l)
	first.end()
	took := inTurns(rounds, []func() string{func() string { return made }, l.fresh}, func(database func() string) time.Duration {
		p := l.launch(l.bot(database()))
		defer p.end()
		return p.awaitReady(l)
	})
	l.row("start to ready, ms", "ready-ms", atMost(200), figures{theBot: milliseconds(median(took[0]))})
	l.row("the same with a new database", "new-database-ready-ms", atMost(200), figures{theBot: milliseconds(median(took[1]))})
}

// awaitReady returns how long after its start a process was ready.
func (c *process) awaitReady(l *lab) time.Duration {
	c.await(l, "is ready", func() bool {
		answer, err := slackClient.Get(c.operators + "/readyz")
		if err != nil {
			return false
		}
		_ = answer.Body.Close()
		return answer.StatusCode == 200
	})
	return time.Since(c.started)
}

// verify measures how long a million events of the audit log take to verify, by its own benchmark.
func (l *lab) verify() {
	const room = "./internal/store/seals"
	if _, err := os.Stat(filepath.Join("..", room)); err != nil {
		l.Skip("there is no audit log")
	}
	said := l.run("go", "test", "-run", "^$", "-bench", "^BenchmarkVerify$/^sqlite$", "-benchtime", "1x", "-timeout", "30m", room)
	found := regexp.MustCompile(`\s([\d.e+]+) ns/op`).FindStringSubmatch(said)
	require.NotNil(l, found, "%s", said)
	took, err := strconv.ParseFloat(found[1], 64)
	require.NoError(l, err)
	l.row("verifying a million events of the audit log, s", "verify-s", atMost(10), figures{theBot: took / 1e9})
}

// run runs a command in the tree and returns what it said.
func (l *lab) run(name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir = ".."
	said, err := cmd.CombinedOutput()
	require.NoError(l, err, "%s", said)
	return string(said)
}

// writeFigures writes the table as docs/figures.md has it.
func (t *table) writeFigures(path string) error {
	var text strings.Builder
	text.WriteString("# Figures\n\nThis page is for anyone who asks what the bot needs and what it withstands. One command makes it again:\n\n```\nmake figures\n```\n\n")
	fmt.Fprintf(&text, "Measured on %s with %s on %s/%s, %d processors. %s Times mean something on a quiet machine only;\n"+
		"memory, size and processor time on any. [bench/README.md](../bench/README.md) says how it is measured, and has more.\n\n",
		time.Now().UTC().Format("2 January 2006"), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), load())
	text.WriteString("| what | figure | aim | | ROWS |\n|---|--:|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | `%s` |\n", r.name, r.figure(theBot), r.aim.text, r.verdict(), r.from)
	}
	text.WriteString("\nMemory is resident memory. \"Of alone\" is the 99th percentile of acknowledgements next to the attack, divided by that\n" +
		"of the same bot alone, in turns. What the bot counts itself leaves out how long\na request waits before it is read, and is the bound of a bucket of its histogram. The attacks come from a process of low priority on the processor of the load, and each connection\nthat was closed is opened again after a second.\n")
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// load says how busy the machine was.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return "The machine's load at the end was " + strings.Fields(string(text))[2] + "."
}
