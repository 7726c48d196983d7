//go:build unix

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakeslack"
)

// botNow reads GET bot.
func botNow(t *testing.T, r *ran) botState {
	t.Helper()
	status, body := ask(t, http.MethodGet, r.url+"/control/bot", "", nil)
	require.Equal(t, 200, status, body)
	var state botState
	require.NoError(t, json.Unmarshal([]byte(body), &state), body)
	return state
}

// steerBot makes a POST bot that must succeed.
func steerBot(t *testing.T, r *ran, do string) steered {
	t.Helper()
	status, body := ask(t, http.MethodPost, r.url+"/control/bot", `{"do":"`+do+`"}`, nil)
	require.Equal(t, 200, status, body)
	var now steered
	require.NoError(t, json.Unmarshal([]byte(body), &now), body)
	return now
}

// awaitBotState waits until GET bot fits.
func awaitBotState(t *testing.T, r *ran, what string, fits func(botState) bool) botState {
	t.Helper()
	var state botState
	require.Eventually(t, func() bool { state = botNow(t, r); return fits(state) }, 20*time.Second, 10*time.Millisecond, what)
	return state
}

// reachable starts a sandbox with a stand-in bot that answers over HTTP.
func reachable(t *testing.T, mood string) *ran {
	t.Helper()
	r := start(t, os.Environ(), append([]string{"--transport", "http", "--"}, standInCommand("bot", mood)...)...)
	awaitConnected(t, r)
	return r
}

func awaitConnected(t *testing.T, r *ran) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, body := ask(t, http.MethodGet, r.url+"/control/workspace", "", nil)
		var workspace struct{ Connected bool }
		return json.Unmarshal([]byte(body), &workspace) == nil && workspace.Connected
	}, 20*time.Second, 10*time.Millisecond, "the bot can be reached")
}

// typeIn types the command as the person of the cast, and returns the answer.
func typeIn(t *testing.T, r *ran) string {
	t.Helper()
	_, body := ask(t, http.MethodGet, r.url+"/control/workspace", "", nil)
	var workspace struct{ Cast fakeslack.Cast }
	require.NoError(t, json.Unmarshal([]byte(body), &workspace))
	typed, err := json.Marshal(fakeslack.Command{User: workspace.Cast.User, Channel: workspace.Cast.Channel, Command: "/cancel-server"})
	require.NoError(t, err)
	_, answer := ask(t, http.MethodPost, r.url+"/control/command", string(typed), nil)
	return answer
}

func TestControlCallKillsStopsAndStartsTheBot(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	r := start(t, os.Environ(), append([]string{"--"}, standInCommand("polite", h.address())...)...)
	gone := h.welcome()
	first := botNow(t, r)
	assert.True(t, first.Up)
	assert.NotZero(t, first.PID)
	assert.Nil(t, first.Exit)
	assert.Equal(t, steered{first.PID, true}, steerBot(t, r, "start"), "start changes nothing while it is up")

	assert.Equal(t, steered{first.PID, false}, steerBot(t, r, "kill"))
	gone()
	dead := botNow(t, r)
	assert.False(t, dead.Up)
	require.NotNil(t, dead.Exit)
	assert.Equal(t, 128+int(syscall.SIGKILL), *dead.Exit)
	assert.True(t, dead.Since.After(*first.Since))
	assert.Equal(t, steered{first.PID, false}, steerBot(t, r, "stop"), "stop changes nothing while it is down")
	status, _ := ask(t, http.MethodGet, r.url+"/", "", nil)
	assert.Equal(t, 200, status, "the page is served without a bot")

	second := steerBot(t, r, "start")
	gone = h.welcome()
	assert.True(t, second.Up)
	assert.NotEqual(t, first.PID, second.PID)
	assert.Nil(t, botNow(t, r).Exit)
	assert.False(t, steerBot(t, r, "stop").Up)
	gone()
	assert.Equal(t, 7, *botNow(t, r).Exit, "stop sends SIGTERM and waits")

	for _, body := range []string{`{}`, `{"do":"explode"}`, `{"do":"kill","pid":1}`} {
		status, answer := ask(t, http.MethodPost, r.url+"/control/bot", body, nil)
		assert.Equal(t, 400, status, answer)
	}
	assert.Zero(t, r.stop(), "an end that was ordered is no failure")
}

func TestFailedRestartOfTheBotIsReported(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	command := standInCommand("polite", h.address())
	link := filepath.Join(t.TempDir(), "bot")
	require.NoError(t, os.Symlink(command[0], link))
	r := start(t, os.Environ(), append([]string{"--", link}, command[1:]...)...)
	h.welcome()
	steerBot(t, r, "kill")
	require.NoError(t, os.Remove(link))
	status, answer := ask(t, http.MethodPost, r.url+"/control/bot", `{"do":"start"}`, nil)
	assert.Equal(t, 400, status)
	assert.Contains(t, answer, "starting ")
	assert.False(t, botNow(t, r).Up)
	require.NoError(t, os.Symlink(command[0], link))
	assert.True(t, steerBot(t, r, "start").Up, "the sandbox goes on after a failed start")
	h.welcome()
}

func TestTheSandboxOutlivesABotThatIsKilled(t *testing.T) {
	t.Parallel()
	r := reachable(t, diligent)
	pid := botNow(t, r).PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	dead := awaitBotState(t, r, "the end is noticed", func(s botState) bool { return !s.Up })
	assert.Equal(t, 128+int(syscall.SIGKILL), *dead.Exit)
	assert.Contains(t, dead.Last, "bot: listening", "its last words are kept")
	begun := time.Now()
	assert.Contains(t, typeIn(t, r), "dispatch_failed")
	assert.Less(t, time.Since(begun), 10*time.Second, "a command does not wait for a bot that has ended")
	assert.Contains(t, r.errs.String(), "the pages stay")

	steerBot(t, r, "start")
	awaitConnected(t, r)
	assert.NotEqual(t, pid, botNow(t, r).PID)
}

func TestCommandThatEndsByItselfEndsTheSandbox(t *testing.T) {
	t.Parallel()
	r := reachable(t, dying)
	typeIn(t, r)
	assert.Equal(t, 5, r.wait(), "its exit code is the sandbox's, also after it was reachable")
	assert.Contains(t, r.errs.String(), "I am dying")
}

func TestWhichEndsTheSandboxOutlives(t *testing.T) {
	t.Parallel()
	reached := openHTTPWorld(t, time.Minute)
	reached.slack.SetEndpoint(newQuietBot(t))
	require.NoError(t, reached.slack.WaitReachable(t.Context()))
	never := openHTTPWorld(t, time.Minute)
	for _, c := range []struct {
		says    string
		world   *world
		command []string // nil: the bot of this checkout
		end     ending
		ordered bool
		want    bool
	}{
		{says: "this checkout's bot ends after it was reachable", world: reached, want: true},
		{says: "this checkout's bot fails after it was reachable", world: reached, end: ending{code: 1}, want: true},
		{says: "this checkout's bot refuses to start", world: never, end: ending{code: 2}},
		{says: "this checkout's bot is killed before it was reachable", world: never, end: ending{code: 137, bySignal: true}},
		{says: "a command ends after it was reachable", world: reached, command: []string{"tests"}},
		{says: "a command fails after it was reachable", world: reached, command: []string{"tests"}, end: ending{code: 1}},
		{says: "a command is killed after it was reachable", world: reached, command: []string{"bot"}, end: ending{code: 137, bySignal: true}, want: true},
		{says: "a command refuses to start", world: never, command: []string{"bot"}, end: ending{code: 2}},
		{says: "a command that was steered refuses to start again", world: never, command: []string{"bot"}, end: ending{code: 2}, ordered: true, want: true},
	} {
		told := newScreen()
		p := play{options: options{command: c.command}, stderr: told}
		assert.Equal(t, c.want, p.goesOn(c.world, c.end, c.ordered), c.says)
		assert.Equal(t, c.want, strings.Contains(told.String(), "the pages stay"), "%s: it says so", c.says)
	}
}

func TestOnceSteeredTheSandboxOutlivesItsCommand(t *testing.T) {
	t.Parallel()
	r := reachable(t, dying)
	steerBot(t, r, "kill")
	steerBot(t, r, "start")
	awaitConnected(t, r)
	typeIn(t, r)
	dead := awaitBotState(t, r, "the end is noticed", func(s botState) bool { return !s.Up })
	assert.Equal(t, 5, *dead.Exit)
	assert.Contains(t, dead.Last, "I am dying")
	assert.Equal(t, 5, r.stop(), "how it ended is still the exit code")
}
