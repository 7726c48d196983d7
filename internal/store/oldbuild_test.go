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
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/postgrestest"
)

// The commits of earlier builds: one that knows no freeze, and the last one that knows no lists.
const (
	olderCommit    = "898a116"
	listlessCommit = "ba07c4a"
)

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

// listlessSource is a program around that commit's store: for each id of a request that it reads it takes all that is
// due, tries to end that request in two ways, and says what came of it.
const listlessSource = `package main

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
	s, err := store.Open(ctx, store.Options{URL: os.Args[2], Mode: store.Serve})
	if err == nil {
		err = s.Bind(ctx, store.Binding{App: "A0", Team: "T0", Account: "307608", Endpoint: "http://127.0.0.1:1/rest/v3.1"})
	}
	fmt.Println("opened:", err)
	if err != nil {
		os.Exit(1)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		requests, err := s.Claim(ctx, "older", time.Minute, 32)
		notices, other := s.ClaimNotices(ctx, "older", time.Minute, 32)
		fmt.Println("claimed:", len(requests.Rows), len(notices.Rows), err, other, "steps:", step(ctx, s, lines.Text(), cancellation.Withdrawn), step(ctx, s, lines.Text(), cancellation.Declined))
	}
	fmt.Println("closed:", s.Close())
}

func step(ctx context.Context, s *store.Store, id string, to cancellation.State) error {
	r, err := s.Request(ctx, id)
	if err != nil {
		return err
	}
	next := r
	next.State = to
	_, err = s.Apply(ctx, cancellation.Change{From: r, To: next, Event: cancellation.Event{Kind: cancellation.EventMoved, Actor: "older"}})
	return err
}
`

// buildOlder builds a program around a commit's store.
func buildOlder(t *testing.T, commit, source string) (program string) {
	t.Helper()
	top, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	require.NoError(t, err, "this test builds commit %s, and there is no git history here: run it in a clone of the repository", commit)
	require.NoError(t, exec.Command("git", "cat-file", "-e", commit+"^{commit}").Run(),
		"this test builds commit %s, which this clone does not have: git fetch --unshallow", commit)
	dir := t.TempDir()
	archive := exec.Command("sh", "-c", `git archive `+commit+` | tar -x -C "$0"`, dir)
	archive.Dir = strings.TrimSpace(string(top))
	out, err := archive.CombinedOutput()
	require.NoError(t, err, "taking commit %s out of the history: %s", commit, out)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "cmd", "older"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cmd", "older", "main.go"), []byte(source), 0o600))
	program = filepath.Join(dir, "older")
	build := exec.Command("go", "build", "-o", program, "./cmd/older")
	build.Dir = dir
	out, err = build.CombinedOutput()
	require.NoError(t, err, "building commit %s: %s", commit, out)
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
func (b *olderBuild) files() string { return b.asked("") }

// asked sends it a line, and returns its answer.
func (b *olderBuild) asked(line string) string {
	b.t.Helper()
	_, err := fmt.Fprintln(b.lines, line)
	require.NoError(b.t, err)
	return b.said()
}

func TestAnOlderBuildBreaksNoFreeze(t *testing.T) {
	t.Parallel()
	program := buildOlder(t, olderCommit, olderSource)
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

func TestAnOlderBuildLeavesListsAlone(t *testing.T) {
	t.Parallel()
	program := buildOlder(t, listlessCommit, listlessSource)
	o := Options{URL: postgrestest.SchemaFor(t, 2)}
	s := inSandbox(t, o)
	old := startOlder(t, program, o)
	require.Equal(t, "opened: <nil>", old.said(), "it serves alongside")
	b, all := batchOf("list", 101, 4)
	all[1].Request.State = cancellation.Pending
	all[0].Notices = []cancellation.Notice{{RequestID: b.Lead, Kind: cancellation.BatchResult, Place: cancellation.Place{Channel: "C0OPS"}, Due: time.Now()}}
	made, err := s.RecordBatch(t.Context(), b, all)
	require.NoError(t, err)
	kept := keptRequests(t, s)
	for _, r := range made.Requests {
		moved := "changing request " + r.Ref.Short() + ": " + cancellation.ErrMoved.Error()
		assert.Equal(t, "claimed: 0 0 <nil> <nil> steps: "+moved+" "+moved, old.asked(r.ID))
	}
	assert.Equal(t, kept, keptRequests(t, s), "nothing of a list has changed")

	alone := recorded(t, s, 1)
	assert.Contains(t, old.asked(alone.ID), "claimed: 1 0 <nil> <nil> steps: <nil> ", "it goes on with what it knows")
	for _, r := range made.Requests {
		if r.State == cancellation.Scheduled {
			applied(t, s, moved(r, cancellation.Filing))
		}
	}
}
