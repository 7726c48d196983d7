//go:build bench

package bench

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	attackSetting = "BENCH_ATTACK" // which attack this process makes
	targetSetting = "BENCH_TARGET" // on which address
)

// attack is something that somebody who is not Slack can send, on so many connections at once.
type attack struct {
	name        string
	connections int
	once        func(conn net.Conn, answers *bufio.Reader) error // again and again on one connection, until it fails
}

// attacks need no secret but one request of Slack's that somebody has seen.
var attacks = map[string]attack{
	"unsigned": {"unsigned commands", 256, func(conn net.Conn, answers *bufio.Reader) error {
		return exchange(conn, answers, forged(commandOf("1.2.3")))
	}},
	"big": {"unsigned bodies of 1 MiB", 32, func(conn net.Conn, answers *bufio.Reader) error {
		return exchange(conn, answers, forged(strings.Repeat("x", 1<<20)))
	}},
	"slow": {"bodies that come slowly", 400, func(conn net.Conn, _ *bufio.Reader) error {
		_, err := conn.Write(forged(strings.Repeat("x", 1<<20))[:64<<10])
		for err == nil { // until it is closed
			time.Sleep(100 * time.Millisecond)
			_, err = conn.Write([]byte("x"))
		}
		return err
	}},
	"sockets": {"sockets that stay silent", 3000, func(conn net.Conn, _ *bufio.Reader) error {
		if _, err := conn.Write([]byte("POST /slack/commands HTTP/1.1\r\nHost: bot\r\nX-Slow: " + strings.Repeat("x", 4000))); err != nil {
			return err
		}
		_, err := conn.Read(make([]byte, 1)) // until it is closed
		return err
	}},
	"replays": {"replays of one command", 64, func(conn net.Conn, answers *bufio.Reader) error {
		return exchange(conn, answers, replayed())
	}},
}

// replayed is one request of Slack's, the same each time.
var replayed = sync.OnceValue(func() []byte { return rawRequest("/slack/commands", commandOf("1.2.4")) })

func commandOf(trigger string) string {
	return url.Values{"command": {"/cancel-server"}, "user_id": {userID}, "team_id": {teamID}, "channel_id": {"C0BENCH"}, "trigger_id": {trigger}}.Encode()
}

// forged is a request that looks signed, and is not.
func forged(body string) []byte {
	return []byte(fmt.Sprintf("POST /slack/commands HTTP/1.1\r\nHost: bot\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n"+
		"X-Slack-Request-Timestamp: %d\r\nX-Slack-Signature: v0=%064x\r\n\r\n%s", len(body), time.Now().Unix(), 7, body))
}

func exchange(conn net.Conn, answers *bufio.Reader, request []byte) error {
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(answers, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// again is how long after a connection was closed the next one is opened.
const again = time.Second

// runAttack attacks until the process is ended.
func runAttack(name, target string) {
	lowerPriority() // the honest ones are measured on the same processor
	a := attacks[name]
	var all sync.WaitGroup
	for range a.connections {
		all.Go(func() {
			for {
				conn, err := net.Dial("tcp", target)
				if err == nil {
					answers := bufio.NewReader(conn)
					for err == nil {
						err = a.once(conn, answers)
					}
					_ = conn.Close()
				}
				time.Sleep(again)
			}
		})
	}
	all.Wait()
}

// attacked starts an attack on a process, and returns what ends it.
func (l *lab) attacked(name string, target *process) (end func()) {
	self, err := os.Executable()
	require.NoError(l, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), attackSetting+"="+name, targetSetting+"="+strings.TrimPrefix(target.url, "http://"))
	cmd.SysProcAttr = tiedToParent()
	require.NoError(l, cmd.Start())
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	l.Cleanup(end)
	return end
}

// Next to an attack, 100 commands a second are measured for some seconds, in turns with the same alone.
const perTurn, every, attackTurns = 500, 10 * time.Millisecond, 3

// besieged is what became of the honest commands to one process.
type besieged struct {
	alone, attacked, spent []time.Duration
	counted, countedAlone  acks // the bot's own counts
	missing                int
}

// ratio is how much longer the slowest of a hundred took next to the attack.
func (b besieged) ratio() float64 {
	return float64(quantile(b.attacked, 0.99)) / float64(quantile(b.alone, 0.99))
}

// abuse measures 100 commands a second alone and next to an attack, in turns, and the memory of the bot. The floor,
// which answers the same commands and does no more, stands the same attack: what it loses is lost to the attackers on
// the processor of the load.
func (l *lab) abuse(name string) {
	requireProc(l)
	bot := l.accepting(l.fresh())
	floor := l.launch(l.floor(netHTTP, l.sample(bot), ""))
	floor.awaitAck(l)
	ours, bare := l.besiege(name, bot.process), l.besiege(name, floor)
	attack := attacks[name]
	next := "next to " + strconv.Itoa(attack.connections) + " × " + attack.name
	l.row("100 commands/s "+next+", p99, ms", "attacked-p99-ms", aim{},
		figures{theBot: milliseconds(quantile(ours.attacked, 0.99)), netHTTP: milliseconds(quantile(bare.attacked, 0.99))})
	l.row("the same, of alone", "attacked/alone", atMost(2), figures{theBot: ours.ratio(), netHTTP: bare.ratio()})
	l.row("the same, p99 from receipt on, as the bot counts it, at most, ms", "own-p99-ms", aim{}, figures{theBot: ours.counted.p99()})
	l.row("the same, alone", "own-alone-p99-ms", aim{}, figures{theBot: ours.countedAlone.p99()})
	l.row("the same, not acknowledged, %", "refused-%", atMost(0), figures{theBot: 100 * float64(ours.missing) / float64(attackTurns*perTurn)})
	l.row("processor time of the bot "+next+", % of one", "cpu-%", aim{}, figures{theBot: 100 * float64(median(ours.spent)) / float64(perTurn*every)})
	l.row("memory "+next+", peak, MiB", "peak-MiB", atMost(100), figures{theBot: bot.memory(l, "VmHWM")})
}

// besiege sends honest commands to a process, alone and next to an attack on it, in turns.
func (l *lab) besiege(name string, p *process) besieged {
	b := besieged{counted: acks{}, countedAlone: acks{}}
	honest := l.commanding(p, 16)
	honest.whole(l, perTurn, every)
	for range attackTurns {
		acked := p.acks(l)
		b.alone = append(b.alone, honest.deliver(l, perTurn, every).took...)
		b.countedAlone.add(p.acks(l), acked)
		end := l.attacked(name, p)
		time.Sleep(2 * time.Second) // it has begun
		before := p.cpuTime(l)
		acked = p.acks(l)
		took := honest.deliver(l, perTurn, every).took
		b.attacked, b.missing = append(b.attacked, took...), b.missing+perTurn-len(took)
		b.spent = append(b.spent, p.cpuTime(l)-before)
		b.counted.add(p.acks(l), acked)
		end()
		time.Sleep(time.Second)
	}
	return b
}

// acks are the bot's own counts of acknowledged commands, by the upper bounds of their histogram in seconds.
type acks map[float64]float64

var ackBucket = regexp.MustCompile(`cancel_server_slack_ack_seconds_bucket\{kind="command",le="([\d.]+|\+Inf)"\} (\d+)`)

// acks returns what the bot has counted so far; a floor counts nothing.
func (c *process) acks(l *lab) acks {
	if c.name != theBot {
		return acks{}
	}
	answer, err := slackClient.Get(c.operators + "/metrics")
	require.NoError(l, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(l, err)
	counts := acks{}
	for _, found := range ackBucket.FindAllStringSubmatch(string(text), -1) {
		bound, _ := strconv.ParseFloat(found[1], 64) // +Inf too
		counts[bound], _ = strconv.ParseFloat(found[2], 64)
	}
	return counts
}

// add adds what was counted between two scrapes.
func (a acks) add(after, before acks) {
	for bound, count := range after {
		a[bound] += count - before[bound]
	}
}

// p99 is the bound within which 99 of 100 were acknowledged, in milliseconds.
func (a acks) p99() float64 {
	all := a[math.Inf(1)]
	for _, bound := range slices.Sorted(maps.Keys(a)) {
		if a[bound] >= 0.99*all {
			return 1000 * bound
		}
	}
	return 0
}
