package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// wired is a bot's socket, connected to a workspace of people.
type wired struct {
	*fakeslack.Workspace
	url        string // of the Web API
	socket     *Socket
	dispatcher *Dispatcher
	hangUp     func() error // ends Run and tells its result

	mu     sync.Mutex
	broken []string
}

// newWorkspace is a fake Slack on a real port that has not met its bot yet.
func newWorkspace(t *testing.T) *wired {
	t.Helper()
	w := &wired{}
	w.Workspace = fakeslack.New(fakeslack.Options{
		AckTimeout: 300 * time.Millisecond, PingInterval: 50 * time.Millisecond, RateLimitsOff: true,
		Observe: func(x fakeslack.Exchange) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, b := range x.Broke {
				w.broken = append(w.broken, x.Method+": "+b.Rule)
			}
		},
	})
	far := httptest.NewServer(w.Handler())
	w.url = far.URL + "/api/"
	w.SetURL(far.URL)
	t.Cleanup(far.Close)
	t.Cleanup(w.Workspace.Close)
	return w
}

func wire(t *testing.T, h Handler) *wired {
	t.Helper()
	w := newWorkspace(t)
	w.dispatcher = NewDispatcher(DispatcherOptions{Handler: h, Log: silent()})
	w.socket = NewSocket(SocketOptions{AppToken: w.AppToken(), APIURL: w.url, Dispatcher: w.dispatcher, Log: silent()})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- w.socket.Run(ctx) }()
	w.hangUp = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() {
		assert.NoError(t, w.hangUp())
		assert.NoError(t, w.dispatcher.Shutdown(context.Background()))
	})
	eventually(t, w.socket.Connected, "the socket connects")
	require.NoError(t, w.WaitReachable(t.Context()))
	return w
}

func (w *wired) typed(t *testing.T, text string) fakeslack.Ack {
	t.Helper()
	ack, err := w.Command(t.Context(), fakeslack.Command{User: w.Cast().User, Channel: w.Cast().Channel, Command: "/cancel-server", Text: text})
	require.NoError(t, err)
	return ack
}

func (w *wired) rulesBroken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

func TestACommandBySocketIsAcknowledgedWithItsReply(t *testing.T) {
	t.Parallel()
	var got Command
	var after atomic.Bool
	w := wire(t, handlerFuncs{command: func(_ context.Context, c Command) (Reply, After) {
		got = c
		return Reply(`{"text":"only for you"}`), func(context.Context) { after.Store(true) }
	}})
	ack := w.typed(t, "db1 & co")
	assert.Equal(t, 200, ack.Status)
	assert.JSONEq(t, `{"text":"only for you"}`, string(ack.Body))
	eventually(t, after.Load, "the work after the acknowledgement is done")
	assert.Equal(t, w.Cast().User, got.User)
	assert.Equal(t, w.TeamID(), got.Team)
	assert.Equal(t, w.Cast().Channel, got.Channel)
	assert.Equal(t, "db1 & co", got.Text)
	assert.NotEmpty(t, got.TriggerID)
	assert.NotEmpty(t, got.ResponseURL)
	assert.WithinDuration(t, time.Now(), w.socket.LastHeard(), time.Minute)
	assert.Empty(t, w.rulesBroken())
}

func TestAnEmptyReplyAcknowledgesWithoutAPayload(t *testing.T) {
	t.Parallel()
	w := wire(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) { return nil, nil }})
	ack := w.typed(t, "")
	assert.Equal(t, 200, ack.Status)
	assert.Contains(t, []string{"", "null"}, string(ack.Body))
	assert.Empty(t, w.rulesBroken())
}

func TestAnInteractionBySocket(t *testing.T) {
	t.Parallel()
	seen := make(chan Interaction, 1)
	var w *wired
	w = wire(t, handlerFuncs{
		command: func(ctx context.Context, c Command) (Reply, After) {
			web, err := NewWeb(WebOptions{BotToken: w.BotToken(), APIURL: w.url})
			assert.NoError(t, err)
			defer web.Close()
			view := modal()
			view.NotifyOnClose, view.CallbackID = true, "cancel.v1"
			id, hash, err := web.OpenView(ctx, c.TriggerID, view)
			assert.NoError(t, err)
			assert.NotEmpty(t, id)
			assert.NotEmpty(t, hash)
			return nil, nil
		},
		interaction: func(_ context.Context, i Interaction) (Reply, After) { seen <- i; return nil, nil },
	})
	w.typed(t, "")
	views, err := w.Views(w.Cast().User)
	require.NoError(t, err)
	require.Len(t, views, 1)
	ack, err := w.CloseView(t.Context(), w.Cast().User, views[0].ID)
	require.NoError(t, err)
	assert.Equal(t, 200, ack.Status)
	i := <-seen
	assert.Equal(t, ViewClosed, i.Kind)
	assert.Equal(t, views[0].ID, i.View.ID)
	assert.Equal(t, "cancel.v1", i.View.CallbackID)
	assert.Equal(t, w.TeamID(), i.Team)
}

func TestWhatIsNotAcknowledgedComesAgainAndIsWorked(t *testing.T) {
	t.Parallel()
	var times atomic.Int32
	w := wire(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) {
		if times.Add(1) == 1 {
			panic("the first time")
		}
		return nil, nil
	}})
	ack := w.typed(t, "")
	assert.Equal(t, "operation_timeout", ack.Error)
	eventually(t, func() bool { return times.Load() == 2 }, "the repeated delivery is worked, not dropped")
}

func TestAnAcknowledgementTooLongForASocketIsNotSent(t *testing.T) {
	t.Parallel()
	w := wire(t, handlerFuncs{command: func(_ context.Context, c Command) (Reply, After) {
		if c.Text == "long" {
			return Reply(`{"text":"` + strings.Repeat("x", ackLimit) + `"}`), nil
		}
		return Reply(`{"text":"short"}`), nil
	}})
	assert.Equal(t, "operation_timeout", w.typed(t, "long").Error)
	assert.Equal(t, 200, w.typed(t, "").Status, "Slack did not close the socket")
}

func TestTheSocketComesBack(t *testing.T) {
	t.Parallel()
	for _, disturbance := range []string{fakeslack.SocketDisconnect, fakeslack.SocketRefresh, fakeslack.SocketWarning} {
		t.Run(disturbance, func(t *testing.T) {
			t.Parallel()
			w := wire(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) { return Reply(`{"text":"here"}`), nil }})
			before := w.socket.LastHeard()
			require.NoError(t, w.Workspace.Socket(disturbance))
			eventually(t, func() bool { return w.socket.LastHeard().After(before) }, "Slack says hello again")
			eventually(t, func() bool { return w.typed(t, "").Status == 200 }, "and commands arrive again")
		})
	}
}

func TestHangingUpWaitsForTheAnswersInHand(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}), make(chan struct{})
	w := wire(t, handlerFuncs{command: func(context.Context, Command) (Reply, After) {
		close(begun)
		<-release
		return Reply(`{"text":"in time"}`), nil
	}})
	acks := make(chan fakeslack.Ack, 1)
	go func() { acks <- w.typed(t, "") }()
	<-begun
	ended := make(chan error, 1)
	go func() { ended <- w.hangUp() }()
	eventually(t, func() bool { return !w.socket.Connected() }, "the socket is not ready any more")
	close(release)
	ack := <-acks
	assert.Equal(t, 200, ack.Status)
	assert.JSONEq(t, `{"text":"in time"}`, string(ack.Body))
	require.NoError(t, <-ended)
}

func TestATokenThatSlackRefusesEndsRun(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"invalid_auth", "not_authed", "account_inactive", "token_revoked", "not_allowed_token_type"} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			far := newSlackAnswers(t, answerJSON(`{"ok":false,"error":"`+word+`"}`))
			d := NewDispatcher(DispatcherOptions{Handler: untouched(t), Log: silent()})
			err := NewSocket(SocketOptions{AppToken: "xapp-wrong", APIURL: far.URL + "/api/", Dispatcher: d, Log: silent()}).Run(t.Context())
			require.ErrorIs(t, err, errBadToken)
			require.ErrorContains(t, err, word)
			assert.NotContains(t, err.Error(), "xapp-wrong")
		})
	}
}

func TestASlackThatIsDownIsTriedAgain(t *testing.T) {
	t.Parallel()
	log, logged := logInto()
	far := newSlackAnswers(t, answerJSON(`<html>`))
	d := NewDispatcher(DispatcherOptions{Handler: untouched(t), Log: silent()})
	s := NewSocket(SocketOptions{AppToken: "xapp-1", APIURL: far.URL + "/api/", Dispatcher: d, Log: log})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	eventually(t, func() bool { return far.count("apps.connections.open") > 1 }, "it tries again")
	assert.False(t, s.Connected())
	assert.Zero(t, s.LastHeard())
	cancel()
	require.NoError(t, <-ended)
	assert.Contains(t, logged.String(), "connecting by Socket Mode")
	assert.NotContains(t, logged.String(), "xapp-1")
}

func TestAnEnvelopeThatTheLibraryCannotDecodeIsWorked(t *testing.T) {
	t.Parallel()
	seen := make(chan Interaction, 1)
	d := NewDispatcher(DispatcherOptions{Log: silent(), Handler: handlerFuncs{interaction: func(_ context.Context, i Interaction) (Reply, After) {
		seen <- i
		return nil, nil
	}}})
	s := NewSocket(SocketOptions{AppToken: "xapp-1", Dispatcher: d, Log: silent()})
	envelope, err := json.Marshal(socketmode.Request{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(submissionPayload)})
	require.NoError(t, err)
	require.NoError(t, s.take(t.Context(), socketmode.Event{
		Type: socketmode.EventTypeErrorBadMessage,
		Data: &socketmode.ErrorBadMessage{Cause: errors.New("a block of the future"), Message: envelope},
	}))
	assert.Equal(t, "V1", (<-seen).View.ID)
	require.NoError(t, d.Shutdown(t.Context()))
}

func TestWhatTheBotDoesNotTakeIsAcknowledgedAndWhatIsBrokenIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		envelope socketmode.Request
		queued   string // what is logged
	}{
		"an event":            {socketmode.Request{Type: "events_api", EnvelopeID: "e1"}, "ignoring a delivery"},
		"a shortcut":          {socketmode.Request{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(`{"type":"shortcut","user":{"id":"U1"}}`)}, "ignoring a delivery"},
		"a broken payload":    {socketmode.Request{Type: "interactive", EnvelopeID: "e1", Payload: json.RawMessage(`[]`)}, "leaving a delivery unacknowledged"},
		"a command of nobody": {socketmode.Request{Type: "slash_commands", EnvelopeID: "e1", Payload: json.RawMessage(`{"command":"/c"}`)}, "leaving a delivery unacknowledged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log, logged := logInto()
			d := NewDispatcher(DispatcherOptions{Handler: untouched(t), Log: silent()})
			s := NewSocket(SocketOptions{AppToken: "xapp-1", Dispatcher: d, Log: log})
			s.deliver(t.Context(), c.envelope)
			require.NoError(t, d.Shutdown(t.Context()))
			assert.Contains(t, logged.String(), c.queued)
		})
	}
}
