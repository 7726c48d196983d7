package fakeslack

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

const (
	// maxFrame is where Slack closes a connection with 1009: acknowledgements are
	// shorter. See revelrylabs/slax PR 614 and slack-go issue 1196.
	maxFrame = 20480
	// goodbye is how long a connection that was told to leave stays open.
	goodbye = 10 * time.Second
	// writing bounds each write to a connection.
	writing = 5 * time.Second
)

// socket is one Socket Mode connection.
type socket struct {
	conn    *websocket.Conn
	out     chan []byte
	gone    chan struct{}
	refused bool        // one too many: never counts; written before it is shared
	leaving atomic.Bool // was told to leave: gets nothing new
	deaf    atomic.Bool // looks alive and carries nothing, in either direction, no pings either
	hollow  atomic.Bool // carries pings, and swallows every other frame, in either direction
}

// carries reports whether envelopes and their acknowledgements pass.
func (s *socket) carries() bool { return !s.deaf.Load() && !s.hollow.Load() }

// serveSocket opens a connection for a ticket of apps.connections.open.
// https://docs.slack.dev/apis/events-api/using-socket-mode
func (w *Workspace) serveSocket(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	now := w.now()
	w.mu.Unlock()
	if !w.sockets.redeem(r.PathValue("ticket"), now) {
		http.Error(out, "this websocket URL was used, is too old or unknown", http.StatusForbidden)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(out, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	s := &socket{conn: conn, out: make(chan []byte, 256), gone: make(chan struct{})}
	if !w.sockets.add(s, w.opts.MaxSockets, w.hello) {
		w.dismiss(s, "too_many_websockets")
	} else {
		w.everReached.Store(true)
	}
	w.Wake()
	if !w.start(func() { w.run(s) }) {
		w.release(s)
		s.sever()
	}
}

// release gives a connection's place to the next one, at once or after Lingering.
func (w *Workspace) release(s *socket) {
	if !w.sockets.drop(s, w.opts.Lingering > 0) {
		return
	}
	w.start(func() {
		select {
		case <-time.After(w.opts.Lingering):
		case <-w.done:
		}
		w.sockets.vanish()
	})
}

// hello is the first frame of a connection that may stay.
// https://docs.slack.dev/apis/events-api/using-socket-mode
func (w *Workspace) hello(connections int) []byte {
	return encode(response{
		"type": "hello", "num_connections": connections, "connection_info": response{"app_id": w.identity.appID},
		"debug_info": response{"host": "applink-fake-1", "build_number": 1, "approximate_connection_time": 18060},
	})
}

// run carries a connection until either side ends it.
func (w *Workspace) run(s *socket) {
	var writer sync.WaitGroup
	writer.Go(func() { s.write(w.opts.PingInterval) })
	w.read(s)
	w.release(s)
	w.Wake()
	close(s.gone)
	s.sever()
	writer.Wait()
}

// send queues a frame; a connection that takes nothing is cut.
func (s *socket) send(frame []byte) {
	if !s.carries() {
		return
	}
	select {
	case s.out <- frame:
	default:
		s.sever()
	}
}

// sever cuts the connection without a word.
func (s *socket) sever() { _ = s.conn.NetConn().Close() }

// write sends what is queued, and pings.
func (s *socket) write(every time.Duration) {
	pings := time.Tick(every)
	for {
		select {
		case <-s.gone:
			return
		case frame := <-s.out:
			_ = s.conn.SetWriteDeadline(time.Now().Add(writing))
			if s.conn.WriteMessage(websocket.TextMessage, frame) != nil {
				s.sever()
			}
		case now := <-pings:
			if s.deaf.Load() {
				continue
			}
			ping := fmt.Appendf(nil, "Ping from applink-fake-1 %d", now.Unix())
			if s.conn.WriteControl(websocket.PingMessage, ping, now.Add(writing)) != nil {
				s.sever()
			}
		}
	}
}

// read takes acknowledgements until the connection ends.
func (w *Workspace) read(s *socket) {
	s.conn.SetReadLimit(maxBody)
	answerClose := s.conn.CloseHandler()
	s.conn.SetCloseHandler(func(code int, text string) error {
		w.release(s) // before the client knows that it is gone
		return answerClose(code, text)
	})
	s.conn.SetPingHandler(func(data string) error {
		if s.deaf.Load() {
			return nil
		}
		return s.conn.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(writing))
	})
	for {
		_, frame, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		if !s.carries() {
			continue
		}
		if len(frame) >= maxFrame {
			s.refuse(frame, w)
			return
		}
		w.takeFrame(s, frame)
	}
}

// refuse closes a connection on which too long a frame came.
func (s *socket) refuse(frame []byte, w *Workspace) {
	reason := websocket.FormatCloseMessage(websocket.CloseMessageTooBig, "Max frame length of 20480 has been exceeded.")
	_ = s.conn.WriteControl(websocket.CloseMessage, reason, time.Now().Add(writing))
	w.observe(Exchange{
		At: time.Now(), From: "bot", To: "slack", Method: methodSocketAck, Request: frame,
		Broke: []Broken{{"an acknowledgement is shorter than 20480 bytes", "https://github.com/slack-go/slack/issues/1196"}},
	}, time.Now())
}

// methodSocketAck names a frame of the bot's among exchanges, where it was wrong.
const methodSocketAck = "socket_ack"

func (w *Workspace) takeFrame(s *socket, frame []byte) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	err := json.Unmarshal(frame, &ack)
	if err == nil && w.sockets.acknowledge(ack.EnvelopeID, s, ack.Payload) {
		return
	}
	w.observe(Exchange{
		At: time.Now(), From: "bot", To: "slack", Method: methodSocketAck, Request: frame,
		Broke: []Broken{{"a frame is the acknowledgement of an envelope that Slack sent", "https://docs.slack.dev/apis/events-api/using-socket-mode#acknowledge"}},
	}, time.Now())
}

// What Socket can do to an open connection.
const (
	SocketDisconnect = "disconnect"          // cut it without a word
	SocketRefresh    = "refresh"             // send disconnect with refresh_requested, close 10 s later
	SocketWarning    = "warning"             // the same with the reason warning
	SocketTooMany    = "too_many_websockets" // the same with the reason too_many_websockets
	SocketDeaf       = "deaf"                // keep it open and carry nothing, no pings either
	SocketSwallow    = "swallow"             // keep it open, ping on, and swallow envelopes and acknowledgements
)

// disturbances are what Socket can do, by its name.
func (w *Workspace) disturbances() map[string]func(*socket) {
	return map[string]func(*socket){
		SocketDisconnect: func(s *socket) { w.release(s); s.sever() },
		SocketRefresh:    func(s *socket) { w.dismiss(s, "refresh_requested") },
		SocketWarning:    func(s *socket) { w.dismiss(s, "warning") },
		SocketTooMany:    func(s *socket) { w.dismiss(s, "too_many_websockets") },
		SocketDeaf:       func(s *socket) { s.deaf.Store(true) },
		SocketSwallow:    func(s *socket) { s.hollow.Store(true) },
	}
}

// Socket disturbs every open Socket Mode connection; later ones are sound.
func (w *Workspace) Socket(do string) error {
	return w.disturbSockets(do, w.sockets.all())
}

// SocketAt disturbs one open Socket Mode connection: 1 is the one opened first.
func (w *Workspace) SocketAt(place int, do string) error {
	open := w.sockets.all()
	if place < 1 || place > len(open) {
		return fmt.Errorf("disturbing socket %d: %d are open", place, len(open))
	}
	return w.disturbSockets(do, open[place-1:place])
}

func (w *Workspace) disturbSockets(do string, which []*socket) error {
	act := w.disturbances()[do]
	if act == nil {
		known := slices.Sorted(maps.Keys(w.disturbances()))
		return fmt.Errorf("disturbing the sockets: %q is none of %q", do, known)
	}
	for _, s := range which {
		act(s)
	}
	w.Wake()
	return nil
}

// dismiss asks the client to leave and closes the connection after a while.
func (w *Workspace) dismiss(s *socket, reason string) {
	s.leaving.Store(true)
	s.send(encode(response{"type": "disconnect", "reason": reason, "debug_info": response{"host": "applink-fake-1"}}))
	w.start(func() {
		select {
		case <-time.After(goodbye):
			s.sever()
		case <-s.gone:
		case <-w.done:
		}
	})
}
