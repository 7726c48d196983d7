//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
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
	next        func() request         // makes the next request
	good        func(said []byte) bool // whether it was answered as it should be
	databaseURL string                 // where the process writes what it accepts
	form        *form                  // which submissions are made of
	clients     []*client
	took        []time.Duration // of each good answer
}

// request is one that is sent to a contender.
type request struct {
	raw    []byte
	server int64     // of a submission
	due    time.Time // when a paced one is sent, else zero
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
		next: func() request { return request{raw: rawRequest("/slack/commands", l.command().Encode())} },
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
	like := l.sample(made)
	made.end()
	l.clear(databaseURL)
	return l.standIn(bareStore, like, databaseURL, made.form)
}

// standIn starts a floor that takes the submissions of a form.
func (l *lab) standIn(name string, like sample, databaseURL string, f *form) *contender {
	floor := l.launch(l.floor(name, like, databaseURL))
	floor.awaitUp(l)
	return l.submitting(floor, databaseURL, f)
}

// sample has the bot take one submission, and keeps what the floors copy.
func (l *lab) sample(bot *contender) sample {
	like := sample{Opens: *l.last.Load()}
	l.recording.Store(true)
	sent := bot.deliver(l, 1, 0)
	require.Len(l, sent.servers, 1, "%s answered %s", bot.name, sent.said)
	l.awaitTold(bot.process, sent.servers)
	l.recording.Store(false)
	like.Answer, like.Server = string(sent.said), strconv.FormatInt(sent.servers[0], 10)
	like.Member = member(sent.servers[0] - firstServer)
	like.Ticket = "CS" + strconv.Itoa(len(l.ledger.tickets))
	for _, c := range l.recorded {
		if strings.Contains(c.Path+c.Body, like.Server) || strings.Contains(c.Body, like.Member) {
			like.Calls = append(like.Calls, c)
		}
	}
	l.recorded = nil
	require.GreaterOrEqual(l, len(like.Calls), 3, "a submission reads, files and tells")
	l.inDatabase(bot.databaseURL, func(db *sql.DB) error {
		return db.QueryRowContext(l.Context(), `select decision, detail from requests, events where id = request_id and seq = 1`).
			Scan(&like.Decision, &like.Rule)
	})
	return like
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
	sent := c.whole(l, requests, 0)
	return sent.elapsed / time.Duration(requests)
}

// whole has all of so many requests answered well.
func (c *contender) whole(l *lab, requests int, every time.Duration) volley {
	sent := c.deliver(l, requests, every)
	require.Equal(l, requests, len(sent.took), "%s took every request; it answered %s; it said:\n%s", c.name, sent.said, c.said)
	c.took = append(c.took, sent.took...)
	return sent
}

// warmUp is a turn that does not count.
func (c *contender) warmUp(l *lab, requests int) {
	c.turn(l, requests)
	c.took = nil
}

// volley is what came of some requests.
type volley struct {
	took    []time.Duration // of each that was answered well
	servers []int64         // of their submissions
	refused []time.Duration // of each that was answered clearly: that nothing was recorded, or to come again
	began   time.Time
	elapsed time.Duration
	said    []byte // the last answer of the last client
}

func (v *volley) add(other volley) {
	v.took, v.servers = append(v.took, other.took...), append(v.servers, other.servers...)
	v.refused, v.said = append(v.refused, other.refused...), other.said
}

// deliver has the clients send so many requests, each its next when its last was answered, or one of them
// one each so often. What is sent is made before.
func (c *contender) deliver(l *lab, requests int, every time.Duration) (sent volley) {
	made := make([]request, requests)
	for i := range made {
		made[i] = c.next()
	}
	for _, one := range c.clients {
		one.dial(l)
	}
	queue := make(chan request, requests)
	each, errs := make([]volley, len(c.clients)), make([]error, len(c.clients))
	sent.began = time.Now()
	var all sync.WaitGroup
	for i, one := range c.clients {
		all.Go(func() {
			for r := range queue {
				if errs[i] = one.send(l, r, c.good, &each[i]); errs[i] != nil {
					return
				}
			}
		})
	}
	for i, r := range made {
		if every > 0 {
			r.due = sent.began.Add(time.Duration(i) * every)
			time.Sleep(time.Until(r.due))
		}
		queue <- r
	}
	close(queue)
	all.Wait()
	sent.elapsed = time.Since(sent.began)
	require.NoError(l, errors.Join(errs...), "%s said:\n%s", c.name, c.said)
	for _, v := range each {
		sent.add(v)
	}
	return sent
}

// send has a request answered. The time of a paced one counts from when it was due.
func (c *client) send(l *lab, r request, good func([]byte) bool, v *volley) error {
	began := r.due
	if began.IsZero() {
		began = time.Now()
	}
	if r.server != 0 {
		l.ledger.at(r.server, func(j *journey) { j.sent = began })
	}
	if _, err := c.conn.Write(r.raw); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	v.said, err = io.ReadAll(answer.Body)
	took := time.Since(began)
	switch {
	case answer.StatusCode == http.StatusOK && good(v.said):
		v.took, v.servers = append(v.took, took), append(v.servers, r.server)
	case answer.StatusCode == http.StatusServiceUnavailable, bytes.Contains(v.said, []byte("was not recorded")):
		v.refused = append(v.refused, took)
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
