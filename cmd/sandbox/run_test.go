//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// screen is what the sandbox writes, from several goroutines.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan string // the first line, once it is whole
}

func newScreen() *screen { return &screen{line: make(chan string, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := bytes.IndexByte(s.text.Bytes(), '\n')
	s.text.Write(p)
	if i := bytes.IndexByte(s.text.Bytes(), '\n'); before < 0 && i >= 0 {
		s.line <- s.text.String()[:i]
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// ran is a sandbox that runs in this process.
type ran struct {
	url    string
	out    *screen
	errs   *screen
	cancel context.CancelFunc
	code   chan int
}

// start runs the sandbox with arguments until its first line is out.
func start(t *testing.T, environ []string, args ...string) *ran {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &ran{out: newScreen(), errs: newScreen(), cancel: cancel, code: make(chan int, 1)}
	go func() { r.code <- run(ctx, args, environ, r.out, r.errs) }()
	t.Cleanup(func() { cancel(); r.wait() })
	select {
	case line := <-r.out.line:
		url, ok := strings.CutPrefix(line, "sandbox: ")
		require.True(t, ok, "the first line is %q", line)
		r.url = url
	case code := <-r.code:
		t.Fatalf("the sandbox ended with %d and no first line: %s", code, r.errs)
	}
	return r
}

// wait returns the exit code; more than once, too.
func (r *ran) wait() int {
	code := <-r.code
	r.code <- code
	return code
}

// stop asks the sandbox to end, as a signal does, and returns its exit code.
func (r *ran) stop() int {
	r.cancel()
	return r.wait()
}

// servedOnly starts a sandbox whose child does nothing, for tests of what is served.
func servedOnly(t *testing.T) *ran {
	t.Helper()
	h := newHome(t)
	r := start(t, os.Environ(), append([]string{"--"}, standInCommand("polite", h.address())...)...)
	h.welcome()
	return r
}

func TestTheFirstLineOfOutputIsTheURL(t *testing.T) {
	t.Parallel()
	r := servedOnly(t)
	response, err := http.Get(r.url + "/control/")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	r.stop()
	assert.Equal(t, "sandbox: "+r.url+"\n", r.out.String(), "nothing else is on stdout")
}

func TestTheChildSeesACleanEnvironment(t *testing.T) {
	t.Parallel()
	parent := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/home/ana", "EMPTY=",
		"SLACK_BOT_TOKEN=xoxb-real", "SLACK_BOT_TOKEN_FILE=/run/real", "SLACK_WHATEVER=real", "slack_app_token=real",
		"SOFTLAYER_API_KEY=real", "SOFTLAYER_RATE=1", "SANDBOX_USER=real",
		"SETTLE_TIME=1h", "FOLLOW_EVERY=1h", "POST_TIMEOUT=1h", "UNDO_WINDOW=1h", "LOG_FORMAT=json", "NOTIFY_CHANNEL=CREAL",
		"DATABASE_URL_FILE=/run/real", "REQUEST_GROUPS=SREAL", "APPROVE_GROUPS=SREAL",
	}
	for _, transport := range []struct {
		name      string
		has, lack []string
	}{
		{"socket", []string{"SLACK_APP_TOKEN"}, []string{"SLACK_SIGNING_SECRET", "LISTEN_ADDR"}},
		{"http", []string{"SLACK_SIGNING_SECRET", "LISTEN_ADDR"}, []string{"SLACK_APP_TOKEN"}},
	} {
		t.Run(transport.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, parent, append([]string{"--transport", transport.name, "--"}, standInCommand("environment")...)...)
			require.Zero(t, r.wait(), "%s", r.errs)
			seen := environmentIn(t, r.out.String())

			want := append([]string{
				"PATH", "HOME", "EMPTY", "SLACK_BOT_TOKEN", "SLACK_API_URL", "SOFTLAYER_USERNAME", "SOFTLAYER_API_KEY",
				"SOFTLAYER_ENDPOINT_URL", "TICKET_URL", "POLICY_FILE", "DATABASE_URL", "ADMIN_ADDR", "FOLLOW_EVERY", "SANDBOX_URL",
				"SANDBOX_CHANNEL", "SANDBOX_USER", "SANDBOX_REQUESTER", "SANDBOX_APPROVER", "SANDBOX_GUEST", "SANDBOX_SERVER",
			}, transport.has...)
			var names []string
			for name, value := range seen {
				names = append(names, name)
				assert.NotContains(t, value, "real", "%s comes from the parent", name)
			}
			assert.ElementsMatch(t, want, names)
			for _, name := range transport.lack {
				assert.NotContains(t, seen, name)
			}
			assert.Equal(t, r.url, seen["SANDBOX_URL"])
			assert.Equal(t, r.url+"/slack/api/", seen["SLACK_API_URL"])
			assert.Equal(t, r.url+"/softlayer/rest/v3.1", seen["SOFTLAYER_ENDPOINT_URL"])
			assert.Equal(t, r.url+"/softlayer/tickets/{id}", seen["TICKET_URL"])
			assert.Equal(t, "5s", seen["FOLLOW_EVERY"], "staff's answers are seen while somebody tries it")
			assert.Regexp(t, `^[1-9][0-9]*$`, seen["SANDBOX_SERVER"])
			assert.Regexp(t, `^127\.0\.0\.1:[1-9]`, seen["ADMIN_ADDR"])
			assert.NotEqual(t, seen["ADMIN_ADDR"], seen["LISTEN_ADDR"])
			folder := filepath.Dir(seen["POLICY_FILE"])
			assert.Equal(t, "sqlite:"+folder, filepath.Dir(seen["DATABASE_URL"]), "the database is in the same temporary folder")
			assert.NoDirExists(t, folder, "the temporary folder is removed at the end")
		})
	}
}

func environmentIn(t *testing.T, output string) map[string]string {
	t.Helper()
	_, child, _ := strings.Cut(output, "\n")
	var entries []string
	require.NoError(t, json.Unmarshal([]byte(child), &entries), "%s", output)
	seen := map[string]string{}
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		require.NotContains(t, seen, name, "set twice")
		seen[name] = value
	}
	return seen
}

func TestSandboxEndsWithItsChildsExitCode(t *testing.T) {
	t.Parallel()
	t.Run("a failure is told with the child's last words", func(t *testing.T) {
		t.Parallel()
		r := start(t, os.Environ(), append([]string{"--"}, standInCommand("quitter")...)...)
		assert.Equal(t, 3, r.wait())
		assert.Contains(t, r.errs.String(), "ended with exit code 3")
		_, told, _ := strings.Cut(r.errs.String(), "the last lines")
		assert.Contains(t, told, "I cannot go on")
	})
	t.Run("a signal is 128 and its number", func(t *testing.T) {
		t.Parallel()
		r := start(t, os.Environ(), append([]string{"--"}, standInCommand("suicide")...)...)
		assert.Equal(t, 128+int(syscall.SIGKILL), r.wait())
	})
	t.Run("what the child left behind in its group ends too", func(t *testing.T) {
		t.Parallel()
		h := newHome(t)
		r := start(t, os.Environ(), append([]string{"--"}, standInCommand("parent", h.address())...)...)
		gone := h.welcome()
		assert.Zero(t, r.wait())
		gone()
	})
	t.Run("a command that does not exist is said", func(t *testing.T) {
		t.Parallel()
		r := start(t, os.Environ(), "--", filepath.Join(t.TempDir(), "nothing"))
		assert.Equal(t, 1, r.wait())
		assert.Contains(t, r.errs.String(), "starting ")
	})
}

func TestASignalAsksTheChildToEnd(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := start(t, os.Environ(), append([]string{"--"}, standInCommand("polite", h.address())...)...)
	gone := h.welcome()
	assert.Equal(t, 7, r.stop(), "the child got SIGTERM and ended in its own way; %s", r.errs)
	gone()
	assert.NotContains(t, r.errs.String(), "exit code", "an end that was asked for is no complaint")
}

func TestAStubbornGroupIsKilled(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	opts, err := parseOptions(append([]string{"--"}, standInCommand("stubborn", h.address())...))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := play{
		options: opts, environ: os.Environ(), stdout: io.Discard, stderr: io.Discard,
		limits: limits{grace: 50 * time.Millisecond, reach: time.Minute},
	}
	code := make(chan int, 1)
	go func() {
		ended, _ := p.run(ctx)
		code <- ended
	}()
	child, offspring := h.welcome(), h.welcome()
	cancel()
	assert.Equal(t, 128+int(syscall.SIGKILL), <-code)
	child()
	offspring()
}

func TestTheChildEndsWhenTheSandboxIsKilled(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: needs a Linux, which tells a child that its parent died")
	}
	h := newHome(t)
	args := append([]string{"--"}, standInCommand("deaf", h.address())...)
	sandbox := exec.Command(os.Args[0], append([]string{"stand-in", "sandbox"}, args...)...)
	sandbox.Env = append(os.Environ(), "TMPDIR="+t.TempDir()) // it cannot tidy up
	require.NoError(t, sandbox.Start())
	gone := h.welcome()
	require.NoError(t, sandbox.Process.Kill())
	gone()
	assert.Error(t, sandbox.Wait())
}

func TestWrongUseEndsWithTwo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"all interfaces":           {[]string{"--listen", ":0"}, "not on loopback"},
		"any address":              {[]string{"--listen", "0.0.0.0:0"}, "not on loopback"},
		"any IPv6 address":         {[]string{"--listen", "[::]:0"}, "not on loopback"},
		"an address of a network":  {[]string{"--listen", "192.0.2.1:0"}, "not on loopback"},
		"a name that is not ours":  {[]string{"--listen", "example.com:0"}, "not on loopback"},
		"an address with no port":  {[]string{"--listen", "127.0.0.1"}, "missing port"},
		"an unknown transport":     {[]string{"--transport", "pigeon"}, "neither socket nor http"},
		"no servers":               {[]string{"--servers", "0"}, "not between"},
		"too many servers":         {[]string{"--servers", "1000000"}, "not between"},
		"an unknown flag":          {[]string{"--colour", "red"}, "not defined"},
		"an unknown word":          {[]string{"dmeo"}, `"dmeo"`},
		"a command without dashes": {[]string{"./mybot"}, "after --"},
		"no command after dashes":  {[]string{"--"}, "no command after --"},
		"a demo of a command":      {[]string{"demo", "--", "./mybot"}, "not a command"},
		"words after demo":         {[]string{"demo", "twice"}, `"twice"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, errs := newScreen(), newScreen()
			assert.Equal(t, 2, run(t.Context(), c.args, nil, out, errs))
			assert.Contains(t, errs.String(), c.says)
			assert.Empty(t, out.String(), "nothing was started")
		})
	}
}

func TestHelpTellsEverything(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-h"}, {"--help"}, {"demo", "-h"}, {"--transport", "http", "-h"}} {
		out, errs := newScreen(), newScreen()
		assert.Zero(t, run(t.Context(), args, nil, out, errs))
		for _, word := range []string{
			"--transport", "--servers", "--seed", "--listen", "demo", "-- COMMAND", "/control/", "SANDBOX_URL", "SANDBOX_CHANNEL",
			"SANDBOX_USER", "SANDBOX_REQUESTER", "SANDBOX_APPROVER", "SANDBOX_GUEST", "SANDBOX_SERVER", "60 s", "10 s", "128+n",
		} {
			assert.Contains(t, out.String(), word)
		}
		assert.Empty(t, errs.String())
	}
}

func TestFlagsMayFollowDemo(t *testing.T) {
	t.Parallel()
	o, err := parseOptions([]string{"--seed", "7", "demo", "--transport", "http"})
	require.NoError(t, err)
	assert.Equal(t, options{transport: "http", servers: 200, seed: 7, listen: "127.0.0.1:0", demo: true}, o)
}
