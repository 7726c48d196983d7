//go:build bench

package bench

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// program is a process that can be started: the bot, or a floor.
type program struct {
	name string
	path string
	env  []string
}

// process is a running program.
type process struct {
	name      string
	url       string // where it takes Slack's requests
	operators string // where it answers its operators
	cmd       *exec.Cmd
	said      *tail
	started   time.Time
	ended     chan struct{}
}

// bot is the bot before the vendors and on a database.
func (l *lab) bot(databaseURL string) program {
	return program{name: theBot, path: l.built, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + l.TempDir(), "DATABASE_URL=" + databaseURL, profileSetting + "=" + *profiles,
		"SLACK_API_URL=" + l.url + "/slack/api/", "SLACK_BOT_TOKEN=" + botToken, "SLACK_SIGNING_SECRET=" + signingSecret,
		"SOFTLAYER_ENDPOINT_URL=" + l.url + "/softlayer/rest/v3.1", "TICKET_URL=" + l.url + "/softlayer/tickets/{id}",
		"SOFTLAYER_USERNAME=" + l.softlayer.Username(), "SOFTLAYER_API_KEY=" + l.softlayer.APIKey(), "SOFTLAYER_RATE=1000",
		"REQUEST_GROUPS=" + groupID, "APPROVE_GROUPS=none", "MAX_SERVERS_PER_DAY=1000000", "MAX_FILINGS_PER_HOUR=1000000",
	}}
}

// launch starts a program on a free address and ends it with the benchmark.
func (l *lab) launch(p program) *process {
	addr, admin := l.freeAddr(), l.freeAddr()
	cmd := exec.Command(p.path)
	cmd.Env = append([]string{"LISTEN_ADDR=" + addr, "ADMIN_ADDR=" + admin}, p.env...)
	cmd.SysProcAttr = tiedToParent()
	child := &process{name: p.name, url: "http://" + addr, operators: "http://" + admin, cmd: cmd, said: &tail{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = child.said, child.said
	child.started = time.Now()
	require.NoError(l, startMeasured(cmd))
	go func() {
		defer close(child.ended)
		_ = cmd.Wait() // what it said is shown where an answer is missing
	}()
	l.Cleanup(child.end)
	return child
}

// end asks the process to end, and kills it where it does not.
func (c *process) end() {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		_ = c.cmd.Process.Kill() // where there is no such signal
	}
	select {
	case <-c.ended:
	case <-time.After(15 * time.Second):
		_ = c.cmd.Process.Kill()
		<-c.ended
	}
}

// kill ends the process at once.
func (c *process) kill() {
	_ = c.cmd.Process.Kill() // fails where it has ended
	<-c.ended
}

// awaitAck sends commands until one is acknowledged, waits for its form, and returns how long
// after the start of the process the acknowledgement came.
func (c *process) awaitAck(l *lab) time.Duration {
	opened := l.opened.Load()
	took := c.awaitUp(l)
	c.awaitForms(l, opened+1)
	return took
}

// awaitUp is awaitAck for a process that opens no form.
func (c *process) awaitUp(l *lab) time.Duration {
	c.await(l, "acknowledges a command", func() bool {
		said, err := post(c.url+"/slack/commands", l.command())
		return err == nil && said == ""
	})
	return time.Since(c.started)
}

// awaitForms waits until so many forms have been opened in all: the bot opens them after it has
// acknowledged their commands.
func (c *process) awaitForms(l *lab, opened int64) {
	c.await(l, "opens its forms", func() bool { return l.opened.Load() >= opened })
}

func (c *process) await(l *lab, what string, done func() bool) {
	for deadline := time.Now().Add(5 * time.Minute); !done(); time.Sleep(time.Millisecond) {
		select {
		case <-c.ended:
			require.Fail(l, "nothing came", "%s ended before it %s; it said:\n%s", c.name, what, c.said)
		default:
			require.True(l, time.Now().Before(deadline), "waiting until %s %s; it said:\n%s", c.name, what, c.said)
		}
	}
}

func (l *lab) freeAddr() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(l, err)
	defer listener.Close()
	return listener.Addr().String()
}

// tail keeps the end of what a process says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const kept = 16 << 10
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-kept):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.text), "")
}
