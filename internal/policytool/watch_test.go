package policytool

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/authz"
)

const (
	policyA = `@id("a") permit (principal in Group::"S0A", action, resource);`
	policyB = `@id("b") permit (principal in Group::"S0B", action, resource); @id("not") forbid (principal in Group::"S0OUT", action, resource);`
	broken  = `@id("b") permit (principal in Group::"S0B", action, resource); forbid (principal, actoin, resource);`
)

// watched is a policy file under watch, and what came of it.
type watched struct {
	t       *testing.T
	path    string
	inForce *InForce
	watch   *Watch
	log     bytes.Buffer
	taken   int
	told    [][]string
	mended  int
	kept    []string // digests
	keeping error
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{t: t, path: filepath.Join(t.TempDir(), "policy.cedar")}
	w.write(policyA)
	policy, problems := Read("POLICY_FILE", w.path)
	require.Empty(t, problems)
	w.inForce = NewInForce(policy)
	w.watch = NewWatch(WatchOptions{
		Path: w.path, InForce: w.inForce, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Keep: func(_ context.Context, p *authz.Policy) error {
			w.kept = append(w.kept, p.Digest())
			return w.keeping
		},
		Adopted: func(context.Context) { w.taken++ },
		Refused: func(_ context.Context, _ string, problems []string) { w.told = append(w.told, problems) },
		Mended:  func(context.Context) { w.mended++ },
	})
	return w
}

func (w *watched) write(text string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(w.path, []byte(text), 0o600))
}

// looks reads the file some times in a row.
func (w *watched) looks(times int) {
	w.t.Helper()
	for range times {
		w.watch.look(w.t.Context())
	}
}

func (w *watched) decidesBy() []string { return w.inForce.Policy().GroupIDs() }

func TestPolicyIsOnRecordBeforeItDecides(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.keeping = errors.New("the database is away")
	w.write(policyB)
	w.looks(4)
	assert.Equal(t, []string{"S0A"}, w.decidesBy(), "the one before decides")
	assert.Len(t, w.kept, 3, "it is tried again")
	w.keeping = nil
	w.looks(3)
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
	assert.Equal(t, 1, w.taken)
	assert.Len(t, w.kept, 4)
}

func TestAMendedFileIsAnnouncedOnce(t *testing.T) {
	t.Parallel()
	for name, mended := range map[string]string{"another policy": policyB, "the one in force": policyA} {
		w := newWatched(t)
		w.write(broken)
		w.looks(3)
		assert.Zero(t, w.mended, name)
		w.write(mended)
		w.looks(3)
		assert.Equal(t, 1, w.mended, name)
		assert.Empty(t, w.watch.Problems(), name)
		w.write(policyA + "\n")
		w.looks(3)
		assert.Equal(t, 1, w.mended, "%s: nothing was broken before", name)
	}
}

func TestAChangedPolicyComesIntoForce(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.looks(3)
	assert.Zero(t, w.taken, "what is in force is not taken over")

	w.write(policyB)
	w.looks(1)
	assert.Equal(t, []string{"S0A"}, w.decidesBy(), "what was read once may be half a file")
	w.looks(1)
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
	assert.Equal(t, 1, w.taken)
	w.looks(3)
	assert.Equal(t, 1, w.taken)
	assert.Contains(t, w.log.String(), "policy="+w.inForce.Policy().Digest())
	assert.Empty(t, w.told)
}

func TestHalfAPolicyIsNeverInForce(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	half, _, _ := strings.Cut(policyB, "; ")
	w.write(half + ";") // a policy too: one without its forbid
	w.looks(1)
	w.write(policyB)
	w.looks(2)
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
	assert.Equal(t, 1, w.taken)
}

func TestBrokenPolicyIsReportedAndOldStays(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.write(broken)
	w.looks(2)
	assert.Equal(t, []string{"S0A"}, w.decidesBy())
	require.Len(t, w.told, 1)
	assert.Equal(t, w.told[0], w.watch.Problems())
	assert.Contains(t, w.watch.Problems()[0], "POLICY_FILE: "+w.path+":1:")
	assert.Contains(t, w.log.String(), "level=ERROR")
	w.looks(5)
	assert.Len(t, w.told, 1, "once for each content")

	require.NoError(t, os.Remove(w.path))
	w.looks(2)
	assert.Equal(t, []string{"POLICY_FILE: the file cannot be read: no such file or directory"}, w.watch.Problems())
	assert.Len(t, w.told, 2)
	assert.Equal(t, []string{"S0A"}, w.decidesBy())

	w.write(policyA)
	w.looks(2)
	assert.Empty(t, w.watch.Problems(), "it is the one in force again")
	w.write(strings.Repeat("/", authz.MaxSource+100))
	w.looks(2)
	assert.Contains(t, w.watch.Problems()[0], "more than the limit of 65536")
	w.write(policyB)
	w.looks(2)
	assert.Empty(t, w.watch.Problems())
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
}

func TestRuleThatBindsNobodyIsLogged(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	w.write(`@id("all") permit (principal, action, resource);`)
	w.looks(2)
	assert.Contains(t, w.log.String(), "rule all permits everything to everyone, on every server")
}

// Kubernetes mounts a ConfigMap as a symlink into a folder that is a symlink itself, and
// replaces that one.
func TestAMountedConfigMapIsFollowed(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	dir := filepath.Dir(w.path)
	for name, text := range map[string]string{"1": policyA, "2": policyB} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "policy.cedar"), []byte(text), 0o600))
	}
	link := func(to string) {
		next := filepath.Join(dir, "next")
		require.NoError(t, os.Symlink(to, next))
		require.NoError(t, os.Rename(next, filepath.Join(dir, "..data")))
	}
	link("1")
	require.NoError(t, os.Remove(w.path))
	require.NoError(t, os.Symlink("..data/policy.cedar", w.path))
	w.looks(2)
	link("2")
	w.looks(2)
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
}

func TestAWatchLooksUntilItIsEnded(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*poll+time.Millisecond)
		defer cancel()
		go func() { time.Sleep(poll / 2); w.write(policyB) }()
		w.watch.Run(ctx)
	})
	assert.Equal(t, []string{"S0B", "S0OUT"}, w.decidesBy())
}

func TestNothingIsRefusedWithoutAPolicyFile(t *testing.T) {
	t.Parallel()
	var none *Watch
	assert.Empty(t, none.Problems())
}
