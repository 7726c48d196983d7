//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cleanroom"
	"cancel-server/internal/fakeslack"
	"cancel-server/internal/fakesoftlayer"
	"cancel-server/internal/storetest"
)

// isTheBot in the environment of the tests' own program makes it run main: what the tests
// start is this package's program, and nothing is built twice.
const isTheBot = "CANCEL_SERVER_TEST_IS_THE_BOT"

// binary is the path of the program that the tests start.
var binary = sync.OnceValues(os.Executable)

func TestMain(m *testing.M) {
	if os.Getenv(isTheBot) != "" {
		main()
	}
	cleanroom.Prepare()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen { // most of what a test does is to wait for other processes
		if err := flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	debug.SetGCPercent(400)                                                                         // the fakes make much that lives shortly
	if worker := flag.Lookup("test.fuzzworker"); worker == nil || worker.Value.String() != "true" { // its coordinator has the turn
		cleanroom.TakeTurn()
	}
	os.Exit(m.Run())
}

// world is both vendors and the real bot between them, as one test sees them. What
// the tests assert is what the vendors received.
type world struct {
	t *testing.T
	*stage
}

// stage is what the subtests of one world share.
type stage struct {
	transport string
	slack     *fakeslack.Workspace
	softlayer *fakesoftlayer.Account
	cast      fakeslack.Cast
	server    int64 // can be cancelled; its host name is unique
	url       string
	dir       string
	endpoint  string // where the bot takes signed requests
	balanced  bool   // Slack reaches the bots by a load balancer of the test's
	admin     string // where the bot answers its operators
	program   string // instead of the tests' own
	setup            // its slack and softlayer are hidden by the fakes

	mu      sync.Mutex
	slk     []fakeslack.Exchange
	sl      []fakesoftlayer.Exchange
	changed chan struct{}  // closed and replaced with each exchange
	given   map[int64]bool // the servers that another handed out
	child   *child

	atStart func() []hardware // SoftLayer's servers before the test changed any
}

// setup is what a test wants otherwise than usual.
type setup struct {
	slack     fakeslack.Options
	softlayer fakesoftlayer.Options
	extra     []string // further environment of the bot
	policy    string   // instead of the usual one
	postgres  string   // a PostgreSQL database, instead of a file
	fresh     bool     // the bot makes its file; else it finds one with the tables of this build
	file      string   // its name, instead of requests.db
	before    func(w *world)
	under     func(cmd *exec.Cmd) // has the bot run under something; nil for nothing
}

// long is how long a test waits for what has to happen. It costs nothing where that happens.
const long = time.Minute

// slacksPatience is Slack's own bound on an acknowledgement and on opening a form. Tests
// whose promise is not that bound leave a busy machine more.
const slacksPatience = 3 * time.Second

// in is the same world in a subtest.
func (w *world) in(t *testing.T) *world { return &world{t: t, stage: w.stage} }

// child is one run of the bot.
type child struct {
	cmd  *exec.Cmd
	at   *url.URL // where it takes signed requests; nil for nowhere
	log  *lockedBuffer
	done chan struct{}
	err  error
}

// The ways in which Slack reaches the bot.
const (
	byHTTP   = fakeslack.TransportHTTP
	bySocket = fakeslack.TransportSocket
)

// overHTTP and overSocket run a test over one transport. Behind the acknowledgement the
// bot's code is the same for both; half of the tests take each.
func overHTTP(t *testing.T, s setup, test func(t *testing.T, w *world)) {
	t.Helper()
	over(t, byHTTP, s, test)
}

func overSocket(t *testing.T, s setup, test func(t *testing.T, w *world)) {
	t.Helper()
	over(t, bySocket, s, test)
}

func over(t *testing.T, transport string, s setup, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	test(t, started(t, transport, s))
}

// overBoth runs a test over both transports. It is for what their code does differently:
//   - an acknowledgement carries text, options, field errors or a view as the body of a
//     response or as the payload of an envelope: the main job, a slow SoftLayer, a decline,
//     and forms that Slack does not open;
//   - what Slack sends again comes as a new request or on another connection: a command,
//     a submission and a click that repeat;
//   - each kind of delivery has its own URL or envelope: the two shortcuts;
//   - a response_url comes in the one or the other;
//   - a stop drains requests or connections, and a power cut breaks them.
func overBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	overBothWith(t, setup{}, test)
}

func overBothWith(t *testing.T, s setup, test func(t *testing.T, w *world)) {
	t.Helper()
	t.Parallel()
	for _, transport := range []string{byHTTP, bySocket} {
		t.Run(transport, func(t *testing.T) { over(t, transport, s, test) })
	}
}

// grownServers keeps what atStart gives, by the number of servers: accounts of one seed hold the same ones.
var grownServers sync.Map

// started is a world whose bot can be reached.
func started(t *testing.T, transport string, s setup) *world {
	t.Helper()
	w := newWorld(t, transport, s)
	if s.before != nil {
		s.before(w)
	}
	w.start()
	return w
}

func newWorld(t *testing.T, transport string, s setup) *world {
	t.Helper()
	w := &world{t: t, stage: &stage{
		transport: transport, dir: storetest.Dir(t), setup: s, given: map[int64]bool{}, changed: make(chan struct{}),
	}}
	s.softlayer.Seed, s.softlayer.Servers = 7, cmp.Or(s.softlayer.Servers, 48)
	seen := s.softlayer.Observe
	s.softlayer.Observe = func(e fakesoftlayer.Exchange) {
		record(w.stage, &w.sl, e)
		if seen != nil {
			seen(e)
		}
	}
	s.softlayer.Now = func() time.Time { return time.Now().Add(clockShift) }
	w.softlayer = fakesoftlayer.New(s.softlayer)
	w.atStart = sync.OnceValue(func() []hardware {
		grown, _ := grownServers.LoadOrStore(s.softlayer.Servers, sync.OnceValue(func() []hardware { return w.servers("") }))
		return grown.(func() []hardware)()
	})
	s.slack.Transport, s.slack.Seed = transport, cmp.Or(s.slack.Seed, 7)
	s.slack.AckTimeout = cmp.Or(s.slack.AckTimeout, 15*time.Second)
	heard := s.slack.Observe
	s.slack.Observe = func(e fakeslack.Exchange) {
		record(w.stage, &w.slk, e)
		if heard != nil {
			heard(e)
		}
	}
	w.slack = fakeslack.New(s.slack)
	w.cast, w.server = w.slack.Cast(), w.softlayer.Cancelable()
	w.given[w.server] = true
	mux := http.NewServeMux()
	mux.Handle("/slack/", http.StripPrefix("/slack", w.slack.Handler()))
	mux.Handle("/softlayer/", http.StripPrefix("/softlayer", w.softlayer.Handler()))
	vendors := httptest.NewServer(mux)
	w.url = vendors.URL
	w.slack.SetURL(w.url + "/slack")
	t.Cleanup(func() { w.slack.Close(); vendors.Close() })
	return w
}

// record keeps an exchange and wakes everybody who waits for one.
func record[T any](s *stage, all *[]T, e T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*all = append(*all, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

// news is closed with the next exchange between a vendor and the bot.
func (s *stage) news() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// start runs the bot and waits until Slack can reach it.
func (w *world) start() {
	w.t.Helper()
	if w.postgres == "" && !w.fresh {
		w.makeDatabase()
	}
	c := w.run(nil)
	w.child = c
	w.t.Cleanup(func() { w.stop() })
	ctx, cancel := context.WithTimeout(w.t.Context(), long)
	defer cancel()
	require.NoError(w.t, w.slack.WaitReachable(ctx), "the bot is reachable; it said:\n%s", c.log)
}

// run starts the program with arguments, in the bot's environment and what is added.
func (w *world) run(args []string, added ...string) *child {
	w.t.Helper()
	return w.runAs(nil, args, added...)
}

// runAs does so as another user; nil is the one who runs the tests.
func (w *world) runAs(who *syscall.Credential, args []string, added ...string) *child {
	w.t.Helper()
	own, err := binary()
	require.NoError(w.t, err)
	cmd := exec.Command(cmp.Or(w.program, own), args...)
	cmd.Env = slices.Concat(w.environment(), w.extra, added)
	c := &child{cmd: cmd, log: &lockedBuffer{}, done: make(chan struct{})}
	if w.endpoint != "" {
		c.at, err = url.Parse(w.endpoint)
		require.NoError(w.t, err)
	}
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	if w.under != nil {
		w.under(cmd)
	}
	require.NoError(w.t, cmd.Start())
	go func() { defer close(c.done); c.err = cmd.Wait() }()
	return c
}

// ends runs the program to its end and returns its exit code and what it said. A
// bot that serves alongside it stays reachable.
func (w *world) ends(args []string, added ...string) (code int, said string) {
	w.t.Helper()
	endpoint, admin := w.endpoint, w.admin
	c := w.run(args, added...)
	if w.endpoint = endpoint; endpoint != "" {
		w.slack.SetEndpoint(endpoint)
	}
	w.admin = admin
	code, said = c.exit(w.t), c.log.String()
	w.keepsSecrets(said)
	return code, said
}

// keepsSecrets holds what the program said to holding no token, key or capability.
func (w *world) keepsSecrets(said string) {
	w.t.Helper()
	for _, secret := range []string{
		w.slack.BotToken(), w.slack.AppToken(), w.slack.SigningSecret(), w.softlayer.APIKey(), "/slack/response/",
	} {
		assert.NotContains(w.t, said, secret, "no secret is logged")
	}
}

// exit waits for the end of the program and returns its exit code.
func (c *child) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(long):
		_ = c.cmd.Process.Kill()
		<-c.done
		t.Errorf("the program did not end within %v; it said:\n%s", long, c.log)
	}
	return c.cmd.ProcessState.ExitCode()
}

// stop ends the bot as an operator does, and holds it to ending well.
func (w *world) stop() {
	w.t.Helper()
	c := w.child
	if c == nil {
		return
	}
	w.child = nil
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	code := c.exit(w.t)
	assert.Zero(w.t, code, "a bot that is asked to end ends well")
	w.keepsSecrets(c.log.String())
	if w.t.Failed() {
		w.t.Logf("the bot said:\n%s", c.log)
	}
}

// kill ends the bot as a power cut does.
func (w *world) kill() {
	c := w.child
	w.child = nil
	_ = c.cmd.Process.Kill()
	<-c.done
}

func (w *world) environment() []string {
	w.admin = freeAddr(w.t)
	env := []string{
		isTheBot + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + w.dir,
		"SLACK_BOT_TOKEN=" + w.slack.BotToken(), "SLACK_API_URL=" + w.url + "/slack/api/",
		"SOFTLAYER_USERNAME=" + w.softlayer.Username(), "SOFTLAYER_API_KEY=" + w.softlayer.APIKey(),
		"SOFTLAYER_ENDPOINT_URL=" + w.url + "/softlayer/rest/v3.1", "SOFTLAYER_RATE=1000",
		"POLICY_FILE=" + w.policyFile(), "DATABASE_URL=" + cmp.Or(w.postgres, "sqlite:"+w.database()),
		"TEST_CLOCK_SHIFT=" + clockShift.String(), "TICKET_URL=" + w.url + "/softlayer/tickets/{id}", "ADMIN_ADDR=" + w.admin, "LOG_LEVEL=debug", "LOG_FORMAT=text",
	}
	if w.transport == fakeslack.TransportSocket {
		return append(env, "SLACK_APP_TOKEN="+w.slack.AppToken())
	}
	addr := freeAddr(w.t)
	w.endpoint = "http://" + addr
	if !w.balanced {
		w.slack.SetEndpoint(w.endpoint)
	}
	return append(env, "SLACK_SIGNING_SECRET="+w.slack.SigningSecret(), "LISTEN_ADDR="+addr)
}

// makeDatabase gives a bot that starts for the first time its file, with the tables of this
// build: making them costs a bot more than all else that its start does.
func (w *world) makeDatabase() {
	w.t.Helper()
	if _, err := os.Stat(w.database()); errors.Is(err, fs.ErrNotExist) {
		storetest.NewFile(w.t, w.database())
	}
}

func (w *world) database() string { return filepath.Join(w.dir, cmp.Or(w.file, "requests.db")) }

// policyFile writes the policy of the end-to-end tests: a rule for each thing that it
// may come to.
func (w *world) policyFile() string {
	w.t.Helper()
	text := cmp.Or(w.policy, fmt.Sprintf(`
@id("requesters-ask")
permit (principal in Group::%q, action == Action::"request", resource);
@id("cancellers-alone")
permit (principal in Group::%q, action == Action::"cancel", resource);
@id("leads-approve")
permit (principal in Group::%q, action == Action::"approve", resource);
@id("protected-tag")
@reason("servers tagged protected are cancelled by <!channel> the data team only.")
forbid (principal, action == Action::"request", resource) when { resource.tags.contains("protected") };
@id("no-competitors")
@reason("nobody moves to a competitor.")
forbid (principal, action == Action::"request", resource) when { context.statedReason == "Moving to competitor" };
`, w.cast.RequestGroup, w.cast.CancelGroup, w.cast.ApproveGroup))
	path := filepath.Join(w.dir, "policy.cedar")
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// ports is where free addresses are looked for: below the range that the system
// gives away by itself, so that nothing takes one between this look and the bot's.
var ports atomic.Int32

func freeAddr(t *testing.T) string {
	t.Helper()
	ports.CompareAndSwap(0, int32(20_000+os.Getpid()%8_000))
	for range 1_000 {
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ports.Add(1))))
		if listener, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, listener.Close())
			return addr
		}
	}
	require.Fail(t, "no free port")
	return ""
}

// lockedBuffer collects what a child says.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
