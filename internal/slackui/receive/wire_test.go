package receive

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
	"cancel-server/internal/slackui/slacktest"
)

// wired is a bot's socket, connected to a workspace.
type wired struct {
	*slacktest.Workspace
	socket     *Socket
	dispatcher *Dispatcher
	logged     *slacktest.Log
	began      time.Time
	hangUp     func() error // ends Run and tells its result
}

// wiring is what a test wants otherwise than usual.
type wiring struct {
	slack  fakeslack.Options
	wanted func() int
	before func(w *wired) // before the socket connects
}

// oneConnection wants one connection.
func oneConnection() int { return 1 }

func wire(t *testing.T, o wiring, handler func(w *wired) Handler) *wired {
	t.Helper()
	w := &wired{Workspace: slacktest.NewWorkspace(t, o.slack), began: time.Now()}
	log, logged := slacktest.LogInto()
	w.logged = logged
	w.dispatcher = NewDispatcher(DispatcherOptions{Handler: handler(w), Log: log})
	w.socket = NewSocket(SocketOptions{
		AppToken: w.AppToken(), APIURL: w.URL, Transport: w.Network.Transport(), Dispatcher: w.dispatcher, Wanted: o.wanted, Log: log,
	})
	if o.before != nil {
		o.before(w)
	}
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
	synctest.Wait()
	return w
}

// both waits until both connections stand, well apart from any opening.
func (w *wired) both(t *testing.T) {
	t.Helper()
	time.Sleep(2 * openStagger)
	synctest.Wait()
	require.Equal(t, 2, w.socket.Status().Standing)
}

// replying answers every command with one text.
func replying(text string) func(*wired) Handler {
	return func(*wired) Handler {
		return handlerFuncs{command: func(context.Context, Command) (Reply, After) { return Reply(`{"text":"` + text + `"}`), nil }}
	}
}

// opening answers every command with a form. While hold is set, a command waits for it
// before its form is open.
func opening(t *testing.T, hold <-chan struct{}) func(*wired) Handler {
	return func(w *wired) Handler {
		web := clientIn(t, w.Workspace)
		return handlerFuncs{command: func(ctx context.Context, c Command) (Reply, After) {
			if c.Text == "hold" {
				<-hold
			}
			_, _, err := web.OpenView(ctx, c.TriggerID, slacktest.Modal())
			assert.NoError(t, err, "each trigger opens one form")
			return nil, nil
		}}
	}
}

// eachGotOneForm holds what Slack received to this: every command was acknowledged and
// got exactly one form.
func (w *wired) eachGotOneForm(t *testing.T, commands int) {
	t.Helper()
	assert.Len(t, w.Seen("views.open"), commands, "none lost, none doubled")
	open, err := w.Views(w.Cast().User)
	require.NoError(t, err)
	assert.Len(t, open, commands, "a form for each command")
	acknowledged := map[int]bool{}
	for _, x := range w.Seen("slash_command") {
		acknowledged[x.Delivery] = acknowledged[x.Delivery] || x.Status == http.StatusOK
	}
	assert.Len(t, acknowledged, commands)
	for delivery, done := range acknowledged {
		assert.True(t, done, "delivery %d was acknowledged in the end", delivery)
	}
	assert.Empty(t, w.RulesBroken())
}

// connections are the calls that ask for one.
func (w *wired) connections() []time.Duration { return w.Times("apps.connections.open", w.began) }

// says reports whether the log has all of these words.
func (w *wired) says(words ...string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(w.logged.String(), word) })
}

// handlerFuncs is a Handler of two functions.
type handlerFuncs struct {
	command     func(context.Context, Command) (Reply, After)
	interaction func(context.Context, Interaction) (Reply, After)
}

func (h handlerFuncs) Command(ctx context.Context, c Command) (Reply, After) {
	return h.command(ctx, c)
}

func (h handlerFuncs) Interaction(ctx context.Context, i Interaction) (Reply, After) {
	return h.interaction(ctx, i)
}

func (h handlerFuncs) HomeOpened(Event) After { return nil }
