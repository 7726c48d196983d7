//go:build oldbuild

package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// olderCommit is of a build that knows no freeze.
const olderCommit = "898a116"

// olderSource is a program around that commit's store: for each line that it reads it
// begins the filing of what is due, and says what came of it.
const olderSource = `package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/store"
)

func main() {
	ctx := context.Background()
	o := store.Options{Serve: true}
	if o.Path = os.Args[1]; os.Args[2] != "" {
		o = store.Options{Serve: true, URL: os.Args[2]}
	}
	s, err := store.Open(ctx, o)
	if err == nil {
		err = s.Bind(ctx, store.Binding{App: "A0", Team: "T0", Account: "307608", Endpoint: "http://127.0.0.1:1/rest/v3.1"})
	}
	fmt.Println("opened:", err)
	if err != nil {
		os.Exit(1)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println("filing:", file(ctx, s))
	}
	fmt.Println("closed:", s.Close())
}

func file(ctx context.Context, s *store.Store) error {
	r, found, _, err := s.Claim(ctx, "older", time.Second)
	if err != nil || !found {
		return fmt.Errorf("nothing is due: %v", err)
	}
	next := r
	next.State = cancellation.Filing
	_, err = s.Apply(ctx, cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved, Actor: "older"}})
	return err
}
`

// buildOlder builds the program.
func buildOlder(t *testing.T) (program string) {
	t.Helper()
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	require.NoError(t, err, "this test builds commit %s, and there is no git history here: run it in a clone of the repository", olderCommit)
	require.NoError(t, exec.Command("git", "cat-file", "-e", olderCommit+"^{commit}").Run(),
		"this test builds commit %s, which this clone does not have: git fetch --unshallow", olderCommit)
	dir := t.TempDir()
	archive := exec.Command("sh", "-c", `git archive `+olderCommit+` | tar -x -C "$0"`, dir)
	archive.Dir = strings.TrimSpace(string(top))
	out, err := archive.CombinedOutput()
	require.NoError(t, err, "taking commit %s out of the history: %s", olderCommit, out)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "cmd", "older"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cmd", "older", "main.go"), []byte(olderSource), 0o600))
	program = filepath.Join(dir, "older")
	build := exec.Command("go", "build", "-o", program, "./cmd/older")
	build.Dir = dir
	out, err = build.CombinedOutput()
	require.NoError(t, err, "building commit %s: %s", olderCommit, out)
	return program
}

// olderBuild is that program while it runs.
type olderBuild struct {
	t     *testing.T
	lines io.Writer
	says  *bufio.Scanner
}

func startOlder(t *testing.T, program string, o Options) *olderBuild {
	t.Helper()
	cmd := exec.Command(program, o.Path, o.URL)
	lines, err := cmd.StdinPipe()
	require.NoError(t, err)
	says, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = lines.Close()
		_, _ = io.Copy(io.Discard, says)
		_ = cmd.Wait()
	})
	return &olderBuild{t, lines, bufio.NewScanner(says)}
}

func (b *olderBuild) said() string {
	b.t.Helper()
	require.True(b.t, b.says.Scan(), "it says something more")
	return b.says.Text()
}

// files has it begin the filing of what is due.
func (b *olderBuild) files() string {
	b.t.Helper()
	_, err := fmt.Fprintln(b.lines)
	require.NoError(b.t, err)
	return b.said()
}

func TestAnOlderBuildBreaksNoFreeze(t *testing.T) {
	t.Parallel()
	program := buildOlder(t)
	t.Run("one that runs already files nothing, frozen or not: it knows no reasons in three parts", func(t *testing.T) {
		onBoth(t, func(t *testing.T, o Options) {
			old := startOlder(t, program, o)
			require.Equal(t, "opened: <nil>", old.said())
			s := open(t, o) // and brings the tables up to date
			require.NoError(t, s.Bind(t.Context(), sandbox))
			r := recorded(t, s, 1)
			for _, frozen := range []bool{true, false} {
				require.NoError(t, s.Freeze(t.Context(), cancellation.Freeze{Frozen: frozen, Actor: "operator:root", Why: "an outage"}))
				assert.NotContains(t, old.files(), "<nil>")
				alter(t, s, `update requests set lease_owner = null, lease_until = null`)
				read, err := s.Request(t.Context(), r.ID)
				require.NoError(t, err)
				assert.Equal(t, cancellation.Scheduled, read.State)
			}
		})
	})
	t.Run("one that is started does not start", func(t *testing.T) {
		onBoth(t, func(t *testing.T, o Options) {
			s, err := Open(t.Context(), o)
			require.NoError(t, err)
			require.NoError(t, s.Close())
			assert.Contains(t, startOlder(t, program, o).said(), "made by a newer build")
		})
	})
}
