//go:build bench

package bench

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
	name    string
	url     string // where it takes Slack's requests
	cmd     *exec.Cmd
	said    *tail
	started time.Time
	ended   chan struct{}
}

// botAt is the bot before the vendors at url/slack and url/softlayer, with a home and a
// database. Who it is to them is for the caller to add.
func botAt(url, built, folder, databaseURL string) program {
	return program{name: "bot", path: built, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + folder,
		"SLACK_API_URL=" + url + "/slack/api/", "SOFTLAYER_ENDPOINT_URL=" + url + "/softlayer/rest/v3.1",
		"TICKET_URL=" + url + "/softlayer/tickets/{id}", "DATABASE_URL=" + databaseURL,
		"SOFTLAYER_RATE=1000", "APPROVE_GROUPS=none", "MAX_SERVERS_PER_DAY=1000000", "MAX_FILINGS_PER_HOUR=1000000",
	}}
}

func (v *vendors) bot(built, folder string) program {
	return v.botOn(built, folder, "sqlite:"+filepath.Join(folder, "requests.db"))
}

// botOn is the bot on a database of the caller's.
func (v *vendors) botOn(built, folder, databaseURL string) program {
	p := botAt(v.url, built, folder, databaseURL)
	p.env = append(p.env, "SLACK_BOT_TOKEN="+botToken, "SLACK_SIGNING_SECRET="+signingSecret, "REQUEST_GROUPS="+groupID,
		"SOFTLAYER_USERNAME="+v.softlayer.Username(), "SOFTLAYER_API_KEY="+v.softlayer.APIKey())
	return p
}

// launch starts a program on a free address and ends it with the benchmark.
func launch(b *testing.B, p program) *process {
	b.Helper()
	addr := freeAddr(b)
	cmd := exec.Command(p.path)
	cmd.Env = append([]string{"LISTEN_ADDR=" + addr, "ADMIN_ADDR=" + freeAddr(b)}, p.env...)
	cmd.SysProcAttr = tiedToParent()
	child := &process{name: p.name, url: "http://" + addr, cmd: cmd, said: &tail{}, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = child.said, child.said
	child.started = time.Now()
	require.NoError(b, cmd.Start())
	go func() {
		defer close(child.ended)
		_ = cmd.Wait() // what it said is shown where an answer is missing
	}()
	b.Cleanup(child.end)
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

// awaitAck sends commands until one is acknowledged, and tells how long after the
// start of the process that was.
func (c *process) awaitAck(b *testing.B, s *sender) time.Duration {
	b.Helper()
	for deadline := c.started.Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		err := s.command(c.url)
		if err == nil {
			return time.Since(c.started)
		}
		select {
		case <-c.ended:
			require.NoError(b, err, "%s ended; it said:\n%s", c.name, c.said)
		default:
			require.False(b, time.Now().After(deadline), "%s acknowledges no command: %v; it said:\n%s", c.name, err, c.said)
		}
	}
}

func freeAddr(b *testing.B) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
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
