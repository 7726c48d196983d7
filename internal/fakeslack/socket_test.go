package fakeslack_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onSocket starts a workspace with a slack-go client that answers by a function.
func onSocket(t *testing.T, opts fakeslack.Options, answer func(*slack.Client, socketmode.Event) any) *stage {
	t.Helper()
	s := newStage(t, opts)
	client := socketmode.New(s.client())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := client.RunContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the client ended: %v", err)
		}
	}()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		for {
			select {
			case <-ctx.Done():
				return
			case event := <-client.Events:
				if event.Request == nil || event.Request.EnvelopeID == "" {
					continue
				}
				if err := client.AckCtx(ctx, event.Request.EnvelopeID, answer(s.client(), event)); err != nil && ctx.Err() == nil {
					t.Errorf("acknowledging: %v", err)
				}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended; <-answered })
	s.reachable()
	return s
}

func (s *stage) reachable() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	require.NoError(s.t, s.WaitReachable(ctx))
}

func TestTheMainJobOverSocketMode(t *testing.T) {
	t.Parallel()
	view := slack.ModalViewRequest{
		Type: slack.VTModal, Title: slack.NewTextBlockObject("plain_text", "Cancel a server", false, false),
		Submit: slack.NewTextBlockObject("plain_text", "Request", false, false),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock("content", slack.NewTextBlockObject("plain_text", "Why?", false, false), nil, slack.NewPlainTextInputBlockElement(nil, "text"))}},
	}
	s := onSocket(t, fakeslack.Options{}, func(c *slack.Client, event socketmode.Event) any {
		switch got := event.Data.(type) {
		case slack.SlashCommand:
			if _, err := c.OpenView(got.TriggerID, view); err != nil {
				t.Errorf("opening the view: %v", err)
			}
		case slack.InteractionCallback:
			if got.View.State.Values["content"]["text"].Value == "" {
				return slack.NewErrorsViewSubmissionResponse(map[string]string{"content": "Say why."})
			}
		}
		return nil
	})
	ack, err := s.Command(t.Context(), typed(s))
	require.NoError(t, err)
	assert.Equal(t, 200, ack.Status)
	open, err := s.Views(s.Cast().User)
	require.NoError(t, err)
	require.Len(t, open, 1)

	ack, err = s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: open[0].ID})
	require.NoError(t, err)
	assert.JSONEq(t, `{"response_action":"errors","errors":{"content":"Say why."}}`, string(ack.Body))
	require.Len(t, s.titles(s.Cast().User), 1)
	ack, err = s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: open[0].ID, Values: fakeslack.Values{"content": {"text": {"value": "Replaced."}}}})
	require.NoError(t, err)
	assert.Equal(t, 200, ack.Status)
	assert.Empty(t, s.titles(s.Cast().User))
	assert.Empty(t, s.broken())
	assert.Len(t, s.seen("view_submission"), 2)
}

func TestPingsKeepAConnectionAlive(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		conn, began := dial(t, s), time.Now()
		pings := 0
		conn.SetPingHandler(func(string) error {
			if pings++; pings == 3 {
				return errors.New("enough")
			}
			return nil
		})
		_, _, err := conn.ReadMessage()
		require.ErrorContains(t, err, "enough")
		assert.Equal(t, 15*time.Second, time.Since(began), "one every five seconds")
		ponged := false
		other := dial(t, s)
		other.SetPongHandler(func(data string) error { ponged = data == "hello?"; return errors.New("answered") })
		require.NoError(t, other.WriteControl(websocket.PingMessage, []byte("hello?"), time.Now().Add(patience)))
		_, _, err = other.ReadMessage()
		require.ErrorContains(t, err, "answered")
		assert.True(t, ponged)
	})
}

// frame is what comes over a connection.
type frame struct {
	Type           string `json:"type"`
	Reason         string `json:"reason"`
	EnvelopeID     string `json:"envelope_id"`
	RetryAttempt   int    `json:"retry_attempt"`
	RetryReason    string `json:"retry_reason"`
	NumConnections int    `json:"num_connections"`
	ConnectionInfo struct {
		AppID string `json:"app_id"`
	} `json:"connection_info"`
	Accepts bool           `json:"accepts_response_payload"`
	Payload map[string]any `json:"payload"`
}

// dial opens a connection by hand and reads its hello, which may be a refusal.
func dial(t *testing.T, s *stage) *websocket.Conn {
	t.Helper()
	_, url, err := s.client().StartSocketModeContext(t.Context())
	require.NoError(t, err)
	conn, response, err := s.dialer.DialContext(t.Context(), url, nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	_, again, err := s.dialer.DialContext(t.Context(), url, nil)
	require.Error(t, err, "the URL is used once")
	_ = again.Body.Close()
	hello := read(t, conn)
	assert.Contains(t, []string{"hello", "disconnect"}, hello.Type)
	if hello.Type == "hello" {
		assert.Equal(t, s.AppID(), hello.ConnectionInfo.AppID)
		assert.Positive(t, hello.NumConnections)
	}
	return conn
}

func read(t *testing.T, conn *websocket.Conn) frame {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, raw, err := conn.ReadMessage()
	require.NoError(t, err)
	return decode[frame](t, raw)
}

func acknowledge(t *testing.T, conn *websocket.Conn, id string, payload any) {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"envelope_id": id, "payload": payload})
	require.NoError(t, err)
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, raw))
}

// command types a command in the background and hands over its Ack.
func (s *stage) command() <-chan fakeslack.Ack {
	done := make(chan fakeslack.Ack, 1)
	go func() {
		ack, err := s.Command(context.WithoutCancel(s.t.Context()), typed(s))
		if err != nil {
			s.t.Errorf("typing the command: %v", err)
		}
		done <- ack
	}()
	return done
}

func TestWhatIsNotAcknowledgedIsRedelivered(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		conn, began := dial(t, s), time.Now()
		typing := s.command()
		first := read(t, conn)
		assert.Equal(t, "slash_commands", first.Type)
		assert.True(t, first.Accepts)
		assert.Equal(t, "db-042", first.Payload["text"])
		assert.Zero(t, first.RetryAttempt)
		ack := <-typing
		assert.Zero(t, ack.Status)
		assert.Equal(t, "operation_timeout", ack.Error)
		assert.Equal(t, 3*time.Second, time.Since(began), "Slack waits no longer, unless told otherwise")
		second := read(t, conn)
		assert.Equal(t, first.EnvelopeID, second.EnvelopeID)
		assert.Equal(t, 1, second.RetryAttempt)
		assert.Equal(t, "timeout", second.RetryReason)
		acknowledge(t, conn, second.EnvelopeID, map[string]any{"text": "late, but here"})
		synctest.Wait()
		require.Len(t, s.messages(s.Cast().Channel), 1, "the retry's answer has its effect")
		acknowledge(t, conn, first.EnvelopeID, nil)
		acknowledge(t, conn, "never-sent", nil)
		synctest.Wait()
		assert.Len(t, s.seen("socket_ack"), 1, "a late acknowledgement is no offence, an invented one is")
	})
}

func TestAnEnvelopeIsSentFourTimesAtMost(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		conn := dial(t, s)
		s.command()
		for attempt := range 4 {
			assert.Equal(t, attempt, read(t, conn).RetryAttempt)
		}
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Hour)))
		_, _, err := conn.ReadMessage()
		require.ErrorContains(t, err, "timeout", "there is no fifth")
		assert.Len(t, s.seen("slash_command"), 4)
	})
}

func TestTooLongAcknowledgementClosesAndIsRedelivered(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{})
	conn := dial(t, s)
	typing := s.command()
	acknowledge(t, conn, read(t, conn).EnvelopeID, map[string]any{"text": strings.Repeat("x", 20480)})
	_, _, err := conn.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseMessageTooBig), "%v", err)
	again := dial(t, s)
	second := read(t, again)
	assert.Equal(t, 1, second.RetryAttempt)
	acknowledge(t, again, second.EnvelopeID, nil)
	assert.Equal(t, 200, (<-typing).Status, "still within the three seconds")
	assert.Len(t, s.broken(), 1)
}

func TestDisturbedSockets(t *testing.T) {
	t.Parallel()
	var commands atomic.Int32
	s := onSocket(t, fakeslack.Options{}, func(*slack.Client, socketmode.Event) any { commands.Add(1); return nil })
	for _, do := range []string{fakeslack.SocketRefresh, fakeslack.SocketDisconnect, fakeslack.SocketWarning} {
		require.NoError(t, s.Socket(do))
		require.Eventually(t, func() bool { return len(s.seen("apps.connections.open")) > 1 }, patience, time.Millisecond)
		ack, err := s.Command(t.Context(), typed(s))
		require.NoError(t, err)
		assert.Equal(t, 200, ack.Status, "after %s the client is back", do)
	}
	assert.EqualValues(t, 3, commands.Load())
	require.Error(t, s.Socket("explode"))
}

func TestADeafSocketLooksAlive(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		conn := dial(t, s)
		require.True(t, s.Connected())
		require.NoError(t, s.Socket(fakeslack.SocketDeaf))
		assert.False(t, s.Connected())
		typing := s.command()
		assert.Equal(t, "operation_timeout", (<-typing).Error)
		sound := dial(t, s)
		require.NoError(t, conn.Close())
		got := read(t, sound)
		acknowledge(t, sound, got.EnvelopeID, nil)
		assert.Positive(t, got.RetryAttempt, "what the deaf one got comes again")
		assert.Empty(t, s.broken(), "a deaf socket is not the bot's fault")
	})
}

func TestASocketThatSwallowsPingsOn(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		hollow, sound := dial(t, s), dial(t, s)
		require.NoError(t, s.SocketAt(1, fakeslack.SocketSwallow))
		assert.True(t, s.Connected(), "the other one carries")
		pings, envelope := 0, make(chan error, 1)
		hollow.SetPingHandler(func(string) error {
			if pings++; pings == 3 {
				return errors.New("enough")
			}
			return nil
		})
		go func() {
			_, _, err := hollow.ReadMessage()
			envelope <- err
		}()
		for range 2 { // each connection's turn comes
			s.command()
			got := read(t, sound)
			acknowledge(t, sound, got.EnvelopeID, nil)
		}
		require.ErrorContains(t, <-envelope, "enough", "pings come and no envelope does")
		assert.Empty(t, s.broken(), "a deaf socket is not the bot's fault")
		require.NoError(t, s.Socket(fakeslack.SocketSwallow))
		assert.False(t, s.Connected())
	})
}

func TestOneSocketIsDisturbedAlone(t *testing.T) {
	t.Parallel()
	for do, reason := range map[string]string{
		fakeslack.SocketRefresh: "refresh_requested", fakeslack.SocketWarning: "warning", fakeslack.SocketTooMany: "too_many_websockets",
	} {
		s := newStage(t, fakeslack.Options{})
		first, second := dial(t, s), dial(t, s)
		require.NoError(t, s.SocketAt(2, do))
		got := read(t, second)
		assert.Equal(t, "disconnect", got.Type)
		assert.Equal(t, reason, got.Reason)
		typing := s.command()
		acknowledge(t, first, read(t, first).EnvelopeID, nil)
		assert.Equal(t, 200, (<-typing).Status)
		for _, place := range []int{-1, 0, 3} {
			require.Error(t, s.SocketAt(place, do))
		}
	}
}

func TestFewerConnectionsMayBeAllowed(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{MaxSockets: 1})
		require.NoError(t, dial(t, s).Close())
		synctest.Wait()
		require.False(t, s.Connected())
		dial(t, s)
		_, url, err := s.client().StartSocketModeContext(t.Context())
		require.NoError(t, err)
		conn, response, err := s.dialer.DialContext(t.Context(), url, nil)
		require.NoError(t, err)
		_ = response.Body.Close()
		defer conn.Close()
		assert.Equal(t, "too_many_websockets", read(t, conn).Reason)
	})
}

func TestTheEleventhConnectionIsSentAway(t *testing.T) {
	t.Parallel()
	s := newStage(t, fakeslack.Options{RateLimitsOff: true})
	for range 10 {
		dial(t, s)
	}
	_, url, err := s.client().StartSocketModeContext(t.Context())
	require.NoError(t, err)
	conn, response, err := s.dialer.DialContext(t.Context(), url, nil)
	require.NoError(t, err)
	_ = response.Body.Close()
	defer conn.Close()
	got := read(t, conn)
	assert.Equal(t, "disconnect", got.Type)
	assert.Equal(t, "too_many_websockets", got.Reason)
}

func TestDeliveryFaultsAndReplayOverSocketMode(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{fakeslack.FaultRedeliver, fakeslack.FaultTwiceAtOnce} {
		s := newStage(t, fakeslack.Options{})
		conn := dial(t, s)
		require.NoError(t, s.Fault("slash_command", fault, 1))
		typing := s.command()
		first := read(t, conn)
		acknowledge(t, conn, first.EnvelopeID, nil)
		second := read(t, conn)
		acknowledge(t, conn, second.EnvelopeID, nil)
		assert.Equal(t, 200, (<-typing).Status)
		assert.Equal(t, first.EnvelopeID, second.EnvelopeID, fault)
		assert.Equal(t, 1, first.RetryAttempt+second.RetryAttempt, fault)

		for _, same := range []bool{true, false} {
			replayed := make(chan fakeslack.Ack, 1)
			go func() {
				ack, err := s.Replay(context.WithoutCancel(t.Context()), s.seen("slash_command")[0].Delivery, same)
				assert.NoError(t, err)
				replayed <- ack
			}()
			third := read(t, conn)
			acknowledge(t, conn, third.EnvelopeID, nil)
			assert.Equal(t, same, third.EnvelopeID == first.EnvelopeID)
			assert.Equal(t, 200, (<-replayed).Status)
		}
	}
}

func TestClosingEndsWhatWaits(t *testing.T) {
	slacktest.InVirtualTime(t, func(t *testing.T) {
		s := newVirtualStage(t, fakeslack.Options{})
		dial(t, s)
		began, typing := time.Now(), s.command()
		require.NoError(t, s.Fault("auth.test", fakeslack.FaultHang, 1))
		hanging := make(chan struct{})
		go func() {
			defer close(hanging)
			_, _ = s.client().AuthTest()
		}()
		synctest.Wait()
		s.Close()
		assert.Zero(t, (<-typing).Status)
		<-hanging
		assert.Zero(t, time.Since(began), "nothing was waited out")
		_, err := s.Command(t.Context(), typed(s))
		require.NoError(t, err, "a closed workspace answers, with a failure")
	})
}

// Bolt for JavaScript writes an empty acknowledgement as {}, and slack-go as nothing or null.
func TestAnEmptyPayloadAcknowledgesWithNothing(t *testing.T) {
	for name, payload := range map[string]string{
		"an empty object": `,"payload":{}`, "an empty object, spaced": `,"payload":{ }`, "null": `,"payload":null`, "nothing": "",
	} {
		t.Run(name, func(t *testing.T) {
			slacktest.InVirtualTime(t, func(t *testing.T) {
				s := newVirtualStage(t, fakeslack.Options{})
				conn := dial(t, s)
				acknowledged := func(deliver func() (fakeslack.Ack, error)) {
					t.Helper()
					done := make(chan fakeslack.Ack, 1)
					go func() {
						ack, err := deliver()
						assert.NoError(t, err)
						done <- ack
					}()
					frame := `{"envelope_id":"` + read(t, conn).EnvelopeID + `"` + payload + `}`
					require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(frame)))
					ack := <-done
					assert.Equal(t, 200, ack.Status)
					assert.Empty(t, ack.Error)
					assert.JSONEq(t, "null", string(ack.Body))
				}
				button := map[string]any{"type": "actions", "block_id": "b", "elements": []any{map[string]any{"type": "button", "action_id": "a", "text": plain("Go")}}}
				var trigger string
				typing := make(chan struct{})
				go func() {
					defer close(typing)
					_, err := s.Command(t.Context(), typed(s))
					assert.NoError(t, err)
				}()
				command := read(t, conn)
				trigger, _ = command.Payload["trigger_id"].(string)
				view := s.call("views.open", map[string]any{"trigger_id": trigger, "view": modal(textInput("why", "text"), button)}).View
				require.NotEmpty(t, view.ID)
				require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte(`{"envelope_id":"`+command.EnvelopeID+`"`+payload+`}`)))
				<-typing
				assert.Empty(t, s.messages(s.Cast().Channel), "an empty acknowledgement of a command says nothing")

				acknowledged(func() (fakeslack.Ack, error) {
					return s.Act(t.Context(), fakeslack.Action{User: s.Cast().User, View: view.ID, BlockID: "b", ActionID: "a"})
				})
				acknowledged(func() (fakeslack.Ack, error) {
					return s.Submit(t.Context(), fakeslack.Submission{User: s.Cast().User, View: view.ID, Values: fakeslack.Values{"why": {"text": {"value": "x"}}}})
				})
				assert.Empty(t, s.titles(s.Cast().User), "the submission closed the modal")
				assert.Empty(t, s.broken())
			})
		})
	}
}
