//go:build bench

package bench

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// maxConnections is how many are opened at once where no case says otherwise.
const maxConnections = 64

// contender is a process that is measured, with those who send to it, each over a
// connection that stays open.
type contender struct {
	*process
	next        func() []byte          // makes the next request
	good        func(said []byte) bool // whether it was answered as it should be
	databaseURL string                 // where the process writes what it accepts
	form        *form                  // which submissions are made of
	clients     []*client
	took        []time.Duration // of each good answer
}

type client struct {
	to      *process
	conn    net.Conn // nil before the first volley: the bot gives up a connection that stays silent
	answers *bufio.Reader
}

// commanding has so many connections send commands to a process.
func (l *lab) commanding(p *process, connections int) *contender {
	c := &contender{
		process: p, good: func(said []byte) bool { return len(said) == 0 },
		next: func() []byte { return rawRequest("/slack/commands", l.command().Encode()) },
	}
	c.connect(l, connections)
	return c
}

// accepting starts the bot on a database, where one person submits until more connect.
func (l *lab) accepting(databaseURL string) *contender {
	bot := l.launch(l.bot(databaseURL))
	bot.awaitAck(l)
	return l.submitting(bot, databaseURL, l.form(bot, databaseURL))
}

func (l *lab) submitting(p *process, databaseURL string, f *form) *contender {
	c := &contender{process: p, databaseURL: databaseURL, form: f, next: f.next, good: acceptance}
	c.connect(l, 1)
	return c
}

func acceptance(said []byte) bool {
	return strings.Contains(string(said), `"response_action":"update"`)
}

// acceptingFloor starts the floor on an empty database, whose tables the bot made. Its
// triggers are no rows: they go.
func (l *lab) acceptingFloor(databaseURL string) *contender {
	made := l.accepting(databaseURL)
	path := filepath.Join(l.TempDir(), "sample.json")
	require.NoError(l, os.WriteFile(path, l.sample(made), 0o600))
	made.end()
	l.clear(databaseURL)
	self, err := os.Executable()
	require.NoError(l, err)
	floor := l.launch(program{name: bareStore, path: self, env: []string{
		floorSetting + "=" + bareStore, sampleSetting + "=" + path, "DATABASE_URL=" + databaseURL,
	}})
	floor.awaitAck(l)
	return l.submitting(floor, databaseURL, made.form)
}

// sample has the bot accept one submission.
func (l *lab) sample(bot *contender) []byte {
	like := sample{Answer: string(bot.deliver(l, 1).said)}
	l.inDatabase(bot.databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(l.Context(), `select decision, detail from requests, events where id = request_id and seq = 1`).
			Scan(&like.Decision, &like.Rule)
	})
	text, err := json.Marshal(like)
	require.NoError(l, err)
	return text
}

// connect has so many clients send from now on, to this process and to others in turn.
func (c *contender) connect(l *lab, clients int, others ...*process) {
	c.clients = nil
	to := append([]*process{c.process}, others...)
	for i := range clients {
		c.clients = append(c.clients, &client{to: to[i%len(to)]})
	}
}

func (c *client) dial(l *lab) {
	if c.conn != nil {
		return
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.to.url, "http://"))
	require.NoError(l, err)
	l.Cleanup(func() { _ = conn.Close() })
	c.conn, c.answers = conn, bufio.NewReader(conn)
}

// turn has all of so many requests answered well, and returns the time from the first to
// the last by their number.
func (c *contender) turn(l *lab, requests int) time.Duration {
	sent := c.deliver(l, requests)
	require.Zero(l, sent.busy+sent.poor, "%s took every request; it answered %s; it said:\n%s", c.name, sent.said, c.said)
	c.took = append(c.took, sent.took...)
	return sent.elapsed / time.Duration(requests)
}

// warmUp is a turn that does not count.
func (c *contender) warmUp(l *lab, requests int) {
	c.turn(l, requests)
	c.took = nil
}

// volley is what came of some requests.
type volley struct {
	took    []time.Duration // of each that was answered well
	busy    int             // answered with 503
	poor    int             // answered with neither: that it is not known in time, under such a load
	elapsed time.Duration
	said    []byte // the last answer of the last client
}

// deliver has the clients send so many requests, each its next when its last was answered.
// What is sent is made before.
func (c *contender) deliver(l *lab, requests int) (sent volley) {
	made := make(chan []byte, requests)
	for range requests {
		made <- c.next()
	}
	close(made)
	for _, one := range c.clients {
		one.dial(l)
	}
	each, errs := make([]volley, len(c.clients)), make([]error, len(c.clients))
	began := time.Now()
	var all sync.WaitGroup
	for i, one := range c.clients {
		all.Go(func() {
			for request := range made {
				if errs[i] = one.send(request, c.good, &each[i]); errs[i] != nil {
					return
				}
			}
		})
	}
	all.Wait()
	sent.elapsed = time.Since(began)
	require.NoError(l, errors.Join(errs...), "%s said:\n%s", c.name, c.said)
	for _, v := range each {
		sent.took, sent.busy, sent.poor = append(sent.took, v.took...), sent.busy+v.busy, sent.poor+v.poor
		sent.said = v.said
	}
	return sent
}

func (c *client) send(request []byte, good func([]byte) bool, v *volley) error {
	began := time.Now()
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	v.said, err = io.ReadAll(answer.Body)
	switch {
	case answer.StatusCode == http.StatusServiceUnavailable:
		v.busy++
	case answer.StatusCode != http.StatusOK || !good(v.said):
		v.poor++
	default:
		v.took = append(v.took, time.Since(began))
	}
	return err
}

// rawRequest is a signed request of Slack's as it goes over the wire.
func rawRequest(path, body string) []byte {
	var request strings.Builder
	request.WriteString("POST " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Slackbot 1.0\r\n" +
		"Content-Length: " + strconv.Itoa(len(body)) + "\r\n")
	_ = signed(body).Write(&request) // a strings.Builder takes everything
	request.WriteString("\r\n" + body)
	return []byte(request.String())
}
